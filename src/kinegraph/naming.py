"""Names: those that can be written down, and those that nobody bears yet."""

from __future__ import annotations

from collections.abc import Container
from itertools import count

__all__ = ["as_text", "free_name"]


def as_text(name: str) -> str:
    r"""A name that any text can hold: what is no UTF-8 in a file's name is spelt out, as on the command line.

    Python keeps such bytes as lone surrogates, which open the file and cannot be written. Two names stay two, and one
    is the same wherever it stands. Files are opened by their paths, never by this.

    >>> print(as_text("w\udce4lk"))
    w\udce4lk
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def free_name(name: str, taken: Container[str], numbered: str = "{name}_{number}") -> str:
    """The name itself, or the first of its numbered forms, from 2 on, that is not taken.

    >>> free_name("hand", {"hand", "hand_2"})
    'hand_3'
    """
    if name not in taken:
        return name
    return next(form for number in count(2) if (form := numbered.format(name=name, number=number)) not in taken)
