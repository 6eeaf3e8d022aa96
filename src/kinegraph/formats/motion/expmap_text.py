"""Exponential-map text, the files of the motion-prediction literature: one row of numbers per frame.

Three columns of root translation, then three per joint: 117 columns are the 38 joints of CMU Mocap (layout
``cmu38``, 120 fps), 99 the 32 of Human3.6M (``h36m32``, 50 fps). Numbers are separated by commas or blanks; there is
no header, so bones and units are those of the rigs in ``expmap_rigs.toml``. What sign the rotations have is explained
in :mod:`kinegraph.geometry.expmap_euler`.
"""

from __future__ import annotations

import tomllib
import warnings
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import write_text
from kinegraph.axes import y_up
from kinegraph.errors import ConfigError, DataError, FormatError, nearest
from kinegraph.formats.export import check_metric, person_files
from kinegraph.formats.text_file import read_lines
from kinegraph.geometry.expmap_euler import file_expmap_to_quaternion, quaternion_to_file_expmap
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import make_continuous, matrix_to_quaternion, quaternion_multiply
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

__all__ = ["WIDTHS", "read", "read_matrix", "rest_offsets", "unit_metres", "write"]

WIDTHS = {117: "cmu38", 99: "h36m32"}
"""Number of columns -> layout."""

Array = NDArray[np.float64]
_LARGEST = 1e7  # ten kilometres in Human3.6M's millimetres


@lru_cache(maxsize=1)
def _rigs() -> dict[str, Any]:
    return tomllib.loads(files("kinegraph.formats.motion").joinpath("expmap_rigs.toml").read_text(encoding="utf-8"))


def _rig(layout: str) -> dict[str, Any]:
    rigs = _rigs()
    if layout not in rigs:
        raise ConfigError(f"no rest offsets of layout '{layout}'{nearest(layout, rigs)} (there are {', '.join(rigs)})")
    rig: dict[str, Any] = rigs[layout]
    return rig


def unit_metres(layout: str) -> float:
    """Metres of one unit of the files of that layout."""
    return float(_rig(layout)["metres"])


def rest_offsets(layout: str) -> Array:
    """Offset of every joint from its parent with all rotations at zero, ``(joints, 3)`` metres.

    Args:
        layout: ``"cmu38"`` or ``"h36m32"``.

    Raises:
        ConfigError: another layout.
    """
    rig, skeleton = _rig(layout), get_skeleton(layout)
    offsets = np.zeros((skeleton.num_joints, 3))
    for joint, offset in rig["offsets"].items():
        offsets[skeleton.index(joint)] = offset
    return offsets * float(rig["metres"])


def read_matrix(path: Path | str) -> Array:
    """The numbers of a file, ``(frames, 117 or 99)``, checked and otherwise as they are.

    Raises:
        FormatError: missing, empty, not numbers, a row cut short, a wrong width, NaN or infinite values.
    """
    path = Path(path)
    lines = read_lines(path, "exponential-map text")
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    comma = "," in rows[0][1]
    width = rows[0][1].count(",") + 1 if comma else len(rows[0][1].split())
    if width not in WIDTHS:
        known = " or ".join(f"{columns} ({layout})" for columns, layout in WIDTHS.items())
        raise FormatError(path, f"line {rows[0][0]}: {width} columns; expected {known}")
    for number, line in rows:
        found = line.count(",") + 1 if comma else len(line.split())
        if found != width:
            raise FormatError(
                path, f"line {number}: {found} columns where line {rows[0][0]} has {width}; the row is damaged"
            )
    separator = "," if comma else " "
    text = separator.join(line for _, line in rows)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns of text it cannot read to the end
            values = np.fromstring(text, dtype=np.float64, sep=separator)
    except (ValueError, DeprecationWarning):
        values = np.empty(0)
    if values.size != width * len(rows) or not np.isfinite(values).all():
        raise _fault(path, rows, comma)
    values = values.reshape(len(rows), width)
    if np.abs(values).max() > _LARGEST:
        row, column = (int(place) for place in np.argwhere(np.abs(values) > _LARGEST)[0])
        raise FormatError(
            path,
            f"line {rows[row][0]}, column {column + 1}: {values[row, column]:g} is far too large; "
            "expected radians, and translations of the size of a room",
        )
    return values


def _fault(path: Path, rows: list[tuple[int, str]], comma: bool) -> FormatError:
    """Where the first value is that is no finite number."""
    for number, line in rows:
        for column, cell in enumerate(line.split(",") if comma else line.split(), start=1):
            try:
                good = bool(np.isfinite(float(cell))) and "_" not in cell
            except ValueError:
                good = False
            if not good:
                return FormatError(
                    path,
                    f"line {number}, column {column}: found '{cell.strip()[:40]}', expected a finite number; "
                    "repair the file or leave the frame out",
                )
    return FormatError(path, "holds characters that belong to no number; expected rows of plain numbers")


def read(
    path: Path | str,
    *,
    fps: float | None = None,
    unit: float | None = None,
    up: Literal["y", "z"] | None = None,
) -> SkeletonSequence:
    """Read an exponential-map text file.

    Args:
        path: the file.
        fps: frame rate; by default that of the files: 120 (CMU), 50 (Human3.6M).
        unit: metres of one unit of translation and bone; by default 1/0.45 inch (CMU), 1 mm (Human3.6M).
        up: the vertical axis; by default the one along which the head is above the pelvis.

    Returns:
        One person: positions (1, frames, joints, 3) in metres by forward kinematics on the protocol's bones, local
        rotations and rest offsets, world space.

    Raises:
        FormatError: see :func:`read_matrix`, or an option without sense.
    """
    path = Path(path)
    values = read_matrix(path)
    layout = WIDTHS[values.shape[1]]
    rig, skeleton = _rig(layout), get_skeleton(layout)
    rate = "" if fps is not None else f"{rig['fps']:g} fps (--read fps=N states another) and "
    fps = float(rig["fps"]) if fps is None else fps
    metres = float(rig["metres"]) if unit is None else unit
    if not (np.isfinite(fps) and fps > 0):
        raise FormatError(path, f"fps={fps} is no frame rate; expected a positive number")
    if not (np.isfinite(metres) and 0 < metres <= 1000):
        raise FormatError(path, f"unit={metres} is no length; expected metres of one unit")
    if up not in (None, "y", "z"):
        raise FormatError(path, f"up={up!r} is not valid: expected 'y' or 'z'")
    scale = metres / float(rig["metres"])
    offsets = rest_offsets(layout) * scale
    rotations = file_expmap_to_quaternion(values[:, 3:].reshape(len(values), -1, 3))
    translations = np.tile(offsets, (len(values), 1, 1))
    translations[:, skeleton.root] = values[:, :3] * metres
    positions = forward_kinematics(skeleton.parents, rotations, translations)[0]
    if up is None:
        rise = (positions[:, skeleton.index("head")] - positions[:, skeleton.root]).mean(axis=0)
        up = "z" if abs(rise[2]) > abs(rise[1]) else "y"
    return SkeletonSequence(
        positions=positions[None],
        skeleton=skeleton,
        fps=fps,
        unit="m",
        space="world",
        up=up,
        rotations=make_continuous(rotations)[None],
        offsets=offsets,
        source=str(path),
        notes=(f"the file states neither rate nor bones: {rate}the bones of {layout} assumed",),
    )


def write(sequence: SkeletonSequence, path: Path | str) -> tuple[Path, ...]:
    """Write a sequence on ``cmu38`` or ``h36m32`` with rotations, comma-separated, y up.

    Bones are not part of the format: whoever reads the file sees the rig's own, not the sequence's.

    Args:
        sequence: 3D, in metres, with local rotations and rest offsets that make its positions.
        path: the file. Further people go beside it as ``<name>_person2.txt`` and so on; who is seen in no frame gets
            no file, and the others keep their numbers.

    Returns:
        The files written.

    Raises:
        DataError: another skeleton, no rotations or others than make the positions, a root missing, nobody seen.
    """
    layout = next((name for name in WIDTHS.values() if get_skeleton(name).joints == sequence.skeleton.joints), None)
    if layout is None or sequence.rotations is None or sequence.offsets is None:
        lacking = "rotations" if sequence.rotations is None else "offsets"
        found = sequence.skeleton.name if layout is None else f"{layout} without {lacking}"
        raise DataError(
            f"exponential-map text holds joint rotations of {' or '.join(WIDTHS.values())}; found {found}: write BVH, "
            "or another format"
        )
    check_metric(sequence, "exponential-map text", "m")
    root = sequence.skeleton.root
    turn = y_up(sequence)
    files = person_files(sequence, path, "exponential-map text")
    for person in files:
        if not sequence.seen[person, :, root].all():
            raise DataError(
                f"person {person + 1} has frames without a root; exponential-map text holds whole poses only: "
                "fill the gaps, or write BVH"
            )
        if not sequence.is_posed(person):
            raise DataError(
                f"person {person + 1}: the rotations do not make the positions, which exponential-map text would lose: "
                "write BVH, which gets new rotations"
            )
    for person, target in files.items():
        rotations = np.array(sequence.rotations[person])
        rotations[:, root] = quaternion_multiply(matrix_to_quaternion(turn), rotations[:, root])
        translation = sequence.positions[person, :, root] @ turn.T / unit_metres(layout)
        expmaps = quaternion_to_file_expmap(rotations).reshape(len(rotations), -1)
        rows = np.concatenate([translation, expmaps], axis=1) + 0.0  # no -0
        write_text(target, "\n".join(",".join(f"{value:.9g}" for value in row) for row in rows.tolist()) + "\n")
    return tuple(files.values())
