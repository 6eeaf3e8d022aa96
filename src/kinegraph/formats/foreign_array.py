"""What an array that says nothing of itself means: in memory, and in the npz, npy and pickle files of others.

An array alone says nothing of joints, units or time; whoever has one states the layout and the rate, and what is then
assumed stands in the sequence's notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.sequence import SkeletonSequence, Space, Up
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["ArrayUnit", "from_array"]

Floats = NDArray[np.float64]
ArrayUnit = Literal["m", "cm", "mm", "px", "normalized"]

#: no body is this long; numbers beyond it are millimetres or pixels
_LONGEST_M = 20.0
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
            or 3: x, y, z in metres, or with ``dims=2`` x, y and confidence, as detectors give them. NaN is missing.
        skeleton: the layout of its joints, a name or a Skeleton.
        fps: frames per second.
        confidence: the array without its last axis, 0..1; 0 is missing.
        unit: ``"px"`` or ``"normalized"`` of 2D; without it, numbers that all lie in 0..1 are taken as normalised.
            ``"m"``, ``"cm"`` or ``"mm"`` of 3D, which become metres; without it, metres.
        space: ``"world"`` or ``"camera"`` of 3D; without it, world.
        up: which axis of the world points up, y or z.
        image_size: width and height in px of 2D.
        dims: 2 or 3; the length of the last axis if None.
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
    given = dims or values.shape[-1]
    if values.ndim not in (3, 4) or values.shape[-1] not in (2, 3) or given not in (2, 3):
        raise DataError(
            f"{called} has shape {np.shape(array)}; expected (people, frames, joints, 2 or 3), (frames, joints, 2 or "
            "3) or one pose (joints, 2 or 3)"
        )
    if given == 3 and values.shape[-1] == 2:
        raise DataError(f"{called} has shape {np.shape(array)}, 2D; expected three coordinates")
    if unit in _METRES and given == 2:
        raise DataError(f"{called} is 2D, and its unit stated as {unit}; expected px or normalized")
    scores: Floats | None = None
    if confidence is not None:
        scores = np.nan_to_num(np.array(confidence, dtype=np.float64))
        scores = scores[None] if scores.ndim == 1 else scores
    if given == 2 and values.shape[-1] == 3:
        if confidence is not None:
            raise DataError(f"{called} has x, y and confidence, and a confidence is given besides; give one of them")
        scores, values = np.nan_to_num(values[..., 2]), values[..., :2]
        if (scores < 0).any() or (scores > 1).any():
            raise DataError(
                f"the third numbers of {called} run from {scores.min():.3g} to {scores.max():.3g}; expected "
                "confidences in 0..1. 3D joints need no lifting"
            )
    notes = []
    missing = np.isnan(values).any(axis=-1)
    if given == 2 and scores is None and (values == 0).all(axis=-1).any():
        missing |= (values == 0).all(axis=-1)
        notes.append("keypoints at exactly (0, 0) taken as missing, as detectors mean it")
    if scores is None:
        scores = np.where(missing, 0.0, 1.0)
    elif scores.shape == missing.shape:
        scores = np.where(missing, 0.0, scores)
    if given == 2 and unit is None:
        there = values[np.isfinite(values)]
        fractions = bool(len(there)) and there.min() >= -0.5 and there.max() <= 1.5
        unit = "normalized" if fractions else "px"
        meant = "fractions of the image" if fractions else "pixels"
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


def _check_extent(metres: Floats, called: str) -> None:
    """Refuse poses that no body can be."""
    flat = metres.reshape(-1, *metres.shape[-2:])
    seen = flat[np.isfinite(flat).all(axis=(1, 2))]
    extent = float(np.ptp(seen, axis=1).max()) if len(seen) else 0.0
    if extent > _LONGEST_M:
        raise DataError(
            f"a pose of {called} spans {extent:.0f}; expected metres (millimetres: state unit='mm'; x, y and "
            "confidence: state dims=2, of recognize and forecast read={'dims': 2}; of a file --read dims=2)"
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
