"""Scores of windows over time: smoothed, cut into cells, merged to segments."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph.inference.recognition import PersonActions, Recognition, ScoredWindows, person_actions

NAMES = ("walk", "run", "hop")


def scored(
    best: list[int], *, window: float = 2.0, stride: float = 0.5, numbers: list[int] | None = None
) -> PersonActions:
    """Windows whose best class is given, at 80 %."""
    rows = np.full((len(best), 3), 0.1)
    rows[np.arange(len(best)), best] = 0.8
    at = np.array(numbers if numbers is not None else range(len(best)))
    times = np.stack([at * stride, at * stride + window], axis=1)
    return person_actions(ScoredWindows(0, None, at, times, rows), NAMES)


def test_cells_meet_half_way_and_scores_are_a_triangles_mean() -> None:
    found = scored([0, 0, 0, 1, 1, 1])
    np.testing.assert_allclose(found.cells[:, 0], [0, 1.25, 1.75, 2.25, 2.75, 3.25])
    np.testing.assert_allclose(found.cells[:, 1], [1.25, 1.75, 2.25, 2.75, 3.25, 4.5])
    # a window half a window away counts nothing, one a quarter away half
    for row in range(6):
        weights = np.array([max(0.0, 1 - abs(other - row) * 0.5 / 1.0) for other in range(6)])
        np.testing.assert_allclose(found.smooth[row], weights @ found.timeline / weights.sum())
    assert [(s.action, s.start_s, s.stop_s) for s in found.segments] == [("walk", 0.0, 2.25), ("run", 2.25, 4.5)]
    lengths = np.diff(found.cells)[:3, 0]
    assert found.segments[0].score == (lengths @ found.smooth[:3, 0]) / lengths.sum()


def test_a_moment_is_no_segment() -> None:
    found = scored([0] * 6 + [1, 1] + [0] * 6, stride=0.25)
    assert [s.action for s in found.segments] == ["walk"]
    kept = scored([0] * 6 + [1] * 8 + [0] * 6, stride=0.25)
    assert [s.action for s in kept.segments] == ["walk", "run", "walk"]


def test_a_short_stretch_goes_to_the_likelier_neighbour() -> None:
    rows = np.array([[0.9, 0.05, 0.05]] * 5 + [[0.1, 0.5, 0.4]] + [[0.05, 0.05, 0.9]] * 5)
    at = np.arange(11)
    times = np.stack(
        [at * 1.0, at * 1.0 + 3.0], axis=1
    )  # no window reaches its neighbour's middle by half of its length
    rows_far = ScoredWindows(0, None, at, times, rows)
    found = person_actions(rows_far, NAMES)
    assert [s.action for s in found.segments] == ["walk", "hop"]


def test_windows_left_out_are_a_gap() -> None:
    found = scored([0, 0, 0, 0, 0, 0], numbers=[0, 1, 2, 9, 10, 11])
    assert [(s.action, s.start_s, s.stop_s) for s in found.segments] == [("walk", 0.0, 3.0), ("walk", 4.5, 7.5)]
    overlapping = scored([0, 0, 1, 1], numbers=[0, 1, 3, 4])
    assert overlapping.segments[0].stop_s <= overlapping.segments[1].start_s


def test_top_names_the_best() -> None:
    result = Recognition(actions=NAMES, people=(scored([0, 1, 1]),))
    assert [name for name, _ in result.top(2)] == ["run", "walk"]
    assert result.people[0].label == "person 1"


@settings(max_examples=60, deadline=None)
@given(
    best=st.lists(st.integers(0, 2), min_size=1, max_size=40),
    window=st.floats(0.1, 5),
    stride=st.floats(0.05, 6),
    gaps=st.lists(st.integers(1, 4), min_size=40, max_size=40),
)
def test_segments_tile_the_time(best: list[int], window: float, stride: float, gaps: list[int]) -> None:
    numbers = np.cumsum(gaps)[: len(best)].tolist()
    found = scored(best, window=window, stride=stride, numbers=numbers)
    edges = [(s.start_s, s.stop_s) for s in found.segments]
    assert all(stop >= start for start, stop in edges)
    assert all(after[0] >= before[1] - 1e-9 for before, after in pairwise(edges))
    assert abs(sum(stop - start for start, stop in edges) - np.diff(found.cells).sum()) < 1e-6
    assert all(0 <= s.score <= 1 for s in found.segments)
    assert len(found.cells) == len(best)
