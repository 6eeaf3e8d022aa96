"""Names that nobody bears yet."""

from __future__ import annotations

from collections.abc import Container
from itertools import count

__all__ = ["free_name"]


def free_name(name: str, taken: Container[str], numbered: str = "{name}_{number}") -> str:
    """The name itself, or the first of its numbered forms, from 2 on, that is not taken.

    >>> free_name("hand", {"hand", "hand_2"})
    'hand_3'
    """
    if name not in taken:
        return name
    return next(form for number in count(2) if (form := numbered.format(name=name, number=number)) not in taken)
