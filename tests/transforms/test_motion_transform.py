"""Motion features to network input and back."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.config import from_dict, to_dict
from kinegraph.errors import ConfigError, DataError
from kinegraph.transforms.motion import MotionTransform


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(frames, 4, 3)) * [1.0, 10.0, 0.1] + [3, 0, -1] for frames in (30, 50)]
    for clip in clips:
        clip[:, 1, 2] = 0.7  # never moves
        clip[:, 2, 0] *= 1e-6
    return clips


def test_fit_takes_mean_and_deviation_of_all_frames(clips):
    transform = MotionTransform.fit(clips, fps=30.0, observed=5, horizon=2)
    frames = np.concatenate(clips)
    np.testing.assert_allclose(transform.mean, frames.mean(axis=0))
    expected = np.where(frames.std(axis=0) >= 1e-4, frames.std(axis=0), 0)
    np.testing.assert_allclose(transform.scale, expected)
    assert not transform.used[1, 2]
    assert not transform.used[2, 0]
    assert transform.used.sum() == 10
    assert (transform.fps, transform.observed, transform.horizon, transform.joints) == (30.0, 5, 2, 4)
    coded = transform.encode(frames)
    assert coded.dtype == np.float32
    np.testing.assert_allclose(coded[:, transform.used].std(axis=0), 1, rtol=1e-5)
    assert not coded[:, ~transform.used].any()


def test_one_scale_and_chosen_channels(clips):
    keep = np.zeros((4, 3), dtype=bool)
    keep[0] = keep[1] = True
    transform = MotionTransform.fit(clips, per_channel=False, keep=keep)
    scales = {value for row in transform.scale for value in row}
    assert scales == {0.0, max(scales)}
    used = keep.copy()
    used[1, 2] = False
    np.testing.assert_array_equal(transform.used, used)
    deviation = np.concatenate(clips).std(axis=0)[used]
    assert max(scales) == pytest.approx(np.sqrt((deviation**2).mean()))


def test_decode_undoes_encode_and_keeps_the_last_value_of_what_never_moves(clips):
    transform = MotionTransform.fit(clips)
    x = np.random.default_rng(1).normal(size=(2, 6, 4, 3))
    last = x[:, 2]
    back = transform.decode(transform.encode(x), last)
    assert back.dtype == np.float64
    np.testing.assert_allclose(back[..., transform.used], x[..., transform.used], atol=1e-5)
    held = np.broadcast_to(last[:, None], x.shape)
    np.testing.assert_array_equal(back[..., ~transform.used], held[..., ~transform.used])


def test_bad_features_are_refused(clips):
    transform = MotionTransform.fit(clips)
    with pytest.raises(DataError, match=r"expected \(\.\.\., 4, 3\)"):
        transform.encode(np.zeros((2, 5, 3)))
    with pytest.raises(DataError, match="NaN"):
        transform.encode(np.full((2, 4, 3), np.nan))
    with pytest.raises(DataError, match="no channel"):
        MotionTransform.fit([np.ones((9, 4, 3))])


@pytest.mark.parametrize(
    "wrong",
    [
        {"representation": "angles"},
        {"root": "path"},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"observed": 1},
        {"horizon": -1},
        {"mean": ()},
        {"mean": ((0.0, 0.0),), "scale": ((1.0, 1.0),)},
        {"scale": ((1.0, 1.0, 1.0),)},
        {"scale": ((1.0, -1.0, 1.0), (1.0, 1.0, 1.0))},
        {"mean": ((0.0, float("inf"), 0.0), (0.0, 0.0, 0.0))},
    ],
)
def test_bad_settings_are_refused(wrong):
    good = {"mean": ((0.0, 0.0, 0.0),) * 2, "scale": ((1.0, 1.0, 0.0),) * 2}
    MotionTransform(**good)
    with pytest.raises(ConfigError):
        MotionTransform(**(good | wrong))


def test_survives_its_own_json(clips):
    transform = MotionTransform.fit(clips, actions=("walk", "run"), representation="positions", root="heading")
    assert from_dict(MotionTransform, to_dict(transform), "transform") == transform
