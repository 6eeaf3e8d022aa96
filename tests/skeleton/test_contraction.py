"""Skeletons of fewer joints."""

from __future__ import annotations

import pytest

from kinegraph.errors import SkeletonError
from kinegraph.skeleton import TRAJECTORY, Skeleton, contract, get_skeleton
from kinegraph.transforms.rig_match import body_skeleton


def parent(skeleton, joint):
    above = skeleton.parents[skeleton.index(joint)]
    return skeleton.joints[above] if above >= 0 else None


def test_parents_are_the_nearest_kept_ancestors_in_the_old_order():
    rig = get_skeleton("cmu38")
    small = contract(rig, ["right_hand_tip", "thorax", "left_knee", "right_shoulder"])
    assert small.joints == ("pelvis", "left_knee", "thorax", "right_shoulder", "right_hand_tip")
    assert small.name == "cmu38_5"
    assert [parent(small, joint) for joint in small.joints] == [None, "pelvis", "pelvis", "thorax", "right_shoulder"]
    assert small.pairs == ()
    assert small.parts["torso"] == ("pelvis", "thorax")
    assert "head" not in small.parts


def test_everything_kept_is_the_skeleton_again():
    rig = get_skeleton("cmu38")
    same = contract(rig, rig.joints, name="cmu38")
    assert (same.joints, same.parents, same.pairs, dict(same.parts)) == (
        rig.joints,
        rig.parents,
        rig.pairs,
        dict(rig.parts),
    )
    assert set(same.landmarks) == set(rig.landmarks)


def test_pairs_and_landmarks_go_with_their_joints():
    rig = get_skeleton("ntu25")
    small = contract(rig, ["left_foot", "right_foot", "left_hand", "head"])
    assert small.pairs == (("left_foot", "right_foot"),)
    assert set(small.landmarks) == {"left_toe", "right_toe"}  # the nose needs the neck


def test_a_joint_that_is_another_point_than_its_name_stays_so():
    rig = get_skeleton("cmu38")
    small = contract(rig, [j for j in rig.joints if j not in ("head_top", "left_finger_base")])
    assert small.landmark("head") is None  # the joint is the skull's base
    assert small.landmark("left_wrist") is None  # amid the forearm in skeleton files
    assert small.landmark("right_wrist")[small.index("right_finger_base")] == 1
    assert small.landmark("nose")[small.index("head")] == 1
    assert set(small.landmarks) == set(rig.landmarks) - {"head_top"}  # no joint of that name


def test_trajectory_stands_first_and_bears_the_root():
    chain = Skeleton(name="chain", joints=("b", "a", "c"), parents=(1, -1, 0), parts={"torso": ("a",), "head": ("c",)})
    small = contract(chain, ["c"], trajectory=True, name="x")
    assert small.joints == (TRAJECTORY, "a", "c")
    assert small.parents == (-1, 0, 1)
    assert small.parts["torso"] == (TRAJECTORY, "a")
    assert small.name == "x"
    full = contract(chain, ["b", "c"], trajectory=True)
    assert full.joints == (TRAJECTORY, "b", "a", "c")
    assert [parent(full, joint) for joint in full.joints] == [None, "a", TRAJECTORY, "b"]


@pytest.mark.parametrize("name", ["h36m17", "coco17", "mediapipe33"])
def test_everything_kept_keeps_the_links_of_the_graph(name):
    layout = get_skeleton(name)
    assert contract(layout, layout.joints).links == layout.links
    assert contract(layout, layout.joints).hop_counts() == layout.hop_counts()
    moving = contract(layout, layout.joints, trajectory=True)
    assert moving.links == layout.links
    body = body_skeleton(moving)
    assert (body.joints, body.parents, body.links) == (layout.joints, layout.parents, layout.links)


def test_the_end_of_a_link_that_is_not_kept_moves_up_as_bones_do():
    layout = get_skeleton("h36m17")  # its spine is linked to hips and shoulders
    small = contract(layout, [joint for joint in layout.joints if joint != "spine"])
    # the hips hang on the pelvis already
    assert small.links == (("pelvis", "left_shoulder"), ("pelvis", "right_shoulder"))
    assert contract(layout, ["spine", "left_knee", "thorax"]).links == ()
    chain = Skeleton(name="c", joints=tuple("abcd"), parents=(-1, 0, 1, 2), links=(("a", "d"), ("b", "d"), ("c", "a")))
    assert contract(chain, ["c", "d"]).links == (("a", "d"),)  # once, and no bone


def test_unknown_joint():
    with pytest.raises(SkeletonError, match="did you mean 'left_knee'"):
        contract(get_skeleton("cmu38"), ["left_nee"])
