"""Missing joints, guessed from the rest of the pose: input for networks that cannot be told that a joint is missing.

A guess is only ever an input; what comes out at such a joint is marked missing or doubtful by whoever asked for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.gaps import hold_nearest

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FACE = ("ear", "eye")
_FACE_TRUST = 0.5


def face_pairs(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Left and right of the ears and of the eyes, as far as the layout has them."""
    return [
        (skeleton.index(left), skeleton.index(right))
        for left, right in skeleton.pairs
        if any(word in left.split("_") for word in _FACE)
    ]


def share_faces(positions: Floats, confidence: Floats, pairs: Sequence[tuple[int, int]]) -> int:
    """Where one ear (or eye) is hidden, it takes the place of the other, with half its confidence.

    A head in profile shows one ear, and the two then lie on one line of sight: their common place is right to a few
    centimetres, while without it the whole head would be lost to layouts that derive it from both ears.

    Args:
        positions: (..., joints, dims), changed in place.
        confidence: (..., joints), 0 where hidden; changed in place.
        pairs: of :func:`face_pairs`.

    Returns:
        How many were put in the place of the other.
    """
    seen, count = confidence > 0, 0
    for a, b in pairs:
        for hidden, shown in ((a, b), (b, a)):
            take = seen[..., shown] & ~seen[..., hidden]
            positions[..., hidden, :][take] = positions[..., shown, :][take]
            confidence[..., hidden][take] = _FACE_TRUST * confidence[..., shown][take]
            count += int(take.sum())
    return count


def complete_faces(sequence: SkeletonSequence) -> SkeletonSequence:
    """A recording whose hidden ears and eyes lie where the seen ones do; see :func:`share_faces`."""
    positions = sequence.positions.copy()
    confidence = np.array(sequence.confidence, dtype=np.float64)
    count = share_faces(positions, confidence, face_pairs(sequence.skeleton))
    if not count:
        return sequence
    note = f"{count} hidden eyes and ears put in the place of the seen one"
    return sequence.replace(positions=positions, confidence=confidence, rotations=None, notes=(*sequence.notes, note))


def complete_poses(positions: Floats, seen: Mask, skeleton: Skeleton) -> Floats:
    """Give every joint of every frame a position.

    A missing joint stands off its nearest neighbour on the skeleton as it did when the two were last (or next) seen
    together; if they never were, a child continues its parent's bone at half the length. A frame without any joint
    takes the nearest frame's pose; with nobody anywhere, zeros.

    Args:
        positions: ``(people, frames, joints, dims)``; the value of a missing joint does not matter.
        seen: ``(people, frames, joints)``.
        skeleton: names the joints and says which are neighbours.

    Returns:
        A copy, finite everywhere.
    """
    result = np.where(seen[..., None], positions, np.nan)
    if seen.all():
        return result
    neighbours = np.argwhere(skeleton.adjacency() > 0)
    # How b stands off a, held over the frames in which either is missing: the last pose is the best guess.
    offsets: dict[tuple[int, int], Floats] = {}
    for a, b in neighbours:
        both = (seen[..., a] & seen[..., b])[..., None]
        offsets[int(a), int(b)] = hold_nearest((result[..., b, :] - result[..., a, :])[:, :, None], both)[:, :, 0]
    known = seen.copy()
    for _ in range(skeleton.num_joints):
        missing = ~known
        if not (missing & known.any(axis=-1, keepdims=True)).any():
            break
        fresh = known.copy()
        for a, b in neighbours:
            a, b = int(a), int(b)
            take = known[..., a] & ~fresh[..., b]
            if not take.any():
                continue
            offset = np.where(np.isfinite(offsets[a, b]), offsets[a, b], _continued(result, known, skeleton, a, b))
            result[..., b, :] = np.where(take[..., None], result[..., a, :] + offset, result[..., b, :])
            fresh[..., b] |= take
        if (fresh == known).all():
            break
        known = fresh
    result = hold_nearest(result, known)
    filled: Floats = np.nan_to_num(result, nan=0.0)
    return filled


def _continued(positions: Floats, known: Mask, skeleton: Skeleton, a: int, b: int) -> Floats:
    """Half of the bone that ends in ``a``, for a child ``b`` of it; zero where there is no such bone."""
    grandparent = skeleton.parents[a]
    zero = np.zeros_like(positions[..., a, :])
    if skeleton.parents[b] != a or grandparent < 0:
        return zero
    bone = 0.5 * (positions[..., a, :] - positions[..., grandparent, :])
    return np.where(known[..., grandparent, None], bone, zero)
