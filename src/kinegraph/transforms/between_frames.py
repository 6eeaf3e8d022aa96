"""Motion at a higher rate than it was made at: smooth between its frames, and the same at them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.rotations import make_continuous
from kinegraph.sequence import SkeletonSequence

__all__ = ["resample_smoothly"]

Floats = NDArray[np.float64]
_FEWEST = 3  # frames; through two goes a straight line


def resample_smoothly(
    sequence: SkeletonSequence, fps: float, before: Floats, turned_before: Floats | None = None
) -> SkeletonSequence:
    """One person's motion at another rate, its first frame the first one, along cubic splines.

    Places go along the cubic spline through all frames, rotations along that of their quaternions, scaled to length 1
    (exact at the frames). Velocity and acceleration are continuous, at the first frame too, where the motion before it
    is known. :meth:`SkeletonSequence.resample` goes in straight lines instead, with a kink at every frame.

    Args:
        sequence: one person.
        fps: the new rate, Hz.
        before: (frames, joints, 3) places in the frames before the first; NaN where missing.
        turned_before: (frames, joints, 4) rotations in them; needed if the sequence has rotations.
    """
    if fps == sequence.fps:
        return sequence
    assert sequence.fps is not None
    straight = sequence.resample(fps)
    if sequence.frames + len(before) < _FEWEST:
        return straight
    times: Floats = np.asarray(np.arange(straight.frames) * (sequence.fps / fps), dtype=np.float64)
    positions = _spline(np.concatenate([before, sequence.positions[0]]), len(before), times)
    positions = np.where(np.isfinite(positions), positions, straight.positions[0])
    rotations = None
    if sequence.rotations is not None and straight.rotations is not None:
        assert turned_before is not None
        knots = make_continuous(np.concatenate([turned_before, sequence.rotations[0]]))
        found = _spline(knots, len(turned_before), times)
        rotations = (found / np.linalg.norm(found, axis=-1, keepdims=True))[None]
    return straight.replace(positions=positions[None], rotations=rotations)


def _spline(knots: Floats, first: int, times: Floats) -> Floats:
    """Values (times, ...) of the spline through (frames, ...) at times in frames after frame `first`; NaN stays NaN."""
    from scipy.interpolate import CubicSpline

    known = np.isfinite(knots).all(axis=0)
    result = np.full((len(times), *knots.shape[1:]), np.nan)
    at = np.minimum(times, len(knots) - 1 - first)
    result[:, known] = CubicSpline(np.arange(len(knots)) - first, knots[:, known], bc_type="natural")(at)
    return result
