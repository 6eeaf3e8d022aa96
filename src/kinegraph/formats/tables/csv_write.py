"""A sequence as a CSV table of ours, long or wide; :mod:`kinegraph.formats.tables.csv_table` says what it holds."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.formats.tables.csv_columns import AXES, EXTRA
from kinegraph.formats.tables.fields import describe
from kinegraph.sequence import SkeletonSequence

__all__ = ["write"]


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
    axes = AXES[: sequence.dims]
    joints = sequence.skeleton.joints
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        stream.write("\n".join(lines) + "\n")
        table = csv.writer(stream, delimiter="\t" if Path(path).suffix.lower() == ".tsv" else ",", lineterminator="\n")
        extras = _extras(sequence)
        parts = (*axes, "confidence", *(EXTRA if extras is not None else ()))
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
    """The columns of EXTRA by person, frame and joint, empty where nothing is known; None without any."""
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
