"""Text on pictures: plain names in the usual font, others in one that has their letters, boxes only with a warning."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from kinegraph import fonts
from kinegraph.visualize import canvas as canvas_module
from kinegraph.visualize.canvas import OVERSAMPLE, Canvas
from kinegraph.visualize.style import LIGHT

SERIF = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"
OF_SERIF = "\u02ef"  # which DejaVu Sans lacks


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The fonts that the system is said to have: none at first."""
    found: list[Path] = []
    monkeypatch.setattr(fonts, "installed_fonts", lambda: found)
    monkeypatch.setattr(fonts, "_FOUND", {})
    canvas_module._in_fonts.cache_clear()
    yield found
    canvas_module._in_fonts.cache_clear()


def drawn(words: str, anchor: str = "la", x: float = 100, y: float = 30) -> np.ndarray:
    """Where there is ink, (80, 200) bool; no warning is given."""
    canvas = Canvas(200, 80, LIGHT)
    canvas.text(x, y, words, 20, (0, 0, 0), anchor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return np.asarray(np.asarray(canvas.finish()).astype(int).sum(axis=-1) < 380)


def ink(picture: np.ndarray) -> tuple[int, int, int, int]:
    """left, right, top, bottom of it."""
    rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
    return columns[0], columns[-1], rows[0], rows[-1]


def test_plain_text_is_pillows(installed: list[Path]) -> None:
    for words in ("run_fast 20 %", "a name… ±2 · 3°"):
        image = Image.new("RGB", (200 * OVERSAMPLE, 80 * OVERSAMPLE), LIGHT.back)
        ImageDraw.Draw(image).text(
            (100 * OVERSAMPLE, 30 * OVERSAMPLE), words, font=ImageFont.load_default(20 * OVERSAMPLE), fill=(0, 0, 0),
            anchor="ma",
        )  # fmt: skip
        expected = np.asarray(image.reduce(OVERSAMPLE)).astype(int).sum(axis=-1) < 380
        np.testing.assert_array_equal(drawn(words, "ma"), expected)


def test_other_letters_differ_and_are_no_boxes(installed: list[Path]) -> None:
    pictures = [drawn(letter) for letter in "äéñßбж"]
    for place, one in enumerate(pictures):
        assert one.any()
        assert all((one != other).any() for other in pictures[place + 1 :])


@pytest.mark.parametrize(("across", "edge"), [("l", 100), ("m", 100), ("r", 100)])
def test_names_are_where_plain_ones_are(installed: list[Path], across: str, edge: int) -> None:
    for height in "am":
        plain, other = ink(drawn("HxxxxH", across + height)), ink(drawn("Hñбñ H", across + height))
        assert abs(other[3] - plain[3]) <= 1  # on one line
        if across == "l":
            assert abs(other[0] - plain[0]) <= 2
        elif across == "r":
            assert abs(other[1] - plain[1]) <= 2
        else:
            assert abs((other[0] + other[1]) / 2 - edge) <= 2


def test_width_is_that_of_what_is_drawn(installed: list[Path]) -> None:
    installed.append(SERIF)
    for words in ("größer", "бег бег", f"walk {OF_SERIF}"):
        left, right, _, _ = ink(drawn(f"|{words}|", x=5))
        assert right - left == pytest.approx(Canvas(1, 1, LIGHT).text_width(f"|{words}|", 20), abs=9)


def test_accents_that_are_spelt_out(installed: list[Path]) -> None:
    spelt = unicodedata.normalize("NFD", "Läufer")
    assert len(spelt) == 7
    np.testing.assert_array_equal(drawn(spelt), drawn("Läufer"))


def test_fonts_of_the_system_letter_by_letter(installed: list[Path]) -> None:
    installed.append(SERIF)
    _, pieces, missing = canvas_module._in_fonts(f"wä {OF_SERIF}lk")
    own = fonts.dejavu()
    assert (pieces, missing) == ([("wä ", own), (OF_SERIF, SERIF), ("lk", own)], set())
    _, pieces, _ = canvas_module._in_fonts(f"walk… {OF_SERIF}")  # nothing for DejaVu: the rest as ever
    assert pieces == [("walk… ", None), (OF_SERIF, SERIF)]
    assert drawn(f"walk {OF_SERIF}").any()


def test_letters_of_no_font_are_boxes_and_said(installed: list[Path]) -> None:
    canvas = Canvas(200, 80, LIGHT)
    canvas.text(10, 10, "跑步 run")
    canvas.text(10, 40, "步 größer")
    assert canvas.text_width("跑步") > 0
    with pytest.warns(fonts.MissingLettersWarning, match="no font here has 步跑: drawn as boxes") as found:
        canvas.finish()
    assert len(found) == 1
