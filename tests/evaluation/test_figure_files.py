"""Figures as files: names word for word, in fonts that have their letters, and one warning where none has."""

from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from kinegraph import fonts
from kinegraph.evaluation.confusion import write_confusion
from kinegraph.evaluation.figure_files import save_figure

SERIF = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"
OF_SERIF = "\u02ef"  # which DejaVu Sans lacks


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The fonts that the system is said to have: none at first."""
    found: list[Path] = []
    monkeypatch.setattr(fonts, "installed_fonts", lambda: found)
    monkeypatch.setattr(fonts, "_FOUND", {})
    return found


def picture(words: str, path: Path) -> bytes:
    """What is written of a figure with these words; no warning is given."""
    figure = Figure(figsize=(3, 1))
    axes = figure.subplots()
    axes.set_yticks([0], [words])
    axes.set_xscale("log")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert save_figure(figure, path, dpi=80) == path
    return path.read_bytes()


def test_letters_of_other_fonts(installed: list[Path], tmp_path: Path) -> None:
    installed.append(SERIF)
    found = [picture(words, tmp_path / "f.png") for words in ("Läufer", "бег", f"x{OF_SERIF}", f"x{OF_SERIF} ")]
    assert len(set(found[:3])) == 3
    assert picture(unicodedata.normalize("NFD", "Läufer"), tmp_path / "g.png") == found[0]


def test_dollars_make_no_formula(installed: list[Path], tmp_path: Path) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.set_title(r"a$\nosuch$b")
    axes.set_xscale("log")
    save_figure(figure, tmp_path / "f.png")  # as a formula it would be refused
    assert axes.title.get_text() == r"a$\nosuch$b"
    assert all(label.get_parse_math() for label in axes.get_xticklabels())  # powers of ten stay formulas


def test_one_warning_of_letters_that_no_font_has(installed: list[Path], tmp_path: Path) -> None:
    content = {"classes": ["跑步", "größer"], "confusion": np.eye(2, dtype=int), "protocol": "p", "model": "步"}
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        write_confusion({**content, "top1": 50.0}, tmp_path / "c.png")
    assert [one.category for one in found] == [fonts.MissingLettersWarning]
    assert str(found[0].message).startswith("no font here has 步跑: drawn as boxes")
