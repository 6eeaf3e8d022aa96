"""Whether a body stands along the axis that was taken for up: said where it does not, silent where it truly lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import kinegraph as kg
from kinegraph.formats.stance import upright
from kinegraph.sequence import SkeletonSequence

TURN = Rotation.from_euler("x", 90, degrees=True)  # y up to z up
NOTE = "the body stands along z, not y: --read up=z"


def stander() -> SkeletonSequence:
    """Somebody of h36m17 who stands y up and sways."""
    layout = kg.get_skeleton("h36m17")
    heights = {"ankle": 0.1, "knee": 0.5, "hip": 0.92, "shoulder": 1.42, "elbow": 1.15, "wrist": 0.9}
    middle = {"pelvis": 0.92, "spine": 1.15, "thorax": 1.42, "neck": 1.5, "nose": 1.6, "head": 1.72}
    points = np.zeros((60, 17, 3))
    for joint, name in enumerate(layout.joints):
        side, _, point = name.partition("_")
        points[:, joint, 1] = middle.get(name) or heights[point]
        points[:, joint, 0] = {"left": 0.15, "right": -0.15}.get(side, 0.0)
    points += 0.03 * np.sin(np.arange(60) / 9)[:, None, None] * np.random.default_rng(0).normal(size=(17, 3))
    return SkeletonSequence(positions=points, skeleton=layout, fps=30, up="y")


def turned(sequence: SkeletonSequence, turn: Rotation = TURN, share: float = 1.0) -> SkeletonSequence:
    """The first frames turned, still said to be y up; no rotations."""
    frames = round(share * sequence.frames)
    points = sequence.positions.copy()
    points[:, :frames] = turn.apply(points[:, :frames].reshape(-1, 3)).reshape(points[:, :frames].shape)
    return sequence.replace(positions=points, rotations=None, offsets=None)


@pytest.mark.parametrize(
    ("turn", "share", "note"),
    [
        (Rotation.identity(), 1.0, None),
        (TURN, 1.0, NOTE),
        (TURN, 0.9, None),  # lies down, having stood
        (TURN.inv(), 1.0, None),  # head first along z
        (Rotation.from_euler("x", 180, degrees=True), 1.0, None),  # a handstand
        (Rotation.from_euler("z", 90, degrees=True), 1.0, None),  # lies along x, for which there is no option
        (Rotation.from_euler("x", 45, degrees=True), 1.0, None),
    ],
)
def test_said_of_the_frames(turn: Rotation, share: float, note: str | None) -> None:
    sequence = turned(stander(), turn, share)
    told = upright(sequence)
    assert told.up == "y"
    assert told.notes == (*sequence.notes, *([note] if note else []))


def test_a_cartwheel_is_none_and_few_frames_decide_nothing() -> None:
    walk = stander()
    wheel = Rotation.from_euler("x", np.linspace(0, 360, walk.frames)[:, None], degrees=True)
    points = np.stack([turn.apply(frame.copy()) for turn, frame in zip(wheel, walk.positions[0], strict=True)])[None]
    assert upright(walk.replace(positions=points, rotations=None, offsets=None)).notes == walk.notes
    points = turned(walk).positions.copy()
    points[:, walk.frames // 3 :] = np.nan
    hidden = turned(walk).replace(positions=points, confidence=None)
    assert upright(hidden).notes == walk.notes


@pytest.mark.filterwarnings("error")
def test_joints_beyond_all_numbers_are_no_stance() -> None:
    far = stander()
    assert upright(far.replace(positions=far.positions * 1e308)).notes == far.notes
    assert upright(far.replace(positions=far.positions * 0)).notes == far.notes


@pytest.mark.parametrize(("name", "up"), [("walk.trc", "y"), ("walk.bvh", "y")])
def test_files_that_were_written_upright_say_nothing(tmp_path: Path, name: str, up: str) -> None:
    kg.save(stander(), tmp_path / name)
    back = kg.load(tmp_path / name)
    assert back.up == up
    assert not any("stands along" in note for note in back.notes)


def test_a_z_up_trc_is_named_until_it_is_told(tmp_path: Path) -> None:
    kg.save(turned(stander()), tmp_path / "vicon.trc")
    assert kg.load(tmp_path / "vicon.trc").notes[-1] == NOTE
    assert not any("stands" in note for note in kg.load(tmp_path / "vicon.trc", up="z").notes)
    assert not any("stands" in note for note in kg.load(tmp_path / "vicon.trc", up="y").notes)


def test_a_y_up_c3d_is_named(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d", reason="ezc3d is not installed")
    kg.save(turned(stander(), TURN.inv()), tmp_path / "export.c3d")  # writing turns y up into z up
    assert kg.load(tmp_path / "export.c3d").notes[-1] == "the body stands along y, not z: --read up=y"
    assert not any("stands" in note for note in kg.load(tmp_path / "export.c3d", up="y").notes)
    kg.save(stander(), tmp_path / "lab.c3d")
    assert kg.load(tmp_path / "lab.c3d").notes == ()


def bvh(rest: str, motion: str) -> str:
    """A rig of pelvis, legs, spine and head: along which axis its bones lie, and turned by which angles about x."""

    def at(x: float, up: float) -> str:
        return f"{x} {up} 0" if rest == "y" else f"{x} 0 {up}"

    text = f"HIERARCHY\nROOT Hips\n{{\nOFFSET {at(0, 0)}\nCHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation"
    text += " Zrotation\n"

    def joint(name: str, offset: str, below: str) -> str:
        return f"JOINT {name}\n{{\nOFFSET {offset}\nCHANNELS 3 Xrotation Yrotation Zrotation\n{below}}}\n"

    end = f"End Site\n{{\nOFFSET {at(0, 0.2)}\n}}\n"
    for side, x in (("Left", 0.1), ("Right", -0.1)):
        foot = joint(f"{side}Foot", at(0, -0.42), end)
        text += joint(f"{side}UpLeg", at(x, 0), joint(f"{side}Leg", at(0, -0.42), foot))
    text += joint("Spine", at(0, 0.3), joint("Neck", at(0, 0.25), joint("Head", at(0, 0.1), end)))
    row = f"0 0 0 {motion} 0 0 " + "0 0 0 " * 9
    return text + "}\nMOTION\nFrames: 2\nFrame Time: 0.04\n" + f"{row}\n" * 2


@pytest.mark.parametrize(
    ("rest", "motion", "up", "told"),
    [
        ("y", "0", "y", None),
        ("z", "0", "z", "z taken for up: the body stands along it, in the rest pose too; --read up=y if not"),
        ("z", "-90", "y", None),  # the root turns a z-up armature upright
        ("y", "90", "y", NOTE),  # SMPL's rest pose in a z-up world, or somebody who lies: not decided
    ],
)
def test_a_rigs_rest_pose_decides_with_its_motion(tmp_path: Path, rest: str, motion: str, up: str, told: str) -> None:
    (tmp_path / "rig.bvh").write_text(bvh(rest, motion))
    read = kg.load(tmp_path / "rig.bvh")
    assert read.up == up
    assert [note for note in read.notes if "stands along" in note] == ([told] if told else [])
    assert kg.load(tmp_path / "rig.bvh", up="y").up == "y"


@pytest.mark.parametrize("rest", ["y", "z"])
@pytest.mark.parametrize("head", [0.0, 0.0004, 0.03])
@pytest.mark.parametrize("travels", [False, True])
def test_a_rest_pose_is_known_where_joints_move(tmp_path: Path, rest: str, head: float, travels: bool) -> None:
    """The head slides on the neck by so many metres; the hips move against a root that travels."""
    place = "0 0.1 0" if rest == "y" else "0 0 0.1"
    text = bvh(rest, "0")
    was = f"JOINT Head\n{{\nOFFSET {place}\nCHANNELS 3 "
    assert was in text
    text = text.replace(was, was.replace("CHANNELS 3 ", "CHANNELS 6 Xposition Yposition Zposition "))
    if travels:
        root = "ROOT Root\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Xrotation Yrotation Zrotation\n"
        text = text.replace("ROOT Hips", f"{root}JOINT Hips").replace("}\nMOTION", "}\n}\nMOTION")
    lines = text[: text.index("Frames: 2")] + "Frames: 5\nFrame Time: 0.04\n"
    for frame in range(5):
        x, y, z = map(float, place.split())
        turn = f"0 {20 * frame} 0" if rest == "y" else f"0 0 {20 * frame}"
        row = f"{0.1 * frame} 0 0 {turn} " if travels else ""
        row += f"{-0.2 * frame} 0.01 {0.1 * frame} 0 0 0 " + "0 0 0 " * 8
        lines += row + f"{x + head * (-1) ** frame} {y} {z} 0 0 0\n"
    (tmp_path / "rig.bvh").write_text(lines)
    read = kg.load(tmp_path / "rig.bvh", unit="m")
    assert read.up == rest
    assert (read.rotations is not None) == (head < 0.001)
    told = [note for note in read.notes if "stands along" in note]
    taken = "z taken for up: the body stands along it, in the rest pose too; --read up=y if not"
    assert told == ([taken] if rest == "z" else [])


def test_silent_on_recordings_that_state_their_axis(shared_data: Path) -> None:
    """Among them people who lie, roll and cartwheel."""
    files = sorted((shared_data / "cmu_bvh").glob("*/*.bvh"))
    assert files
    for file in files:
        assert not any("stands along" in note for note in kg.load(file).notes), file
