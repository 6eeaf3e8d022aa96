"""How tall somebody stands, from the lengths of their bones, and the metric scale that a stated height gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.placement import without_assumed_size
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["checked_heights", "scaled_to_height", "stature"]

Floats = NDArray[np.float64]

#: heights over the floor as shares of stature (Drillis and Contini, 1966): ankle, and shoulders where no head is given
_ANKLE, _SHOULDERS = 0.039, 0.818
_LOW_M, _HIGH_M = 0.4, 2.6


def stature(positions: Floats, seen: NDArray[np.bool_], skeleton: Skeleton) -> float | None:
    """Standing height in metres of one person, whatever the pose; None where legs or trunk are never seen.

    Median shank and thigh of both sides, the longest tenth of pelvis to thorax and thorax to head top (a bent trunk is
    shorter), and the ankle's height as a share of the whole.

    Args:
        positions: ``(frames, joints, 3)`` metres.
        seen: ``(frames, joints)``.
        skeleton: with landmarks for hips, knees, ankles, thorax and, if it can, head_top.
    """
    points = np.where(seen[..., None], positions, 0.0)

    def length(first: str, second: str, quantile: float) -> float | None:
        a, b = skeleton.landmark(first), skeleton.landmark(second)
        if a is None or b is None:
            return None
        there = seen[:, (a != 0) | (b != 0)].all(axis=1)
        if not there.any():
            return None
        return float(np.quantile(np.linalg.norm(np.einsum("j,fjd->fd", a - b, points[there]), axis=1), quantile))

    def both(first: str, second: str) -> float | None:
        found = [length(f"{side}_{first}", f"{side}_{second}", 0.5) for side in ("left", "right")]
        values = [value for value in found if value is not None]
        return float(np.mean(values)) if values else None

    parts = [both("hip", "knee"), both("knee", "ankle"), length("pelvis", "thorax", 0.9)]
    if any(part is None for part in parts):
        return None
    body = float(sum(part for part in parts if part is not None))
    head = length("thorax", "head_top", 0.9)
    if head is not None:
        return (body + head) / (1 - _ANKLE)
    return body / (_SHOULDERS - _ANKLE)


def checked_heights(height_m: float | Sequence[float]) -> list[float]:
    """Stated heights as a list. Raises ConfigError where one is no height of a person."""
    heights = [float(height_m)] if isinstance(height_m, int | float) else [float(h) for h in height_m]
    for height in heights:
        if not _LOW_M <= height <= _HIGH_M:
            raise ConfigError(f"a height of {height:g} m; expected {_LOW_M:g} to {_HIGH_M:g} metres")
    return heights


def scaled_to_height(sequence: SkeletonSequence, height_m: float | Sequence[float]) -> SkeletonSequence:
    """Everybody as tall as stated: positions in camera space scaled about the camera, so that keypoints stay put.

    Args:
        sequence: 3D in camera space, metres; or relative to the root.
        height_m: one height for all, or one a person.

    Raises:
        ConfigError: no height of a person, or not as many as people.
        DataError: not 3D in camera space.
    """
    if sequence.dims != 3 or sequence.space != "camera":
        raise DataError(f"a height scales 3D camera space; found {sequence.dims}D in {sequence.space} space")
    heights = checked_heights(height_m) * (sequence.people if isinstance(height_m, int | float) else 1)
    if len(heights) != sequence.people:
        raise ConfigError(f"{len(heights)} heights for {sequence.people} people; expected one for all, or one each")
    factor, notes = np.ones(sequence.people), []
    for person, height in enumerate(heights):
        who = f"person {person + 1}: " if sequence.people > 1 else ""
        found = stature(sequence.positions[person], sequence.seen[person], sequence.skeleton)
        if found is None or found <= 0:
            notes.append(f"{who}legs or trunk are never seen, so that the height of {height:g} m could not be used")
            continue
        factor[person] = height / found
        notes.append(f"{who}scaled by {factor[person]:.3f} to the stated height of {height:g} m")
    by_person = factor[:, None, None, None]
    kept = without_assumed_size(sequence.notes) if (factor != 1).all() else sequence.notes
    return sequence.replace(
        positions=sequence.positions * by_person,
        uncertainty=None if sequence.uncertainty is None else sequence.uncertainty * by_person,
        notes=(*kept, *notes),
    )
