"""From which frame somebody is told on, who is seen badly, or not at all, in the last frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import LONGEST_GAP_S
from kinegraph.transforms.lost_joints import carry_on, lost_at_the_end

__all__ = ["MOST", "frames_late", "last_look", "notes_of_the_end", "with_lost_joints"]

Mask = NDArray[np.bool_]

#: share of a body's joints, of those seen within the last half second, of which more than this is enough of the body
MOST = 0.5
_TRUST = 0.5  # of a joint's last confidence


def last_look(seen: Mask, root: int, fps: float) -> int | None:
    """The last frame in which enough of somebody is seen, or None if that is longer ago than gaps are bridged.

    Enough is the root and more than half of the joints (:data:`MOST`) that were seen within the last half second
    (:data:`.LONGEST_GAP_S`); where no frame of that time has so many beside the root, as many as there ever are.

    Args:
        seen: (frames, joints).
        root: the root's number.
        fps: frames per second.
    """
    lately = seen[max(0, len(seen) - 1 - int(LONGEST_GAP_S * fps + 1e-6)) :]
    there = lately[:, root]
    if not there.any():
        return None
    share = lately[:, lately.any(axis=0)].mean(axis=1)
    enough = there & ((share > MOST) | (share >= share[there].max()))
    return int(len(seen) - len(lately) + np.flatnonzero(enough)[-1])


def with_lost_joints(sequence: SkeletonSequence) -> SkeletonSequence:
    """One person's recording up to :func:`last_look`, joints lost before its end carried on (:func:`.carry_on`).

    Rotations that make the positions tell of all joints, and nothing is done.
    """
    assert sequence.fps is not None
    before = sequence.positions[0]
    if np.isfinite(before[-1]).all() or sequence.is_posed(0):
        return sequence
    positions = carry_on(before, sequence.skeleton, sequence.fps)
    filled = np.isfinite(positions).all(axis=-1) & ~sequence.seen[0]
    if not filled.any():
        return sequence
    confidence = np.array(sequence.confidence)
    confidence[0][filled] = _TRUST
    return sequence.replace(positions=positions[None], confidence=confidence, rotations=None)


def frames_late(history: NDArray[np.float64], fps: float) -> NDArray[np.int64]:
    """Frames (joints,) since each joint of (frames, joints, 3) was last seen, at most those of the longest gap."""
    return np.minimum(lost_at_the_end(history), int(LONGEST_GAP_S * fps + 1e-6))


def notes_of_the_end(name: str, one: SkeletonSequence, late: int) -> list[str]:
    """What was made of somebody's end.

    Args:
        name: whose.
        one: their recording up to :func:`last_look`, short gaps filled.
        late: frames since then.
    """
    assert one.fps is not None
    notes = []
    if late:
        notes.append(f"{name} was last seen well enough {late / one.fps:.2f} s before the end: forecast from there on")
    since = lost_at_the_end(one.positions[0])
    lost = [one.skeleton.joints[j] for j in np.flatnonzero((since > 0) & (since < one.frames))]
    if lost and not one.is_posed(0):
        shown = ", ".join(lost[:4]) + (", ..." if len(lost) > 4 else "")
        notes.append(f"{name}: joints that are lost at the end go on with the body from where they were seen: {shown}")
    return notes
