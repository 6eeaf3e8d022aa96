"""Training poses as other bodies and other cameras would have given them.

Recordings hold few bodies and are filmed from few places, and a lifter learns those: its errors on a body it was never
shown are its largest. The truth is three-dimensional, so more of both can be had from it exactly: bones are made
longer or shorter, left and right alike, the person is turned before the camera and moved along the line of sight, and
the keypoints are projected anew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError
from kinegraph.geometry.rotations import euler_to_matrix
from kinegraph.skeleton import Skeleton

Array = NDArray[np.float64]

__all__ = ["BodyVariation", "with_bones"]

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
    """

    size: float = 0.0
    limbs: float = 0.0
    turn_deg: float = 0.0
    tilt_deg: float = 0.0
    distance: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("size", 1.0), ("limbs", 1.0), ("turn_deg", 180.0), ("tilt_deg", 90.0), ("distance", 1.0)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"body variation: {name} is {getattr(self, name)}; expected 0 to {most:g}")

    def apply(self, camera_m: ArrayLike, rng: np.random.Generator, *, skeleton: Skeleton) -> Array:
        """Another body, seen from elsewhere, in the same pose.

        Args:
            camera_m: ``(people, frames, joints, 3)`` metres in camera space; the frames of one row are one person and
                change alike.
            rng: the source of randomness; an equal state gives equal bodies.
            skeleton: the joints, their parents and their left-right pairs.

        Returns:
            ``(people, frames, joints, 3)`` metres in camera space.
        """
        points = np.asarray(camera_m, dtype=np.float64)
        people = points.shape[0]
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
        root = points[:, :, skeleton.root]  # (people, frames, 3)
        factors = size * _alike(limbs, skeleton)
        body = with_bones(points, factors[:, None], skeleton) - root[:, :, None]
        turn = euler_to_matrix(np.deg2rad(angles), "XYZ")
        body = np.einsum("pij,pfkj->pfki", turn, body)
        nearest = NEAREST_M - body[..., 2].min(axis=(1, 2))  # depth the root needs
        away = np.maximum(away, np.minimum(nearest / root[..., 2].min(axis=1), 1.0))
        moved: Array = body + (away[:, None, None] * root)[:, :, None]
        return moved


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
    made = points.copy()
    for joint in skeleton.topological_order():
        parent = skeleton.parents[joint]
        if parent >= 0:
            bone = points[..., joint, :] - points[..., parent, :]
            made[..., joint, :] = made[..., parent, :] + factors[..., joint, None] * bone
    return made
