"""What an array that says nothing of itself means: in memory, and in the npz, npy and pickle files of others.

An array alone says nothing of joints, units or time; whoever has one states the layout and the rate, and what is then
assumed stands in the sequence's notes. Tables of others (:mod:`kinegraph.formats.tables.csv_table`) go the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.formats.scores import USUAL
from kinegraph.formats.tables.foreign_mediapipe import has_landmarks, landmark_kind, may_be_in_image
from kinegraph.sequence import SkeletonSequence, Space, Up
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["ArrayUnit", "frames_first", "from_array", "from_file_array"]

Floats = NDArray[np.float64]
ArrayUnit = Literal["m", "cm", "mm", "px", "normalized"]

#: no body is this long; numbers beyond it are centimetres, millimetres or pixels
_LONGEST_M = 20.0
_SMALL_STEP = 0.1
"""Share of a body's size that a moving body goes between two frames, at most; other people stand further off."""
#: from here on as a body's size in millimetres, below in centimetres
_SHORTEST_MM = 500.0
_METRES: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}


def from_array(
    array: ArrayLike,
    *,
    skeleton: str | Skeleton | None,
    fps: float | None = None,
    confidence: ArrayLike | None = None,
    unit: ArrayUnit | None = None,
    space: Space | None = None,
    up: Up | None = None,
    image_size: tuple[int, int] | None = None,
    dims: int | None = None,
    called: str = "the array",
) -> SkeletonSequence:
    """A sequence from an array.

    Args:
        array: ``(people, frames, joints, n)``, ``(frames, joints, n)`` or one pose ``(joints, n)``. n is 2 (pixels),
            3: x, y, z in metres, or with ``dims=2`` x, y and confidence, as detectors give them, or of
            ``mediapipe33`` 4: x, y, z and visibility. NaN is missing. Of ``mediapipe33``, what can only be landmarks
            in the image is taken as 2D, and what can only be world landmarks as in camera space.
        skeleton: the layout of its joints, a name or a Skeleton.
        fps: frames per second.
        confidence: the array without its last axis, 0..1; 0 is missing.
        unit: ``"px"`` or ``"normalized"`` of 2D; without it, numbers that all lie in 0..1 are taken as normalised.
            ``"m"``, ``"cm"`` or ``"mm"`` of 3D, which become metres; without it, metres.
        space: ``"world"`` or ``"camera"`` of 3D; without it, world.
        up: which axis of the world points up, y or z.
        image_size: width and height in px of 2D.
        dims: 2 or 3; the length of the last axis if None. Of x, y, z and confidence, 2 leaves z out.
        called: what messages call it.

    Raises:
        DataError: no array of numbers, another shape, or numbers that cannot be metres.
        ConfigError: no layout is named.
    """
    values = _numbers(array)
    if skeleton is None:
        raise ConfigError("an array says nothing of its joints; name its layout, e.g. skeleton='coco17'")
    layout = get_skeleton(skeleton)
    if values.ndim == 2:
        values = values[None]
    landmarks = has_landmarks(values, layout)
    # Of other layouts four numbers a joint may as well be quaternions.
    most = 4 if landmarks else 3
    if values.ndim not in (3, 4) or not 2 <= values.shape[-1] <= most or dims not in (None, 2, 3):
        raise DataError(
            f"{called} has shape {np.shape(array)}; expected (people, frames, joints, 2 or 3), (frames, joints, 2 or "
            "3) or one pose (joints, 2 or 3); of mediapipe33 also 4, the fourth the visibility"
        )
    numbers = values.shape[-1]
    given = dims or min(numbers, 3)
    if given == 3 and numbers == 2:
        raise DataError(f"{called} has shape {np.shape(array)}, 2D; expected three coordinates")
    if unit in _METRES and given == 2:
        raise DataError(f"{called} is 2D, and its unit stated as {unit}; expected px or normalized")
    scores: Floats | None = None
    if confidence is not None:
        scores = np.nan_to_num(np.array(confidence, dtype=np.float64))
        scores = scores[None] if scores.ndim == 1 else scores
    if landmarks and given == 2 and numbers > 2:
        values, numbers = _in_image(values, layout, called, scores is not None)
    if numbers > given:
        scores, values = _confidences(values, scores, called), values[..., :given]
    notes = []
    if frames_first(values):
        notes.append(
            f"{len(values)} people over {values.shape[1]} frames, who follow one another in small steps: if they are "
            "frames, give (people, frames, joints, n), as of array.swapaxes(0, 1)"
        )
    if landmarks and given == 3 and dims is None and up is None:
        kind = landmark_kind(values, layout)
        if kind == "image" and unit in (None, "normalized") and space in (None, "image"):
            values, given, unit = values[..., :2], 2, "normalized"
            notes.append(f"{called} taken as MediaPipe's landmarks in the image: fractions of it, and z left out")
        elif kind == "world" and unit in (None, "m") and space is None:
            unit, space = "m", "camera"
            notes.append(f"{called} taken as MediaPipe's world landmarks: metres, y down, from the middle of the hips")
    missing = np.isnan(values).any(axis=-1)
    if given == 2 and scores is None and (values == 0).all(axis=-1).any():
        missing |= (values == 0).all(axis=-1)
        notes.append("keypoints at exactly (0, 0) taken as missing, as detectors mean it")
    if scores is None:
        scores = np.where(missing, 0.0, 1.0)
    elif scores.shape == missing.shape:
        scores = np.where(missing, 0.0, scores)
    if given == 2 and unit is None:
        there = values[~missing]
        fractions = bool(len(there)) and there.min() >= -0.5 and there.max() <= 1.5
        unit = "normalized" if fractions else "px"
        meant = "fractions of the image" if fractions else "px"
        notes.append(f"the unit of {called} is not stated: taken as {meant}")
    if given == 3 and unit in (None, *_METRES):
        values, unit = values * _METRES[unit or "m"], "m"
        _check_extent(values, called)
    assert unit is None or unit in ("m", "px", "normalized")
    return SkeletonSequence(
        positions=values,
        skeleton=layout,
        fps=fps,
        unit=unit or "m",
        space=space or ("image" if given == 2 else "world"),
        up=up,
        confidence=scores,
        image_size=image_size,
        source="the array",
        notes=tuple(notes),
    )


def from_file_array(path: Path, array: Floats, *, unit: ArrayUnit | None, **options: Any) -> SkeletonSequence:
    """As :func:`from_array`, of an array that a file holds, whose name errors and the sequence bear.

    Args:
        path: the file.
        array: ``(people, frames, joints, n)`` or another shape that :func:`from_array` takes.
        unit: as of :func:`from_array`.
        options: its others.

    Raises:
        FormatError: whatever is wrong with the array, or nobody and no frame in it.
    """
    try:
        sequence = from_array(array, unit=unit, **options)
    except KinegraphError as error:
        raise FormatError(path, str(error).removeprefix("the array: ")) from None
    if not sequence.people or not sequence.frames:
        raise FormatError(path, f"holds {sequence.people} people and {sequence.frames} frames; expected one of each")
    notes = ("the unit is not in the file: taken as metres",) if sequence.dims == 3 and unit is None else ()
    return sequence.replace(source=str(path), notes=(*notes, *sequence.notes))


def frames_first(array: Floats) -> bool:
    """Whether what should be ``(people, frames, joints, dims)`` moves as ``(frames, people, joints, dims)`` does.

    That is, far more "people" than "frames", each of whom stands almost where the one before stood, and not quite, and
    "frames" that do not follow one another.
    """
    if array.ndim != 4 or len(array) < 10 or len(array) < 4 * array.shape[1]:
        return False
    points = array[..., :2]
    points = points[np.isfinite(points).all(axis=(1, 2, 3)) & np.any(points != 0, axis=(1, 2, 3))]
    if len(points) < 10:
        return False
    size = float(np.median(np.ptp(points, axis=2).max(axis=-1)))

    def step(axis: int) -> float:
        return float(np.median(np.linalg.norm(np.diff(points, axis=axis), axis=-1).mean(axis=-1)))

    # Windows cut from one recording follow one another along both axes.
    apart = points.shape[1] == 1 or step(1) >= _SMALL_STEP * size
    return apart and 0 < step(0) < _SMALL_STEP * size


def _in_image(values: Floats, layout: Skeleton, called: str, scored: bool) -> tuple[Floats, int]:
    """MediaPipe's landmarks without z, and how many numbers each has then: x, y and perhaps the visibility."""
    numbers = values.shape[-1]
    third = values[..., 2]
    if numbers == 3 and not scored and not ((third < 0) | (third > 1)).any():
        return values, numbers  # x, y and confidence
    if not may_be_in_image(values[..., :3], layout):
        raise DataError(
            f"{called} has x, y and z that are no landmarks in the image; expected fractions of it, or x, y and "
            "confidences in 0..1. 3D joints need no lifting"
        )
    return np.delete(values, 2, axis=-1), numbers - 1


def _confidences(values: Floats, scores: Floats | None, called: str) -> Floats:
    """The last of the numbers of each joint, if they are confidences and none are given besides."""
    which = "x, y and confidence" if values.shape[-1] == 3 else "x, y, z and confidence"
    if scores is not None:
        raise DataError(f"{called} has {which}, and a confidence is given besides; give one of them")
    last = np.nan_to_num(values[..., -1])
    if (last < 0).any() or (last > 1).any():
        number, hint = ("third", ". 3D joints need no lifting") if values.shape[-1] == 3 else ("fourth", "")
        clip = " (clip what overshoots)" if last.min() >= 0 and last.max() <= USUAL else ""
        raise DataError(
            f"the {number} numbers of {called} run from {last.min():.3g} to {last.max():.3g}; expected "
            f"confidences in 0..1{clip}{hint}"
        )
    return last


def _check_extent(metres: Floats, called: str) -> None:
    """Refuse poses that no body can be."""
    flat = metres.reshape(-1, *metres.shape[-2:])
    there = np.isfinite(flat)
    lowest = np.where(there, flat, np.inf).min(axis=1)
    highest = np.where(there, flat, -np.inf).max(axis=1)
    extent = float((highest - lowest).max(initial=0.0))
    if extent > _LONGEST_M:
        likely, words = ("cm", "centimetres") if extent < _SHORTEST_MM else ("mm", "millimetres")
        raise DataError(
            f"a pose of {called} spans {extent:.0f}; expected metres (of a body of this size it would be {likely}; "
            f"{words}: state unit='{likely}', of recognize and forecast read={{'unit': '{likely}'}}; of a file --read "
            f"unit={likely}; x, y and confidence: state dims=2, of recognize and forecast read={{'dims': 2}}; of a "
            "file --read dims=2)"
        )


def _numbers(array: ArrayLike) -> Floats:
    """The array as numbers of its own.

    Raises:
        DataError: it is none.
    """
    try:
        values = np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"found a {type(array).__name__} that is no array of numbers ({error})") from error
    if values.ndim == 0:
        raise DataError(f"found {type(array).__name__} {array!r}; expected a file, a SkeletonSequence or an array")
    return values
