"""The rows of a CSV table as joints: whose, when, where and how sure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from kinegraph.errors import FormatError
from kinegraph.formats.json_file import MAX_MAGNITUDE
from kinegraph.formats.keypoints.detections import frame_number
from kinegraph.formats.keypoints.frame_times import numbers_by_time, seconds_of
from kinegraph.formats.tables.csv_columns import Columns, Row

__all__ = ["Cell", "cell_number", "table_cells"]

Cell = tuple[int, int | str, str, list[float], float, list[float]]
"""Frame, person, joint, coordinates, confidence, and the columns of EXTRA or nothing."""

_PICTURE = re.compile(r"\.(jpe?g|png|bmp|tiff?|webp)\s*$", re.IGNORECASE)


def cell_number(text: str, path: Path, where: str) -> float:
    """The number in a cell; NaN for an empty one.

    Raises:
        FormatError: there is no number.
    """
    text = text.strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except (ValueError, OverflowError):
        value = math.inf
    if abs(value) > MAX_MAGNITUDE:
        hint = " with a decimal point" if re.fullmatch(r"[-+]?\d+,\d+", text) else ""
        raise FormatError(
            path, f"{where} is {text[:40]!r}; expected a number{hint}, or an empty cell where it is missing"
        )
    return value


def table_cells(
    rows: Iterable[Row], columns: Columns, path: Path, *, numbered: bool, fps: float | None = None
) -> tuple[list[Cell], dict[int, str]]:
    """Every joint of a table, and the time of each frame, as written, where the table has times.

    Frames may bear the numbered names of their pictures (``img_0012.jpg``). Without a frame column equal times are one
    frame, and longer steps between them are frames that are not there
    (:func:`kinegraph.formats.keypoints.frame_times.numbers_by_time`); without times too, each row of a person is one.

    Args:
        rows: those below the header.
        columns: what they hold.
        path: for messages.
        numbered: people must bear numbers, as in tables of ours; else whatever stands there tells them apart.
        fps: a frame rate that is stated; frames are then numbered by it, if their times allow.

    Raises:
        FormatError: a cell that is no number.
    """
    header = columns.names
    cells: list[Cell] = []
    times: dict[int, str] = {}
    ranks: dict[str, int] = {}
    rows_of: Counter[int | str] = Counter()
    for line, row in rows:
        who: int | str = 0
        if columns.person is not None:
            read = _whole if numbered else _label
            who = read(row[columns.person], path, line, header[columns.person])
        time = row[columns.time].strip() if columns.time is not None else ""
        if columns.frame is not None:
            cell = row[columns.frame]
            named = None if numbered or not _PICTURE.search(cell) else frame_number(cell)
            now = _whole(cell, path, line, header[columns.frame]) if named is None else named[1]
        elif columns.time is not None:
            now = ranks.setdefault(time, len(ranks))
        else:
            now = rows_of[who]
            rows_of[who] += 1
        if columns.time is not None:
            times.setdefault(now, time)
        for point in columns.points:
            score = point.score
            cells.append(
                (
                    now,
                    who if point.person is None else point.person,
                    point.joint if columns.joint is None else row[columns.joint].strip(),
                    _floats(row, point.axes, header, line, path),
                    1.0 if score is None else _floats(row, (score,), header, line, path)[0],
                    _floats(row, point.extra, header, line, path) if point.extra else [],
                )
            )
    if columns.frame is not None or columns.time is None:
        return cells, times
    return _in_time(cells, times, header[columns.time], fps)


def _in_time(
    cells: list[Cell], times: dict[int, str], column: str, fps: float | None
) -> tuple[list[Cell], dict[int, str]]:
    """Frames that times alone tell apart, numbered by them, or in their order where they are uneven."""
    values = seconds_of(times.values())
    if values is None:
        return cells, times
    numbers = numbers_by_time(values, column, fps)
    if numbers is None:
        rank = {value: place for place, value in enumerate(sorted(set(values)))}
        numbers = [rank[value] for value in values]
    place = dict(zip(times, numbers, strict=True))
    moved = [(place[c[0]], c[1], c[2], c[3], c[4], c[5]) for c in cells]
    return moved, {place[now]: text for now, text in times.items()}


def _floats(row: list[str], columns: Sequence[int], header: Sequence[str], line: int, path: Path) -> list[float]:
    """The numbers in some cells of a row; the messages are made only when one is wrong."""
    try:
        values = [float(row[c]) if row[c] else math.nan for c in columns]
    except (ValueError, OverflowError):
        values = [math.inf]
    # False as well where NaN hides the largest: the careful way below then decides.
    if min(values) >= -MAX_MAGNITUDE and max(values) <= MAX_MAGNITUDE:
        return values
    return [cell_number(row[c], path, f"line {line}, {header[c]}") for c in columns]


def _whole(text: str, path: Path, line: int, column: str) -> int:
    if text.isdecimal() and len(text) < 16:
        return int(text)
    value = cell_number(text, path, f"line {line}, {column}")
    if not (value >= 0 and value.is_integer()):
        raise FormatError(path, f"line {line}, {column} is {text.strip()[:40]!r}; expected 0, 1, 2, ...")
    return int(value)


def _label(text: str, path: Path, line: int, column: str) -> int | str:
    """A person's number, or what stands there."""
    text = text.strip()
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if 0 <= value < 1e15 and value.is_integer() else text
