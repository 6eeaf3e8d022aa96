"""Bodies hung on the pelvis, wherever their tree begins."""

from __future__ import annotations

import pytest

from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.skeleton.pelvis import hung_on_hips, pelvis_joint, rooted_at

H36M = get_skeleton("h36m17")


def bones(skeleton: Skeleton) -> set[frozenset[str]]:
    return {frozenset((skeleton.joints[a], skeleton.joints[b])) for a, b in skeleton.bones}


@pytest.mark.parametrize("joint", H36M.joints)
def test_another_root_keeps_joints_and_bones_and_the_pelvis(joint: str) -> None:
    hung = rooted_at(H36M, H36M.index(joint))
    assert hung.joints == H36M.joints
    assert hung.joints[hung.root] == joint
    assert bones(hung) == bones(H36M)
    assert pelvis_joint(hung) == H36M.root
    back = rooted_at(hung, H36M.root)
    assert back.parents == H36M.parents


@pytest.mark.parametrize(
    ("layout", "joint"),
    [("cmu38", "pelvis"), ("ntu25", "pelvis"), ("body25", "pelvis"), ("hdm05_31", "root"), ("cmu31", "root")],
)
def test_the_pelvis_is_known_by_name_or_by_where_legs_part(layout: str, joint: str) -> None:
    skeleton = get_skeleton(layout)
    found = pelvis_joint(skeleton)
    assert found is not None
    assert skeleton.joints[found] == joint


def test_legs_that_part_at_the_chest_make_no_pelvis() -> None:
    """As in COCO, whose hips hang on the shoulders."""
    assert pelvis_joint(get_skeleton("coco17")) is None


@pytest.mark.parametrize("layout", ["coco17", "openpose18", "mediapipe33"])
def test_without_a_pelvis_one_is_put_between_the_hips(layout: str) -> None:
    before = get_skeleton(layout)
    assert pelvis_joint(before) is None
    hung, means = hung_on_hips(before)
    assert hung.joints[: before.num_joints] == before.joints
    assert hung.root == before.num_joints
    assert pelvis_joint(hung) == hung.root
    hips = tuple(before.index(f"{side}_hip") for side in ("left", "right"))
    assert means[hung.root] == hips
    assert {hung.parents[hip] for hip in hips} == {hung.root}
    assert hung.parents.count(-1) == 1  # one tree: nobody is left out
    for new in means:
        assert new >= before.num_joints


@pytest.mark.parametrize("parents", [(-1, 0, -1, 2, 0, 2), (-1, 0, 0, 2, -1, 4)])
def test_several_trees_have_no_pelvis_but_by_name(parents: tuple[int, ...]) -> None:
    """Links join them, and no bones lead from one tree to another."""
    joints = ("left_hip", "left_knee", "right_hip", "right_knee", "left_shoulder", "right_shoulder")
    links = (("left_hip", "right_hip"), ("left_hip", "left_shoulder"))
    trees = Skeleton("trees", joints, parents, links=links)
    assert pelvis_joint(trees) is None
    assert hung_on_hips(trees) == (trees, {})
    named = Skeleton("named", (*joints, "pelvis"), (*parents, -1), links=(*links, ("pelvis", "left_hip")))
    assert pelvis_joint(named) == 6
    assert hung_on_hips(named) == (named, {})


def test_without_hips_nothing_is_hung() -> None:
    hand = Skeleton(name="hand", joints=("wrist", "thumb"), parents=(-1, 0))
    assert hung_on_hips(hand) == (hand, {})
    assert pelvis_joint(hand) is None
