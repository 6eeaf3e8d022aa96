"""NumPy arrays, files and sequences alike: what `kinegraph.load` and `kinegraph.save` take.

Whoever has an array states its layout and rate; see :func:`kinegraph.formats.tables.foreign_array.from_array`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from kinegraph.errors import ConfigError, nearest
from kinegraph.formats import read, write, write_format
from kinegraph.formats.export import WrittenOtherwiseWarning, not_shown
from kinegraph.formats.tables.foreign_array import from_array
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["from_array", "load", "save"]

_ARRAY_OPTIONS = ("skeleton", "fps", "confidence", "unit", "space", "up", "image_size", "dims")


def load(
    source: str | Path | SkeletonSequence | ArrayLike, format: str | None = None, **options: Any
) -> SkeletonSequence:
    """A motion file, a NumPy array with its layout, or a sequence, as a sequence.

    Args:
        source: a file or folder, read by :func:`kinegraph.formats.read`; an array, ``(people, frames, joints, n)`` as
            :func:`from_array` takes it; or a sequence, which comes back as it is: with `fps` at that rate, resampled
            where it states another.
        format: name of a file's format, if name and content do not tell it.
        options: what the reader of the file's format takes, or :func:`from_array`; e.g. ``skeleton`` and ``fps``, which
            states a file's or an array's own rate.

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
        motion: what to write; of an array, ``(people, frames, joints, n)`` as :func:`from_array` takes it, the layout
            must be named.
        path: the file.
        format: name of the format, if the suffix does not tell it.
        skeleton: layout of an array.
        fps: rate of an array, or of a sequence that states none; a sequence that states another is resampled to it.
        options: what the format's own ``write`` takes.

    Returns:
        What was written: `path`, and for formats of one person a file (BVH) the further ones.

    Warns:
        WrittenOtherwiseWarning: the file lacks or shows otherwise what the motion has, and no note of it says so:
            people who are never seen or away, joints more than 5 mm from where they were in a rig (BVH, GLB). See
            :func:`kinegraph.formats.export.not_shown`.

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
    written = write(sequence, path, format, **options)
    for note in not_shown(sequence, format or write_format(path), **options):
        if note not in sequence.notes:
            warnings.warn(f"{path}: {note}", WrittenOtherwiseWarning, stacklevel=2)
    return written
