"""Which font has which letters: DejaVu's that comes with matplotlib, others that are installed, none."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from PIL import ImageFont

from kinegraph import fonts

SERIF = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSerif.ttf"
OF_SERIF = "\u02ef"  # which DejaVu Sans lacks
NOWHERE = "跑"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The fonts that the system is said to have: none at first."""
    found: list[Path] = []
    monkeypatch.setattr(fonts, "installed_fonts", lambda: found)
    monkeypatch.setattr(fonts, "_FOUND", {})
    return found


def test_letters_are_what_a_font_must_have() -> None:
    assert fonts.letters_of("Läufer, größer 1 \u00a0\u3000\u200d\ufe0f\n") == {"ä", "ö", "ß"}


def test_the_font_of_each_letter(installed: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    installed += [broken, SERIF]
    own = fonts.dejavu()
    assert own is not None
    assert fonts.fonts_with("äñбΩ" + OF_SERIF + NOWHERE) == {**dict.fromkeys("äñбΩ", own), OF_SERIF: SERIF}
    assert fonts.fonts_with("ä" + NOWHERE) == {"ä": own}  # as before


def test_installed_fonts_are_not_looked_for_without_need(
    installed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "installed_fonts", lambda: pytest.fail("looked for"))
    assert set(fonts.fonts_with("äß")) == {"ä", "ß"}


def test_likely_fonts_come_first_and_unfit_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["Zapf.ttf", "NotoSansCJK-Bold.ttc", "LastResort.otf", "NotoColorEmoji.ttf", "Noto Sans CJK-Regular.ttc"]
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [f"/fonts/{name}" for name in names])
    fonts.installed_fonts.cache_clear()
    try:
        found = [path.name for path in fonts.installed_fonts()]
    finally:
        fonts.installed_fonts.cache_clear()
    assert found == ["Noto Sans CJK-Regular.ttc", "NotoSansCJK-Bold.ttc", "Zapf.ttf"]


def test_the_warning_names_letters_once_and_not_all_of_many() -> None:
    with pytest.warns(fonts.MissingLettersWarning, match="no font here has 步跑: drawn as boxes; install one") as found:
        fonts.warn_of_boxes({"跑", "步"})
    assert len(str(found[0].message).splitlines()) == 1
    with pytest.warns(fonts.MissingLettersWarning, match="no font here has .{10} and 5 more: "):
        fonts.warn_of_boxes(chr(0x8DD0 + place) for place in range(15))


def test_pillows_font_has_what_it_is_said_to_have() -> None:
    font = ImageFont.load_default(40)
    box = bytes(font.getmask(NOWHERE))
    for letter in fonts.PILLOWS:
        assert bytes(font.getmask(letter)) != box, letter
    assert bytes(font.getmask("ä")) == box
