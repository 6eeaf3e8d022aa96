"""Random changes of training clips: mirror, turn, scale, shear, jitter, and joints that are not there.

Each is a function of positions ``(people, frames, joints, dims)`` (NaN where missing), a strength and the generator,
which is the only source of chance; one draw holds for all people and frames of a clip, noise and frame-wise dropout
apart. :class:`ClipAugmentation` names the strengths; 0 switches one off.

Who uses what, among the recipes: rotation by up to 0.3 rad those of HDM05, of one's own folders and CTR-GCN's on NTU
(Chen et al., 2021), 0.15 HCSF's on Kinetics; scale 0.2, noise 0.01 m and dropped joints 0.1 those of HDM05 and of
folders, which have few clips (PYSKL, Duan et al., 2022, has the former two); half the clips are mirrored in those of
HDM05, which see one person's handedness; shear 0.1 in that of folders (AimCLR, Guo et al., 2022: 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.prenormalise import turned

__all__ = ["ClipAugmentation", "drop_joints", "jitter", "mirror", "random_rotation", "random_scale", "random_shear"]

Array = NDArray[np.floating]
Generator = np.random.Generator


def mirror(positions: Array, skeleton: Skeleton, width: float = 0.0) -> Array:
    """The clip in a mirror: x, horizontal in every convention, becomes ``width - x``, left and right change places.

    Args:
        positions: ``(people, frames, joints, dims)`` of the clip, in any unit.
        skeleton: whose left and right.
        width: of the picture from whose left edge x counts; 0 where x counts from the body or from nowhere.
    """
    mirrored = positions[:, :, list(skeleton.mirror)]
    mirrored[..., 0] = width - mirrored[..., 0]
    return mirrored


def random_rotation(positions: Array, limit: float, rng: Generator) -> Array:
    """Turn ``(..., dims)`` by angles uniform in ``-limit..limit`` rad: about x, then y, then z; in 2D in the plane."""
    if positions.shape[-1] == 2:
        c, s = np.cos(a := rng.uniform(-limit, limit)), np.sin(a)
        return turned(positions, np.array([[c, -s], [s, c]]))
    matrix = np.eye(3)
    for axis, angle in enumerate(rng.uniform(-limit, limit, 3)):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[[first, first, second, second], [first, second, first, second]] = c, -s, s, c
        matrix = turn @ matrix
    return turned(positions, matrix)


def random_scale(positions: Array, limit: float, rng: Generator) -> Array:
    """Multiply each axis of ``(..., dims)`` by its own factor, uniform in ``1-limit..1+limit``."""
    return turned(positions, np.diag(rng.uniform(1 - limit, 1 + limit, positions.shape[-1])))


def random_shear(positions: Array, limit: float, rng: Generator) -> Array:
    """Add to each axis of ``(..., dims)`` the others times factors uniform in ``-limit..limit``."""
    dims = positions.shape[-1]
    matrix = rng.uniform(-limit, limit, (dims, dims))
    np.fill_diagonal(matrix, 1.0)
    return turned(positions, matrix)


def jitter(positions: Array, sigma: float, rng: Generator) -> Array:
    """Add Gaussian noise to every coordinate of ``(..., dims)``, of standard deviation `sigma` in their unit."""
    noise = rng.standard_normal(positions.shape, dtype=np.float32) * np.float32(sigma)
    return np.asarray(positions + noise, dtype=positions.dtype)


def drop_joints(positions: Array, rate: float, rng: Generator, *, frames: bool = False) -> Array:
    """Take joints away (NaN), each with probability `rate`: throughout the clip, or frame by frame.

    Every person keeps at least one of the joints that are seen (in every frame, where frames are drawn apart).

    Args:
        positions: ``(people, frames, joints, dims)`` of the clip.
        rate: probability, 0 to 1.
        rng: of the draws.
        frames: draw anew for every frame.
    """
    people, length, joints, _ = positions.shape
    chance = rng.random((people, length if frames else 1, joints))
    gone = chance < rate
    seen = np.asarray(np.isfinite(positions).all(axis=-1))
    if not frames:
        seen = np.asarray(seen.any(axis=1, keepdims=True))
    stays = np.argmax(np.where(seen, chance, -1.0), axis=-1)
    np.put_along_axis(gone, stays[..., None], False, axis=-1)
    left = positions.copy()
    if frames:
        left[gone] = np.nan
    else:  # whole columns: a mask over all frames takes more than twice as long
        for person, joint in np.argwhere(gone[:, 0]):
            left[person, :, joint] = np.nan
    return left


@dataclass(frozen=True, kw_only=True)
class ClipAugmentation:
    """What is done to training clips, and how strongly; 0 switches a change off, and 1 the crop.

    Raises:
        ConfigError: a value outside its range.
    """

    mirror: float = 0.0
    """Probability that a clip is mirrored, left and right exchanged. Not for classes that tell left from right."""
    rotation: float = 0.0
    """Largest angle about each axis, rad."""
    scale: float = 0.0
    """Largest relative change of each axis."""
    shear: float = 0.0
    """Largest share of another axis that is added."""
    noise: float = 0.0
    """Standard deviation of a jitter of every coordinate, in the unit of the positions (m)."""
    drop: float = 0.0
    """Probability that a joint is missing."""
    drop_frames: bool = False
    """Drop joints frame by frame instead of throughout the clip."""
    crop: float = 1.0
    """Shortest share of a clip's frames that is kept; 1 keeps all."""

    def __post_init__(self) -> None:
        for name, limit in (("mirror", 1.0), ("rotation", np.pi), ("shear", 1.0)):
            if not 0 <= getattr(self, name) <= limit:
                raise ConfigError(f"augmentation.{name} is {getattr(self, name)}; expected 0 to {limit:g}")
        for name, limit in (("scale", 1.0), ("drop", 1.0), ("noise", np.inf)):  # at 1 nothing would be left
            if not 0 <= getattr(self, name) < limit:
                raise ConfigError(f"augmentation.{name} is {getattr(self, name)}; expected 0 to below {limit:g}")
        if not 0 < self.crop <= 1:
            raise ConfigError(f"augmentation.crop is {self.crop}; expected above 0, to 1")

    def mirrors(self, rng: Generator) -> bool:
        """Whether this clip is to be mirrored, with all that is known of its joints."""
        return self.mirror > 0 and rng.random() < self.mirror

    def space(self, positions: Array, rng: Generator) -> Array:
        """Positions ``(people, frames, joints, dims)`` turned, scaled, sheared and jittered."""
        if self.rotation:
            positions = random_rotation(positions, self.rotation, rng)
        if self.scale:
            positions = random_scale(positions, self.scale, rng)
        if self.shear:
            positions = random_shear(positions, self.shear, rng)
        return jitter(positions, self.noise, rng) if self.noise else positions

    def joints(self, positions: Array, rng: Generator) -> Array:
        """Positions ``(people, frames, joints, dims)`` with joints taken away: NaN."""
        return drop_joints(positions, self.drop, rng, frames=self.drop_frames) if self.drop else positions
