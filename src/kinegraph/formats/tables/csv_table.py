"""CSV tables, long (one row a joint) or wide (one row a person and frame).

Long: ``frame,person,joint,x,y,z,confidence``. Wide: ``frame,person,nose_x,nose_y,nose_z,nose_confidence,...``. Without
a ``person`` column there is one person; 2D tables have no z; without ``confidence`` every joint with numbers has 1.
Empty cells are missing. Where a sequence has them, ``error50`` and ``error90`` (how far the joint may be off, in the
table's unit: half of the errors are below the first, nine in ten below the second) and ``contact`` (1 on the floor)
follow the confidence. Comment lines before the header carry what a table cannot:

    # skeleton: h36m17           a layout, or a whole skeleton as JSON
    # fps: 50
    # unit: m                    m, px or normalized; in tables of others also cm and mm
    # space: camera              world, camera or image
    # up: y                      of a world

Tables of others may lack all that, name columns and joints in other ways (:mod:`kinegraph.formats.tables.csv_columns`,
:mod:`kinegraph.formats.joints.joint_names`), and mean what arrays of others mean
(:mod:`kinegraph.formats.tables.foreign_array`); what was taken for what stands in the notes, with the columns that were
not read. Without confidences (0, 0) is missing, and (0, 0, 0) but for a pelvis that never leaves it. People may bear
any numbers or names, and frames begin anywhere or be every n-th of a video: people are numbered from 0, frames from the
first one. Comma, semicolon and tab separate.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError, FormatError
from kinegraph.formats.joints.joint_names import joints_by_name, table_layout
from kinegraph.formats.json_file import path_text
from kinegraph.formats.keypoints.detections import MAX_VALUES, Floats, frame_slots
from kinegraph.formats.keypoints.frame_times import Times
from kinegraph.formats.scores import USUAL
from kinegraph.formats.tables.csv_cells import Cell, cell_number, table_cells
from kinegraph.formats.tables.csv_columns import EXTRA, Columns, Row, table_columns
from kinegraph.formats.tables.csv_write import write
from kinegraph.formats.tables.fields import build, check_dims, read_fields
from kinegraph.formats.tables.foreign_array import ArrayUnit, from_file_array
from kinegraph.formats.tables.foreign_mediapipe import may_be_in_image
from kinegraph.formats.text_file import split_lines
from kinegraph.sequence import SkeletonSequence, Space, Up
from kinegraph.skeleton import Skeleton

__all__ = ["read", "write"]


def read(
    path: Path,
    *,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    unit: ArrayUnit | None = None,
    space: Space | None = None,
    up: Up | None = None,
    image_size: tuple[int, int] | None = None,
    dims: int | None = None,
) -> SkeletonSequence:
    """Read a long or wide table.

    Args:
        path: the table.
        skeleton: layout whose joint names the table uses, where its comments name none. Joints of it may be absent;
            joints that only bear numbers are taken in its order.
        fps, space, up, image_size: replace what the comments say, or say what they do not.
        unit: likewise; of a table of others also "cm" and "mm", which become metres. Without it, 3D is taken as
            metres, and 2D as fractions of the image where all numbers are about 0..1, else as px, with a note.
        dims: 2 or 3, where nothing else will do. 2 leaves out the z of what may be MediaPipe's landmarks in the image.

    Raises:
        FormatError: no such columns, a row too short, a cell that is no number, unknown joints, a joint twice, or a
            size that no body has.
    """
    path = Path(path)
    lines = split_lines(path_text(path))
    comments, start = _comments(lines, path)
    if start >= len(lines):
        raise FormatError(path, "comments but no table; expected a header line such as frame,person,joint,x,y,z")
    ours = {"skeleton", "people", "frames"} <= set(comments)
    rows = _rows(lines[start:], max(",;\t", key=lines[start].count), start, path)
    columns = table_columns(rows, path)
    stated = fps if fps is not None else comments.get("fps")
    cells, times = table_cells(rows, columns, path, numbered=ours, fps=stated)
    if not cells:
        raise FormatError(path, "a header without rows; nothing to read")
    names = list(dict.fromkeys(cell[2] for cell in cells))
    if skeleton is not None or "skeleton" not in comments:
        layout, place, notes = table_layout(names, path, "the table", skeleton)
        fields = read_fields(comments, path, layout)
    else:
        fields, notes = read_fields(comments, path), ()
        place = joints_by_name(names, fields["skeleton"])
        if strange := next((name for name in names if name not in place), None):
            expected = ", ".join(fields["skeleton"].joints[:4])
            raise FormatError(path, f"joint {strange[:40]!r} is not of the skeleton; expected {expected}, ...")
    cells = [cell for cell in cells if cell[2] in place]
    numbered = _numbering(cells, comments, path)
    highest = 1.0 if ours else USUAL
    table = _arrays(cells, place, fields["skeleton"].num_joints, numbered, columns, path, highest)
    said = {"fps": fps, "unit": unit, "space": space, "up": up, "image_size": image_size}
    fields |= {name: value for name, value in said.items() if value is not None}
    if columns.time is not None:
        when = sorted(times)
        told = Times.read(columns.names[columns.time], (times[n] for n in when), when).timing(fields.get("fps"))
        fields["fps"], notes = told.fps, (*notes, *told.notes)
    if numbered.step > 1 and fields.get("fps"):
        fields["fps"] /= numbered.step
    if unread := columns.unread():
        shown = ", ".join(unread[:8])[:160] + ", ..." * (len(unread) > 8)
        notes = (*notes, f"columns not read: {shown}")
    fields["notes"] = (*fields.get("notes", ()), *numbered.notes, *notes)
    return _own(path, fields, table, dims) if ours else _foreign(path, fields, table, columns.scored, dims)


@dataclass(frozen=True)
class _Table:
    """Positions (people, frames, joints, dims), confidence, and the columns of EXTRA where all are there."""

    positions: Floats
    confidence: Floats
    extras: Floats | None

    def more(self, scale: float = 1.0) -> dict[str, Any]:
        """What :class:`SkeletonSequence` calls the extras, where they say something; lengths times `scale`."""
        fields: dict[str, Any] = {}
        if self.extras is not None and np.isfinite(self.extras[..., :2]).any():
            fields["uncertainty"] = self.extras[..., :2] * scale
        if self.extras is not None and np.isfinite(self.extras[..., 2]).any():
            fields["contact"] = self.extras[..., 2] == 1
        return fields


def _own(path: Path, fields: dict[str, Any], table: _Table, dims: int | None) -> SkeletonSequence:
    """What we wrote says what it is; what is stated besides replaces it."""
    flat = table.positions.shape[-1] == 2
    check_dims(path, table.positions.shape[-1], dims)
    if "unit" not in fields:
        fields["unit"] = "px" if flat else "m"
        fields["notes"] += (f"the unit is not in the file: taken as {'px' if flat else 'metres'}",)
    fields.setdefault("space", "image" if flat else "world")
    return build(path, **fields, positions=table.positions, confidence=table.confidence, **table.more())


def _foreign(path: Path, fields: dict[str, Any], table: _Table, scored: bool, dims: int | None) -> SkeletonSequence:
    """A table of others, as an array of others."""
    positions = table.positions
    notes = list(fields.pop("notes"))
    later = {name: fields.pop(name) for name in ("label", "origin") if name in fields}
    if dims == 2 and positions.shape[-1] == 3 and may_be_in_image(positions, fields["skeleton"]):
        positions = positions[..., :2]
        notes.append("z left out, as 2D was asked for")
    check_dims(path, positions.shape[-1], dims)
    if not scored and positions.shape[-1] == 3:
        absent = _at_origin(positions, fields["skeleton"])
        if absent.any():
            positions = np.where(absent[..., None], np.nan, positions)
            notes.append("joints at exactly (0, 0, 0) taken as missing, as marker systems mean it")
    unit = fields.pop("unit", None)
    scores = table.confidence if scored else None
    sequence = from_file_array(path, positions, unit=unit, confidence=scores, dims=dims, called="the table", **fields)
    scale = {"cm": 0.01, "mm": 0.001}.get(unit or "", 1.0)
    try:
        return sequence.replace(**later, **table.more(scale), notes=(*notes, *sequence.notes))
    except DataError as error:
        raise FormatError(path, str(error).removeprefix(f"{path}: ")) from None


def _at_origin(positions: Floats, layout: Skeleton) -> NDArray[np.bool_]:
    """Which joints (people, frames, joints) are missing, told by exact zeros.

    A pelvis at zero whenever anybody is seen is where poses are centred.
    """
    zero: NDArray[np.bool_] = np.asarray((positions == 0).all(axis=-1))
    pelvis = layout.landmark("pelvis")
    if pelvis is not None and np.count_nonzero(pelvis) == 1:
        centre = int(np.argmax(pelvis))
        others = np.delete(zero | np.isnan(positions).any(axis=-1), centre, axis=-1).all(axis=-1)
        if (zero[..., centre] | others).all():
            zero[..., centre] &= others
    return zero


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
            found[key] = cell_number(value, path, f"line {index + 1}, {key}")
        elif key == "image_size":
            found[key] = [cell_number(v, path, f"line {index + 1}, image_size") for v in value.split("x")]
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


def _rows(lines: list[str], separator: str, start: int, path: Path) -> Iterator[Row]:
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


@dataclass(frozen=True)
class _Numbering:
    """Places of the table's frames and people, how many there are, and how many frames of the video one stands for."""

    frame_of: dict[int, int]
    person_of: dict[int | str, int]
    frames: int
    people: int
    step: int
    notes: tuple[str, ...]


def _numbering(cells: list[Cell], comments: Mapping[str, Any], path: Path) -> _Numbering:
    """Ours count from 0 and say how many there are; those of others are counted anew."""
    shown, who = sorted({c[0] for c in cells}), list(dict.fromkeys(c[1] for c in cells))
    numbers = sorted(label for label in who if isinstance(label, int))
    frames, people = _count(comments.get("frames")), _count(comments.get("people"))
    frame_of = {number: number for number in shown}
    step, notes = 1, list[str]()
    if frames is None:
        slots = frame_slots(shown)
        if slots is None:
            raise FormatError(
                path, f"{len(shown)} frames with numbers from {shown[0]} to {shown[-1]}; check the frame column"
            )
        frame_of, step = dict(zip(shown, slots.slots, strict=True)), slots.step
        notes += slots.notes()
    if len(numbers) == len(who) and (people is not None or numbers == list(range(len(who)))):
        person_of: dict[int | str, int] = {number: number for number in numbers}
    else:
        labels: list[int | str] = [*numbers] if len(numbers) == len(who) else who
        person_of = {label: place for place, label in enumerate(labels)}
        listed = ", ".join(str(label)[:30] for label in labels[:5]) + ", ..." * (len(labels) > 5)
        notes.append(f"people {listed} of the table, counted from 0 here")
    frames, people = max(frames or 0, max(frame_of.values()) + 1), max(people or 0, max(person_of.values()) + 1)
    return _Numbering(frame_of, person_of, frames, people, step, tuple(notes))


def _count(stated: float | None) -> int | None:
    """What a comment says; None where it says nothing."""
    return None if stated is None or math.isnan(stated) else int(stated)


def _arrays(
    cells: list[Cell],
    place: Mapping[str, int],
    joints: int,
    numbered: _Numbering,
    columns: Columns,
    path: Path,
    highest: float,
) -> _Table:
    """Cells as arrays; confidences of more than 1 are cut to it up to `highest`, and others are an error."""
    frames, people = numbered.frames, numbered.people
    dims = len(cells[0][3])
    if frames * people * joints * dims > min(MAX_VALUES, 3000 * len(cells) + 1_000_000):
        raise FormatError(
            path,
            f"{people} people over {frames} frames, but only {len(cells)} joints are given; check the "
            "frame and person columns",
        )

    def named(cell: int) -> str:
        return f"joint '{cells[cell][2][:40]}' of person {cells[cell][1]} in frame {cells[cell][0]}"

    at = np.array([(numbered.person_of[c[1]], numbered.frame_of[c[0]], place[c[2]]) for c in cells])
    flat = np.ravel_multi_index(tuple(at.T), (people, frames, joints))
    _, first = np.unique(flat, return_index=True)
    if len(first) != len(flat):
        again = int(np.setdiff1d(np.arange(len(flat)), first)[0])
        unread = f". Is one of {', '.join(columns.unread()[:5])[:80]} the person? Call it that" * bool(columns.unread())
        raise FormatError(path, f"{named(again)} stands twice; expected once{unread}")
    points = np.array([c[3] for c in cells], dtype=np.float64)
    scores = np.nan_to_num(np.array([c[4] for c in cells], dtype=np.float64), nan=0.0)
    missing = np.isnan(points)
    outside = (scores < 0) | (scores > highest)
    if outside.any():
        worst = int(np.argmax(scores)) if scores.max() > highest else int(np.argmax(outside))
        raise FormatError(
            path,
            f"{named(worst)} has confidence {scores[worst]:g}; expected 0 to 1. Divide all by what they count to, per "
            "cent by 100",
        )
    half = missing.any(axis=1) & ~missing.all(axis=1) & (scores > 0)
    if half.any():
        raise FormatError(path, f"{named(int(np.argmax(half)))} lacks a coordinate; leave all empty if it is missing")
    seen = ~missing.any(axis=1) & (scores > 0)
    positions = np.full((people, frames, joints, dims), np.nan)
    confidence = np.zeros((people, frames, joints))
    positions.reshape(-1, dims)[flat[seen]] = points[seen]
    confidence.reshape(-1)[flat[seen]] = np.minimum(scores[seen], 1.0)
    extras = None
    if all(c[5] for c in cells):
        extras = np.full((people, frames, joints, len(EXTRA)), np.nan)
        extras.reshape(-1, len(EXTRA))[flat[seen]] = np.array([c[5] for c in cells])[seen]
    return _Table(positions, confidence, extras)
