"""Figures of matplotlib as files: written whole or not at all, names in them as they are, in fonts that have them."""

from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path
from typing import Any

from kinegraph.atomic import atomic_path
from kinegraph.fonts import fonts_with, letters_of, warn_of_boxes

__all__ = ["save_figure"]


def save_figure(figure: Any, path: Path | str, **options: Any) -> Path:
    """Write a figure; warns of letters that no font has.

    Args:
        figure: of matplotlib. Its texts are taken word for word: two dollars in a name make no formula.
        path: whose suffix is a format that matplotlib writes.
        options: of its ``savefig``.

    Returns:
        The path.

    Raises:
        KinegraphError: it cannot be written.
    """
    from matplotlib.text import Text

    texts = figure.findobj(Text)
    for text in texts:
        if "$" in text.get_text():  # axes may write powers as formulas; they do so later
            text.set_parse_math(False)
        if not text.get_text().isascii():
            text.set_text(unicodedata.normalize("NFC", text.get_text()))  # accents of files' names may be spelt out
    letters = set().union(*(letters_of(text.get_text()) for text in texts))
    fonts = fonts_with(letters)
    families = [_family(font) for font in dict.fromkeys(fonts.values())]
    for text in texts if families else ():
        text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *families])))
    with warnings.catch_warnings(), atomic_path(path) as temporary:
        warnings.filterwarnings("ignore", message=r"Glyph \d+ ")
        figure.savefig(temporary, **options)
    warn_of_boxes(letters - fonts.keys())
    return Path(path)


def _family(path: Path) -> str:
    """The name by which matplotlib finds a font file."""
    from matplotlib.font_manager import fontManager

    if not any(entry.fname == str(path) for entry in fontManager.ttflist):
        fontManager.addfont(path)
    return next(entry.name for entry in fontManager.ttflist if entry.fname == str(path))
