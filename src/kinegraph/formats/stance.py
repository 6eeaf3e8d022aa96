"""Along which axis a body stands, for recordings that do not state which axis is up (BVH, TRC, C3D).

Blender and Vicon write z up, OpenSim and MotionBuilder y up, into the same formats. Read the wrong way round a body
lies on the floor, and is recognised and forecast as one that does. It shows: in most frames feet, pelvis and neck are
in line along the other axis, and in hardly any along the assumed one. A body that truly lies, hangs or does a
handstand looks the same for a while, so this is a note; only where a rig's rest pose says the same is it taken as such.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.sequence import SkeletonSequence, Up
from kinegraph.skeleton import Skeleton

__all__ = ["upright"]

Array = NDArray[np.float64]

_IN_LINE = 0.8  # cosine to the axis of legs and trunk of a body that stands
_MOST, _HARDLY = 0.6, 0.05  # shares of the frames
_FEWEST = 0.5  # of the frames in which legs and trunk are seen at all
_OTHER: dict[Up, Up] = {"y": "z", "z": "y"}


def upright(sequence: SkeletonSequence) -> SkeletonSequence:
    """The sequence, with a note where its bodies stand along another axis than `up`, which was assumed.

    Where the rest pose stands along the other axis too, that is taken for up, and the note says so.

    Args:
        sequence: 3D in world space, with an `up` that the file did not state.
    """
    if sequence.up is None or sequence.dims != 3:
        return sequence
    assumed, other = sequence.up, _OTHER[sequence.up]
    skeleton = sequence.skeleton
    frames = sequence.positions.reshape(-1, *sequence.positions.shape[2:])
    if not _stands(skeleton, frames, other, assumed):
        return sequence
    if sequence.offsets is not None:
        still = np.tile([0.0, 0.0, 0.0, 1.0], (sequence.joints, 1))
        rest = forward_kinematics(skeleton.parents, still, sequence.offsets)[0][None]
        if _stands(skeleton, rest, other, assumed):
            return sequence.replace(up=other).with_note(
                f"{other} taken for up: the body stands along it, in the rest pose too; --read up={assumed} if not"
            )
    return sequence.with_note(f"the body stands along {other}, not {assumed}: --read up={other}")


def _stands(skeleton: Skeleton, frames: Array, along: Up, against: Up) -> bool:
    """Whether the body of positions (frames, joints, 3) stands along one axis in most frames, hardly along another."""
    pelvis = _point(skeleton, frames, ("pelvis",), ("left_hip", "right_hip"))
    feet = _point(skeleton, frames, ("left_ankle", "right_ankle"), ("left_heel", "right_heel"))
    top = _point(skeleton, frames, ("neck",), ("thorax",), ("left_shoulder", "right_shoulder"), ("nose",), ("head",))
    if pelvis is None or feet is None or top is None:
        return False
    with np.errstate(all="ignore"):  # of missing joints, and of damaged files whose joints lie beyond all numbers
        limbs = np.stack((pelvis - feet, top - pelvis))
        cosines = limbs / np.linalg.norm(limbs, axis=-1, keepdims=True)
    seen = np.isfinite(cosines).all(axis=(0, 2))
    if not seen.mean() >= _FEWEST:
        return False
    stands = (cosines[:, seen] > _IN_LINE).all(axis=0).mean(axis=0)
    return bool(stands["xyz".index(along)] >= _MOST and stands["xyz".index(against)] <= _HARDLY)


def _point(skeleton: Skeleton, frames: Array, *ways: tuple[str, ...]) -> Array | None:
    """The mean (frames, 3) of the first anatomical points that the skeleton knows; NaN where one is missing."""
    for names in ways:
        weights = [skeleton.landmark(name) for name in names]
        known = [weight for weight in weights if weight is not None]
        if len(known) == len(names):
            mean = np.mean(known, axis=0)
            used = np.flatnonzero(mean)
            with np.errstate(all="ignore"):
                return np.asarray(np.einsum("j,fjd->fd", mean[used], frames[:, used]))
    return None
