"""OpenPose JSON: one file a frame, as ``--write_json`` leaves them in a folder; several people; empty frames.

A frame is ``{"people": [{"pose_keypoints_2d": [x0, y0, c0, x1, ...], "person_id": [-1]}, ...]}``, in px, or, with
OpenPose's ``--keypoint_scale 3`` or ``4``, in 0..1 or -1..1 of the image: recognised by all values being within, and by
some being negative, unless a frame states its ``"keypoint_scale"``, as frames that we write with fractions do. Read are
BODY_25 and COCO-18, and what other programs write in the same form with another layout of ours. Faces, hands and
OpenPose's own 3D are not read. A joint OpenPose did not see is (0, 0, 0) in the file and missing here. A list of frames
in one file, which programs around OpenPose write, is read as well (:mod:`kinegraph.formats.keypoints.people_json`).
Frame numbers are taken from the file names; numbers that are absent between the first and the last are dropped frames,
in which everybody is missing. OpenPose gives no identities: see :mod:`kinegraph.formats.keypoints.tracking`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import atomic_path
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout
from kinegraph.formats.json_file import coordinates, load_json, members
from kinegraph.formats.keypoints.detections import (
    Detection,
    KeypointOptions,
    make_detection,
    place_frames,
    to_sequence,
    unfold,
    valid_identity,
)
from kinegraph.formats.keypoints.frame_folder import in_time, json_files, refuse_clip
from kinegraph.formats.keypoints.people_json import People, people_by_frame, with_facts
from kinegraph.sequence import SkeletonSequence, Unit
from kinegraph.skeleton import Skeleton

__all__ = ["frame_files", "from_json", "read", "write"]


_KEYS = ("pose_keypoints_2d", "pose_keypoints")
"""The second is what OpenPose 1.0 and 1.1 wrote."""
_SCALE = "keypoint_scale"
_PX, _FRACTIONS, _AROUND_MIDDLE = (0, 1, 2), 3, 4


def frame_files(folder: Path) -> list[Path]:
    """The frames in a folder, by name: ``*_keypoints.json`` or, where there are none, every ``*.json``.

    Raises:
        FormatError: the folder cannot be read.
    """
    every = json_files(folder)
    return [p for p in every if p.stem.endswith("_keypoints")] or every


def read(
    path: Path, *, clip: str | None = None, keypoint_scale: int | None = None, **options: Unpack[KeypointOptions]
) -> SkeletonSequence:
    """Read a frame, or a folder of frames.

    Args:
        path: a JSON file or a folder of them.
        clip: where a folder holds several clips, the beginning of the file names of the one to read.
        keypoint_scale: as OpenPose was told: 0 to 2 px, 3 fractions, 4 from -1 to 1; None takes what the frames state,
            else looks at the values.
        options: see :class:`kinegraph.formats.keypoints.detections.KeypointOptions`.

    Returns:
        Image-space positions (people, frames, joints, 2) in px, or "normalized" where the file has fractions.

    Raises:
        FormatError: a frame is not OpenPose JSON, has an unknown or another layout than the ones before, states another
            scale than those before or `keypoint_scale`, or has coordinates that are not numbers or beyond the scale.
        ConfigError: the scale is none of OpenPose's.
    """
    path = Path(path)
    _check_scale(keypoint_scale)
    if not path.is_dir():
        return from_json(load_json(path), path, clip=clip, keypoint_scale=keypoint_scale, **options)
    files = frame_files(path)
    if not files:
        raise FormatError(path, "a folder without JSON files; expected OpenPose frames (*_keypoints.json)")
    files, numbers = in_time(path, files, clip)
    return _sequence(path, ((file, "", load_json(file)) for file in files), numbers, options, keypoint_scale)


def from_json(
    data: object,
    path: Path,
    *,
    clip: str | None = None,
    keypoint_scale: int | None = None,
    **options: Unpack[KeypointOptions],
) -> SkeletonSequence:
    """The frame in `data`, or the list of frames, the JSON value read from `path`; otherwise as :func:`read`."""
    refuse_clip(path, clip)
    _check_scale(keypoint_scale)
    if isinstance(data, dict) and "people" in data:
        return _sequence(path, [(path, "", data)], [0], options, keypoint_scale)
    people = people_by_frame(data, path).at_rate(options.get("fps"))
    facts = [frame if isinstance(frame, dict) else {} for frame in people.listed]
    if len(facts) != len(people.frames):
        facts = [{}] * len(people.frames)  # people are listed there, not frames
    frames = [
        (path, f"frame {n}, ", {**fact, "people": entries})
        for n, (fact, entries) in enumerate(zip(facts, people.frames, strict=True))
    ]
    return _sequence(path, frames, people.numbers, with_facts(options, people), keypoint_scale, people)


def _check_scale(scale: int | None) -> None:
    if scale is not None and scale not in range(5):
        raise ConfigError(f"keypoint_scale is {scale}; expected 0 to 4, as OpenPose's --keypoint_scale")


def _sequence(
    path: Path,
    loaded: Iterable[tuple[Path, str, object]],
    numbers: list[int] | None,
    options: KeypointOptions,
    scale: int | None,
    people: People | None = None,
) -> SkeletonSequence:
    """From frames, each with its file and what its place in the file is called in messages."""
    layout: Skeleton | None = None
    size = 0
    stated: int | None = None
    items: list[list[Detection]] = []
    for file, place, data in loaded:
        found = _stated_scale(data, file, place, scale if stated is None else stated)
        stated = found if stated is None else stated
        items.append([])
        for where, values, identity in _people(data, file, place):
            if len(values) % 3:
                raise FormatError(file, f"{where} has {len(values)} numbers; expected x, y, confidence for each joint")
            if layout is None:
                size = len(values)
                layout = keypoint_layout(size // 3, file, where, options.get("skeleton"))
            if len(values) != size:
                raise FormatError(
                    file,
                    f"{where} has {len(values) // 3} keypoints, the people before have "
                    f"{size // 3}; expected one layout in all frames",
                )
            points = values.reshape(-1, 3)[: layout.num_joints]
            items[-1].append(make_detection(points[:, :2], points[:, 2], file, where, layout.joints, identity))
    items, unit, notes = _scaled(path, items, scale, stated)
    if people is not None and people.unstated:
        items, told = unfold(items[0])
        notes += told
    notes += people.notes if people is not None else ()
    frames, slots = place_frames(numbers, items)
    if layout is None:
        layout = keypoint_layout(25, path, "OpenPose")  # nobody at all: to_sequence says so
    return to_sequence(
        frames, path, layout, options, slots=slots, image_size=people.size if people else None, unit=unit, notes=notes
    )


def _stated_scale(frame: object, file: Path, place: str, before: int | None) -> int | None:
    """The scale that a frame states, None where it states none; `before` is what was stated for those before it."""
    if not isinstance(frame, dict) or frame.get(_SCALE) is None:
        return None
    value = frame[_SCALE]
    if type(value) is not int or value not in range(5):
        raise FormatError(file, f"{place}{_SCALE} is {str(value)[:40]!r}; expected OpenPose's 0 to 4")
    if before is not None and value != before and {value, before} - set(_PX):
        raise FormatError(
            file,
            f"{place}{_SCALE} is {value}, and {before} was given or stands in the frames before; leave "
            f"{_SCALE} out, or put frames of each scale into a folder of their own",
        )
    return value


def _scaled(
    path: Path, items: list[list[Detection]], given: int | None, stated: int | None
) -> tuple[list[list[Detection]], Unit | None, tuple[str, ...]]:
    """What OpenPose's ``--keypoint_scale 4`` wrote as fractions; the unit, None where `to_sequence` tells it.

    The user may be wrong about the scale that is `given`; what the frames themselves have `stated` is believed.
    """
    seen = [person.keypoints[person.confidence > 0] for frame in items for person in frame]
    values = np.concatenate(seen).ravel() if seen else np.zeros(0)
    within = bool((np.abs(values) <= 1).all())
    scale = given if stated is None else stated
    if scale in (_FRACTIONS, _AROUND_MIDDLE) and stated is None and not within:
        raise FormatError(path, f"a coordinate is {np.abs(values).max():g}, beyond the 1 of keypoint_scale {scale}")
    if scale is not None and scale != _AROUND_MIDDLE:
        return items, "normalized" if scale == _FRACTIONS else "px", ()
    # Fractions leave the image by little and seldom; of somebody near the middle half of all are negative here.
    if scale is None and not (within and len(values) and values.min() < -0.05 and (values < 0).mean() > 0.05):
        return items, None, ()
    halved = [[replace(person, keypoints=(person.keypoints + 1) / 2) for person in frame] for frame in items]
    told = "" if scale == _AROUND_MIDDLE else "some are negative: "
    return halved, "normalized", (f"{told}coordinates from -1 to 1 (OpenPose's keypoint_scale 4) taken to 0..1",)


def _people(data: object, file: Path, place: str) -> list[tuple[str, NDArray[np.float64], int | None]]:
    """Place, flat keypoints and identity of everybody in a frame; who has a face or hands alone is left out."""
    frame = members(data, dict, file, "the frame")
    if "people" not in frame:
        raise FormatError(
            file,
            f"no 'people' among its keys ({', '.join(map(str, list(frame)[:5])) or 'none'}); "
            "expected an OpenPose frame",
        )
    result = []
    for index, person in enumerate(members(frame["people"], list, file, "'people'")):
        where = f"{place}person {index}"
        members(person, dict, file, where)
        key = next((k for k in _KEYS if k in person), None)
        if key is None:
            raise FormatError(file, f"{where} has no 'pose_keypoints_2d'; expected an OpenPose frame")
        values = coordinates(person[key], file, f"{where}, {key}")
        if not len(values):
            if person.get("pose_keypoints_3d"):
                raise FormatError(
                    file,
                    f"{where} has 3D keypoints only; OpenPose's 3D is in no stated unit and not "
                    "read. Write 2D keypoints",
                )
            continue
        result.append((where, values, valid_identity(person.get("person_id"))))
    return result


def write(sequence: SkeletonSequence, path: Path) -> None:
    """Write a 2D sequence as OpenPose frames: into the new folder `path`, or one frame to a ``.json`` file.

    Identities are kept as ``person_id``, and that coordinates are fractions as ``"keypoint_scale": 3``. The
    frames are named ``000000000000_keypoints.json`` and on.

    Raises:
        DataError: the sequence is not 2D.
        KinegraphError: the folder exists and is not empty, or cannot be written.
    """
    path = Path(path)
    if sequence.dims != 2:
        raise DataError(f"{sequence.source or 'the sequence'} is 3D; OpenPose JSON holds 2D. Write CSV, npz or JSON")
    if path.suffix.lower() == ".json":
        if sequence.frames != 1:
            raise KinegraphError(
                f"cannot write {path}: {sequence.frames} frames do not fit in one OpenPose file; "
                "give the name of a folder"
            )
        with atomic_path(path) as temporary:
            temporary.write_text(_frame_text(sequence, 0), encoding="utf-8")
        return
    existed = path.is_dir()
    if path.exists() and (not existed or any(path.iterdir())):
        raise KinegraphError(f"cannot write {path}: it exists; give the name of a new or empty folder")
    written: list[Path] = []
    try:
        path.mkdir(exist_ok=True)
        for index in range(sequence.frames):
            file = path / f"{index:012d}_keypoints.json"
            written.append(file)
            file.write_text(_frame_text(sequence, index), encoding="utf-8")
    except BaseException as error:
        for file in written:
            file.unlink(missing_ok=True)
        if not existed and path.is_dir():
            path.rmdir()
        if isinstance(error, OSError):
            raise KinegraphError(f"cannot write {path}: {error.strerror or error}; choose another place") from error
        raise


def _frame_text(sequence: SkeletonSequence, index: int) -> str:
    assert sequence.confidence is not None
    people = []
    for person in range(sequence.people):
        confidence = sequence.confidence[person, index]
        if not confidence.any():
            continue
        points = np.nan_to_num(np.column_stack([sequence.positions[person, index], confidence]))
        people.append(
            {
                "person_id": [person],
                "pose_keypoints_2d": points.ravel().tolist(),
                "face_keypoints_2d": [],
                "hand_left_keypoints_2d": [],
                "hand_right_keypoints_2d": [],
            }
        )
    scale = {_SCALE: _FRACTIONS} if sequence.unit == "normalized" else {}
    return json.dumps({"version": 1.3, **scale, "people": people}, separators=(",", ":"))
