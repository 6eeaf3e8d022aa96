"""Acclaim ASF/AMC, the format of CMU Mocap and HDM05: a skeleton file and, beside it, one file per clip.

The ASF says how long each bone is, which way it points and which rotations it has; the AMC lists those
rotations frame by frame. An AMC alone is numbers without a body, so reading one means finding its ASF:
given as ``asf=``, or by the naming of the two databases (`find_asf`).

Joints are named as the bones, plus ``root``; a joint lies at its bone's *end*. With ``joints="starts"`` they lie where
the bones begin and turn, as in BVH (:mod:`kinegraph.formats.motion.asf_rig`), and rotations are kept. Lengths are in
units of ``1/length`` inch (both databases: 1/0.45 inch = 5.644 cm). The files hold no frame rate; 120 Hz is theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.motion.asf import AsfSkeleton, finite_numbers, read_asf
from kinegraph.formats.motion.asf_rig import start_rig
from kinegraph.formats.text_file import read_lines
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import euler_to_matrix
from kinegraph.sequence import SkeletonSequence

__all__ = ["find_asf", "read", "read_asf"]


Array = NDArray[np.float64]


def find_asf(path: Path) -> Path:
    """The ASF file of an AMC file, by convention.

    Looked for in the clip's folder and three folders up: the clip's own name (``walk.asf`` for ``walk.amc``), then
    the longest leading part of it that ends at an underscore (``01.asf`` for ``01_01.amc``, ``HDM_bd.asf`` for
    ``HDM_bd_kick_001_120.amc``); in the clip's own folder also a single ASF whatever its name.

    Raises:
        FormatError: none was found; the message says where it looked and what to do.
    """
    pieces = path.stem.lower().split("_")
    wanted = ["_".join(pieces[:count]) for count in range(len(pieces), 0, -1)]
    folder = path.absolute().parent
    for place in (folder, *folder.parents[:3]):
        try:
            present = sorted(entry for entry in place.iterdir() if entry.suffix.lower() == ".asf")
        except OSError:
            continue
        by_stem = {entry.stem.lower(): entry for entry in present}
        for stem in wanted:
            if stem in by_stem:
                return by_stem[stem]
        if place == folder and len(present) == 1:
            return present[0]
    names = ", ".join(f"{stem}.asf" for stem in dict.fromkeys((wanted[0], wanted[-1], "_".join(pieces[:2]))))
    raise FormatError(
        path,
        f"an AMC file needs its ASF skeleton and none was found: looked for {names} in {folder} and up to three "
        "folders above; put the ASF beside the clip or name it with asf=",
    )


def read(
    path: Path | str,
    *,
    asf: Path | str | None = None,
    fps: float | None = None,
    joints: Literal["ends", "starts"] = "ends",
) -> SkeletonSequence:
    """Read an AMC clip (or an ASF file alone: its rest pose as one frame).

    Args:
        path: the ``.amc`` (any case) or ``.asf`` file.
        asf: the skeleton file of a clip; by default it is found by `find_asf`.
        fps: frame rate in Hz; the format does not store one, and without it 120 is assumed, as CMU and HDM05 have it.
        joints: ``"ends"``: a joint bears the name of the bone that ends in it. ``"starts"``: a joint lies where its
            bone begins and carries that bone's rotation; of CMU and HDM05 that is the layout ``cmu38``.

    Returns:
        One person, positions (1, frames, joints, 3) in metres, y up. With ``"ends"`` local rotations are not kept: a
        joint's children may each turn on their own, which one rotation per joint cannot say. With ``"starts"``
        rotations and rest offsets are exact.

    Raises:
        FormatError: a file is missing, damaged or does not fit the other.
    """
    path = Path(path)
    stated, fps = fps is not None, _FPS if fps is None else fps
    if not (math.isfinite(fps) and fps > 0):
        raise FormatError(path, f"fps must be a positive number of frames per second, found {fps}")
    if joints not in ("ends", "starts"):
        raise FormatError(path, f"joints={joints!r} is not valid: expected 'ends' or 'starts'")
    if path.suffix.lower() == ".asf":
        if asf is not None:
            raise FormatError(path, f"is a skeleton itself, and asf={asf} names another; leave asf out")
        body = read_asf(path)
        values = np.zeros((1, sum(len(bone.dof) for bone in body.bones)))
        notes: tuple[str, ...] = ("rest pose of an ASF skeleton: one frame",)
    else:
        if not path.is_file():
            raise FormatError(path, "no such file; expected an AMC clip")
        body = read_asf(Path(asf) if asf is not None else find_asf(path))
        values, numbers, body = _read_amc(path, body)
        notes = (f"skeleton from {body.path.name}",)
        if not stated:
            notes = (f"frame rate {fps:g} Hz assumed: AMC stores none; --read fps=N states another", *notes)
        gaps = int((np.diff(numbers) != 1).sum())
        if gaps:
            notes = (*notes, f"frame numbers jump in {gaps} places; frames were taken as consecutive")
    with np.errstate(over="ignore", invalid="ignore"):
        positions, local = _pose(body, values)
    if not np.isfinite(positions).all():
        raise FormatError(path, "joint positions are not finite: lengths or angles are far too large")
    if joints == "starts":
        skeleton, positions, rotations, offsets = start_rig(body, local, positions[:, 0])
        return SkeletonSequence(
            positions=positions[None],
            skeleton=skeleton,
            fps=fps,
            up="y",
            rotations=rotations[None],
            offsets=offsets,
            source=str(path),
            notes=notes,
        )
    return SkeletonSequence(
        positions=positions[None],
        skeleton=body.skeleton,
        fps=fps,
        unit="m",
        space="world",
        up="y",
        source=str(path),
        notes=notes,
    )


def _pose(body: AsfSkeleton, values: Array) -> tuple[Array, Array]:
    """Positions (frames, bones, 3) in metres of the bones' ends and their local rotations (frames, bones, 3, 3), of
    channel values (frames, channels)."""
    frames = len(values)
    local = np.empty((frames, len(body.bones), 3, 3))
    along = np.empty((frames, len(body.bones), 3))
    at = 0
    for j, bone in enumerate(body.bones):
        channels = {name: values[:, at + i] for i, name in enumerate(bone.dof)}
        at += len(bone.dof)
        angles = np.zeros((frames, 3))
        for i, letter in enumerate(bone.order):
            if f"r{letter}" in channels:
                angles[:, i] = channels[f"r{letter}"]
        if body.degrees:
            angles = np.radians(angles)
        # the file's order is that of fixed axes: the first letter turns first
        motion = euler_to_matrix(angles[:, ::-1], bone.order[::-1])
        local[:, j] = bone.axis @ motion @ bone.axis.T
        along[:, j] = local[:, j] @ np.array(bone.vector)
        if bone.parent < 0:
            along[:, j] = bone.vector
            for i, letter in enumerate("xyz"):
                if f"t{letter}" in channels:
                    along[:, j, i] += channels[f"t{letter}"] * body.metres
    return forward_kinematics([bone.parent for bone in body.bones], local, along)[0], local


def _read_amc(path: Path, body: AsfSkeleton) -> tuple[Array, NDArray[np.int64], AsfSkeleton]:
    """Channel values (frames, channels) in bone order, frame numbers (frames,), the body with the clip's angle unit."""
    lines = read_lines(path, "an AMC clip")
    start = 0
    for start, line in enumerate(lines):  # noqa: B007 - the first frame's line number is what we want
        word = line.strip()
        if word.lower() in (":radians", ":degrees"):
            body = replace(body, degrees=word.lower() == ":degrees")
        if word and word[0] not in "#:":
            break
    else:
        raise FormatError(path, "no frames: expected a line '1' followed by one line per bone; the file is empty")
    table = _fast(lines[start:], body)
    if table is None:
        table = _careful(path, lines, start, body)
    return (*table, body)


def _fast(lines: Sequence[str], body: AsfSkeleton) -> tuple[Array, NDArray[np.int64]] | None:
    """The regular case, every frame listing the same bones in one order, in one pass; None when it is not that."""
    words = " ".join(lines).split()
    counts = {bone.name: len(bone.dof) for bone in body.bones if bone.dof}
    total = 1 + sum(1 + count for count in counts.values())
    if not words or len(words) % total:
        return None
    table = np.array(words, dtype=object).reshape(-1, total)
    column, place = 1, {}
    while column < total:
        name = words[column]
        if name not in counts or name in place or not (table[:, column] == name).all():
            return None
        place[name] = column + 1
        column += 1 + counts[name]
    columns = [place[bone.name] + i for bone in body.bones if bone.dof for i in range(len(bone.dof))]
    try:
        values = table[:, columns].astype(np.float64)
        numbers = table[:, 0].astype(np.int64)
    except (ValueError, OverflowError):
        return None
    return (values, numbers) if np.isfinite(values).all() else None


_FPS = 120.0  # of CMU and HDM05
_INTEGER = re.compile(r"[0-9]{1,15}")


def _careful(path: Path, lines: Sequence[str], start: int, body: AsfSkeleton) -> tuple[Array, NDArray[np.int64]]:
    """Line by line: reads frames whose bones come in varying order, and says exactly what is wrong otherwise."""
    counts = {bone.name: len(bone.dof) for bone in body.bones if bone.dof}
    frames: list[dict[str, list[float]]] = []
    numbers: list[int] = []

    def finish(number: int) -> None:
        if frames and len(frames[-1]) != len(counts):
            lost = [name for name in counts if name not in frames[-1]]
            raise FormatError(
                path,
                f"line {number}: frame {numbers[-1]} ends here with {len(frames[-1])} of {len(counts)} bones "
                f"(no '{lost[0]}'); the file is cut short or belongs to another skeleton than {body.path.name}",
            )

    for number, line in enumerate(lines[start:], start=start + 1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and _INTEGER.fullmatch(words[0]):
            finish(number)
            numbers.append(int(words[0]))
            frames.append({})
            continue
        if not frames:
            raise FormatError(path, f"line {number}: expected a frame number, found '{words[0][:40]}'")
        name = words[0]
        if name not in counts:
            raise FormatError(
                path, f"line {number}: '{name[:40]}' is not a moving bone of {body.path.name}; is it the right ASF?"
            )
        if name in frames[-1]:
            raise FormatError(path, f"line {number}: bone '{name}' appears twice in frame {numbers[-1]}")
        if len(words) - 1 != counts[name]:
            raise FormatError(path, f"line {number}: bone '{name}' needs {counts[name]} values, found {len(words) - 1}")
        frames[-1][name] = finite_numbers(path, number, words[1:], counts[name], f"bone '{name}'")
    finish(len(lines))
    names = list(counts)
    values = np.array([[value for name in names for value in frame[name]] for frame in frames])
    return values.reshape(len(frames), sum(counts.values())), np.array(numbers, dtype=np.int64)
