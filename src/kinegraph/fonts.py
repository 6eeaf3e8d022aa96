"""Fonts for the letters of names in pictures: DejaVu Sans, which comes with matplotlib, then those of the system.

Names of files and classes are written in any script. What no font has is drawn as boxes, and a warning says which.
Letters are looked up only where a picture has other than ASCII: looking imports matplotlib.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

__all__ = [
    "PILLOWS",
    "MissingLettersWarning",
    "dejavu",
    "fonts_with",
    "installed_fonts",
    "letters_of",
    "warn_of_boxes",
]

PILLOWS = frozenset("©«°±´·»‘’“”…‹›⁄™")
"""Letters beside ASCII that the font in Pillow has."""

# What the large families for scripts that DejaVu lacks are called, those first that have most letters.
_LIKELY = (
    *("notosanscjk", "notosanssc", "notosansjp", "sourcehansans", "wqy", "droidsansfallback", "pingfang", "hiragino"),
    *("msyh", "yugoth", "meiryo", "malgun", "arialunicode", "unifont", "notosans", "nirmala", "noto"),
)
_UNFIT = ("lastresort", "color")  # boxes for all letters; pictures in place of outlines
_SHOWN = 10


class MissingLettersWarning(UserWarning):
    """Letters of a picture are drawn as boxes, as no font has them."""


def letters_of(words: str) -> set[str]:
    """The letters that a font must have, ASCII aside: without spaces and what is not seen."""
    others = {letter for letter in words if not letter.isascii()}
    return {one for one in others if unicodedata.category(one) not in ("Zs", "Cc", "Cf") and not _selects(one)}


def _selects(letter: str) -> bool:
    return 0xFE00 <= ord(letter) <= 0xFE0F


_FOUND: dict[str, Path | None] = {}


def fonts_with(letters: Iterable[str]) -> dict[str, Path]:
    """The font file for each of the letters; those that no font has are not in it."""
    wanted = set(letters)
    new = wanted - _FOUND.keys()
    _FOUND.update(dict.fromkeys(new))
    for path in _files() if new else ():
        there = _in_font(path, new)
        _FOUND.update((letter, path) for letter in there)
        new -= there
        if not new:
            break
    known = ((letter, _FOUND[letter]) for letter in wanted)
    return {letter: path for letter, path in known if path is not None}


def _files() -> Iterator[Path]:
    """Fonts to look in; those of the system are looked for only where DejaVu does not do."""
    if (own := dejavu()) is not None:
        yield own
    yield from installed_fonts()


def _in_font(path: Path, letters: Iterable[str]) -> set[str]:
    """Those of the letters that the font has; none where it cannot be read: the next may do."""
    from matplotlib.ft2font import FT2Font

    try:
        face = FT2Font(str(path))
    except Exception:  # a broken file among the system's hundreds
        return set()
    return {letter for letter in letters if face.scalable and face.get_char_index(ord(letter))}


@cache
def dejavu() -> Path | None:
    """The file of DejaVu Sans."""
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return path if path.is_file() else None


@cache
def installed_fonts() -> list[Path]:
    """Files of the system's fonts, those first that are likely to have the letters of a script."""
    from matplotlib.font_manager import findSystemFonts

    def order(path: Path) -> tuple[int, bool, str]:
        name = path.name.lower().replace("-", "").replace("_", "").replace(" ", "")
        place = next((place for place, likely in enumerate(_LIKELY) if likely in name), len(_LIKELY))
        return place, any(style in name for style in ("bold", "italic", "oblique", "light", "thin", "black")), name

    paths = (Path(name) for name in findSystemFonts())
    return sorted((path for path in paths if not any(word in path.name.lower() for word in _UNFIT)), key=order)


def warn_of_boxes(letters: Iterable[str]) -> None:
    """Warn of letters, if any, that no font has."""
    missing = sorted(letters)
    if missing:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        warnings.warn(
            f"no font here has {''.join(missing[:_SHOWN])}{more}: drawn as boxes; install one that has, such as Noto "
            "Sans (for Chinese, Japanese and Korean Noto Sans CJK)",
            MissingLettersWarning,
            stacklevel=2,
        )
