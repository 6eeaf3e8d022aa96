"""How steadily networks lift recordings of which nobody knows the truth: yours.

A body has limbs of one length, and no limb turns by more than a quarter circle between two frames of a video. What
breaks these rules is wrong, whatever the truth is; what keeps them need not be right. Two answers are measured for each
network: what it gives itself, frame by frame, and what `kinegraph lift` writes after smoothing and fitting limbs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.evaluation.tables import text_table
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.options import LiftOptions
from kinegraph.sequence import SkeletonSequence

__all__ = [
    "FLIP_DEG",
    "Steadiness",
    "draw_steps",
    "limb_variation",
    "measure_steadiness",
    "steadiness",
    "steadiness_report",
]

Floats = NDArray[np.float64]

FLIP_DEG = 90.0
"""A bone that turns further than this between two frames has flipped: at 25 frames a second nobody moves so fast."""


@dataclass(frozen=True, kw_only=True)
class Steadiness:
    """What a lifted recording shows of itself.

    Attributes:
        recording: what was lifted.
        model: the network.
        stage: ``"network"`` (its own answers) or ``"lifted"`` (as written by `kinegraph lift`).
        fps: frames a second; steps depend on it.
        poses: how many were lifted, of all people.
        limb_variation: largest coefficient of variation of a bone's length over time, of any person (a share).
        flips: frames in which a bone turns by more than :data:`FLIP_DEG` since the one before, of all people.
        largest_step_mm: of any joint, relative to the root, from one frame to the next.
        acceleration: mean over joints and frames, relative to the root, m/s^2.
        steps_mm: (frames,) the largest step of a joint into each frame, NaN where there is none.
    """

    recording: str
    model: str
    stage: str
    fps: float
    poses: int
    limb_variation: float
    flips: int
    largest_step_mm: float
    acceleration: float
    steps_mm: Floats

    def to_json(self) -> dict[str, Any]:
        """Plain values, unrounded, without the course over time."""
        plain = {name: value for name, value in asdict(self).items() if name != "steps_mm"}
        return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in plain.items()}


def steadiness(lifted: SkeletonSequence, *, recording: str, model: str, stage: str) -> Steadiness:
    """Measure a lifted recording.

    Args:
        lifted: 3D in metres; joints of confidence 0 are left out.
        recording: what to call it.
        model: what lifted it.
        stage: what was done to the network's answers.

    Raises:
        DataError: 2D, other units than metres, or no frame rate.
    """
    if lifted.dims != 3 or lifted.unit != "m" or lifted.fps is None:
        found = f"{lifted.dims}D in {lifted.unit} at {lifted.fps} fps"
        raise DataError(f"{recording}: found {found}, expected 3D in metres with a frame rate")
    skeleton = lifted.skeleton
    points = np.where(lifted.seen[..., None], lifted.positions, np.nan).astype(np.float64)
    points = points - points[:, :, skeleton.root, None]
    bones = np.array(skeleton.bones).reshape(-1, 2)
    limbs = points[:, :, bones[:, 1]] - points[:, :, bones[:, 0]]
    steps = np.linalg.norm(np.diff(points, axis=1), axis=-1)
    bends = np.linalg.norm(np.diff(points, n=2, axis=1), axis=-1)
    moved = _largest(steps, axis=(0, 2)) * 1000
    return Steadiness(
        recording=recording,
        model=model,
        stage=stage,
        fps=float(lifted.fps),
        poses=int(lifted.present.sum()),
        limb_variation=limb_variation(lifted),
        flips=int((_turns_deg(limbs) > FLIP_DEG).any(axis=-1).sum()),
        largest_step_mm=float(_largest(moved, axis=(0,))),
        acceleration=float(np.nanmean(bends)) * float(lifted.fps) ** 2 if np.isfinite(bends).any() else float("nan"),
        steps_mm=np.concatenate([[np.nan], moved])[: lifted.frames],
    )


def limb_variation(lifted: SkeletonSequence) -> float:
    """The largest coefficient of variation over time of any bone of any person; NaN where no bone is seen twice."""
    largest = float("nan")
    points = np.where(lifted.seen[..., None], lifted.positions, np.nan)
    for parent, child in lifted.skeleton.bones:
        for row in np.linalg.norm(points[:, :, child] - points[:, :, parent], axis=-1):
            seen = row[np.isfinite(row)]
            if len(seen) > 1 and seen.mean() > 0:
                largest = float(np.fmax(largest, seen.std() / seen.mean()))
    return largest


def measure_steadiness(
    recordings: Sequence[tuple[str, SkeletonSequence]],
    lifters: Sequence[tuple[str, Lifter]],
    options: LiftOptions | None = None,
    *,
    progress: Callable[[], object] = lambda: None,
) -> list[Steadiness]:
    """Lift every recording with every network, and measure both stages of each.

    Args:
        recordings: what to call each, and its 2D keypoints.
        lifters: what to call each, and the network.
        options: of the second stage; the first has the same but neither smoothing nor fitted limbs.
        progress: called after each recording and network.

    Raises:
        DataError: single pictures, from one of which to the next everything leaps; nobody to lift.
        SkeletonError: see :meth:`kinegraph.inference.Lifter.lift`.
    """
    for recording, keypoints in recordings:
        if not keypoints.is_video:
            raise DataError(f"{recording} holds single pictures; expected a video, motion in time")
    chosen = options or LiftOptions()
    plain = replace(chosen, rigid=False, smooth_s=0.0, one_euro=False, root="relative")
    found = []
    for recording, keypoints in recordings:
        for model, lifter in lifters:
            for stage, given in (("network", plain), ("lifted", chosen)):
                lifted = lifter.lift(keypoints, given)
                found.append(steadiness(lifted, recording=recording, model=model, stage=stage))
            progress()
    return found


def steadiness_report(results: Sequence[Steadiness], *, markdown: bool = False) -> str:
    """A line for each recording, network and stage."""
    header = [
        "recording",
        "network",
        "stage",
        "poses",
        "fps",
        "limbs vary (%)",
        "flips",
        "largest step (mm)",
        "acc. (m/s²)",
    ]
    rows = [
        [
            result.recording,
            result.model,
            result.stage,
            f"{result.poses}",
            f"{result.fps:g}",
            _number(100 * result.limb_variation),
            f"{result.flips}",
            _number(result.largest_step_mm, 0),
            _number(result.acceleration),
        ]
        for result in results
    ]
    return text_table(header, rows, markdown=markdown)


def draw_steps(results: Sequence[Steadiness], folder: Path | str) -> list[Path]:
    """Write ``steadiness.png`` to an existing folder: each recording's largest step over time, as lifted."""
    from kinegraph.evaluation.analysis_pictures import draw_courses

    courses: dict[str, dict[str, tuple[Floats, Floats]]] = {}
    for result in results:
        if result.stage == "lifted":
            seconds = np.arange(len(result.steps_mm)) / result.fps
            courses.setdefault(result.recording, {})[result.model] = (seconds, result.steps_mm)
    return draw_courses(
        courses,
        Path(folder) / "steadiness.png",
        across="seconds",
        up="largest step of a joint\nsince the frame before (mm)",
    )


def _turns_deg(limbs: Floats) -> Floats:
    """Angle (people, frames - 1, bones) by which each bone turns from one frame to the next; NaN where not seen."""
    before, after = limbs[:, :-1], limbs[:, 1:]
    size = np.linalg.norm(before, axis=-1) * np.linalg.norm(after, axis=-1)
    cosine = np.divide((before * after).sum(axis=-1), size, out=np.full(size.shape, np.nan), where=size > 0)
    turns: Floats = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return turns


def _largest(values: Floats, axis: tuple[int, ...]) -> Floats:
    """nanmax without a warning where all are NaN."""
    filled = np.where(np.isfinite(values), values, -np.inf).max(axis=axis, initial=-np.inf)
    return np.where(np.isfinite(filled), filled, np.nan)


def _number(value: float, digits: int = 1) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"
