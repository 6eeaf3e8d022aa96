"""What joint names stand for, whatever tool wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinegraph.formats.rig import build_skeleton, marker_skeleton
from kinegraph.skeleton import get_skeleton, map_joints

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


def test_markers_of_a_nose_and_of_the_heads_top() -> None:
    """Pose2Sim and Sports2D write HALPE's points: their head is the crown. A rig's joint of that name is not."""
    sided = [f"{side}{name}" for name in ("Hip", "Knee", "Ankle", "Shoulder", "Elbow", "Wrist") for side in "LR"]
    markers = marker_skeleton(Path("m.trc"), ["Hip", *sided, "Neck", "Head", "Nose"])
    assert sources(markers, "nose") == ["Nose"]
    assert sources(markers, "head") == ["Head"]
    noseless = marker_skeleton(Path("m.trc"), ["Hip", *sided, "Neck", "Head"])
    assert sources(noseless, "nose") == ["Head"]
    assert sources(noseless, "head") == []
