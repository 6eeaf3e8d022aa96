"""Pre-normalisations against slow references written from the published descriptions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.errors import ConfigError, SkeletonError
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.prenormalise import PreNormalise, turn_between

NTU = get_skeleton("ntu25")
BASE, SPINE, LEFT, RIGHT = 0, 1, 4, 8  # NTU's joints 1, 2, 5, 9


def clip(people=2, frames=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(people, 1, 25, 3)) + 0.1 * rng.normal(size=(people, frames, 25, 3)) + [0, 0, 3]


def turn(x, vector, axis):
    """All of x turned by the angle between vector and axis, about their common normal."""
    normal = np.cross(vector, axis)
    angle = np.arccos(vector @ axis / np.linalg.norm(vector))
    rotation = Rotation.from_rotvec(normal / np.linalg.norm(normal) * angle)
    return rotation.apply(x.reshape(-1, 3)).reshape(x.shape)


def rotated(x, frame=0):
    x = turn(x, x[0, frame, SPINE] - x[0, frame, BASE], np.array([0, 0, 1.0]))
    return turn(x, x[0, frame, RIGHT] - x[0, frame, LEFT], np.array([1.0, 0, 0]))


def test_2s_agcn() -> None:
    x = clip()
    centred = np.stack([[x[m, t] - x[0, t, SPINE] for t in range(6)] for m in range(2)])
    found = PreNormalise(convention="2s-agcn").apply(x, NTU)
    np.testing.assert_allclose(found, rotated(centred), atol=1e-12)
    assert np.abs(found[0, :, SPINE]).max() < 1e-12


def test_pyskl() -> None:
    x = clip()
    found = PreNormalise(convention="pyskl").apply(x, NTU)
    np.testing.assert_allclose(found, rotated(x - x[0, 0, SPINE]), atol=1e-12)


def test_ctr_gcn() -> None:
    x = clip()
    np.testing.assert_array_equal(PreNormalise(convention="ctr-gcn").apply(x, NTU), x - x[0, 0, SPINE])


def test_upright() -> None:
    x = clip()
    found = PreNormalise(convention="upright").apply(x, NTU)
    up = (x - x[0, 0, SPINE])[..., [0, 2, 1]] * [1, -1, 1]  # y becomes z
    across = up[0, 0, RIGHT] - up[0, 0, LEFT]
    expected = Rotation.from_euler("z", -np.arctan2(across[1], across[0])).apply(up.reshape(-1, 3)).reshape(up.shape)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # heights stay, and whichever way somebody faces, they look the same
    np.testing.assert_allclose(found[..., 2], x[..., 1] - x[0, 0, SPINE, 1], atol=1e-12)
    for yaw in (0.7, 2.0, np.pi):
        turned = Rotation.from_euler("y", yaw).apply(x.reshape(-1, 3)).reshape(x.shape)
        np.testing.assert_allclose(PreNormalise(convention="upright").apply(turned, NTU), found, atol=1e-9)


def test_none_and_the_type_is_kept() -> None:
    x = clip().astype(np.float32)
    assert PreNormalise(convention="none").apply(x, NTU) is x
    for name in ("2s-agcn", "pyskl", "ctr-gcn", "upright"):
        assert PreNormalise(convention=name).apply(x, NTU).dtype == np.float32


def test_absent_frames() -> None:
    x = clip()
    x[0, [0, 3]] = np.nan
    for name in ("pyskl", "ctr-gcn"):
        found = PreNormalise(convention=name).apply(x, NTU)
        expected = x - x[0, 1, SPINE]
        np.testing.assert_allclose(found, rotated(expected, 1) if name == "pyskl" else expected, atol=1e-12)
    centres = x[0, [1, 1, 2, 2, 4, 5], SPINE]
    expected = rotated(x - centres[:, None], 1)
    np.testing.assert_allclose(PreNormalise(convention="2s-agcn").apply(x, NTU), expected, atol=1e-12)
    alone = x[1:].copy()
    x[0] = np.nan  # person 0 has not come yet
    for name in ("2s-agcn", "pyskl", "ctr-gcn", "upright"):
        placed = PreNormalise(convention=name)
        np.testing.assert_array_equal(placed.apply(x, NTU)[1:], placed.apply(alone, NTU))
        assert np.abs(placed.apply(x, NTU)[1, 0, SPINE]).max() < 1e-9
    x[:] = np.nan
    for name in ("2s-agcn", "pyskl", "ctr-gcn"):
        np.testing.assert_array_equal(PreNormalise(convention=name).apply(x, NTU), x)


def test_what_stands_in_for_joints_that_are_never_seen() -> None:
    x = clip()
    x[0, :, [SPINE, LEFT]] = np.nan
    ntu = {name: place for place, name in enumerate(NTU.joints)}
    base, head, hips = x[0, 0, BASE], x[0, 0, ntu["neck"]], (ntu["left_hip"], ntu["right_hip"])
    np.testing.assert_array_equal(PreNormalise(convention="ctr-gcn").apply(x, NTU), x - base)
    expected = x - base
    thorax = NTU.landmark("thorax")
    high = expected[0, 0, np.flatnonzero(thorax)[0]] if thorax is not None else head - base
    expected = turn(expected, high - expected[0, 0, BASE], np.array([0, 0, 1.0]))
    expected = turn(expected, expected[0, 0, hips[1]] - expected[0, 0, hips[0]], np.array([1.0, 0, 0]))
    np.testing.assert_allclose(PreNormalise(convention="pyskl").apply(x, NTU), expected, atol=1e-12)
    # a body is turned the same way, nearly, whatever is missing
    walk = get_skeleton("h36m17")
    body = SyntheticMotion(subjects=1, takes=1, seconds=1.0).clip(0, "walking", 0).positions[:1]
    whole = PreNormalise(convention="pyskl").apply(body, walk)
    for joint in ("spine", "pelvis", "left_shoulder", "right_hip"):
        part = body.copy()
        part[:, :, walk.index(joint)] = np.nan
        found = PreNormalise(convention="pyskl").apply(part, walk)
        moved = np.nanmean(found - whole, axis=(0, 1, 2))
        assert np.nanmax(np.linalg.norm(found - whole - moved, axis=-1)) < 0.35, joint


def test_turning() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        a, b = rng.normal(size=(2, 3))
        matrix = turn_between(a, b)
        np.testing.assert_allclose(matrix @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-12)
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(turn_between(np.array([0, 0, -2.0]), np.array([0, 0, 1.0])) @ [0, 0, -1], [0, 0, 1])
    np.testing.assert_array_equal(turn_between(np.zeros(3), np.array([0, 0, 1.0])), np.eye(3))


def test_two_dimensions() -> None:
    x = np.random.default_rng(0).random((1, 4, 18, 2))
    layout = get_skeleton("openpose18")
    np.testing.assert_allclose(PreNormalise(convention="pyskl").apply(x, layout), 2 * x - 1)
    spine = 0.5 * x[0, 0, 1] + 0.25 * (x[0, 0, 8] + x[0, 0, 11])
    np.testing.assert_allclose(PreNormalise(convention="ctr-gcn").apply(x, layout), x - spine)
    for name in ("2s-agcn", "upright"):
        with pytest.raises(ConfigError, match=f"{name} turns to z, which 2D has not"):
            PreNormalise(convention=name).apply(x, layout)


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean '2s-agcn'"):
        PreNormalise(convention="2s-agc")
    dots = Skeleton("dots", ("a", "b"), (-1, 0))
    with pytest.raises(SkeletonError, match="'dots' has no 'spine'"):
        PreNormalise().apply(np.zeros((1, 2, 2, 3)), dots)
    np.testing.assert_array_equal(PreNormalise(centre="b").apply(np.ones((1, 2, 2, 3)), dots), 0)
    with pytest.raises(SkeletonError, match="2 joints; 'ntu25' has 25"):
        PreNormalise().apply(np.zeros((1, 2, 2, 3)), NTU)
