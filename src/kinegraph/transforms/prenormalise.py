"""Where a clip stands and how it is turned before a network sees it: three conventions of the field, and one of ours.

``2s-agcn``: person 0's spine is subtracted in every frame; then all is turned so that, in the first frame, person 0's
pelvis-to-spine lies along z and left-to-right shoulder along x. ``pyskl``: the same turns, but the spine of the first
frame alone is subtracted. ``ctr-gcn``: the first frame's spine is subtracted, nothing is turned. ``upright``: as
``pyskl``, but gravity stays: y, which must point up, becomes z whatever the spine does, and the shoulders are turned
about it alone. Who leans in the first frame, and lifted keypoints often do, then still walks on level ground. ``none``:
as recorded.

"First" is the first frame in which person 0 has the joints in question, and "spine" is NTU's joint 2; other skeletons
give it by name or landmark. Where person 0 never shows such a joint, as detectors have it, the nearest thing to it that
is seen stands in: another point of the trunk, the hips for the shoulders (not in the papers). In 2D ``pyskl`` maps
fractions of the image to -1..1, ``ctr-gcn`` is as in 3D, and ``2s-agcn`` and ``upright`` have no meaning. The choice is
stored with the weights.

Sources: 2s-AGCN (Shi et al., CVPR 2019), PYSKL (Duan et al., 2022), CTR-GCN (Chen et al., ICCV 2021). Recipes: on
NTU those of HCSF, ST-GCN, 2s-AGCN and Sym-GNN take ``2s-agcn``, CTR-GCN's ``ctr-gcn``; ST-GCN++'s and all of HDM05,
Kinetics and one's own folders ``pyskl``; that of the recogniser in the package ``upright``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, SkeletonError, nearest
from kinegraph.skeleton import Skeleton

__all__ = ["CONVENTIONS", "Y_TO_Z", "Convention", "PreNormalise", "turn_between"]

Array = NDArray[np.floating]
Convention = Literal["2s-agcn", "pyskl", "ctr-gcn", "upright", "none"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)

Y_TO_Z = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""The turn of column vectors that makes y z."""

_Points = tuple[str, ...]
"""Landmarks whose mean is meant."""
_Weights = NDArray[np.float64]
"""What each joint counts, ``(joints,)``."""
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
_CENTRES: tuple[_Points, ...] = (("pelvis",), ("thorax",), ("neck",), _HIPS, _SHOULDERS, ("head",))
_UPWARD: tuple[tuple[_Points, _Points], ...] = tuple(
    (low, high)
    for low in (("pelvis",), _HIPS, ("spine",))
    for high in (("spine",), ("thorax",), ("neck",), _SHOULDERS, ("head",))
    if low != high
)
_ACROSS: tuple[tuple[_Points, _Points], ...] = tuple(
    ((f"left_{part}",), (f"right_{part}",)) for part in ("shoulder", "hip", "elbow", "knee", "ankle")
)
"""What stands in for the points that a clip never shows, in order of preference."""


@dataclass(frozen=True, kw_only=True)
class PreNormalise:
    """One of the conventions.

    Attributes:
        convention: ``"2s-agcn"``, ``"pyskl"``, ``"ctr-gcn"``, ``"upright"`` or ``"none"``.
        centre: what is subtracted, a joint or landmark of the skeleton.
        bottom, top: ends of what is turned to z.
        left, right: ends of what is turned to x (from left to right).
    """

    convention: Convention = "ctr-gcn"
    centre: str = "spine"
    bottom: str = "pelvis"
    top: str = "spine"
    left: str = "left_shoulder"
    right: str = "right_shoulder"

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise ConfigError(
                f"no pre-normalisation '{self.convention}'{nearest(self.convention, CONVENTIONS)}; "
                f"there are {', '.join(CONVENTIONS)}"
            )

    def apply(self, positions: Array, skeleton: Skeleton) -> Array:
        """The clip as the convention has it.

        Args:
            positions: ``(people, frames, joints, dims)``; NaN where missing.
            skeleton: of the joint axis.

        Returns:
            The same shape and type. Unchanged in place or direction where person 0 never has the joints it takes.

        Raises:
            ConfigError: 2s-agcn or upright in 2D.
            SkeletonError: another number of joints, or a skeleton that has not what the convention asks for.
        """
        if positions.shape[2] != skeleton.num_joints:
            raise SkeletonError(
                f"clips of {positions.shape[2]} joints; '{skeleton.name}' has {skeleton.num_joints}. "
                "Map them by name with to_skeleton"
            )
        if self.convention == "none":
            return positions
        flat = positions.shape[-1] == 2
        if flat and self.convention in ("2s-agcn", "upright"):
            raise ConfigError(f"{self.convention} turns to z, which 2D has not; choose pyskl, ctr-gcn or none")
        if flat and self.convention == "pyskl":
            return np.asarray(positions * 2 - 1, dtype=positions.dtype)
        there = _there(positions[0])
        result: Array = positions - self._centre(positions[0], there, skeleton)
        if self.convention != "ctr-gcn":
            result = self._turned(result, there, skeleton)
        return np.asarray(result, dtype=positions.dtype)

    def _centre(self, person: Array, there: NDArray[np.bool_], skeleton: Skeleton) -> Array:
        """What to subtract, ``(frames, 1, dims)`` or ``(1, 1, dims)``."""
        nearby = (_middle(points, skeleton) for points in _CENTRES)
        for weights in chain([_asked(self.centre, skeleton)], nearby):
            seen = _frames_with(there, weights)
            if not len(seen):
                continue
            if self.convention != "2s-agcn":
                return _point(person[seen[0]], weights)[None, None]
            # a frame without person 0 takes the last place they were seen at, the first ones the first
            latest = seen[np.clip(np.searchsorted(seen, np.arange(len(person)), side="right") - 1, 0, None)]
            return _point(person[latest], weights)[:, None]
        return np.zeros((1, 1, person.shape[-1]), dtype=person.dtype)

    def _turned(self, positions: Array, there: NDArray[np.bool_], skeleton: Skeleton) -> Array:
        person, level = positions[0], self.convention == "upright"
        turn = Y_TO_Z if level else np.eye(3)
        turns = ((self.bottom, self.top, 2, _UPWARD), (self.left, self.right, 0, _ACROSS))
        for start, end, axis, others in turns[1:] if level else turns:
            pairs = ((_middle(low, skeleton), _middle(high, skeleton)) for low, high in others)
            for low, high in chain([(_asked(start, skeleton), _asked(end, skeleton))], pairs):
                seen = np.intersect1d(_frames_with(there, low), _frames_with(there, high), assume_unique=True)
                if len(seen):
                    along = _point(person[seen[0]], high).astype(np.float64) - _point(person[seen[0]], low)
                    direction = (turn @ along) * ([1, 1, 0] if level else [1, 1, 1])
                    turn = turn_between(direction, np.eye(3)[axis]) @ turn
                    break
        return turned(positions, turn)


def turned(positions: Array, matrix: NDArray[np.float64]) -> Array:
    """Every point ``(..., dims)`` times a matrix ``(dims, dims)`` of column vectors.

    As one product: the thousands of small ones that ``positions @ matrix.T`` would be take twice as long.
    """
    flat = positions.reshape(-1, positions.shape[-1]) @ matrix.T.astype(positions.dtype)
    return np.asarray(flat.reshape(positions.shape))


def turn_between(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The smallest rotation ``(3, 3)`` of column vectors that turns one direction into another.

    The identity where `source` has no length; half a turn about some axis across where they are opposite.
    """
    length = float(np.linalg.norm(source))
    if length < 1e-8:
        return np.eye(3)
    a, b = source / length, target / np.linalg.norm(target)
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -1 + 1e-12:
        across = np.cross(a, np.eye(3)[int(np.argmin(np.abs(a)))])
        across /= np.linalg.norm(across)
        return np.asarray(2 * np.outer(across, across) - np.eye(3))
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + cosine))


def _asked(name: str, skeleton: Skeleton) -> _Weights:
    """Weights of the joint or landmark that the convention names."""
    weights = skeleton.landmark(name)
    if weights is None:
        raise SkeletonError(
            f"skeleton '{skeleton.name}' has no '{name}', which the pre-normalisation asks for; name another joint, "
            "or choose none"
        )
    return weights


def _middle(names: _Points, skeleton: Skeleton) -> _Weights | None:
    """Weights of the middle of some landmarks; None where the skeleton has not all of them."""
    total = np.zeros(skeleton.num_joints)
    for name in names:
        weights = skeleton.landmark(name)
        if weights is None:
            return None
        total += weights / len(names)
    return total


def _there(person: Array) -> NDArray[np.bool_]:
    """Which joint is there in which frame, ``(joints, frames)``."""
    there = np.ones(person.shape[1::-1], dtype=bool)
    for coordinate in np.moveaxis(np.isfinite(person), -1, 0):  # NumPy reduces an axis of three slowly
        there &= coordinate.T
    return there


def _frames_with(there: NDArray[np.bool_], weights: _Weights | None) -> NDArray[np.intp]:
    """Numbers of the frames that show all the joints which have a weight; none where there are no weights."""
    if weights is None:
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(there[weights != 0].all(axis=0))


def _point(joints: Array, weights: _Weights | None) -> Array:
    """Weighted mean ``(..., dims)`` of joints ``(..., joints, dims)``; those without a weight may be missing."""
    assert weights is not None
    used = np.flatnonzero(weights)
    return np.asarray(np.einsum("...jd,j->...d", joints[..., used, :], weights[used].astype(joints.dtype)))
