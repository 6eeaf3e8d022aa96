"""Poses of ultralytics (YOLO-pose), as ``Results.to_json()`` gives them.

An image is ``[{"name": "person", "confidence": 0.9, "box": {...}, "track_id": 3, "keypoints": {"x": [...], "y": [...],
"visible": [...]}}, ...]``; a video is a list of such lists, one a frame, empty where nobody was seen, also as
JSON Lines or nested as :mod:`kinegraph.formats.keypoints.people_json` says. Coordinates are px, or fractions of the
image with ``normalize=True``. Joints it is unsure of stand at (0, 0): they are missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import numpy as np

from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout
from kinegraph.formats.json_file import coordinates, members
from kinegraph.formats.keypoints.detections import (
    Detection,
    KeypointOptions,
    make_detection,
    valid_identity,
)
from kinegraph.formats.keypoints.frame_folder import load_file_or_pictures
from kinegraph.formats.keypoints.people_json import identity_key, people_by_frame, sequence_of
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["from_json", "read"]


def read(path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read the poses of an image or of a list of frames.

    Args:
        path: the JSON file, or a folder with one a picture, numbered in their names.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`.

    Returns:
        Image-space positions (people, frames, joints, 2) in px or, where all are within 0..1, "normalized".

    Raises:
        FormatError: not ultralytics' JSON, no keypoints (a detection model), or coordinates that are not numbers.
    """
    path = Path(path)
    return from_json(load_file_or_pictures(path, "ultralytics"), path, **options)


def from_json(data: object, path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: no keypoints, or several layouts.
    """
    people = people_by_frame(data, path)
    who = identity_key(people)
    items: list[list[Detection]] = []
    layout: Skeleton | None = None
    size = 0
    for index, image in enumerate(people.frames):
        items.append([])
        for person, entry in enumerate(image):
            where = f"frame {index}, person {person}"
            if "keypoints" not in entry:
                raise FormatError(path, f"{where} has no keypoints; expected a pose model's results, not a detector's")
            keypoints = members(entry["keypoints"], dict, path, f"{where}, keypoints")
            x, y = (coordinates(keypoints.get(axis), path, f"{where}, keypoints.{axis}") for axis in "xy")
            seen = keypoints.get("visible")
            visible = np.ones(len(x)) if seen is None else coordinates(seen, path, f"{where}, keypoints.visible")
            if not len(x) == len(y) == len(visible):
                raise FormatError(
                    path, f"{where} has {len(x)} x, {len(y)} y, {len(visible)} visible; expected as many of each"
                )
            if layout is None:
                size = len(x)
                layout = keypoint_layout(size, path, where, options.get("skeleton"))
            elif len(x) != size:
                raise FormatError(
                    path, f"{where} has {len(x)} keypoints, those before have {size}; expected one layout in a file"
                )
            points = np.column_stack([x, y])[: layout.num_joints]
            confidence = visible[: layout.num_joints]
            items[-1].append(
                make_detection(points, confidence, path, where, layout.joints, valid_identity(entry.get(who)))
            )
    return sequence_of(people, items, layout, path, options, "ultralytics")
