"""A picture of what people do when: a band of actions for everybody, with the score over time above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.visualize.canvas import Canvas
from kinegraph.visualize.stills import fit, save_image
from kinegraph.visualize.style import BANDS, RGB, blend, contrast, theme

if TYPE_CHECKING:
    from kinegraph.inference.recognition import PersonActions, Recognition

__all__ = ["action_colours", "write_timeline"]

Array = NDArray[np.float64]

_STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_LEFT, _RIGHT = 132, 24
_CURVE, _BAND, _GAP = 52, 30, 24
_PEOPLE = 40  # bands in a picture
_REST: RGB = (148, 156, 168)


def action_colours(recognition: Recognition) -> dict[str, RGB]:
    """A colour for every action that is done, those done longest first: eight, then paler ones, grey for the rest."""
    spent: dict[str, float] = {}
    for entry in recognition.people:
        for segment in entry.segments:
            spent[segment.action] = spent.get(segment.action, 0.0) + segment.stop_s - segment.start_s
    colours = [*BANDS, *(blend(colour, (255, 255, 255), 0.45) for colour in BANDS)]
    order = sorted(spent, key=lambda action: (-spent[action], action))
    return {action: colours[place] if place < len(colours) else _REST for place, action in enumerate(order)}


def write_timeline(
    path: Path | str,
    recognition: Recognition,
    *,
    title: str = "",
    subtitle: str = "",
    theme_name: str = "light",
    width: int = 1000,
) -> None:
    """Draw who does what when (.png).

    A band for each person, coloured by action; above it, the smoothed score of the action that the band names, from 0
    to 100 %. Where a person is not seen, there is nothing. Below, the legend: the actions done longest first.

    Args:
        path: the picture.
        recognition: what a recogniser found.
        title: line at the top.
        subtitle: a line under it.
        theme_name: ``light`` or ``dark``.
        width: in px.

    Raises:
        DataError: nobody is in it, or more than 40 bands.
        KinegraphError: the path cannot be written.
    """
    people = recognition.people
    if not 1 <= len(people) <= _PEOPLE:
        raise DataError(f"a timeline of {len(people)} people; expected 1 to {_PEOPLE}: choose some")
    colours = action_colours(recognition)
    head = (34 if title else 8) + (20 if subtitle else 0) + 6
    known = [(action, colour) for action, colour in colours.items() if colour != _REST]
    rest = len(colours) - len(known)
    known += [(f"{rest} more", _REST)] if rest else []
    legend_rows = _legend_rows(known, width)
    row = _CURVE + _BAND + _GAP
    bottom = head + row * len(people)
    canvas = Canvas(width, bottom + 26 + 22 * len(legend_rows) + 12, theme(theme_name))
    if title:
        canvas.text(12, 9, fit(canvas, title, width - 24, 16), 16)
    if subtitle:
        canvas.text(12, 32, fit(canvas, subtitle, width - 24, 13), 13, canvas.theme.soft)
    start = min(0.0, min(float(entry.cells[0, 0]) for entry in people))
    stop = max(float(entry.cells[-1, 1]) for entry in people)
    stop = stop if stop > start else start + 1.0

    def across(when: float) -> float:
        return _LEFT + (when - start) / (stop - start) * (width - _LEFT - _RIGHT)

    ticks = _ticks(start, stop, (width - _LEFT - _RIGHT) / 64)
    for place, entry in enumerate(people):
        _band(canvas, entry, recognition.actions, colours, head + place * row, across, ticks)
    for when in ticks:
        canvas.text(across(when), bottom - _GAP + 8, _clock(when, stop), 12, canvas.theme.soft, "ma")
    _legend(canvas, legend_rows, bottom + 22)
    save_image(canvas.finish(), path)


def _band(
    canvas: Canvas,
    entry: PersonActions,
    actions: Sequence[str],
    colours: Mapping[str, RGB],
    top: int,
    across: Callable[[float], float],
    ticks: Sequence[float],
) -> None:
    """One person's curve and band."""
    paper, low = canvas.theme.card, top + _CURVE
    right = canvas.width - _RIGHT
    _fill(canvas, _LEFT, top, right, low + _BAND, paper)
    for when in ticks:
        canvas.line(np.array([across(when), top]), np.array([across(when), low]), 1, canvas.theme.line, ends=False)
    for share in (0.0, 0.5, 1.0):
        y = low - share * (_CURVE - 6)
        canvas.line(np.array([_LEFT, y]), np.array([right, y]), 1, canvas.theme.line, ends=False)
    canvas.text(_LEFT - 10, low + _BAND / 2, fit(canvas, entry.label, _LEFT - 18, 14), 14, None, "rm")
    canvas.text(_LEFT - 10, low - (_CURVE - 6), "100 %", 11, canvas.theme.soft, "rm")
    canvas.text(_LEFT - 10, low - 2, "0", 11, canvas.theme.soft, "rm")
    middles = entry.cells.mean(axis=1)
    runs = np.concatenate([[0], np.cumsum(entry.cells[1:, 0] - entry.cells[:-1, 1] > 1e-6)])
    for segment in entry.segments:
        colour = colours[segment.action]
        x0, x1 = across(segment.start_s), across(segment.stop_s)
        run = runs == runs[np.searchsorted(entry.cells[:, 0], segment.start_s - 1e-9)]
        inside = run & (middles > segment.start_s) & (middles < segment.stop_s)
        which = actions.index(segment.action)
        # no more points than pixels: what lies closer is averaged
        parts = np.array_split(np.flatnonzero(inside), max(1, min(int(inside.sum()), int(x1 - x0) // 2)))
        points = [(float(middles[part].mean()), float(entry.smooth[part, which].mean())) for part in parts if len(part)]
        ends = np.interp([segment.start_s, segment.stop_s], middles[run], entry.smooth[run, which]).tolist()
        points = [(segment.start_s, ends[0]), *points, (segment.stop_s, ends[1])]
        xs = [across(moment) for moment, _ in points]
        ys = [low - min(max(score, 0.0), 1.0) * (_CURVE - 6) for _, score in points]
        canvas.area([*zip(xs, ys, strict=True), (x1, low), (x0, low)], blend(paper, colour, 0.28))
        for a, b in pairwise(zip(xs, ys, strict=True)):
            canvas.line(np.array(a), np.array(b), 2, colour, ends=False)
        _fill(canvas, x0, low, max(x1, x0 + 0.5), low + _BAND, colour)
        words = segment.action.replace("_", " ")
        ink = max((canvas.theme.front, canvas.theme.back), key=lambda c: contrast(c, colour))
        shown = fit(canvas, words, x1 - x0 - 10, 13)
        if len(shown) >= min(4, len(words)):
            canvas.text((x0 + x1) / 2, low + _BAND / 2, shown, 13, ink, "mm")
    for before, after in pairwise(entry.segments):
        if after.start_s - before.stop_s < 1e-6:  # a thin cut keeps neighbours apart
            x = across(after.start_s)
            canvas.line(np.array([x, low]), np.array([x, low + _BAND]), 1, canvas.theme.back, ends=False)


def _fill(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, colour: RGB) -> None:
    canvas.area([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour)


def _ticks(start: float, stop: float, most: float) -> list[float]:
    """Round times between two, at most so many."""
    step = next((step for step in _STEPS_S if (stop - start) / step <= most), None)
    if step is None:
        step = _STEPS_S[-1] * float(np.ceil((stop - start) / most / _STEPS_S[-1]))
    first = int(np.ceil(start / step - 1e-9))
    last = int(np.floor(stop / step + 1e-9))
    return [number * step for number in range(first, last + 1)]


def _clock(when: float, longest: float) -> str:
    """``2.5 s``, ``3:20`` or ``1:02:05``."""
    if longest < 120:
        return f"{when:g} s" if when == round(when) else f"{when:.2f}".rstrip("0") + " s"
    seconds = round(when)
    minutes, hours = seconds // 60 % 60, seconds // 3600
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if longest >= 3600 else f"{minutes}:{seconds % 60:02}"


_Entry = tuple[str, RGB, float]


def _legend_rows(names: Sequence[tuple[str, RGB]], width: int) -> list[list[_Entry]]:
    """Names and colours with their places from the left, row by row."""
    measure = Canvas(1, 1, theme("light"))
    rows: list[list[_Entry]] = [[]]
    x = float(_LEFT)
    for name, colour in names:
        step = 18 + measure.text_width(name.replace("_", " "), 13) + 18
        if x + step > width - 8 and rows[-1]:
            rows.append([])
            x = float(_LEFT)
        rows[-1].append((name, colour, x))
        x += step
    return rows


def _legend(canvas: Canvas, rows: Sequence[Sequence[_Entry]], top: int) -> None:
    for number, row in enumerate(rows):
        y = top + 22 * number
        for name, colour, x in row:
            _fill(canvas, x, y + 2, x + 12, y + 14, colour)
            canvas.text(x + 18, y, fit(canvas, name.replace("_", " "), canvas.width - x - 24, 13), 13)
