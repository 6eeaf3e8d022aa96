"""Kinetics-skeleton JSON (Yan et al., 2018): OpenPose keypoints of a ten-second clip, and what is done in it.

``{"data": [{"frame_index": 1, "skeleton": [{"pose": [x0, y0, ...], "score": [18 numbers]}]}], "label": "...",
"label_index": 0}``: 18 keypoints of up to five people a frame, coordinates as fractions of the image, 30 fps. Frames
without anybody may be left out. Who is who from frame to frame the file does not say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import numpy as np

from kinegraph.errors import ConfigError, FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout
from kinegraph.formats.json_file import coordinates, load_json, members
from kinegraph.formats.keypoints.detections import Detection, KeypointOptions, make_detection, place_frames, to_sequence
from kinegraph.sequence import SkeletonSequence

__all__ = ["FPS", "from_json", "label_index", "read"]

FPS = 30.0
_JOINTS = 18


def read(path: Path, *, best: int | None = None, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read one clip.

    Args:
        path: the JSON file.
        best: keep in every frame so many people with the highest total score, the best first, as ST-GCN does (two);
            the k-th of one frame is then the k-th of the next. None keeps all, followed from frame to frame.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`; fps is 30 unless stated.

    Returns:
        Image-space positions (people, frames, 18, 2) as fractions of the image; the label is the action's name.

    Raises:
        FormatError: not this JSON, nobody in any frame, or coordinates that are not numbers.
    """
    path = Path(path)
    return from_json(load_json(path), path, best=best, **options)


def from_json(
    data: object, path: Path, *, best: int | None = None, **options: Unpack[KeypointOptions]
) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        ConfigError: `best` is no number of people.
        FormatError: frames or poses that are none.
    """
    if best is not None and (type(best) is not int or best < 1):
        raise ConfigError(f"best is {best!r}; expected a number of people, at least 1")
    content = members(data, dict, path, "the file")
    layout = keypoint_layout(_JOINTS, path, "the file", options.get("skeleton"))
    numbers: list[int] = []
    items: list[list[Detection]] = []
    for index, frame in enumerate(members(content.get("data"), list, path, "'data'")):
        where = f"frame {index}"
        members(frame, dict, path, where)
        number = frame.get("frame_index", index + 1)
        if type(number) is not int or not 0 <= number < 10_000_000:
            raise FormatError(path, f"{where}, frame_index is {str(number)[:40]!r}; expected a frame's number")
        numbers.append(number)
        people = []
        for person, entry in enumerate(members(frame.get("skeleton"), list, path, f"{where}, skeleton")):
            spot = f"{where}, person {person}"
            members(entry, dict, path, spot)
            pose = coordinates(entry.get("pose"), path, f"{spot}, pose")
            score = coordinates(entry.get("score"), path, f"{spot}, score")
            if len(pose) != 2 * _JOINTS or len(score) != _JOINTS:
                raise FormatError(
                    path, f"{spot} has {len(pose)} coordinates and {len(score)} scores; expected {2 * _JOINTS} and 18"
                )
            people.append(make_detection(pose.reshape(-1, 2), score, path, spot, layout.joints))
        if best is not None:
            people.sort(key=lambda one: -float(np.sum(one.confidence)))
            people = [one for one in people if one.confidence.any()][:best]
        items.append(people)
    if len(set(numbers)) < len(numbers):
        raise FormatError(path, "a frame_index stands twice; expected one entry for each frame")
    frames, slots = place_frames(numbers, items)
    options = {"fps": FPS, **options}
    if best is not None:
        options = {**options, "tracking": "order"}
    sequence = to_sequence(frames, path, layout, options, slots=slots, unit="normalized")
    label = content.get("label")
    return sequence.replace(label=label if isinstance(label, str) and label else None)


def label_index(data: object, path: Path) -> int:
    """The number of the action, from 0, of the JSON value that `path` holds. Raises FormatError if it has none."""
    value = members(data, dict, path, "the file").get("label_index")
    if type(value) is not int or not 0 <= value < 100_000:
        raise FormatError(path, f"label_index is {str(value)[:40]!r}; expected the action's number, from 0")
    return value
