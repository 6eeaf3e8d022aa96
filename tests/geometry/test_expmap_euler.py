"""The protocol's Euler angles against a scalar reference, in gimbal lock too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.geometry.expmap_euler import (
    expmap_to_protocol_euler,
    file_expmap_to_quaternion,
    protocol_euler,
    quaternion_to_file_expmap,
)
from kinegraph.geometry.rotations import euler_to_matrix, quaternion_to_matrix


def rodrigues(e):
    """R = I + sin K + (1 - cos) K^2, one at a time."""
    angle = math.sqrt(sum(v * v for v in e))
    if angle == 0:
        return np.eye(3)
    x, y, z = (v / angle for v in e)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * k @ k


def test_against_the_printed_formulas():
    rng = np.random.default_rng(0)
    expmaps = rng.normal(size=(4, 50, 3)) * rng.choice([1e-9, 0.1, 1.0, 3.0], size=(4, 50, 1))
    expected = np.empty_like(expmaps)
    for place in np.ndindex(4, 50):
        r = rodrigues(expmaps[place])
        second = -math.asin(r[0, 2])
        cosine = math.cos(second)
        first = math.atan2(r[1, 2] / cosine, r[2, 2] / cosine)
        expected[place] = first, second, math.atan2(r[0, 1] / cosine, r[0, 0] / cosine)
    np.testing.assert_allclose(expmap_to_protocol_euler(expmaps), expected, atol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_gimbal_lock_gives_the_rotation_back(sign):
    for turn in (-2.0, 0.0, 0.3, 3.0):
        # R = (Rz Ry Rx)^T with the middle angle at 90 degrees
        matrix = euler_to_matrix([0.0, sign * math.pi / 2, turn], "zyx").T
        angles = protocol_euler(matrix)
        assert angles[2] == 0.0
        assert angles[1] == pytest.approx(sign * math.pi / 2, abs=1e-6)
        np.testing.assert_allclose(euler_to_matrix(angles[::-1], "zyx").T, matrix, atol=1e-7)


def test_angles_rebuild_the_matrix_and_pass_smoothly_near_the_lock():
    rng = np.random.default_rng(1)
    matrix = np.array([rodrigues(e) for e in rng.normal(size=(200, 3)) * 2])
    angles = protocol_euler(matrix)
    np.testing.assert_allclose(np.swapaxes(euler_to_matrix(angles[:, ::-1], "zyx"), -1, -2), matrix, atol=1e-12)
    near = np.swapaxes(euler_to_matrix([[0.4, math.pi / 2 - 1e-4, 0.9]], "zyx"), -1, -2)
    np.testing.assert_allclose(protocol_euler(near)[0], [0.9, math.pi / 2 - 1e-4, 0.4], atol=1e-6)


def test_files_hold_the_transposed_rotation():
    expmaps = np.random.default_rng(2).normal(size=(20, 3))
    expmaps *= 2.5 / np.linalg.norm(expmaps, axis=-1, keepdims=True)
    matrix = quaternion_to_matrix(file_expmap_to_quaternion(expmaps))
    for e, m in zip(expmaps, matrix, strict=True):
        np.testing.assert_allclose(m, rodrigues(e).T, atol=1e-12)
    np.testing.assert_allclose(quaternion_to_file_expmap(file_expmap_to_quaternion(expmaps)), expmaps, atol=1e-12)


def test_wrong_shape_is_refused():
    with pytest.raises(DataError, match=r"\(\.\.\., 3, 3\)"):
        protocol_euler(np.zeros((3, 4)))
