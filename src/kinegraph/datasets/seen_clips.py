"""Which clips a network has seen, by their names: where a folder grows, numbers and fingerprints are others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

__all__ = ["marks_in", "marks_of", "name_hash"]

_MARK = 12  # hexadecimal digits: one of a million names has that of one of a million others in 0.4 % of cases


def name_hash(name: str) -> str:
    """SHA-256 of a clip's name, in hexadecimal digits: the same on every machine, whatever clips there are beside."""
    return hashlib.sha256(name.encode()).hexdigest()


def marks_of(names: Iterable[str]) -> str:
    """The beginning of each name's hash, side by side in order of size: what is kept with weights."""
    return "".join(sorted(name_hash(name)[:_MARK] for name in names))


def marks_in(kept: object, names: Iterable[str]) -> list[bool]:
    """Which names are among those of :func:`marks_of`; none where nothing was kept."""
    text = kept if isinstance(kept, str) else ""
    known = {text[at : at + _MARK] for at in range(0, len(text), _MARK)}
    return [name_hash(name)[:_MARK] in known for name in names]
