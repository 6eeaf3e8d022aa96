"""Anybody's recordings become lifting data: splits without overlap, bad files named, 2D that is the truth's picture."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.datasets import mocap_folder
from kinegraph.datasets.prepared_splits import SPLITS
from kinegraph.datasets.seen_clips import marks_in
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.errors import DataError
from kinegraph.evaluation.lifting import evaluate_lifting
from kinegraph.evaluation.predict import LiftingMethod
from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.training.lifting_recipe import LiftingDataRecipe, LiftingRecipe
from kinegraph.training.lifting_setup import prepare
from kinegraph.training.lifting_splits import load_lifting_splits


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven walks in three formats and folders, and three files that cannot be used."""
    folder = tmp_path_factory.mktemp("mine")
    motion = SyntheticMotion(subjects=7, takes=1, seconds=0.6)
    for number in range(7):
        place = folder / ("walks" if number < 4 else "strolls")
        place.mkdir(exist_ok=True)
        suffix = ("bvh", "npz", "trc")[number % 3]
        body = motion.clip(number, "walking", 0).to_skeleton(get_skeleton("h36m17"), minimum=0.4)
        write(body, place / f"take{number}.{suffix}")
    (folder / "walks" / "broken.bvh").write_text("HIERARCHY\nnothing")
    flat = SkeletonSequence(np.ones((1, 5, 17, 2)), get_skeleton("coco17"), fps=30, unit="px", space="image")
    write(flat, folder / "walks" / "flat.npz")
    return folder


@pytest.fixture(scope="module")
def prepared(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prepared") / "poses"
    assert main(["data", "prepare", "mocap-folder", "--source", str(recordings), "--out", str(out)]) == 0
    return out


def test_splits_share_no_recording_and_bad_files_are_named(prepared: Path, recordings: Path) -> None:
    own = mocap_folder.load(prepared)
    clips = {split: {name.split("/")[1].split("#")[0] for name in own[split].clip_names} for split in SPLITS}
    assert not clips["train"] & clips["val"]
    assert not clips["train"] & clips["test"]
    assert not clips["val"] & clips["test"]
    assert set().union(*clips.values()) == {f"take{number}" for number in range(7)}
    rows = list(csv.DictReader((prepared / "bad.csv").open()))
    assert {row["file"] for row in rows} == {"walks/broken.bvh", "walks/flat.npz"}
    assert any("filming needs 3D" in row["reason"] for row in rows)
    assert not any(str(recordings) in row["reason"] for row in rows)  # the list travels with the data
    assert set(own.train.action_names) | set(own.test.action_names) <= {"walks", "strolls"}


def test_names_that_are_no_utf8_stop_nothing(recordings: Path, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    shutil.copytree(recordings, source)
    os.rename(source / "walks", source / os.fsdecode(b"w\xe4lks"))
    (source / "strolls" / os.fsdecode(b"\xdcbel.npz")).write_bytes(b"PK")
    assert main(["data", "prepare", "mocap-folder", "--source", str(source), "--out", str(tmp_path / "out")]) == 0
    own = mocap_folder.load(tmp_path / "out")
    assert set(own.train.action_names) | set(own.test.action_names) <= {r"w\udce4lks", "strolls"}
    assert any(name.startswith(r"w\udce4lks/take") for name in own.train.clip_names)
    rows = list(csv.DictReader((tmp_path / "out" / "bad.csv").open(encoding="utf-8")))
    files = {r"w\udce4lks/broken.bvh", r"w\udce4lks/flat.npz", r"strolls/\udcdcbel.npz"}
    assert {row["file"] for row in rows} == files


def test_keypoints_are_the_truth_seen_by_its_camera(prepared: Path) -> None:
    data = mocap_folder.load(prepared).train
    focal, centre = data.intrinsics[:, None, :2], data.intrinsics[:, None, 2:4]
    seen = data.camera_m[..., :2] / data.camera_m[..., 2:] * focal + centre
    np.testing.assert_allclose(seen, data.keypoints_px, atol=0.05)
    assert (data.camera_m[..., 2] > 1).all()


def test_splits() -> None:
    names = [f"take{number}" for number in range(7)]
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    found = dict(zip(names, mocap_folder.split_names(names, [None] * 7), strict=True))
    assert [found[name] for name in order] == ["test", "val", *["train"] * 5]
    stated = ["train", "train", "val", "test"]
    assert mocap_folder.split_names(names[:4], stated) == stated
    found = dict(zip(names, mocap_folder.split_names(names[:6], ["train"] * 5 + ["test"]), strict=False))
    assert [found.pop("take5"), *sorted(found.values())] == ["test", *["train"] * 4, "val"]
    with pytest.raises(DataError, match="3 usable recordings leave none for val; expected 6 or more"):
        mocap_folder.split_names(names[:3], [None] * 3)


@pytest.mark.parametrize("new", ["a new take", "take10b", "zzz"])
def test_one_recording_more_moves_one_at_most_between_two_splits(new: str) -> None:
    names = [f"take{number:02d}" for number in range(24)]
    then = dict(zip(names, mocap_folder.split_names(names, [None] * 24), strict=True))
    grown = sorted([*names, new])
    now = dict(zip(grown, mocap_folder.split_names(grown, [None] * 25), strict=True))
    moved = [(then[name], now[name]) for name in names if then[name] != now[name]]
    assert ("train", "test") not in moved
    assert len(moved) == len(set(moved)) <= 2


def _begin_unturned(path: Path) -> None:
    """The root's rotation in the first frame of a BVH file becomes zero, as CMU's files begin."""
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    lines[first] = " ".join([*lines[first].split()[:3], "0", "0", "0", *lines[first].split()[6:]])
    path.write_text("\n".join(lines) + "\n")


def test_only_cmus_bvh_files_begin_later(tmp_path: Path) -> None:
    body = (
        SyntheticMotion(subjects=1, takes=1, seconds=1.0)
        .clip(0, "walking", 0)
        .to_skeleton(get_skeleton("h36m17"), minimum=0.4)
    )
    for place in ("train/07_01.bvh", "train/09_01.npz", "train/walk.bvh", "val/walk.bvh", "test/walk.bvh"):
        target = tmp_path / "own" / place
        target.parent.mkdir(parents=True, exist_ok=True)
        write(body, target)
    numbered = tmp_path / "own" / "train" / "08_01.bvh"  # as CMU's, but it does not begin with a calibration pose
    numbered.write_bytes((tmp_path / "own" / "train" / "07_01.bvh").read_bytes())
    _begin_unturned(tmp_path / "own" / "train" / "07_01.bvh")
    train = mocap_folder.prepare(tmp_path / "own", tmp_path / "out").train
    poses = {name.split("/")[1]: int((train.clip == number).sum()) for number, name in enumerate(train.clip_names)}
    assert poses["walk"] == poses["09_01"] == poses["08_01"]
    assert poses["walk"] - poses["07_01"] == round(6 * train.fps / (body.fps or 0))


def test_a_file_that_cannot_be_filmed_sets_no_rate(recordings: Path, tmp_path: Path) -> None:
    for number in range(6):
        source = next(recordings.rglob(f"take{number}.*"))
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / source.name).write_bytes(source.read_bytes())
    prop = Skeleton.from_dict({"name": "prop", "joints": {"base": "", "tip": "base"}})
    points = np.random.default_rng(0).normal(size=(1, 20, 2, 3))
    write(SkeletonSequence(points, prop, fps=10, unit="m", space="world", up="z"), tmp_path / "own" / "a_prop.npz")
    own = mocap_folder.prepare(tmp_path / "own", tmp_path / "out")
    assert [file for file, _ in own.bad] == ["a_prop.npz"]
    assert own.train.fps == mocap_folder.prepare(recordings, tmp_path / "without").train.fps != 10


def test_stated_splits_are_kept(recordings: Path, tmp_path: Path) -> None:
    for split, numbers in (("train", (0, 1)), ("val", (2,)), ("test", (3,))):
        for number in numbers:
            source = next(recordings.rglob(f"take{number}.*"))
            target = tmp_path / "own" / split / "walk" / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    own = mocap_folder.prepare(tmp_path / "own", tmp_path / "out")
    takes = {split: {name.split("/")[2] for name in own[split].clip_names} for split in SPLITS}
    assert takes == {"train": {"take0", "take1"}, "val": {"take2"}, "test": {"take3"}}
    assert own.train.action_names == ("walk",)


def test_weights_know_which_recordings_they_have_seen(prepared: Path) -> None:
    """The folder may have grown when they are tested, and its splits with it."""
    own = mocap_folder.load(prepared)
    recipe = LiftingRecipe(model={"name": "fcn"}, data=LiftingDataRecipe(name="mocap-folder", source=str(prepared)))
    made = prepare(recipe)
    kept = {role: made.splits[role]["names"] for role in ("train", "validation")}
    for role, split in (("train", "train"), ("validation", "val")):
        places = {name.rsplit("/", 2)[0] for name in own[split].clip_names}
        assert len(kept[role]) == 12 * len(places)
        assert all(marks_in(kept[role], places))
    method = LiftingMethod(label="mine", model=lambda x: x.new_zeros((*x.shape[:-1], 3)), transform=made.transform)
    names = {"seen": kept["train"] + kept["validation"], "trained": kept["train"]}
    told = "{} recordings trained these weights (by their names): no test of anything"
    cases = (
        (names, own.test, "test", None),
        (names, own.val, "val", None),
        (names, own.val, "test", told.format("1 of these 1")),
        (names, own.train, "val", told.format("5 of these 5")),
        (names, own.train, "train", None),
        ({}, own.test, "test", "mine does not say which recordings trained it: these may be among them"),
    )
    about = {"trained_on": {"name": made.splits["train"]["name"]}}
    for seen, data, split, expected in cases:
        result = evaluate_lifting(
            replace(method, info=about, **seen), data, "mocap-folder", split=split, flip_test=False
        )
        notes = [note for note in result.notes if "trained" in note]
        assert notes == ([] if expected is None else [expected])


def test_a_recipe_reads_them(prepared: Path) -> None:
    splits = load_lifting_splits(LiftingDataRecipe(name="mocap-folder", source=str(prepared)))
    own = mocap_folder.load(prepared)
    assert splits.train.fingerprint == own.train.fingerprint
    assert splits.validation.fingerprint == own.val.fingerprint


def test_what_cannot_be_done(recordings: Path, prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not prepared; run: kinegraph data prepare mocap-folder"):
        mocap_folder.load(recordings)
    with pytest.raises(DataError, match="no split 'all'"):
        mocap_folder.load(prepared)["all"]
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "take0.bvh").write_bytes((recordings / "walks" / "take0.bvh").read_bytes())
    (tmp_path / "few" / "bad.bvh").write_text("HIERARCHY\nnothing")
    with pytest.raises(DataError, match="few: 1 usable recordings leave none .*; bad.bvh: "):
        mocap_folder.prepare(tmp_path / "few", tmp_path / "out")
    arguments = ["data", "prepare", "mocap-folder", "--source", str(recordings), "--out", str(tmp_path / "x")]
    assert main([*arguments, "--extra", str(recordings)]) == 2
