"""MediaPipe Pose landmarks (33), in the JSON dumps that people make of them; MediaPipe itself writes no file.

Assumed schema. The file is a list of frames, an object with ``frames`` (and perhaps ``fps``, ``width``, ``height``), or
an object with a frame under each frame number (``{"0": ..., "1": ...}``). A frame is null or empty
where nobody was seen, else one of

- a list of 33 landmarks, or a list of such lists (several people);
- an object with ``pose_landmarks`` / ``poseLandmarks`` / ``landmarks`` (image) and perhaps ``pose_world_landmarks`` /
  ``poseWorldLandmarks`` / ``world_landmarks`` / ``worldLandmarks``, each as above, and perhaps its number, under
  ``frame``, ``frame_id``, ``frame_idx``, ``frame_number`` and the like, or its time, under ``time``, ``timestamp``,
  ``timestamp_ms`` and the like: frames between that are not there are then missing.

A landmark is ``{"x", "y", "z", "visibility"}`` (without visibility it counts as seen), or ``[x, y, z, visibility]``; a
list of landmarks may stand under ``landmark``, as protobuf's MessageToDict writes it, and instead of a list there may
be an object with each landmark under its name.

Image landmarks are fractions of the image's width and height; their z is relative and in no unit, so they are read as
2D: in px where the image size is in the file or given, "normalized" otherwise. World landmarks are metres, x right, y
down, z away from the camera, relative to the middle of the hips: read as 3D in camera space. Image landmarks are
taken where a frame has both, unless told otherwise.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.axes import y_up
from kinegraph.errors import ConfigError, DataError, FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout, plain_name
from kinegraph.formats.json_file import coordinates, describe, load_json, members
from kinegraph.formats.keypoints.detections import (
    Detection,
    Floats,
    KeypointOptions,
    assemble,
    in_pixels,
    make_detection,
    place_frames,
    to_sequence,
)
from kinegraph.formats.keypoints.frame_times import Timing
from kinegraph.formats.keypoints.people_json import (
    PEOPLE_KEYS,
    frame_list,
    frame_numbers,
    stated_frame,
    stated_times,
    with_facts,
)
from kinegraph.formats.keypoints.tracking import MAX_GAP, track
from kinegraph.formats.tables.fields import build
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = [
    "IMAGE_KEYS",
    "WORLD_KEYS",
    "from_json",
    "has_landmarks",
    "names_landmarks",
    "read",
    "write",
]


IMAGE_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks")
WORLD_KEYS = ("pose_world_landmarks", "poseWorldLandmarks", "world_landmarks", "worldLandmarks")
_JOINTS = get_skeleton("mediapipe33").joints
_COUNT = len(_JOINTS)
_LARGEST_FRACTION = 10.0
"""Landmarks outside the image go a little beyond 0..1; what goes further is px already."""


def read(path: Path, *, landmarks: str | None = None, **options: Unpack[KeypointOptions]) -> SkeletonSequence:
    """Read a dump of MediaPipe landmarks.

    Args:
        path: the JSON file.
        landmarks: "image" (2D) or "world" (3D metres); None takes image landmarks where there are any.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`.

    Raises:
        FormatError: another schema, not 33 landmarks, or coordinates that are not numbers.
    """
    path = Path(path)
    return from_json(load_json(path), path, landmarks=landmarks, **options)


def from_json(
    data: object, path: Path, *, landmarks: str | None = None, **options: Unpack[KeypointOptions]
) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        ConfigError: no such landmarks.
        FormatError: no results of MediaPipe, or an image without pixels.
    """
    if landmarks not in (None, "image", "world"):
        raise ConfigError(f"landmarks is {landmarks!r}; expected 'image' or 'world'")
    listed = frame_list(data, path)
    options = with_facts(options, listed)
    size = options.get("image_size") or listed.size
    if size is not None and min(size) < 1:
        raise FormatError(path, f"the image is {size[0]} x {size[1]} px; expected at least 1 x 1")
    frames = listed.frames
    if frames and _is_landmark(frames[0]):
        frames = [frames]  # one image, one person
    _check_keys(frames, path)
    layout = keypoint_layout(_COUNT, path, "MediaPipe", options.get("skeleton"))
    image, world = [], []
    for index, frame in enumerate(frames):
        where = f"frame {index}"
        pose, metres = _split(frame)
        image.append(_people(pose, path, where, layout, 2))
        world.append(_people(metres, path, f"{where}, world", layout, 3))
    usable = listed.numbers
    if usable is None:
        stated = frame_numbers([stated_frame(frame) if isinstance(frame, dict) else None for frame in frames])
        usable = stated if stated is not None and len(set(stated)) == len(frames) else None
    times, told = stated_times(frames, usable), Timing(usable, options.get("fps"))
    if times is not None:
        told = times.timing(options.get("fps"))
        options = {**options, "fps": told.fps}
    if landmarks is None:
        landmarks = "image" if any(image) or not any(world) else "world"
    if landmarks == "world":
        return _world(path, layout, image, world, told, options)
    placed, slots = place_frames(told.numbers, image)
    fraction = all(bool((np.abs(d.keypoints[d.confidence > 0]) <= _LARGEST_FRACTION).all()) for f in image for d in f)
    if fraction and size is not None:
        placed = in_pixels(placed, size)
    unit: Any = "normalized" if fraction and size is None else "px"
    return to_sequence(placed, path, layout, options, slots=slots, image_size=size, unit=unit, notes=told.notes)


def _world(
    path: Path,
    layout: Skeleton,
    image: list[list[Detection]],
    world: list[list[Detection]],
    when: Timing,
    options: KeypointOptions,
) -> SkeletonSequence:
    """World landmarks are centred on each person, so people can only be told apart by their image landmarks."""
    tracking = "order"
    if all(len(a) == len(b) for a, b in zip(image, world, strict=True)):
        ids = track([[d.keypoints for d in f] for f in image], max_gap=options.get("max_gap", MAX_GAP))
        world = [
            [replace(d, identity=i) for d, i in zip(f, who, strict=True)] for f, who in zip(world, ids, strict=True)
        ]
        tracking = "auto"
    frames, slots = place_frames(when.numbers, world)
    positions, confidence, notes = assemble(
        frames,
        path,
        layout.num_joints,
        3,
        tracking=options.get("tracking", tracking),
        people=options.get("people"),
        min_frames=options.get("min_frames", 1),
        max_gap=options.get("max_gap", MAX_GAP),
    )
    if not len(positions):
        raise FormatError(path, f"no world landmarks in {len(frames)} frame(s); expected pose_world_landmarks")
    fps = options.get("fps")
    return build(
        path,
        positions=positions,
        confidence=confidence,
        skeleton=layout,
        fps=fps / slots.step if fps else fps,
        unit="m",
        space="camera",
        notes=(*slots.notes(), *when.notes, "positions are relative to the middle of the hips", *notes),
    )


def _split(frame: object) -> tuple[object, object]:
    """Image and world landmarks of a frame, None where it has none."""
    if not isinstance(frame, dict) or "landmark" in frame or names_landmarks(frame):
        return frame, None
    image = next((frame[k] for k in IMAGE_KEYS if k in frame), None)
    world = next((frame[k] for k in WORLD_KEYS if k in frame), None)
    return image, world


def _check_keys(frames: list[Any], path: Path) -> None:
    """Raises FormatError where nobody is in any frame because people stand under other keys."""
    if any(frame and (not isinstance(frame, dict) or has_landmarks(frame)) for frame in frames):
        return
    for index, frame in enumerate(frames):
        if frame and any(isinstance(value, list | dict) and value for value in frame.values()):
            raise FormatError(
                path,
                f"frame {index} is {describe(frame)}; expected MediaPipe's landmarks under {', '.join(IMAGE_KEYS)}, or "
                f"people under {', '.join(PEOPLE_KEYS)} with keypoints",
            )


def has_landmarks(frame: object) -> bool:
    """Whether a JSON object has a place for landmarks of MediaPipe, be it empty."""
    return isinstance(frame, dict) and (
        any(key in frame for key in (*IMAGE_KEYS, *WORLD_KEYS, "landmark")) or names_landmarks(frame)
    )


def names_landmarks(value: object) -> bool:
    """Whether a JSON object has a point under each of the 33 names, in any spelling."""
    return isinstance(value, dict) and len(value) >= _COUNT and set(_JOINTS) <= set(map(plain_name, value))


def _in_order(points: object, path: Path, where: str) -> object:
    """Landmarks listed, where they stand under their names; anything else as it is."""
    if not isinstance(points, dict):
        return points
    named = {plain_name(name): point for name, point in points.items()}
    missing = [joint for joint in _JOINTS if joint not in named]
    if missing:
        raise FormatError(
            path, f"{where} is {describe(points)}; expected a list of landmarks, or one under each of MediaPipe's names"
        )
    return [named[joint] for joint in _JOINTS]


def _is_landmark(value: object) -> bool:
    if isinstance(value, dict):
        return "x" in value
    return isinstance(value, list) and bool(value) and all(type(v) in (int, float) for v in value)


def _people(value: object, path: Path, where: str, layout: Skeleton, dims: int) -> list[Detection]:
    """Everybody in a frame, from one list of landmarks or several."""
    if value is None or value == [] or value == {}:
        return []
    if isinstance(value, dict) and "landmark" in value:
        value = value["landmark"]
    people = members(_in_order(value, path, where), list, path, where)
    if not people:
        return []
    if _is_landmark(people[0]) or isinstance(value, dict):
        people = [people]
    result = []
    for index, person in enumerate(people):
        name = f"{where}, person {index}"
        if isinstance(person, dict) and "landmark" in person:
            person = person["landmark"]
        points = members(_in_order(person, path, name), list, path, name)
        if len(points) != _COUNT:
            raise FormatError(path, f"{name} has {len(points)} landmarks; expected MediaPipe Pose's {_COUNT}")
        table = _table(points, path, name)
        result.append(make_detection(table[:, :dims], table[:, 3], path, name, layout.joints))
    return result


def _table(points: list[Any], path: Path, where: str) -> Floats:
    """Landmarks as rows x, y, z, visibility."""
    flat: list[Any] = []
    for index, point in enumerate(points):
        if isinstance(point, dict):
            if "x" not in point or "y" not in point:
                raise FormatError(path, f"{where}, landmark {index} has no x and y; expected x, y, z, visibility")
            flat += [point["x"], point["y"], point.get("z", 0.0), point.get("visibility", 1.0)]
        else:
            values = members(point, list, path, f"{where}, landmark {index}")
            if len(values) not in (2, 3, 4):
                raise FormatError(
                    path, f"{where}, landmark {index} has {len(values)} numbers; expected x, y, z, visibility"
                )
            flat += [*values, *(0.0, 1.0)[len(values) - 2 :]] if len(values) < 4 else values
    return coordinates(flat, path, where).reshape(-1, 4)


def write(sequence: SkeletonSequence, path: Path) -> None:
    """Write a mediapipe33 sequence: image landmarks as fractions, or world landmarks in metres and camera axes.

    A world is turned as a level camera before it would see it: x right, y down, z away. World landmarks say nothing of
    who is who but by their order: who is away while people after them are there has landmarks of visibility 0.

    Raises:
        DataError: another layout (map it first), 2D in px without an image size, or 3D not in metres.
        KinegraphError: the file cannot be written.
    """
    who = sequence.source or "the sequence"
    if sequence.skeleton.joints != get_skeleton("mediapipe33").joints:
        raise DataError(
            f"{who} is in layout '{sequence.skeleton.name}'; MediaPipe files hold 'mediapipe33'. Write CSV, npz or JSON"
        )
    assert sequence.confidence is not None
    positions = sequence.positions
    if sequence.dims == 2 and sequence.unit == "px":
        if sequence.image_size is None:
            raise DataError(
                f"{who} is in px without the size of the image, which MediaPipe's fractions need; "
                "read it with image_size"
            )
        positions = positions / np.array(sequence.image_size)
    if sequence.dims == 3:
        if sequence.unit != "m" or sequence.space == "image":
            raise DataError(
                f"{who} is 3D in {sequence.unit} ({sequence.space} space); MediaPipe's world landmarks are in metres. "
                "Write CSV, npz or JSON"
            )
        positions = positions @ (np.diag([1.0, -1.0, -1.0]) @ y_up(sequence)).T
    key = "pose_landmarks" if sequence.dims == 2 else "pose_world_landmarks"
    frames = []
    for t in range(sequence.frames):
        people = []
        there = np.flatnonzero(sequence.present[:, t])
        if sequence.dims == 3 and len(there):
            there = np.arange(there[-1] + 1)  # read by their order alone: who is away before others keeps their place
        for person in there:
            scores = sequence.confidence[person, t]
            points = np.nan_to_num(positions[person, t]).tolist()
            people.append(
                [
                    {**dict(zip("xyz", [*point, 0.0][:3], strict=True)), "visibility": score}
                    for point, score in zip(points, scores.tolist(), strict=True)
                ]
            )
        frames.append({"frame": t, key: people})
    content: dict[str, Any] = {"frames": frames}
    if sequence.fps is not None:
        content["fps"] = sequence.fps
    if sequence.image_size is not None:
        content["width"], content["height"] = sequence.image_size
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")
