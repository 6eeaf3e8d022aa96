"""Windows of motion: what a step sees, against slices and interpolations of the clips themselves."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from motion_samples import make_motion, make_splits

from kinegraph.datasets.motion_data import MotionData
from kinegraph.errors import DataError
from kinegraph.training.motion_data_module import MotionBatch, MotionDataModule
from kinegraph.training.motion_recipe import MotionAugmentRecipe
from kinegraph.training.motion_splits import MotionSplits
from kinegraph.training.motion_windows import Draw, MotionFrames, WindowSampler
from kinegraph.transforms.motion import MotionTransform

T, H = 12, 4
LENGTH = T + H


def transform_of(data: MotionData, **options: Any) -> MotionTransform:
    clips: list[Any] = [clip.features for clip in data.clips]
    settings = {"observed": T, "horizon": H, "actions": data.actions, "representation": data.representation}
    return MotionTransform.fit(clips, **(settings | options))


def module(splits: MotionSplits | None = None, **options: Any) -> MotionDataModule:
    splits = splits or make_splits()
    augment = MotionAugmentRecipe(**options.pop("augment", {}))
    return MotionDataModule(splits, transform_of(splits.train), **{"batch": 16, "seed": 3, **options}, augment=augment)


def sampler(data: MotionData, sampling: str = "windows", **augment: Any) -> WindowSampler:
    settings = MotionAugmentRecipe(**augment)
    return WindowSampler(data, LENGTH, observed=T, sampling=sampling, augment=settings, batch=16, seed=0)


def batches(data: MotionDataModule, count: int, *, start: int = 0, rank: int = 0, world: int = 1) -> list[MotionBatch]:
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(
        strategy=strategy, global_rank=rank, world_size=world, num_devices=world, global_step=start
    )  # type: ignore[assignment]
    return list(islice(iter(data.train_dataloader()), count))


def table(data: MotionData, transform: MotionTransform) -> dict[bytes, tuple[int, int]]:
    """Clip and start of every window, by its encoded inputs."""
    found = {}
    for index, clip in enumerate(data.clips):
        encoded = transform.encode(clip.features)
        for start in range(len(encoded) - LENGTH + 1):
            found[encoded[start : start + T].tobytes()] = (index, start)
    return found


def test_an_epoch_sees_every_window_once_with_its_own_future_and_action() -> None:
    data = module(batch=15)
    places = table(data.splits.train, data.transform)
    assert len(places) == len(data.sampler) == 119
    seen = []
    for batch in batches(data, data.steps_per_epoch):
        for inputs, targets, label in zip(batch.inputs, batch.targets, batch.labels, strict=True):
            index, start = places[inputs.numpy().tobytes()]
            clip = data.splits.train.clips[index]
            expected = data.transform.encode(clip.features[start + T : start + LENGTH])
            assert np.array_equal(targets.numpy(), expected)
            assert int(label) == clip.action
            seen.append((index, start))
    assert len(set(seen)) == len(seen) == 7 * 15


def test_starting_later_gives_the_same_batches() -> None:
    options = {"mirror": 0.5, "speed": (0.8, 1.25), "noise": 0.1, "shuffle_targets": 0.3, "shuffle_labels": 0.3}
    for sampling in ("windows", "actions", "clips"):
        straight = batches(module(sampling=sampling, augment=options), 9)[6:]
        for a, b in zip(straight, batches(module(sampling=sampling, augment=options), 3, start=6), strict=True):
            assert a.step == b.step
            assert all(torch.equal(x, y) for x, y in zip(a[1:], b[1:], strict=True))


def test_ranks_share_a_batch_without_overlap() -> None:
    options = {"mirror": 0.5, "speed": (0.8, 1.25), "noise": 0.1}
    whole = batches(module(augment=options), 2)[1]
    for rank in range(2):
        part = batches(module(augment=options), 2, rank=rank, world=2)[1]
        for a, b in zip(part[1:], whole[1:], strict=True):
            assert torch.equal(a, b[rank::2])


@pytest.mark.parametrize("sampling", ["actions", "clips"])
def test_groups_are_seen_equally_often(sampling: str) -> None:
    data = make_motion("uneven", (200, 20, 30, 20), 0)  # action 0 has two clips, one of them long
    chosen = sampler(data, sampling)
    rows = np.concatenate([chosen.rows(step, np.random.default_rng(step)) for step in range(300)])
    clips = np.bincount(chosen.clip[rows], minlength=4) / len(rows)
    windows = np.array([185, 5, 15, 5])
    if sampling == "clips":
        assert clips == pytest.approx([0.25] * 4, abs=0.03)
        assert chosen.steps_per_epoch == 1
    else:
        first = windows[[0, 3]] / windows[[0, 3]].sum() / 3
        assert clips == pytest.approx([first[0], 1 / 3, 1 / 3, first[1]], abs=0.03)


def interpolated(clip: np.ndarray, places: np.ndarray) -> np.ndarray:
    flat = clip.reshape(len(clip), -1)
    columns = [np.interp(places, np.arange(len(clip)), column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(-1, *clip.shape[1:])


def test_tempo_is_changed_by_interpolation_within_the_clip() -> None:
    data = make_motion("train", (40, 16, 17, 60), 1)
    chosen = sampler(data, speed=(0.5, 2.0))
    frames = MotionFrames(data, transform_of(data))
    base = np.cumsum([0, 40, 16, 17])
    speeds = []
    for step in range(20):
        rows = chosen.rows(step, np.random.default_rng(step))
        draw = chosen.draw(step, np.random.default_rng(step))
        gathered = frames.gather(draw).numpy()
        for row, positions, window in zip(rows, draw.positions, gathered, strict=True):
            clip = chosen.clip[row]
            places = positions - base[clip]
            steps = np.diff(places)
            assert steps == pytest.approx(np.full(LENGTH - 1, steps[0]))
            assert places[0] >= 0
            assert places[-1] <= len(data.clips[clip].features) - 1
            expected = interpolated(data.clips[clip].features, places)
            np.testing.assert_allclose(window, transform_of(data).encode(expected), atol=2e-5)
            if clip in (0, 3):
                speeds.append(steps[0])
            else:
                assert steps[0] <= (len(data.clips[clip].features) - 1) / (LENGTH - 1) + 1e-9
    assert 0.5 <= min(speeds) < 0.6
    assert 1.8 < max(speeds) <= 2.0
    assert np.median(speeds) == pytest.approx(1.0, abs=0.12)  # as often faster as slower


def test_a_jump_of_a_full_turn_is_not_interpolated() -> None:
    data = make_motion("train", (30,), 1)
    features = data.clips[0].features.copy()
    features[10:, 1, 0] += 2 * np.pi
    jumping = dataclasses.replace(data, clips=(dataclasses.replace(data.clips[0], features=features),))
    transform = transform_of(jumping)
    draw = Draw(np.array([[9.3, 9.7, 10.5]]), np.array([False]), np.array([0]))
    found = transform.decode(MotionFrames(jumping, transform).gather(draw).numpy(), features[:1])
    assert found[0, :2, 1, 0] == pytest.approx(features[[9, 10], 1, 0], abs=1e-5)
    assert found[0, 0, 2, 0] == pytest.approx(0.7 * features[9, 2, 0] + 0.3 * features[10, 2, 0], abs=1e-5)
    assert found[0, 2, 1, 0] == pytest.approx(features[[10, 11], 1, 0].mean(), abs=1e-5)


def test_mirrored_windows_are_the_mirror_of_the_clip() -> None:
    data = module(augment={"mirror": 1.0})
    train = data.splits.train
    assert train.mirror is not None
    mirrored = dataclasses.replace(
        train, clips=tuple(dataclasses.replace(clip, features=train.mirror(clip.features)) for clip in train.clips)
    )
    places = table(mirrored, data.transform)
    for batch in batches(data, 3):
        assert all(inputs.numpy().tobytes() in places for inputs in batch.inputs)
    half = [sampler(train, mirror=0.5).draw(step, np.random.default_rng(step)).mirrored for step in range(60)]
    assert np.mean(half) == pytest.approx(0.5, abs=0.06)


def test_data_without_a_mirror_image_is_refused() -> None:
    data = dataclasses.replace(make_motion("plain", (30,), 0), mirror=None)
    with pytest.raises(DataError, match="no mirror image"):
        MotionFrames(data, transform_of(data), mirror=True)


def test_workers_draw_the_same_windows_and_end() -> None:
    before = set(multiprocessing.active_children())
    changes = {"speed": (0.8, 1.25), "noise": 0.1}
    alone, helped = (batches(module(augment=changes, workers=n), 4, start=2, rank=1, world=2) for n in (0, 2))
    for one, two in zip(alone, helped, strict=True):
        assert one.step == two.step
        assert all(torch.equal(a, b) for a, b in zip(one[1:], two[1:], strict=True))
    gc.collect()
    assert set(multiprocessing.active_children()) == before


def test_noise_is_on_the_input_of_moving_channels_alone() -> None:
    clean, noisy = (batches(module(augment={"noise": sigma}), 12) for sigma in (0.0, 0.25))
    used = torch.from_numpy(transform_of(make_splits().train).used)
    difference = torch.cat([b.inputs - a.inputs for a, b in zip(clean, noisy, strict=True)])
    assert float(difference[..., used].std()) == pytest.approx(0.25, rel=0.03)
    assert not difference[..., ~used].any()
    assert all(torch.equal(a.targets, b.targets) for a, b in zip(clean, noisy, strict=True))


def test_a_fixed_share_of_futures_and_labels_is_anothers() -> None:
    data = module(augment={"shuffle_targets": 0.4, "shuffle_labels": 0.2}, batch=16)
    plain = module(batch=16)
    learned: dict[bytes, tuple[bytes, int]] = {}
    for step in range(14):  # two epochs
        a, b = (m.batch_of(step) for m in (data, plain))
        assert torch.equal(a.inputs, b.inputs)
        for inputs, targets, label in zip(a.inputs, a.targets, a.labels, strict=True):
            found = (targets.numpy().tobytes(), int(label))
            assert learned.setdefault(inputs.numpy().tobytes(), found) == found  # the same one in every epoch
    chosen = data.sampler
    assert int((chosen.future != np.arange(len(chosen))).sum()) == round(0.4 * len(chosen))
    assert sorted(chosen.future) == list(range(len(chosen)))
    labels = plain.sampler.labels
    assert 0.05 * len(labels) < (chosen.labels != labels).sum() <= round(0.2 * len(labels))
    assert np.array_equal(np.bincount(chosen.labels), np.bincount(labels))


def test_too_short_clips_say_so() -> None:
    short = make_motion("short", (10, 8), 0)
    with pytest.raises(DataError, match="short: no clip has the 16 frames of a window, the longest has 10"):
        sampler(short)


def test_without_any_action_there_is_nothing_to_recognise() -> None:
    splits = make_splits()
    some = (dataclasses.replace(splits.train.clips[0], action=-1), *splits.train.clips[1:])
    module(MotionSplits(dataclasses.replace(splits.train, clips=some), splits.validation))
    none = tuple(dataclasses.replace(clip, action=-1) for clip in splits.train.clips)
    with pytest.raises(DataError, match="no clip has an action to learn"):
        module(MotionSplits(dataclasses.replace(splits.train, clips=none), splits.validation))


def test_splits_on_different_skeletons_are_refused() -> None:
    splits = make_splits()
    other = dataclasses.replace(splits.validation, fps=30.0)
    with pytest.raises(DataError, match="fps: small/train has 60.0, small/val 30.0"):
        module(MotionSplits(splits.train, other))
