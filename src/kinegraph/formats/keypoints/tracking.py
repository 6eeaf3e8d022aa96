"""Who is who from frame to frame, for detectors that do not say.

OpenPose numbers the people of every frame afresh, so that person 0 of one frame may be person 1 of the next. The
tracker here is deliberately simple: in each frame the detections are matched with the people seen lately so that
the summed distance is smallest (the Hungarian method); whoever is too far from everybody starts a new track.

The distance between two poses is the mean distance of the joints both have, divided by the larger diagonal of the
two bounding boxes, so that the gate means the same near the camera and far from it. With fewer than three joints
in common the centres of the boxes are compared instead. A person may vanish for `max_gap` frames; the gate widens
with the gap, since people walk on while they are hidden. There is no motion model and no appearance: people who
cross while both are hidden may swap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

__all__ = ["GATE", "MAX_GAP", "ORDINARY_FPS", "Tracker", "is_one_person", "track"]

GATE = 0.35
"""Largest distance, in box diagonals, at which two poses of neighbouring frames are the same person."""
GATE_PER_FRAME = 0.04
WIDEST_GATE = 0.8
MAX_GAP = 30
"""Frames that a person may be away and still be recognised: one second of ordinary video."""
ORDINARY_FPS = 30.0
"""Frames a second of the video that these numbers are meant for."""
_FEW = 3
_SAME_PLACE = 0.1
"""Distance, in box diagonals, at which a detector would report one person and not two: a hand's breadth or two."""


@dataclass(frozen=True)
class _Pose:
    """A pose with what its distances to others need: which joints are there, and the box around them."""

    points: Floats  # (joints, dims), 0 where missing
    seen: NDArray[np.bool_]  # (joints,)
    middle: Floats  # (dims,)
    diagonal: float  # -1 for an empty pose

    @classmethod
    def of(cls, pose: Floats) -> _Pose:
        seen = ~np.isnan(pose[:, 0])
        if not seen.any():
            return cls(np.zeros_like(pose), seen, np.zeros(pose.shape[1]), -1.0)
        low, high = pose[seen].min(axis=0), pose[seen].max(axis=0)
        return cls(np.where(seen[:, None], pose, 0.0), seen, (low + high) / 2, float(np.linalg.norm(high - low)))


@dataclass
class _Track:
    pose: _Pose
    last: float


def _distances(rows: Sequence[_Pose], columns: Sequence[_Pose]) -> Floats:
    """Distances (rows, columns) in box diagonals."""
    points = [np.stack([p.points for p in side]) for side in (rows, columns)]
    seen = [np.stack([p.seen for p in side]) for side in (rows, columns)]
    middles = [np.stack([p.middle for p in side]) for side in (rows, columns)]
    diagonals = [np.array([p.diagonal for p in side]) for side in (rows, columns)]
    both = seen[0][:, None] & seen[1][None]  # (rows, columns, joints)
    apart = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1)
    count = both.sum(axis=-1)
    by_joints = np.where(both, apart, 0.0).sum(axis=-1) / np.maximum(count, 1)
    by_boxes = np.linalg.norm(middles[0][:, None] - middles[1][None], axis=-1)
    gap = np.where(count >= _FEW, by_joints, by_boxes)
    scale = np.maximum(diagonals[0][:, None], diagonals[1][None])
    # Single joints have no size to measure by, so that only the very same place counts.
    distance = np.where(scale > 0, gap / np.where(scale > 0, scale, 1.0), np.where(gap == 0, 0.0, np.inf))
    empty = (diagonals[0] < 0)[:, None] | (diagonals[1] < 0)[None]
    result: Floats = np.where(empty, np.inf, distance)
    return result


def track(frames: Sequence[Sequence[Floats]], *, max_gap: int = MAX_GAP, gate: float = GATE) -> list[list[int]]:
    """Give every detection of every frame the number of its person.

    Args:
        frames: per frame, the poses detected in it, each (joints, dims) with NaN where a joint is missing.
        max_gap: frames a person may be unseen before they count as somebody new.
        gate: largest distance between neighbouring frames, in box diagonals.

    Returns:
        Per frame, one track number for each of its poses; numbers start at 0 and count tracks in order of
        appearance. No number occurs twice in a frame.
    """
    tracker = Tracker(away=max_gap + 1, gate=gate)
    return [tracker.step(frame) for frame in frames]


def is_one_person(poses: Sequence[Floats]) -> bool:
    """Whether poses (joints, dims), listed one by one, are one person over time and not people of one picture.

    So it is where most lie upon the one before: no detector reports the same person again and again.
    """
    of = [_Pose.of(pose) for pose in poses]
    near = [float(_distances([a], [b])[0, 0]) < _SAME_PLACE for a, b in pairwise(of)]
    return len(of) >= _FEW and sum(near) > len(near) / 2


class Tracker:
    """:func:`track`, one frame at a time; people who are away for too long are forgotten.

    Args:
        away: who was seen longer ago than this is forgotten; in frames, or in 1/30 s where :meth:`step` is told when.
        gate: as of :func:`track`.
    """

    def __init__(self, *, away: float = MAX_GAP + 1, gate: float = GATE) -> None:
        self.away, self.gate = away, gate
        self._tracks: dict[int, _Track] = {}
        self._now, self._next = -1.0, 0

    def step(self, frame: Sequence[Floats], time: float | None = None) -> list[int]:
        """Track numbers of the poses (joints, dims) of the next frame, NaN where a joint is missing.

        Args:
            frame: the poses.
            time: seconds, after the frame before. How far somebody may have walked, and for how long they are known,
                then goes by time; if None, frame by frame, whatever their rate.
        """
        poses = [_Pose.of(pose) for pose in frame]
        now = self._now = self._now + 1 if time is None else time * ORDINARY_FPS
        # Times are not whole in binary: the last moment that still counts may come out a hair later.
        self._tracks = {i: known for i, known in self._tracks.items() if now - known.last <= self.away + 1e-6}
        numbers = [-1] * len(poses)
        for known_index, pose_index in _match(self._tracks, list(self._tracks), poses, now, self.gate):
            numbers[pose_index] = known_index
            self._tracks[known_index].pose, self._tracks[known_index].last = poses[pose_index], now
        for pose_index, pose in enumerate(poses):
            if numbers[pose_index] < 0:
                numbers[pose_index] = self._next
                self._tracks[self._next] = _Track(pose, now)
                self._next += 1
        return numbers


def _match(
    tracks: Mapping[int, _Track], active: Sequence[int], poses: Sequence[_Pose], now: float, gate: float
) -> list[tuple[int, int]]:
    """Pairs (track, pose) of the cheapest assignment, those beyond the gate left out."""
    if not active or not poses:
        return []
    # Of frames that follow faster than ordinary ones the gate is the same: what a detector errs by stays.
    gaps = [max(now - tracks[i].last - 1, 0) for i in active]
    gates = np.array([min(gate + GATE_PER_FRAME * gap, WIDEST_GATE) for gap in gaps])
    cost = _distances([tracks[i].pose for i in active], poses)
    allowed = cost <= gates[:, None]
    if len(active) == 1 and len(poses) == 1:  # most videos show one person: spare them SciPy's import
        return [(active[0], 0)] if allowed[0, 0] else []
    from scipy.optimize import linear_sum_assignment

    # A forbidden pair costs more than all allowed ones together, so it is taken only when nothing else is left.
    barred = np.where(allowed, cost, 1.0 + WIDEST_GATE * (min(cost.shape) + 1))
    chosen = zip(*linear_sum_assignment(barred), strict=True)
    return [(active[int(row)], int(column)) for row, column in chosen if allowed[row, column]]
