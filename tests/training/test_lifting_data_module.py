"""Batches: their order, their windows, their noise and how ranks share them."""

from __future__ import annotations

import dataclasses
import gc
import multiprocessing
from itertools import chain, islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lifting_samples import make_data

from kinegraph.datasets.lifting_data import LiftingData, concatenate
from kinegraph.errors import ConfigError, KinegraphError
from kinegraph.training.lifting_data_module import LiftingBatch, LiftingDataModule
from kinegraph.training.lifting_splits import LiftingSplits, limit_poses, load_lifting_splits, matching_clips
from kinegraph.training.recipe import LiftingAugmentRecipe, LiftingDataRecipe, read_recipe
from kinegraph.transforms.body_variation import BodyVariation
from kinegraph.transforms.detector_noise import DetectorNoise
from kinegraph.transforms.lifting import LiftingTransform


def batches(
    data: LiftingDataModule, count: int, *, start: int = 0, rank: int = 0, world: int = 1
) -> list[LiftingBatch]:
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        global_rank=rank,
        world_size=world,
        num_devices=world,
        global_step=start,
    )
    return list(islice(iter(data.train_dataloader()), count))


def module(splits: LiftingSplits, **options: object) -> LiftingDataModule:
    settings = {"batch": 25, "seed": 3, "transform": LiftingTransform(target="pixel"), **options}
    return LiftingDataModule(splits, **settings)  # type: ignore[arg-type]


def rows_of(data: LiftingDataModule, batch: LiftingBatch) -> list[int]:
    """Which poses a batch holds, found by their targets."""
    distances = torch.cdist(
        batch.targets.flatten(1), data.train.targets.flatten(1), compute_mode="donot_use_mm_for_euclid_dist"
    )
    assert float(distances.min(dim=1).values.max()) < 1e-5
    return distances.argmin(dim=1).tolist()


def test_an_epoch_sees_every_pose_once_and_the_next_in_another_order(splits: LiftingSplits) -> None:
    data = module(splits)
    assert data.steps_per_epoch == 4
    found = [rows_of(data, batch) for batch in batches(data, 8)]
    first, second = list(chain(*found[:4])), list(chain(*found[4:]))
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second


def test_every_body_is_drawn_as_often_as_every_other() -> None:
    much, little = make_data("much", 9, 10, 1), make_data("little", 1, 10, 2)
    root = little.camera_m[:, :1]
    smaller = dataclasses.replace(
        little,
        camera_m=root + 0.8 * (little.camera_m - root),
        subject_names=("other",),
        clip_names=("c",),
        fingerprint="",
    )
    splits = LiftingSplits(concatenate([much, smaller], "both"), much)
    data = module(splits, balance="bodies")
    assert (data.bodies, data.steps_per_epoch) == (2, 4)
    drawn = [rows_of(data, batch) for batch in batches(data, 80)]
    rows = np.array(list(chain(*drawn)))
    assert np.mean(rows >= 90) == pytest.approx(0.5, abs=0.05)
    assert set(rows.tolist()) == set(range(100))
    assert drawn[:4] != drawn[4:8]
    assert [rows_of(data, batch) for batch in batches(data, 2, start=5)] == drawn[5:7]
    assert np.mean(np.array([rows_of(module(splits), batch) for batch in batches(module(splits), 4)]) >= 90) == 0.1


def test_inputs_and_targets_belong_together(splits: LiftingSplits) -> None:
    data = module(splits)
    batch = batches(data, 1)[0]
    rows = rows_of(data, batch)
    torch.testing.assert_close(batch.inputs, data.train.inputs[rows])


def test_starting_later_gives_the_same_batches(splits: LiftingSplits) -> None:
    data = module(splits, augment=LiftingAugmentRecipe(noise=DetectorNoise()))
    straight = batches(data, 9)[6:]
    resumed = batches(data, 3, start=6)
    for a, b in zip(straight, resumed, strict=True):
        assert a.step == b.step
        assert torch.equal(a.inputs, b.inputs)
        assert torch.equal(a.targets, b.targets)
        assert torch.equal(a.flip, b.flip)


def test_ranks_share_a_batch_without_overlap(splits: LiftingSplits) -> None:
    data = module(splits, batch=20, augment=LiftingAugmentRecipe(noise=DetectorNoise()))
    whole = batches(data, 3)[2]
    parts = [batches(data, 3, rank=rank, world=2)[2] for rank in range(2)]
    for rank, part in enumerate(parts):
        assert torch.equal(part.inputs, whole.inputs[rank::2])
        assert torch.equal(part.targets, whole.targets[rank::2])
        assert torch.equal(part.flip, whole.flip[rank::2])


def test_half_of_the_poses_are_mirrored_or_none(splits: LiftingSplits) -> None:
    flips = torch.cat([batch.flip for batch in batches(module(splits), 40)]).float()
    assert float(flips.mean()) == pytest.approx(0.5, abs=0.08)
    none = batches(module(splits, augment=LiftingAugmentRecipe(flip=False)), 8)
    assert not any(batch.flip.any() for batch in none)


def test_windows_stay_inside_their_clip(splits: LiftingSplits) -> None:
    data = module(splits, frames=5, step=2)
    batch = batches(data, 1)[0]
    assert batch.inputs.shape == (25, 5, 17, 2)
    for window, row in zip(batch.inputs, rows_of(data, batch), strict=True):
        clip = row // 25
        wanted = [min(max(row + offset, clip * 25), clip * 25 + 24) for offset in (-4, -2, 0, 2, 4)]
        torch.testing.assert_close(window, data.train.inputs[wanted])


@pytest.mark.parametrize("frames", [1, 3])
def test_noise_disturbs_the_input_and_not_the_target(splits: LiftingSplits, frames: int) -> None:
    noise = DetectorNoise(sigma_px=5, drop=0.2, correlation=0.5)
    transform = LiftingTransform(target="metric", confidence=True)
    data = module(splits, frames=frames, transform=transform, augment=LiftingAugmentRecipe(noise=noise))
    found = batches(data, 12)
    rows = [rows_of(data, batch) for batch in found]
    clean = torch.cat([data.train.gather_inputs(torch.tensor(r)) for r in rows])
    noisy = torch.cat([batch.inputs for batch in found])
    seen = noisy[..., 2] > 0
    assert float(seen.float().mean()) == pytest.approx(0.8, abs=0.02)
    assert torch.equal(noisy[~seen], torch.zeros_like(noisy[~seen]))
    moved_px = ((noisy - clean)[..., :2][seen] * 500).std()  # 2 units are the 1000 px of the image
    assert float(moved_px) == pytest.approx(5, rel=0.05)


def test_noise_levels_are_drawn_by_lot(splits: LiftingSplits) -> None:
    """A third of the poses is exact, a third has the noise, a third three times as much."""
    data = module(splits, augment=LiftingAugmentRecipe(noise=DetectorNoise(sigma_px=5, drop=0), noise_levels=(0, 1, 3)))
    found = batches(data, 40)
    off = torch.cat([b.inputs - data.train.inputs[rows_of(data, b)] for b in found])[..., :2] * 500
    sigma = off.flatten(1).std(dim=1)  # of a pose, over 34 coordinates
    exact, plain, strong = sigma == 0, (sigma > 0) & (sigma < 8.5), sigma >= 8.5
    for share in (exact, plain, strong):
        assert float(share.float().mean()) == pytest.approx(1 / 3, abs=0.05)
    assert float(off[plain].std()) == pytest.approx(5, rel=0.05)
    assert float(off[strong].std()) == pytest.approx(15, rel=0.05)


@pytest.mark.parametrize("levels", [(), (-1.0,), (float("nan"),)])
def test_noise_levels_must_be_factors(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="noise_levels"):
        LiftingAugmentRecipe(noise=DetectorNoise(), noise_levels=levels)


def test_noise_levels_without_noise_are_refused() -> None:
    with pytest.raises(ValueError, match="no noise for them to scale"):
        LiftingAugmentRecipe(noise_levels=(0, 1, 2))


def test_more_batch_than_poses_takes_them_all(splits: LiftingSplits) -> None:
    data = module(splits, batch=256)
    assert data.steps_per_epoch == 1
    assert sorted(rows_of(data, batches(data, 2)[1])) == list(range(100))


def test_limit_poses_keeps_whole_clips(splits: LiftingSplits) -> None:
    some = limit_poses(splits.train, 60)
    assert np.array_equal(np.unique(some.clip, return_counts=True)[1], [25, 25])
    assert len(limit_poses(splits.train, 10)) == 10
    assert limit_poses(splits.train, 100) is splits.train


def test_clips_are_chosen_by_pattern(splits: LiftingSplits) -> None:
    data = splits.train.replace(clip_names=("cmu/a", "hdm05/b", "cmu/c", "hdm05/d"))
    kept = matching_clips(data, "cmu/*")
    assert len(kept) == 50
    assert {data.clip_names[c] for c in np.unique(kept.clip)} == {"cmu/a", "cmu/c"}
    assert kept.name == "tiny/train [cmu/*]"
    with pytest.raises(ConfigError, match=r"no clip of tiny/train matches 'ntu/\*'; names are like cmu/a"):
        matching_clips(data, "ntu/*")


def test_synthetic_motion_joins_the_recordings(splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinegraph.datasets import mocap_lifting, synthetic

    rates = []

    def load(split: str, config: Any) -> LiftingData:
        rates.append(config.motion.fps)
        return splits.validation.replace(name="made", fps=config.motion.fps, skeleton=splits.train.skeleton)

    monkeypatch.setattr(mocap_lifting, "load", lambda source, extra: {"train": splits.train, "val": splits.validation})
    monkeypatch.setattr(synthetic, "load", load)
    found = load_lifting_splits(
        LiftingDataRecipe(name="mocap-lifting", source="x", add_synthetic=True, clips="clip[01]")
    )
    assert rates == [splits.train.fps]
    assert len(found.train) == 50 + 20
    assert len(found.validation) == 20
    with pytest.raises(ValueError, match="it goes with mocap-lifting"):
        LiftingDataRecipe(name="synthetic", add_synthetic=True)
    with pytest.raises(ValueError, match="validation: synthetic has validation people of its own; it goes with h36m"):
        LiftingDataRecipe(name="synthetic", validation=("P03",))


def test_mocap_without_a_source_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match=r"data.source: missing; .*--data.source DIR"):
        load_lifting_splits(LiftingDataRecipe(name="mocap-lifting"))


def write_h36m(folder: Path) -> None:
    """Random motion about the middle of the studio, in the layout VideoPose3D established."""
    rng = np.random.default_rng(0)
    poses = {
        subject: {"Walking": rng.normal(0, 0.3, (6, 32, 3)).astype(np.float32) + np.array([0, 0, 1], dtype=np.float32)}
        for subject in ("S1", "S5", "S6", "S7", "S8")
    }
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(poses, dtype=object))


def test_h36m_holds_out_a_training_subject(tmp_path: Path) -> None:
    write_h36m(tmp_path)
    train, validation = load_lifting_splits(LiftingDataRecipe(name="h36m", source=str(tmp_path)))
    assert set(train.subject_names) == {"S1", "S5", "S6", "S7"}
    assert set(validation.subject_names) == {"S8"}
    assert (len(train), len(validation)) == (4 * 4 * 6, 4 * 6)  # subjects x cameras x frames


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": None}, "data.source: missing"),
        ({"validation": ("S9",)}, r"data.validation: found 'S9', expected training subjects \(S1, S5"),
        ({"validation": ()}, "hold out at least one"),
        ({"validation": ("S1", "S5", "S6", "S7", "S8")}, "leave one to train on"),
        ({"extra": ("x",)}, "reads one folder"),
        ({"input": "cpn"}, "data_2d_h36m_cpn.npz"),
    ],
)
def test_h36m_mistakes(changes: dict[str, object], message: str, tmp_path: Path) -> None:
    write_h36m(tmp_path)
    settings = {"name": "h36m", "source": str(tmp_path), **changes}
    with pytest.raises(KinegraphError, match=message):
        load_lifting_splits(LiftingDataRecipe(**settings))  # type: ignore[arg-type]


def test_synthetic_with_a_source_is_refused() -> None:
    with pytest.raises(ConfigError, match="remove source"):
        load_lifting_splits(LiftingDataRecipe(name="synthetic", source="somewhere"))


BODY = BodyVariation(size=0.1, limbs=0.1, turn_deg=45, distance=0.2)


@pytest.mark.parametrize("frames", [1, 9])
@pytest.mark.parametrize("target", ["pixel", "metric"])
def test_varied_bodies_are_filmed_anew(splits: LiftingSplits, frames: int, target: Any) -> None:
    """The 2D input of a varied pose is the projection of its 3D target, at the window's target frame."""
    transform = LiftingTransform(target=target)
    data = module(splits, transform=transform, frames=frames, augment=LiftingAugmentRecipe(body=BODY))
    rows = np.arange(40)
    inputs, targets = data.drawn_poses(rows, np.random.default_rng(0))
    centre = inputs if frames == 1 else inputs[:, frames // 2]
    train = splits.train
    assert np.abs(targets - data.train.targets[torch.from_numpy(rows)].numpy()).max() > 0.02
    camera = BODY.apply(
        train.camera_m[rows[:, None] if frames == 1 else data.train.windows.numpy()[rows]],  # type: ignore[union-attr]
        np.random.default_rng(0),
        skeleton=train.skeleton,
    )[:, frames // 2]
    focal, centre_px = train.intrinsics[rows, None, :2], train.intrinsics[rows, None, 2:]
    pixels = camera[..., :2] / camera[..., 2:] * focal + centre_px
    expected = transform.encode_inputs(pixels, np.ones(pixels.shape[:-1]), train.image_size[rows])
    np.testing.assert_allclose(centre, expected, atol=1e-5)
    if target == "metric":
        np.testing.assert_allclose(targets * transform.scale, camera - camera[:, train.root, None], atol=1e-5)


def test_varied_bodies_resume_and_are_shared_between_ranks(splits: LiftingSplits) -> None:
    data = module(
        splits, batch=20, augment=LiftingAugmentRecipe(body=BODY, noise=DetectorNoise(), noise_levels=(0, 1, 2))
    )
    whole = batches(data, 3)[2]
    later = batches(data, 1, start=2)[0]
    assert torch.equal(whole.inputs, later.inputs)
    assert torch.equal(whole.targets, later.targets)
    for rank in range(2):
        part = batches(data, 3, rank=rank, world=2)[2]
        assert torch.equal(part.inputs, whole.inputs[rank::2])
        assert torch.equal(part.targets, whole.targets[rank::2])


DRAWN = LiftingAugmentRecipe(
    body=BodyVariation(size=0.1, limbs=0.1, turn_deg=45, tilt_deg=5, distance=0.2, mix=0.5),
    noise=DetectorNoise(outlier=0.1, swap=0.3, cut=0.3, fading=0.1, correlation=0.9),
    noise_levels=(0, 1, 2),
)


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("world", [2, 20])
def test_a_rank_makes_its_share_alone_and_it_is_the_share_of_the_whole(
    splits: LiftingSplits, frames: int, world: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = LiftingTransform(target="metric", normalise="box", confidence=True)
    data = module(splits, batch=20, frames=frames, transform=transform, augment=DRAWN)
    whole = data.batch_of(6)
    made = []
    encode = LiftingTransform.encode_inputs

    def counted(self: LiftingTransform, keypoints: Any, *others: Any) -> Any:
        made.append(len(keypoints))
        return encode(self, keypoints, *others)

    monkeypatch.setattr(LiftingTransform, "encode_inputs", counted)
    for rank in range(world):
        part = data.batch_of(6, rank=rank, world=world)
        assert torch.equal(part.inputs, whole.inputs[rank::world])
        assert torch.equal(part.targets, whole.targets[rank::world])
        assert torch.equal(part.flip, whole.flip[rank::world])
    assert made == [20 // world] * world


def test_workers_draw_the_same_batches_and_end(splits: LiftingSplits) -> None:
    before = set(multiprocessing.active_children())
    data = module(splits, batch=20, augment=DRAWN)
    alone = batches(data, 5, start=3)
    helped = module(splits, batch=20, augment=DRAWN, workers=2)
    found = batches(helped, 5, start=3)
    for one, two in zip(alone, found, strict=True):
        assert one.step == two.step
        assert all(torch.equal(a, b) for a, b in zip(one[1:], two[1:], strict=True))
    gc.collect()
    assert set(multiprocessing.active_children()) == before


SUMS = [432.731951596, 803.371458118, 1338.167402677, 803.371458118]


def test_batches_are_those_that_the_shipped_lifters_learned_from(splits: LiftingSplits) -> None:
    """Sums over the batches that were drawn before they were drawn faster and by share."""
    found = []
    for frames in (1, 3):
        transform = LiftingTransform(target="metric", normalise="box", confidence=True)
        data = module(splits, batch=20, frames=frames, transform=transform, augment=DRAWN)
        batch = data.batch_of(6)
        found += [float(batch.inputs.double().abs().sum()), float(batch.targets.double().abs().sum())]
    assert found == pytest.approx(SUMS, rel=1e-6)  # inputs and targets of one frame, and of three


def test_varied_bodies_refuse_keypoints_they_would_not_use() -> None:
    with pytest.raises(ConfigError, match=r"augment\.body"):
        read_recipe(
            {"task": "lift", "model": {"name": "fcn"}, "data": {"input": "noisy"}, "augment": {"body": {"size": 0.1}}}
        )
