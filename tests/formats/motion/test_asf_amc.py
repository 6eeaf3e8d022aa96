"""ASF/AMC against an independent forward kinematics, and what is said of damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.errors import FormatError, KinegraphError
from kinegraph.formats.motion import asf_amc

ASF = """# a comment
:version 1.10
:name TEST
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   anything at all
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 1 2 3
   orientation 10 20 30
:bonedata
  begin
     id 1
     name hipbone
     direction 2 0 0
     length 3
     axis 0 0 0 XYZ
  end
  begin
     id 2
     name thigh
     direction 0 -1 0
     length 7
     axis 15 -25 20 XYZ
     dof rx ry rz
     limits (-160.0 20.0)
            (-70.0 70.0)
            (-60.0 70.0)
  end
  begin
     id 3
     name shin
     direction 0 -0.6 0.8
     length 6
     axis 5 10 40 ZXY
     dof rz rx
  end
:hierarchy
  begin
    root hipbone
    hipbone thigh
    thigh shin
  end
"""
AMC = """#!OML:ASF somewhere
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 10 20 30
thigh 40 50 60
shin 70 80
2
root -1 0 4 -100 5 200
thigh -4 -5 -6
shin 170 -8
"""
UNIT = 0.0254 / 0.45


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    (tmp_path / "walk.asf").write_text(ASF)
    path = tmp_path / "walk.amc"
    path.write_text(AMC)
    return path


def fixed(order: str, angles: list[float]) -> Rotation:
    """Rotations about fixed axes, the first letter first; angles given as x, y, z in degrees."""
    return Rotation.from_euler(order.lower(), [angles["xyz".index(axis)] for axis in order.lower()], degrees=True)


def test_positions_are_those_of_the_acclaim_rules(clip: Path) -> None:
    values = (
        ([1, 2, 3], [10, 20, 30], [40, 50, 60], [80, 0, 70]),
        ([-1, 0, 4], [-100, 5, 200], [-4, -5, -6], [-8, 0, 170]),
    )
    sequence = asf_amc.read(clip)
    assert sequence.skeleton.joints == ("root", "hipbone", "thigh", "shin")
    assert sequence.skeleton.parents == (-1, 0, 1, 2)
    for frame, (move, root_turn, thigh_turn, shin_turn) in enumerate(values):
        frame_of = {"root": fixed("XYZ", [10, 20, 30]), "thigh": fixed("XYZ", [15, -25, 20])}
        frame_of["shin"] = fixed("ZXY", [5, 10, 40])
        root = frame_of["root"] * fixed("XYZ", root_turn) * frame_of["root"].inv()
        thigh = root * frame_of["thigh"] * fixed("XYZ", thigh_turn) * frame_of["thigh"].inv()
        shin = thigh * frame_of["shin"] * fixed("ZXY", shin_turn) * frame_of["shin"].inv()
        at = np.array([1.0, 2, 3]) + move
        hip_end = at + root.apply([3.0, 0, 0])
        knee = hip_end + thigh.apply([0, -7.0, 0])
        ankle = knee + shin.apply(np.array([0, -0.6, 0.8]) * 6)
        np.testing.assert_allclose(
            sequence.positions[0, frame], np.stack((at, hip_end, knee, ankle)) * UNIT, atol=1e-12
        )


def test_what_the_sequence_says_of_itself(clip: Path) -> None:
    sequence = asf_amc.read(clip)
    assert (sequence.fps, sequence.unit, sequence.space, sequence.up) == (120, "m", "world", "y")
    assert any("120 Hz assumed" in note and "--read fps=N" in note for note in sequence.notes)
    assert any("walk.asf" in note for note in sequence.notes)
    assert asf_amc.read(clip, fps=60).fps == 60
    rest = asf_amc.read(clip.with_suffix(".asf"))
    assert rest.frames == 1
    np.testing.assert_allclose(rest.positions[0, 0, 0], np.array([1, 2, 3]) * UNIT)


def test_units_orders_and_radians_are_obeyed(clip: Path) -> None:
    degrees = asf_amc.read(clip).positions
    asf = clip.with_suffix(".asf")
    asf.write_text(ASF.replace("length 0.45", "length 1.0").replace("TX TY TZ RX RY RZ", "RZ RY RX TX TZ TY"))
    clip.write_text(
        AMC.replace("root 1 2 3 10 20 30", "root 30 20 10 1 3 2").replace(
            "root -1 0 4 -100 5 200", "root 200 5 -100 -1 4 0"
        )
    )
    np.testing.assert_allclose(asf_amc.read(clip).positions, degrees * 0.45, atol=1e-12)
    asf.write_text(ASF)
    body = asf_amc.read_asf(asf)
    assert body.metres == pytest.approx(UNIT)
    lines = []
    for line in AMC.splitlines():
        words = line.split()
        if words[0] in ("root", "thigh", "shin"):
            keep = 4 if words[0] == "root" else 1
            line = " ".join([*words[:keep], *(repr(float(np.radians(float(w)))) for w in words[keep:])])
        lines.append(line.replace(":DEGREES", ":RADIANS"))
    clip.write_text("\n".join(lines))
    np.testing.assert_allclose(asf_amc.read(clip).positions, degrees, atol=1e-9)


def test_bones_may_come_in_another_order_in_each_frame(clip: Path) -> None:
    expected = asf_amc.read(clip).positions
    clip.write_text(AMC.replace("thigh -4 -5 -6\nshin 170 -8", "shin 170 -8\nthigh -4 -5 -6"))
    np.testing.assert_array_equal(asf_amc.read(clip).positions, expected)


def test_windows_line_ends_blank_lines_and_foreign_letters(clip: Path) -> None:
    expected = asf_amc.read(clip).positions
    clip.write_bytes(AMC.replace("somewhere", "für").replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n")
    np.testing.assert_array_equal(asf_amc.read(clip).positions, expected)


def test_a_jump_in_the_frame_numbers_is_noted(clip: Path) -> None:
    clip.write_text(AMC.replace("\n2\n", "\n7\n"))
    assert any("jump" in note for note in asf_amc.read(clip).notes)


@pytest.mark.parametrize(
    ("amc", "asf"),
    [
        ("a/01_01.amc", "a/01.asf"),
        ("a/01_01.AMC", "a/01.ASF"),
        ("d/train/9/HDM_bk_kick_006_120.AMC", "d/HDM_bk.asf"),
        ("d/train/9/HDM_bk_kick_006_120.amc", "d/train/HDM_bk.asf"),
        ("a/walk.amc", "a/walk.asf"),
        ("a/walk.amc", "a/anything.asf"),
    ],
)
def test_the_skeleton_is_found_by_convention(tmp_path: Path, amc: str, asf: str) -> None:
    for name, text in ((amc, AMC), (asf, ASF)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert asf_amc.find_asf(tmp_path / amc) == tmp_path / asf
    assert asf_amc.read(tmp_path / amc).frames == 2


def test_the_longest_matching_name_wins_and_strangers_do_not(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("HDM.asf", "HDM_bd.asf", "HDM_bk.asf"):
        (tmp_path / name).write_text(ASF)
    assert asf_amc.find_asf(folder / "HDM_bk_kick_1.amc").name == "HDM_bk.asf"
    assert asf_amc.find_asf(folder / "HDM_mm_kick_1.amc").name == "HDM.asf"
    with pytest.raises(FormatError, match=r"needs its ASF.*looked for 02_01\.asf, 02\.asf.*asf="):
        asf_amc.find_asf(folder / "02_01.amc")


def test_a_skeleton_is_not_named_for_a_skeleton(clip: Path) -> None:
    skeleton = asf_amc.find_asf(clip)
    assert asf_amc.read(skeleton).frames == 1
    with pytest.raises(FormatError, match="leave asf out"):
        asf_amc.read(skeleton, asf=skeleton)


def test_a_skeleton_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "body.asf").write_text(ASF)
    (tmp_path / "clip.amc").write_text(AMC)
    assert asf_amc.read(tmp_path / "clip.amc", asf=tmp_path / "deep" / "body.asf").frames == 2
    with pytest.raises(FormatError, match="cannot be opened as an ASF skeleton"):
        asf_amc.read(tmp_path / "clip.amc", asf=tmp_path / "none.asf")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("shin 170 -8\n", "", "line 10.*frame 2 ends here with 2 of 3 bones.*'shin'.*cut short"),
        ("shin 170 -8", "shin 170", "line 11: bone 'shin' needs 2 values, found 1"),
        ("thigh 40 50 60", "thigh 40 50 60 70", "line 6: bone 'thigh' needs 3 values, found 4"),
        ("thigh 40 50 60", "thigh 40 nan 60", "line 6: bone 'thigh' needs 3 finite numbers, found '40 nan 60'"),
        ("thigh 40 50 60", "thigh 40 inf 60", "line 6.*finite"),
        ("thigh 40 50 60", "thigh 40 x 60", "line 6.*finite numbers, found '40 x 60'"),
        ("thigh 40 50 60", "arm 40 50 60", "line 6: 'arm' is not a moving bone of walk.asf; is it the right ASF"),
        ("thigh 40 50 60", "shin 40 50", "appears twice|needs"),
        ("1\nroot", "root", "line 4: expected a frame number, found 'root'"),
    ],
)
def test_a_damaged_clip_is_named_with_its_line(clip: Path, old: str, new: str, message: str) -> None:
    clip.write_text(AMC.replace(old, new, 1))
    with pytest.raises(FormatError, match=message) as caught:
        asf_amc.read(clip)
    assert str(clip) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "  \n \n", ":FULLY-SPECIFIED\n:DEGREES\n", "\0\1\2"])
def test_an_empty_clip_is_refused(clip: Path, text: str) -> None:
    clip.write_text(text)
    with pytest.raises(FormatError, match="empty|no frames|binary"):
        asf_amc.read(clip)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (":bonedata", ":bones", "no :bonedata section"),
        (":root\n", ":stem\n", "no :root section"),
        ("length 7", "length seven", r"line \d+: the length of 'thigh' needs 1 finite numbers, found 'seven'"),
        ("length 7", "length -7", "'thigh' needs a length >= 0"),
        ("direction 0 -1 0", "direction 0 -1", "the direction of 'thigh' needs 3 finite numbers"),
        ("direction 0 -1 0", "direction 0 0 0", "'thigh' needs a length >= 0 along a direction"),
        ("name thigh", "name hipbone", "'hipbone' appears twice"),
        ("dof rx ry rz", "dof rx ry l", "degree of freedom 'l' is not supported"),
        ("dof rx ry rz", "dof rx ry tz", "'thigh' translates"),
        ("angle deg", "angle grad", "must be deg or rad, found 'grad'"),
        ("length 0.45", "length 0", "must be positive"),
        ("axis XYZ", "axis XYY", "an axis order such as XYZ"),
        ("    thigh shin\n", "", "leaves out 1 bones, the first 'shin'"),
        ("    thigh shin\n", "    thigh shin foot\n", "bone 'foot' of the hierarchy has no :bonedata"),
        ("    thigh shin\n", "    toe shin\n", "parent 'toe'"),
    ],
)
def test_a_damaged_skeleton_is_named(clip: Path, old: str, new: str, message: str) -> None:
    assert old in ASF
    clip.with_suffix(".asf").write_text(ASF.replace(old, new, 1))
    with pytest.raises(FormatError, match=message) as caught:
        asf_amc.read(clip)
    assert "walk.asf" in str(caught.value)


def test_numbers_too_large_for_a_body_are_refused(clip: Path) -> None:
    clip.write_text(AMC.replace("root 1 2 3", "root 1e308 1e308 1e308"))
    clip.with_suffix(".asf").write_text(ASF.replace("length 0.45", "length 1e-300"))
    with pytest.raises(KinegraphError):
        asf_amc.read(clip)


def said_of(path: Path) -> str:
    """The error of a damaged file, or "" if it is read; any other exception fails the test."""
    try:
        asf_amc.read(path)
    except KinegraphError as error:
        return str(error)
    return ""


@given(cut=st.integers(0, len(AMC)), noise=st.binary(max_size=12), which=st.booleans(), at=st.integers(0, 2000))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_other_error_ever_escapes(clip: Path, cut: int, noise: bytes, which: bool, at: int) -> None:
    asf, amc = bytearray(ASF.encode()), bytearray(AMC.encode())
    if which:
        amc = amc[:cut]
        amc[at % (len(amc) + 1) : 0] = noise
    else:
        asf[at % len(asf) : at % len(asf) + len(noise)] = noise
        del asf[at % len(asf) + 5 : at % len(asf) + 5 + cut % 40]
    clip.with_suffix(".asf").write_bytes(asf)
    clip.write_bytes(amc)
    assert "\n" not in said_of(clip)
