"""How the frames of a window stand to one another: what `transform.root` means for training and validation windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.motion_data import MotionData
from kinegraph.errors import DataError
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.transforms.heading import heading_relative
from kinegraph.transforms.motion import MotionTransform

__all__ = ["WindowView", "fit_transform"]

Array = NDArray[np.float64]


class WindowView:
    """Raw windows as a network is meant to see them: as they are, or from the last observed frame's place and heading.

    Args:
        root: `none` or `heading`, see `MotionTransform`.
        observed: frames observed.
        skeleton: of the features; has a trajectory under `heading`.
        representation: of the features.

    Raises:
        DataError: `heading` without a trajectory, or a trajectory without it.
    """

    def __init__(self, root: str, observed: int, skeleton: Skeleton, representation: str) -> None:
        self.moves = root == "heading"
        self.observed, self.skeleton, self.representation = observed, skeleton, representation
        if self.moves != (TRAJECTORY in skeleton.joints):
            raise DataError(
                f"root '{root}' with skeleton '{skeleton.name}': a body's path is told by the joint '{TRAJECTORY}', "
                "which goes with root 'heading' and with no other"
            )

    def __call__(self, windows: NDArray[np.floating]) -> Array:
        """(B, L, joints, 3) features of (B, L, joints, 3) raw ones."""
        if not self.moves:
            return np.asarray(windows, dtype=np.float64)
        return heading_relative(windows, self.observed - 1, self.skeleton, self.representation)[0]


def fit_transform(
    data: MotionData,
    *,
    observed: int,
    horizon: int,
    root: str = "none",
    recognise: bool = False,
    per_channel: bool = True,
    mirror: bool = False,
) -> MotionTransform:
    """The normalisation of the training clips, of their mirror images too where those are trained on.

    A channel that moves in no recording stays constant in the mirror.

    Raises:
        DataError: nothing moves, no clip has a whole window, or `root` does not suit the skeleton.
    """
    view = WindowView(root, observed, data.skeleton, data.representation)
    settings: dict[str, Any] = {
        "per_channel": per_channel,
        "representation": data.representation,
        "root": root,
        "fps": data.fps,
        "observed": observed,
        "horizon": horizon,
        "actions": data.actions if recognise else (),
    }

    def seen(clips: list[Array]) -> list[Any]:
        if not view.moves:
            return clips
        length = observed + horizon
        cuts = [clip[start : start + length] for clip in clips for start in range(0, len(clip) - length + 1, length)]
        if not cuts:
            raise DataError(f"{data.name}: no clip has the {length} frames of a window")
        return list(view(np.stack(cuts)))

    clips = [clip.features for clip in data.clips]
    found = MotionTransform.fit(seen(clips), **settings)
    if mirror and data.mirror is not None:
        both = seen([*clips, *map(data.mirror, clips)])
        found = MotionTransform.fit(both, keep=found.used, **settings)
    return found
