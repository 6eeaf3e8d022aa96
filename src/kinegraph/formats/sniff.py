"""Which format a file is in, by its name and by what it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from kinegraph.errors import FormatError
from kinegraph.formats import mediapipe
from kinegraph.formats.expmap_text import WIDTHS
from kinegraph.formats.json_pose import FORMAT

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
    if b"\n" in text and _is_expmap(text.split(b"\n", 1)[0]):
        return "expmap_text"
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


def json_format(data: object, path: Path) -> str:
    """Which of the JSON formats a value read from `path` is in. Raises FormatError when it is none."""
    found = _of_object(data) if isinstance(data, dict) else _of_list(data) if isinstance(data, list) else None
    if found is not None:
        return found
    shown = type(data).__name__
    if isinstance(data, dict):
        shown = "an object with " + (", ".join(repr(str(k)[:20]) for k in list(data)[:5]) or "no keys")
    elif isinstance(data, list):
        shown = "an empty list" if not data else f"a list that begins with {str(data[0])[:40]!r}"
    raise FormatError(
        path,
        f"JSON of an unknown kind: {shown}; expected OpenPose, COCO, AlphaPose, mmpose, ultralytics, "
        "MediaPipe, Kinetics-skeleton or kinegraph motion. If it is one of them, name it: --format (format= in Python)",
    )


def _of_object(data: Mapping[str, object]) -> str | None:
    if data.get("format") == FORMAT:
        return "json"
    if "people" in data:
        return "openpose"
    if isinstance(data.get("data"), list) and ("label_index" in data or "label" in data):
        return "kinetics"
    if "annotations" in data and "images" in data:
        return "coco"
    if "instance_info" in data:
        return "mmpose"
    if any(key in data for key in (*mediapipe.IMAGE_KEYS, *mediapipe.WORLD_KEYS, "landmark", "frames")):
        return "mediapipe"
    first = next(iter(data.values()), None)
    if isinstance(first, dict) and ("people" in first or "bodies" in first):
        return "alphapose"
    if data and all(key.isdigit() for key in data):
        return "mediapipe"
    return None


def _of_list(data: list[object]) -> str | None:
    # Frames in which nobody was seen are null or empty; the first with somebody tells.
    first = next((item for item in data if item not in (None, [], {})), None)
    if isinstance(first, list):
        inner = first[0]
        if isinstance(inner, dict) and "keypoints" in inner:
            return "ultralytics"
        return "mediapipe"
    if not isinstance(first, dict):
        return None
    if "instances" in first:
        return "mmpose"
    keypoints = first.get("keypoints")
    if isinstance(keypoints, dict):
        return "ultralytics"
    if isinstance(keypoints, list):
        nested = bool(keypoints) and isinstance(keypoints[0], list)
        return "mmpose" if nested else "alphapose" if "idx" in first else "coco"
    if "box" in first and "class" in first:
        return "ultralytics"  # a detection model's: its reader says that keypoints are missing
    if "x" in first or any(key in first for key in (*mediapipe.IMAGE_KEYS, *mediapipe.WORLD_KEYS, "landmark")):
        return "mediapipe"
    return None
