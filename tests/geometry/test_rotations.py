"""Rotations against SciPy's `Rotation`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.errors import ConfigError
from kinegraph.geometry import rotations as rot

ORDERS = ["".join(order) for order in itertools.permutations("xyz")]
SEEDS = st.integers(0, 2**32 - 1)


def random_quaternions(seed: int, count: int = 64) -> np.ndarray:
    return Rotation.random(count, np.random.default_rng(seed)).as_quat()


@pytest.mark.parametrize("order", [*ORDERS, "x", "zy", "zyz"])
def test_euler_angles_multiply_left_to_right_as_scipys_intrinsic_ones(order: str) -> None:
    angles = np.random.default_rng(1).uniform(-7, 7, (40, len(order)))
    expected = Rotation.from_euler(order.upper(), angles).as_matrix()
    np.testing.assert_allclose(rot.euler_to_matrix(angles, order), expected, atol=1e-12)
    np.testing.assert_allclose(rot.euler_to_matrix(angles, order.upper()), expected, atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_of_any_rotation_give_it_back(order: str) -> None:
    q = random_quaternions(2)
    angles = rot.quaternion_to_euler(q, order)
    np.testing.assert_allclose(angles, Rotation.from_quat(q).as_euler(order.upper()), atol=1e-9)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("middle", [np.pi / 2, -np.pi / 2])
def test_gimbal_lock_keeps_the_rotation(order: str, middle: float) -> None:
    angles = np.random.default_rng(3).uniform(-3, 3, (30, 3))
    angles[:, 1] = middle
    matrix = rot.euler_to_matrix(angles, order)
    np.testing.assert_allclose(rot.euler_to_matrix(rot.matrix_to_euler(matrix, order), order), matrix, atol=1e-7)


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_products_rotations_and_matrices_agree_with_scipy(seed: int) -> None:
    a, b = random_quaternions(seed), random_quaternions(seed + 1)
    vectors = np.random.default_rng(seed).normal(size=(64, 3))
    first, second = Rotation.from_quat(a), Rotation.from_quat(b)
    product = rot.quaternion_to_matrix(rot.quaternion_multiply(a, b))
    np.testing.assert_allclose(product, (first * second).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(rot.quaternion_rotate(a, vectors), first.apply(vectors), atol=1e-12)
    np.testing.assert_allclose(rot.quaternion_to_matrix(a), first.as_matrix(), atol=1e-12)
    back = rot.quaternion_multiply(rot.quaternion_conjugate(a), a)
    np.testing.assert_allclose(back, np.tile([0, 0, 0, 1.0], (64, 1)), atol=1e-12)
    expected = np.where(a[:, 3:] < 0, -a, a)
    np.testing.assert_allclose(rot.matrix_to_quaternion(first.as_matrix()), expected, atol=1e-9)


def test_half_turns_survive_matrix_and_exponential_map() -> None:
    axes = np.concatenate((np.eye(3), Rotation.random(20, np.random.default_rng(4)).apply([1.0, 0, 0])))
    matrix = Rotation.from_rotvec(np.pi * axes).as_matrix()
    np.testing.assert_allclose(rot.quaternion_to_matrix(rot.matrix_to_quaternion(matrix)), matrix, atol=1e-12)
    again = rot.expmap_to_quaternion(rot.quaternion_to_expmap(rot.matrix_to_quaternion(matrix)))
    np.testing.assert_allclose(rot.quaternion_to_matrix(again), matrix, atol=1e-7)


@pytest.mark.parametrize("size", [0.0, 1e-12, 1e-6, 1.0, 3.1])
def test_exponential_maps_agree_with_scipy_down_to_zero(size: float) -> None:
    vectors = Rotation.random(20, np.random.default_rng(5)).apply([size, 0, 0])
    quaternion = rot.expmap_to_quaternion(vectors)
    np.testing.assert_allclose(quaternion, Rotation.from_rotvec(vectors).as_quat(), atol=1e-15)
    np.testing.assert_allclose(rot.quaternion_to_expmap(quaternion), vectors, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(rot.quaternion_to_expmap(-quaternion), vectors, rtol=1e-9, atol=1e-15)


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_shortest_rotation_between_directions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 30, 3))
    b[:3] = -a[:3]  # opposite
    b[3:6] = a[3:6]  # equal
    q = rot.quaternion_between(a, b)
    unit_a, unit_b = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b))
    np.testing.assert_allclose(rot.quaternion_rotate(q, unit_a), unit_b, atol=1e-7)
    angle = 2 * np.arccos(np.clip(np.abs(q[:, 3]), 0, 1))
    np.testing.assert_allclose(angle, np.arccos(np.clip((unit_a * unit_b).sum(-1), -1, 1)), atol=1e-6)


def test_zero_vectors_and_zero_quaternions_are_the_identity() -> None:
    np.testing.assert_array_equal(rot.quaternion_between(np.zeros(3), [1.0, 0, 0]), [0, 0, 0, 1])
    np.testing.assert_array_equal(rot.quaternion_normalise(np.zeros(4)), [0, 0, 0, 1])


def test_signs_are_made_continuous_along_the_axis_asked_for() -> None:
    rng = np.random.default_rng(6)
    smooth = Rotation.from_rotvec(
        np.cumsum(rng.normal(size=(200, 5, 3)).reshape(200, -1), axis=0)[:, :3] * 0.05
    ).as_quat()
    signs = rng.choice([-1.0, 1.0], size=(200, 1))
    fixed = rot.make_continuous(smooth * signs)
    assert ((fixed[1:] * fixed[:-1]).sum(-1) > 0).all()
    np.testing.assert_allclose(rot.quaternion_to_matrix(fixed), rot.quaternion_to_matrix(smooth), atol=1e-12)
    other = rot.make_continuous(np.stack((smooth * signs,) * 2), axis=1)
    assert ((other[:, 1:] * other[:, :-1]).sum(-1) > 0).all()


@pytest.mark.parametrize("order", ["xyz", "zxy", "yxz"])
def test_euler_curves_have_no_jumps_and_the_same_rotations(order: str) -> None:
    # a slow tumble that goes through gimbal lock neighbourhoods and several whole turns
    t = np.linspace(0, 20, 2000)
    q = Rotation.from_euler("xyz", np.stack((t, 1.4 * np.sin(t), 0.7 * t), axis=-1)).as_quat()
    raw = rot.quaternion_to_euler(q, order)
    smooth = rot.continuous_euler(raw)
    np.testing.assert_allclose(rot.euler_to_matrix(smooth, order), Rotation.from_quat(q).as_matrix(), atol=1e-9)
    assert np.abs(np.diff(raw, axis=0)).max() > 3  # the test would show nothing otherwise
    assert np.abs(np.diff(smooth, axis=0)).max() < 1


@pytest.mark.parametrize("order", ["", "xx", "xxy", "abc", "xyzx"])
def test_impossible_orders_are_refused(order: str) -> None:
    with pytest.raises(ConfigError, match="Euler order"):
        rot.euler_to_quaternion(np.zeros((1, max(len(order), 1))), order)
    with pytest.raises(ConfigError):
        rot.matrix_to_euler(np.eye(3), "zyz")
