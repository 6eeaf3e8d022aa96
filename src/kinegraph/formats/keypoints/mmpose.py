"""Predictions of mmpose (1.x), as its demos and its Inferencer save them.

A video is ``[{"frame_id": 0, "instances": [...]}, ...]``, bare or under ``"instance_info"`` beside ``"meta_info"``;
an image is a bare list of instances. An instance is ``{"keypoints": [[x, y], ...], "keypoint_scores": [...],
"track_id"}``. What the Inferencer returns is read too: ``{"predictions": [[instance, ...]]}``, such objects or their
lists one a frame; and what others write so, see :mod:`kinegraph.formats.keypoints.people_json`. Joint names in
``meta_info`` (``keypoint_id2name``) decide the layout, their number otherwise. In mmpose 0.x an instance is
``{"keypoints": [[x, y, score], ...]}``: told by scores within 0..1 beside pixels. 3D predictions are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout, layout_by_names
from kinegraph.formats.json_file import coordinates, rows
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

_LARGEST_SCORE = 1.1
"""Detectors overshoot 1 a little."""
_METRES = 10.0
"""Further from the origin no joint of a pose in metres is."""


@dataclass(frozen=True)
class _Person:
    """Somebody as the file has them: points (joints, 2 or 3) and scores (joints,), None where there are none."""

    points: Floats
    scores: Floats | None
    where: str
    identity: int | None


def read(path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read the predictions for a video or an image.

    Args:
        path: the JSON file, or a folder with one a picture, numbered in their names.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`.

    Returns:
        Image-space positions (people, frames, joints, 2) in px.

    Raises:
        FormatError: not mmpose predictions, an unknown layout, or coordinates that are not numbers.
    """
    path = Path(path)
    return from_json(load_file_or_pictures(path, "mmpose"), path, **options)


def from_json(data: object, path: Path, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: no predictions of mmpose, or several layouts.
    """
    names = _names(data.get("meta_info")) if isinstance(data, dict) else None
    people = people_by_frame(data, path)
    who = identity_key(people)
    frames: list[list[_Person]] = []
    for index, entries in enumerate(people.frames):
        spots = [f"frame {index}, person {person}" for person in range(len(entries))]
        frames.append([_person(e, path, spot, e.get(who)) for e, spot in zip(entries, spots, strict=True)])
    frames, notes = _scored(frames, path)
    layout: Skeleton | None = None
    order: list[int] = []
    size = 0
    items: list[list[Detection]] = []
    for frame in frames:
        items.append([])
        for person in frame:
            points, where = person.points, person.where
            if layout is None:
                size = len(points)
                layout, order = _layout(size, names, path, where, options.get("skeleton"))
            elif len(points) != size:
                raise FormatError(
                    path,
                    f"{where} has {len(points)} keypoints, those before have {size}; expected one layout in a file",
                )
            scores = np.ones(size) if person.scores is None else person.scores
            items[-1].append(make_detection(points[order], scores[order], path, where, layout.joints, person.identity))
    return sequence_of(people, items, layout, path, options, "mmpose", notes)


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


def _person(entry: dict[str, Any], path: Path, where: str, identity: object) -> _Person:
    keypoints = entry.get("keypoints")
    if isinstance(keypoints, list) and keypoints and not isinstance(keypoints[0], list):
        flat = coordinates(keypoints, path, f"{where}, keypoints")
        if len(flat) % 3:
            raise FormatError(path, f"{where} has {len(flat)} numbers; expected x, y, confidence for each keypoint")
        points = flat.reshape(-1, 3)
    else:
        points = rows(keypoints, (2, 3), path, f"{where}, keypoints")
    scores = None
    if "keypoint_scores" in entry:
        scores = coordinates(entry["keypoint_scores"], path, f"{where}, keypoint_scores")
        if len(scores) != len(points):
            raise FormatError(
                path, f"{where} has {len(scores)} keypoint_scores for {len(points)} keypoints; expected one each"
            )
    return _Person(points, scores, where, valid_identity(identity))


def _scored(frames: list[list[_Person]], path: Path) -> tuple[list[list[_Person]], tuple[str, ...]]:
    """The people with 2D points: of mmpose 0.x the third number is the confidence, where nothing else is."""
    deep = [person for frame in frames for person in frame if person.points.shape[1] == 3]
    if not deep:
        return frames, ()
    values = np.concatenate([person.points for person in deep])
    thirds, places = values[:, 2], values[:, :2]
    # Positions in metres lie round a hip, to all sides; pixels go further, and fractions stay on one side.
    scores = not (thirds < 0).any() and not (thirds > _LARGEST_SCORE).any()
    flat = bool((np.abs(places) > _METRES).any()) or not (places < 0).any()
    if any(person.scores is not None for person in deep) or not (scores and flat):
        raise FormatError(
            path,
            f"{deep[0].where} has 3D keypoints; expected 2D predictions (x, y). Write those of the 2D model, and lift "
            "them; or save the 3D ones with numpy.save as (frames, joints, 3), and read that with skeleton= and unit=",
        )
    split = [
        [replace(p, points=p.points[:, :2], scores=p.points[:, 2]) if p.points.shape[1] == 3 else p for p in frame]
        for frame in frames
    ]
    return split, ("the third number of each keypoint was taken for its confidence",)
