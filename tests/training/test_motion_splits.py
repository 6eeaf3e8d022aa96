"""Which clips are trained on and which choose the checkpoint; windows of a body that goes somewhere."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from motion_samples import make_motion, make_splits

from kinegraph.datasets import cmu_actions, h36m_angles, ntu_forecasting, recordings
from kinegraph.datasets.motion_data import MotionData
from kinegraph.datasets.recordings import Skipped
from kinegraph.errors import ConfigError, DataError
from kinegraph.training.motion_data_module import MotionDataModule
from kinegraph.training.motion_recipe import MotionAugmentRecipe, MotionDataRecipe, MotionTransformRecipe
from kinegraph.training.motion_splits import MotionSplits, load_motion_splits
from kinegraph.training.motion_view import fit_transform


def load(name: str, root: str = "none", **options: Any) -> MotionSplits:
    return load_motion_splits(MotionDataRecipe(name=name, **options), MotionTransformRecipe(root=root))  # type: ignore[arg-type]


def people(names: Sequence[str]) -> MotionData:
    """One clip of each person, actions in turn."""
    data = make_motion("everybody", (20,) * len(names), 0)
    clips = tuple(dataclasses.replace(clip, subject=f"S{name}") for clip, name in zip(data.clips, names, strict=True))
    return dataclasses.replace(data, clips=clips)


def test_cmu_holds_clip_4_out_and_leaves_the_missing_action_out(shared_data: Path) -> None:
    train, validation = load("cmu-8", source=str(shared_data))
    assert train.actions == validation.actions
    assert set(train.actions) < set(cmu_actions.ACTIONS)
    assert {clip.action for clip in train.clips} == set(range(len(train.actions)))
    assert all(clip.name.endswith("_4") for clip in validation.clips)
    assert not any(clip.name.removesuffix("+1").endswith("_4") for clip in train.clips)
    assert sum(clip.name.endswith("+1") for clip in train.clips) * 2 == len(train.clips)
    for clip in (*train.clips, *validation.clips):
        assert clip.name.startswith(train.actions[clip.action] + "/")
    single, _ = load("cmu-8", source=str(shared_data), phases=1)
    assert len(single.clips) * 2 == len(train.clips)


def test_human36m_holds_a_subject_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h36m_angles, "load", lambda source, split: people(["1", "11", "6", "11", "7", "8"]))
    train, validation = load("h36m-angles", source="x")
    assert [clip.subject for clip in validation.clips] == ["S11", "S11"]
    assert len(train.clips) == 4
    assert train.actions == validation.actions


def test_ntu_holds_whole_subjects_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def read(names: str) -> recordings.Recordings:
        lost = (recordings.Skipped(Path("x/deep/S001.skeleton"), "x/deep/S001.skeleton: damaged"),)
        return recordings.Recordings(people(names), lost, 23)

    def fake(source: str, split: str, *, benchmark: str, progress: bool) -> recordings.Recordings:
        asked.append((split, benchmark))
        return read("aabbccddeeffgghhiijjkk")

    monkeypatch.setattr(ntu_forecasting, "load", fake)
    splits = load("ntu", source="x", benchmark="xview", held_out=0.2)
    train, validation = splits
    assert asked == [("train", "xview")]
    said = "1 of 23 files left out, bad.csv says why; the first: deep/S001.skeleton: deep/S001.skeleton: damaged"
    assert splits.left_out("bad.csv") == said
    assert {clip.subject for clip in validation.clips} == {"Sa", "Sf"}
    assert not {clip.subject for clip in train.clips} & {"Sa", "Sf"}
    for share, expected in ((0.1, "a"), (0.4, "acfi"), (0.8, "abcdeghij"), (0.99, "abcdefghij")):
        held = load("ntu", source="x", benchmark="xview", held_out=share).validation
        assert {clip.subject for clip in held.clips} == {f"S{name}" for name in expected}
    monkeypatch.setattr(ntu_forecasting, "load", lambda *_, **__: read("abcdefghijklmnopqrst"))
    held = load("ntu", source="x").validation  # as networks before were trained
    assert {clip.subject for clip in held.clips} == {"Sa", "Sk"}
    monkeypatch.setattr(ntu_forecasting, "load", lambda *_, **__: read("aaa"))
    with pytest.raises(DataError, match="expected more subjects"):
        load("ntu", source="x")


@pytest.mark.parametrize("by", ["name", "place"])
def test_recordings_hold_out_clips_of_every_action(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_motion("mine", (20,) * 31, 0)
    monkeypatch.setattr(recordings, "load_recordings", lambda *_, **__: recordings.Recordings(data, ()))
    train, validation = load("recordings", "heading", source="x", held_out=0.2, held_out_by=by)
    assert len(train.clips) + len(validation.clips) == 31
    assert np.bincount([clip.action for clip in validation.clips]).tolist() == [2, 2, 2]
    assert not {clip.name for clip in train.clips} & {clip.name for clip in validation.clips}
    few = data.choose([True] * 7 + [False] * 24)  # 3, 2 and 2 of the three actions
    monkeypatch.setattr(recordings, "load_recordings", lambda *_, **__: recordings.Recordings(few, ()))
    held = load("recordings", "heading", source="x", held_out=0.1, held_out_by=by).validation
    assert np.bincount([clip.action for clip in held.clips]).tolist() == [1, 1, 1]
    one = data.choose([True] + [False] * 30)
    monkeypatch.setattr(recordings, "load_recordings", lambda *_, **__: recordings.Recordings(one, ()))
    with pytest.raises(DataError, match="1 .*; expected at least two"):
        load("recordings", "heading", source="x", held_out_by=by)


@pytest.mark.parametrize(("sampling", "labels"), [("actions", "folders"), ("windows", "none")])
def test_actions_are_read_where_windows_are_drawn_by_them(
    sampling: str, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no action is recognised."""
    asked = []

    def fake(*_: Any, **options: Any) -> recordings.Recordings:
        asked.append(options["labels"])
        return recordings.Recordings(make_motion("mine", (20,) * 9, 0), ())

    monkeypatch.setattr(recordings, "load_recordings", fake)
    load("recordings", "heading", source="x", sampling=sampling)
    assert asked == [labels]


def test_a_share_of_the_files_is_held_out_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """One file more moves one at most, and nobody of a file is trained on whose other people are held out."""
    clip = make_motion("mine", (20,), 0).clips[0]

    def held(files: Sequence[str], share: float) -> set[str]:
        clips = [
            dataclasses.replace(clip, action=-1, name=f"{file}#{person}", file=file)
            for file in sorted(files)
            for person in (1, 2)
        ]
        data = dataclasses.replace(make_motion("mine", (20,), 0), actions=(), clips=tuple(clips))
        monkeypatch.setattr(recordings, "load_recordings", lambda *_, **__: recordings.Recordings(data, ()))
        train, validation = load("recordings", "heading", source="x", held_out=share)
        found = {clip.file for clip in validation.clips}
        assert not found & {clip.file for clip in train.clips}
        return found

    names = [f"take{number:02d}" for number in range(60)]
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    for share in (0.001, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.999):
        then = held(names, share)
        assert then == set(order[: min(59, max(1, round(60 * share)))])
        for new in ("a", "take30b", "zzz"):
            now = held([*names, new], share)
            assert len((now ^ then) - {new}) <= 1


def test_roots_that_do_not_suit_the_data() -> None:
    with pytest.raises(ConfigError, match="found heading, but cmu-8 leaves the root's own motion out; set none"):
        load("cmu-8", "heading", source="x")
    with pytest.raises(ConfigError, match="found none, but recordings hold the body's path; set heading"):
        load("recordings", source="x")
    with pytest.raises(ConfigError, match="data.source: missing"):
        load("cmu-8")


def test_synthetic_splits_have_other_people_and_one_skeleton() -> None:
    train, validation = load("synthetic")
    assert train.skeleton == validation.skeleton
    assert not {clip.subject for clip in train.clips} & {clip.subject for clip in validation.clips}
    for clip in train.clips:
        assert not clip.features[:, train.skeleton.root].any()
        assert clip.features[0, train.skeleton.index("left_hip"), 1] == pytest.approx(
            clip.features[0, train.skeleton.index("right_hip"), 1]
        )


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_a_window_does_not_tell_where_the_body_is(representation: str) -> None:
    splits = make_splits(representation, heading=True)
    moved = []
    for clip in splits.train.clips:
        features = clip.features.copy()
        features[:, 0] += [5.0, 0.0, -3.0]
        moved.append(dataclasses.replace(clip, features=features))
    elsewhere = dataclasses.replace(splits.train, clips=tuple(moved))
    found = []
    for train in (splits.train, elsewhere):
        transform = fit_transform(train, observed=8, horizon=3, root="heading")
        data = MotionDataModule(
            MotionSplits(train, splits.validation),
            transform,
            batch=16,
            augment=MotionAugmentRecipe(speed=(0.8, 1.2)),
        )
        found.append(data.batch_of(0))
        raw = transform.decode(found[-1].inputs.numpy(), np.zeros((16, *transform.used.shape)))
        assert raw[:, -1, 0, [0, 2]] == pytest.approx(np.zeros((16, 2)), abs=1e-5)  # the last frame is the origin
    torch.testing.assert_close(found[0].inputs, found[1].inputs, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(found[0].targets, found[1].targets, atol=1e-4, rtol=1e-3)


def test_a_path_needs_its_joint_and_the_joint_its_root() -> None:
    with pytest.raises(DataError, match="root 'heading' with skeleton 'small'"):
        fit_transform(make_splits().train, observed=8, horizon=3, root="heading")
    with pytest.raises(DataError, match="root 'none' with skeleton 'small with a path'"):
        fit_transform(make_splits(heading=True).train, observed=8, horizon=3)


def test_what_was_left_out_in_a_line() -> None:
    train, validation = make_splits()
    one = Skipped(Path("a.npz"), "why")
    part = Skipped(Path("b.npz"), "short", whole=False)
    for skipped, counts in (
        ((one, Skipped(Path("c.npz"), "too")), "2 of 9 files"),
        ((one, part, part), "1 of 9 files and parts of 1"),
        ((part,), "parts of 1 of 9 files"),
    ):
        line = MotionSplits(train, validation, skipped, 9).left_out("x/bad.csv")
        assert line == f"{counts} left out, x/bad.csv says why; the first: {skipped[0].path}: {skipped[0].reason}"
    assert MotionSplits(train, validation, (), 9).left_out("x/bad.csv") is None
