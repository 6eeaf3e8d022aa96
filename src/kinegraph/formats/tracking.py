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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

__all__ = ["GATE", "MAX_GAP", "track"]

GATE = 0.35
"""Largest distance, in box diagonals, at which two poses of neighbouring frames are the same person."""
GATE_PER_FRAME = 0.04
WIDEST_GATE = 0.8
MAX_GAP = 30
"""Frames that a person may be away and still be recognised: one second of ordinary video."""
_FEW = 3


@dataclass
class _Track:
    pose: Floats  # (joints, dims), NaN where never seen in the last pose
    last: int


def pose_distance(first: Floats, second: Floats) -> float:
    """Distance of two poses (joints, dims), NaN where missing, in box diagonals; infinity if either is empty."""
    seen_first, seen_second = ~np.isnan(first[:, 0]), ~np.isnan(second[:, 0])
    if not seen_first.any() or not seen_second.any():
        return float("inf")
    boxes = [pose[seen] for pose, seen in ((first, seen_first), (second, seen_second))]
    scale = max(float(np.linalg.norm(np.ptp(box, axis=0))) for box in boxes)
    both = seen_first & seen_second
    if both.sum() >= _FEW:
        gap = float(np.linalg.norm(first[both] - second[both], axis=1).mean())
    else:
        middles = [(box.min(axis=0) + box.max(axis=0)) / 2 for box in boxes]
        gap = float(np.linalg.norm(middles[0] - middles[1]))
    if scale == 0:  # single joints: no size to measure by, so only the very same place counts
        return 0.0 if gap == 0 else float("inf")
    return gap / scale


def track(frames: Sequence[Sequence[Floats]], *, max_gap: int = MAX_GAP, gate: float = GATE) -> list[list[int]]:
    """Give every detection of every frame the number of its person.

    Args:
        frames: per frame, the poses detected in it, each (joints, dims) with NaN where a joint is missing.
        max_gap: frames a person may be unseen before they count as somebody new.
        gate: largest normalised distance between neighbouring frames; see :func:`pose_distance`.

    Returns:
        Per frame, one track number for each of its poses; numbers start at 0 and count tracks in order of
        appearance. No number occurs twice in a frame.
    """
    tracks: list[_Track] = []
    result: list[list[int]] = []
    for now, poses in enumerate(frames):
        active = [i for i, known in enumerate(tracks) if now - known.last <= max_gap + 1]
        numbers = [-1] * len(poses)
        for known_index, pose_index in _match(tracks, active, poses, now, gate):
            numbers[pose_index] = known_index
            tracks[known_index].pose, tracks[known_index].last = poses[pose_index], now
        for pose_index, pose in enumerate(poses):
            if numbers[pose_index] < 0:
                numbers[pose_index] = len(tracks)
                tracks.append(_Track(pose, now))
        result.append(numbers)
    return result


def _match(
    tracks: Sequence[_Track], active: Sequence[int], poses: Sequence[Floats], now: int, gate: float
) -> list[tuple[int, int]]:
    """Pairs (track, pose) of the cheapest assignment, those beyond the gate left out."""
    if not active or not poses:
        return []
    gates = np.array([min(gate + GATE_PER_FRAME * (now - tracks[i].last - 1), WIDEST_GATE) for i in active])
    cost = np.array([[pose_distance(tracks[i].pose, pose) for pose in poses] for i in active])  # (tracks, poses)
    allowed = cost <= gates[:, None]
    if len(active) == 1 and len(poses) == 1:  # most videos show one person: spare them SciPy's import
        return [(active[0], 0)] if allowed[0, 0] else []
    from scipy.optimize import linear_sum_assignment

    # A forbidden pair costs more than all allowed ones together, so it is taken only when nothing else is left.
    barred = np.where(allowed, cost, 1.0 + WIDEST_GATE * (min(cost.shape) + 1))
    chosen = zip(*linear_sum_assignment(barred), strict=True)
    return [(active[int(row)], int(column)) for row, column in chosen if allowed[row, column]]
