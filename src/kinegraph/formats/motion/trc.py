"""TRC, the marker files of OpenSim and Motion Analysis: tab-separated text, one row per frame.

A blank coordinate is a marker that was not seen, and so is one at 0, 0, 0 exactly: that is how programs write it that
have no blanks. Only a root that is there in every frame stays, as bodies are often told from it. TRC names its unit and
rate but neither a skeleton nor an up axis: joints are those of the registered layout with the same names, else loose
markers, and y is taken as up (OpenSim's ground) unless ``up="z"`` says otherwise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import write_text
from kinegraph.axes import y_up
from kinegraph.errors import FormatError
from kinegraph.formats.export import UNITS, check_metric, person_files
from kinegraph.formats.joints.own_landmarks import with_landmarks
from kinegraph.formats.joints.rig import MAX_JOINTS, marker_skeleton
from kinegraph.formats.text_file import read_lines
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

_FILE_UNITS = {
    **UNITS,
    **{
        f"{prefix}{word}{plural}": scale
        for prefix, scale in (("", 1.0), ("deci", 0.1), ("centi", 0.01), ("milli", 0.001))
        for word in ("meter", "metre")
        for plural in ("", "s")
    },
    **dict.fromkeys(("in", "inches"), UNITS["inch"]),
    **dict.fromkeys(("ft", "feet"), UNITS["foot"]),
}
_ROOTS = ("hips", "hip", "midhip", "pelvis", "root")

Array = NDArray[np.float64]


def read(
    path: Path | str, *, up: Literal["y", "z"] = "y", skeleton: str | Path | Skeleton | None = None
) -> SkeletonSequence:
    """Read a TRC file.

    Args:
        path: the file.
        up: its vertical axis.
        skeleton: a file with ``[landmarks]``, which says what the markers stand for
            (:mod:`kinegraph.formats.joints.own_landmarks`).

    Returns:
        One person, positions (1, frames, markers, 3) in metres, world space; confidence 0 where a cell is blank, or
        where all three coordinates are 0.

    Raises:
        FormatError: the file is missing, damaged or not TRC.
    """
    path = Path(path)
    if up not in ("y", "z"):
        raise FormatError(path, f"up={up!r} is not valid: expected 'y' or 'z'")
    lines = read_lines(path, "a TRC marker file")
    if not lines[0].lower().startswith("pathfiletype") or len(lines) < 5:
        raise FormatError(path, "not a TRC marker file, or cut short: expected five header lines from 'PathFileType'")
    header = _header(path, lines)
    names = [name.strip() for name in lines[3].split("\t")[2:] if name.strip()]
    if not 0 < len(names) <= MAX_JOINTS:
        raise FormatError(path, f"line 4: 1 to {MAX_JOINTS} marker names are expected; found {len(names)}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FormatError(
            path,
            f"line 4: '{twice[:40]}' stands {names.count(twice)} times; expected marker names, each once: rename it",
        )
    markers = _whole(path, header, "NumMarkers")
    if markers != len(names):
        raise FormatError(path, f"line 3: NumMarkers is {markers}, but line 4 names {len(names)} markers")
    rows = _rows(path, lines, len(names))
    frames = _whole(path, header, "NumFrames")
    if len(rows) != frames or not frames:
        raise FormatError(path, f"line 3: NumFrames is {frames}, found {len(rows)} rows; the file is cut short")
    unit = header.get("units", "")
    if unit.lower() not in _FILE_UNITS:
        raise FormatError(path, f"line 3: Units is '{unit[:40]}', expected one of {', '.join(UNITS)}; correct it")
    with np.errstate(over="ignore"):
        positions = rows.reshape(frames, len(names), 3) * _FILE_UNITS[unit.lower()]
    notes: list[str] = []
    own = marker_skeleton(path, names, notes)
    positions[_at_zero(positions, own, notes)] = np.nan
    return SkeletonSequence(
        positions=positions[None],
        skeleton=with_landmarks(path, own, skeleton),
        fps=_rate(path, header),
        unit="m",
        space="world",
        up=up,
        source=str(path),
        notes=tuple(notes),
    )


def _at_zero(positions: Array, skeleton: Skeleton, notes: list[str]) -> NDArray[np.bool_]:
    """Which markers (frames, markers) lie at 0, 0, 0 because they were not seen."""
    zero = np.asarray((positions == 0).all(axis=-1))
    always = np.asarray(zero.all(axis=0))
    if not always.all():
        pelvis = skeleton.landmark("pelvis")
        alone = int(np.argmax(pelvis)) if pelvis is not None and np.count_nonzero(pelvis) == 1 else -1
        loose = set(skeleton.parents) <= {-1, 0}
        for marker, parent in enumerate(skeleton.parents):
            root = marker == alone or skeleton.joints[marker].lower() in _ROOTS
            # of a rig's layout the first bones may have no length
            if always[marker] and (
                root or (not loose and parent >= 0 and always[parent] and not zero[:, parent].any())
            ):
                zero[:, marker] = False
    if zero.any():
        names = [skeleton.joints[marker] for marker in np.unique(np.nonzero(zero)[1])]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        notes.append(f"{zero.sum()} points at 0, 0, 0 exactly taken as not seen ({shown})")
    return zero


def _header(path: Path, lines: Sequence[str]) -> dict[str, str]:
    keys, values = ([cell.strip() for cell in line.split("\t")] for line in lines[1:3])
    while keys and not keys[-1]:
        keys.pop()
    if len(keys) > 1 and len(values) >= len(keys) and not any(values[len(keys) :]):
        return {key.lower(): value for key, value in zip(keys, values, strict=False)}
    keys, values = lines[1].split(), lines[2].split()
    if len(keys) != len(values):
        raise FormatError(path, f"line 3: {len(values)} values for the {len(keys)} names in line 2")
    return {key.lower(): value for key, value in zip(keys, values, strict=True)}


def _whole(path: Path, header: dict[str, str], key: str) -> int:
    word = header.get(key.lower(), "")
    found = re.fullmatch(r"([0-9]{1,12})(?:\.0*)?", word)
    if not found:
        raise FormatError(path, f"line 3: {key} needs a whole number, found '{word[:40]}'")
    return int(found[1])


def _rate(path: Path, header: dict[str, str]) -> float:
    word = header.get("datarate", "")
    try:
        rate = float(word)
    except ValueError:
        rate = math.nan
    if not 0 < rate < 1e7:
        raise FormatError(path, f"line 3: DataRate needs a positive number of frames per second, found '{word[:40]}'")
    return rate


def _rows(path: Path, lines: Sequence[str], markers: int) -> Array:
    """Coordinates (frames, 3 markers), NaN where blank."""
    rows: list[list[float]] = []
    for number, line in enumerate(lines[5:], start=6):
        if not line.strip():
            continue
        cells = line.split("\t") if "\t" in line else line.split()
        # trailing blanks may be markers not seen or just a tab at the end of the line
        coordinates = [cell.strip() for cell in cells[2:]]
        while len(coordinates) > 3 * markers and not coordinates[-1]:
            coordinates.pop()
        if len(coordinates) > 3 * markers or len(cells) < 2:
            raise FormatError(path, f"line {number}: {len(coordinates)} coordinates for {markers} markers of 3")
        coordinates += [""] * (3 * markers - len(coordinates))
        rows.append(_cells(path, number, coordinates))
    return np.array(rows, dtype=np.float64).reshape(len(rows), 3 * markers)


def _cells(path: Path, number: int, cells: Sequence[str]) -> list[float]:
    values = []
    for i, cell in enumerate(cells):
        try:
            value = float(cell) if cell else math.nan
        except ValueError:
            value = math.inf
        # 'nan' is how some programs spell blank; an infinity or a word is damage
        if math.isinf(value) or abs(value) > 1e12:
            raise FormatError(path, f"line {number}: coordinate {i + 1} is '{cell[:40]}', expected a number or a blank")
        values.append(value)
    return values


def write(sequence: SkeletonSequence, path: Path | str, *, unit: str = "mm") -> tuple[Path, ...]:
    """Write a 3D sequence as TRC, y up, missing joints blank.

    Args:
        sequence: 3D, in metres. Camera space and z-up worlds are turned to y up.
        path: the file. Further people go beside it as ``<name>_person2.trc`` and so on; who is seen in no frame gets
            no file, and the others keep their numbers.
        unit: unit of the numbers, ``mm``, ``m`` or another of `UNITS`.

    Returns:
        The files written.

    Raises:
        DataError: the sequence is 2D, not in metres, has no frame rate or nobody in it.
        KinegraphError: the file cannot be written; nothing is left behind.
    """
    metres = check_metric(sequence, "TRC", unit)
    files = person_files(sequence, path, "TRC")
    turn = y_up(sequence)
    for person, target in files.items():
        write_text(target, _text(sequence, (sequence.positions[person] @ turn.T) / metres, unit, target.name))
    return tuple(files.values())


def _text(sequence: SkeletonSequence, positions: Array, unit: str, name: str) -> str:
    fps = sequence.fps or 0.0
    names = sequence.skeleton.joints
    rate = f"{fps:.10g}"
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{len(positions)}\t{len(names)}\t{unit}\t{rate}\t1\t{len(positions)}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"X{i}\tY{i}\tZ{i}" for i in range(1, len(names) + 1)),
        "",
    ]
    for frame, row in enumerate(positions.reshape(len(positions), -1).tolist()):
        cells = ["" if math.isnan(value) else f"{value:.6f}" for value in row]
        lines.append(f"{frame + 1}\t{frame / fps:.6f}\t" + "\t".join(cells))
    return "\n".join(lines) + "\n"
