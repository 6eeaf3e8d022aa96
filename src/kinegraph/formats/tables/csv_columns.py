"""What the columns of a CSV table hold, told by its header.

Ours are ``frame, person, joint, x, y, z, confidence`` or ``frame, person, nose_x, nose_y, ...``; programs call the same
columns by other names, put the axis first (``x1, y1, z1, v1``), or spread the header over several rows (DeepLabCut).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinegraph.errors import FormatError

__all__ = ["AXES", "EXTRA", "Columns", "Point", "Row", "table_columns"]

AXES = ("x", "y", "z")
EXTRA = ("error50", "error90", "contact")
"""Columns of ours beyond positions and confidence."""

Row = tuple[int, list[str]]
"""Line number and cells."""

_FRAMES = ("frame", "frame_id", "frame_idx", "frame_index", "frame_number", "frame_no", "frame_num", "image_id")
_PEOPLE = ("person", "person_id", "track_id", "track", "instance", "instance_id", "individual", "individuals")
_TIMES = ("time", "timestamp", "time_s", "time_ms", "time_seconds", "timestamp_s", "timestamp_ms", "timestamps")
# Names before numbers, where a table has both.
_JOINTS = (
    "joint", "joint_name", "keypoint_name", "landmark_name", "keypoint", "landmark", "bodypart", "body_part", "marker",
    "joint_id", "keypoint_id", "landmark_id", "joint_index", "keypoint_index", "landmark_index",
)  # fmt: skip
_SCORES = ("confidence", "conf", "score", "likelihood", "prob", "probability", "visibility", "vis", "c", "v")
_KINDS = "|".join((*AXES, *_SCORES, *EXTRA))
_KIND_LAST = re.compile(rf"(.+)[_ .:-]({_KINDS})", re.IGNORECASE)
_KIND_FIRST = re.compile(rf"({_KINDS})(?:[_ .:-](.+)|(\d{{1,4}}))", re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+]?[\d.]+(e[-+]?\d+)?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Point:
    """Columns of one joint, and whose it is where the header says that."""

    joint: str
    axes: tuple[int, ...]
    score: int | None
    extra: tuple[int, ...]
    person: str | None = None


@dataclass(frozen=True)
class Columns:
    """Where a table keeps what: numbers of columns. Long tables have a `joint` column and one point without a name."""

    names: tuple[str, ...]
    frame: int | None
    person: int | None
    time: int | None
    joint: int | None
    points: tuple[Point, ...]

    @property
    def scored(self) -> bool:
        """Whether the table says how sure any joint is."""
        return any(point.score is not None for point in self.points)

    def unread(self) -> tuple[str, ...]:
        """Names of the columns that nothing is read from."""
        used = {self.frame, self.person, self.time, self.joint}
        for point in self.points:
            used |= {*point.axes, *point.extra, point.score}
        return tuple(name or "one without a name" for i, name in enumerate(self.names) if i not in used)


def table_columns(rows: Iterator[Row], path: Path) -> Columns:
    """Read the header, of one row or DeepLabCut's three or four, from the front of `rows`.

    Raises:
        FormatError: no such columns, or another program's table.
    """
    _, first = next(rows)
    names = [cell.strip() for cell in first]
    if names[0].lower() == "scorer":
        return _deeplabcut(rows, names, path)
    if names[0].lower() == "format version":
        raise FormatError(
            path, "a table of OptiTrack Motive, which is not read; expected frame,person,joint,x,y,z. Export C3D or BVH"
        )
    if all(_NUMBER.fullmatch(name) for name in names):
        raise FormatError(
            path, "line 1 holds numbers; expected a header, frame,person,joint,x,y,z or frame,<joint>_x,<joint>_y,..."
        )
    plain = [re.sub(r"[\W_]+", "_", name.lower()).strip("_") for name in names]
    place = {name: i for i, name in reversed(list(enumerate(plain)))}
    frame, person, time, joint = (_first(place, known) for known in (_FRAMES, _PEOPLE, _TIMES, _JOINTS))
    if joint is not None and ("x" in place or "joint" in place):
        points: tuple[Point, ...] = (_long(place, frame is not None or time is not None, names, path),)
    else:
        joint, points = None, _wide(names, {frame, person, time}, path)
    return Columns(tuple(names), frame, person, time, joint, points)


def _first(place: Mapping[str, int], known: Sequence[str]) -> int | None:
    return next((place[name] for name in known if name in place), None)


def _long(place: Mapping[str, int], timed: bool, names: Sequence[str], path: Path) -> Point:
    for name, there in (("frame", timed), ("x", "x" in place), ("y", "y" in place)):
        if not there:
            raise FormatError(path, f"no column '{name}' among {', '.join(names[:8])}; expected frame, joint, x, y")
    return _point("", place)


def _point(joint: str, place: Mapping[str, int], person: str | None = None) -> Point:
    """A joint from the columns of its axes, confidence and the like, by their names."""
    extra = tuple(place[name] for name in EXTRA) if set(EXTRA) <= set(place) else ()
    return Point(joint, tuple(place[a] for a in AXES if a in place), _first(place, _SCORES), extra, person)


def _wide(names: Sequence[str], taken: set[int | None], path: Path) -> tuple[Point, ...]:
    for kind_last in (True, False):
        columns: dict[str, dict[str, int]] = {}
        for index, name in enumerate(names):
            if index in taken:
                continue
            found = (_KIND_LAST if kind_last else _KIND_FIRST).fullmatch(name)
            if found:
                joint, kind = (found[1], found[2]) if kind_last else (found[2] or found[3], found[1])
                columns.setdefault(joint, {})[kind.lower()] = index
        points = tuple(_point(joint, place) for joint, place in columns.items() if {"x", "y"} <= set(place))
        if points:
            break
    else:
        raise FormatError(
            path,
            f"columns {', '.join(names[:6])[:80]!r}; expected frame,person,joint,x,y,z or "
            "frame,<joint>_x,<joint>_y,...",
        )
    _same_axes(points, path)
    return points


def _same_axes(points: Sequence[Point], path: Path) -> None:
    if len({len(point.axes) for point in points}) > 1:
        raise FormatError(path, "some joints have a z column and some have none; expected all or none")


def _deeplabcut(rows: Iterator[Row], scorer: list[str], path: Path) -> Columns:
    """Rows scorer, individuals (of several animals), bodyparts and coords, each named in its first cell."""
    header = {"scorer": scorer}
    for _, row in rows:
        header[row[0].strip().lower()] = [cell.strip() for cell in row]
        if "coords" in header or len(header) > 3:
            break
    if not {"bodyparts", "coords"} <= set(header):
        raise FormatError(
            path, f"header rows {', '.join(map(repr, header))[:80]}; expected DeepLabCut's scorer, bodyparts, coords"
        )
    parts, kinds = header["bodyparts"], [kind.lower() for kind in header["coords"]]
    who = header.get("individuals")
    columns: dict[tuple[str | None, str], dict[str, int]] = {}
    for i in range(1, len(scorer)):
        columns.setdefault((who[i] if who else None, parts[i]), {})[kinds[i]] = i
    points = tuple(
        _point(joint, place, person) for (person, joint), place in columns.items() if {"x", "y"} <= set(place)
    )
    if not points:
        raise FormatError(path, f"coords {', '.join(kinds[1:5])[:80]}; expected x, y and likelihood of each body part")
    _same_axes(points, path)
    names = ("frame", *(f"{part}_{kind}" for part, kind in zip(parts[1:], kinds[1:], strict=True)))
    return Columns(names, 0, None, None, None, points)
