"""The box round what is seen, against a loop."""

from __future__ import annotations

import numpy as np

from kinegraph.transforms.seen_box import seen_box


def test_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    points, seen = rng.normal(size=(4, 3, 7, 2)), rng.random((4, 3, 7)) < 0.4
    points[~seen & (rng.random(seen.shape) < 0.5)] = np.nan  # what is not seen may be anything
    seen[0, 0] = False
    low, high = seen_box(points, seen)
    assert low.shape == high.shape == (4, 3, 2)
    for clip in range(4):
        for frame in range(3):
            there = points[clip, frame][seen[clip, frame]]
            if not len(there):
                assert (low[clip, frame] == np.inf).all()
                assert (high[clip, frame] == -np.inf).all()
                continue
            np.testing.assert_array_equal(low[clip, frame], there.min(axis=0))
            np.testing.assert_array_equal(high[clip, frame], there.max(axis=0))
