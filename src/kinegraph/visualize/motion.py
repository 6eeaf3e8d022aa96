"""What the player plays, as JSON: panels of joints over time, forecasts that stand in them as ghosts, bands of actions.

Joints travel as 16-bit steps in base64: a thousand frames of one 17-joint person take about 0.14 MB in 3D and 0.23 MB
with the 2D beside it. A step is 1/65000 of the scene: 0.15 mm in a room of ten metres. Single joints that stand where
nobody goes, a marker kilometres away, are left out, for the steps would be larger than the body.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.geometry.limbs import anatomy, bone_radii
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.projection import facing, image_box, pose_size, shown_axes, stage, to_display
from kinegraph.visualize.style import BANDS, FORECAST, LEFT, OTHER, PEOPLE, RIGHT, bone_sides, css, joint_sides

if TYPE_CHECKING:
    from kinegraph.inference.recognition import Recognition

__all__ = ["DEFAULT_FPS", "MISSING", "SCREEN_FPS", "Band", "Ghost", "action_bands", "first_frame", "motion"]

#: frame rate used where a sequence has none
DEFAULT_FPS = 30.0
#: a screen shows no more; faster recordings are thinned to the nearest whole divisor
SCREEN_FPS = 60.0
MISSING = -32768
_REACH = 10.0
"""A joint is a stray, shown as missing, if it lies so many boxes from the box that holds nearly all of its person."""
_STATURE = 0.92  # of the diagonal of a pose's box: arms and steps make the box wider than a body is tall


@dataclass(frozen=True, kw_only=True)
class Ghost:
    """A forecast that stands in a panel.

    Attributes:
        panel: index of the sequence that it goes on from.
        start: seconds into that sequence where its first frame is.
        sequence: the forecast, on the same joints and in the same space.
    """

    panel: int
    start: float
    sequence: SkeletonSequence


@dataclass(frozen=True, kw_only=True)
class Band:
    """An action on the timeline: who does what from when to when (seconds), how sure (0..1), and its class's number."""

    who: str
    label: str
    start: float
    end: float
    score: float
    kind: int


def first_frame(sequence: SkeletonSequence, start_s: float) -> int:
    """Which frame of its recording a sequence begins with that was cut from it at ``start_s``."""
    return round(start_s * (sequence.fps or DEFAULT_FPS))


def action_bands(recognition: Recognition) -> list[Band]:
    """The segments that a `Recognizer` found, of every person, as bands of a timeline."""
    kinds = {action: kind for kind, action in enumerate(recognition.actions)}
    return [
        Band(
            who=person.label,
            label=segment.action,
            start=max(0.0, segment.start_s),
            end=segment.stop_s,
            score=segment.score,
            kind=kinds[segment.action],
        )
        for person in recognition.people
        for segment in person.segments
    ]


def motion(
    sequences: Sequence[tuple[str, SkeletonSequence]],
    *,
    title: str,
    notes: Sequence[str] = (),
    ghosts: Sequence[Ghost] = (),
    bands: Sequence[Band] = (),
    start_s: float = 0.0,
) -> dict[str, Any]:
    """What the page's script reads.

    Args:
        sequences: (caption, sequence) pairs, one panel each, played on one clock; 2D and 3D may be mixed.
        title: what the recording is called.
        notes: lines shown under "help"; the sequences' own notes follow.
        ghosts: forecasts, each in the panel of its recording.
        bands: actions for the timeline.
        start_s: seconds into their recordings at which the sequences begin; times and frames are told of these.

    Raises:
        DataError: no sequence, no frame, a sequence without any joint present, or a ghost that does not fit.
    """
    if not sequences:
        raise DataError("a player needs at least one sequence")
    sequences = [(caption, _without_strays(sequence, start_s)) for caption, sequence in sequences]
    panels = [_panel(caption, sequence, start_s) for caption, sequence in sequences]
    lines = list(notes)
    for caption, sequence in sequences:
        lines += [f"{caption}: {note}" if len(sequences) > 1 else note for note in sequence.notes]
        if sequence.fps is None and sequence.frames > 1:
            lines.append(f"{caption}: the file states no frame rate; played at {DEFAULT_FPS:g} frames a second")
    for ghost in ghosts:
        panels[ghost.panel]["ghosts"].append(ghost_track(sequences[ghost.panel][1], ghost))
    return {
        "title": title,
        "panels": panels,
        "notes": list(dict.fromkeys(lines)),
        "follow": any(panel.pop("follow") for panel in panels),
        "bands": [vars(band) for band in bands],
        "colours": {
            "l": css(LEFT),
            "r": css(RIGHT),
            "people": [css(c) for c in PEOPLE],
            "forecast": css(FORECAST),
            "other": css(OTHER),
            "bands": [css(c) for c in BANDS],
        },
    }


def ghost_track(recording: SkeletonSequence, ghost: Ghost) -> dict[str, Any]:
    """A forecast's joints, without what it shares with its recording.

    Raises:
        DataError: on other joints, of other people or in another space than the recording.
    """
    forecast = ghost.sequence
    same = forecast.skeleton.joints == recording.skeleton.joints and forecast.people == recording.people
    if not same or (forecast.dims, forecast.space, forecast.up) != (recording.dims, recording.space, recording.up):
        raise DataError("a forecast must have the joints, people and space of its recording")
    points, trust, fps, _ = _thinned(forecast)
    return {"fps": fps, "start": ghost.start, "frames": len(points), **_packed(points, trust)}


def _without_strays(sequence: SkeletonSequence, start_s: float) -> SkeletonSequence:
    """The sequence with joints missing that lie far from where their person is, and a note that says so."""
    points = np.asarray(sequence.positions)
    strays = np.zeros(points.shape[:3], dtype=bool)
    for person, own in enumerate(points):
        there = np.isfinite(own).all(axis=-1)
        if not there.any():
            continue
        # the methods keep the extremes out, however few joints there are
        low = np.percentile(own[there], 0.5, axis=0, method="higher")
        high = np.percentile(own[there], 99.5, axis=0, method="lower")
        low, high = np.minimum(low, high), np.maximum(low, high)
        margin = _REACH * float((high - low).max())
        strays[person] = there & (margin > 0) & ((own < low - margin) | (own > high + margin)).any(axis=-1)
    if not strays.any():
        return sequence
    _, frame, joint = (int(i) for i in np.argwhere(strays)[0])
    name, at = sequence.skeleton.joints[joint].replace("_", " "), first_frame(sequence, start_s) + frame
    count = int(strays.sum())
    what = "1 joint position is" if count == 1 else f"{count} joint positions are"
    return sequence.replace(
        positions=np.where(strays[..., None], np.nan, points),
        confidence=np.where(strays, 0.0, np.asarray(sequence.confidence)),
        notes=(*sequence.notes, f"{what} far from everything else and not shown (first: {name}, frame {at})"),
        **dict.fromkeys(("rotations", "offsets", "uncertainty", "contact")),  # nothing here shows them
    )


def _thinned(sequence: SkeletonSequence) -> tuple[NDArray[np.float64], NDArray[np.float64], float, int]:
    """Points (frames, people, joints, dims) as shown, their confidence, frames a second, and frames left out + 1."""
    fps = sequence.fps or DEFAULT_FPS
    stride = max(1, round(fps / SCREEN_FPS))
    points = np.asarray(sequence.positions, dtype=np.float64) if sequence.dims == 2 else to_display(sequence)
    trust = np.asarray(sequence.confidence)
    return np.moveaxis(points, 0, 1)[::stride], np.moveaxis(trust, 0, 1)[::stride], fps / stride, stride


def _packed(points: NDArray[np.float64], trust: NDArray[np.float64]) -> dict[str, Any]:
    present = np.isfinite(points).all(axis=-1)
    shown = points[present] if present.any() else np.zeros((1, points.shape[-1]))
    low, high = shown.min(axis=0), shown.max(axis=0)
    step = max(float((high - low).max()) / 65000.0, 1e-9)
    origin = (low + high) / 2
    steps = np.full(points.shape, MISSING, dtype="<i2")
    steps[present] = np.rint((points[present] - origin) / step).astype("<i2")
    packed = {"origin": origin.tolist(), "step": step, "data": base64.b64encode(steps.tobytes()).decode("ascii")}
    if (trust[present] < 1).any():
        # A present joint never rounds down to "not there".
        levels = np.where(present, np.clip(np.rint(trust * 255), 1, 255), 0).astype(np.uint8)
        packed["confidence"] = base64.b64encode(levels.tobytes()).decode("ascii")
    return packed


def _panel(caption: str, sequence: SkeletonSequence, start_s: float) -> dict[str, Any]:
    if sequence.frames == 0 or sequence.people == 0:
        raise DataError(f"{caption}: nothing to play: {sequence.people} people, {sequence.frames} frames")
    points, trust, fps, stride = _thinned(sequence)
    panel: dict[str, Any] = {
        "title": caption,
        "dims": sequence.dims,
        "unit": sequence.unit,
        "fps": fps,
        "first": first_frame(sequence, start_s),
        "stride": stride,
        "frames": len(points),
        "people": sequence.people,
        "axes": [list(axis) for axis in shown_axes(sequence)],
        "joints": list(sequence.skeleton.joints),
        "bones": [[int(a), int(b)] for a, b in sequence.skeleton.bones],
        "sides": bone_sides(sequence.skeleton),
        "jointSides": joint_sides(sequence.skeleton),
        "follow": False,
        "centre": [0.0, 0.0, 0.0],
        "ghosts": [],
    }
    if sequence.dims == 2:
        size = pose_size(sequence)
        panel |= {"frame": image_box(sequence), "extent": _extent(sequence, size), "thickness": 0.022 * size}
    else:
        set_up = stage(sequence)
        front = facing(to_display(sequence), sequence)
        panel |= {
            "centre": list(set_up.view.centre),
            "radius": set_up.view.radius,
            "azimuth": set_up.view.azimuth,
            "front": 0.0 if front is None else front,
            "ground": set_up.ground,
            "cell": set_up.cell,
            "radii": _radii(sequence, set_up.size),
            "follow": set_up.follow,
        }
    return panel | _packed(points, trust)


def _extent(sequence: SkeletonSequence, size: float) -> list[float]:
    """Left, top, right, bottom of where the people are over the clip, with air; a few stray joints do not count."""
    present = sequence.positions[np.isfinite(sequence.positions).all(axis=-1)]
    low, high = np.percentile(present, 0.5, axis=0), np.percentile(present, 99.5, axis=0)
    air = 0.2 * size
    return [*(low - air).tolist(), *(high + air).tolist()]


def _radii(sequence: SkeletonSequence, size: float) -> list[list[float]]:
    """Radius at both ends of every bone, in the sequence's unit."""
    names = anatomy(sequence.skeleton)
    radii = []
    for parent, child in sequence.skeleton.bones:
        apart = np.linalg.norm(sequence.positions[:, :, child] - sequence.positions[:, :, parent], axis=-1)
        apart = apart[np.isfinite(apart)]
        length = float(np.median(apart)) if len(apart) else 0.0
        radii.append([round(r, 6) for r in bone_radii(names[child], _STATURE * size, length)])
    return radii
