"""NumPy arrays, files and sequences alike: what `kinegraph.load` and `kinegraph.save` take.

An array alone says nothing of joints, units or time; whoever has one states the layout and the rate, and what is then
assumed stands in the sequence's notes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError, nearest
from kinegraph.formats import read, write
from kinegraph.sequence import SkeletonSequence, Space, Unit, Up
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["from_array", "load", "save"]

#: no body is this long; numbers beyond it are millimetres or pixels
_LONGEST_M = 20.0
_ARRAY_OPTIONS = ("skeleton", "fps", "confidence", "unit", "space", "up", "image_size", "dims")


def from_array(
    array: ArrayLike,
    *,
    skeleton: str | Skeleton | None,
    fps: float | None = None,
    confidence: ArrayLike | None = None,
    unit: Unit | None = None,
    space: Space | None = None,
    up: Up | None = None,
    image_size: tuple[int, int] | None = None,
    dims: int | None = None,
) -> SkeletonSequence:
    """A sequence from an array.

    Args:
        array: ``(people, frames, joints, n)``, ``(frames, joints, n)`` or one pose ``(joints, n)``. n is 2 (pixels),
            or 3: x, y, z in metres, or with ``dims=2`` x, y and confidence, as detectors give them. NaN is missing.
        skeleton: the layout of its joints, a name or a Skeleton.
        fps: frames per second.
        confidence: the array without its last axis, 0..1; 0 is missing.
        unit: ``"px"`` or ``"normalized"`` of 2D; without it, numbers that all lie in 0..1 are taken as normalised.
        space: ``"world"`` or ``"camera"`` of 3D; without it, world.
        up: which axis of the world points up, y or z.
        image_size: width and height in px of 2D.
        dims: 2 or 3; the length of the last axis if None.

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
    given = dims or values.shape[-1]
    if values.ndim not in (3, 4) or values.shape[-1] not in (2, 3) or given not in (2, 3):
        raise DataError(
            f"the array has shape {np.shape(array)}; expected (people, frames, joints, 2 or 3), (frames, joints, 2 or "
            "3) or one pose (joints, 2 or 3)"
        )
    if given == 3 and values.shape[-1] == 2:
        raise DataError(f"the array has shape {np.shape(array)}, 2D; expected three coordinates")
    scores: np.ndarray[Any, np.dtype[np.float64]] | None = None
    if confidence is not None:
        scores = np.nan_to_num(np.array(confidence, dtype=np.float64))
        scores = scores[None] if scores.ndim == 1 else scores
    notes = []
    if given == 2 and values.shape[-1] == 3:
        if confidence is not None:
            raise DataError("the array has x, y and confidence, and a confidence is given besides; give one of them")
        scores, values = np.nan_to_num(values[..., 2]), values[..., :2]
        if (scores < 0).any() or (scores > 1).any():
            raise DataError(
                f"the array's third numbers run from {scores.min():.3g} to {scores.max():.3g}; expected confidences in "
                "0..1. 3D joints need no lifting"
            )
    missing = np.isnan(values).any(axis=-1)
    if given == 2 and scores is None and (values == 0).all(axis=-1).any():
        missing |= (values == 0).all(axis=-1)
        notes.append("keypoints at exactly (0, 0) taken as missing, as detectors mean it")
    if scores is None:
        scores = np.where(missing, 0.0, 1.0)
    elif scores.shape == missing.shape:
        scores = np.where(missing, 0.0, scores)
    there = values[np.isfinite(values)]
    if given == 2 and unit is None:
        fractions = bool(len(there)) and there.min() >= -0.5 and there.max() <= 1.5
        unit = "normalized" if fractions else "px"
        notes.append(f"the array's unit is not stated: taken as {'fractions of the image' if fractions else 'pixels'}")
    if given == 3 and unit in (None, "m") and len(there):
        flat = values.reshape(-1, *values.shape[-2:])
        seen = flat[np.isfinite(flat).all(axis=(1, 2))]
        extent = float(np.ptp(seen, axis=1).max()) if len(seen) else 0.0
        if extent > _LONGEST_M:
            raise DataError(
                f"a pose of the array spans {extent:.0f}; expected metres (millimetres: divide by 1000; x, y and "
                "confidence: state dims=2, of recognize and forecast read={'dims': 2})"
            )
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


def _numbers(array: ArrayLike) -> NDArray[np.float64]:
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


def load(
    source: str | Path | SkeletonSequence | ArrayLike, format: str | None = None, **options: Any
) -> SkeletonSequence:
    """A motion file, a NumPy array with its layout, or a sequence, as a sequence.

    Args:
        source: a file or folder, read by :func:`kinegraph.formats.read`; an array, see :func:`from_array`; or a
            sequence, which comes back as it is (with `fps`, if it states none).
        format: name of a file's format, if name and content do not tell it.
        options: what the reader of the file's format takes, or :func:`from_array`; e.g. ``skeleton`` and ``fps``.

    Raises:
        FormatError: the file is missing, damaged, or in no format there is.
        ConfigError: an unknown format or option.
        DataError: an array of another shape.

    Example:
        >>> import numpy as np
        >>> sequence = load(np.zeros((10, 17, 3)), skeleton="h36m17", fps=30)
        >>> sequence.people, sequence.frames, sequence.unit
        (1, 10, 'm')
    """
    if isinstance(source, str | Path):
        return read(source, format, **options)
    if format is not None:
        raise ConfigError(f"format='{format}' belongs to a file; found {type(source).__name__}")
    if isinstance(source, SkeletonSequence):
        fps = options.pop("fps", None)
        if options:
            raise ConfigError(f"a sequence knows its {', '.join(options)} itself; leave that out")
        if fps is None or source.fps == fps:
            return source
        return source.replace(fps=fps) if source.fps is None else source.resample(fps)
    for name in options:
        if name not in _ARRAY_OPTIONS:
            there = ", ".join(_ARRAY_OPTIONS)
            raise ConfigError(f"an array has no option '{name}'{nearest(name, _ARRAY_OPTIONS)} (options: {there})")
    return from_array(source, skeleton=options.pop("skeleton", None), **options)


def save(
    motion: SkeletonSequence | ArrayLike,
    path: str | Path,
    format: str | None = None,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    **options: Any,
) -> tuple[Path, ...]:
    """Write a sequence, or an array with its layout; the suffix of `path` tells the format.

    Args:
        motion: what to write; of an array the layout must be named.
        path: the file.
        format: name of the format, if the suffix does not tell it.
        skeleton: layout of an array.
        fps: rate of an array, or of a sequence that states none.
        options: what the format's own ``write`` takes.

    Returns:
        What was written: `path`, and for formats of one person a file (BVH) the further ones.

    Raises:
        ConfigError: an unknown format or option, or one that cannot be written.
        DataError: the format cannot hold this.
        KinegraphError: the file cannot be written.
    """
    if isinstance(motion, SkeletonSequence):
        given: dict[str, Any] = {"skeleton": skeleton} if skeleton is not None else {}
        sequence = load(motion, fps=fps, **given)
    else:
        sequence = from_array(motion, skeleton=skeleton, fps=fps)
    return write(sequence, path, format, **options)
