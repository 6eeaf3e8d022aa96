"""Names: those that can be written down, those that nobody bears yet, those that do not tell where somebody works."""

from __future__ import annotations

import os
import re
from collections.abc import Container
from itertools import count
from pathlib import Path

__all__ = ["as_text", "free_name", "without_folder"]


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


def without_folder(text: str, folder: Path | str) -> str:
    """A message in which the files of a folder are named as seen from it: for lists that travel with the data.

    >>> without_folder("/home/ada/moves/walk/1.bvh: empty", "/home/ada/moves")
    'walk/1.bvh: empty'
    """
    return re.sub(rf"(?<![^\s'\"(]){re.escape(str(Path(folder)))}{re.escape(os.sep)}", "", text)
