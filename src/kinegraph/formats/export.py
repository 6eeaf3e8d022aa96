"""What the writers of 3D motion files share: units, the up axis, and one file per person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence

__all__ = ["UNITS", "check_metric", "person_paths", "turned_y_up", "y_up"]

UNITS: Mapping[str, float] = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "foot": 0.3048}
"""Names accepted for ``unit=``, with their metres."""

# what turns a space into y up, as a matrix on column vectors
_TO_Y_UP = {
    "camera": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "y": np.eye(3),
}


def y_up(sequence: SkeletonSequence) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) from the sequence's space to a world with y up; a world of unstated up is taken as is."""
    return _TO_Y_UP["camera" if sequence.space == "camera" else sequence.up or "y"]


def turned_y_up(sequence: SkeletonSequence) -> SkeletonSequence:
    """The positions in a world with y up, see :func:`y_up`; rotations, which would have to turn too, are left out."""
    turned = sequence.positions @ y_up(sequence).T
    return sequence.replace(positions=turned, rotations=None, offsets=None, space="world", up="y")


def check_metric(sequence: SkeletonSequence, format_name: str, unit: str) -> float:
    """Metres per `unit`, after checking that the sequence is 3D, in metres, timed and not empty.

    Raises:
        DataError: it is not, or `unit` is not one of `UNITS`.
    """
    if sequence.dims != 3 or sequence.unit != "m" or sequence.space == "image":
        raise DataError(
            f"{format_name} holds 3D motion in metres; this sequence is {sequence.dims}D in {sequence.unit} "
            f"({sequence.space} space): lift it first"
        )
    if unit not in UNITS:
        raise DataError(f"unit '{unit}' is unknown: expected one of {', '.join(UNITS)}")
    if sequence.fps is None:
        raise DataError(f"{format_name} needs a frame rate and this sequence has none; give one (fps)")
    if not sequence.frames or not sequence.people:
        raise DataError(f"there are no frames to write as {format_name}")
    return UNITS[unit]


def person_paths(path: Path | str, people: int) -> tuple[Path, ...]:
    """`path` for the first person, ``<name>_person2.<suffix>`` beside it for the second, and so on."""
    first = Path(path)
    return (first, *(first.with_stem(f"{first.stem}_person{n}") for n in range(2, people + 1)))
