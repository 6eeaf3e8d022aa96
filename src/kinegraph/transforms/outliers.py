"""Joints that jump away for a frame or two and come back: a detector's slip, not a movement."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence

Floats = NDArray[np.float64]


def remove_spikes(sequence: SkeletonSequence, *, jump: float = 0.12, longest: int = 2) -> SkeletonSequence:
    """Mark single slips as missing, for :func:`~kinegraph.transforms.gaps.fill_gaps` to bridge.

    A run of up to ``longest`` frames is a slip if every frame of it lies further than ``jump`` pose sizes from the
    straight line between the frame before and the frame after, and further than three times the distance between
    those two: a joint that really moves that fast does not come back to where it was.

    Args:
        sequence: 2D or 3D.
        jump: threshold as a share of the pose's size (median diagonal of its box).
        longest: frames in a row.

    Raises:
        DataError: ``jump`` or ``longest`` is not positive.
    """
    if not jump > 0 or longest < 1:
        raise DataError(f"spikes: jump is {jump} and longest {longest}; expected positive numbers")
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
    note = f"{removed} joints that jumped away for up to {longest} frames taken for slips of the detector"
    return sequence.replace(confidence=confidence, positions=positions, rotations=None, notes=(*sequence.notes, note))


def _size(track: Floats) -> float | None:
    """Median diagonal of a person's box over the frames in which at least two joints are seen."""
    seen = np.isfinite(track).all(axis=-1)
    frames = seen.sum(axis=1) > 1
    if not frames.any():
        return None
    box = np.nanmax(track[frames], axis=1) - np.nanmin(track[frames], axis=1)
    return float(np.median(np.linalg.norm(box, axis=-1)))
