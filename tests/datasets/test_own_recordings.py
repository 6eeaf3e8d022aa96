"""Folders of recordings as motion clips: what is read, what is left out and why, and that clips say what files say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from moving_people import bone_lengths, turned, walker

import kinegraph as kg
from kinegraph.datasets.recordings import find_files, load_recordings, network_skeleton
from kinegraph.errors import ConfigError, DataError
from kinegraph.formats.motion import asf_amc, bvh
from kinegraph.geometry.rotations import expmap_to_quaternion, quaternion_to_matrix
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.heading import heading_relative
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import posed_body


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two actions, a clip beside them, two people in one file, and four files that cannot be used."""
    for action in ("hop", "walk"):
        (tmp_path / action).mkdir()
    kg.save(walker(seed=1), tmp_path / "walk" / "a.npz")
    kg.save(walker(seed=2, fps=120.0), tmp_path / "walk" / "b.bvh")
    kg.save(walker(seed=3, people=2), tmp_path / "hop" / "a.npz")
    kg.save(walker(seed=5), tmp_path / "loose.npz")
    kg.save(walker(seed=6, seconds=0.1), tmp_path / "short.npz")
    (tmp_path / "walk" / "cut.bvh").write_text("HIERARCHY\nROOT hips\n{\n")
    (tmp_path / "walk" / "notes.md").write_text("no motion")
    flat = kg.SkeletonSequence(np.ones((1, 4, 17, 2)), get_skeleton("coco17"), fps=30, unit="px", space="image")
    kg.save(flat, tmp_path / "flat.npz")
    dog = kg.Skeleton(name="dog", joints=("trunk", "tail", "paw"), parents=(-1, 0, 0))
    rng = np.random.default_rng(0)
    kg.save(kg.SkeletonSequence(rng.normal(size=(1, 90, 3, 3)), dog, fps=30, up="y"), tmp_path / "dog.npz")
    return tmp_path


def test_what_is_read_and_what_is_left_out(folder: Path) -> None:
    read = load_recordings([folder], labels="folders", least_frames=30)
    data = read.data
    assert data.actions == ("hop", "walk")
    labels = {clip.name: data.actions[clip.action] if clip.action >= 0 else "" for clip in data.clips}
    assert labels == {"walk/a": "walk", "walk/b": "walk", "hop/a#1": "hop", "hop/a#2": "hop", "loose": ""}
    assert all(abs(len(clip.features) - 121) <= 1 for clip in data.clips)  # 2 s at 60 a second
    reasons = {item.path.name: item.reason for item in read.skipped}
    assert set(reasons) == {"short.npz", "cut.bvh", "flat.npz", "dog.npz"}
    assert "30 are needed" in reasons["short.npz"]
    assert "lift it first" in reasons["flat.npz"]
    assert "'dog'" in reasons["dog.npz"]
    assert load_recordings([folder]).data.actions == ()


def test_names_that_are_no_utf8_are_spelt_out(folder: Path) -> None:
    (folder / "walk").rename(folder / os.fsdecode(b"w\xe4lk"))
    data = load_recordings([folder], labels="folders", least_frames=30).data
    assert data.actions == ("hop", r"w\udce4lk")
    assert {clip.name for clip in data.clips} == {r"w\udce4lk/a", r"w\udce4lk/b", "hop/a#1", "hop/a#2", "loose"}
    data.fingerprint.encode()


def only(folder: Path, *names: str) -> Path:
    """The same folder with these files alone beside its subfolders, which go."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        elif path.name not in names:
            path.unlink()
    return folder


def test_clips_hold_the_world(folder: Path) -> None:
    data = load_recordings([only(folder, "loose.npz")]).data
    sequence = walker(seed=5)
    body = posed_body(sequence)
    floor = np.quantile(sequence.positions[0, ..., 1].min(axis=-1), 0.01)
    expected = RotationFeatures(body, data.skeleton, None, float(floor)).encode()
    np.testing.assert_allclose(data.clips[0].features, expected, atol=1e-9)
    np.testing.assert_allclose(data.clips[0].features[:, 0], sequence.positions[0, :, 0] - [0, floor, 0], atol=1e-9)


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_windows_do_not_know_where_they_were(folder: Path, representation: str) -> None:
    kg.save(turned(walker(seed=5), 2.2, np.array([3.0, 1.0, 2.0])), folder / "moved.npz")
    only(folder, "loose.npz", "moved.npz")
    data = load_recordings([folder], representation=representation).data  # type: ignore[arg-type]
    one, other = (
        heading_relative(clip.features[None, 20:80], 40, data.skeleton, representation)[0] for clip in data.clips
    )
    assert np.abs(data.clips[0].features - data.clips[1].features).max() > 1
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_the_mirror_is_the_mirrored_recording(folder: Path) -> None:
    data = load_recordings([only(folder, "loose.npz")], representation="positions").data
    assert data.mirror is not None
    sequence = walker(seed=5)
    mirrored = sequence.positions[:, :, list(sequence.skeleton.mirror)] * [-1, 1, 1]
    kg.save(sequence.replace(positions=mirrored, rotations=None, offsets=None), folder / "mirror.npz")
    other = load_recordings([only(folder, "mirror.npz")], representation="positions").data
    np.testing.assert_allclose(data.mirror(data.clips[0].features), other.clips[0].features, atol=1e-9)


def test_missing_joints_are_the_mean_of_those_who_have_them(folder: Path) -> None:
    sequence = walker(seed=8).replace(rotations=None, offsets=None)
    positions = sequence.positions.copy()
    arm = [j for j, name in enumerate(sequence.skeleton.joints) if name in ("left_wrist", "left_finger_base")]
    arm += [j for j, name in enumerate(sequence.skeleton.joints) if name.startswith(("left_hand", "left_thumb"))]
    positions[:, :, arm] = np.nan
    kg.save(sequence.replace(positions=positions, confidence=None), folder / "handless.npz")
    data = load_recordings([only(folder, "loose.npz", "handless.npz")]).data
    clips = {clip.name: clip.features for clip in data.clips}
    at = data.skeleton.index("left_wrist")
    np.testing.assert_allclose(clips["handless"][:, at], np.tile(clips["loose"][:, at].mean(axis=0), (121, 1)))


def test_folders_without_use(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        find_files(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="no motion files"):
        load_recordings([empty])
    with pytest.raises(DataError, match=r"none of 1 files can be used; .*dog\.npz"):
        load_recordings([only(folder, "dog.npz")])
    with pytest.raises(ConfigError, match="positive"):
        load_recordings([folder], fps=0)


def test_cmu_recordings(shared_data: Path, tmp_path: Path) -> None:
    """A clip in both formats is used once, as AMC; positions by the network's joints are those of the file."""
    for kind in ("cmu_asfamc", "cmu_bvh"):
        for path in (shared_data / kind).rglob("*"):
            if path.stem in ("02_01", "02_03", "07_01", "02", "07") and path.is_file():
                (tmp_path / kind / path.parent.name).mkdir(parents=True, exist_ok=True)
                (tmp_path / kind / path.parent.name / path.name).symlink_to(path.resolve())
    read = load_recordings([tmp_path / "cmu_asfamc", tmp_path / "cmu_bvh"])
    assert [clip.name for clip in read.data.clips] == ["02/02_01", "02/02_03", "07/07_01"]
    assert {clip.subject for clip in read.data.clips} == {"cmu02", "cmu07"}
    assert {item.path.suffix for item in read.skipped} == {".bvh"}
    whole = bvh.read(shared_data / "cmu_bvh" / "07" / "07_01.bvh").resample(60)
    assert len(read.data.clips[2].features) == whole.frames - 3  # six frames at 120 a second lead in
    sequence = asf_amc.read(shared_data / "cmu_asfamc" / "02" / "02_03.amc", joints="starts")
    clip = read.data.clips[1].features
    last = quaternion_to_matrix(expmap_to_quaternion(-clip[-1]))
    turn = last[1]  # pelvis
    skeleton = read.data.skeleton
    for joint, child in (("left_hip", "left_knee"), ("left_knee", "left_ankle")):
        turn = turn @ last[skeleton.index(joint)]
        bone = sequence.positions[0, -1, sequence.skeleton.index(child)]
        bone = bone - sequence.positions[0, -1, sequence.skeleton.index(joint)]
        assert sequence.offsets is not None
        np.testing.assert_allclose(turn @ sequence.offsets[sequence.skeleton.index(child)], bone, atol=1e-9)
    assert bone_lengths(sequence).shape[-1] == 37


def test_network_skeletons() -> None:
    for representation in ("expmap", "positions"):
        skeleton = network_skeleton(representation)  # type: ignore[arg-type]
        assert skeleton.joints[:2] == ("trajectory", "pelvis")
        assert len(skeleton.mirror) == skeleton.num_joints
        assert sum(len(members) for members in skeleton.parts.values()) >= skeleton.num_joints


def test_takes_numbered_as_cmus_are_kept_apart(tmp_path: Path) -> None:
    """CMU's 01/01_01.amc and 01/01_01.bvh are one clip; walk/01_01.bvh and run/01_01.bvh are two."""
    names = ("asf/01/01_01.amc", "bvh/01/01_01.bvh", "walk/01_01.bvh", "run/01_01.bvh", "walk/01_01.c3d")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)]
    assert found == ["asf/01/01_01.amc", "run/01_01.bvh", "walk/01_01.bvh"]


def without(sequence: kg.SkeletonSequence, *gaps: tuple[int, int], joints: Sequence[str] = ()) -> kg.SkeletonSequence:
    """The recording as points, all of them or some joints lost in these frames."""
    positions = sequence.positions.copy()
    at = [sequence.skeleton.index(joint) for joint in joints] or list(range(sequence.joints))
    for start, stop in gaps:
        positions[:, start:stop, at] = np.nan
    return sequence.replace(positions=positions, confidence=None, rotations=None, offsets=None)


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_long_gaps_cut_a_recording(tmp_path: Path, representation: str) -> None:
    """Nobody glides through the two seconds in which nobody saw them; what is left are clips of one file."""
    whole = walker(seed=5, seconds=5.0)  # 301 frames
    kg.save(without(whole), tmp_path / "whole.npz")
    kg.save(without(whole, (60, 150), (160, 200), (260, 290)), tmp_path / "gaps.npz")
    kg.save(without(walker(seed=2, seconds=5.0, people=2), (60, 150)), tmp_path / "two.npz")
    read = load_recordings([tmp_path], representation=representation, least_frames=30)  # type: ignore[arg-type]
    clips = {clip.name: clip for clip in read.data.clips}
    assert list(clips) == [
        *("gaps, part 1", "gaps, part 3"),
        *("two#1, part 1", "two#1, part 2", "two#2, part 1", "two#2, part 2", "whole"),
    ]
    assert {clip.recording for clip in clips.values()} == {"gaps", "two", "whole"}
    assert [len(clips[f"gaps, part {part}"].features) for part in (1, 3)] == [60, 101]  # a gap of 30 frames is bridged
    assert [(item.path.name, item.whole) for item in read.skipped] == [("gaps.npz", False)]
    assert read.skipped[0].reason == "frames 151 to 160: 10 frames at 60 a second, 30 are needed"
    assert read.files == 3
    path, truth = clips["gaps, part 3"].features[:60, 0], clips["whole"].features[200:260, 0]
    np.testing.assert_allclose(path, truth, atol=0.01)  # the floor may differ by what was seen
    steps = [np.abs(np.diff(clip.features[:, 0], axis=0)).max() for clip in clips.values()]
    assert max(steps) < 0.03  # metres in a 60th of a second


def test_a_joint_lost_for_long_cuts_where_the_network_depends_on_it(tmp_path: Path) -> None:
    whole = walker(seed=5, seconds=5.0)
    hand = [j for j in whole.skeleton.joints if j.startswith(("left_finger", "left_hand", "left_thumb"))]
    for name, gaps, joints in (
        ("short", [(100, 130)], ["left_elbow"]),
        ("long", [(100, 150)], ["left_elbow"]),
        ("end", [(250, 301)], ["left_elbow"]),
        ("mostly", [(20, 250)], ["left_elbow", "left_wrist", *hand]),
        ("tip", [(100, 150)], hand[-1:]),
    ):
        kg.save(without(whole, *gaps, joints=joints), tmp_path / f"{name}.npz")
    read = load_recordings([tmp_path], least_frames=30)
    assert not read.skipped
    lengths = {clip.name: len(clip.features) for clip in read.data.clips}
    assert lengths == {"end": 250, "long, part 1": 100, "long, part 2": 151, "mostly": 301, "short": 301, "tip": 301}
    elbow = read.data.skeleton.index("left_elbow")
    turns = {clip.name: np.ptp(clip.features[:, elbow], axis=0).max() for clip in read.data.clips}
    assert turns["mostly"] < 1e-9  # as of a recording without it
    assert min(turn for name, turn in turns.items() if name != "mostly") > 0.1


def test_a_recording_that_is_all_gaps_says_so(tmp_path: Path) -> None:
    """Three joints, each lost for a third of the time that the others are there."""
    whole = walker(seed=5, seconds=3.0)  # 181 frames
    for part, joint in enumerate(("left_knee", "right_knee", "left_elbow")):
        whole = without(whole, (60 * part, 60 * part + 61), joints=[joint])
    kg.save(whole, tmp_path / "a.npz")
    kg.save(walker(), tmp_path / "b.npz")
    read = load_recordings([tmp_path])
    assert [clip.name for clip in read.data.clips] == ["b"]
    assert [(item.path.name, item.whole) for item in read.skipped] == [("a.npz", True)]
    assert read.skipped[0].reason == "some joint is in a gap of over 0.5 s in every frame; fill the gaps first"
