"""When feet touch the floor: low and slow, for long enough."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.formats.export import y_up
from kinegraph.inference.placement import ANKLE_M, TOE_M
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import ASSUMED_FPS, runs
from kinegraph.transforms.smoothing import gaussian_window, smooth_array

__all__ = ["foot_contacts", "foot_joints"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: a foot that touches: over its standing height by less than this (m), slower than this (m/s); it stays until it is
#: higher or faster than the second numbers
_RISE_M, _SPEED_M_S = (0.05, 0.09), (0.5, 0.9)
_SHORTEST_S = 0.08


def foot_joints(names: tuple[str, ...]) -> dict[int, float]:
    """Index of every joint of a foot and its height over the floor when standing, metres."""
    found = {}
    for index, name in enumerate(names):
        if "ankle" in name:
            found[index] = ANKLE_M
        elif any(word in name for word in ("toe", "heel", "foot")) and not name.endswith("_end"):
            found[index] = TOE_M
    return found


def foot_contacts(sequence: SkeletonSequence, floor: Floats | float = 0.0) -> Mask:
    """Which joints touch the floor ``(people, frames, joints)``; joints of feet alone are looked at.

    Hysteresis (Canny's, in time): a contact begins where a joint is low and slow, and goes on while it is not clearly
    high or fast; shorter ones than 80 ms do not count. Speed is that of positions smoothed over 50 ms.

    Args:
        sequence: 3D in the world, metres.
        floor: its height, metres, one number or one a frame.

    Raises:
        DataError: not 3D in the world.
    """
    if sequence.dims != 3 or sequence.space != "world" or sequence.unit != "m":
        raise DataError(
            f"contacts are looked for in 3D in the world, metres; found {sequence.dims}D in {sequence.space} space"
        )
    contact = np.zeros(sequence.positions.shape[:3], dtype=bool)
    feet = foot_joints(sequence.skeleton.joints)
    if not feet or sequence.frames < 3:
        return contact
    fps = sequence.fps or ASSUMED_FPS
    joints = list(feet)
    positions = (sequence.positions @ y_up(sequence).T)[:, :, joints]
    kernel = gaussian_window(0.05 * fps)
    weights = np.asarray(np.isfinite(positions).all(axis=-1), dtype=np.float64)
    slow = smooth_array(np.where(np.isfinite(positions), positions, 0.0), weights, kernel, 1)
    speed = np.linalg.norm(np.gradient(slow, axis=1), axis=-1) * fps
    over = slow[..., 1] - np.broadcast_to(np.asarray(floor), (sequence.frames,))[None, :, None]
    over = over - np.array([feet[j] for j in joints])
    with np.errstate(invalid="ignore"):
        begin = (over < _RISE_M[0]) & (speed < _SPEED_M_S[0])
        stay = (over < _RISE_M[1]) & (speed < _SPEED_M_S[1])
    shortest = max(2, round(_SHORTEST_S * fps))
    for person in range(sequence.people):
        for column, joint in enumerate(joints):
            contact[person, :, joint] = _hysteresis(begin[person, :, column], stay[person, :, column], shortest)
    return contact


def _hysteresis(begin: Mask, stay: Mask, shortest: int) -> Mask:
    """Runs of `stay` that hold a frame of `begin` and last for `shortest` frames."""
    result = np.zeros(len(stay), dtype=bool)
    for start, stop in runs(stay):
        if stop - start >= shortest and begin[start:stop].any():
            result[start:stop] = True
    return result
