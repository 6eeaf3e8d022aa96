"""Joints that jump away for a frame or two and come back: a detector's slip, not a movement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import ASSUMED_FPS

Floats = NDArray[np.float64]

#: Threshold of a slip, as a share of the pose's size.
JUMP = 0.12
#: longest slip, in frames: a detector errs for one or two of them, at whatever rate they come
LONGEST = 2
#: Longest time, seconds, from the frame before a slip to the one after it. In more, somebody really goes there and
#: back: exact projections of a kick (HDM05) had twelve joints marked at 7.5 frames a second and none from 20 on.
APART_S = 0.1
_ROUNDING = 0.01  # of a frame: 29.97 a second are 30


def remove_spikes(
    sequence: SkeletonSequence, *, jump: float = JUMP, longest: int = LONGEST, apart_s: float = APART_S
) -> SkeletonSequence:
    """Mark single slips as missing, for :func:`~kinegraph.transforms.gaps.fill_gaps` to bridge.

    A run of up to ``longest`` frames is a slip if every frame of it lies further than ``jump`` pose sizes from the
    straight line between the frame before and the frame after, and further than three times the distance between
    those two: a joint that really moves that fast does not come back to where it was within ``apart_s``. So at 30
    frames a second two in a row may be slips, at 25 and 20 one; at 15 and fewer nothing is marked.

    Args:
        sequence: 2D or 3D; at 30 frames a second where the rate is unknown.
        jump: threshold as a share of the pose's size (median diagonal of its box).
        longest: frames in a row.
        apart_s: most seconds between the frames before and after.

    Raises:
        DataError: ``jump``, ``longest`` or ``apart_s`` is not positive.
    """
    if not (jump > 0 and longest >= 1 and apart_s > 0):
        raise DataError(f"spikes: jump {jump}, longest {longest}, apart_s {apart_s}; expected positive numbers")
    longest = min(longest, int(apart_s * (sequence.fps or ASSUMED_FPS) + _ROUNDING) - 1)
    positions, confidence = sequence.positions, np.array(sequence.confidence, dtype=np.float64)
    removed = 0
    for person in range(sequence.people):
        size = _size(positions[person])
        if size is None:
            continue
        for length in range(1, longest + 1):
            span = length + 1
            if sequence.frames <= span:
                break
            track = np.where(confidence[person, ..., None] > 0, positions[person], np.nan)
            start, stop = track[:-span], track[span:]
            back = np.linalg.norm(stop - start, axis=-1)
            off = np.full((*back.shape, length), np.inf)
            for step in range(1, length + 1):
                middle = track[step : step + len(start)]
                off[..., step - 1] = np.linalg.norm(middle - (start + (stop - start) * step / span), axis=-1)
            with np.errstate(invalid="ignore"):
                slip = (off.min(axis=-1) > jump * size) & (off.min(axis=-1) > 3 * back)
            for frame, joint in np.argwhere(slip):
                confidence[person, frame + 1 : frame + 1 + length, joint] = 0.0
                removed += length
    if not removed:
        return sequence
    most = "one frame" if longest == 1 else f"up to {longest} frames"
    note = f"{removed} joints that jumped away for {most} taken for slips of the detector"
    return sequence.replace(confidence=confidence, positions=positions, rotations=None, notes=(*sequence.notes, note))


def _size(track: Floats) -> float | None:
    """Median diagonal of a person's box over the frames in which at least two joints are seen."""
    seen = np.isfinite(track).all(axis=-1)
    frames = seen.sum(axis=1) > 1
    if not frames.any():
        return None
    box = np.nanmax(track[frames], axis=1) - np.nanmin(track[frames], axis=1)
    return float(np.median(np.linalg.norm(box, axis=-1)))
