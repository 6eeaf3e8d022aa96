"""Forward kinematics against a slow recursive reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.errors import DataError
from kinegraph.geometry.kinematics import ancestors, forward_kinematics, topological_order


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """Parents of a random tree, joints shuffled so that parents need not come first."""
    count = draw(st.integers(1, 12))
    parents = [-1] + [draw(st.integers(0, j - 1)) for j in range(1, count)]
    order = draw(st.permutations(range(count)))
    place = {old: new for new, old in enumerate(order)}
    shuffled = [-1] * count
    for old, parent in enumerate(parents):
        shuffled[place[old]] = place[parent] if parent >= 0 else -1
    return shuffled


@given(trees(), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_positions_follow_the_chain_of_parents(parents: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames, joints = 3, len(parents)
    local = Rotation.random(frames * joints, rng).as_quat().reshape(frames, joints, 4)
    offsets = rng.normal(size=(frames, joints, 3))

    def pose(frame: int, joint: int) -> tuple[np.ndarray, Rotation]:
        turn = Rotation.from_quat(local[frame, joint])
        if parents[joint] < 0:
            return offsets[frame, joint], turn
        at, above = pose(frame, parents[joint])
        return at + above.apply(offsets[frame, joint]), above * turn

    positions, turned = forward_kinematics(parents, local, offsets)
    for frame in range(frames):
        for joint in range(joints):
            at, turn = pose(frame, joint)
            np.testing.assert_allclose(positions[frame, joint], at, atol=1e-9)
            np.testing.assert_allclose(turned[frame, joint], turn.as_matrix(), atol=1e-9)
    matrices = Rotation.from_quat(local.reshape(-1, 4)).as_matrix().reshape(frames, joints, 3, 3)
    np.testing.assert_allclose(forward_kinematics(parents, matrices, offsets)[0], positions, atol=1e-9)


def test_one_set_of_offsets_serves_all_frames() -> None:
    local = np.tile([0.0, 0, 0, 1], (2, 5, 3, 1))
    positions, _ = forward_kinematics([-1, 0, 1], local, np.array([[0.0, 0, 0], [1, 0, 0], [0, 2, 0]]))
    assert positions.shape == (2, 5, 3, 3)
    np.testing.assert_array_equal(positions[1, 4], [[0, 0, 0], [1, 0, 0], [1, 2, 0]])


def test_three_and_four_joints_are_not_mistaken_for_matrices() -> None:
    for joints in (3, 4):
        local = np.tile([0.0, 0, 0, 1], (3, joints, 1))
        positions, turned = forward_kinematics(list(range(-1, joints - 1)), local, np.ones((joints, 3)))
        np.testing.assert_array_equal(positions[2, -1], [joints] * 3)
        assert turned.shape == (3, joints, 3, 3)


def test_cycles_bad_parents_and_wrong_shapes_are_refused() -> None:
    with pytest.raises(DataError, match="cycle"):
        topological_order([1, 0])
    with pytest.raises(DataError, match="parent 7"):
        topological_order([-1, 7])
    with pytest.raises(DataError, match="rotations must be"):
        forward_kinematics([-1, 0], np.zeros((5, 3, 4)), np.zeros((2, 3)))
    with pytest.raises(DataError, match="translations must be"):
        forward_kinematics([-1, 0], np.zeros((5, 2, 4)), np.zeros((3, 3)))


def test_ancestors() -> None:
    assert ancestors([-1, 0, 1, 1], 3) == [1, 0]
    assert ancestors([-1, 0], 0) == []
    assert ancestors([1, 0], 0) == [1, 0]  # a ring ends too
