"""Marker sets: joint centres are taken before markers on the skin, and what stands for what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinegraph.formats.joints.rig import marker_skeleton
from kinegraph.skeleton import get_skeleton, map_joints

H36M = get_skeleton("h36m17")
PLUG_IN_GAIT = (
    "LFHD RFHD LBHD RBHD C7 T10 CLAV STRN RBAK LSHO LUPA LELB LFRM LWRA LWRB LFIN LASI LPSI LTHI LKNE LTIB LANK LHEE "
    "LTOE RSHO RUPA RELB RFRM RWRA RWRB RFIN RASI RPSI RTHI RKNE RTIB RANK RHEE RTOE"
)
CENTRES = [f"{side}{point}JC" for side in "RL" for point in "HKASEW"]


def of(names: list[str], joint: str) -> list[str]:
    skeleton = marker_skeleton(Path("m.trc"), names, [])
    weights = map_joints(skeleton, H36M, minimum=0).weights[H36M.index(joint)]
    return [names[j] for j in np.flatnonzero(weights)]


@pytest.mark.parametrize("prefix", ["", "Bob:"])
def test_plug_in_gait(prefix: str) -> None:
    names = [prefix + name for name in PLUG_IN_GAIT.split()]
    expected = {
        "pelvis": "LASI RASI LPSI RPSI",
        "left_hip": "",  # deep in the body: no marker gives it
        "left_knee": "LKNE",
        "right_ankle": "RANK",
        "left_shoulder": "LSHO",
        "thorax": "LSHO RSHO",
        "right_elbow": "RELB",
        "right_wrist": "RWRA RWRB",
        "spine": "T10 STRN",
        "nose": "LFHD RFHD",
        "head": "",
    }
    for joint, markers in expected.items():
        assert sorted(of(names, joint)) == sorted(prefix + marker for marker in markers.split()), joint
    notes: list[str] = []
    marker_skeleton(Path("m.trc"), names, notes)
    (note,) = notes
    assert note.startswith("markers on the skin stand for joints, some cm beside their centres: ")
    assert f"knee from {prefix}LKNE, {prefix}RKNE" in note
    assert f"pelvis from {prefix}LASI+{prefix}RASI+{prefix}LPSI+{prefix}RPSI" in note
    assert "\n" not in note


def test_joint_centres_come_first() -> None:
    notes: list[str] = []
    names = [*PLUG_IN_GAIT.split(), *CENTRES]
    skeleton = marker_skeleton(Path("m.trc"), names, notes)
    for point, letter in zip(("hip", "knee", "ankle", "shoulder", "elbow", "wrist"), "HKASEW", strict=True):
        assert of(names, f"left_{point}") == [f"L{letter}JC"]
        assert of(names, f"right_{point}") == [f"R{letter}JC"]
    assert sorted(of(names, "pelvis")) == ["LHJC", "RHJC"]
    assert dict(skeleton.landmarks["neck"]) == {"C7": 0.5, "CLAV": 0.5}
    assert "knee" not in notes[0]


def test_wrists_of_rajagopals_set() -> None:
    names = [f"{side}{name}" for side in "RL" for name in ("HJC", "FAradius", "FAulna")]
    assert of(names, "left_wrist") == ["LFAradius", "LFAulna"]


def test_centres_alone_have_a_spine_half_way_and_no_note() -> None:
    notes: list[str] = []
    marker_skeleton(Path("m.trc"), CENTRES, notes)
    assert not notes
    assert sorted(of(CENTRES, "spine")) == ["LHJC", "LSJC", "RHJC", "RSJC"]
