"""How tall somebody stands, from the lengths of their bones, and the metric scale that a stated height gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.placement import without_assumed_size
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["bodies", "checked_heights", "scaled_by", "scaled_to_height", "stature"]

Floats = NDArray[np.float64]

#: heights over the floor as shares of stature (Drillis and Contini, 1966): ankle, and shoulders where no head is given
_ANKLE, _SHOULDERS = 0.039, 0.818
_LOW_M, _HIGH_M = 0.4, 2.6
_UNSEEN = "legs or trunk are never seen, so that"


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
    heights: list[float] = np.atleast_1d(np.asarray(height_m, dtype=np.float64)).tolist()
    for height in heights:
        if not _LOW_M <= height <= _HIGH_M:
            raise ConfigError(f"a height of {height:g} m; expected {_LOW_M:g} to {_HIGH_M:g} metres")
    return heights


def bodies(sequence: SkeletonSequence, stills: bool = False) -> list[tuple[int, slice]]:
    """Person and frames of everybody who has one size: a person of a video; of pictures, whoever is in each of them.

    Who comes first in one picture is somebody else than who does in the next.
    """
    if not stills:
        return [(person, slice(None)) for person in range(sequence.people)]
    return [(person, slice(frame, frame + 1)) for person, frame in np.argwhere(sequence.present).tolist()]


def scaled_to_height(
    sequence: SkeletonSequence, height_m: float | Sequence[float], *, stills: bool = False
) -> tuple[SkeletonSequence, Floats]:
    """Everybody as tall as stated: positions in camera space scaled about the camera, so that keypoints stay put.

    Args:
        sequence: 3D in camera space, metres; or relative to the root.
        height_m: one height for all, or one a person.
        stills: the frames are single pictures.

    Returns:
        The sequence, and by what it was scaled ``(people, frames, 1)``.

    Raises:
        ConfigError: no height of a person, not as many as people, or several where there are several pictures.
        DataError: not 3D in camera space.
    """
    if sequence.dims != 3 or sequence.space != "camera":
        raise DataError(f"a height scales 3D camera space; found {sequence.dims}D in {sequence.space} space")
    heights = checked_heights(height_m)
    if stills and sequence.frames > 1 and len(heights) > 1:
        raise ConfigError(
            f"{len(heights)} heights for {sequence.frames} pictures, in which nobody says who is who; give one for all"
        )
    heights = heights * (sequence.people if np.ndim(height_m) == 0 else 1)
    if len(heights) != sequence.people:
        raise ConfigError(f"{len(heights)} heights for {sequence.people} people; expected one for all, or one each")
    everybody = bodies(sequence, stills)
    factors = []
    for person, frames in everybody:
        found = stature(sequence.positions[person, frames], sequence.seen[person, frames], sequence.skeleton)
        factors.append(heights[person] / found if found else np.nan)
    several = stills and sequence.frames > 1
    notes = _of_pictures(factors, heights[0]) if several else _of_people(factors, everybody, heights)
    return scaled_by(sequence, everybody, factors, notes)


def scaled_by(
    sequence: SkeletonSequence, everybody: list[tuple[int, slice]], factors: list[float], notes: list[str]
) -> tuple[SkeletonSequence, Floats]:
    """Positions and their uncertainty times a factor for each of :func:`bodies`; NaN leaves one as large as assumed.

    Returns:
        The sequence, and what other lengths and speeds of it are to be multiplied by, ``(people, frames, 1)``.
    """
    scale = np.ones((sequence.people, sequence.frames, 1, 1))
    for (person, frames), factor in zip(everybody, factors, strict=True):
        scale[person, frames] = factor if np.isfinite(factor) else 1.0
    kept = without_assumed_size(sequence.notes) if np.isfinite(factors).all() else sequence.notes
    scaled = sequence.replace(
        positions=sequence.positions * scale,
        uncertainty=None if sequence.uncertainty is None else sequence.uncertainty * scale,
        notes=(*kept, *notes),
    )
    return scaled, scale[..., 0]


def _of_people(factors: list[float], everybody: list[tuple[int, slice]], heights: list[float]) -> list[str]:
    notes = []
    for (person, _), factor in zip(everybody, factors, strict=True):
        who = f"person {person + 1}: " if len(heights) > 1 else ""
        if np.isfinite(factor):
            notes.append(f"{who}scaled by {factor:.3f} to the stated height of {heights[person]:g} m")
        else:
            notes.append(f"{who}{_UNSEEN} the height of {heights[person]:g} m could not be used")
    return notes


def _of_pictures(factors: list[float], height: float) -> list[str]:
    known = [factor for factor in factors if np.isfinite(factor)]
    notes = []
    if known:
        by = f"{min(known):.3f} to {max(known):.3f}"
        notes.append(f"{len(known)} people in pictures scaled by {by} to the stated height of {height:g} m")
    unknown = len(factors) - len(known)
    if unknown:
        who = f"{unknown} of {len(factors)} people in pictures"
        notes.append(f"{who}: {_UNSEEN} the height of {height:g} m could not be used")
    return notes
