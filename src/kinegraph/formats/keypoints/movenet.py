"""Poses of MoveNet, PoseNet and BlazePose as TensorFlow.js gives them: keypoints are objects, mostly with names.

A pose is ``{"score": 0.8, "keypoints": [{"x", "y", "score", "name"}, ...]}``, with PoseNet's first interface
``{"part": "leftEye", "position": {"x", "y"}, "score"}``; also ``{"keypoints": {"nose": [x, y, score], ...}}``. How
poses are listed by picture and frame, :mod:`kinegraph.formats.keypoints.people_json` says. Names decide the layout,
their number where there are none. A depth beside x and y is relative and not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout, layout_by_names, plain_name
from kinegraph.formats.json_file import coordinates, describe, members
from kinegraph.formats.keypoints.detections import (
    Detection,
    Floats,
    KeypointOptions,
    make_detection,
    valid_identity,
)
from kinegraph.formats.keypoints.frame_folder import load_file_or_pictures
from kinegraph.formats.keypoints.people_json import identity_key, people_by_frame, sequence_of
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["from_json", "read"]

_SCORES = ("score", "confidence", "visibility", "conf")
_NAMES = ("name", "part")


def read(path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read the poses of a picture or of a list of frames.

    Args:
        path: the JSON file, or a folder with one a picture, numbered in their names.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`.

    Returns:
        Image-space positions (people, frames, joints, 2) in px or, where all are within 0..1, "normalized".

    Raises:
        FormatError: keypoints of another form, an unknown layout, or coordinates that are not numbers.
    """
    path = Path(path)
    return from_json(load_file_or_pictures(path, "MoveNet"), path, **options)


def from_json(data: object, path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: no poses, or several layouts.
    """
    people = people_by_frame(data, path)
    who = identity_key(people)
    items: list[list[Detection]] = []
    layout: Skeleton | None = None
    order: list[int] = []
    first: list[str | None] = []
    for index, poses in enumerate(people.frames):
        items.append([])
        for person, pose in enumerate(poses):
            where = f"frame {index}, person {person}"
            names, table = _keypoints(pose.get("keypoints"), path, where)
            if layout is None:
                first = names
                layout, order = _layout(names, path, where, options.get("skeleton"))
            elif names != first and sorted(map(str, names)) == sorted(map(str, first)) and None not in names:
                table = table[[names.index(name) for name in first]]
            elif names != first:
                raise FormatError(
                    path,
                    f"{where} has other keypoints ({len(names)}) than those before ({len(first)}); expected one layout",
                )
            points = table[order]
            items[-1].append(
                make_detection(points[:, :2], points[:, 2], path, where, layout.joints, valid_identity(pose.get(who)))
            )
    return sequence_of(people, items, layout, path, options, "MoveNet")


def _keypoints(value: object, path: Path, where: str) -> tuple[list[str | None], Floats]:
    """Names, None where there are none, and rows x, y, score of a pose (joints, 3)."""
    if isinstance(value, dict):
        entries: list[tuple[object, object]] = list(value.items())
    else:
        entries = [(_name(entry), entry) for entry in members(value, list, path, f"{where}, keypoints")]
    names: list[str | None] = []
    flat: list[Any] = []
    for index, (name, entry) in enumerate(entries):
        spot = f"{where}, keypoint {index}"
        if entry is None:
            flat += [None, None, 0.0]
        elif isinstance(entry, list):
            if len(entry) not in (2, 3):
                raise FormatError(path, f"{spot} has {len(entry)} numbers; expected x, y and perhaps its score")
            flat += [*entry, 1.0][:3]
        else:
            point = members(entry, dict, path, spot)
            place = members(point.get("position", point), dict, path, f"{spot}, position")
            if "x" not in place or "y" not in place:
                raise FormatError(path, f"{spot} is {describe(point)}; expected x, y and perhaps score and name")
            flat += [place["x"], place["y"], next((point[key] for key in _SCORES if key in point), 1.0)]
        names.append(plain_name(name) if isinstance(name, str) and name else None)
    table = coordinates(flat, path, f"{where}, keypoints").reshape(-1, 3)
    lost = (table[:, :2] != table[:, :2]).all(axis=1)
    table[lost, 2] = 0.0  # null for x and y: not seen, whatever the score
    return names, table


def _name(entry: object) -> object:
    return next((entry[key] for key in _NAMES if key in entry), None) if isinstance(entry, dict) else None


def _layout(
    names: list[str | None], path: Path, where: str, skeleton: str | Skeleton | None
) -> tuple[Skeleton, list[int]]:
    known = [name for name in names if name is not None]
    if known and len(known) == len(names):
        return layout_by_names(known, path, where, skeleton, similar=True)
    layout = keypoint_layout(len(names), path, where, skeleton)
    return layout, list(range(layout.num_joints))
