"""Poses of ultralytics (YOLO-pose) as ``save_txt`` writes them: a text file a picture, a line a person.

A line is ``class cx cy w h``, the box, then ``x y`` or ``x y confidence`` for each keypoint, all as fractions of the
image, then the box's confidence with ``save_conf`` and the person's number where somebody was tracked. Of a video
``labels/NAME_1.txt``, ``NAME_2.txt`` and on are its frames; where nobody was seen there is no file. Labels for training
have the same lines, with COCO's visibility (0, 1, 2) in the confidence's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np

from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout
from kinegraph.formats.keypoints.detections import (
    Detection,
    Floats,
    KeypointOptions,
    in_pixels,
    make_detection,
    place_frames,
    to_sequence,
)
from kinegraph.formats.keypoints.frame_folder import in_time, label_files, refuse_clip
from kinegraph.formats.text_file import read_lines
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

__all__ = ["read"]

_BOX = 5
_JOINTS = 17
_HIDDEN = 0.5
_LARGEST_FRACTION = 10.0
"""What goes further out of the image than this is no fraction of it."""


@dataclass(frozen=True)
class _Line:
    """Somebody in a picture: rows x, y, confidence (joints, 3), their number, and where they stand."""

    points: Floats
    identity: int | None
    file: Path
    where: str


def read(path: Path, *, clip: str | None = None, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read the labels of a video, a folder of text files, or of one picture.

    Args:
        path: the folder, or one file of it.
        clip: where a folder holds several clips, the beginning of the file names of the one to read.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`; other than COCO's 17 keypoints
            need ``skeleton``.

    Returns:
        Image-space positions (people, frames, joints, 2): fractions of the image, or px with ``image_size``.

    Raises:
        FormatError: another number of columns, or values that are no numbers or no fractions.
    """
    path = Path(path)
    named = options.get("skeleton")
    joints = _JOINTS if named is None else get_skeleton(named).num_joints
    files, numbers = [path], [0]
    if path.is_dir():
        files = label_files(path)
        if not files:
            raise FormatError(path, "a folder without text files; expected YOLO's labels (NAME_1.txt, NAME_2.txt, ...)")
        files, numbers = in_time(path, files, clip)
    else:
        refuse_clip(path, clip)
    pictures = [_lines(file, joints) for file in files]
    layout = keypoint_layout(joints, path, "YOLO", named)
    items: list[list[Detection]] = []
    flags = _are_flags(pictures)
    for lines in pictures:
        items.append([])
        for line in lines:
            third = line.points[:, 2]
            confidence = np.where(third == 1, _HIDDEN, third) if flags else third
            items[-1].append(
                make_detection(line.points[:, :2], confidence, line.file, line.where, layout.joints, line.identity)
            )
    frames, slots = place_frames(numbers, items)
    size = options.get("image_size")
    if size is None:
        return to_sequence(frames, path, layout, options, slots=slots, unit="normalized")
    return to_sequence(in_pixels(frames, size), path, layout, options, slots=slots, unit="px")


def _are_flags(pictures: list[list[_Line]]) -> bool:
    """Whether the third numbers are visibilities, 0, 1 and 2, of labels made by hand."""
    thirds = [line.points[:, 2] for lines in pictures for line in lines]
    values = np.concatenate(thirds) if thirds else np.zeros(0)
    return bool(np.isin(values, (0, 1, 2)).all() and (values == 2).any())


def _lines(file: Path, joints: int) -> list[_Line]:
    """Everybody in one picture; nobody where the file is empty."""
    try:
        if not file.read_bytes().strip():
            return []
    except OSError as error:
        raise FormatError(file, f"cannot be read ({error.strerror}); check the path and its permissions") from None
    result = []
    for index, text in enumerate(read_lines(file, "YOLO's labels"), 1):
        if text.strip():
            result.append(_line(text.split(), joints, file, f"line {index}"))
    return result


def _line(cells: list[str], joints: int, file: Path, where: str) -> _Line:
    further = len(cells) - _BOX
    width = next((w for w in (3, 2) if 0 <= further - w * joints <= 2), None)
    if width is None:
        raise FormatError(
            file,
            f"{where} has {len(cells)} columns; expected {_BOX + 2 * joints} or {_BOX + 3 * joints} (class, box and "
            f"{joints} keypoints), and up to two more. For other keypoints pass skeleton=",
        )
    values = _numbers(cells, file, where)
    end = _BOX + width * joints
    points = values[_BOX:end].reshape(joints, width)
    if np.abs(values[1:end]).max() > _LARGEST_FRACTION:
        raise FormatError(
            file, f"{where} holds {np.abs(values[1:end]).max():g}; expected fractions of the image, as save_txt writes"
        )
    last = values[-1] if len(values) > end else -1.0
    # Of one more number it is the person's if whole: a confidence of exactly 1 is hardly ever written.
    identity = int(last) if float(last).is_integer() and 0 <= last < 2**31 else None
    if width == 2:
        points = np.column_stack([points, np.ones(joints)])
    return _Line(points, identity, file, where)


def _numbers(cells: list[str], file: Path, where: str) -> Floats:
    try:
        values = np.array([float(cell) if len(cell) < 40 else "" for cell in cells], dtype=np.float64)
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise FormatError(
            file, f"{where} holds what is no number; expected class, box and keypoints as YOLO writes them"
        )
    return values
