"""C3D, the binary files of optical motion capture. Reading needs nothing more; writing needs ezc3d (extra ``c3d``).

Points only; analogue channels and force plates are left alone. A point's residual, its mean reconstruction error,
becomes a confidence: 0 where it is negative (the point was not seen), ``10 mm / (10 mm + residual)`` elsewhere.

Writing turns that round. A residual has one byte: it is rounded to a 255th of the largest in the file (or to the step
of an integer file of that size, the guide's largest coordinate / 32000, if that is more) and ends at 255 mm. So
confidences come back to within that rounding, and those below 0.038 as 0.038.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import atomic_path
from kinegraph.axes import y_up
from kinegraph.errors import FormatError, require
from kinegraph.formats.export import UNITS, check_metric, person_files
from kinegraph.formats.joints.own_landmarks import with_landmarks
from kinegraph.formats.joints.rig import MAX_JOINTS, marker_skeleton
from kinegraph.formats.motion.c3d_file import HEADER_FRAMES, put_residuals, read_points
from kinegraph.naming import free_name
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

_UNITS = {**UNITS, "in": UNITS["inch"]}
_RESIDUAL_METRES = 0.01  # residual that halves the confidence
_LARGEST_METRES = 0.255  # residual that is written; more would make the steps of the others coarse
_STEPS, _INTEGER = 255, 32000  # of a residual's byte; what the largest coordinate becomes in an integer file


def read(
    path: Path | str, *, up: Literal["y", "z"] = "z", skeleton: str | Path | Skeleton | None = None
) -> SkeletonSequence:
    """Read the points of a C3D file.

    Args:
        path: the file.
        up: its vertical axis; laboratories mostly use z.
        skeleton: a file with ``[landmarks]``, which says what the points stand for
            (:mod:`kinegraph.formats.joints.own_landmarks`).

    Returns:
        One person, positions (1, frames, points, 3) in metres, world space, confidence from the residuals.

    Raises:
        FormatError: the file is missing, damaged, not C3D, or without points.
    """
    path = Path(path)
    if up not in ("y", "z"):
        raise FormatError(path, f"up={up!r} is not valid: expected 'y' or 'z'")
    points = read_points(path)
    count = points.positions.shape[1]
    if count > MAX_JOINTS:
        raise FormatError(path, f"{count} points; at most {MAX_JOINTS} are read")
    unit = points.unit.lower()
    if unit not in _UNITS:
        raise FormatError(path, f"POINT:UNITS is '{unit[:40]}', expected one of {', '.join(_UNITS)}")
    if not 0 < points.rate < 1e7:
        raise FormatError(path, f"POINT:RATE is {points.rate:g}, expected a positive number of frames per second")
    positions, residual = points.positions * _UNITS[unit], points.residuals * _UNITS[unit]
    # a coordinate of 1000 km is damage, not motion
    seen = (np.abs(positions) < 1e6).all(axis=-1) & (residual >= 0)
    confidence = np.where(seen, _RESIDUAL_METRES / (_RESIDUAL_METRES + np.maximum(residual, 0.0)), 0.0)
    notes = list(points.notes)
    own = marker_skeleton(path, _names(points.labels, count), notes)
    return SkeletonSequence(
        positions=np.where(seen[..., None], positions, np.nan)[None],
        skeleton=with_landmarks(path, own, skeleton),
        fps=points.rate,
        unit="m",
        space="world",
        up=up,
        confidence=confidence[None],
        source=str(path),
        notes=tuple(notes),
    )


def _names(labels: Sequence[str], count: int) -> list[str]:
    """As many names as points, each once; unnamed points are ``point<N>``."""
    names: list[str] = []
    for i in range(count):
        names.append(free_name((labels[i] if i < len(labels) else "") or f"point{i + 1}", names))
    return names


def write(sequence: SkeletonSequence, path: Path | str, *, unit: str = "mm") -> tuple[Path, ...]:
    """Write a 3D sequence as C3D points; missing joints get residual -1. The up axis becomes z, as laboratories use.

    More than 65535 frames are announced in TRIAL:ACTUAL_END_FIELD and POINT:LONG_FRAMES, as the C3D guide says; ezc3d
    itself and other readers of the header alone see the first 65535.

    Args:
        sequence: 3D, in metres; camera space is turned upright.
        path: the file. Further people go beside it as ``<name>_person2.c3d`` and so on; who is seen in no frame gets
            no file, and the others keep their numbers.
        unit: a name of `kinegraph.formats.export.UNITS`; laboratories use mm, and not every program knows ``dm``.

    Returns:
        The files written.

    Raises:
        MissingExtraError: ezc3d is not installed.
        DataError: the sequence is 2D, not in metres, has no frame rate or nobody in it.
        KinegraphError: the file cannot be written; nothing is left behind.
    """
    metres = check_metric(sequence, "C3D", unit)
    ezc3d = require("ezc3d", extra="c3d", purpose="writing C3D")
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]) @ y_up(sequence)
    names = list(sequence.skeleton.joints)
    files = person_files(sequence, path, "C3D")
    for person, target in files.items():
        seen = sequence.seen[person]
        points = np.ones((4, len(names), sequence.frames))
        points[:3] = ((sequence.positions[person] @ turn.T) / metres).transpose(2, 1, 0)
        confidence = np.asarray(sequence.confidence)[person]
        residuals = np.where(seen, _RESIDUAL_METRES / metres * (1 / np.where(seen, confidence, 1.0) - 1), -1.0)
        scale = _scale(points[:3], residuals, metres)
        content: Any = ezc3d.c3d()
        point = content["parameters"]["POINT"]
        point["RATE"]["value"] = [float(sequence.fps or 0.0)]
        point["UNITS"]["value"] = [unit]
        point["LABELS"]["value"] = names
        point["SCALE"]["value"] = [-scale]
        if sequence.frames >= HEADER_FRAMES:
            content.add_parameter("POINT", "LONG_FRAMES", [float(sequence.frames)])
            content.add_parameter("TRIAL", "ACTUAL_START_FIELD", [1, 0])
            content.add_parameter("TRIAL", "ACTUAL_END_FIELD", [sequence.frames % 65536, sequence.frames // 65536])
        content["data"]["points"] = points
        content["data"]["meta_points"] = {
            "residuals": np.where(seen, 0.0, -1.0).T[None],
            "camera_masks": np.zeros((7, len(names), sequence.frames), dtype=bool),
        }
        with atomic_path(target) as temporary:
            made = temporary.with_suffix(".c3d")  # ezc3d appends it to any other, .C3D too
            try:
                content.write(str(made))
                put_residuals(made, residuals, scale)
                os.replace(made, temporary)
            finally:
                if made != temporary:
                    made.unlink(missing_ok=True)
    return tuple(files.values())


def _scale(points: NDArray[np.float64], residuals: NDArray[np.float64], metres: float) -> float:
    """The step of the residuals in file units: fine enough for the largest, and one that an integer file could use."""
    largest = float(np.nan_to_num(np.abs(points)).max(initial=0.0))
    step = max(largest / _INTEGER, min(float(residuals.max(initial=0.0)), _LARGEST_METRES / metres) / _STEPS)
    return float(np.float32(step)) or 1.0
