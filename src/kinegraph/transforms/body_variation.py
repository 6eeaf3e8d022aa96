"""Training poses as other bodies and other cameras would have given them.

Recordings hold few bodies and are filmed from few places, and a lifter learns those: its errors on a body it was never
shown are its largest. The truth is three-dimensional, so more of both can be had from it exactly: bones are made
longer or shorter, left and right alike, the person is turned before the camera and moved along the line of sight, and
the keypoints are projected anew. It holds few people's ways to move, too: arms and legs can be taken from another pose,
as they lie to the trunk (crossover; Li et al., *Cascaded Deep Monocular 3D Human Pose Estimation with Evolutionary
Training Data*, CVPR 2020).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError
from kinegraph.geometry.rotations import euler_to_matrix
from kinegraph.skeleton import Skeleton

Array = NDArray[np.float64]

__all__ = ["BodyVariation", "trunk_frames", "with_bones"]

NEAREST_M = 0.5
"""No joint is brought nearer to the camera than this by a change of distance."""


@dataclass(frozen=True, kw_only=True)
class BodyVariation:
    """How far bodies and viewpoints may differ from the recorded ones; 0 switches a change off.

    Attributes:
        size: standard deviation of the logarithm of the body's size.
        limbs: standard deviation of the logarithm of each bone's length, left and right alike, on top of the size.
        turn_deg: the person is turned about the camera's vertical by up to this much either way.
        tilt_deg: standard deviation of a lean towards the camera and of one to the side.
        distance: standard deviation of the logarithm of the distance to the camera.
        mix: share of arms and legs that lie to the trunk as those of another pose of the batch do.

    Raises:
        ConfigError: a value outside its range.
    """

    size: float = 0.0
    limbs: float = 0.0
    turn_deg: float = 0.0
    tilt_deg: float = 0.0
    distance: float = 0.0
    mix: float = 0.0

    def __post_init__(self) -> None:
        bounds = {"size": 1.0, "limbs": 1.0, "turn_deg": 180.0, "tilt_deg": 90.0, "distance": 1.0, "mix": 1.0}
        for name, most in bounds.items():
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"body variation: {name} is {getattr(self, name)}; expected 0 to {most:g}")

    def apply(
        self, camera_m: ArrayLike, rng: np.random.Generator, *, skeleton: Skeleton, share: slice | None = None
    ) -> Array:
        """Another body, seen from elsewhere, in the same pose, but for limbs of another's.

        Args:
            camera_m: ``(people, frames, joints, 3)`` metres in camera space; the frames of one row are one person and
                change alike.
            rng: the source of randomness; an equal state gives equal bodies.
            skeleton: the joints, their parents and their left-right pairs.
            share: the people to make, as they are among all of them; None makes all.

        Returns:
            ``(people, frames, joints, 3)`` metres in camera space, of the share.
        """
        points = np.asarray(camera_m, dtype=np.float64)
        people, share = points.shape[0], share or slice(None)
        # Every draw is made whatever the strengths, so that changing one leaves the others' values as they were.
        size = np.exp(self.size * rng.standard_normal((people, 1)))
        limbs = np.exp(self.limbs * rng.standard_normal((people, skeleton.num_joints)))
        angles = np.stack(
            [
                self.tilt_deg * rng.standard_normal(people),
                self.turn_deg * rng.uniform(-1, 1, people),
                self.tilt_deg * rng.standard_normal(people),
            ],
            axis=-1,
        )
        away = np.exp(self.distance * rng.standard_normal(people))
        if self.mix:  # by a generator of its own: the others, and noise that is drawn later, stay as they were
            points = _mixed(points, self.mix, _aside(rng), skeleton, share)
        else:
            points = points[share]
        size, limbs, angles, away = size[share], limbs[share], angles[share], away[share]
        root = points[:, :, skeleton.root]  # (people, frames, 3)
        # All of a person's frames turn about one place, their path with their body, and it grows with their legs:
        # turned about each frame's own root, walkers would skate at an angle to where they face.
        place = root.mean(axis=1)
        path = size[:, None] * (root - place[:, None])
        factors = size * _alike(limbs, skeleton)
        body = with_bones(points, factors[:, None], skeleton) - root[:, :, None] + path[:, :, None]
        turn = euler_to_matrix(np.deg2rad(angles), "XYZ")
        body = np.einsum("pij,pfkj->pfki", turn, body)
        nearest = NEAREST_M - body[..., 2].min(axis=(1, 2))  # depth that the place needs
        away = np.maximum(away, np.minimum(nearest / place[:, 2], 1.0))
        moved: Array = body + (away[:, None] * place)[:, None, None]
        return moved


def _aside(rng: np.random.Generator) -> np.random.Generator:
    """Another generator that follows from a generator's state and leaves it as it is.

    Spawning would not do: how often it was done is not part of the state, so equal states would give other children.
    """
    return np.random.default_rng(copy.deepcopy(rng).integers(2**63, size=4))


def _mixed(points: Array, share: float, rng: np.random.Generator, skeleton: Skeleton, people: slice) -> Array:
    """`people` of poses (people, frames, joints, 3), some of whose limbs lie to the trunk as another person's.

    Lengths stay.
    """
    limbs = _limbs(skeleton)
    partner = rng.permutation(len(points))[people]
    taken = rng.random((len(points), len(limbs)))[people] < share
    made = points[people].copy()
    some = np.flatnonzero(taken.any(axis=1))
    met = np.arange(len(points))[people][some], partner[some]
    known, place = np.unique(np.concatenate(met), return_inverse=True)
    frames = trunk_frames(points[known], skeleton)
    to_own = np.einsum("pfai,pfaj->pfij", frames[place[: len(some)]], frames[place[len(some) :]])
    for limb, chosen in zip(limbs, taken[some].T, strict=True):
        own, other = some[chosen], partner[some[chosen]]
        turn = to_own[chosen]
        for joint in limb:
            parent = skeleton.parents[joint]
            bone = points[people, :, joint] - points[people, :, parent]
            others = points[other, :, joint] - points[other, :, parent]
            scale = _lengths(bone[own]) / np.maximum(_lengths(others), 1e-9)
            bone[own] = np.einsum("pfij,pfj->pfi", turn, others) * scale
            made[:, :, joint] = made[:, :, parent] + bone
    return made


def _lengths(vectors: Array) -> Array:
    """Lengths (..., 1) of (..., 3); summed by hand, as `numpy.linalg.norm` over three values takes many times as long.

    In the order in which it sums, so that the numbers are its.
    """
    square = vectors * vectors
    total: Array = np.sqrt(square[..., :1] + square[..., 1:2] + square[..., 2:])
    return total


def _limbs(skeleton: Skeleton) -> list[list[int]]:
    """The joints of every arm and leg that move against the trunk, each after its parent."""
    mirror, parents = skeleton.mirror, skeleton.parents
    limb_of = np.full(skeleton.num_joints, -1)
    limbs: list[list[int]] = []
    for joint in skeleton.topological_order():
        parent = parents[joint]
        if parent >= 0 and limb_of[parent] >= 0:
            limb_of[joint] = limb_of[parent]
            limbs[limb_of[joint]].append(joint)
        elif mirror[joint] != joint:  # a hip or shoulder: it belongs to the trunk, what hangs on it does not
            limb_of[joint] = len(limbs)
            limbs.append([])
    return [limb for limb in limbs if limb]


def trunk_frames(points: Array, skeleton: Skeleton) -> Array:
    """Rows: the body's left, up and forward ``(..., 3, 3)`` of poses ``(..., joints, 3)``.

    The camera's own axes for a body without hips and thorax.
    """
    left, right, top = (skeleton.landmark(name) for name in ("left_hip", "right_hip", "thorax"))
    if left is None or right is None or top is None:
        return np.broadcast_to(np.eye(3), (*points.shape[:-2], 3, 3))

    def unit(vectors: Array) -> Array:
        result: Array = vectors / np.maximum(_lengths(vectors), 1e-9)
        return result

    x = unit(np.einsum("j,...jd->...d", left - right, points))
    up = np.einsum("j,...jd->...d", top, points) - points[..., skeleton.root, :]
    y = unit(up - (up * x).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], axis=-2)


def _alike(factors: Array, skeleton: Skeleton) -> Array:
    """One factor for a joint and its mirror image: that of the earlier of the two."""
    first = np.minimum(np.arange(skeleton.num_joints), np.asarray(skeleton.mirror))
    return np.asarray(factors[:, first])


def with_bones(points: Array, factors: Array, skeleton: Skeleton) -> Array:
    """Positions with other lengths of bones in the same pose; the root stays.

    Args:
        points: ``(..., joints, 3)``.
        factors: ``(..., joints)`` that broadcast against them: how many times as long the bone that ends in a joint is.
        skeleton: the joints and their parents.

    Returns:
        ``(..., joints, 3)``, a copy.
    """
    # Joints first: every step of the chain then runs through memory in one piece.
    made = np.moveaxis(points, -2, 0).copy()
    longer = np.moveaxis(np.broadcast_to(factors, points.shape[:-1]), -1, 0)[..., None]
    longer = longer * (made - made[list(skeleton.parents)])  # the root's is not used
    for joint in skeleton.topological_order():
        parent = skeleton.parents[joint]
        if parent >= 0:
            np.add(made[parent], longer[joint], out=made[joint])
    return np.ascontiguousarray(np.moveaxis(made, 0, -2))
