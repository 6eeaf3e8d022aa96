"""How many clips of each class train, validate and test, and classes that cannot be what their owner means."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.action_splits import split
from kinegraph.errors import DataError
from kinegraph.store.clip import Clips

__all__ = ["alike", "class_lines", "never_trained", "untrained"]

_PARTS = ("train", "val", "test")
_SHOWN = 40
"""Classes that are listed; of more, nobody reads the list."""


def alike(classes: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that differ in capitals, spaces, underscores, hyphens or the spelling of accents alone.

    >>> alike(["Run", "run", "sit_down", "sit down", "walk"])
    [('Run', 'run'), ('sit down', 'sit_down')]
    """
    found: dict[str, list[str]] = {}
    for name in sorted(classes):
        letters = unicodedata.normalize("NFC", name).casefold()
        found.setdefault("".join(letter for letter in letters if letter not in " _-"), []).append(name)
    return [tuple(names) for names in found.values() if len(names) > 1]


def untrained(clips: Clips, train: NDArray[np.int64]) -> tuple[str, ...]:
    """Classes of which no clip is among those that train, (n,) numbers; none where nothing trains."""
    there = set(clips.labels[train].tolist())
    return tuple(name for label, name in enumerate(clips.classes) if label not in there) if there else ()


def class_lines(clips: Clips, protocol: str) -> list[str]:
    """A line for each class with the clips of each of its parts, and what is to be said of classes that never train.

    Args:
        clips: all of the data set.
        protocol: a name of ``PROTOCOLS``, whose first fold is counted.
    """
    rows = {part: _rows(clips, protocol, part) for part in _PARTS}
    counts = {part: np.bincount(clips.labels[own], minlength=len(clips.classes)) for part, own in rows.items()}
    whole = np.bincount(clips.labels[clips.labels >= 0], minlength=len(clips.classes))
    lines = []
    for label, name in enumerate(clips.classes[:_SHOWN]):
        parts = [f"{int(count[label]):,} {part}" for part, count in counts.items() if count[label]]
        left = int(whole[label] - sum(count[label] for count in counts.values()))
        lines.append(f"  {name}: {', '.join(parts + [f'{left:,} in no part'] * (left > 0)) or 'no clip'}")
    if len(clips.classes) > _SHOWN:
        lines.append(f"  and {len(clips.classes) - _SHOWN} classes more")
    if missing := untrained(clips, rows["train"]):
        lines.append(never_trained(missing))
    return lines


def never_trained(names: Sequence[str]) -> str:
    """What is to be said of these classes.

    >>> never_trained(["bow"])
    'no training clip of class bow, which can never be the answer: give it some, or leave its clips out'
    """
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    which = f"class{'es' if len(names) > 1 else ''} {shown}"
    return f"no training clip of {which}, which can never be the answer: give it some, or leave its clips out"


def _rows(clips: Clips, protocol: str, part: str) -> NDArray[np.int64]:
    try:
        return split(clips, protocol, part)
    except DataError:  # no such part
        return np.zeros(0, dtype=np.int64)
