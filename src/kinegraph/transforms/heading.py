"""A body's path and heading, taken out of motion features and put back: what ``root="heading"`` means.

Clips hold the world: the joint ``trajectory`` (:data:`kinegraph.skeleton.contraction.TRAJECTORY`) is the root's place
in metres, y up, floor at 0, and the root's channels are its orientation. A network sees neither where on the floor a
body stands nor which way it faces: a window is expressed relative to the ground place and the heading of the last
observed frame (height stays height). The two functions are inverse, and work on many windows at once.

Exponential maps here have the sign of the CMU text files: minus the rotation vector of the joint's rotation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.geometry.rotations import (
    expmap_to_quaternion,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_expmap,
)
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.contraction import TRAJECTORY

__all__ = [
    "WIDTH_M",
    "HeadingFrame",
    "body_root",
    "continuous_expmap",
    "heading_absolute",
    "heading_relative",
    "mirror_features",
    "yaw_of",
    "yaw_quaternion",
]

Array = NDArray[np.float64]
#: pairs of joints nearer to each other than this tell no left side
WIDTH_M = 0.02


@dataclass(frozen=True)
class HeadingFrame:
    """Where each of B windows stands: ground `place` (B, 3) in metres, its y 0, and `yaw` (B,) about y, radians."""

    place: Array
    yaw: Array


def body_root(skeleton: Skeleton) -> int:
    """Index of the body's root: the joint that hangs on the trajectory, or the root itself where there is none."""
    if TRAJECTORY in skeleton.joints:
        return skeleton.parents.index(skeleton.index(TRAJECTORY))
    return skeleton.root


def heading_relative(
    windows: NDArray[np.floating], last: int, skeleton: Skeleton, representation: str = "expmap"
) -> tuple[Array, HeadingFrame]:
    """Windows relative to the ground place and heading of their frame `last`.

    Args:
        windows: (B, T, joints, 3) world features of a skeleton with a trajectory.
        last: index of the last observed frame.
        skeleton: of the features.
        representation: ``"expmap"`` or ``"positions"``.

    Returns:
        (B, T, joints, 3) and the frame that :func:`heading_absolute` needs. Exponential maps come without jumps of a
        whole turn, principal (at most half a turn) in frame `last`.

    Raises:
        DataError: the skeleton has no trajectory, or the shapes do not fit.
    """
    at = _trajectory(skeleton)
    result = np.array(windows, dtype=np.float64)
    frames = result.shape[1] if result.ndim == 4 else 0
    if result.shape[2:] != (skeleton.num_joints, 3) or not -frames <= last < frames:
        raise DataError(f"windows {result.shape}, last frame {last}: expected (B, T, {skeleton.num_joints}, 3)")
    place = result[:, last, at] * np.array([1.0, 0.0, 1.0])
    if representation == "expmap":
        yaw = yaw_of(expmap_to_quaternion(-result[:, last, body_root(skeleton)]))
    else:
        yaw = _yaw_of_positions(result[:, last], skeleton)
    frame = HeadingFrame(place=place, yaw=yaw)
    result[:, :, at] -= place[:, None]
    _turn(result, -yaw, at, skeleton, representation)
    if representation == "expmap":
        joints = [joint for joint in range(skeleton.num_joints) if joint != at]
        result[:, :, joints] = continuous_expmap(result[:, :, joints], axis=1, anchor=last)
    return result, frame


def heading_absolute(
    windows: NDArray[np.floating], frame: HeadingFrame, skeleton: Skeleton, representation: str = "expmap"
) -> Array:
    """World features (B, T, joints, 3) of windows relative to `frame`: the inverse of :func:`heading_relative`."""
    at = _trajectory(skeleton)
    result = np.array(windows, dtype=np.float64)
    _turn(result, frame.yaw, at, skeleton, representation)
    result[:, :, at] += frame.place[:, None]
    return result


def mirror_features(features: NDArray[np.floating], skeleton: Skeleton, representation: str = "expmap") -> Array:
    """Features (..., joints, 3) of the motion in a mirror that stands across x: left and right change places.

    A reflection keeps the x part of a rotation vector and turns y and z over; of a place it turns x over.
    """
    flipped = np.asarray(features, dtype=np.float64)[..., list(skeleton.mirror), :]
    place, turn = np.array([-1.0, 1.0, 1.0]), np.array([1.0, -1.0, -1.0])
    signs = np.tile(turn if representation == "expmap" else place, (skeleton.num_joints, 1))
    if TRAJECTORY in skeleton.joints:
        signs[skeleton.index(TRAJECTORY)] = place
    mirrored: Array = flipped * signs
    return mirrored


def continuous_expmap(expmap: NDArray[np.floating], axis: int = 0, anchor: int = 0) -> Array:
    """The same rotations without jumps of a turn along `axis`, shape (..., 3) kept.

    Every rotation by an angle has a second name, the rest of the full turn about the opposite axis. Going from frame
    `anchor` both ways, the one nearer to the frame before is taken. Angles stay under a full turn, so a limb that
    goes round and round does jump, once a turn.
    """
    e = np.moveaxis(np.array(expmap, dtype=np.float64), axis, 0)
    if not len(e):
        return np.array(expmap, dtype=np.float64)
    anchor = range(len(e))[anchor]
    angle = np.sqrt(np.einsum("...i,...i->...", e, e))
    step = e[1:] - e[:-1]
    step = np.sqrt(np.einsum("...i,...i->...", step, step))
    # The other name is at least 2 pi minus both angles away. Most joints never come near that; only those that do are
    # followed frame by frame.
    calm = (angle <= np.pi).all(axis=0) & (step + angle[1:] + angle[:-1] < 2 * np.pi).all(axis=0)
    if not calm.all():
        e[:, ~calm] = _followed(e[:, ~calm], anchor)
    return np.moveaxis(e, 0, axis)


def _followed(expmap: Array, anchor: int) -> Array:
    """:func:`continuous_expmap` of (frames, n, 3), frame by frame."""
    angle = np.linalg.norm(expmap, axis=-1, keepdims=True)
    unit = expmap / np.where(angle > 1e-9, angle, 1.0)
    angle = np.where(angle > 1e-9, np.mod(angle + np.pi, 2 * np.pi) - np.pi, 0.0)  # principal, sign and all
    first = unit * angle
    second = first - np.sign(angle) * 2 * np.pi * unit
    result = first.copy()
    for frames in (range(anchor + 1, len(first)), range(anchor - 1, -1, -1)):
        for frame in frames:
            before = result[frame - frames.step]
            nearer = ((second[frame] - before) ** 2).sum(-1) < ((first[frame] - before) ** 2).sum(-1)
            result[frame] = np.where(nearer[..., None], second[frame], first[frame])
    return result


def yaw_of(quaternion: NDArray[np.floating]) -> Array:
    """The turn about y (...,) in radians within rotations (..., 4): what is left when the tilt is taken out.

    Turning the world about y adds to it exactly, and it is undefined only for a body upside down.
    """
    q = np.asarray(quaternion, dtype=np.float64)
    yaw: Array = 2.0 * np.arctan2(q[..., 1], q[..., 3])
    return yaw


def yaw_quaternion(yaw: NDArray[np.floating]) -> Array:
    """Rotations (..., 4) about y by `yaw` (...,) radians."""
    half = np.asarray(yaw, dtype=np.float64) / 2
    zero = np.zeros_like(half)
    return np.stack((zero, np.sin(half), zero, np.cos(half)), axis=-1)


def _trajectory(skeleton: Skeleton) -> int:
    if TRAJECTORY not in skeleton.joints:
        raise DataError(
            f"skeleton '{skeleton.name}' has no joint '{TRAJECTORY}', so its features say nothing of a path; "
            "contract(..., trajectory=True) adds it"
        )
    return skeleton.index(TRAJECTORY)


def _turn(windows: Array, yaw: Array, at: int, skeleton: Skeleton, representation: str) -> None:
    """Turn world features (B, T, joints, 3) about y by `yaw` (B,), in place."""
    turn = yaw_quaternion(yaw)[:, None]  # (B, 1, 4)
    if representation == "expmap":
        root = body_root(skeleton)
        windows[:, :, at] = quaternion_rotate(turn, windows[:, :, at])
        turned = quaternion_multiply(turn, expmap_to_quaternion(-windows[:, :, root]))
        windows[:, :, root] = continuous_expmap(-quaternion_to_expmap(turned), axis=1)
    else:
        windows[:] = quaternion_rotate(turn[:, :, None], windows)


def _yaw_of_positions(frame: Array, skeleton: Skeleton) -> Array:
    """Heading (B,) of poses (B, joints, 3): where somebody faces whose left side is nearest the root's pairs.

    The pairs nearest to the root (the hips) tell the left side; without pairs there is no heading, and it is 0.
    """
    hops = skeleton.hop_distances()[body_root(skeleton)]
    pairs = [(skeleton.index(a), skeleton.index(b)) for a, b in skeleton.pairs]
    if not pairs:
        return np.zeros(len(frame))
    # Hip joints of some rigs coincide with the root: of each pose, the first pairs that span a width count.
    sides = [
        np.sum([frame[:, a] - frame[:, b] for a, b in pairs if hops[a] == hop], axis=0)
        for hop in sorted({int(hops[a]) for a, _ in pairs})
    ]
    across = sides[-1]
    for side in sides[-2::-1]:
        across = np.where(np.linalg.norm(side, axis=-1, keepdims=True) > WIDTH_M, side, across)
    # facing z, the left is towards +x: facing = left x up turned level
    yaw: Array = np.arctan2(-across[:, 2], across[:, 0])
    return yaw
