"""What a recogniser is shown of a test clip: whole or its beginning, joints missing, several looks, the mirror image.

Chance follows from a fixed seed and the clip's name alone: every network, every process and every order of the clips
gets the same joints missing and the same looks.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, SkeletonError
from kinegraph.seeds import check_seed
from kinegraph.skeleton import Skeleton
from kinegraph.store.clip import ActionClip, liveliest
from kinegraph.transforms.clip_augment import ClipAugmentation, mirror
from kinegraph.transforms.clips import ClipTransform

__all__ = ["CROP", "ClipView", "beginning", "lose_joints", "mirror_clip"]

Array = NDArray[np.floating]
CROP = 0.9
"""Shortest share of a clip that a further look is of, where the transform itself draws no frames."""
_DRAWS = ("uniform", "window")  # samplings that draw frames at random
_LOST, _LOOKS = 1, 2  # what chance is for


@dataclass(frozen=True, kw_only=True)
class ClipView:
    """How test clips are shown.

    Attributes:
        looks: with more than one, the scores are the mean over looks: random frames where the transform samples
            `uniform` or `window`; elsewhere the clip as it is and random stretches of at least :data:`CROP` of it.
        mirror: average with the left-right mirrored clip as well.
        missing: share of the joints that are lost; of J joints ``round(share * J)``, drawn for each person.
        missing_by: lost throughout the `clip`, or drawn anew in every `frame`.
        observed: share of the frames, from the first, that is seen.
        seed: of all draws.

    Raises:
        ConfigError: a value outside its range or choices.
    """

    looks: int = 1
    mirror: bool = False
    missing: float = 0.0
    missing_by: Literal["clip", "frame"] = "clip"
    observed: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.looks < 1:
            raise ConfigError(f"views {self.looks}: expected 1 or more")
        if not 0 <= self.missing < 1:
            raise ConfigError(f"missing joints {self.missing:g}: expected a share, 0 to below 1")
        if self.missing_by not in ("clip", "frame"):
            raise ConfigError(f"missing by '{self.missing_by}': expected clip or frame")
        if not 0 < self.observed <= 1:
            raise ConfigError(f"observed share {self.observed:g}: expected above 0, to 1")
        check_seed(self.seed, "seed of the views")

    def check(self, skeleton: Skeleton, transform: ClipTransform, unit: str) -> None:
        """Refuse what these clips, in `unit`, cannot give. Raises SkeletonError or ConfigError."""
        if self.mirror and not skeleton.pairs:
            raise SkeletonError(
                f"skeleton '{skeleton.name}' names no left and right joints, so there is no mirror test"
            )
        if self.mirror:
            transform.check_mirror(unit, "the mirror test")
        lost = round(self.missing * skeleton.num_joints)
        if self.missing and not 0 < lost < skeleton.num_joints:
            raise ConfigError(
                f"missing joints {self.missing:g} of {skeleton.num_joints} is {lost}; "
                "expected at least 1 lost and 1 left"
            )

    def notes(self, skeleton: Skeleton, sampling: str) -> list[str]:
        """What differs from the plain protocol, for people."""
        found = []
        if self.observed < 1:
            found.append(f"the first {100 * self.observed:g} % of each clip's frames are seen")
        if self.missing:
            lost, joints = round(self.missing * skeleton.num_joints), skeleton.num_joints
            how = "throughout each clip" if self.missing_by == "clip" else "drawn anew in every frame"
            found.append(f"{lost} of {joints} joints missing ({how}; seed {self.seed})")
        if self.looks > 1:
            if sampling in _DRAWS:
                found.append(f"mean scores of {self.looks} random draws of frames (seed {self.seed})")
            else:
                found.append(
                    f"mean scores of the clip and {self.looks - 1} random stretches of {100 * CROP:g} to 100 % of it "
                    f"(seed {self.seed})"
                )
        if self.mirror:
            found.append("mean scores of the clip and its mirror image")
        return found

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "views": self.looks,
            "mirror_test": self.mirror,
            "missing_joints": self.missing,
            "missing_by": self.missing_by,
            "observed": self.observed,
            "seed": self.seed,
        }

    def encode(
        self, clip: ActionClip, transform: ClipTransform, skeleton: Skeleton, unit: str, livelier_first: bool = False
    ) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """Every look at a clip as the network's input: (people, frames, joints, channels) and a mask (people, frames).

        See :meth:`ClipTransform.encode` and :func:`beginning`.
        """
        shown = beginning(clip, self.observed, livelier_first)
        if self.missing:
            lost = _chance(self.seed, clip.name, _LOST)
            shown = lose_joints(shown, self.missing, lost, frames=self.missing_by == "frame")
        images = [shown, mirror_clip(shown, skeleton, unit)] if self.mirror else [shown]
        looks = []
        for number in range(self.looks):
            for image in images:
                rng: np.random.Generator | None = None
                crop: ClipAugmentation | None = None
                if self.looks > 1 and transform.sampling in _DRAWS:
                    rng = _chance(self.seed, clip.name, _LOOKS, number)
                elif number:
                    rng, crop = _chance(self.seed, clip.name, _LOOKS, number), ClipAugmentation(crop=CROP)
                looks.append(transform.encode(image.positions, skeleton, image.confidence, rng=rng, augmentation=crop))
        return looks


def beginning(clip: ActionClip, share: float, livelier_first: bool = False) -> ActionClip:
    """The first `share` of a clip's frames, at least one; as many of the next as it takes until somebody is there.

    With `livelier_first` people stand in the order of how much they move in these: that of the whole clip would tell
    what has not been seen.
    """
    if share >= 1:
        return clip
    there = clip.present.any(axis=0)
    length = max(1, round(share * clip.frames), int(np.argmax(there)) + 1)
    positions = clip.positions[:, :length]
    order = liveliest(positions) if livelier_first else slice(None)
    return replace(
        clip,
        positions=positions[order],
        confidence=None if clip.confidence is None else clip.confidence[order, :length],
    )


def lose_joints(clip: ActionClip, share: float, rng: np.random.Generator, *, frames: bool = False) -> ActionClip:
    """A clip without ``round(share * joints)`` joints (NaN), drawn for each person alone; with `frames`, every frame.

    Unlike the augmentation of training, where each joint is lost with a probability, the number is the same for all
    clips.
    """
    people, length, joints, _ = clip.positions.shape
    chance = rng.random((people, length if frames else 1, joints))
    lost = chance.argsort(axis=-1).argsort(axis=-1) < round(share * joints)
    positions = np.where(lost[..., None], np.asarray(np.nan, dtype=clip.positions.dtype), clip.positions)
    confidence = clip.confidence
    if confidence is not None:
        confidence = np.where(lost, np.asarray(0, dtype=confidence.dtype), confidence)
    return replace(clip, positions=positions, confidence=confidence)


def mirror_clip(clip: ActionClip, skeleton: Skeleton, unit: str) -> ActionClip:
    """A clip in a mirror, see :func:`kinegraph.transforms.clip_augment.mirror`: pictures of width 1 stay in place."""
    positions = mirror(clip.positions, skeleton, 1.0 if unit == "normalized" else 0.0)
    confidence = None if clip.confidence is None else clip.confidence[:, :, list(skeleton.mirror)]
    return replace(clip, positions=positions, confidence=confidence)


def _chance(seed: int, name: str, *what: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), *what])
