"""Smoothing against least squares solved frame by frame, and the one-euro filter against its recursion."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.smoothing import OneEuro, local_polynomial, one_euro, smooth, smooth_array

BODY = Skeleton(name="two", joints=("a", "b"), parents=(-1, 0))


def reference(values: np.ndarray, weights: np.ndarray, kernel: np.ndarray, degree: int) -> np.ndarray:
    """A separate least-squares fit for every frame of one series."""
    half, frames = len(kernel) // 2, len(values)
    result = np.full(frames, np.nan)
    for t in range(frames):
        rows = [k for k in range(max(0, t - half), min(frames, t + half + 1)) if weights[k] > 0]
        if not rows:
            continue
        w = np.array([kernel[k - t + half] * weights[k] for k in rows])
        order = max((d for d in range(degree + 1) if d == 0 or len(rows) > d + 1), default=0)
        design = np.vander(np.array([k - t for k in rows], dtype=float), order + 1, increasing=True)
        root = np.sqrt(w)[:, None]
        result[t] = np.linalg.lstsq(design * root, values[rows] * root[:, 0], rcond=None)[0][0]
    return result


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_local_polynomial_is_least_squares(degree: int) -> None:
    rng = np.random.default_rng(degree)
    values, weights = rng.normal(size=(40, 3)), rng.uniform(0.1, 1, (40, 3))
    weights[rng.random((40, 3)) < 0.35] = 0
    weights[10:24, 1] = 0
    values[weights == 0] = np.nan
    kernel = np.exp(-0.5 * (np.arange(-5, 6) / 2.0) ** 2)
    got = local_polynomial(values, weights, kernel, degree)
    for series in range(3):
        np.testing.assert_allclose(
            got[:, series], reference(values[:, series], weights[:, series], kernel, degree), atol=1e-7
        )
    assert np.isnan(got[16, 1])


def test_a_flat_kernel_is_savitzky_golay() -> None:
    scipy_signal = pytest.importorskip("scipy.signal")
    values = np.random.default_rng(0).normal(size=(50, 1))
    got = local_polynomial(values, np.ones_like(values), np.ones(9), 2)
    want = scipy_signal.savgol_filter(values, 9, 2, axis=0)
    np.testing.assert_allclose(got[4:-4], want[4:-4], atol=1e-9)


def moving(frames: int, noise: float, seed: int = 0) -> tuple[SkeletonSequence, np.ndarray]:
    t = np.arange(frames) / 30
    truth = np.stack(
        [np.stack([np.sin(3 * t), np.cos(2 * t), t], -1), np.stack([t, np.sin(t), np.cos(5 * t)], -1)], axis=1
    )[None]
    noisy = truth + noise * np.random.default_rng(seed).normal(size=truth.shape)
    return SkeletonSequence(noisy, BODY, fps=30, space="camera"), truth


def test_smoothing_removes_noise_without_a_shift() -> None:
    given, truth = moving(120, 0.02)
    got = smooth(given, 0.08)
    before, after = np.abs(given.positions - truth).mean(), np.abs(got.positions - truth).mean()
    assert after < 0.6 * before
    # Zero phase: the error does not fall when the result is moved by a frame either way.
    shifted = min(
        np.abs(got.positions[:, 1:] - truth[:, :-1]).mean(), np.abs(got.positions[:, :-1] - truth[:, 1:]).mean()
    )
    assert after < shifted


def test_missing_stays_missing_and_zero_does_nothing() -> None:
    given, _ = moving(30, 0.01)
    confidence = np.ones((1, 30, 2))
    confidence[0, 10:13, 1] = 0
    holed = given.replace(confidence=confidence)
    got = smooth(holed, 0.05)
    np.testing.assert_array_equal(got.seen, holed.seen)
    assert smooth(holed, 0.0) is holed
    for wrong in (-0.1, float("inf"), float("nan")):
        with pytest.raises(DataError, match=f"sigma is {wrong} s"):
            smooth(holed, wrong)
    with pytest.raises(DataError, match="degree"):
        smooth(holed, 0.1, degree=7)


def test_pieces_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    positions, confidence = rng.normal(size=(2, 40, 3, 2)), (rng.random((2, 40, 3)) > 0.2).astype(float)
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    whole = smooth_array(positions, confidence, kernel, 2)
    monkeypatch.setattr("kinegraph.transforms.smoothing._PIECE", 7)
    np.testing.assert_array_equal(smooth_array(positions, confidence, kernel, 2), whole)


def test_one_euro_is_its_recursion_and_starts_afresh_after_a_gap() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=25)
    values[8:11] = np.nan
    live = OneEuro(fps=30, min_cutoff_hz=1.2, beta=0.7)
    got = [float(live.step(np.array([v]))[0]) for v in values]

    def share(cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * math.pi * cutoff / 30))

    want, state, speed = [], None, 0.0
    for v in values:
        if math.isnan(v):
            state, speed = None, 0.0
            want.append(math.nan)
        elif state is None:
            state, speed = v, 0.0
            want.append(v)
        else:
            speed += share(1.0) * ((v - state) * 30 - speed)
            state += share(1.2 + 0.7 * abs(speed)) * (v - state)
            want.append(state)
    np.testing.assert_allclose(got, want, equal_nan=True)


def test_one_euro_on_a_sequence() -> None:
    given, truth = moving(120, 0.02)
    got = one_euro(given, min_cutoff_hz=2.0, beta=1.0)
    assert (
        np.abs(np.diff(got.positions, n=2, axis=1)).mean() < 0.5 * np.abs(np.diff(given.positions, n=2, axis=1)).mean()
    )
    assert np.abs(got.positions - truth).max() < 0.3
    with pytest.raises(DataError, match="fps"):
        OneEuro(fps=0)
    with pytest.raises(DataError, match="beta is inf"):
        one_euro(given, beta=float("inf"))
    nobody = given.replace(positions=given.positions[:, :0], confidence=None)
    assert one_euro(nobody).positions.shape == nobody.positions.shape
