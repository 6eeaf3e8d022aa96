"""The path that standing feet tell, against a dense least-squares problem written out term by term."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.transforms import body_path
from kinegraph.transforms.body_path import Stretch, path_of_standing_feet


def reference(positions: np.ndarray, stretches: list[Stretch], fps: float) -> tuple[np.ndarray, np.ndarray]:
    frames, count = len(positions), len(stretches)
    movement, places = np.zeros((frames, 3)), np.zeros((count, 3))
    for axis in range(3):
        rows, right = [], []

        def add(terms: dict[int, float], value: float) -> None:
            row = np.zeros(frames + count)
            for column, factor in terms.items():
                row[column] = factor
            rows.append(row)  # noqa: B023
            right.append(value)  # noqa: B023

        for k, s in enumerate(stretches):
            for t in range(s.start, s.stop):
                if axis == 1 and s.height is not None:
                    add({t: 1.0}, s.height - positions[t, s.joint, axis])
                else:
                    add({t: 1.0, frames + k: -1.0}, -positions[t, s.joint, axis])
        bend = (body_path._GIVE_S * fps) ** 2
        for t in range(1, frames - 1):
            add({t - 1: bend, t: -2 * bend, t + 1: bend}, 0.0)
        for t in range(frames):
            add({t: np.sqrt(body_path._TRUST)}, 0.0)
        answer = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
        movement[:, axis], places[:, axis] = answer[:frames], answer[frames:]
        if axis == 1 and stretches[0].height is not None:
            places[:, axis] = [s.height for s in stretches]
    return movement, places


@pytest.mark.parametrize("heights", [(None, None, None), (0.08, 0.08, 0.1)])
@pytest.mark.parametrize("frames", [2, 3, 40])
def test_least_squares(frames: int, heights: tuple[float | None, ...]) -> None:
    positions = np.random.default_rng(0).normal(size=(frames, 4, 3))
    spans = [(0, 1, max(1, frames // 3)), (0, frames // 2, frames), (3, 0, frames)]
    stretches = [
        Stretch(joint=j, start=a, stop=b, height=h) for (j, a, b), h in zip(spans, heights, strict=True) if b > a
    ]
    found, expected = path_of_standing_feet(positions, stretches, 30.0), reference(positions, stretches, 30.0)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)


def test_a_path_that_drifts_is_brought_back_by_a_foot_that_stands() -> None:
    """At any frame rate alike: what is weighed is seconds."""
    for fps in (25.0, 100.0):
        times = np.arange(int(4 * fps)) / fps
        drift = np.stack([0 * times, 0 * times, 0.05 * np.sin(2 * times)], axis=-1)
        positions = np.zeros((len(times), 1, 3)) + drift[:, None]
        movement, places = path_of_standing_feet(positions, [Stretch(joint=0, start=0, stop=len(times))], fps)
        left = np.linalg.norm(drift + movement - places[0], axis=-1)
        assert np.ptp(drift[:, 2]) > 0.09
        assert left.max() < 0.025
        assert np.abs(np.diff(movement, n=2, axis=0)).max() * fps**2 < 0.3  # the drift's own is 0.2 m/s^2
