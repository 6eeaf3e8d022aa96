"""The pixel-space and metric protocols against SPEC's formulas, written out one joint at a time in millimetres."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.transforms.lifting import LiftingTransform

F = (1145.0, 1143.8)
C = (512.5, 515.5)
SIZE = (1000.0, 1002.0)


def spec_target(joint_mm, root_mm):
    """(u, v, d), normalised: SPEC, 'Pixel-space (LCN, HCSF)'."""
    x, y, z = joint_mm
    zr = root_mm[2]
    u = F[0] * x / z + C[0]
    v = F[1] * y / z + C[1]
    x1 = F[0] * (root_mm[0] - 1000.0) / zr + C[0]
    x2 = F[0] * (root_mm[0] + 1000.0) / zr + C[0]
    rho = (x2 - x1 + 1) / 2000.0
    d = rho * (z - zr)
    w, h = SIZE
    return np.array([2 * u / w - 1, 2 * v / w - h / w, 2 * d / w])


def spec_back(output, root_mm):
    """The evaluation: denormalise, Z = d / rho + true Z_r, back-project; absolute camera-space mm."""
    w, h = SIZE
    u, v, d = (output[0] + 1) * w / 2, (output[1] + h / w) * w / 2, output[2] * w / 2
    zr = root_mm[2]
    x1 = F[0] * (root_mm[0] - 1000.0) / zr + C[0]
    x2 = F[0] * (root_mm[0] + 1000.0) / zr + C[0]
    rho = (x2 - x1 + 1) / 2000.0
    z = d / rho + zr
    return np.array([(u - C[0]) * z / F[0], (v - C[1]) * z / F[1], z])


@pytest.fixture
def pose_mm():
    rng = np.random.default_rng(3)
    pose = rng.uniform(-900, 900, size=(17, 3))
    pose[:, 2] += 4500
    return pose


def arrays():
    return np.array([*F, *C]), np.array(SIZE)


def test_pixel_targets(pose_mm):
    lens, size = arrays()
    got = LiftingTransform(target="pixel").encode_targets(pose_mm / 1000, lens, size)
    want = [spec_target(joint, pose_mm[0]) for joint in pose_mm]
    np.testing.assert_allclose(got, want, atol=2e-7)


def test_pixel_decoding_of_a_wrong_answer(pose_mm):
    """Not the truth again but a disturbed answer: the two must agree on what it means in space."""
    lens, size = arrays()
    rng = np.random.default_rng(4)
    output = np.array([spec_target(joint, pose_mm[0]) for joint in pose_mm]) + rng.normal(0, 0.05, size=(17, 3))
    got = LiftingTransform(target="pixel").decode(output, lens, size, np.array(pose_mm[0, 2] / 1000))
    want = [spec_back(answer, pose_mm[0]) for answer in output]
    np.testing.assert_allclose(1000 * got, want, atol=1e-6)


def test_inputs_of_both_targets_are_normalised_alike(pose_mm):
    size = np.array(SIZE)
    pixels = np.array([[F[0] * x / z + C[0], F[1] * y / z + C[1]] for x, y, z in pose_mm])
    want = [[2 * u / SIZE[0] - 1, 2 * v / SIZE[0] - SIZE[1] / SIZE[0]] for u, v in pixels]
    for target in ("pixel", "metric"):
        got = LiftingTransform(target=target).encode_inputs(pixels, np.ones(17), size)
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_metric_is_root_relative(pose_mm):
    lens, size = arrays()
    transform = LiftingTransform(target="metric")
    code = transform.encode_targets(pose_mm / 1000, lens, size)
    got = transform.decode(code.astype(np.float64) + 0.25)  # a constant offset is no root-relative error
    np.testing.assert_allclose(1000 * got, pose_mm - pose_mm[0], atol=1e-3)
