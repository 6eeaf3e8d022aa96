"""Where a clip stands and how it is turned before a network sees it: three conventions of the field, and one of ours.

``2s-agcn``: person 0's spine is subtracted in every frame; then all is turned so that, in the first frame, person 0's
pelvis-to-spine lies along z and left-to-right shoulder along x. ``pyskl``: the same turns, but the spine of the first
frame alone is subtracted. ``ctr-gcn``: the first frame's spine is subtracted, nothing is turned. ``upright``: as
``pyskl``, but gravity stays: y, which must point up, becomes z whatever the spine does, and the shoulders are turned
about it alone. Who leans in the first frame, and lifted keypoints often do, then still walks on level ground. ``none``:
as recorded.

"First" is the first frame in which person 0 has the joints in question, and "spine" is NTU's joint 2; other skeletons
give it by name or landmark. Where nothing of person 0 is seen, as in the beginning of a clip that they enter later, the
next person takes their place. Where person 0 never shows such a joint, as detectors have it, the nearest thing to it
that is seen stands in: another point of the trunk, the hips for the shoulders (not in the papers). In 2D ``pyskl`` maps
fractions of the image to -1..1, ``ctr-gcn`` is as in 3D, and ``2s-agcn`` and ``upright`` have no meaning. The choice is
stored with the weights.

Sources: 2s-AGCN (Shi et al., CVPR 2019), PYSKL (Duan et al., 2022), CTR-GCN (Chen et al., ICCV 2021). Recipes: on
NTU those of HCSF, ST-GCN, 2s-AGCN and Sym-GNN take ``2s-agcn``, CTR-GCN's ``ctr-gcn``; ST-GCN++'s and all of HDM05,
Kinetics and one's own folders ``pyskl``; that of the recogniser in the package ``upright``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
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
_HIPS, _SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")
_CENTRES: tuple[_Points, ...] = (("pelvis",), ("thorax",), ("neck",), _HIPS, _SHOULDERS, ("head",))
_Pair = tuple[_Points, _Points]
_UPWARD: tuple[_Pair, ...] = tuple(
    (low, high)
    for low in (("pelvis",), _HIPS, ("spine",))
    for high in (("spine",), ("thorax",), ("neck",), _SHOULDERS, ("head",))
    if low != high
)
_ACROSS: tuple[_Pair, ...] = tuple(
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

    Raises:
        ConfigError: no such convention.
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
            The same shape and type. Unchanged in place or direction where that person never has the joints it takes.

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
        person, there = _first_seen(positions)
        result: Array = positions - self._centre(positions[person], there, skeleton)
        if self.convention != "ctr-gcn":
            result = self._turned(result, person, there, skeleton)
        return np.asarray(result, dtype=positions.dtype)

    def _centre(self, person: Array, there: NDArray[np.bool_], skeleton: Skeleton) -> Array:
        """What to subtract, ``(frames, 1, dims)`` or ``(1, 1, dims)``."""
        for point in _centres(self.centre, skeleton):
            seen = np.flatnonzero(point.seen(there))
            if not len(seen):
                continue
            if self.convention != "2s-agcn":
                return point.of(person[seen[0]])[None, None]
            # a frame without them takes the last place they were seen at, the first ones the first
            latest = seen[np.clip(np.searchsorted(seen, np.arange(len(person)), side="right") - 1, 0, None)]
            return point.of(person[latest])[:, None]
        return np.zeros((1, 1, person.shape[-1]), dtype=person.dtype)

    def _turned(self, positions: Array, index: int, there: NDArray[np.bool_], skeleton: Skeleton) -> Array:
        person, level = positions[index], self.convention == "upright"
        turn = Y_TO_Z if level else np.eye(3)
        turns = ((self.bottom, self.top, 2, _UPWARD), (self.left, self.right, 0, _ACROSS))
        for start, end, axis, others in turns[1:] if level else turns:
            for low, high in _directions(start, end, others, skeleton):
                both = low.seen(there) & high.seen(there)
                first = int(both.argmax())
                if both[first]:
                    along = high.of(person[first]).astype(np.float64) - low.of(person[first])
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
    # written out: np.cross takes four times as long, and every clip of a batch needs two
    axis = a[[1, 2, 0]] * b[[2, 0, 1]] - a[[2, 0, 1]] * b[[1, 2, 0]]
    cosine = float(a @ b)
    if cosine < -1 + 1e-12:
        across = np.cross(a, np.eye(3)[int(np.argmin(np.abs(a)))])
        across /= np.linalg.norm(across)
        return np.asarray(2 * np.outer(across, across) - np.eye(3))
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + cosine))


@dataclass(frozen=True, eq=False)
class _Point:
    """A weighted mean of some joints."""

    joints: NDArray[np.intp]
    weights: NDArray[np.float64]

    def seen(self, there: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which frames of ``(joints, frames)`` show all its joints."""
        return np.asarray(there[self.joints].all(axis=0))

    def of(self, joints: Array) -> Array:
        """Where it is, ``(..., dims)`` of ``(..., joints, dims)``."""
        return np.asarray(np.einsum("...jd,j->...d", joints[..., self.joints, :], self.weights.astype(joints.dtype)))


# What stands in for what is the same for every clip of a skeleton, and looking it up took longer than the turning.
@lru_cache(maxsize=64)
def _centres(asked: str, skeleton: Skeleton) -> tuple[_Point, ...]:
    """The point asked for, then those that stand in for it."""
    nearby = (_middle(points, skeleton) for points in _CENTRES)
    return (_asked(asked, skeleton), *(point for point in nearby if point is not None))


@lru_cache(maxsize=64)
def _directions(
    start: str, end: str, others: tuple[_Pair, ...], skeleton: Skeleton
) -> tuple[tuple[_Point, _Point], ...]:
    """The two points asked for, then the pairs that stand in for them."""
    nearby = ((_middle(low, skeleton), _middle(high, skeleton)) for low, high in others)
    known = ((low, high) for low, high in nearby if low is not None and high is not None)
    return ((_asked(start, skeleton), _asked(end, skeleton)), *known)


def _asked(name: str, skeleton: Skeleton) -> _Point:
    """The joint or landmark that the convention names."""
    point = _middle((name,), skeleton)
    if point is None:
        raise SkeletonError(
            f"skeleton '{skeleton.name}' has no '{name}', which the pre-normalisation asks for; name another joint, "
            "or choose none"
        )
    return point


def _middle(names: _Points, skeleton: Skeleton) -> _Point | None:
    """The middle of some landmarks; None where the skeleton has not all of them."""
    total = np.zeros(skeleton.num_joints)
    for name in names:
        weights = skeleton.landmark(name)
        if weights is None:
            return None
        total += weights / len(names)
    used = np.flatnonzero(total)
    return _Point(used, total[used])


def _first_seen(positions: Array) -> tuple[int, NDArray[np.bool_]]:
    """Whom a clip is placed by, and which of their joints are there: person 0, or the first of whom anything is seen.

    In the beginning of a clip person 0 may not have come yet.
    """
    for index, person in enumerate(positions):
        there = _there(person)
        if there.any():
            return index, there
    return 0, _there(positions[0])


def _there(person: Array) -> NDArray[np.bool_]:
    """Which joint is there in which frame, ``(joints, frames)``."""
    there = np.ones(person.shape[1::-1], dtype=bool)
    for coordinate in np.moveaxis(np.isfinite(person), -1, 0):  # NumPy reduces an axis of three slowly
        there &= coordinate.T
    return there
