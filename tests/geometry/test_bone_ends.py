"""Which bones tell how a joint turns, against rigs drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.geometry.bone_ends import bone_ends, facing, has_length, leaves_a_turn

# root, hip on the root, a joint on that hip, knee, ankle, spine
PARENTS = [-1, 0, 1, 2, 3, 0]
LENGTHS = np.array([0.0, 0.0, 1e-12, 0.4, 0.4, 0.5])


def test_joints_on_top_of_each_other_are_looked_through_at_every_level() -> None:
    assert has_length(LENGTHS).tolist() == [False, False, False, True, True, True]
    # the thigh starts at the root, and at each of the two joints that lie there
    assert bone_ends(PARENTS, LENGTHS) == [[3, 5], [3], [3], [4], [], []]


def test_where_every_bone_is_long_the_ends_are_the_children() -> None:
    found = bone_ends(PARENTS, np.array([0.0, 0.1, 0.1, 0.4, 0.4, 0.5]))
    assert found == [[1, 5], [2], [3], [4], [], []]


def test_a_bone_far_shorter_than_the_longest_points_nowhere() -> None:
    assert has_length(np.array([0.0, 0.009, 0.011, 0.5])).tolist() == [False, False, True, True]
    assert not has_length(np.zeros(3)).any()
    assert not has_length(np.zeros(0)).any()


@pytest.mark.parametrize(
    ("directions", "open_turn"),
    [
        ([[0, 1, 0]], True),
        ([[0, 1, 0], [0, -1, 0]], True),
        ([[0, 1, 0], [0.1, -1, 0]], True),  # nearly in line: a few degrees of error would turn the body
        ([[0, 1, 0], [1, -1, 0]], False),
        ([[0, 1, 0], [1, 0, 0], [np.nan] * 3], False),
        ([[0, 1, 0], [np.nan] * 3], True),
        (np.zeros((0, 3)), True),
    ],
)
def test_bones_in_one_line_leave_a_turn_open(directions: list[list[float]], open_turn: bool) -> None:
    assert leaves_a_turn(np.asarray(directions, dtype=np.float64)) is open_turn


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, -120])
def test_facing_is_the_turn_of_the_body(degrees: float) -> None:
    rest = np.array([[0, 1, 0], [0.2, 0.9, 0], [-0.2, 0.9, 0], [0.0, 1.5, 0.1]])
    parents = [-1, 0, 0, 0]
    bones = np.array([rest[0], *(rest[1:] - rest[0])])
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    x, y, z, w = facing((rest @ turn.T + [3.0, 0, -1.0])[None], parents, bones, 0)[0]
    assert (x, z) == (0, 0)
    np.testing.assert_allclose([abs(w), y * np.sign(w)], [np.cos(angle / 2), np.sin(angle / 2)], atol=1e-12)


def test_a_body_without_sides_faces_nowhere() -> None:
    straight = np.array([[0.0, 0, 0], [0, 1, 0], [0, 2, 0]])
    found = facing(straight[None], [-1, 0, 1], np.array([[0.0, 0, 0], [0, 1, 0], [0, 1, 0]]), 0)
    np.testing.assert_array_equal(found, [[0, 0, 0, 1]])
