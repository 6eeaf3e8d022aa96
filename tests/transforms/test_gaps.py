"""Gap filling against a joint-by-joint loop."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.gaps import fill_gaps, hold_nearest, neighbours

BODY = Skeleton(name="two", joints=("a", "b"), parents=(-1, 0))


def sequence(seen: np.ndarray, fps: float | None = 10.0, seed: int = 0) -> SkeletonSequence:
    """People x frames x joints of random points, missing where `seen` is false."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(*seen.shape, 2))
    confidence = np.where(seen, rng.uniform(0.3, 1.0, seen.shape), 0.0)
    points[~seen] = np.nan
    return SkeletonSequence(points, BODY, fps=fps, unit="px", space="image", confidence=confidence)


def slow_fill(points: np.ndarray, confidence: np.ndarray, longest: int, trust: float) -> tuple[np.ndarray, np.ndarray]:
    """The definition, one gap at a time."""
    points, confidence = points.copy(), confidence.copy()
    people, frames, joints = confidence.shape
    for p in range(people):
        for j in range(joints):
            t = 0
            while t < frames:
                if confidence[p, t, j] > 0:
                    t += 1
                    continue
                stop = t
                while stop < frames and confidence[p, stop, j] == 0:
                    stop += 1
                if t > 0 and stop < frames and stop - t <= longest:
                    before, after = points[p, t - 1, j].copy(), points[p, stop, j].copy()
                    low = min(confidence[p, t - 1, j], confidence[p, stop, j])
                    for k in range(t, stop):
                        w = (k - t + 1) / (stop - t + 1)
                        points[p, k, j] = before + w * (after - before)
                        confidence[p, k, j] = trust * low
                t = stop
    return points, confidence


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition(seed: int) -> None:
    seen = np.random.default_rng(seed).random((2, 60, 2)) > 0.45
    given = sequence(seen, fps=10.0, seed=seed)
    got = fill_gaps(given, 0.3, trust=0.4)
    points, confidence = slow_fill(given.positions, given.confidence, 3, 0.4)
    np.testing.assert_allclose(got.confidence, confidence)
    np.testing.assert_allclose(got.positions, points, equal_nan=True)
    assert (got.seen & ~given.seen).any()
    assert (~got.seen).any()


def test_gaps_at_the_ends_and_long_ones_stay() -> None:
    seen = np.ones((1, 20, 2), dtype=bool)
    seen[0, :2, 0] = seen[0, -2:, 0] = False
    seen[0, 5:12, 1] = False
    got = fill_gaps(sequence(seen), 0.6)
    np.testing.assert_array_equal(got.seen, seen)
    assert fill_gaps(sequence(seen), 0.7).seen[0, :, 1].all()


def test_the_limit_is_in_seconds() -> None:
    seen = np.ones((1, 30, 2), dtype=bool)
    seen[0, 10:20, 0] = False
    assert not fill_gaps(sequence(seen, fps=10.0), 0.5).seen.all()
    assert fill_gaps(sequence(seen, fps=100.0), 0.5).seen.all()
    # No rate: 30 frames a second are assumed, so ten frames are a third of a second.
    assert fill_gaps(sequence(seen, fps=None), 0.34).seen.all()
    assert not fill_gaps(sequence(seen, fps=None), 0.3).seen.all()


def test_a_note_counts_what_was_filled_and_nothing_changes_without_gaps() -> None:
    seen = np.ones((1, 9, 2), dtype=bool)
    whole = sequence(seen)
    assert fill_gaps(whole) is whole
    seen[0, 4:6, 1] = False
    assert fill_gaps(sequence(seen)).notes[-1].startswith("2 missing joints")


def test_wrong_arguments() -> None:
    whole = sequence(np.ones((1, 3, 2), dtype=bool))
    for wrong in (-1, float("inf"), float("nan")):
        with pytest.raises(DataError, match=f"longest gap to fill is {wrong} s"):
            fill_gaps(whole, wrong)
    with pytest.raises(DataError, match="trust"):
        fill_gaps(whole, trust=0.0)


def test_neighbours_and_nearest() -> None:
    seen = np.array([0, 1, 0, 0, 0, 1, 0], dtype=bool)[None, :, None]
    before, after = neighbours(seen)
    assert before[0, :, 0].tolist() == [-1, 1, 1, 1, 1, 5, 5]
    assert after[0, :, 0].tolist() == [1, 1, 5, 5, 5, 5, 7]
    points = np.arange(7.0)[None, :, None, None]
    assert hold_nearest(points, seen)[0, :, 0, 0].tolist() == [1, 1, 1, 1, 5, 5, 5]
