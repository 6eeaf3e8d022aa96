"""From keypoints as detectors write them, one list of people per image, to arrays per person over time.

Shared by the readers of OpenPose, COCO, AlphaPose, mmpose, ultralytics and MediaPipe files: frame numbers with
gaps, identities with or without ids, and joints that were not seen.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, FormatError
from kinegraph.formats.keypoints.tracking import MAX_GAP, is_one_person, track
from kinegraph.formats.scores import MOST, told_cut
from kinegraph.sequence import SkeletonSequence, Unit
from kinegraph.skeleton import Skeleton

Floats = NDArray[np.float64]

__all__ = [
    "TRACKING",
    "Detection",
    "FrameSlots",
    "KeypointOptions",
    "assemble",
    "check_image_size",
    "frame_number",
    "frame_slots",
    "in_pixels",
    "make_detection",
    "place_frames",
    "to_sequence",
    "unfold",
    "valid_identity",
]

TRACKING = ("auto", "distance", "order")
"""`auto`: the file's own ids where each person of each frame has one, else by distance; `distance`: always by
distance (formats/keypoints/tracking.py); `order`: the k-th person of one frame is the k-th of the next,
who is listed and unseen among them."""

MAX_PEOPLE_IN_FRAME = 500
MAX_VALUES = 200_000_000  # positions are float64: 1.6 GB


class KeypointOptions(TypedDict, total=False):
    """What every reader of detector output may be told.

    Keys:
        fps: frame rate of the video, which such files do not hold; None leaves it unknown.
        skeleton: layout (name, file or object), if it is not the one that the number of keypoints says.
        image_size: (width, height) of the video in px, where the file does not hold it.
        tracking: one of :data:`TRACKING`.
        people: keep only so many people, the best seen; None keeps all.
        min_frames: leave out whoever is seen in fewer frames, as false detections are; 1 keeps all.
        max_gap: frames that somebody may be unseen and still be the same person (distance tracking).
    """

    fps: float | None
    skeleton: str | Skeleton | None
    image_size: tuple[int, int] | None
    tracking: str
    people: int | None
    min_frames: int
    max_gap: int


@dataclass(frozen=True)
class Detection:
    """One person in one frame: `keypoints` (joints, dims) with NaN and `confidence` (joints,) with 0 where missing."""

    keypoints: Floats
    confidence: Floats
    identity: int | None = None
    highest: float = 0.0
    """The highest confidence, as it was before those above 1 were cut."""


def make_detection(
    keypoints: Floats, confidence: Floats, path: Path, where: str, joints: Sequence[str], identity: int | None = None
) -> Detection:
    """A Detection from raw values (joints, dims) and (joints,).

    Confidence 0, negative or NaN means missing. Detectors overshoot 1, heatmaps a little and SimCC (RTMPose) more: that
    is cut off, and `highest` tells how much it was. Raises FormatError for a joint that claims to be there and has no
    finite position, and for confidences that are no shares of one.
    """
    if confidence.size and np.nan_to_num(confidence, posinf=0.0).max() > MOST:
        joint = int(np.argmax(np.nan_to_num(confidence, posinf=0.0)))
        raise FormatError(
            path,
            f"{where}, joint '{joints[joint]}' has confidence {confidence[joint]:g}; expected 0 to 1. "
            "Divide per cent by 100",
        )
    seen = confidence > 0  # false for NaN as well
    if keypoints.shape[1] == 2:
        # Ultralytics and others put joints they are not sure of at exactly (0, 0) and leave the confidence.
        seen &= (keypoints != 0).any(axis=1)
    broken = seen & ~np.isfinite(keypoints).all(axis=1)
    if broken.any():
        joint = int(np.argmax(broken))
        raise FormatError(
            path,
            f"{where}, joint '{joints[joint]}' is {keypoints[joint].tolist()} with confidence "
            f"{confidence[joint]:g}; expected finite coordinates, or confidence 0 where it is missing",
        )
    return Detection(
        np.where(seen[:, None], keypoints, np.nan),
        np.where(seen, np.clip(confidence, 0.0, 1.0), 0.0),
        identity,
        float(confidence.max(where=seen, initial=0.0)),
    )


def frame_number(name: str) -> tuple[str, int] | None:
    """The frame number at the end of an image's or frame's name, with what precedes it: ``clip_000012`` -> 12.

    A suffix like ``.jpg`` and OpenPose's ``_keypoints`` are dropped first; None when no digits end the rest.
    """
    stem = re.sub(r"(\.[A-Za-z][A-Za-z0-9]{0,4})+$", "", name.replace("\\", "/").rsplit("/", 1)[-1])
    found = re.fullmatch(r"(.*?)(\d{1,15})", re.sub(r"_(keypoints|pose)$", "", stem), re.ASCII | re.DOTALL)
    return (found[1], int(found[2])) if found else None


def valid_identity(value: object) -> int | None:
    """The number of a person; None where a file says none: ``[3]`` and 3.0 are 3, -1 is nobody known."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 2**31 else None


def unfold(people: Sequence[Detection]) -> tuple[list[list[Detection]], tuple[str, ...]]:
    """The frames of a list of people that names no frame, and notes: one picture, unless it is one person over time."""
    if not is_one_person([person.keypoints for person in people]):
        return [list(people)], ()
    told = f"{len(people)} poses that name no frame were taken for as many frames of one person: each lies on the last"
    return [[person] for person in people], (told,)


@dataclass(frozen=True)
class FrameSlots:
    """Where frames go in time: `slots[i]` is the place of the i-th, `count` places in all, `step` numbers apart."""

    slots: tuple[int, ...]
    count: int
    step: int
    first: int

    @property
    def dropped(self) -> int:
        return self.count - len(set(self.slots))

    def notes(self) -> tuple[str, ...]:
        notes = []
        if self.step > 1:
            notes.append(f"one frame in {self.step} of the video is there")
        if self.first:
            notes.append(f"frame 0 is frame {self.first} of the video")
        if self.dropped:
            notes.append(f"{self.dropped} frames are not there: kept as missing")
        return tuple(notes)


def frame_slots(numbers: Sequence[int]) -> FrameSlots | None:
    """Places for frames by their numbers; gaps stay empty. None when the numbers are too sparse to be a video.

    Three or more numbers that are all n apart (a detector run on every n-th frame) lie side by side, step n.
    """
    distinct = sorted(set(numbers))
    if not distinct:
        return FrameSlots((), 0, 1, 0)
    step = math.gcd(*(b - a for a, b in pairwise(distinct))) if len(distinct) > 2 else 1
    count = (distinct[-1] - distinct[0]) // step + 1
    if count > 20 * len(distinct) + 1000:
        return None
    return FrameSlots(tuple((n - distinct[0]) // step for n in numbers), count, step, distinct[0])


def place_frames(
    numbers: Sequence[int] | None, items: Sequence[Sequence[Detection]]
) -> tuple[list[list[Detection]], FrameSlots]:
    """Detections of numbered images, in time; with no numbers, or too sparse ones, as they are listed."""
    slots = frame_slots(numbers) if numbers is not None else None
    if slots is None:
        slots = FrameSlots(tuple(range(len(items))), len(items), 1, 0)
    frames: list[list[Detection]] = [[] for _ in range(slots.count)]
    for item, slot in zip(items, slots.slots, strict=True):
        frames[slot].extend(item)
    return frames, slots


def check_image_size(size: Sequence[float]) -> None:
    """Raises ConfigError for a stated size of the image that is no width and height in px."""
    if len(size) != 2 or min(size) < 1:
        raise ConfigError(f"image_size is {size}; expected width and height in px, at least 1 each")


def in_pixels(frames: Sequence[Sequence[Detection]], size: tuple[int, int]) -> list[list[Detection]]:
    """Detections in fractions of an image of `size` (width, height), in px. Raises ConfigError where it is none."""
    check_image_size(size)
    scale = np.array(size, dtype=np.float64)
    return [[replace(d, keypoints=d.keypoints * scale) for d in frame] for frame in frames]


def to_sequence(
    frames: Sequence[Sequence[Detection]],
    path: Path,
    layout: Skeleton,
    options: KeypointOptions,
    *,
    slots: FrameSlots | None = None,
    image_size: tuple[int, int] | None = None,
    notes: Sequence[str] = (),
    unit: Unit | None = None,
) -> SkeletonSequence:
    """A 2D sequence in image space from the detections of each frame.

    Unless the reader knows the unit, it is px, or "normalized" where all values are within -1..1. `image_size` is
    what the file says; the user's, in `options`, comes first. Raises FormatError when nobody is there.

    Raises:
        ConfigError: an image size or options that are none.
    """
    positions, confidence, more = assemble(
        frames,
        path,
        layout.num_joints,
        2,
        tracking=options.get("tracking", "auto"),
        people=options.get("people"),
        min_frames=options.get("min_frames", 1),
        max_gap=options.get("max_gap", MAX_GAP),
    )
    if not len(positions):
        if any(d.confidence.any() for frame in frames for d in frame):
            raise FormatError(path, f"nobody is seen in {options.get('min_frames')} frames or more; lower min_frames")
        raise FormatError(
            path, f"no people in {len(frames)} frame(s); nothing to read. Check that the detector saw them"
        )
    stated = options.get("image_size")
    if stated is not None:
        check_image_size(stated)
    fps, step = options.get("fps"), slots.step if slots else 1
    if unit is None:
        unit = "normalized" if bool(np.nanmax(np.abs(positions)) <= 1) else "px"
    return SkeletonSequence(
        positions=positions,
        confidence=confidence,
        skeleton=layout,
        fps=fps / step if fps else fps,
        unit=unit,
        space="image",
        image_size=stated or image_size,
        source=str(path),
        notes=(*(slots.notes() if slots else ()), *notes, *more),
    )


def assemble(
    frames: Sequence[Sequence[Detection]],
    path: Path,
    joints: int,
    dims: int,
    *,
    tracking: str = "auto",
    people: int | None = None,
    min_frames: int = 1,
    max_gap: int = MAX_GAP,
) -> tuple[Floats, Floats, tuple[str, ...]]:
    """Positions (people, frames, joints, dims), confidence (people, frames, joints) and notes.

    People are ordered by how much of them was seen, so that person 0 is the main one (with tracking "order", as in
    the file). Somebody absent from a
    frame, and everybody in an empty frame, has confidence 0 and NaN there.

    Args:
        tracking: one of `TRACKING`.
        people: keep only so many people, the best seen; None keeps all.
        min_frames: leave out whoever is seen in fewer frames, as false detections are.
        max_gap: see :func:`kinegraph.formats.keypoints.tracking.track`.

    Raises:
        ConfigError: an option outside its range or choices.
        FormatError: more people or values than a recording may hold.
    """
    if tracking not in TRACKING:
        raise ConfigError(f"tracking is {tracking!r}; expected one of {', '.join(TRACKING)}")
    for name, value, least in (("people", people, 1), ("min_frames", min_frames, 1), ("max_gap", max_gap, 0)):
        if value is not None and (type(value) is not int or value < least):
            raise ConfigError(f"{name} is {value!r}; expected a whole number of at least {least}")
    for index, frame in enumerate(frames):
        if len(frame) > MAX_PEOPLE_IN_FRAME:
            raise FormatError(path, f"frame {index} holds {len(frame)} people; expected at most {MAX_PEOPLE_IN_FRAME}")
    # A detection without a single joint tells nothing, and would be tracked to nobody; in a file's order it counts.
    kept = [[d for d in frame if d.confidence.any()] for frame in frames]
    if tracking == "order":
        numbers = [[place for place, d in enumerate(frame) if d.confidence.any()] for frame in frames]
        notes: tuple[str, ...] = ()
    else:
        numbers, notes = _identities(kept, tracking, max_gap)

    seen: Counter[int] = Counter()
    lasts: Counter[int] = Counter()
    for frame, ids in zip(kept, numbers, strict=True):
        for detection, who in zip(frame, ids, strict=True):
            seen[who] += int((detection.confidence > 0).sum())
            lasts[who] += 1
    rank = (lambda who: (0, who)) if tracking == "order" else (lambda who: (-seen[who], who))
    everyone = sorted((who for who in seen if lasts[who] >= min_frames), key=rank)
    chosen = everyone[:people]
    if len(chosen) < len(seen):
        notes += (f"kept {len(chosen)} of {len(seen)} people",)
    values = max(len(chosen), 1) * len(frames) * joints * dims
    if values > MAX_VALUES:
        raise FormatError(
            path,
            f"{len(chosen)} people over {len(frames)} frames are {values:,} numbers; expected at "
            f"most {MAX_VALUES:,}. Pass people=N or min_frames=N to leave out false detections",
        )
    place = {who: i for i, who in enumerate(chosen)}
    positions = np.full((len(chosen), len(frames), joints, dims), np.nan)
    confidence = np.zeros((len(chosen), len(frames), joints))
    highest = 0.0
    for t, (frame, ids) in enumerate(zip(kept, numbers, strict=True)):
        for detection, who in zip(frame, ids, strict=True):
            if who in place:
                positions[place[who], t] = detection.keypoints
                confidence[place[who], t] = detection.confidence
                highest = max(highest, detection.highest)
    return positions, confidence, (*notes, *told_cut(highest))


def _identities(
    frames: Sequence[Sequence[Detection]], tracking: str, max_gap: int
) -> tuple[list[list[int]], tuple[str, ...]]:
    given = [[d.identity for d in frame] for frame in frames]
    usable = all(None not in ids and len(set(ids)) == len(ids) for ids in given) and any(given)
    if tracking == "auto" and usable:
        return [[int(i) for i in ids if i is not None] for ids in given], ()
    numbers = track([[d.keypoints for d in frame] for frame in frames], max_gap=max_gap)
    several = max((len(frame) for frame in frames), default=0) > 1
    return numbers, ("people were followed from frame to frame by their distance",) if several else ()
