"""The timeline's picture: colours where actions are, nothing where nobody is, the score's line at its height."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinegraph.errors import DataError
from kinegraph.inference.recognition import PersonActions, Recognition, ScoredWindows, person_actions
from kinegraph.visualize import write_timeline
from kinegraph.visualize.style import BANDS, DARK, LIGHT
from kinegraph.visualize.timeline import action_colours

LEFT, RIGHT, CURVE, BAND, HEAD, ROW = 132, 24, 52, 30, 40, 106


def person(best: list[int], classes: int, number: int = 0, numbers: list[int] | None = None) -> PersonActions:
    """Windows of a second, one after the other, whose class is certain."""
    at = np.array(numbers or range(len(best)))
    times = np.stack([at, at + 1.0], axis=1)
    return person_actions(ScoredWindows(number, None, at, times, np.eye(classes)[best]), names(classes))


def names(classes: int) -> tuple[str, ...]:
    return tuple(f"do_{n}" for n in range(classes))


def drawn(path: Path, people: list[PersonActions], classes: int, **words: str) -> np.ndarray:
    write_timeline(path, Recognition(actions=names(classes), people=tuple(people)), title="day", **words)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def share(picture: np.ndarray, row: int, start: float, stop: float, of: tuple[int, int, int], total: float) -> float:
    """Share of a band's pixels (near its lower edge, under the words) that have a colour."""
    y = HEAD + row * ROW + CURVE + BAND - 4
    x = [round(LEFT + when / total * (1000 - LEFT - RIGHT)) for when in (start, stop)]
    line = picture[y, x[0] + 4 : x[1] - 4]
    return float((np.abs(line - np.array(of)).sum(axis=-1) < 12).mean())


def test_bands_gaps_and_people(tmp_path: Path) -> None:
    people = [person([0] * 6 + [1] * 4, 3), person([2] * 3 + [2] * 3, 3, 1, [0, 1, 2, 7, 8, 9])]
    picture = drawn(tmp_path / "t.png", people, 3)
    assert picture.shape[0] > HEAD + 2 * ROW
    # 0 and 2 are done 6 s each, 1 for 4 s
    assert share(picture, 0, 0, 6, BANDS[0], 10) == 1
    assert share(picture, 0, 6, 10, BANDS[2], 10) == 1
    assert share(picture, 1, 0, 3, BANDS[1], 10) == 1
    assert share(picture, 1, 3, 7, LIGHT.card, 10) == 1
    assert share(picture, 1, 7, 10, BANDS[1], 10) == 1


def test_the_line_is_at_the_scores_height(tmp_path: Path) -> None:
    rows = np.tile([0.75, 0.25], (8, 1))
    times = np.stack([np.arange(8.0), np.arange(8.0) + 1], axis=1)
    entry = person_actions(ScoredWindows(0, None, np.arange(8), times, rows), names(2))
    picture = drawn(tmp_path / "t.png", [entry], 2)
    column = picture[HEAD : HEAD + CURVE, 500]
    solid = np.flatnonzero(np.abs(column - np.array(BANDS[0])).sum(axis=-1) < 40)
    assert solid.mean() == pytest.approx(CURVE - 0.75 * (CURVE - 6), abs=1.5)


def test_dark(tmp_path: Path) -> None:
    picture = drawn(tmp_path / "t.png", [person([0, 0], 1)], 1, theme_name="dark", subtitle="a line more")
    assert tuple(picture[2, 2]) == DARK.back


def test_many_actions_share_grey(tmp_path: Path) -> None:
    people = [person([n for action in range(30) for n in [action] * 4], 30)]
    colours = action_colours(Recognition(actions=names(30), people=tuple(people)))
    assert len(set(colours.values())) == 17
    picture = drawn(tmp_path / "t.png", people, 30)
    tall = drawn(tmp_path / "few.png", [person([0], 1)], 1)
    assert picture.shape[0] - tall.shape[0] <= 3 * 22


def test_too_many_and_nobody(tmp_path: Path) -> None:
    for count in (0, 41):
        with pytest.raises(DataError, match=f"a timeline of {count} people"):
            drawn(tmp_path / "t.png", [person([0], 1)] * count, 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seconds", [1, 90, 600, 20_000, 400_000])
def test_any_length(tmp_path: Path, seconds: int) -> None:
    times = np.array([[0.0, seconds / 2], [seconds / 2, seconds]])
    entry = person_actions(ScoredWindows(0, None, np.arange(2), times, np.eye(2)), names(2))
    assert drawn(tmp_path / "t.png", [entry], 2).shape[1] == 1000
