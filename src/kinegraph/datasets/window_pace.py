"""The windows of temporal lifters in motion of any frame rate, at the pace of the windows they were trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.datasets.lifting_data import clip_bounds

__all__ = ["PacedWindows", "frames_apart", "paced_windows", "training_rate"]


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


class PacedWindows(NamedTuple):
    """Where the moments of each pose's window lie. N poses, F moments."""

    before: Tensor
    """(N, F) the pose before each moment."""
    after: Tensor
    """(N, F) the pose after it; the same one where it falls on a pose."""
    share: Tensor
    """(F,) of the later one."""

    def of(self, poses: Tensor, rows: slice) -> Tensor:
        """Windows (rows, F, joints, channels) of encoded poses (N, joints, channels).

        A joint that one of the two poses lacks (all zeros) is taken from the nearer one: half of nothing is no place.
        """
        first = poses[self.before[rows]]
        if not bool((self.share > 0).any()):
            return first
        second, w = poses[self.after[rows]], self.share[None, :, None, None]
        both = (first != 0).any(dim=-1, keepdim=True) & (second != 0).any(dim=-1, keepdim=True)
        return torch.where(both, (1 - w) * first + w * second, torch.where(w < 0.5, first, second))


def paced_windows(clip: NDArray[Any], frames: int, pace: float, target: int | None = None) -> PacedWindows:
    """The windows around each pose; beyond either end of a clip its first or last pose is repeated.

    Args:
        clip: (N,) clip of each pose; equal values contiguous.
        frames: moments of a window.
        pace: poses between two of them; see :func:`frames_apart`.
        target: which moment is the pose itself; the middle one if None.
    """
    moments = (np.arange(frames) - (frames // 2 if target is None else target)) * pace
    low = np.floor(moments + 1e-9).astype(np.int64)
    share = np.where(moments - low < 1e-6, 0.0, moments - low)
    first, last = (bound[:, None] for bound in clip_bounds(clip))
    rows = np.arange(len(clip))[:, None]
    before, after = (np.clip(rows + low + extra, first, last) for extra in (0, (share > 0).astype(np.int64)))
    return PacedWindows(torch.from_numpy(before), torch.from_numpy(after), torch.from_numpy(share.astype(np.float32)))
