"""Which format a file is in, by its name and by what it holds."""

from __future__ import annotations

import math
import re
from pathlib import Path

from kinegraph.errors import FormatError
from kinegraph.formats.json_file import describe
from kinegraph.formats.keypoints import mediapipe
from kinegraph.formats.keypoints.people_json import FRAMES_KEYS, PEOPLE_KEYS, is_person, keyed_frames
from kinegraph.formats.motion.expmap_text import WIDTHS
from kinegraph.formats.tables.json_pose import FORMAT

__all__ = ["json_format", "looks_like"]

_HEAD = 4096
# frames, then a frame with bodies (ten fields each), possibly after some without
_NTU = re.compile(rb"\d{1,6}\s*\n(?:0\s*\n)*[1-6]\s*\n\d{1,20}(?: \S+){9}\s*\n25\s*\n")


def looks_like(path: Path) -> str | None:
    """The format that the first bytes of a file give away: a name, "json" for any JSON, or None.

    Raises FormatError when the file is not there or cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror}); check the path and its permissions") from None
    if head.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        return "npz"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"HIERARCHY"):
        return "bvh"
    if text.startswith(b"PathFileType"):
        return "trc"
    if text.startswith((b"{", b"[")):
        return "json"
    if text.startswith(b"# kinegraph motion"):
        return "csv"
    lines = text.split(b"\n", 40)[:40]
    if any(line.strip().upper() in (b":FULLY-SPECIFIED", b":BONEDATA", b":DEGREES") for line in lines):
        return "asf_amc"
    if _NTU.match(text):
        return "ntu_skeleton"
    if b"\n" in text or len(head) < _HEAD:
        line = text.split(b"\n", 1)[0]
        if b"\n" in text and _is_expmap(line):
            return "expmap_text"
        if _is_yolo(line):
            return "yolo_text"
    # The 2nd byte of every C3D file is 0x50; the 1st says in which 512-byte block the parameters begin.
    if len(head) >= 512 and head[1] == 0x50 and 2 <= head[0] < 10:
        return "c3d"
    return None


def _is_expmap(line: bytes) -> bool:
    """Whether a line holds as many numbers as a frame of exponential-map text."""
    cells = line.split(b",") if b"," in line else line.split()
    if len(cells) not in WIDTHS:
        return False
    try:
        return all(len(cell) < 40 and float(cell) == float(cell) for cell in cells)
    except ValueError:
        return False


def _is_yolo(line: bytes) -> bool:
    """Whether a line is a class, a box and perhaps keypoints, as fractions of an image."""
    cells = line.split()
    try:
        values = [float(cell) if len(cell) < 40 else math.nan for cell in cells]
    except ValueError:
        return False
    whole = len(cells) >= 5 and cells[0].isdigit() and all(0 <= value <= 1 for value in values[1:5])
    return whole and all(-1 <= value <= 2 for value in values[5:-2]) and len(cells) not in WIDTHS


def json_format(data: object, path: Path) -> str:
    """Which of the JSON formats a value read from `path` is in. Raises FormatError when it is none."""
    found = _of_object(data) if isinstance(data, dict) else _of_frames(data) if isinstance(data, list) else None
    if found is not None:
        return found
    shown = type(data).__name__
    if isinstance(data, dict):
        shown = "an object with " + (", ".join(repr(str(k)[:20]) for k in list(data)[:5]) or "no keys")
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        shown = f"a list that begins with {describe(data[0])}"
    elif isinstance(data, list):
        shown = "an empty list" if not data else f"a list that begins with {str(data[0])[:40]!r}"
        if data and isinstance(data[0], str) and data[0].lstrip()[:1] in ("[", "{"):
            shown += ", JSON within a text: write json.loads of each"
    raise FormatError(
        path,
        f"JSON of an unknown kind: {shown}; expected OpenPose, COCO, AlphaPose, mmpose, ultralytics, MoveNet, "
        "MediaPipe, Kinetics-skeleton or kinegraph motion. If it is one of them, name it: --format (format= in Python)",
    )


def _of_object(data: dict[str, object]) -> str | None:
    if data.get("format") == FORMAT:
        return "json"
    if isinstance(data.get("data"), list) and ("label_index" in data or "label" in data):
        return "kinetics"
    if "annotations" in data and "images" in data:
        return "coco"
    if mediapipe.has_landmarks(data):
        return "mediapipe"
    for key in FRAMES_KEYS:
        frames = data.get(key)
        if isinstance(frames, dict) and keyed_frames(frames) is not None:
            frames = list(frames.values())
        found = _of_frames(frames) if isinstance(frames, list) else None
        if found is not None:
            return "mmpose" if found in _FLAT else found
    if "instance_info" in data:
        return "mmpose"
    if "people" in data:
        return _of_frame(data) or "openpose"
    if "frames" in data:
        return "mediapipe"  # its reader names the keys of the frames, or says that nobody is there
    if is_person(data):
        return _of_person(data)
    values = list(data.values())
    first = values[0] if values else None
    if isinstance(first, dict) and ("bodies" in first or ("people" in first and _of_frames(values) == "openpose")):
        return "alphapose"
    if keyed_frames(data) is not None:
        found = _of_frames(values)
        return found or ("mediapipe" if all(key.isdigit() for key in data) else None)
    return None


_FLAT = ("coco", "alphapose")


def _of_frames(frames: list[object]) -> str | None:
    """By the first of the frames, or of the people listed one by one, that tells it: others may be empty."""
    found = None
    for frame in frames:
        if frame in (None, [], {}):
            continue
        if isinstance(frame, dict) and is_person(frame):
            found = _of_person(frame)
            if found == "mmpose" and _is_flat(frame):
                found = "alphapose" if "idx" in frame else "coco"
        else:
            found = _of_frame(frame)
        if found is not None:
            return found
    # Nobody anywhere: by the keys of the frames alone.
    some = next((frame for frame in frames if isinstance(frame, dict) and frame), {})
    return "mmpose" if "instances" in some else "openpose" if "people" in some else None


def _of_frame(frame: object) -> str | None:
    """By the people of a frame; None where there is nobody, or nobody known."""
    if mediapipe.has_landmarks(frame) or (isinstance(frame, dict) and "x" in frame):
        return "mediapipe"
    if isinstance(frame, dict):
        people = next((frame[key] for key in PEOPLE_KEYS if key in frame), None)
        if not isinstance(people, list):
            return None
    elif isinstance(frame, list) and frame:
        people = frame
        inner = people[0]
        batch = isinstance(inner, list) and any(map(is_person, inner))
        if not batch and not is_person(inner):
            return "mediapipe"
    else:
        return None
    if len(people) == 1 and isinstance(people[0], list):
        people = people[0]
    return next((found for person in people if (found := _of_person(person)) is not None), None)


def _of_person(person: object) -> str | None:
    if not isinstance(person, dict):
        return None
    if "pose_keypoints_2d" in person or "pose_keypoints" in person:
        return "openpose"
    keypoints = person.get("keypoints")
    if isinstance(keypoints, dict) and keypoints:
        return "ultralytics" if isinstance(keypoints.get("x"), list) else "movenet"
    if isinstance(keypoints, list) and keypoints:
        return "movenet" if any(isinstance(point, dict) for point in keypoints) else "mmpose"
    if "keypoints" not in person and "box" in person and "class" in person:
        return "ultralytics"  # a detection model's: its reader says that keypoints are missing
    return None


def _is_flat(person: dict[str, object]) -> bool:
    keypoints = person.get("keypoints")
    return isinstance(keypoints, list) and not any(isinstance(point, list) for point in keypoints)
