"""BVH files whose joints move against their parents: roots that carry a body, bones that change their length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bvh_files import MIXAMO, ROOT_MOTION, as_text, renamed, under_a_root, walked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moving_people import walker
from scipy.spatial.transform import Rotation

from kinegraph.formats.motion import bvh
from kinegraph.sequence import SkeletonSequence


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "motion.bvh"


MOVES = ["Xposition", "Yposition", "Zposition"]
TURNS = ["Zrotation", "Xrotation", "Yrotation"]
REFERENCE = np.array([[0, 0, 0], [3, 4, 0], [0, 95, 0], [9, -3, 0], [0, -42, 0], [0, 20, 2]], dtype=float)
ABOVE = [-1, 0, 1, 2, 3, 2]  # Reference, another still one, hips, leg, foot, spine


def still_above(seed: int, turned: bool) -> np.ndarray:
    """Channel values: the first two joints keep their place and turn, the hips go about, all below keep theirs."""
    rng = np.random.default_rng(seed)
    values = np.concatenate([np.concatenate((np.tile(o, (7, 1)), np.zeros((7, 3))), axis=1) for o in REFERENCE], axis=1)
    values[:, 12:15] += rng.normal(scale=20, size=(7, 3))
    for joint in range(2, 6):
        values[:, 6 * joint + 3 : 6 * joint + 6] = rng.uniform(-180, 180, (7, 3))
    if turned:
        values[:, 3:6], values[:, 9:12] = rng.uniform(-180, 180, (2, 3))
        values[:, :3] += 10
    return values


@given(seed=st.integers(0, 2**31), turned=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_still_root_takes_the_path_of_the_hips_and_rotations_are_kept(file: Path, seed: int, turned: bool) -> None:
    channels = [MOVES + TURNS] * 6
    values = still_above(seed, turned)
    file.write_text(as_text(ABOVE, channels, REFERENCE, values))
    check_laid_on_the_hips(file, values, walked(channels, values, REFERENCE, ABOVE) / 100)


def check_laid_on_the_hips(file: Path, values: np.ndarray, expected: np.ndarray) -> None:
    """The root and the joint below it lie on the hips: all from there on is where it was, and turned as it was."""
    read = bvh.read(file, unit="cm", ends=False)
    np.testing.assert_allclose(read.positions[0, :, 2:], expected[:, 2:], atol=1e-9)
    np.testing.assert_allclose(read.positions[0, :, :2], expected[:, [2, 2]], atol=1e-9)
    assert read.rotations is not None
    assert read.offsets is not None
    np.testing.assert_allclose(read.offsets[3:], REFERENCE[3:] / 100, atol=1e-9)
    np.testing.assert_array_equal(read.offsets[:3], 0.0)
    own = [Rotation.from_euler("ZXY", values[:, 6 * j + 3 : 6 * j + 6], degrees=True) for j in range(6)]
    still = Rotation.identity(len(values))
    for joint, turns in enumerate((own[0] * own[1] * own[2], still, still, *own[3:])):
        assert (Rotation.from_quat(read.rotations[0, :, joint]).inv() * turns).magnitude().max() < 1e-6
    assert read.is_posed(0)
    far = np.linalg.norm(read.positions[0] - expected, axis=-1).max()
    assert [note for note in read.notes if "joint" in note or "root" in note] == [
        f"the root 'j0' has the path and the rotation of 'j2' now, up to {far:.3g} m from its own: rotations are kept, "
        "and all positions from 'j2' on"
    ]
    bvh.write(read, file.with_name("again.bvh"))
    again = bvh.read(file.with_name("again.bvh"), unit="cm", ends=False)
    np.testing.assert_allclose(again.positions[0, :, 2:], expected[:, 2:], atol=1e-6)


# How the joints above the hips move in 7 frames: by column of the file, from one frame to the next. The hips move too.
TRAVELS = {
    "the root travels": {0: 12.0, 2: -7.0},
    "the root turns": {5: 15.0, 3: 4.0},
    "the root travels and turns": {0: -40.0, 5: 30.0},
    "the joint between moves and turns": {6: 3.0, 9: 8.0},
    "all of it": {1: 6.0, 5: 15.0, 8: 9.0, 10: -20.0},
}


def travelling(moves: dict[int, float], parents: list[int] = ABOVE, seed: int = 3) -> tuple[str, np.ndarray]:
    """A file in centimetres whose joints above the hips move, and its positions (frames, joints, 3) in metres."""
    channels = [MOVES + TURNS] * 6
    values = still_above(seed, turned=True)
    for column, step in moves.items():
        values[:, column] += step * np.arange(7)
    return as_text(parents, channels, REFERENCE, values), walked(channels, values, REFERENCE, parents) / 100


@pytest.mark.parametrize("case", TRAVELS)
def test_a_body_below_a_root_that_travels_or_turns_keeps_rotations_and_positions(file: Path, case: str) -> None:
    text, expected = travelling(TRAVELS[case])
    file.write_text(text)
    check_laid_on_the_hips(file, np.array([line.split() for line in text.splitlines()[-7:]], dtype=float), expected)


@pytest.mark.parametrize(
    "fault", ["a joint below moves", "the root has more", "an arm is above", "a pelvis is above", "no body"]
)
def test_a_path_that_the_root_cannot_take_stays_where_it_is(file: Path, fault: str) -> None:
    parents = {"the root has more": [-1, 0, 1, 2, 3, 0], "no body": [-1, 0, 1, 2, 3, 4]}.get(fault, ABOVE)
    text, expected = travelling({0: 12.0, **({19: 1.0} if fault == "a joint below moves" else {})}, parents)
    names = {  # half bodies, whose first joint is no massless root
        "an arm is above": ("Hips", "LeftArm", "LeftForeArm", "LeftHand", "LeftHandIndex1", "LeftHandThumb1"),
        "a pelvis is above": ("pelvis", "belly", "chest", "left_arm", "left_wrist", "right_arm"),
    }
    for joint, name in enumerate(names.get(fault, ())):
        text = text.replace(f" j{joint}\n", f" {name}\n")
    file.write_text(text)
    read = bvh.read(file, unit="cm", ends=False)
    np.testing.assert_allclose(read.positions[0], expected, atol=1e-9)
    assert read.rotations is None
    assert any("rotations are not kept" in note for note in read.notes)


def test_a_root_that_stands_still_gives_its_path_to_a_thing_that_is_no_body(file: Path) -> None:
    text, expected = travelling({}, [-1, 0, 1, 2, 3, 4])
    file.write_text(text)
    read = bvh.read(file, unit="cm", ends=False)
    np.testing.assert_allclose(read.positions[0, :, 2:], expected[:, 2:], atol=1e-9)
    assert read.is_posed(0)


@pytest.mark.parametrize("millimetres", [0.4, 4.7])
@pytest.mark.parametrize("travels", [False, True])
def test_rotations_are_kept_where_they_make_the_positions_to_a_millimetre(
    file: Path, millimetres: float, travels: bool
) -> None:
    values = still_above(5, turned=True)
    if travels:
        values[:, 0] += 12 * np.arange(7)
    else:
        values[:, 12:15] = REFERENCE[2]
    slid = REFERENCE[4, 1] + millimetres / 10 * np.array([-1, 1, -1, 0, 1, -1, 1])
    values[:, 6 * 4 + 1] = slid
    channels = [MOVES + TURNS] * 6
    file.write_text(as_text(ABOVE, channels, REFERENCE, values))
    read = bvh.read(file, unit="cm", ends=False)
    expected = walked(channels, values, REFERENCE, ABOVE) / 100
    kept = millimetres < 1
    first = 2 if travels and kept else 0
    np.testing.assert_allclose(read.positions[0, :, first:], expected[:, first:], atol=1e-9)
    assert read.is_posed(0) == kept
    assert (read.rotations is not None) == kept
    assert read.offsets is not None  # of the file where there are no rotations: what a rest pose is known by
    np.testing.assert_allclose(read.offsets[4, 1], (slid.mean() if kept else REFERENCE[4, 1]) / 100, atol=1e-12)
    most = 10 * np.abs(slid - slid.mean()).max()
    note = (
        f"joints move against their parents: rotations are kept, which put them up to {most:.2g} mm away"
        if kept
        else "joints move against their parents: positions are right, rotations are not kept"
    )
    assert note in read.notes


WANDERS = np.cumsum(np.random.default_rng(0).normal(size=(31, 3)), axis=0)


def on_a_root(file: Path, kind: str, beside: dict[str, np.ndarray]) -> SkeletonSequence:
    """The body as the file has it; `file` then holds the same below a root, with further joints on that."""
    bvh.write(walker(seconds=0.5), file)
    text = renamed(file.read_text(), MIXAMO)
    file.write_text(text)
    body = bvh.read(file, unit="cm")
    file.write_text(under_a_root(text, kind, beside))
    return body


@pytest.mark.parametrize("kind", ROOT_MOTION)
def test_what_moves_on_its_own_beside_a_body_costs_the_body_no_rotations(file: Path, kind: str) -> None:
    body = on_a_root(file, kind, {"ik_foot_root": WANDERS, "sword": WANDERS[::-1], "floor": 0 * WANDERS})
    read = bvh.read(file, unit="cm")
    joints = body.skeleton.joints
    # what stands still on the root may stay where the root is not laid on the hips
    stays = () if kind == "still" else ("floor", "floor_end")
    assert read.skeleton.joints == ("Root", *joints, *stays)
    same = [read.skeleton.index(joint) for joint in joints]
    np.testing.assert_allclose(read.positions[:, :, same], body.positions, atol=1e-6)
    assert read.is_posed(0)
    assert body.rotations is not None
    assert read.rotations is not None
    ours, theirs = (Rotation.from_quat(one[0, :, at]) for one, at in ((read.rotations, same[5]), (body.rotations, 5)))
    assert (ours.inv() * theirs).magnitude().max() < 1e-6
    assert dict(read.skeleton.landmarks) == dict(body.skeleton.landmarks)
    gone = "'ik_foot_root', 'sword'" if stays else "'ik_foot_root', 'sword', 'floor'"
    count = 4 if stays else 6
    assert (
        f"left out, for rotations to be kept: {count} joints beside the body that do not move with it ({gone}); "
        "props=true keeps them (--read props=true), and no rotations"
    ) in read.notes


def test_props_are_kept_where_they_are_asked_for_or_cost_nothing(file: Path) -> None:
    on_a_root(file, "still", {"sword": WANDERS})
    kept = bvh.read(file, unit="cm", props=True)
    np.testing.assert_allclose(kept.positions[0, :, kept.skeleton.index("sword")], WANDERS / 100, atol=1e-9)
    assert kept.rotations is None
    assert "joints move against their parents: positions are right, rotations are not kept" in kept.notes
    on_a_root(file, "on the hips", {"sword": np.tile([1.0, 2.0, 3.0], (31, 1))})
    read = bvh.read(file, unit="cm")
    assert {"sword", "Root"} < set(read.skeleton.joints)
    assert read.is_posed(0)
    assert not any("left out" in note for note in read.notes)


def test_where_the_body_itself_is_not_rigid_nothing_is_left_out(file: Path) -> None:
    bvh.write(walker(seconds=0.5), file)
    head, motion = renamed(file.read_text(), MIXAMO).split("MOTION\n")
    spine = head.index("JOINT Spine\n")
    before = 3 + 3 * head[:spine].count("CHANNELS")
    head = head[:spine] + head[spine:].replace("CHANNELS 3", "CHANNELS 6 Xposition Yposition Zposition", 1)
    count, rate, *rows = (line.split() for line in motion.strip().splitlines())
    rows = [[*row[:before], "0", str(10 + frame), "0", *row[before:]] for frame, row in enumerate(rows)]
    text = f"{head}MOTION\n" + "\n".join(map(" ".join, [count, rate, *rows])) + "\n"
    file.write_text(under_a_root(text, "still", {"sword": WANDERS}))
    read = bvh.read(file, unit="cm")
    assert read.rotations is None
    assert {"Root", "Spine", "Head", "LeftFoot", "sword"} < set(read.skeleton.joints)
    assert not any("left out" in note for note in read.notes)
