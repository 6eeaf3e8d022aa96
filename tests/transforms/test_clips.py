"""Augmentations, frame sampling and the whole way from a clip to network input, against slow references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.config import from_dict, to_dict
from kinegraph.errors import ConfigError, DataError
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms import clip_augment as aug
from kinegraph.transforms.clip_augment import ClipAugmentation
from kinegraph.transforms.clip_sampling import crop_bounds, resize, sample_frames
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import PreNormalise

NTU = get_skeleton("ntu25")


def generator(seed=0):
    return np.random.default_rng(seed)


def clip(people=2, frames=9, dims=3, seed=1):
    return generator(seed).normal(size=(people, frames, 25, dims))


def test_rotation_is_about_x_then_y_then_z() -> None:
    x = clip()
    angles = generator().uniform(-0.3, 0.3, 3)
    expected = Rotation.from_euler("xyz", angles).apply(x.reshape(-1, 3)).reshape(x.shape)
    np.testing.assert_allclose(aug.random_rotation(x, 0.3, generator()), expected, atol=1e-12)
    flat = clip(dims=2)
    turned = aug.random_rotation(flat, 3.0, generator())
    angle = generator().uniform(-3, 3)
    np.testing.assert_allclose(turned @ [1, 1j], flat @ [1, 1j] * np.exp(1j * angle), atol=1e-12)


def test_scale_and_shear() -> None:
    x = clip()
    factors = generator().uniform(0.8, 1.2, 3)
    np.testing.assert_allclose(aug.random_scale(x, 0.2, generator()), x * factors)
    matrix = generator().uniform(-0.5, 0.5, (3, 3))
    sheared = aug.random_shear(x, 0.5, generator())
    for axis in range(3):
        expected = x[..., axis] + sum(matrix[axis, other] * x[..., other] for other in range(3) if other != axis)
        np.testing.assert_allclose(sheared[..., axis], expected)


def test_noise_has_the_stated_size_and_leaves_gaps() -> None:
    x = np.zeros((2, 40, 25, 3))
    x[1, 3] = np.nan
    noisy = aug.jitter(x, 0.01, generator())
    assert np.isnan(noisy[1, 3]).all()
    assert abs(np.nanstd(noisy) - 0.01) < 5e-4


@pytest.mark.parametrize("frames", [False, True])
def test_dropped_joints(frames) -> None:
    x = np.ones((20, 10, 25, 3))
    gone = np.isnan(aug.drop_joints(x, 0.2, generator(), frames=frames)).all(axis=-1)
    assert abs(gone.mean() - 0.2) < 0.03
    assert (gone == gone[:, :1]).all() == (not frames)
    nearly = aug.drop_joints(x, 0.999, generator(), frames=frames)
    assert np.isfinite(nearly).any(axis=(2, 3)).all()
    one = np.full_like(x, np.nan)
    one[:, :, 7] = 1.0  # the only joint that is seen stays
    np.testing.assert_array_equal(aug.drop_joints(one, 0.9, generator(), frames=frames), one)


def test_strengths_out_of_range() -> None:
    for fields in ({"rotation": -1}, {"scale": 1.0}, {"noise": np.inf}, {"drop": 1.0}, {"crop": 0}, {"shear": np.nan}):
        with pytest.raises(ConfigError, match=f"augmentation.{next(iter(fields))}"):
            ClipAugmentation(**fields)


@settings(max_examples=60, deadline=None)
@given(frames=st.integers(1, 60), length=st.integers(1, 60), seed=st.integers(0, 50), random=st.booleans())
def test_sampled_frames(frames, length, seed, random) -> None:
    rng = generator(seed) if random else None
    uniform = sample_frames(frames, length, "uniform", rng)
    assert len(uniform) == length
    assert 0 <= uniform.min() <= uniform.max() < frames
    if frames >= length:
        assert (np.diff(uniform) > 0).all()
    if frames >= 2 * length or (frames >= length and not random):  # one of each stretch
        for place, frame in enumerate(uniform):
            assert place * frames // length <= frame < (place + 1) * frames // length
    window = sample_frames(frames, length, "window", rng)
    assert (np.diff(window) % frames == 1 % frames).all()
    if frames >= length:
        assert window.max() - window.min() == length - 1
    assert sample_frames(frames, length, "repeat", rng).tolist() == [n % frames for n in range(length)]
    assert sample_frames(frames, length, "all", rng).tolist() == list(range(frames))
    first, last = crop_bounds(frames, 0.5, generator(seed))
    assert 0 <= first < last <= frames
    assert last - first >= min(round(0.5 * frames), frames - 1)


def test_every_frame_can_be_drawn() -> None:
    for frames, length in ((9, 7), (30, 7), (5, 9)):
        drawn = {int(f) for seed in range(200) for f in sample_frames(frames, length, "uniform", generator(seed))}
        assert drawn == set(range(frames))


def slow_resize(x, length):
    frames = x.shape[1]
    result = np.empty((x.shape[0], length, *x.shape[2:]))
    for i in range(length):
        at = min(max((i + 0.5) * frames / length - 0.5, 0), frames - 1)
        low = int(np.floor(at))
        high = min(low + 1, frames - 1)
        result[:, i] = (1 - (at - low)) * x[:, low] + (at - low) * x[:, high]
    return result


@pytest.mark.parametrize("length", [1, 4, 9, 20])
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_resize(length, frames) -> None:
    x = clip(frames=frames)
    np.testing.assert_allclose(resize(x, length), slow_resize(x, length), atol=1e-12)


def test_resize_as_torch_does() -> None:
    import torch

    x = clip()
    flat = torch.tensor(x).permute(0, 2, 3, 1).reshape(1, -1, 9)
    expected = torch.nn.functional.interpolate(flat, size=20, mode="linear", align_corners=False)
    np.testing.assert_allclose(resize(x, 20), expected.reshape(2, 25, 3, 20).permute(0, 3, 1, 2).numpy(), atol=1e-12)


def test_resize_over_gaps_takes_the_frame_that_is_there() -> None:
    x = clip(people=1, frames=4)
    x[0, 1, 7] = np.nan
    found = resize(x, 8)  # new frames at 0, 0.25, 0.75, 1.25, 1.75, ...
    np.testing.assert_array_equal(found[0, 1:5, 7], x[0, [0, 0, 2, 2], 7])
    np.testing.assert_allclose(found[0, 2, 6], 0.25 * x[0, 0, 6] + 0.75 * x[0, 1, 6])
    x[0, 1:3] = np.nan
    assert np.isnan(resize(x, 12)[0, 5]).all()


def test_encode_by_hand() -> None:
    x = clip(people=3, frames=5).astype(np.float32)
    x[1, 4] = np.nan
    x[0, 2, 3] = np.nan
    transform = ClipTransform(sampling="repeat", frames=7, stream="bone-motion", people=2)
    found, mask = transform.encode(x, NTU)
    taken = (x - x[0, 0, 1])[:2][:, [0, 1, 2, 3, 4, 0, 1]]
    bones = taken - taken[:, :, [p if p >= 0 else j for j, p in enumerate(NTU.parents)]]
    expected = np.concatenate([bones[:, 1:] - bones[:, :-1], bones[:, -1:] * 0], axis=1)
    np.testing.assert_array_equal(found, np.nan_to_num(expected))
    assert found.dtype == np.float32
    assert mask.tolist() == [[True] * 7, [True] * 4 + [False] + [True] * 2]


@pytest.mark.parametrize("convention", ["2s-agcn", "pyskl", "ctr-gcn", "upright"])
def test_where_a_clip_stands_is_nothing_to_the_network(convention) -> None:
    x = clip()
    transform = ClipTransform(prenormalise=PreNormalise(convention=convention), frames=9)
    near, _ = transform.encode(x, NTU)
    far, _ = transform.encode(x + np.array([5e6, -2e5, 5e6]), NTU)
    assert far.dtype == np.float32
    np.testing.assert_allclose(far, near, atol=1e-5)


def test_clips_of_a_store_are_computed_in_float32_as_ever() -> None:
    transform = ClipTransform(prenormalise=PreNormalise(convention="ctr-gcn"), sampling="all", people=2)
    for dtype in (np.float32, np.float16):
        x = clip().astype(dtype)
        single = x.astype(np.float32)
        np.testing.assert_array_equal(transform.encode(x, NTU)[0], single - single[0, 0, NTU.index("spine")])


def test_missing_people_are_zero_and_masked() -> None:
    found, mask = ClipTransform(people=3, frames=8).encode(clip(people=1), NTU)
    assert found.shape == (3, 8, 25, 3)
    assert not found[1:].any()
    assert mask.sum(axis=1).tolist() == [8, 0, 0]


def test_confidence_is_a_channel() -> None:
    layout = get_skeleton("openpose18")
    x = generator().random((1, 4, 18, 2))
    sure = generator(1).random((1, 4, 18))
    x[0, 1, 2] = np.nan
    transform = ClipTransform(
        dims=2, confidence=True, sampling="all", people=1, prenormalise=PreNormalise(convention="none")
    )
    found, _ = transform.encode(x, layout, sure)
    assert (transform.channels, found.shape) == (3, (1, 4, 18, 3))
    sure[0, 1, 2] = 0
    np.testing.assert_allclose(found[..., 2], sure, rtol=1e-6)
    assert not found[0, 1, 2].any()
    np.testing.assert_array_equal(transform.encode(x, layout)[0][..., 2], np.isfinite(x).all(axis=-1))


def test_training_is_random_and_repeatable() -> None:
    transform = ClipTransform(frames=6)
    strong = ClipAugmentation(rotation=0.3, scale=0.1, shear=0.1, noise=0.01, drop=0.3, crop=0.5)
    x = clip()
    one, two, other = (transform.encode(x, NTU, rng=generator(seed), augmentation=strong)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_array_equal(transform.encode(x, NTU)[0], transform.encode(x, NTU, rng=generator())[0])
    with pytest.raises(ConfigError, match="needs a generator"):
        transform.encode(x, NTU, augmentation=strong)


def test_settings_survive_saving_and_are_checked() -> None:
    transform = ClipTransform(
        prenormalise=PreNormalise(convention="pyskl"), stream="bone", actions=("a", "b"), fps=30.0
    )
    assert from_dict(ClipTransform, to_dict(transform)) == transform
    for fields in ({"stream": "bones"}, {"sampling": "x"}, {"frames": 0}, {"dims": 4}):
        with pytest.raises(ConfigError, match=f"transform.*{next(iter(fields))}"):
            ClipTransform(**fields)
    with pytest.raises(DataError, match=r"shape \(2, 9, 25, 2\)"):
        transform.encode(clip(dims=2), NTU)
    with pytest.raises(DataError, match="infinite"):
        transform.encode(np.full((1, 2, 25, 3), np.inf), NTU)


def test_mirrored_clips() -> None:
    body = get_skeleton("h36m17")
    x = np.random.default_rng(0).normal(size=(2, 3, 17, 3))
    found = aug.mirror(x, body)
    for joint, name in enumerate(body.joints):
        side, _, rest = name.partition("_")
        other = {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)
        np.testing.assert_array_equal(found[:, :, joint], x[:, :, body.index(other)] * [-1, 1, 1])
    np.testing.assert_array_equal(aug.mirror(found, body), x)
    np.testing.assert_allclose(aug.mirror(x, body, 1.0), np.array([1, 0, 0]) + found)
    always, never = ClipAugmentation(mirror=1.0), ClipAugmentation()
    flat, sure = x[..., :2], np.random.default_rng(1).uniform(0.1, 1, x.shape[:3]).astype(np.float32)
    plain = PreNormalise(convention="none")
    transform = ClipTransform(prenormalise=plain, frames=3, people=2, dims=2, confidence=True)

    def seen(augmentation: ClipAugmentation | None, transform: ClipTransform = transform) -> np.ndarray:
        return transform.encode(flat, body, sure, rng=np.random.default_rng(2), augmentation=augmentation)[0]

    np.testing.assert_array_equal(seen(never), seen(None))
    # the confidence goes with its joint: whoever exchanges the joints has to exchange it as well
    expected = np.concatenate([found[..., :2], sure[:, :, list(body.mirror), None]], axis=-1)
    np.testing.assert_array_equal(seen(always), expected.astype(np.float32))
    # fractions of a picture stay in it, as under --mirror-test; laid round the body, they are mirrored there
    picture = replace(transform, unit="normalized")
    np.testing.assert_allclose(seen(always, picture), np.array([1, 0, 0]) + expected, atol=1e-6)
    with pytest.raises(ConfigError, match=r"^augmentation.mirror: under prenormalise none, clips in px are mirrored"):
        seen(always, replace(transform, unit="px"))
    seen(never, replace(transform, unit="px"))
    laid = replace(picture, prenormalise=PreNormalise(convention="ctr-gcn"))
    assert np.abs(seen(always, laid)[..., :2] - expected[..., :2]).max() > 0.1
    np.testing.assert_allclose(seen(always, laid)[..., :2], aug.mirror(seen(never, laid)[..., :2], body), atol=1e-6)
