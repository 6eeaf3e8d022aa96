"""The frames of a JSON file and the people in each, however a program nests them.

A person is an object with ``keypoints``. A frame is a list of people, or an object with such a list under one of
:data:`PEOPLE_KEYS` and perhaps its number or its picture's name under one of :data:`FRAME_KEYS`. The file is a list of
frames, an object with that list under one of :data:`FRAMES_KEYS`, or an object with a frame under each number or name.
A list of people, each with their frame, is put together by it; one without is a single picture. Where frames bear no
number, times under one of :data:`TIME_KEYS` number them, so that frames left out are missing and not forgotten.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import keypoint_layout
from kinegraph.formats.json_file import describe, members, number
from kinegraph.formats.keypoints.detections import (
    Detection,
    KeypointOptions,
    frame_number,
    place_frames,
    to_sequence,
    unfold,
)
from kinegraph.formats.keypoints.frame_times import Times
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = [
    "FRAMES_KEYS",
    "FRAME_KEYS",
    "PEOPLE_KEYS",
    "TIME_KEYS",
    "FrameList",
    "People",
    "frame_list",
    "frame_numbers",
    "identity_key",
    "is_person",
    "keyed_frames",
    "people_by_frame",
    "sequence_of",
    "stated_frame",
    "stated_times",
    "with_facts",
]

FRAME_KEYS = (
    *("frame", "frame_id", "frame_idx", "frame_index", "frame_number", "frame_num", "frameId", "frameIndex"),
    *("image_id", "image_name", "file_name", "filename", "image"),
)
TIME_KEYS = (
    *("time", "timestamp", "time_s", "time_ms", "time_sec", "time_seconds", "timestamp_s", "timestamp_ms"),
    *("timestamp_sec", "timestamp_seconds", "timeMs", "timestampMs", "timeSeconds", "timestampSeconds"),
)
FRAMES_KEYS = ("frames", "instance_info", "predictions", "data")
PEOPLE_KEYS = ("instances", "people", "persons", "detections", "predictions", "poses")
_PERSON_KEYS = ("keypoints", "pose_keypoints_2d", "pose_keypoints", "box")
_META_KEYS = ("metadata", "meta", "info", "video_info")
_FRAME_NAME = re.compile(r"[0-9]+|.*(frame|image|img|pic).*|.*\.[A-Za-z][A-Za-z0-9]{2,4}", re.IGNORECASE | re.DOTALL)
_LARGEST = 2**40
_LONGEST = 64  # characters of a time


@dataclass(frozen=True)
class FrameList:
    """The frames as they stand in the file, with what it says of them: numbers, frame rate, image size (w, h) in px."""

    frames: list[Any]
    numbers: list[int] | None = None
    fps: float | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class People:
    """The people of each frame with the frames' numbers; `unstated` where they are a list that names no frame.

    `listed` is what stands in the file: frames, or people that name theirs. Where it has `times`, numbers and frame
    rate may be theirs, for want of others, as `notes` say.
    """

    listed: list[Any]
    frames: list[list[dict[str, Any]]]
    numbers: list[int] | None
    fps: float | None
    size: tuple[int, int] | None
    unstated: bool = False
    times: Times | None = None
    notes: tuple[str, ...] = ()

    def timed(self) -> People:
        """With the numbers and the rate that the frames' times say, as far as nothing else says them."""
        if self.times is None:
            return self
        told = self.times.timing(self.fps)
        return replace(self, numbers=told.numbers, fps=told.fps, notes=told.notes)

    def at_rate(self, fps: float | None) -> People:
        """The same where `fps`, if any, is the rate that the user states."""
        return self if fps is None else replace(self, fps=fps).timed()


def stated_frame(entry: Mapping[str, Any]) -> int | str | None:
    """The number of the frame, or the name of the picture, that an entry says it is of."""
    for key in FRAME_KEYS:
        value = entry.get(key)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if (type(value) is int and 0 <= value < _LARGEST) or (isinstance(value, str) and value):
            return value
    return None


def stated_times(entries: Sequence[object], numbers: list[int] | None = None) -> Times | None:
    """The times that entries say they are of; None unless each has one, under the same key.

    Args:
        entries: frames, or people one by one.
        numbers: of the frames, where they have any.
    """
    for key in TIME_KEYS:
        values = [entry.get(key) if isinstance(entry, dict) else None for entry in entries]
        if values and not any(value is None or isinstance(value, bool | list | dict) for value in values):
            times = Times.read(key, (str(value)[:_LONGEST] for value in values), numbers)
            return times if times.values is not None else None
    return None


def frame_numbers(stated: Sequence[int | str | None]) -> list[int] | None:
    """Frame numbers from numbers and names; None unless all have one and names begin alike."""
    found = [("", value) if isinstance(value, int) else frame_number(value) if value else None for value in stated]
    if any(f is None or f[1] >= _LARGEST for f in found) or len({f[0] for f in found if f is not None}) > 1:
        return None
    return [f[1] for f in found if f is not None]


def frame_list(data: object, path: Path) -> FrameList:
    """The frames of a file, out of what it wraps them in; an object that wraps none is a single frame.

    Raises:
        FormatError: neither a list nor an object, or a frame rate or image size that is none.
    """
    if not isinstance(data, dict):
        return FrameList(members(data, list, path, "the file"))
    key = next((k for k in FRAMES_KEYS if isinstance(data.get(k), list)), None)
    if key is None and "frames" in data:
        key = "frames"
    if key is not None:
        places = [data, *(data[k] for k in _META_KEYS if isinstance(data.get(k), dict))]
        fps = _first(places, "fps")
        wide, high = (_first(places, k) for k in ("width", "height"))
        size = None
        if wide is not None and high is not None:
            size = (int(number(wide, path, "'width'")), int(number(high, path, "'height'")))
            if min(size) < 1:
                raise FormatError(path, f"the image is {size[0]} x {size[1]} px; expected at least 1 x 1")
        rate = None if fps is None else number(fps, path, "'fps'")
        numbers = keyed_frames(data[key]) if isinstance(data[key], dict) else None
        frames = list(data[key].values()) if numbers else members(data[key], list, path, f"'{key}'")
        return FrameList(frames, numbers, rate, size)
    numbers = keyed_frames(data)
    if numbers is not None:
        return FrameList(list(data.values()), numbers)
    return FrameList([data])


def keyed_frames(data: Mapping[str, Any]) -> list[int] | None:
    """Numbers of the frames that stand each under its number or picture's name; None where keys are something else.

    ``person_1`` and ``track_1`` end in numbers too, and hold people over time.
    """
    numbers = frame_numbers(list(data)) if data else None
    if numbers is None or not all(value is None or isinstance(value, dict | list) for value in data.values()):
        return None
    return numbers if all(_FRAME_NAME.fullmatch(key) for key in data) else None


def _first(places: Iterable[Mapping[str, Any]], key: str) -> Any:
    return next((place[key] for place in places if place.get(key) is not None), None)


def is_person(entry: object) -> bool:
    """Whether a JSON value is somebody with keypoints, or whom a detector found."""
    return isinstance(entry, dict) and any(key in entry for key in _PERSON_KEYS)


def people_by_frame(data: object, path: Path) -> People:
    """Everybody in each frame of a file, as the objects that stand there.

    Who has null or no ``keypoints`` was not seen: their frame is there without them.

    Raises:
        FormatError: frames of another form, two with the same number, or people of whom only some name their frame.
    """
    listed = frame_list(data, path)
    items, numbers = listed.frames, listed.numbers
    if numbers is None and any(map(is_person, items)):
        for index, entry in enumerate(items):
            members(entry, dict, path, f"person {index}")
        stated = [stated_frame(entry) for entry in items]
        if all(s is None for s in stated):
            if (times := stated_times(items)) is not None:
                return _at_times(listed, times)
            return People(items, [[e for e in items if _is_seen(e)]], None, listed.fps, listed.size, unstated=True)
        if None in stated:
            raise FormatError(
                path, f"person {stated.index(None)} names no frame, and others do; expected 'frame' for each of them"
            )
        grouped: dict[int | str | None, list[dict[str, Any]]] = {}
        for entry, value in zip(items, stated, strict=True):
            grouped.setdefault(value, []).extend([entry] if _is_seen(entry) else [])
        return People(items, list(grouped.values()), frame_numbers(list(grouped)), listed.fps, listed.size)
    people = [_in_frame(frame, path, f"frame {index}") for index, frame in enumerate(items)]
    if numbers is None:
        numbers = frame_numbers([stated_frame(f) if isinstance(f, dict) else None for f in items])
    if numbers is not None and len(set(numbers)) != len(numbers):
        raise FormatError(path, "two frames have the same frame_id; expected one entry for each frame")
    found = People(items, people, numbers, listed.fps, listed.size, times=stated_times(items, numbers))
    return found.timed()


def _at_times(listed: FrameList, times: Times) -> People:
    """People one by one who say when: those of one time are a frame."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for entry, text in zip(listed.frames, times.texts, strict=True):
        grouped.setdefault(text, []).extend([entry] if _is_seen(entry) else [])
    assert times.values is not None  # `stated_times` gives no others
    value_of = dict(zip(times.texts, times.values, strict=True))
    own = Times(times.name, tuple(grouped), tuple(value_of[text] for text in grouped))
    found = People(listed.frames, list(grouped.values()), None, listed.fps, listed.size, times=own)
    return found.timed()


def _in_frame(frame: object, path: Path, where: str) -> list[dict[str, Any]]:
    if frame is None or frame == {}:
        return []
    if isinstance(frame, dict):
        if is_person(frame):
            return [frame] if _is_seen(frame) else []
        key = next((k for k in PEOPLE_KEYS if k in frame), None)
        if key is None:
            raise FormatError(path, f"{where} is {describe(frame)}; expected people under {', '.join(PEOPLE_KEYS)}")
        frame, where = frame[key], f"{where}, '{key}'"
        if frame is None:
            return []
    entries = members(frame, list, path, where)
    if len(entries) == 1 and isinstance(entries[0], list):
        entries = entries[0]  # a batch of one picture
    for person, entry in enumerate(entries):
        members(entry, dict, path, f"{where}, person {person}")
    stated = {stated_frame(entry) for entry in entries} - {None}
    if len(stated) > 1:
        shown = ", ".join(map(str, sorted(stated, key=str)[:3]))
        raise FormatError(
            path, f"{where} holds people of {len(stated)} frames ({shown}); expected those of one. List them by frame"
        )
    return [entry for entry in entries if _is_seen(entry)]


def identity_key(people: People) -> str:
    """Under which key people say who they are.

    ``id`` is believed only where one comes back in another frame, and where several are not merely counted there.
    """
    for key in ("track_id", "person_id"):
        if any(key in entry for frame in people.frames for entry in frame):
            return key
    ids = [[entry.get("id") for entry in frame] for frame in people.frames]
    known = Counter(one for frame in ids for one in frame if type(one) is int)
    several = [frame for frame in ids if len(frame) > 1]
    counted = several and all(frame in ([*range(len(frame))], [*range(1, len(frame) + 1)]) for frame in several)
    return "id" if known and max(known.values()) > 1 and not counted else "track_id"


def _is_seen(entry: Mapping[str, Any]) -> bool:
    return "keypoints" not in entry or entry["keypoints"] not in (None, [], {})


def sequence_of(
    people: People,
    items: list[list[Detection]],
    layout: Skeleton | None,
    path: Path,
    options: KeypointOptions,
    called: str,
    notes: tuple[str, ...] = (),
) -> SkeletonSequence:
    """The detections of a file's people, frame by frame, as a sequence.

    Args:
        people: whose they are.
        items: of each frame of `people`.
        layout: of all of them; None where nobody is there, which is said.
        path: of the file, for messages.
        options: of the reader.
        called: the format, for messages.
        notes: what the reader has to say.

    Raises:
        FormatError: nobody is there.
    """
    people = people.at_rate(options.get("fps"))
    if people.unstated:
        items, told = unfold(items[0])
        notes += told
    frames, slots = place_frames(people.numbers, items)
    if layout is None:
        layout = keypoint_layout(17, path, called)  # nobody at all: to_sequence says so
    return to_sequence(
        frames,
        path,
        layout,
        with_facts(options, people),
        slots=slots,
        image_size=people.size,
        notes=(*people.notes, *notes),
    )


def with_facts(options: KeypointOptions, people: People | FrameList) -> KeypointOptions:
    """The options with the file's own frame rate, unless another is given."""
    return options if people.fps is None or options.get("fps") is not None else {**options, "fps": people.fps}
