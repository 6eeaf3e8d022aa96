"""BVH reading: any hierarchy against SciPy and against upc-pymotion; damaged files; foreign names; units."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from bvh_files import as_text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.errors import FormatError, KinegraphError
from kinegraph.formats.motion import bvh
from kinegraph.skeleton import get_skeleton

SMALL = """HIERARCHY
ROOT hip
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT chest
  {
    OFFSET 1 2 3
    CHANNELS 3 Yrotation Zrotation Xrotation
    End Site
    {
      OFFSET 0 4 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 2 3 10 20 30 40 50 60
4 5 6 -70 80 -90 100 -110 120
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "motion.bvh"
    path.write_text(SMALL)
    return path


def test_positions_follow_channels_and_offsets(file: Path) -> None:
    sequence = bvh.read(file, unit="m")
    assert sequence.skeleton.joints == ("hip", "chest", "chest_end")
    values = ([1, 2, 3, 10, 20, 30, 40, 50, 60], [4, 5, 6, -70, 80, -90, 100, -110, 120])
    assert sequence.rotations is not None
    for frame, v in enumerate(values):
        hip = Rotation.from_euler("ZXY", v[3:6], degrees=True)
        chest = Rotation.from_euler("YZX", v[6:9], degrees=True)
        at = np.array(v[:3], dtype=float)
        top = at + hip.apply([1, 2, 3])
        end = top + (hip * chest).apply([0, 4, 0])
        np.testing.assert_allclose(sequence.positions[0, frame], [at, top, end], atol=1e-12)
        for joint, turn in enumerate((hip, chest)):
            got = Rotation.from_quat(sequence.rotations[0, frame, joint])
            assert (got.inv() * turn).magnitude() < 1e-9
    np.testing.assert_allclose(sequence.offsets, [[0, 0, 0], [1, 2, 3], [0, 4, 0]])
    assert (sequence.fps, sequence.space, sequence.up) == (30, "world", "y")


def test_position_channels_on_joints_replace_their_offset(file: Path) -> None:
    text = SMALL.replace("CHANNELS 3 Yrotation", "CHANNELS 4 Yposition Yrotation")
    text = text.replace("30 40", "30 7 40").replace("-90 100", "-90 8 100")
    file.write_text(text)
    sequence = bvh.read(file, unit="m")
    hip = Rotation.from_euler("ZXY", [-70, 80, -90], degrees=True)
    np.testing.assert_allclose(sequence.positions[0, 1, 1], np.array([4, 5, 6]) + hip.apply([1, 8, 3]), atol=1e-12)
    assert sequence.rotations is None  # the joint slides: rotations and one offset cannot say it
    assert any("rotations are not kept" in note for note in sequence.notes)
    file.write_text(text.replace("-90 8 100", "-90 7 100"))
    steady = bvh.read(file, unit="m")
    assert steady.offsets is not None
    np.testing.assert_allclose(steady.offsets[1], [1, 7, 3])


def test_end_sites_may_be_left_out_and_empty_ones_always_are(file: Path) -> None:
    full = bvh.read(file, unit="m")
    bare = bvh.read(file, unit="m", ends=False)
    assert bare.skeleton.joints == ("hip", "chest")
    np.testing.assert_array_equal(bare.positions, full.positions[:, :, :2])
    file.write_text(SMALL.replace("OFFSET 0 4 0", "OFFSET 0 0 0"))
    assert bvh.read(file, unit="m").skeleton.joints == ("hip", "chest")


@pytest.mark.parametrize(
    ("scale", "metres", "word"), [(0.1, 1, "m"), (10, 0.01, "cm"), (100, 0.001, "mm"), (4, 0.0254, "inch")]
)
def test_the_unit_is_guessed_from_the_size_of_the_body(file: Path, scale: float, metres: float, word: str) -> None:
    # chest and end: 17 units end to end, times the scale
    text = SMALL.replace("OFFSET 1 2 3", f"OFFSET 0 {10 * scale} 0").replace("OFFSET 0 4 0", f"OFFSET 0 {7 * scale} 0")
    file.write_text(text)
    sequence = bvh.read(file)
    assert sequence.offsets is not None
    assert sequence.offsets[1, 1] == pytest.approx(10 * scale * metres)
    assert any(f"unit {word} guessed" in note for note in sequence.notes)


def test_an_unguessable_unit_is_said_and_a_given_one_is_obeyed(file: Path) -> None:
    file.write_text(SMALL.replace("OFFSET 0 4 0", "OFFSET 0 4000000 0"))
    sequence = bvh.read(file)
    assert any("give unit=" in note for note in sequence.notes)
    assert bvh.read(file, unit=0.5).offsets[1, 2] == pytest.approx(1.5)  # type: ignore[index]
    assert bvh.read(file, unit="mm").offsets[1, 2] == pytest.approx(0.003)  # type: ignore[index]
    with pytest.raises(FormatError, match="unit 'yard' is unknown"):
        bvh.read(file, unit="yard")
    with pytest.raises(FormatError, match="positive number of metres"):
        bvh.read(file, unit=-1.0)
    assert bvh.read(file, up="z").up == "z"


def test_layout_of_the_text_does_not_matter(file: Path) -> None:
    expected = bvh.read(file).positions
    head, _, motion = SMALL.partition("MOTION")
    inline = " ".join(head.split()).replace("HIERARCHY ", "HIERARCHY\n").replace("OFFSET", "\nOFFSET")
    inline = inline.replace("CHANNELS", "\nCHANNELS").replace("JOINT", "\nJOINT").replace("End", "\nEnd")
    file.write_text(f"{inline}\nMOTION{motion}".replace("Frames: 2", "Frames:\t2").replace("\n", "\r\n"))
    np.testing.assert_array_equal(bvh.read(file).positions, expected)
    file.write_text(head.lower().replace("hierarchy", "Hierarchy") + "MOTION" + motion.replace("40 50", "40\n50"))
    np.testing.assert_array_equal(bvh.read(file).positions, expected)  # a frame wrapped over two lines


def test_a_missing_colon_and_what_ends_a_text_in_dos_are_harmless(file: Path) -> None:
    expected = bvh.read(file).positions
    file.write_text(SMALL.replace("Frames: 2", "Frames 2").replace("Frame Time:", "Frame Time") + "\x1a")
    np.testing.assert_array_equal(bvh.read(file).positions, expected)
    assert bvh.read(file).fps == 30


def test_a_rounded_frame_time_is_said_and_a_stated_rate_is_obeyed(file: Path) -> None:
    assert not any("frame time" in note for note in bvh.read(file).notes)
    file.write_text(SMALL.replace("0.0333333", "0.0333"))
    assert bvh.read(file).fps == 30
    assert any("a frame time of 0.0333 s taken for 30 frames a second" in note for note in bvh.read(file).notes)
    file.write_text(SMALL.replace("0.0333333", "33.333"))
    assert bvh.read(file, fps=29.97).fps == 29.97
    with pytest.raises(FormatError, match="fps=0 is no frame rate"):
        bvh.read(file, fps=0)


def test_names_with_spaces_and_names_given_twice(file: Path) -> None:
    file.write_text(SMALL.replace("JOINT chest", "JOINT Bip01 L Thigh"))
    assert bvh.read(file).skeleton.joints[1] == "Bip01 L Thigh"
    file.write_text(SMALL.replace("JOINT chest", "JOINT hip"))
    sequence = bvh.read(file)
    assert sequence.skeleton.joints[:2] == ("hip", "hip_2")
    assert any("was named 'hip_2'" in note for note in sequence.notes)


# ------------------------------------------------------------------------------------------------------ any hierarchy


@st.composite
def hierarchies(draw: st.DrawFn) -> tuple[list[int], list[list[str]], int]:
    """Parents (depth first), channel names per joint, and a seed for the numbers."""
    count = draw(st.integers(1, 8))
    parents = [-1]
    path = [0]
    for joint in range(1, count):
        up = draw(st.integers(0, len(path) - 1))
        path = path[: len(path) - up]
        parents.append(path[-1])
        path.append(joint)
    channels = []
    for joint in range(count):
        turns = [f"{axis}rotation" for axis in draw(st.permutations("XYZ"))[: draw(st.integers(0, 3))]]
        moves = [f"{axis}position" for axis in draw(st.permutations("XYZ"))]
        if joint == 0:
            turns = turns or ["Xrotation"]
        channels.append([*(moves if draw(st.booleans()) or joint == 0 else []), *turns])
    return parents, channels, draw(st.integers(0, 2**31))


@given(hierarchies())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_hierarchy_and_any_channels(file: Path, case: tuple[list[int], list[list[str]], int]) -> None:
    parents, channels, seed = case
    rng = np.random.default_rng(seed)
    offsets = rng.normal(size=(len(parents), 3))
    values = rng.uniform(-180, 180, (3, sum(map(len, channels))))
    file.write_text(as_text(parents, channels, offsets, values))
    sequence = bvh.read(file, unit="m", ends=False)
    starts = np.cumsum([0, *map(len, channels)])
    told = [re.search(r"the rotation of 'j(\d)'", note) for note in sequence.notes]
    given_up = set(range(max((int(found[1]) for found in told if found), default=0)))  # an only child's number is next

    def pose(frame: int, joint: int) -> tuple[np.ndarray, Rotation]:
        place, turn = offsets[joint].copy(), Rotation.identity()
        for name, value in zip(channels[joint], values[frame, starts[joint] : starts[joint + 1]], strict=True):
            if name.endswith("position"):
                place["XYZ".index(name[0])] = value
            else:
                turn = turn * Rotation.from_euler(name[0].lower(), value, degrees=True)
        if parents[joint] < 0:
            return place, turn
        at, above = pose(frame, parents[joint])
        return at + above.apply(place), above * turn

    for frame in range(3):
        for joint in range(len(parents)):
            if joint not in given_up:
                expected = pose(frame, joint)[0]
                np.testing.assert_allclose(sequence.positions[0, frame, joint], expected, atol=1e-8)


@pytest.mark.parametrize("clip", ["01/01_01", "13/13_11"])
def test_upc_pymotion_reads_the_same(shared_data: Path, clip: str) -> None:
    oracle = pytest.importorskip("pymotion.io.bvh", reason="upc-pymotion is not installed")
    path = shared_data / "cmu_bvh" / f"{clip}.bvh"
    theirs = oracle.BVH()
    theirs.load(str(path))
    ours = bvh.read(path, unit="m", ends=False)
    data = theirs.data
    assert list(data["names"]) == list(ours.skeleton.joints)
    frames = slice(0, None, 97)
    order = data["rot_order"]
    turns: list[Rotation] = []
    places: list[np.ndarray] = []
    for joint, parent in enumerate(data["parents"]):
        local = Rotation.from_euler("".join(order[joint]).upper(), data["rotations"][frames, joint], degrees=True)
        step = data["positions"][frames, joint]
        turns.append(local if joint == 0 else turns[parent] * local)
        places.append(step if joint == 0 else places[parent] + turns[parent].apply(step))
    np.testing.assert_allclose(ours.positions[0, frames], np.stack(places, axis=1), atol=1e-6)


# ------------------------------------------------------------------------------------------------------ foreign names

RIGS = {
    "cmu": "hip abdomen chest neck head lCollar lShldr lForeArm lHand lButtock lThigh lShin lFoot",
    "motionbuilder": "Hips Spine Spine1 Neck Head LeftShoulder LeftArm LeftForeArm LeftHand - "
    "LeftUpLeg LeftLeg LeftFoot",
    "mixamo": "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Neck mixamorig:Head mixamorig:LeftShoulder "
    "mixamorig:LeftArm mixamorig:LeftForeArm mixamorig:LeftHand - "
    "mixamorig:LeftUpLeg mixamorig:LeftLeg mixamorig:LeftFoot",
    "unreal": "pelvis spine_01 spine_02 neck_01 head clavicle_l upperarm_l lowerarm_l hand_l - thigh_l calf_l foot_l",
    "blender": "hips spine chest neck head shoulder.L upper_arm.L forearm.L hand.L - thigh.L shin.L foot.L",
    "biped": "Bip01 Bip01_Spine Bip01_Spine1 Bip01_Neck Bip01_Head Bip01_L_Clavicle Bip01_L_UpperArm Bip01_L_Forearm "
    "Bip01_L_Hand - Bip01_L_Thigh Bip01_L_Calf Bip01_L_Foot",
    "biovision": "Hips Chest - Neck Head LeftCollar LeftShoulder LeftElbow LeftWrist - LeftHip LeftKnee LeftAnkle",
    # bones of an ASF file as joints at their start, the way amc2bvh programs write them
    "acclaim": "root lowerback upperback lowerneck head lclavicle lhumerus lradius lhand lhipjoint lfemur ltibia lfoot",
    "xsens": "Hips Chest Chest2 Neck Head LeftCollar LeftShoulder LeftElbow LeftWrist - LeftHip LeftKnee LeftAnkle",
}


def mirrored(name: str) -> str:
    for left, right in (("Left", "Right"), ("_L_", "_R_"), (".L", ".R")):
        if left in name:
            return name.replace(left, right)
    if name.endswith("_l"):
        return name[:-1] + "r"
    return "r" + name[1:]


@pytest.mark.parametrize("rig", RIGS)
def test_foreign_rigs_are_understood(file: Path, rig: str) -> None:
    root, low, high, neck, head, collar, shoulder, elbow, wrist, buttock, hip, knee, ankle = RIGS[rig].split()
    names = [root]
    parents = [-1]

    def chain(start: str, links: list[str]) -> None:
        at = start
        for link in links:
            if link != "-":
                parents.append(names.index(at))
                names.append(link)
                at = link

    arm, leg = [collar, shoulder, elbow, wrist], [buttock, hip, knee, ankle]
    spine = [name for name in (low, high) if name != "-"]
    chain(root, [low, high, neck, head])
    chain(spine[-1], arm)
    chain(spine[-1], [mirrored(name) if name != "-" else name for name in arm])
    chain(root, leg)
    chain(root, [mirrored(name) if name != "-" else name for name in leg])
    rng = np.random.default_rng(0)
    offsets = rng.uniform(10, 20, (len(names), 3))
    children = {i: [c for c, p in enumerate(parents) if p == i] for i in range(len(names))}

    def block(index: int) -> str:
        below = "".join(block(c) for c in children[index]) or "End Site\n{\nOFFSET 0 5 0\n}\n"
        kind = "ROOT" if index == 0 else "JOINT"
        offset = " ".join(map(str, offsets[index]))
        return f"{kind} {names[index]}\n{{\nOFFSET {offset}\nCHANNELS 3 Zrotation Xrotation Yrotation\n{below}}}\n"

    row = " ".join(["0"] * 3 * len(names))
    file.write_text(f"HIERARCHY\n{block(0)}MOTION\nFrames: 1\nFrame Time: 0.01\n{row}\n")
    skeleton = bvh.read(file).skeleton
    expected = {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hip": hip, "knee": knee, "ankle": ankle}
    for point, joint in expected.items():
        assert dict(skeleton.landmarks[f"left_{point}"]) == {joint: 1.0}
        assert dict(skeleton.landmarks[f"right_{point}"]) == {mirrored(joint): 1.0}
    assert dict(skeleton.landmarks["pelvis"]) == {hip: 0.5, mirrored(hip): 0.5}
    assert dict(skeleton.landmarks["neck"]) == {neck: 1.0}
    assert (hip, mirrored(hip)) in skeleton.pairs
    assert elbow in skeleton.parts["left_upper_arm"]
    assert mirrored(knee) in skeleton.parts["right_thigh"]
    mapped = bvh.read(file).to_skeleton(get_skeleton("h36m17"))
    assert mapped.seen.all()


# ------------------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "HIERARCH", "line 1: a BVH file begins with HIERARCHY"),
        ("ROOT hip\n{", "ROOT hip\n", "line 4: expected '{' after 'hip'"),
        ("  OFFSET 1", "  OFFSE 1", "line 8: ROOT, JOINT"),
        ("OFFSET 1 2 3", "OFFSET 1 2", "line 8: the OFFSET of 'chest' needs 3 finite numbers, found '1 2'"),
        ("OFFSET 1 2 3", "OFFSET 1 nan 3", "line 8.*finite"),
        ("    OFFSET 1 2 3\n", "", "'chest' closes without an OFFSET"),
        ("CHANNELS 3 Y", "CHANNELS 4 Y", "line 9: CHANNELS of 'chest' needs a count"),
        ("CHANNELS 3 Yrotation", "CHANNELS 3 Wrotation", "line 9: CHANNELS of 'chest'.*Wrotation"),
        ("CHANNELS 3 Yrotation Z", "CHANNELS 3 Zrotation Z", "lists a channel twice"),
        ("}\nMOTION", "MOTION", "MOTION begins while 'hip' is not closed"),
        ("}\nMOTION", "}\n}\nMOTION", "'}' without an open joint"),
        ("Frames: 2", "Frames: 3", "line 17|announces 3 frames, found 2.*cut short"),
        ("Frames: 2", "Frames: 99999999999", "announces 99999999999 frames, found 2"),
        ("Frames: 2", "Frames: -2", "'Frames:' needs a whole number, found '-2'"),
        ("Frames: 2", "Frames: 0", "no motion"),
        ("Frame Time: 0.0333333", "Frame Time: 0", "positive time"),
        ("Frame Time: 0.0333333", "Frame Time: 30", "'Frame Time:' is 30, expected at most 1 second.*--read fps=N"),
        ("Frame Time: 0.0333333", "Frame Time: 33.333", "line 18: 'Frame Time:' is 33.333.*or in milliseconds"),
        ("Frames: 2", "Frames: 1", "announces 1 frames, found 2; correct the count"),
        ("HIERARCHY", "# made by X\nHIERARCHY", "line 1: BVH knows no comments, found '# made by X'; delete the line"),
        ("MOTION", "# {m}\nMOTION", "line 16: BVH knows no comments"),
        ("CHANNELS 3 Y", "CHANNELS 4 Xscale Y", "line 9: 'chest' has the channel Xscale.*export without scale"),
        ("}\nMOTION", "}\nROOT prop\n{\nMOTION", "line 16: a second ROOT 'prop' after 'hip'; expected one body"),
        ("Frame Time: 0.0333333", "Frame Time: fast", "needs 1 finite numbers, found 'fast'"),
        ("Frame Time: 0.0333333\n", "", "expected 'Frames:' and 'Frame Time:'"),
        ("40 50 60", "40 nan 60", "line 19: 'nan' is not a finite number"),
        ("40 50 60", "40 x 60", "line 19: 'x' is not a finite number"),
        (" -110 120", "", "line 20: frame 1 has 7 values, the hierarchy has 9 channels"),
        ("OFFSET 1 2 3", "OFFSET 1e308 1e308 1e308", "not finite: offsets or channel"),
    ],
)
def test_damage_is_named_with_its_line(file: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    file.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(FormatError, match=message) as caught:
        bvh.read(file, unit=1e6)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", range(0, len(SMALL) - 5, 9))
def test_a_file_cut_anywhere_is_refused(file: Path, keep: int) -> None:
    file.write_text(SMALL[:keep])
    with pytest.raises(FormatError):
        bvh.read(file)


def test_depth_does_not_break_the_reader(file: Path) -> None:
    deep = "".join(f"JOINT j{i}\n{{\nOFFSET 0 1 0\n" for i in range(50_000))
    file.write_text(f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\n{deep}")
    with pytest.raises(FormatError, match="more than 1024 joints"):
        bvh.read(file)
    count = 1000
    nested = "".join(f"JOINT j{i}\n{{\nOFFSET 0 0.001 0\nCHANNELS 1 Xrotation\n" for i in range(count)) + "}\n" * count
    file.write_text(
        f"HIERARCHY\nROOT r\n{{\nOFFSET 0 0 0\n{nested}}}\nMOTION\nFrames: 1\nFrame Time: 0.1\n{'0 ' * count}\n"
    )
    assert bvh.read(file, unit="m").positions[0, 0, -1, 1] == pytest.approx(1.0)


def test_missing_files_folders_and_other_kinds_of_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be opened as a BVH file: No such file"):
        bvh.read(tmp_path / "none.bvh")
    with pytest.raises(FormatError, match="this is a folder"):
        bvh.read(tmp_path)
    (tmp_path / "x.bvh").write_bytes(b"\x00\x01\x02")
    with pytest.raises(FormatError, match="binary data"):
        bvh.read(tmp_path / "x.bvh")
    (tmp_path / "x.bvh").write_bytes(b"")
    with pytest.raises(FormatError, match="the file is empty"):
        bvh.read(tmp_path / "x.bvh")


def said_of(path: Path) -> str:
    """The error of a damaged file, or "" if it is read; any other exception fails the test."""
    try:
        bvh.read(path)
    except KinegraphError as error:
        return str(error)
    return ""


@given(at=st.integers(0, len(SMALL)), noise=st.binary(max_size=20), drop=st.integers(0, 60))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_other_error_ever_escapes(file: Path, at: int, noise: bytes, drop: int) -> None:
    data = bytearray(SMALL.encode())
    data[at : at + drop] = noise
    file.write_bytes(data)
    assert "\n" not in said_of(file)


@given(st.lists(st.sampled_from([*SMALL.split(), "{", "}", "\n", "1e999", "-5", "ROOT", "JOINT"]), max_size=60))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_shuffled_words_never_break_the_reader(file: Path, words: list[str]) -> None:
    file.write_text("HIERARCHY\n" + "\n".join(words))
    with pytest.raises(KinegraphError):
        bvh.read(file)
