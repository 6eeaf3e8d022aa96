"""Parts by name: layouts keep theirs, words are read whole, and what says nothing goes with its parent."""

from __future__ import annotations

import pytest

from kinegraph.skeleton import PARTS, Skeleton, get_skeleton, skeleton_names
from kinegraph.skeleton.parts import default_parts, part_of_name, spread_parts

# Networks with a part scale were trained on these.
OF_LAYOUTS = {
    "head": "nose neck head head_top left_eye left_eye_inner left_eye_outer left_ear left_mouth",
    "torso": "pelvis spine spine_base spine1 spine2 spine3 thorax left_collar",
    "left_upper_arm": "left_shoulder left_elbow",
    "left_forearm": "left_wrist left_wrist_end left_hand left_hand_base left_hand_tip left_thumb left_pinky left_index",
    "left_thigh": "left_hip left_knee",
    "left_crus": "left_ankle left_heel left_foot left_foot_index left_toe left_toe_base left_big_toe left_small_toe",
}


def expected(joint: str) -> str:
    """Part of a joint of a layout, by the table above; the right side's mirrors the left's."""
    side = "right" if joint.startswith("right_") else "left"
    name = joint.replace("right_", "left_")
    return next(part for part, names in OF_LAYOUTS.items() if name in names.split()).replace("left", side)


@pytest.mark.parametrize("name", sorted(set(skeleton_names()) - {"cmu31", "cmu38", "hdm05_31"}))
def test_layouts_without_a_table_of_their_own_have_the_parts_they_always_had(name: str) -> None:
    layout = get_skeleton(name)
    parts = {part: tuple(j for j in layout.joints if expected(j) == part) for part in PARTS}
    if not parts["torso"]:  # COCO and its kin have no joint on the trunk
        parts["torso"] = tuple(joint for joint in layout.joints if joint.endswith(("_shoulder", "_hip")))
    assert dict(layout.parts) == parts
    assert list(layout.parts) == list(PARTS)


@pytest.mark.parametrize(
    ("joint", "part"),
    [
        ("left_forearm", "left_forearm"),  # no ear
        ("left_upper_arm", "left_upper_arm"),
        ("right_lower_arm", "right_forearm"),
        ("LeftForeArm", "left_forearm"),
        ("RightArm", "right_upper_arm"),
        ("left_arm", "left_upper_arm"),
        ("left_thigh", "left_thigh"),
        ("LeftUpLeg", "left_thigh"),
        ("left_upperleg", "left_thigh"),
        ("right_hip_joint", "right_thigh"),
        ("left_shin", "left_crus"),
        ("LeftLeg", "left_crus"),
        ("left_lower_leg", "left_crus"),
        ("left_crus", "left_crus"),
        ("left_toes", "left_crus"),
        ("left_foot_index", "left_crus"),
        ("left_index", "left_forearm"),
        ("finger2_right", "right_forearm"),
        ("left_ear", "head"),
        ("headTop", "head"),
        ("neck_1", "head"),
        ("left_clavicle", "torso"),
        ("hips", "torso"),
        ("mid_shoulder", "torso"),
        ("left_gear", None),
        ("rear", None),
        ("tail", None),
        ("хвост", None),
    ],
)
def test_names_are_read_in_whole_words(joint: str, part: str | None) -> None:
    assert part_of_name(joint) == part


def test_what_a_name_does_not_tell_is_told_by_what_it_hangs_on() -> None:
    joints = ("pelvis", "tail", "left_shoulder", "left_forearm", "left_claw", "head", "horn", "prop")
    parts = default_parts(joints, (-1, 0, 0, 2, 3, 0, 5, -1))
    assert parts == {
        "head": ("head", "horn"),
        "torso": ("pelvis", "tail", "prop"),
        "left_upper_arm": ("left_shoulder",),
        "left_forearm": ("left_forearm", "left_claw"),
    }
    read = Skeleton.from_dict({"joints": {"pelvis": "", "left_thigh": "pelvis", "left_spur": "left_thigh"}})
    assert dict(read.parts) == {"torso": ("pelvis",), "left_thigh": ("left_thigh", "left_spur")}


def test_a_cycle_of_parents_is_endured() -> None:
    assert spread_parts(("a", "b"), (1, 0), {}) == {"torso": ("a", "b")}
