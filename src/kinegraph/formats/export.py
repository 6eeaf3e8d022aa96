"""What the writers of 3D motion files share: units, who is there, and one file per person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.errors import DataError
from kinegraph.formats.motion.frame_time import SLOWEST_S
from kinegraph.sequence import SkeletonSequence

__all__ = [
    "UNITS",
    "WrittenOtherwiseWarning",
    "absences",
    "away",
    "check_metric",
    "not_shown",
    "person_files",
    "person_paths",
    "present",
    "shown_otherwise",
]


class WrittenOtherwiseWarning(UserWarning):
    """A file that `kinegraph.save` wrote lacks something of the motion, or shows it elsewhere (:func:`not_shown`)."""


UNITS: Mapping[str, float] = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "inch": 0.0254, "foot": 0.3048}
"""Names accepted for ``unit=``, with their metres."""

# formats with a file, or a rig, for each person: who is never seen has none
_APART = ("bvh", "glb", "trc", "c3d", "expmap_text")

# formats that pose a rig through gaps, and what they show of somebody who is away for longer
_RIGS = {
    "bvh": "stands still there, or glides to where they return: bvh hides nobody",
    "glb": "is hidden there",
}
_GAP_S = 1.0  # the longest in which somebody not seen is taken to be there; a rig is posed through it
_SHOWN = 5  # spans named in a note


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


def present(sequence: SkeletonSequence, format_name: str) -> list[int]:
    """Who has a joint in some frame: the others may be no more than a name in a file, and get none of their own.

    Raises:
        DataError: nobody has.
    """
    people = np.flatnonzero(sequence.present.any(axis=1)).tolist()
    if not people:
        raise DataError(
            f"there is nobody to write as {format_name}: no joint is seen in any frame; npz and CSV hold gaps"
        )
    return [int(person) for person in people]


def person_files(sequence: SkeletonSequence, path: Path | str, format_name: str) -> dict[int, Path]:
    """Who gets a file, and which: the others keep their numbers (:func:`person_paths`) where somebody is never seen.

    Raises:
        DataError: nobody is seen.
    """
    paths = person_paths(path, sequence.people)
    return {person: paths[person] for person in present(sequence, format_name)}


def absences(sequence: SkeletonSequence, person: int) -> list[tuple[int, int]]:
    """First and last frame of every span longer than a second in which no joint of somebody is seen."""
    there = np.concatenate(([True], sequence.present[person], [True]))
    changes = np.flatnonzero(there[1:] != there[:-1])
    longest = _GAP_S * (sequence.fps or np.inf)
    return [(int(a), int(b) - 1) for a, b in zip(changes[::2], changes[1::2], strict=True) if b - a > longest]


def away(sequence: SkeletonSequence, format: str) -> list[str]:
    """Notes on what a file of rigs shows while somebody is away (`absences`); `format` is a format's name."""
    notes = []
    for person in range(sequence.people) if format in _RIGS else ():
        spans = absences(sequence, person)
        if not spans or not sequence.present[person].any():
            continue
        named = ", ".join(f"{first}-{last}" for first, last in spans[:_SHOWN])
        more = f" and {len(spans) - _SHOWN} spans more" if len(spans) > _SHOWN else ""
        notes.append(f"person {person + 1} is away in frames {named}{more} and {_RIGS[format]}")
    return notes


def shown_otherwise(sequence: SkeletonSequence, format: str, **options: Any) -> list[str]:
    """Notes on what a written file shows otherwise than the sequence; `format` and `options` as of :func:`not_shown`.

    On people who are away for a while (`away`), on a rate that has to be stated again, and on joints that a rig puts
    elsewhere (`kinegraph.formats.motion.bvh_write.strayed`).
    """
    notes = []
    if format == "bvh" and sequence.fps is not None and 1 / sequence.fps > SLOWEST_S:
        notes.append(
            f"a frame time of {1 / sequence.fps:g} s is not believed of a bvh: state the rate again "
            f"(--read fps={sequence.fps:g}, in Python fps=) when reading"
        )
    notes += away(sequence, format)
    if format not in _RIGS:
        return notes
    from kinegraph.formats.motion.bvh_write import strayed  # which needs this module

    return notes + strayed(sequence, **options)


def not_shown(sequence: SkeletonSequence, format: str, **options: Any) -> list[str]:
    """Notes on what a written file does not have or show; `format` is a format's name, `options` what it took.

    On people who are never seen, and all of :func:`shown_otherwise`.
    """
    missing = np.flatnonzero(~sequence.present.any(axis=1))
    notes = [f"person {person + 1} is never seen and was left out" for person in missing if format in _APART]
    return notes + shown_otherwise(sequence, format, **options)
