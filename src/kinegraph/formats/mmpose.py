"""Predictions of mmpose (1.x), as its demos and its Inferencer save them.

A video is ``[{"frame_id": 0, "instances": [...]}, ...]``, bare or under ``"instance_info"`` beside ``"meta_info"``;
an image is a bare list of instances. An instance is ``{"keypoints": [[x, y], ...], "keypoint_scores": [...],
"track_id"}``. Joint names in ``meta_info`` (``keypoint_id2name``) decide the layout, their number
otherwise. 3D predictions are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import numpy as np

from kinegraph.errors import FormatError
from kinegraph.formats.detections import Detection, KeypointOptions, make_detection, place_frames, to_sequence
from kinegraph.formats.json_file import coordinates, load_json, members, rows
from kinegraph.formats.keypoint_layouts import keypoint_layout, layout_by_names
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["NAME", "SUFFIXES", "from_json", "read"]

NAME = "mmpose"
SUFFIXES = (".json",)


def read(path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read the predictions for a video or an image.

    Args:
        path: the JSON file.
        options: see :class:`kinegraph.formats.detections.KeypointOptions`.

    Returns:
        Image-space positions (people, frames, joints, 2) in px.

    Raises:
        FormatError: not mmpose predictions, an unknown layout, or coordinates that are not numbers.
    """
    path = Path(path)
    return from_json(load_json(path), path, **options)


def from_json(data: object, path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: no predictions of mmpose, or several layouts.
    """
    names: list[str] | None = None
    if isinstance(data, dict):
        if "instance_info" not in data:
            keys = ", ".join(map(str, list(data)[:5])) or "none"
            raise FormatError(path, f"no 'instance_info' among its keys ({keys}); expected mmpose predictions")
        names = _names(data.get("meta_info"))
        data = data["instance_info"]
    images = members(data, list, path, "the predictions")
    if images and isinstance(images[0], dict) and "keypoints" in images[0]:
        images = [{"instances": images}]  # a single image
    numbers: list[int] | None = []
    items: list[list[Detection]] = []
    layout: Skeleton | None = None
    order: list[int] = []
    size = 0
    for index, image in enumerate(images):
        members(image, dict, path, f"frame {index}")
        instances = members(image.get("instances"), list, path, f"frame {index}, 'instances'")
        frame = image.get("frame_id")
        if numbers is not None and type(frame) is int and 0 <= frame < 2**40:
            numbers.append(frame)
        else:
            numbers = None
        items.append([])
        for person, entry in enumerate(instances):
            where = f"frame {index}, person {person}"
            members(entry, dict, path, where)
            points, scores = _instance(entry, path, where)
            if layout is None:
                size = len(points)
                layout, order = _layout(size, names, path, where, options.get("skeleton"))
            elif len(points) != size:
                raise FormatError(
                    path,
                    f"{where} has {len(points)} keypoints, those before have {size}; expected one layout in a file",
                )
            identity = entry.get("track_id")
            items[-1].append(
                make_detection(
                    points[order],
                    scores[order],
                    path,
                    where,
                    layout.joints,
                    identity if type(identity) is int and 0 <= identity < 2**31 else None,
                )
            )
    if numbers is not None and len(set(numbers)) != len(numbers):
        raise FormatError(path, "two frames have the same frame_id; expected one entry for each frame")
    frames, slots = place_frames(numbers, items)
    if layout is None:
        layout = keypoint_layout(17, path, "mmpose")  # nobody at all: to_sequence says so
    return to_sequence(frames, path, layout, options, slots=slots)


def _names(meta: object) -> list[str] | None:
    """Joint names in order from ``meta_info``; None where they are not there."""
    given = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(given, dict) or not all(str(i) in given for i in range(len(given))):
        return None
    return [str(given[str(i)]) for i in range(len(given))] or None


def _layout(
    count: int, names: list[str] | None, path: Path, where: str, skeleton: str | Skeleton | None
) -> tuple[Skeleton, list[int]]:
    # Names first: 17 joints may be COCO's or Human3.6M's, and taking one for the other is the classic mistake.
    if names is not None and len(names) == count:
        return layout_by_names(names, path, "meta_info", skeleton, similar=True)
    layout = keypoint_layout(count, path, where, skeleton)
    return layout, list(range(layout.num_joints))


def _instance(entry: dict[str, Any], path: Path, where: str) -> tuple[Any, Any]:
    """Points (joints, 2) and scores (joints,)."""
    points = rows(entry.get("keypoints"), (2, 3), path, f"{where}, keypoints")
    if points.shape[1] == 3:
        raise FormatError(path, f"{where} has 3D keypoints; expected 2D predictions (x, y)")
    if "keypoint_scores" not in entry:
        return points, np.ones(len(points))
    scores = coordinates(entry["keypoint_scores"], path, f"{where}, keypoint_scores")
    if len(scores) != len(points):
        raise FormatError(
            path, f"{where} has {len(scores)} keypoint_scores for {len(points)} keypoints; expected one each"
        )
    return points, scores
