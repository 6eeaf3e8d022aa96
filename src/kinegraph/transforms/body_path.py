"""Feet that stand tell where the body goes: its path, moved smoothly so that they keep their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.transforms.gaps import runs
from kinegraph.transforms.smoothing import gaussian_window, local_polynomial

__all__ = ["Stretch", "path_of_standing_feet", "standing"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: How quickly the path may give way to the feet, seconds, and what its being moved counts beside a foot that slides.
#: Chosen, as what follows, on 24 lifted clips of HDM05 and CMU and 12 of walkers that examples/planted_feet.py does not
#: measure: with less trust in the path walkers who come towards the camera are held back, with more, legs do more.
_GIVE_S, _TRUST = 0.15, 0.5
#: A foot that goes on in depth is hard to tell from one that stands, where it keeps its place in the image: it is
#: faster than this (m/s), and than this share of the body's own speed. Speeds are smoothed (sigma, seconds).
_FAST_M_S, _FAST_SHARE = 1.0, 0.8
_FOOT_S, _BODY_S = 0.05, 0.15
_ROUNDS = 2
_SHORTEST_S = 0.08  # what is left of a stretch, at least


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A joint on the ground for a while.

    Attributes:
        joint: its index.
        start: first frame.
        stop: the frame after the last one.
        height: at which it stands, y up, where that is known.
    """

    joint: int
    start: int
    stop: int
    height: float | None = None


def path_of_standing_feet(positions: Floats, stretches: Sequence[Stretch], fps: float) -> tuple[Floats, Floats]:
    """By how much a body moves in every frame so that joints on the ground keep their places, as far as that is smooth.

    Least squares over all frames, axis by axis, for the movement and the places: how far the joints are from their
    places, how much the movement accelerates, and how large it is.

    Args:
        positions: ``(frames, joints, 3)``, y up; finite where a joint is on the ground.
        stretches: when which joint is on the ground; one at least, and the heights of all are known, or of none.
        fps: frames per second.

    Returns:
        The movement ``(frames, 3)``, and the place of each stretch's joint ``(stretches, 3)``.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    frames, count = len(positions), len(stretches)
    which = np.repeat(np.arange(count), [s.stop - s.start for s in stretches])
    standing = np.concatenate([np.arange(s.start, s.stop) for s in stretches])
    found = positions[standing, np.array([s.joint for s in stretches])[which]]
    rows, ones = np.arange(len(standing)), np.ones(len(standing))
    moves = sparse.csr_array((ones, (rows, standing)), shape=(len(standing), frames))
    stands = sparse.csr_array((ones, (rows, which)), shape=(len(standing), count))
    # the second difference of every three frames; a clip of two has none
    bend = (
        np.zeros((0, frames))
        if frames < 3
        else sparse.diags_array([1.0, -2.0, 1.0], offsets=[0, 1, 2], shape=(frames - 2, frames))
    )
    bends = sparse.csr_array(bend) * (_GIVE_S * fps) ** 2
    inert = bends.T @ bends + _TRUST * sparse.eye_array(frames)

    # places that nobody knows are unknowns beside the movement
    slides = sparse.hstack([moves, -stands], format="csr")
    whole = slides.T @ slides + sparse.block_diag([inert, sparse.csr_array((count, count))])
    solved = splu(sparse.csc_array(whole)).solve(-(slides.T @ found))
    movement, places = solved[:frames], solved[frames:]
    heights = [s.height for s in stretches if s.height is not None]
    if heights:
        places[:, 1] = heights
        known = sparse.csc_array(moves.T @ moves + inert)
        movement[:, 1] = splu(known).solve(moves.T @ (places[which, 1] - found[:, 1]))
    return movement, places


def standing(
    positions: Floats, root: int, contact: Mask, heights: Floats | None, fps: float
) -> tuple[list[Stretch], Floats, Floats]:
    """When joints that are said to be on the ground stand there, and the path that they tell.

    With the path that the standing joints tell, one that goes on with the body shows by its speed. Such frames are
    left out, and the path is told anew.

    Args:
        positions: ``(frames, joints, 3)`` metres, y up; NaN where joints are missing.
        root: the joint that says how fast the body is.
        contact: ``(frames, joints)``, of the feet's joints alone; all of them finite there.
        heights: at which joints stand ``(joints,)``, if that is known.
        fps: frames per second.

    Returns:
        The stretches in which joints stand, and what :func:`path_of_standing_feet` says of them.
    """
    joints = np.flatnonzero(contact.any(axis=0))
    stands = contact
    shortest = max(2, round(_SHORTEST_S * fps))
    for remaining in range(_ROUNDS, -1, -1):
        stretches = [
            Stretch(joint=int(j), start=a, stop=b, height=None if heights is None else float(heights[j]))
            for j in joints
            for a, b in runs(stands[:, j])
        ]
        if not stretches:
            break
        movement, places = path_of_standing_feet(positions, stretches, fps)
        if not remaining or len(positions) < 2:
            return stretches, movement, places
        body = positions + movement[:, None]
        fast = np.maximum(_FAST_M_S, _FAST_SHARE * _speeds(body[:, [root]], _BODY_S, fps))
        slow = np.zeros_like(contact)
        slow[:, joints] = contact[:, joints] & (_speeds(body[:, joints], _FOOT_S, fps) < fast)
        stands = np.zeros_like(contact)
        for joint in joints:
            whole = set(runs(contact[:, joint]))
            for first, last in runs(slow[:, joint]):
                stands[first:last, joint] = last - first >= shortest or (first, last) in whole
    return [], np.zeros((len(positions), 3)), np.zeros((0, 3))


def _speeds(positions: Floats, sigma_s: float, fps: float) -> Floats:
    """Of joints (frames, joints, 3), smoothed (frames, joints); 0 where they are not known."""
    series = positions.reshape(len(positions), -1)
    weights = np.isfinite(series).astype(np.float64)
    smooth = np.where(weights > 0, local_polynomial(series, weights, gaussian_window(sigma_s * fps), 1), np.nan)
    speeds: Floats = np.linalg.norm(np.gradient(smooth.reshape(positions.shape), axis=0), axis=-1) * fps
    return np.nan_to_num(speeds)
