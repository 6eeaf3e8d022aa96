"""Folders with a file for each frame: the files in time, and which detector wrote them.

Beside OpenPose's frames (:mod:`kinegraph.formats.keypoints.openpose`) these are YOLO's label files, and JSON of a
picture each, as ``to_json()`` of ultralytics or the Inferencer of mmpose leave them for every frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from kinegraph.errors import FormatError
from kinegraph.formats.json_file import load_json, members
from kinegraph.formats.keypoints.detections import frame_number, frame_slots
from kinegraph.formats.keypoints.people_json import is_person, stated_frame
from kinegraph.formats.sniff import json_format, looks_like

__all__ = ["folder_format", "in_time", "json_files", "label_files", "load_file_or_pictures", "refuse_clip"]

_PICTURES = ("ultralytics", "mmpose", "movenet")


def folder_format(folder: Path) -> str | None:
    """Which format the frames in a folder are in, OpenPose's left aside; None where they are none.

    Raises:
        FormatError: a file cannot be read.
    """
    labels = next((file for file in label_files(folder) if file.stat().st_size), None)
    if labels is not None and looks_like(labels) == "yolo_text":
        return "yolo_text"
    files = json_files(folder)
    found = [frame_number(file.name) for file in files]
    if len(files) < 2 or None in found or len({n[0] for n in found if n is not None}) > 1:
        return None
    for file in files:
        data = load_json(file)
        if data not in (None, [], {}):
            name = json_format(data, file)
            return name if name in _PICTURES and _is_picture(data) and not _is_video(name, data, file) else None
    return None


def _is_video(name: str, data: object, file: Path) -> bool:
    """Whether the people listed in a file are one person over time, so that it is a recording of its own."""
    try:
        frames: int = import_module(f"kinegraph.formats.keypoints.{name}").from_json(data, file).frames
    except FormatError:
        return False  # reading the folder says what is wrong
    return frames > 1


def load_file_or_pictures(path: Path, module: str) -> Any:
    """The JSON of a file, or that of a picture each in a folder as one of frames, by the numbers in their names.

    Args:
        path: the file or folder.
        module: the format they are in, for messages.

    Raises:
        FormatError: no JSON, a file that is damaged or no picture, or numbers that are those of no video.
    """
    if not path.is_dir():
        return load_json(path)
    files = json_files(path)
    if not files:
        raise FormatError(path, f"a folder without JSON files; expected a file, or a folder of {module} pictures")
    files, numbers = in_time(path, files, None)
    return {"frames": [{"frame": n, "people": _people(file)} for file, n in zip(files, numbers, strict=True)]}


def _people(file: Path) -> list[Any]:
    data = load_json(file)
    if data in (None, {}):
        return []
    if not _is_picture(data):
        raise FormatError(file, "holds more than the people of one picture; expected one in each file of the folder")
    entries: list[Any] = [data] if isinstance(data, dict) else members(data, list, file, "the file")
    return entries


def _is_picture(data: object) -> bool:
    """Whether JSON is somebody, or a list of people who name no frame."""
    entries = [data] if isinstance(data, dict) else data
    return isinstance(entries, list) and all(is_person(one) and stated_frame(one) is None for one in entries)


def json_files(folder: Path) -> list[Path]:
    """The JSON files in a folder by name.

    Raises:
        FormatError: the folder cannot be read.
    """
    return sorted(_files(folder, ".json"))


def label_files(folder: Path) -> list[Path]:
    """The text files in a folder by name, but for the list of classes that labelling programs put there.

    Raises:
        FormatError: the folder cannot be read.
    """
    return sorted(file for file in _files(folder, ".txt") if file.stem != "classes")


def _files(folder: Path, suffix: str) -> Iterator[Path]:
    try:
        yield from (p for p in folder.iterdir() if p.suffix.lower() == suffix and not p.name.startswith("."))
    except OSError as error:
        raise FormatError(folder, f"cannot be read ({error.strerror}); check the path and its permissions") from None


def refuse_clip(path: Path, clip: str | None) -> None:
    """Raises FormatError where a clip among several is asked for of one file."""
    if clip is not None:
        raise FormatError(path, f"is one file, and clip={clip!r} chooses among those of a folder; leave clip out")


def in_time(path: Path, files: list[Path], clip: str | None) -> tuple[list[Path], list[int]]:
    """Files in time order with their frame numbers; without numbers in the names, their order is the time.

    Args:
        path: the folder, for messages.
        files: its frames.
        clip: keep only those whose names begin so; None keeps all.

    Raises:
        FormatError: frames of several clips, two of one number, none of `clip`, or numbers that are those of no video.
    """
    if clip is not None:
        chosen = [f for f in files if f.name.startswith(clip)]
        if not chosen:
            raise FormatError(path, f"no file name begins with {clip!r}; the first is {files[0].name}")
        files = chosen
    found = [frame_number(f.name) for f in files]
    if len(files) == 1 or any(n is None for n in found):
        return files, list(range(len(files)))
    prefixes = sorted({n[0] for n in found if n is not None})
    if len(prefixes) > 1:
        shown = ", ".join(repr(p) for p in prefixes[:3])
        raise FormatError(
            path,
            f"frames of {len(prefixes)} clips ({shown}); expected one. Pass --read clip={prefixes[0]} "
            "(clip= in Python), or put each clip into its own folder",
        )
    ordered = sorted(zip([n[1] for n in found if n is not None], files, strict=True))
    for (a, first), (b, second) in pairwise(ordered):
        if a == b:
            raise FormatError(path, f"{first.name} and {second.name} are both frame {a}; keep one of them")
    numbers = [n for n, _ in ordered]
    if frame_slots(numbers) is None:
        raise FormatError(
            path,
            f"frame numbers run from {numbers[0]} to {numbers[-1]}, but only {len(files)} frames are there; "
            "rename them, or move the stray ones away",
        )
    return [f for _, f in ordered], numbers
