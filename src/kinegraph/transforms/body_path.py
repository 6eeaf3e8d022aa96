"""Feet that stand tell where the body goes: its path, moved smoothly so that they keep their places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stretch", "path_of_standing_feet"]

Floats = NDArray[np.float64]

#: How quickly the path may give way to the feet, seconds, and what its being moved counts beside a foot that slides.
#: Chosen on 24 lifted clips of HDM05 and CMU that examples/planted_feet.py does not measure: with less trust in the
#: path walkers drift away, with more the legs have to make up for it.
_GIVE_S, _TRUST = 0.15, 0.2


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
