"""What a recogniser says of a recording: scores of windows, smoothed over time and merged into segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PersonActions", "Recognition", "ScoredWindows", "Segment", "person_actions"]

Array = NDArray[np.float64]


class ScoredWindows(NamedTuple):
    """The windows of one person, or of a pair, as a network scored them."""

    person: int
    partner: int | None
    numbers: NDArray[np.int64]
    """(windows,) places in the row of windows; where one is left out, the person was not seen."""
    times: Array
    """(windows, 2) seconds."""
    timeline: Array
    """(windows, classes) probabilities."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of time in which one action is done.

    Attributes:
        start_s, stop_s: seconds from the recording's first frame.
        action: name of the class.
        score: its probability, mean over the stretch.
    """

    start_s: float
    stop_s: float
    action: str
    score: float


@dataclass(frozen=True, kw_only=True)
class PersonActions:
    """What one person does, or a pair does together.

    Attributes:
        person: index, from 0.
        scores: (classes,) mean over the windows; they sum to 1.
        times: (windows, 2) seconds where each window begins and ends.
        timeline: (windows, classes) scores of each; each row sums to 1.
        partner: index of the other person, where the two were looked at together.
        cells: (windows, 2) seconds for which each window speaks: they meet half way between the middles of two
            windows, without gaps except while the person is not seen.
        smooth: (windows, classes) scores in each cell: the mean of the windows that lie no further than half a window
            away, the nearer ones counting more.
        segments: cells of the same best action joined, in order of time. A stretch shorter than half a window is
            given to the neighbour whose action is the likelier there.
    """

    person: int
    scores: Array
    times: Array
    timeline: Array
    partner: int | None = None
    cells: Array
    smooth: Array
    segments: tuple[Segment, ...] = ()

    @property
    def label(self) -> str:
        """``person 1``, or ``persons 1 + 2``."""
        if self.partner is None:
            return f"person {self.person + 1}"
        return f"persons {self.person + 1} + {self.partner + 1}"


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """Scores of every person seen for long enough.

    Attributes:
        actions: class names.
        people: one entry a person; then one of the pair, where a network for two saw two people.
        notes: what was assumed.
    """

    actions: tuple[str, ...]
    people: tuple[PersonActions, ...]
    notes: tuple[str, ...] = ()

    def top(self, count: int = 5, person: int = 0) -> list[tuple[str, float]]:
        """The best classes of the n-th entry of `people`, best first, with their scores."""
        return self.best(self.people[person].scores, count)

    def best(self, scores: Array, count: int = 5) -> list[tuple[str, float]]:
        """The best classes of any scores (classes,), best first."""
        order = np.argsort(-scores, kind="stable")[:count]
        return [(self.actions[i], float(scores[i])) for i in order]


def person_actions(found: ScoredWindows, actions: tuple[str, ...]) -> PersonActions:
    """Smooth and merge one person's windows."""
    times, timeline = found.times, found.timeline
    runs = np.concatenate([[0], np.cumsum(np.diff(found.numbers) != 1)])
    cells, smooth = np.empty_like(times), np.empty_like(timeline)
    segments: list[Segment] = []
    for run in range(int(runs[-1]) + 1):
        rows = np.flatnonzero(runs == run)
        middles = times[rows].mean(axis=1)
        edges = np.concatenate([times[rows[:1], 0], (middles[1:] + middles[:-1]) / 2, times[rows[-1:], 1]])
        if run:  # windows of two stretches may overlap in time; what a person does must not
            edges = np.maximum(edges, cells[rows[0] - 1, 1])
        cells[rows] = np.stack([edges[:-1], edges[1:]], axis=1)
        smooth[rows] = _smoothed(middles, timeline[rows], float(np.diff(times[rows]).mean()) / 2)
        segments += _segments(cells[rows], smooth[rows], actions, float(np.diff(times[rows]).mean()) / 2)
    return PersonActions(
        person=found.person,
        partner=found.partner,
        scores=timeline.mean(axis=0),
        times=times,
        timeline=timeline,
        cells=cells,
        smooth=smooth,
        segments=tuple(segments),
    )


def _smoothed(middles: Array, scores: Array, reach: float) -> Array:
    """Means (windows, classes) over the windows within `reach` seconds, weighted by a triangle."""
    result = np.empty_like(scores)
    first = np.searchsorted(middles, middles - reach, side="left")
    after = np.searchsorted(middles, middles + reach, side="right")
    for row, (start, stop) in enumerate(zip(first.tolist(), after.tolist(), strict=True)):
        weights = 1 - np.abs(middles[start:stop] - middles[row]) / max(reach, 1e-9)
        weights[row - start] = 1.0
        result[row] = weights @ scores[start:stop] / weights.sum()
    return result


def _segments(cells: Array, scores: Array, actions: tuple[str, ...], least: float) -> list[Segment]:
    """Runs of the best class, those shorter than `least` seconds joined to a neighbour."""
    best = scores.argmax(axis=1)
    lengths = np.diff(cells)[:, 0]
    starts = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist()]
    runs = [(start, stop, int(best[start])) for start, stop in zip(starts, [*starts[1:], len(best)], strict=True)]
    while len(runs) > 1:
        spans = [cells[stop - 1, 1] - cells[start, 0] for start, stop, _ in runs]
        at = int(np.argmin(spans))
        if spans[at] >= least - 1e-9:
            break
        start, stop, _ = runs[at]
        beside = [runs[k][2] for k in (at - 1, at + 1) if 0 <= k < len(runs)]
        winner = max(beside, key=lambda action: float(lengths[start:stop] @ scores[start:stop, action]))
        runs[at] = (start, stop, winner)
        joined: list[tuple[int, int, int]] = []
        for run in runs:
            if joined and joined[-1][2] == run[2]:
                joined[-1] = (joined[-1][0], run[1], run[2])
            else:
                joined.append(run)
        runs = joined
    result = []
    for start, stop, action in runs:
        weights = np.maximum(lengths[start:stop], 1e-9)
        score = float(weights @ scores[start:stop, action] / weights.sum())
        span = float(cells[start, 0]), float(cells[stop - 1, 1])
        result.append(Segment(start_s=span[0], stop_s=span[1], action=actions[action], score=min(score, 1.0)))
    return result
