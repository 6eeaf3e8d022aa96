"""A recording for those who have none at hand: the generator's walk, as a camera's keypoints."""

from __future__ import annotations

import numpy as np

from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

__all__ = ["walking"]

_SIZE = (1280, 720)
_FOCAL = 1100.0
_AWAY_M = 6.0


def walking(seconds: float = 4.0) -> SkeletonSequence:
    """COCO keypoints (1, frames, 17, 2) px of a person who walks past a camera, with a detector's noise of 1.5 px."""
    from kinegraph.datasets.synthetic import SyntheticMotion

    clip = SyntheticMotion(subjects=1, takes=1, seconds=seconds).clip(0, "walking", 0)
    body = clip.to_skeleton(get_skeleton("coco17"), minimum=0.4)
    # The generator's world is z up. The camera stands beside the way, at hip height, and looks along +y.
    x, y, z = np.moveaxis(body.positions[0], -1, 0)
    middle = np.nanmean(x), np.nanmean(y), np.nanmean(z)
    depth = _AWAY_M + (y - middle[1])
    across, up = _FOCAL * (x - middle[0]) / depth, _FOCAL * (z - middle[2]) / depth
    noise = np.random.default_rng(5).normal(scale=1.5, size=(*across.shape, 2))
    points = np.stack([_SIZE[0] / 2 + across, _SIZE[1] / 2 - up], axis=-1) + noise
    return SkeletonSequence(
        points[None],
        body.skeleton,
        fps=body.fps,
        unit="px",
        space="image",
        image_size=_SIZE,
        confidence=body.confidence,
        source="sample walk",
        notes=("procedural motion of the package, seen by a camera that was made up",),
    )
