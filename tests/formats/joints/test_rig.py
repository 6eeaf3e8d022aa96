"""What joint names stand for, whatever tool wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinegraph.formats.joints.rig import build_skeleton, marker_skeleton
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints

H36M = get_skeleton("h36m17")
SMPL = {
    "pelvis": "",
    "spine1": "pelvis",
    "spine2": "spine1",
    "spine3": "spine2",
    "neck": "spine3",
    "head": "neck",
    **{f"{side}_hip": "pelvis" for side in ("left", "right")},
    **{f"{side}_knee": f"{side}_hip" for side in ("left", "right")},
    **{f"{side}_ankle": f"{side}_knee" for side in ("left", "right")},
    **{f"{side}_collar": "spine3" for side in ("left", "right")},
    **{f"{side}_shoulder": f"{side}_collar" for side in ("left", "right")},
    **{f"{side}_elbow": f"{side}_shoulder" for side in ("left", "right")},
    **{f"{side}_wrist": f"{side}_elbow" for side in ("left", "right")},
}


def sources(skeleton, joint: str) -> list[str]:
    weights = map_joints(skeleton, H36M).weights[H36M.index(joint)]
    return [skeleton.joints[j] for j in np.flatnonzero(weights)]


@pytest.mark.parametrize("spelled", [str, str.capitalize, str.upper])
def test_smpl_in_any_case(spelled) -> None:
    """Its head begins on the neck, where Human3.6M's nose is nearest; nothing of it is the top of the head."""
    names = list(SMPL)
    parents = [names.index(parent) if parent else -1 for parent in SMPL.values()]
    skeleton = build_skeleton(Path("smpl.bvh"), [spelled(name) for name in names], parents)
    assert sources(skeleton, "nose") == [spelled("head")]
    assert sources(skeleton, "head") == []
    assert sources(skeleton, "spine") == [spelled("spine1")]
    assert sources(skeleton, "thorax") == [spelled("left_shoulder"), spelled("right_shoulder")]
    assert sources(skeleton, "left_ankle") == [spelled("left_ankle")]
    assert skeleton.from_dict(skeleton.to_dict()) == skeleton


def test_our_own_names_stay_what_they_are() -> None:
    skeleton = build_skeleton(Path("a.bvh"), H36M.joints, H36M.parents)
    assert all(sources(skeleton, joint) == [joint] for joint in H36M.joints)


# The joints of tools as they name them: sided ones by one of the left, "{}" where its side stands; then those of the
# middle: root, spine half way, neck, head, and the bone's end that is the crown.
SIDED = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
TOOLS = {
    "deepmotion": (
        "{}_upleg_JNT {}_leg_JNT {}_foot_JNT {}_arm_JNT {}_forearm_JNT {}_hand_JNT {}_shoulder_JNT {}_toebase_JNT",
        ("l", "r"),
        "hips_JNT spine1_JNT neck_JNT head_JNT head_JNT_end spine_JNT spine2_JNT",
    ),
    "genea": (
        "b_{}_upleg b_{}_leg b_{}_foot b_{}_arm b_{}_forearm b_{}_wrist b_{}_shoulder b_{}_toe",
        ("l", "r"),
        "b_root b_spine1 b_neck0 b_head b_head_end b_spine0 b_spine2 b_spine3 body_world",
    ),
    "iclone": (
        "CC_Base_{}_Thigh CC_Base_{}_Calf CC_Base_{}_Foot CC_Base_{}_Upperarm CC_Base_{}_Forearm CC_Base_{}_Hand "
        "CC_Base_{}_Clavicle CC_Base_{}_ToeBase",
        ("L", "R"),
        "CC_Base_Hip CC_Base_Spine01 CC_Base_NeckTwist01 CC_Base_Head CC_Base_Head_end CC_Base_Waist CC_Base_Spine02 "
        "RL_BoneRoot",
    ),
    "vroid": (
        "J_Bip_{}_UpperLeg J_Bip_{}_LowerLeg J_Bip_{}_Foot J_Bip_{}_UpperArm J_Bip_{}_LowerArm J_Bip_{}_Hand "
        "J_Bip_{}_Shoulder J_Bip_{}_ToeBase",
        ("L", "R"),
        "J_Bip_C_Hips J_Bip_C_Spine J_Bip_C_Neck J_Bip_C_Head J_Bip_C_Head_end J_Bip_C_UpperChest",
    ),
    "valve": (
        "ValveBiped.Bip01_{}_Thigh ValveBiped.Bip01_{}_Calf ValveBiped.Bip01_{}_Foot ValveBiped.Bip01_{}_UpperArm "
        "ValveBiped.Bip01_{}_Forearm ValveBiped.Bip01_{}_Hand ValveBiped.Bip01_{}_Clavicle ValveBiped.Bip01_{}_Toe0",
        ("L", "R"),
        "ValveBiped.Bip01_Pelvis ValveBiped.Bip01_Spine1 ValveBiped.Bip01_Neck1 ValveBiped.Bip01_Head1 "
        "ValveBiped.Bip01_Head1_end ValveBiped.Bip01_Spine ValveBiped.Bip01_Spine2",
    ),
    "motive": (
        "Skeleton1_{}Thigh Skeleton1_{}Shin Skeleton1_{}Foot Skeleton1_{}UArm Skeleton1_{}FArm Skeleton1_{}Hand "
        "Skeleton1_{}Shoulder Skeleton1_{}Toe",
        ("L", "R"),
        "Skeleton1_Hip Skeleton1_Chest Skeleton1_Neck Skeleton1_Head Skeleton1_Head_end Skeleton1_Ab",
    ),
    "perception neuron": (
        "Robot_{}UpLeg Robot_{}Leg Robot_{}Foot Robot_{}Arm Robot_{}ForeArm Robot_{}Hand Robot_{}Shoulder",
        ("Left", "Right"),
        "Robot_Hips Robot_Spine1 Robot_Neck Robot_Head Robot_Head_end Robot_Spine Robot_Spine2",
    ),
    "beat": ("{}UpLeg {}Leg {}Foot {}Arm {}Arm1 {}Hand {}Shoulder", ("L", "R"), "Hips Spine1 Neck Head Head_end Spine"),
    "motive, no prefix": (
        "{}Thigh {}Shin {}Foot {}UArm {}FArm {}Hand {}Shoulder",
        ("L", "R"),
        "Hip Chest Neck Head Head_end Ab",
    ),
    "genesis": (
        "{}ThighBend {}Shin {}Foot {}ShldrBend {}ForearmBend {}Hand {}Collar {}Toe",
        ("l", "r"),
        "hip abdomenUpper neckLower head head_end abdomenLower chestLower",
    ),
    "rigify": (
        "thigh.{} shin.{} foot.{} upper_arm.{} forearm.{} hand.{} shoulder.{} toe.{}",
        ("L", "R"),
        "spine spine.002 spine.004 spine.006 spine.006_end spine.001 spine.003 spine.005",
    ),
    "rigify, deforming": (
        "DEF-thigh.{} DEF-shin.{} DEF-foot.{} DEF-upper_arm.{} DEF-forearm.{} DEF-hand.{} DEF-shoulder.{}",
        ("L", "R"),
        "DEF-spine DEF-spine.002 DEF-spine.004 DEF-spine.006 DEF-spine.006_end DEF-spine.001 DEF-spine.003",
    ),
    "mikumikudance": (
        "{}足 {}ひざ {}足首 {}腕 {}ひじ {}手首 {}肩 {}つま先",
        ("左", "右"),
        "センター 上半身2 首 頭 頭_end 上半身",
    ),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_the_names_of_tools(tool: str) -> None:
    """Each joint is found by name, and left stays left."""
    sided, sides, middle = TOOLS[tool]
    names = [*middle.split(), *(name.format(side) for side in sides for name in sided.split())]
    skeleton = build_skeleton(Path("a.bvh"), names, [-1] + [0] * (len(names) - 1))
    spine, neck, head, crown = middle.split()[1:5]
    for side, spelled in zip(("left", "right"), sides, strict=True):
        for point, name in zip(SIDED, sided.split(), strict=False):
            assert dict(skeleton.landmarks[f"{side}_{point}"]) == {name.format(spelled): 1.0}
    assert sources(skeleton, "spine") == [spine]
    assert dict(skeleton.landmarks["neck"]) == {neck: 1.0}
    assert sources(skeleton, "nose") == [head]
    assert sources(skeleton, "head") == [crown]
    assert "missing" not in map_joints(skeleton, H36M).status
    assert (sided.split()[0].format(sides[0]), sided.split()[0].format(sides[1])) in skeleton.pairs


def test_markers_of_a_nose_and_of_the_heads_top() -> None:
    """Pose2Sim and Sports2D write HALPE's points: their head is the crown. A rig's joint of that name is not."""
    sided = [f"{side}{name}" for name in ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist") for side in "LR"]
    markers = marker_skeleton(Path("m.trc"), ["Hip", *sided, "Neck", "Head", "Nose"], [])
    assert sources(markers, "nose") == ["Nose"]
    assert sources(markers, "head") == ["Head"]
    noseless = marker_skeleton(Path("m.trc"), ["Hip", *sided, "Neck", "Head"], [])
    assert sources(noseless, "nose") == ["Head"]
    assert sources(noseless, "head") == []


def _trunk(spine: list[str], spelled: str) -> Skeleton:
    """A rig as Mixamo names it, with these joints from the hips to the neck."""
    tree = dict(zip([*spine, "Neck", "Head", "HeadTop_End"], ["Hips", *spine, "Neck", "Head"], strict=True))
    for side in ("Left", "Right"):
        leg, arm = (f"{side}{part}" for part in ("UpLeg", "Arm"))
        tree |= {leg: "Hips", f"{side}Leg": leg, f"{side}Foot": f"{side}Leg"}
        tree |= {arm: spine[-1], f"{side}ForeArm": arm, f"{side}Hand": f"{side}ForeArm"}
    names = ["Hips", *tree]
    parents = [-1, *(names.index(parent) for parent in tree.values())]
    return build_skeleton(Path("a.bvh"), [spelled.format(name) for name in names], parents)


@pytest.mark.parametrize("spelled", ["{}", "mixamorig:{}"])
def test_three_joints_of_the_spine_are_smpls(spelled: str) -> None:
    rig, smpl = _trunk(["Spine", "Spine1", "Spine2"], spelled), get_skeleton("smpl24")
    there, back = map_joints(rig, smpl), map_joints(smpl, rig)
    for joint, name in (("spine1", "Spine"), ("spine2", "Spine1"), ("spine3", "Spine2")):
        own = spelled.format(name)
        assert there.weights[smpl.index(joint)].tolist() == [float(j == own) for j in rig.joints]
        assert back.weights[rig.index(own)].tolist() == [float(j == joint) for j in smpl.joints]
    assert sources(rig, "spine") == [spelled.format("Spine1")]
    assert map_joints(H36M, rig).status[rig.index(spelled.format("Spine1"))] == "exact"


@pytest.mark.parametrize(
    "spine", [["Spine", "Spine1"], ["Spine", "Spine1", "Spine2", "Spine3"], ["LowerBack", "Spine", "Spine1"]]
)
def test_other_spines_are_not(spine: list[str]) -> None:
    """Four joints are none of three, nor are three of which another than the middle one is the spine."""
    landmarks = _trunk(spine, "{}").landmarks
    assert {"spine1", "spine2", "spine3"}.isdisjoint(landmarks)
    assert dict(landmarks["spine"]) == {"Spine1": 1.0}
