"""Joints lost when a recording ends: they go on with the body, instead of standing where they were last seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.posing import bridge_gaps
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.rehang import rehung

__all__ = ["carry_on", "lost_at_the_end"]

Floats = NDArray[np.float64]
_PACE_S = 1 / 15  # over which a limb's last turning is measured
_FADES_S = 0.15  # time constant with which it comes to rest


def lost_at_the_end(positions: Floats) -> NDArray[np.int64]:
    """Frames since each joint of (frames, joints, dims) was last seen, (joints,); all of them for one never seen."""
    seen: NDArray[np.bool_] = np.asarray(np.isfinite(positions).all(axis=-1))
    since = np.argmax(seen[::-1], axis=0)
    return np.where(seen.any(axis=0), since, len(seen)).astype(np.int64)


def carry_on(positions: Floats, skeleton: Skeleton, fps: float) -> Floats:
    """Positions in which joints that are lost at the end, and were seen before, have places until the end.

    Such a joint keeps its distance from the joint above it in the tree (from the nearest one above that was ever
    seen), and turns on about it as it did, ever slower. Gaps before the end, and joints that are never seen, stay.

    Args:
        positions: (frames, joints, 3) of one person, NaN where missing; the root is seen in the last frame.
        skeleton: of the joints; loose points are hung on each other first.
        fps: frames per second.
    """
    since = lost_at_the_end(positions)
    frames = len(positions)
    ever = since < frames
    late = ever & (since > 0)
    if not late.any():
        return positions
    tree = rehung(skeleton, positions)
    whole = positions.copy()
    whole[:, ever] = bridge_gaps(positions[:, ever])
    back = max(1, round(_PACE_S * fps))
    for joint in tree.topological_order():
        above = tree.parents[joint]
        while above >= 0 and not ever[above]:
            above = tree.parents[above]
        if not late[joint] or above < 0:
            continue
        last = frames - 1 - int(since[joint])
        offset = whole[:, joint] - whole[:, above]
        pace = (offset[last] - offset[last - back]) / back if last >= back else np.zeros(3)
        steps = np.arange(1, frames - last)
        fades = _FADES_S * fps
        bone = offset[last] + (fades * -np.expm1(-steps / fades))[:, None] * pace
        length = np.linalg.norm(offset[last])
        bone *= length / np.maximum(np.linalg.norm(bone, axis=-1, keepdims=True), 1e-9)
        whole[last + 1 :, joint] = whole[last + 1 :, above] + bone
    result = positions.copy()
    for joint in map(int, np.flatnonzero(late)):
        tail = slice(frames - int(since[joint]), None)
        result[tail, joint] = whole[tail, joint]
    return result
