"""CSV tables, long (one row a joint) or wide (one row a person and frame).

Long: ``frame,person,joint,x,y,z,confidence``. Wide: ``frame,person,nose_x,nose_y,nose_z,nose_confidence,...``. Without
a ``person`` column there is one person; 2D tables have no z; without ``confidence`` every joint with numbers has 1.
Empty cells are missing. Where a sequence has them, ``error50`` and ``error90`` (how far the joint may be off, in the
table's unit: half of the errors are below the first, nine in ten below the second) and ``contact`` (1 on the floor)
follow the confidence. Comment lines before the header carry what a table cannot:

    # skeleton: h36m17           a layout, or a whole skeleton as JSON
    # fps: 50
    # unit: m                    m, px or normalized
    # space: camera              world, camera or image

Tables of others without them need joint names that are a layout's, or ``skeleton``; the unit is then taken as px for
2D and metres for 3D, with a note. Their people may bear any numbers, and their frames begin anywhere or be every n-th
of a video: people are numbered from 0, frames from the first one, with a note. Comma, semicolon and tab separate.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.errors import FormatError
from kinegraph.formats.detections import MAX_VALUES, Floats, frame_slots
from kinegraph.formats.fields import build, describe, read_fields
from kinegraph.formats.json_file import MAX_MAGNITUDE, path_text
from kinegraph.formats.keypoint_layouts import layout_by_names, plain_name
from kinegraph.formats.text_file import split_lines
from kinegraph.sequence import SkeletonSequence, Space, Unit
from kinegraph.skeleton import Skeleton

__all__ = ["NAME", "SUFFIXES", "read", "write"]

NAME = "csv"
SUFFIXES = (".csv", ".tsv")

_EXTRA = ("error50", "error90", "contact")
_COLUMN = re.compile(rf"(.+)[_ .:](x|y|z|confidence|score|likelihood|visibility|{'|'.join(_EXTRA)})", re.IGNORECASE)
_CONFIDENCE = ("confidence", "score", "likelihood", "visibility")
_AXES = ("x", "y", "z")

_Cell = tuple[int, int, str, list[float], float, list[float]]
"""Frame, person, joint, coordinates, confidence, and the columns of _EXTRA or nothing."""


def read(
    path: Path,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    unit: Unit | None = None,
    space: Space | None = None,
    image_size: tuple[int, int] | None = None,
) -> SkeletonSequence:
    """Read a long or wide table.

    Args:
        path: the table.
        skeleton: layout whose joint names the table uses, where its comments name none.
        fps, unit, space, image_size: replace what the comments say, or say what they do not.

    Raises:
        FormatError: no such columns, a row too short, a cell that is no number, unknown joints, or a joint twice.
    """
    path = Path(path)
    lines = split_lines(path_text(path))
    comments, start = _comments(lines, path)
    if start >= len(lines):
        raise FormatError(path, "comments but no table; expected a header line such as frame,person,joint,x,y,z")
    separator = max(",;\t", key=lines[start].count)
    rows = _rows(lines[start:], separator, start, path)
    header = [cell.strip() for cell in next(rows)[1]]
    lower = [cell.lower() for cell in header]
    long = "joint" in lower
    cells = list(_long(rows, lower, path) if long else _wide(rows, header, path))
    if not cells:
        raise FormatError(path, "a header without rows; nothing to read")
    layout = None
    if skeleton is not None or "skeleton" not in comments:
        layout, _ = layout_by_names(list(dict.fromkeys(c[2] for c in cells)), path, "the table", skeleton)
    fields = read_fields(comments, path, layout)
    numbered = _numbering(cells, comments, path)
    positions, confidence, extras = _arrays(cells, fields["skeleton"].joints, numbered, path)
    fields["notes"] = (*fields.get("notes", ()), *numbered.notes)
    if extras is not None and np.isfinite(extras[..., :2]).any():
        fields["uncertainty"] = extras[..., :2]
    if extras is not None and np.isfinite(extras[..., 2]).any():
        fields["contact"] = extras[..., 2] == 1
    flat = positions.shape[-1] == 2
    if unit is None and "unit" not in fields:
        fields["notes"] = (
            *fields.get("notes", ()),
            f"the unit is not in the file: taken as {'px' if flat else 'metres'}",
        )
    defaults = {"unit": "px" if flat else "m", "space": "image" if flat else "world"}
    said: dict[str, Any] = {"fps": fps, "unit": unit, "space": space, "image_size": image_size}
    given = {name: value for name, value in said.items() if value is not None}
    if numbered.step > 1 and (rate := given.get("fps", fields.get("fps"))):
        given["fps"] = rate / numbered.step
    return build(path, **{**defaults, **fields, **given, "positions": positions, "confidence": confidence})


def _comments(lines: list[str], path: Path) -> tuple[dict[str, Any], int]:
    """What ``# key: value`` lines say, and the number of the header line."""
    found: dict[str, Any] = {}
    for index, line in enumerate(lines):
        text = line.strip()
        if text and not text.startswith("#"):
            return found, index
        key, colon, value = (part.strip() for part in text.lstrip("#").partition(":"))
        if not colon:
            continue
        if key == "note":
            found.setdefault("notes", []).append(value)
        elif key in ("unit", "space", "up", "label", "source"):
            found[key] = value
        elif key in ("fps", "people", "frames"):
            found[key] = _float(value, path, f"line {index + 1}, {key}")
        elif key == "image_size":
            found[key] = [_float(v, path, f"line {index + 1}, image_size") for v in value.split("x")]
        elif key == "skeleton":
            try:
                found[key] = json.loads(value) if value.startswith("{") else value
            except (ValueError, RecursionError):
                raise FormatError(
                    path,
                    f"line {index + 1}: the skeleton is not valid JSON; expected a layout's name or "
                    "what Skeleton.to_dict gives",
                ) from None
    return found, len(lines)


def _rows(lines: list[str], separator: str, start: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of the header and of each row."""
    reader = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator)
    try:
        header = next(reader)
        width = len(header)
        yield start + 1, header
        for row in reader:
            if not row or (len(row) == 1 and not row[0].strip()):
                continue
            line = start + reader.line_num
            if len(row) != width:
                raise FormatError(
                    path, f"line {line} has {len(row)} cells, the header {width}; the file may be cut short"
                )
            yield line, row
    except (csv.Error, StopIteration) as error:
        raise FormatError(path, f"not a CSV table ({error}); expected comma-separated text") from None


def _float(text: str, path: Path, where: str) -> float:
    """The number in a cell; NaN for an empty one."""
    text = text.strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except (ValueError, OverflowError):
        value = math.inf
    if abs(value) > MAX_MAGNITUDE:
        raise FormatError(path, f"{where} is {text[:40]!r}; expected a number, or an empty cell where it is missing")
    return value


def _floats(row: list[str], columns: list[int], header: list[str], line: int, path: Path) -> list[float]:
    """The numbers in some cells of a row; the messages are made only when one is wrong."""
    try:
        values = [float(row[c]) if row[c] else math.nan for c in columns]
    except (ValueError, OverflowError):
        values = [math.inf]
    # False as well where NaN hides the largest: the careful way below then decides.
    if min(values) >= -MAX_MAGNITUDE and max(values) <= MAX_MAGNITUDE:
        return values
    return [_float(row[c], path, f"line {line}, {header[c]}") for c in columns]


def _whole(text: str, path: Path, line: int, column: str) -> int:
    if text.isdecimal() and len(text) < 16:
        return int(text)
    value = _float(text, path, f"line {line}, {column}")
    if not (value >= 0 and value.is_integer()):
        raise FormatError(path, f"line {line}, {column} is {text.strip()[:40]!r}; expected 0, 1, 2, ...")
    return int(value)


def _long(rows: Iterator[tuple[int, list[str]]], header: list[str], path: Path) -> Iterator[_Cell]:
    for name in ("frame", "x", "y"):
        if name not in header:
            raise FormatError(path, f"no column '{name}' among {', '.join(header[:8])}; expected frame, joint, x, y")
    axes = [header.index(a) for a in _AXES if a in header]
    scores = [header.index(c) for c in _CONFIDENCE if c in header]
    frame, joint = header.index("frame"), header.index("joint")
    person = header.index("person") if "person" in header else None
    extra = [header.index(name) for name in _EXTRA] if set(_EXTRA) <= set(header) else []
    for line, row in rows:
        yield (
            _whole(row[frame], path, line, "frame"),
            _whole(row[person], path, line, "person") if person is not None else 0,
            row[joint].strip(),
            _floats(row, axes, header, line, path),
            _floats(row, scores[:1], header, line, path)[0] if scores else 1.0,
            _floats(row, extra, header, line, path) if extra else [],
        )


def _wide(rows: Iterator[tuple[int, list[str]]], header: list[str], path: Path) -> Iterator[_Cell]:
    columns: dict[str, dict[str, int]] = {}
    for index, name in enumerate(header):
        found = _COLUMN.fullmatch(name)
        if found:
            kind = "confidence" if found[2].lower() in _CONFIDENCE else found[2].lower()
            columns.setdefault(found[1], {})[kind] = index
    columns = {joint: place for joint, place in columns.items() if "x" in place and "y" in place}
    if not columns:
        raise FormatError(
            path,
            f"columns {', '.join(header[:6])[:80]!r}; expected frame,person,joint,x,y,z or "
            "frame,<joint>_x,<joint>_y,...",
        )
    if len({"z" in place for place in columns.values()}) > 1:
        raise FormatError(path, "some joints have a z column and some have none; expected all or none")
    lower = [name.lower() for name in header]
    frame = lower.index("frame") if "frame" in lower else None
    person = lower.index("person") if "person" in lower else None
    for count, (line, row) in enumerate(rows):
        now = _whole(row[frame], path, line, "frame") if frame is not None else count
        who = _whole(row[person], path, line, "person") if person is not None else 0
        for joint, place in columns.items():
            point = _floats(row, [place[a] for a in _AXES if a in place], header, line, path)
            score = _floats(row, [place["confidence"]], header, line, path)[0] if "confidence" in place else 1.0
            extra = [place[name] for name in _EXTRA] if set(_EXTRA) <= set(place) else []
            yield now, who, joint, point, score, _floats(row, extra, header, line, path) if extra else []


@dataclass(frozen=True)
class _Numbering:
    """Places of the table's frames and people, how many there are, and how many frames of the video one stands for."""

    frame_of: dict[int, int]
    person_of: dict[int, int]
    frames: int
    people: int
    step: int
    notes: tuple[str, ...]


def _numbering(cells: list[_Cell], comments: dict[str, Any], path: Path) -> _Numbering:
    """Ours count from 0 and say how many there are; those of others are counted anew."""
    shown, who = sorted({c[0] for c in cells}), sorted({c[1] for c in cells})
    frames, people = _count(comments.get("frames")), _count(comments.get("people"))
    frame_of, person_of = ({number: number for number in numbers} for numbers in (shown, who))
    step, notes = 1, list[str]()
    if frames is None:
        slots = frame_slots(shown)
        if slots is None:
            raise FormatError(
                path, f"{len(shown)} frames with numbers from {shown[0]} to {shown[-1]}; check the frame column"
            )
        frame_of, step = dict(zip(shown, slots.slots, strict=True)), slots.step
        notes += slots.notes()
    if people is None and who != list(range(len(who))):
        person_of = {number: place for place, number in enumerate(who)}
        notes.append(
            f"people {', '.join(map(str, who[:5]))}{', ...' * (len(who) > 5)} of the table, counted from 0 here"
        )
    frames, people = max(frames or 0, max(frame_of.values()) + 1), max(people or 0, max(person_of.values()) + 1)
    return _Numbering(frame_of, person_of, frames, people, step, tuple(notes))


def _count(stated: float | None) -> int | None:
    """What a comment says; None where it says nothing."""
    return None if stated is None or math.isnan(stated) else int(stated)


def _arrays(
    cells: list[_Cell], joints: tuple[str, ...], numbered: _Numbering, path: Path
) -> tuple[Floats, Floats, Floats | None]:
    index = {name: i for i, name in enumerate(joints)}
    plain = {plain_name(name): i for i, name in enumerate(joints)}
    frames, people = numbered.frames, numbered.people
    dims = len(cells[0][3])
    if frames * people * len(joints) * dims > min(MAX_VALUES, 3000 * len(cells) + 1_000_000):
        raise FormatError(
            path,
            f"{people} people over {frames} frames, but only {len(cells)} joints are given; check the "
            "frame and person columns",
        )
    place: dict[str, int] = {}
    for name in dict.fromkeys(c[2] for c in cells):
        found = index.get(name, plain.get(plain_name(name)))
        if found is None:
            raise FormatError(
                path, f"joint {name[:40]!r} is not of the skeleton; expected {', '.join(joints[:4])}, ..."
            )
        place[name] = found

    def named(cell: int) -> str:
        return f"joint '{cells[cell][2][:40]}' of person {cells[cell][1]} in frame {cells[cell][0]}"

    at = np.array([(numbered.person_of[c[1]], numbered.frame_of[c[0]], place[c[2]]) for c in cells])
    flat = np.ravel_multi_index(tuple(at.T), (people, frames, len(joints)))
    _, first = np.unique(flat, return_index=True)
    if len(first) != len(flat):
        again = int(np.setdiff1d(np.arange(len(flat)), first)[0])
        raise FormatError(path, f"{named(again)} stands twice; expected once")
    points = np.array([c[3] for c in cells], dtype=np.float64)
    scores = np.nan_to_num(np.array([c[4] for c in cells], dtype=np.float64), nan=0.0)
    missing = np.isnan(points)
    for wrong, what in (
        ((scores < 0) | (scores > 1), "has a confidence outside 0 to 1; scale it"),
        (missing.any(1) & ~missing.all(1) & (scores > 0), "lacks a coordinate; leave all empty if it is missing"),
    ):
        if wrong.any():
            raise FormatError(path, f"{named(int(np.argmax(wrong)))} {what}")
    seen = ~missing.any(axis=1) & (scores > 0)
    positions = np.full((people, frames, len(joints), dims), np.nan)
    confidence = np.zeros((people, frames, len(joints)))
    positions.reshape(-1, dims)[flat[seen]] = points[seen]
    confidence.reshape(-1)[flat[seen]] = scores[seen]
    extras = None
    if all(c[5] for c in cells):
        extras = np.full((people, frames, len(joints), len(_EXTRA)), np.nan)
        extras.reshape(-1, len(_EXTRA))[flat[seen]] = np.array([c[5] for c in cells])[seen]
    return positions, confidence, extras


def write(sequence: SkeletonSequence, path: Path, *, wide: bool = False) -> None:
    """Write positions and confidences, exactly; rotations and offsets do not fit a table and stay behind.

    Args:
        sequence: what to write.
        path: the file.
        wide: one row for each person and frame instead of one for each joint.

    Raises:
        KinegraphError: the file cannot be written.
    """
    assert sequence.confidence is not None
    head = describe(sequence)
    notes = head.pop("notes", [])
    lines = []
    for key, value in head.items():
        if isinstance(value, dict):
            value = json.dumps(value, ensure_ascii=False)
        lines.append(f"# {key}: {'x'.join(map(str, value)) if isinstance(value, list) else _line(str(value))}")
    lines += [f"# note: {_line(note)}" for note in notes]
    lines += [f"# people: {sequence.people}", f"# frames: {sequence.frames}"]
    axes = _AXES[: sequence.dims]
    joints = sequence.skeleton.joints
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.write("\n".join(lines) + "\n")
        table = csv.writer(stream, delimiter="\t" if Path(path).suffix.lower() == ".tsv" else ",", lineterminator="\n")
        extras = _extras(sequence)
        parts = (*axes, "confidence", *(_EXTRA if extras is not None else ()))
        columns = [f"{joint}_{part}" for joint in joints for part in parts]
        table.writerow(["frame", "person", *(columns if wide else ("joint", *parts))])
        for t in range(sequence.frames):
            for person in range(sequence.people):
                points = sequence.positions[person, t].tolist()
                scores = sequence.confidence[person, t].tolist()
                cells = [[*(point if c > 0 else [""] * len(axes)), c] for point, c in zip(points, scores, strict=True)]
                if extras is not None:
                    cells = [[*cell, *extra] for cell, extra in zip(cells, extras[person][t], strict=True)]
                if wide:
                    table.writerow([t, person, *(v for cell in cells for v in cell)])
                else:
                    table.writerows([t, person, joint, *cell] for joint, cell in zip(joints, cells, strict=True))


def _extras(sequence: SkeletonSequence) -> list[list[list[list[object]]]] | None:
    """The columns of _EXTRA by person, frame and joint, empty where nothing is known; None without any."""
    if sequence.uncertainty is None and sequence.contact is None:
        return None
    shape = sequence.positions.shape[:3]
    errors = np.full((*shape, 2), np.nan) if sequence.uncertainty is None else sequence.uncertainty
    contact = np.full(shape, np.nan) if sequence.contact is None else sequence.contact.astype(np.float64)
    table = np.concatenate([errors, contact[..., None]], axis=-1)
    cells = table.astype(object)
    cells[..., 2] = np.where(np.isnan(contact), "", np.where(contact == 1, 1, 0).astype(object))
    result: list[list[list[list[object]]]] = np.where(np.isnan(table), "", cells).tolist()
    return result


def _line(text: str) -> str:
    """`text` on one line, so that a comment stays one."""
    return " ".join(text.split())
