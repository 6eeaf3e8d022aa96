"""Heading-relative windows: inverse, blind to place and heading, continuous; the mirror against mirrored bodies."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import expmap_to_quaternion, quaternion_to_matrix
from kinegraph.skeleton import get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.heading import (
    continuous_expmap,
    heading_absolute,
    heading_relative,
    mirror_features,
    yaw_of,
)

SKELETON = contract(get_skeleton("h36m17"), get_skeleton("h36m17").joints, trajectory=True)


def windows(seed: int = 0, count: int = 3, frames: int = 9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    start = rng.normal(scale=0.6, size=(count, 1, SKELETON.num_joints, 3))
    return np.asarray(start + np.cumsum(rng.normal(scale=0.05, size=(count, frames, *start.shape[2:])), axis=1))


def matrices(expmap: np.ndarray) -> np.ndarray:
    return quaternion_to_matrix(expmap_to_quaternion(-expmap))


def about_y(yaw: float) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def test_rotations_come_back() -> None:
    world = windows()
    relative, frame = heading_relative(world, 5, SKELETON)
    back = heading_absolute(relative, frame, SKELETON)
    np.testing.assert_allclose(back[:, :, 0], world[:, :, 0], atol=1e-12)
    np.testing.assert_allclose(matrices(back), matrices(world), atol=1e-12)
    # the last observed frame stands at the origin and faces z; its height is kept
    np.testing.assert_allclose(relative[:, 5, 0, [0, 2]], 0, atol=1e-15)
    np.testing.assert_allclose(relative[:, :, 0, 1], world[:, :, 0, 1])
    np.testing.assert_allclose(yaw_of(expmap_to_quaternion(-relative[:, 5, 1])), 0, atol=1e-12)


def test_positions_come_back() -> None:
    world = windows(1)
    relative, frame = heading_relative(world, -1, SKELETON, "positions")
    np.testing.assert_allclose(heading_absolute(relative, frame, SKELETON, "positions"), world, atol=1e-12)
    left, right = (relative[:, -1, SKELETON.index(f"{side}_hip")] for side in ("left", "right"))
    np.testing.assert_allclose((left - right)[:, 2], 0, atol=1e-12)
    assert ((left - right)[:, 0] > 0).all()


def test_the_heading_of_a_window_is_its_own() -> None:
    """Hips that coincide in one window of a batch turn nobody else; there, the next pairs tell the left side."""
    world = windows(3, count=4)
    left, right = SKELETON.index("left_hip"), SKELETON.index("right_hip")
    world[1, -1, left] = world[1, -1, right] + [0.015, 0.0, 0.0]
    _, together = heading_relative(world, -1, SKELETON, "positions")
    alone = [heading_relative(one[None], -1, SKELETON, "positions")[1].yaw[0] for one in world]
    np.testing.assert_array_equal(together.yaw, alone)
    across = (world[:, -1, left] - world[:, -1, right])[[0, 2, 3]]
    np.testing.assert_allclose(together.yaw[[0, 2, 3]], np.arctan2(-across[:, 2], across[:, 0]), atol=1e-12)
    assert abs(together.yaw[1]) > 0.1  # not the hips', which point along x


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_place_and_heading_do_not_show(representation: str) -> None:
    world, yaw = windows(2), 2.1
    turn = about_y(yaw)
    moved = world.copy()
    if representation == "expmap":
        rotation = turn @ matrices(world[:, :, 1])
        from scipy.spatial.transform import Rotation

        moved[:, :, 1] = -Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_rotvec().reshape(world[:, :, 1].shape)
        moved[:, :, 0] = world[:, :, 0] @ turn.T
    else:
        moved = world @ turn.T
    moved[:, :, 0] += [5.0, 0.0, -3.0]
    one, _ = heading_relative(world, 4, SKELETON, representation)
    other, _ = heading_relative(moved, 4, SKELETON, representation)
    np.testing.assert_allclose(other, one, atol=1e-9)


def test_no_jump_through_half_a_turn() -> None:
    angle = np.linspace(0.1, 1.8 * np.pi, 60)
    axis = np.array([0.6, 0.0, 0.8])
    names = (angle + np.pi) % (2 * np.pi) - np.pi  # what a principal exponential map says: it jumps at pi
    principal = names[:, None] * axis
    assert np.abs(np.diff(principal, axis=0)).max() > 3
    smooth = continuous_expmap(principal)
    np.testing.assert_allclose(smooth, angle[:, None] * axis, atol=1e-12)
    np.testing.assert_allclose(matrices(smooth), matrices(principal), atol=1e-12)
    # from the other end it is the other name of the same turns
    np.testing.assert_allclose(continuous_expmap(principal, anchor=-1)[-1], principal[-1], atol=1e-12)
    assert np.abs(np.diff(continuous_expmap(principal, anchor=-1), axis=0)).max() < 0.2


def test_many_at_once_as_each_alone() -> None:
    rng = np.random.default_rng(5)
    walks = np.cumsum(rng.normal(scale=0.5, size=(40, 6, 4, 3)), axis=0)
    together = continuous_expmap(walks, anchor=11)
    for a in range(6):
        for b in range(4):
            np.testing.assert_allclose(together[:, a, b], _slow(walks[:, a, b], 11), atol=1e-12)
    np.testing.assert_allclose(matrices(together), matrices(walks), atol=1e-9)


def _slow(expmap: np.ndarray, anchor: int) -> np.ndarray:
    """One joint, frame by frame, as the docstring says it."""
    result = np.empty_like(expmap)
    names = []
    for e in expmap:
        angle = np.linalg.norm(e)
        axis = e / angle
        principal = np.mod(angle + np.pi, 2 * np.pi) - np.pi
        names.append((axis * principal, axis * principal - np.sign(principal) * 2 * np.pi * axis))
    result[anchor] = names[anchor][0]
    for way in (1, -1):
        frame = anchor + way
        while 0 <= frame < len(expmap):
            a, b = names[frame]
            before = result[frame - way]
            result[frame] = b if ((b - before) ** 2).sum() < ((a - before) ** 2).sum() else a
            frame += way
    return result


def test_other_axes_and_nothing() -> None:
    e = windows(3)
    np.testing.assert_allclose(continuous_expmap(np.moveaxis(e, 1, 0)), np.moveaxis(continuous_expmap(e, axis=1), 1, 0))
    assert continuous_expmap(np.zeros((0, 4, 3))).shape == (0, 4, 3)


def test_mirror_shows_the_mirrored_body() -> None:
    rng = np.random.default_rng(4)
    skeleton = get_skeleton("cmu38")
    network = contract(skeleton, skeleton.joints, trajectory=True)
    # a rest pose that is its own mirror image
    offsets = rng.normal(scale=0.2, size=(skeleton.num_joints, 3))
    offsets = (offsets + offsets[list(skeleton.mirror)] * [-1, 1, 1]) / 2
    features = rng.normal(scale=0.8, size=(1, network.num_joints, 3))

    def points(given: np.ndarray) -> np.ndarray:
        moved = offsets.copy()
        moved[0] = given[0, 0]
        return forward_kinematics(skeleton.parents, expmap_to_quaternion(-given[0, 1:]), moved)[0]

    expected = points(features)[list(skeleton.mirror)] * [-1, 1, 1]
    np.testing.assert_allclose(points(mirror_features(features, network)), expected, atol=1e-12)
    twice = mirror_features(mirror_features(features, network), network)
    np.testing.assert_allclose(twice, features)
    seen = mirror_features(points(features)[None], skeleton, "positions")
    np.testing.assert_allclose(seen[0], expected, atol=1e-12)


def test_a_skeleton_without_path_is_refused() -> None:
    with pytest.raises(DataError, match="no joint 'trajectory'"):
        heading_relative(np.zeros((1, 4, 17, 3)), 1, get_skeleton("h36m17"))
    with pytest.raises(DataError, match="expected"):
        heading_relative(windows(), 9, SKELETON)


@pytest.mark.parametrize(
    "shape", [(0, 0, SKELETON.num_joints, 3), (2, 4, SKELETON.num_joints), (SKELETON.num_joints, 3)]
)
def test_windows_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="last frame 0: expected"):
        heading_relative(np.zeros(shape), 0, SKELETON)
    assert heading_relative(np.zeros((0, 4, SKELETON.num_joints, 3)), 3, SKELETON)[0].shape[0] == 0
