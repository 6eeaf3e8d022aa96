"""Joints that a detector lost for a while: short gaps are bridged in time, long ones stay gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence

Floats = NDArray[np.float64]

#: frame rate assumed where a sequence states none, to turn seconds into frames
ASSUMED_FPS = 30.0
#: longest time without sight of somebody, seconds, over which motion is interpolated; after a longer one it begins anew
LONGEST_GAP_S = 0.5


def fill_gaps(sequence: SkeletonSequence, limit_s: float = LONGEST_GAP_S, *, trust: float = 0.5) -> SkeletonSequence:
    """Bridge the gaps of every joint that are at most ``limit_s`` long, linearly between the frames beside them.

    A gap at the beginning or end has no frame on one side and stays. A bridged joint gets ``trust`` times the lower
    confidence of its two neighbours, so that it can be told from a seen one. Rotations are dropped if anything is
    filled, because they would no longer agree with the positions.

    Args:
        sequence: 2D or 3D, any space.
        limit_s: longest gap in seconds; at 30 frames a second where the rate is unknown.
        trust: factor in (0, 1] on the confidence of a bridged joint.

    Raises:
        DataError: ``limit_s`` is negative or not finite, or ``trust`` outside (0, 1].
    """
    if not (np.isfinite(limit_s) and limit_s >= 0):
        raise DataError(f"the longest gap to fill is {limit_s} s; expected a finite number, 0 or more")
    if not 0 < trust <= 1:
        raise DataError(f"the trust in a filled joint is {trust}; expected more than 0 and at most 1")
    longest = int(np.floor(limit_s * (sequence.fps or ASSUMED_FPS) + 1e-9))
    confidence = np.asarray(sequence.confidence, dtype=np.float64)
    before, after = neighbours(sequence.seen)
    bridged = ~sequence.seen & (before >= 0) & (after < sequence.frames) & (after - before - 1 <= longest)
    if not bridged.any():
        return sequence
    person, frame, joint = np.nonzero(bridged)
    start, stop = before[bridged], after[bridged]
    share = ((frame - start) / (stop - start))[:, None]
    positions = sequence.positions.copy()
    positions[bridged] = (1 - share) * positions[person, start, joint] + share * positions[person, stop, joint]
    filled = confidence.copy()
    filled[bridged] = trust * np.minimum(confidence[person, start, joint], confidence[person, stop, joint])
    note = f"{int(bridged.sum())} missing joints in gaps of up to {longest} frames filled by interpolation"
    return sequence.replace(positions=positions, confidence=filled, rotations=None, notes=(*sequence.notes, note))


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First place, and the one after the last, of every run of True in ``(n,)``."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def neighbours(seen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For every frame, the last seen frame at or before it and the first at or after it.

    Args:
        seen: ``(people, frames, joints)``.

    Returns:
        Two arrays of the same shape; before is -1 and after is ``frames`` where there is none.
    """
    frames = seen.shape[1]
    index = np.arange(frames)[None, :, None]
    before = np.maximum.accumulate(np.where(seen, index, -1), axis=1)
    after = np.minimum.accumulate(np.where(seen, index, frames)[:, ::-1], axis=1)[:, ::-1]
    return before.astype(np.int64), after.astype(np.int64)


def hold_nearest(positions: Floats, seen: NDArray[np.bool_]) -> Floats:
    """Every missing joint takes its nearest seen frame's position; joints never seen stay NaN.

    Args:
        positions: ``(people, frames, joints, dims)``.
        seen: ``(people, frames, joints)``.
    """
    frames = positions.shape[1]
    before, after = neighbours(seen)
    index = np.arange(frames)[None, :, None]
    use_after = (before < 0) | ((after < frames) & (after - index < index - before))
    nearest = np.clip(np.where(use_after, after, before), 0, max(frames - 1, 0))
    result: Floats = np.take_along_axis(positions, nearest[..., None], axis=1)
    return result
