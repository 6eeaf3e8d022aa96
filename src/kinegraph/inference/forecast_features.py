"""What tells how far a forecast joint may be off: how far ahead it is, how fast it moved, how far it is said to go."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton, map_joints

__all__ = ["FORECAST_FEATURES", "FURTHEST_S", "canonical_joints", "forecast_features"]

Floats = NDArray[np.float64]

#: seconds ahead at which the error has a value of its own; between them its logarithm is linear in that of time
_KNOTS_S = (1 / 30, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
#: beyond it there is no estimate
FURTHEST_S = _KNOTS_S[-1]
_PACE_S = 0.2

FORECAST_FEATURES = (
    "constant",
    *(f"{1000 * s:.0f}_ms" for s in _KNOTS_S[1:]),
    "log_speed",
    "log_body_speed",
    "log_moved",
)


def forecast_features(history: Floats, future: Floats, fps: float, late: NDArray[np.int64] | None = None) -> Floats:
    """Features of every joint of every forecast frame ``(frames, joints, 12)``; NaN beyond :data:`FURTHEST_S`.

    Args:
        history: ``(frames, joints, 3)`` observed, metres; NaN where missing.
        future: ``(frames, joints, 3)`` forecast.
        fps: frames per second.
        late: ``(joints,)`` frames before the last observed one in which each joint was last seen: it is forecast over
            so much more time. None: they all are seen in the last.

    The features: 1; weights of the moments between which the frame lies; the logarithms of the joint's mean speed over
    the last fifth of a second, of the body's, and of how far the joint is forecast to move.
    """
    count, joints = future.shape[:2]
    times = (np.arange(1, count + 1)[:, None] + (np.zeros(joints) if late is None else late)) / fps
    knots = np.log(_KNOTS_S)
    place = np.clip(np.log(times), knots[0], knots[-1])
    hats = np.stack([np.interp(place, knots, np.eye(len(knots))[k]) for k in range(1, len(knots))], axis=-1)
    last = history[-max(2, round(_PACE_S * fps) + 1) :]
    with np.errstate(invalid="ignore"):
        steps = np.linalg.norm(np.diff(last, axis=0), axis=-1) * fps
        known = np.isfinite(steps)
        speed = np.where(known, steps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        # how fast a joint moved that was not seen in that time: as the others
        speed = np.where(known.any(axis=0), speed, speed[known.any(axis=0)].mean() if known.any() else 0.0)
        moved = np.linalg.norm(future - last[-1], axis=-1)
    # A joint that is missing at the end is said to move as the body does.
    there = np.isfinite(moved)
    mean = np.where(there, moved, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    moved = np.where(there, moved, mean[:, None])
    ones = np.ones((count, joints))
    columns = [
        ones[..., None],
        hats,
        (ones * np.log(speed + 0.05))[..., None],
        (ones * np.log(speed.mean() + 0.05))[..., None],
        np.log(moved + 0.01)[..., None],
    ]
    result = np.concatenate(columns, axis=-1)
    result[times > FURTHEST_S + 1e-6] = np.nan
    return result


def canonical_joints(skeleton: Skeleton, network: Skeleton) -> tuple[str, ...]:
    """For each joint of a recording, the network's name of the same point of the body; its own where there is none."""
    names = list(skeleton.joints)
    mapping = map_joints(skeleton, network, minimum=0.0)
    for row, status in enumerate(mapping.status):
        used = np.flatnonzero(mapping.weights[row])
        if status == "exact" and len(used) == 1:
            names[int(used[0])] = network.joints[row]
    return tuple(names)
