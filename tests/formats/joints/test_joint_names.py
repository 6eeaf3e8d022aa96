"""Joint names as programs spell them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph.errors import FormatError
from kinegraph.formats.joints.joint_names import joints_by_name, plain_name, table_layout
from kinegraph.formats.joints.keypoint_layouts import layout_by_names
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names

PATH = Path("a.csv")
KINECT = [
    "SpineBase",
    "SpineMid",
    "Neck",
    "Head",
    "ShoulderLeft",
    "ElbowLeft",
    "WristLeft",
    "HandLeft",
    "ShoulderRight",
    "ElbowRight",
    "WristRight",
    "HandRight",
    "HipLeft",
    "KneeLeft",
    "AnkleLeft",
    "FootLeft",
    "HipRight",
    "KneeRight",
    "AnkleRight",
    "FootRight",
    "SpineShoulder",
    "HandTipLeft",
    "ThumbLeft",
    "HandTipRight",
    "ThumbRight",
]
OPENPOSE = [
    "Nose",
    "Neck",
    "RShoulder",
    "RElbow",
    "RWrist",
    "LShoulder",
    "LElbow",
    "LWrist",
    "MidHip",
    "RHip",
    "RKnee",
    "RAnkle",
    "LHip",
    "LKnee",
    "LAnkle",
    "REye",
    "LEye",
    "REar",
    "LEar",
    "LBigToe",
    "LSmallToe",
    "LHeel",
    "RBigToe",
    "RSmallToe",
    "RHeel",
]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Left Hip", "left_hip"),
        ("left-hip", "left_hip"),
        ("LHip", "left_hip"),
        ("LEFT_HIP", "left_hip"),
        ("HipLeft", "left_hip"),
        ("hip_l", "left_hip"),
        ("hip.R", "right_hip"),
        ("mouth_left", "left_mouth"),
        ("left_right", "left_right"),
        ("l", "l"),
        ("C7", "c_7"),
        ("Hüfte", "hüfte"),
        (" ", ""),
        ("首", "首"),
    ],
)
def test_spellings(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@given(st.text(st.characters(codec="latin-1"), max_size=20))
def test_a_plain_name_is_its_own(name: str) -> None:
    assert plain_name(plain_name(name)) == plain_name(name)


@pytest.mark.parametrize("name", skeleton_names())
def test_every_layout_knows_itself_in_any_spelling(name: str) -> None:
    layout = get_skeleton(name)
    everyone = {joint: i for i, joint in enumerate(layout.joints)}
    assert joints_by_name(layout.joints, layout) == everyone
    assert list(joints_by_name([plain_name(j).upper() for j in layout.joints], layout).values()) == [*everyone.values()]


@pytest.mark.parametrize(("names", "layout", "first"), [(KINECT, "ntu25", "pelvis"), (OPENPOSE, "body25", "nose")])
def test_names_of_programs(names: list[str], layout: str, first: str) -> None:
    found, place, notes = table_layout(names, PATH, "the table")
    assert (found.name, found.joints[place[names[0]]], notes) == (layout, first, ())
    assert place[names[-1]] == get_skeleton(layout).num_joints - 1


def test_a_side_that_is_glued_to_the_name() -> None:
    names = [j.replace("left_", "l").replace("right_", "r") for j in get_skeleton("coco17").joints]
    assert list(table_layout(names, PATH, "the table")[1].values()) == list(range(17))


def test_the_layout_with_more_joints_is_the_one_that_is_there() -> None:
    names = [*get_skeleton("halpe26").joints, "prop"]
    layout, place, notes = table_layout(names, PATH, "the table")
    assert (layout.name, len(place)) == ("halpe26", 26)
    assert notes == ("left out, as no joints of 'halpe26': prop (1 in all)",)


@pytest.mark.parametrize(
    ("names", "skeleton", "match"),
    [
        (["a", "b"], None, "no known layout's; pass --read skeleton=NAME"),
        (["kp0", "kp1"], None, r"numbers are taken in its order \(with 2 joints: none of ours\)"),
        (["kp0", "kp1"], "coco17", r"2 joints that are not those of 'coco17' \(none of it: kp0, kp1\)"),
        ([f"nose{i}" for i in range(5000)], None, "5000 joints .* at most 1024"),
        (["nose", "tail"], "coco17", r"none of it: tail\)"),
        ([str(i) for i in range(0, 34, 2)], "coco17", "none of it: 0, 2, 4"),
    ],
)
def test_what_is_refused(names: list[str], skeleton: str | None, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        table_layout(names, PATH, "the table", skeleton)


def test_own_layouts_with_odd_names() -> None:
    own = Skeleton("own", ("!", "?", "a b", "A_B"), (-1, 0, 0, 0))
    assert table_layout(["?", "!", "A_B", "a b"], PATH, "the table", own)[1] == {"?": 1, "!": 0, "A_B": 3, "a b": 2}


def test_layouts_of_json_say_what_is_missing_in_any_spelling() -> None:
    names = [joint.upper() for joint in get_skeleton("coco17").joints[:-1]]
    with pytest.raises(FormatError, match=r"missing: right_ankle\)"):
        layout_by_names(names, PATH, "meta_info", "coco17")
