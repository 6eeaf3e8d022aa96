"""Arms and legs by the parts and the tree, whatever the joints are called."""

from __future__ import annotations

import pytest

from kinegraph.skeleton import Skeleton, contract, get_skeleton, skeleton_names
from kinegraph.skeleton.limbs import limb_pairs


def names(skeleton: Skeleton) -> dict[str, list[str]]:
    """Left joints of each limb."""
    return {kind: [skeleton.joints[left] for left, _ in pairs] for kind, pairs in limb_pairs(skeleton).items()}


def test_the_limbs_that_the_benchmarks_noise_exchanges() -> None:
    assert names(get_skeleton("h36m17")) == {
        "legs": ["left_hip", "left_knee", "left_ankle"],
        "arms": ["left_shoulder", "left_elbow", "left_wrist"],
    }


@pytest.mark.parametrize("name", skeleton_names())
def test_every_pair_below_the_head_is_of_a_limb(name: str) -> None:
    layout = get_skeleton(name)
    found = limb_pairs(layout)
    head = {layout.index(joint) for joint in layout.parts["head"]}
    everything = {(layout.index(left), layout.index(right)) for left, right in layout.pairs}
    assert sorted(found["legs"] + found["arms"]) == sorted(pair for pair in everything if pair[0] not in head)


def test_fingers_collars_and_bones_names_go_with_their_limb() -> None:
    assert {"left_pinky", "left_index", "left_thumb"} <= set(names(get_skeleton("mediapipe33"))["arms"])
    assert names(get_skeleton("cmu31"))["legs"] == ["lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes"]
    assert names(get_skeleton("h36m32"))["arms"][0] == "left_collar"  # of the torso by its part


def test_what_has_no_part_goes_with_what_it_hangs_on_and_what_bears_a_limb_with_that() -> None:
    sides = ("collar", "shoulder", "x", "claw")
    joints = ("pelvis", *(f"{side}_{name}" for side in ("left", "right") for name in sides), "left_fin", "right_fin")
    rig = Skeleton(
        name="rig",
        joints=joints,
        parents=(-1, 0, 1, 2, 3, 0, 5, 6, 7, 0, 0),
        pairs=tuple((f"left_{name}", f"right_{name}") for name in (*sides, "fin")),
        parts={"left_upper_arm": ("left_shoulder",), "right_upper_arm": ("right_shoulder",)},
    )
    assert names(rig) == {"legs": [], "arms": ["left_collar", "left_shoulder", "left_x", "left_claw"]}
    bare = Skeleton(name="bare", joints=rig.joints, parents=rig.parents, pairs=rig.pairs)  # by the names
    assert names(bare) == names(rig)


def test_a_collar_that_bears_two_limbs_is_of_none() -> None:
    layout = get_skeleton("ntu25")
    limbs = names(contract(layout, [joint for joint in layout.joints if "wrist" not in joint]))
    assert limbs["arms"] == ["left_shoulder", "left_elbow", "left_hand", "left_hand_tip", "left_thumb"]
    both = Skeleton(
        name="both",
        joints=("root", "left_side", "right_side", "left_arm", "left_leg", "right_arm", "right_leg"),
        parents=(-1, 0, 0, 1, 1, 2, 2),
        pairs=(("left_side", "right_side"), ("left_arm", "right_arm"), ("left_leg", "right_leg")),
    )
    assert names(both) == {"legs": ["left_leg"], "arms": ["left_arm"]}
