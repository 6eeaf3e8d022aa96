"""The windows of temporal lifters in motion of any frame rate, at the pace of the windows they were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError

__all__ = ["PacedWindows", "blended", "frames_apart", "paced_windows", "training_rate"]

Poses = NDArray[np.float32]
Rows = NDArray[np.int64]


def training_rate(metadata: Mapping[str, Any]) -> float | None:
    """Moments a second in the windows that a network was trained on; None if its weights do not say."""
    data, recipe = metadata.get("data"), metadata.get("recipe")
    train = data.get("train") if isinstance(data, Mapping) else None
    fps = train.get("fps") if isinstance(train, Mapping) else metadata.get("fps")
    chosen = recipe.get("data") if isinstance(recipe, Mapping) else None
    step = chosen.get("step", 1) if isinstance(chosen, Mapping) else 1
    if not (isinstance(fps, int | float) and fps > 0 and isinstance(step, int) and step > 0):
        return None
    return float(fps) / step


def frames_apart(fps: float, rate: float | None) -> float:
    """How many frames of motion at `fps` lie between two moments of a window of `rate` a second; 1 if that is unknown.

    A few per cent of tempo are nothing, and whole frames need no blending: those are taken where they are near.
    """
    pace = fps / rate if rate else 1.0
    return float(round(pace)) if pace > 0.9 and abs(pace - round(pace)) < 0.1 * pace else pace


def blended(first: Poses, second: Poses, share: Poses) -> Poses:
    """Encoded poses (..., frames, joints, channels) at moments between two poses of a recording.

    A joint that one of the two poses lacks (all zeros) is taken from the nearer one: half of nothing is no place.

    Args:
        first: the pose before each moment.
        second: the pose after it, of the same shape.
        share: (frames,) of the second, from 0 to 1.
    """
    w = share[:, None, None]
    both = (first != 0).any(axis=-1, keepdims=True) & (second != 0).any(axis=-1, keepdims=True)
    mixed: Poses = np.where(both, (1 - w) * first + w * second, np.where(w < 0.5, first, second))
    return mixed


class PacedWindows(NamedTuple):
    """Where the moments of each pose's window lie. N poses, F moments."""

    before: Rows
    """(N, F) the pose before each moment."""
    after: Rows
    """(N, F) the pose after it; the same one where it falls on a pose."""
    share: Poses
    """(F,) of the later one."""

    def of(self, poses: Poses, rows: slice) -> Poses:
        """Windows (rows, F, joints, channels) of encoded poses (N, joints, channels), see :func:`blended`."""
        first = np.take(poses, self.before[rows], axis=0)
        return blended(first, np.take(poses, self.after[rows], axis=0), self.share) if self.share.any() else first


def paced_windows(clip: NDArray[Any], frames: int, pace: float, target: int | None = None) -> PacedWindows:
    """The windows around each pose.

    Beyond either end of a clip its first or last pose is repeated, so that a window never holds poses of two clips.

    Args:
        clip: (N,) clip of each pose; equal values contiguous.
        frames: moments of a window.
        pace: poses between two of them; see :func:`frames_apart`.
        target: which moment is the pose itself: the middle one if None, ``frames - 1`` for causal windows.

    Raises:
        DataError: an even number of frames has no middle one.
    """
    if target is None and frames % 2 == 0:
        raise DataError(f"a window needs an odd number of frames so that it has a centre, found {frames}")
    moments = (np.arange(frames) - (frames // 2 if target is None else target)) * pace
    low = np.floor(moments + 1e-9).astype(np.int64)
    share = np.where(moments - low < 1e-6, 0.0, moments - low)
    first, last = _clip_bounds(clip)

    def rows(offsets: Rows) -> Rows:
        found = np.arange(len(first))[:, None] + offsets
        return np.clip(found, first[:, None], last[:, None], out=found)  # a large data set's windows fill gigabytes

    before = rows(low)
    after = rows(low + (share > 0)) if share.any() else before
    return PacedWindows(before, after, share.astype(np.float32))


def _clip_bounds(clip: NDArray[Any]) -> tuple[Rows, Rows]:
    """First and last row (N,) of the clip that each pose is of."""
    labels = np.asarray(clip)
    change = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    starts = np.concatenate([[0], change]).astype(np.int64)
    ends = np.concatenate([change, [len(labels)]]).astype(np.int64)
    return np.repeat(starts, ends - starts), np.repeat(ends - 1, ends - starts)
