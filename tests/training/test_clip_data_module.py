"""The data of a recognition run: which clips a step sees, what they count, and that nobody else's business matters."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from clip_samples import ACTIONS, make_clip_splits, make_clips, small_skeleton

from kinegraph.config import read_yaml
from kinegraph.datasets import open_clips as opening
from kinegraph.errors import ConfigError, DataError
from kinegraph.training import recognition_setup
from kinegraph.training.clip_data_module import ClipBatch, ClipDataModule, ClipSplits
from kinegraph.training.recognition_recipe import ClipAugmentRecipe, ClipDataRecipe
from kinegraph.training.recognition_setup import load_clip_splits
from kinegraph.transforms.clips import ClipTransform

JOINTS = small_skeleton().num_joints
AUGMENT = ClipAugmentRecipe(rotation=0.3, scale=0.1, noise=0.01, drop=0.2, crop=0.7, share=0.8)


def module(splits: ClipSplits | None = None, **options: Any) -> ClipDataModule:
    transform = ClipTransform(**{"sampling": "resize", "frames": 7, "people": 2, **options.pop("transform", {})})
    return ClipDataModule(splits or make_clip_splits(), transform, **{"batch": 4, "augment": AUGMENT, **options})


def equal(one: ClipBatch, two: ClipBatch) -> bool:
    return one.step == two.step and all(torch.equal(a, b) for a, b in zip(one[1:], two[1:], strict=True))


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    one, two, other = module(), module(), module(seed=1)
    later = [one.batch_of(step) for step in (5, 0, 3)]
    assert all(equal(batch, two.batch_of(batch.step)) for batch in reversed(later))
    assert not equal(later[0], other.batch_of(5))
    assert not torch.equal(later[1].inputs, later[2].inputs)
    # A pass shows every training clip once.
    labels = torch.cat([one.batch_of(step).labels for step in range(2, 4)])
    clips, train, _ = one.splits
    assert sorted(labels.tolist()) == sorted(clips.labels[train].tolist())


@pytest.mark.parametrize("sampling", ["resize", "all"])
@pytest.mark.parametrize("world", [2, 3])
def test_shares_of_the_processes_make_the_batch(sampling: str, world: int) -> None:
    data = module(transform={"sampling": sampling}, class_weights="balanced")
    for step in range(3):
        whole = data.batch_of(step)
        shares = [data.batch_of(step, rank=rank, world=world) for rank in range(world)]
        for rank, share in enumerate(shares):
            # With `all` too: every process pads to the longest clip of the whole batch.
            for name in ("inputs", "mask", "labels"):
                assert torch.equal(getattr(share, name), getattr(whole, name)[rank::world])
        losses = torch.arange(1.0, 5.0)
        mean = sum((losses[rank::world] * share.weights).mean() for rank, share in enumerate(shares)) / world
        torch.testing.assert_close(mean, (losses * whole.weights).mean())


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_change_nothing(workers: int) -> None:
    data = module(workers=workers)
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(strategy=strategy, global_step=3, global_rank=1, world_size=2, num_devices=1)  # type: ignore[assignment]
    batches = iter(data.train_dataloader())
    for step in range(3, 7):
        assert equal(next(batches), data.batch_of(step, rank=1, world=2))


@pytest.mark.parametrize(("kind", "power"), [("none", 0), ("sqrt", 0.5), ("balanced", 1)])
def test_class_weights_against_numpy(kind: str, power: float) -> None:
    data = module(class_weights=kind)
    clips, train, _ = data.splits
    labels = clips.labels[train]
    counts = np.array([np.sum(labels == label) for label in range(len(ACTIONS))])
    assert len(set(counts.tolist())) > 1
    raw = counts ** -float(power)
    assert data.steps_per_epoch * data.batch == len(labels)  # so that an epoch shows every clip once
    sums = np.zeros(len(ACTIONS))
    for step in range(data.steps_per_epoch):
        batch = data.batch_of(step)
        expected = raw[batch.labels.numpy()] * len(labels) / (raw * counts).sum()
        np.testing.assert_allclose(batch.weights.numpy(), expected, rtol=1e-6)
        np.add.at(sums, batch.labels.numpy(), batch.weights.numpy())
    assert sums.sum() == pytest.approx(len(labels))
    np.testing.assert_allclose(sums / sums[0], counts ** (1 - power) / counts[0] ** (1 - power), rtol=1e-6)


@pytest.mark.parametrize(("kind", "share"), [("none", 0.01), ("sqrt", 1 / (1 + 99**0.5)), ("balanced", 0.5)])
def test_a_rare_class_counts_as_promised(kind: str, share: float) -> None:
    """One clip of a hundred: most batches do not hold it, and those must not count in full for the other class."""
    clips = make_clips([0] * 99 + [1], splits=[("train",)] * 100)
    data = ClipDataModule(
        ClipSplits(clips, np.arange(100), np.arange(0)), ClipTransform(frames=2), batch=10, class_weights=kind
    )
    batches = [data.batch_of(step) for step in range(data.steps_per_epoch)]
    rare = sum(float(batch.weights[batch.labels == 1].sum()) for batch in batches)
    assert rare / sum(float(batch.weights.sum()) for batch in batches) == pytest.approx(share)


def test_a_class_without_training_clips_weighs_nothing() -> None:
    clips = make_clips((0, 0, 1, 1, 1, 1))
    data = ClipDataModule(
        ClipSplits(clips, np.arange(6), np.arange(0)), ClipTransform(frames=5), class_weights="balanced"
    )
    assert data.class_weights[2] == 0
    assert np.isfinite(data.class_weights).all()
    assert float(data.batch_of(0).weights.sum()) == pytest.approx(6)  # all of them are in the batch


def test_all_frames_are_padded_and_masked() -> None:
    splits = make_clip_splits(lengths=(4, 9, 6, 5, 8, 7, 5, 5, 5, 5, 5, 5))
    data = module(splits, transform={"sampling": "all"}, augment=ClipAugmentRecipe(), batch=8)
    batch = data.batch_of(0)
    assert batch.inputs.shape == (8, 2, 9, JOINTS, 3)
    lengths = sorted(batch.mask[:, 0].sum(dim=1).tolist())
    assert lengths == [4, 5, 5, 5, 6, 7, 8, 9]
    assert not batch.inputs[~batch.mask].any()


def test_small_data_make_small_batches() -> None:
    data = module(batch=64)
    assert (data.batch, data.steps_per_epoch) == (8, 1)
    assert module(batch=3).steps_per_epoch == 2


def parts(clips: Any, monkeypatch: pytest.MonkeyPatch, **recipe: Any) -> ClipSplits:
    monkeypatch.setattr(recognition_setup, "open_clips", lambda *_, **__: clips)
    return load_clip_splits(ClipDataRecipe(**{"protocol": "folder", "source": "somewhere", **recipe}), seed=3)


def test_the_containers_own_validation_part_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    named = [("train",)] * 6 + [("val",)] * 2 + [("test",)] * 4
    clips = make_clips(splits=named)
    found = parts(clips, monkeypatch, held_out=0.5)
    assert (found.train.tolist(), found.validation.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7])
    found = parts(clips, monkeypatch, held_out=0)
    assert (found.train.tolist(), found.validation.tolist()) == ([0, 1, 2, 3, 4, 5], [])


def test_val_without_test_is_what_is_tested_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = make_clips(splits=[("xsub_train",)] * 8 + [("xsub_val",)] * 4)
    found = parts(clips, monkeypatch, protocol="xsub", held_out=0.3)
    assert sorted([*found.train, *found.validation]) == list(range(8))
    assert len(found.validation)


def test_a_share_of_each_class_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = make_clips([0] * 10 + [1] * 4 + [2], splits=[("train",)] * 15)
    found = parts(clips, monkeypatch, held_out=0.3)
    assert np.bincount(clips.labels[found.validation], minlength=3).tolist() == [3, 1, 0]
    assert sorted([*found.train, *found.validation]) == list(range(15))
    again = parts(clips, monkeypatch, held_out=0.3)
    assert found.validation.tolist() == again.validation.tolist()
    with pytest.raises(
        ConfigError, match=r"held_out 0.01 of 15 .* largest of which has 10; .* --data.held_out 0.06, or"
    ):
        parts(clips, monkeypatch, held_out=0.01)
    assert len(parts(clips, monkeypatch, held_out=0.06).validation) == 1
    lone = make_clips([0, 1, 2], splits=[("train",)] * 3)
    with pytest.raises(
        ConfigError, match=r"which has 1; train on all of them with --data.held_out 0 --trainer.keep last$"
    ):
        parts(lone, monkeypatch, held_out=0.3)


def test_mistakes_about_clips_name_the_remedy(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = make_clips(splits=[("train",)] * 12)
    with pytest.raises(ConfigError, match=r"'ntu60-xsubb'.*did you mean 'ntu60-xsub'"):
        parts(clips, monkeypatch, protocol="ntu60-xsubb")
    with pytest.raises(ConfigError, match=r"folder has folds 0 to 0; found 3"):
        parts(clips, monkeypatch, fold=3)
    with pytest.raises(DataError, match=r"3 classes; ntu60-xsub has 60"):
        parts(clips, monkeypatch, protocol="ntu60-xsub")
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"data.source: missing; .* ntu60-xsub, as `kinegraph data prepare` wrote"):
        load_clip_splits(ClipDataRecipe(protocol="ntu60-xsub"))
    with pytest.raises(ConfigError, match=r"data.source: missing; .* hdm05-1; did you mean 'hdm05-11'"):
        load_clip_splits(ClipDataRecipe(protocol="hdm05-1"))
    with pytest.raises(DataError, match=r"no prepared clips here \(.* is missing\); run `kinegraph data prepare`"):
        load_clip_splits(ClipDataRecipe(protocol="xsub", source=str(tmp_path)))
    names = [f"S001C001P001R{n:03d}A001" for n in range(1, 4)]
    for name in names:
        (tmp_path / f"{name}.skeleton").write_text("0\n")
    monkeypatch.setattr(opening, "LARGEST_UNPREPARED", 2)
    with pytest.raises(DataError, match=r"3 clips are too many .*kinegraph data prepare ntu60 --source"):
        load_clip_splits(ClipDataRecipe(protocol="ntu60-xsub", source=str(tmp_path)))


def test_recipes_refuse_what_cannot_be(tmp_path: Any) -> None:
    from kinegraph.training.recipe import read_recipe

    for text, message in (
        ("data: {held_out: 1.0}", "held_out: found 1.0, expected a share"),
        ("data: {fold: -1}", "fold: found -1"),
        ("data: {source: x}", "the synthetic clips make themselves"),
        ("data: {held_out: 0}\ntrainer: {patience: 3}", "nothing is held out to stop early by"),
        ("transform: {frames: 0}", "frames 0"),
        ("transform: {prenormalise: psykl}", "did you mean 'pyskl'"),
        ("augment: {rotation: -1}", "rotation"),
        ("augment: {share: 2}", "share: found 2"),
        ("objective: {label_smoothing: 2}", "label_smoothing: found 2"),
        ("objective: {class_weights: even}", "class_weights"),
        ("trainer: {workers: -1}", "workers: found -1"),
        ("trainer: {monitor: accuracy}", "monitor"),
        ("trainer: {batch: 6, devices: 2, nodes: 2}", "6 poses cannot be shared equally by 4 devices"),
    ):
        (tmp_path / "r.yaml").write_text(f"task: recognition\nmodel: {{name: stgcn}}\n{text}\n")
        with pytest.raises(ConfigError, match=message):
            read_recipe(read_yaml(tmp_path / "r.yaml"))
