"""What is round the names of joints is taken away; what names them stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph.formats.joints.rig_names import PlainNames, side_pairs

BODY = ["hips", "spine", "neck", "head", "l_thigh", "r_thigh", "l_calf", "r_calf", "l_arm", "r_arm"]


@pytest.mark.parametrize(
    ("pattern", "name", "plain"),
    [
        ("{}", "hips", "hips"),
        ("CC_Base_{}", "CC_Base_hips", "hips"),
        ("A.B.C_{}", "A.B.C_hips", "hips"),
        ("{}_JNT", "hips_JNT", "hips"),
        ("{}_JNT", "hips_JNT_end", "hips_end"),
        ("me:mixamorig_{}", "me:mixamorig_hips", "hips"),
        ("Bip01 {}", "Bip01", "bip01"),  # nothing would be left
    ],
)
def test_what_most_joints_begin_or_end_with(pattern: str, name: str, plain: str) -> None:
    assert PlainNames.of([pattern.format(joint) for joint in BODY], ()).plain(name) == plain


def test_prefixes_are_taken_as_often_as_one_stands_there() -> None:
    assert PlainNames.of([], ("valvebiped", "bip01", "m_avg")).plain("ValveBiped.Bip01_Pelvis") == "pelvis"
    assert PlainNames.of([], ("bip01",)).plain("Bip01") == "bip01"


def test_a_side_is_no_prefix_and_few_joints_have_none() -> None:
    left = [f"Left_{finger}{i}" for finger in ("thumb", "index", "ring") for i in range(4)]
    assert PlainNames.of(left, ()).plain("Left_thumb1") == "leftthumb1"
    assert PlainNames.of(["R.ASIS", "L.ASIS", "C.ASIS"], ()).plain(".ASIS") == "asis"


def test_the_middle_may_be_told() -> None:
    names = PlainNames.of([f"J_{joint}" for joint in BODY], ())
    assert names.plain("J_C_Hips", middle=True) == "hips"
    assert names.plain("J_C_Hips") == "chips"
    assert names.plain("C7", middle=True) == "c7"


@given(st.lists(st.text(alphabet="lLrR_.:C aé左1", max_size=12), max_size=24, unique=True))
def test_any_names(names: list[str]) -> None:
    plain = PlainNames.of(names, ("bip01", "m_avg"))
    for name in names:
        assert isinstance(plain.plain(name, middle=True), str)
    paired = [joint for pair in side_pairs(names) for joint in pair]
    assert len(paired) == len(set(paired))
