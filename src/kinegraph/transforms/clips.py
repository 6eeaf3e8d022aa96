"""From a stored clip to what a recogniser sees: people, place, frames, stream and mask. Saved with the weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.sequence import Unit
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.clip_augment import ClipAugmentation, mirror
from kinegraph.transforms.clip_sampling import SAMPLINGS, Sampling, crop_bounds, resize, sample_frames
from kinegraph.transforms.prenormalise import PreNormalise
from kinegraph.transforms.streams import STREAMS, Stream, stream, stream_confidence

__all__ = ["ClipTransform"]

Array = NDArray[np.floating]
_LONGEST = 1_000_000  # frames; a weights folder may claim anything


@dataclass(frozen=True, kw_only=True)
class ClipTransform:
    """What is done to a clip before the network, in this order.

    People beyond `people` are left out, the first are kept; pre-normalisation; frames; stream; what is missing becomes
    0. In training, an augmentation takes joints away before all else, as a detector that does not see them would; crops
    before the frames are taken; mirrors, turns, scales, shears and jitters after it.

    Attributes:
        prenormalise: where the clip stands and how it is turned.
        sampling: how frames are taken, see :mod:`kinegraph.transforms.clip_sampling`.
        frames: how many; of no account with ``all``.
        stream: ``"joint"``, ``"bone"``, ``"joint-motion"`` or ``"bone-motion"``.
        people: how many the network sees; missing ones are 0 and masked.
        dims: 2 or 3.
        confidence: whether the confidence is a further channel (2D keypoints).
        fps: rate of the clips it was trained on, Hz; None where it is not known.
        unit: of their positions; None where it is not known. A world has y up.
        clip_frames: how long they are, the median in frames; None where it is not known. How much of a long recording
            is looked at at a time follows from it.
        actions: names of the classes in the order of the network's scores.

    Raises:
        ConfigError: a value outside its range or choices.
    """

    prenormalise: PreNormalise = field(default_factory=PreNormalise)
    sampling: Sampling = "resize"
    frames: int = 64
    stream: Stream = "joint"
    people: int = 2
    dims: int = 3
    confidence: bool = False
    fps: float | None = None
    unit: Unit | None = None
    clip_frames: int | None = None
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, choices in (("sampling", self.sampling, SAMPLINGS), ("stream", self.stream, STREAMS)):
            if value not in choices:
                raise ConfigError(f"transform.{name} is '{value}'; choose {', '.join(choices)}")
        if self.fps is not None and not 0 < self.fps < float("inf"):
            raise ConfigError(f"transform.fps is {self.fps}; expected a positive number, or null")
        if self.clip_frames is not None and not 1 <= self.clip_frames <= _LONGEST:
            raise ConfigError(f"transform.clip_frames is {self.clip_frames}; expected 1 to {_LONGEST}, or null")
        if self.frames < 1 or self.people < 1 or self.dims not in (2, 3):
            raise ConfigError(
                f"transform.frames {self.frames}, people {self.people}, dims {self.dims}: expected 1 or more, "
                "1 or more, 2 or 3"
            )

    @property
    def channels(self) -> int:
        """Numbers of a joint that the network sees."""
        return self.dims + self.confidence

    def check_mirror(self, unit: str | None, what: str) -> None:
        """Refuse a mirror image where x is the network's input as recorded, from the left edge of an unknown picture.

        Pixels would become -x, and the body stand left of the picture. What is laid round the body (ctr-gcn) has its
        mirror there, and bones and motions, which are differences, have it anywhere.

        Args:
            unit: of the clips' positions.
            what: asks for it, for the message.

        Raises:
            ConfigError: such clips.
        """
        if unit == "px" and self.prenormalise.convention == "none" and self.stream == "joint":
            raise ConfigError(
                f"{what}: under prenormalise none, clips in px are mirrored in a picture whose width is not known, and "
                "these state none; state it (kinegraph data prepare folder --image-size 1280x720), or take ctr-gcn"
            )

    def encode(
        self,
        positions: Array,
        skeleton: Skeleton,
        confidence: Array | None = None,
        *,
        rng: np.random.Generator | None = None,
        augmentation: ClipAugmentation | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Network input of one clip.

        Args:
            positions: ``(people, frames, joints, dims)``; NaN where missing. However far from the origin, but for the
                pre-normalisation ``none`` in float64's precision.
            skeleton: of the joint axis.
            confidence: ``(people, frames, joints)``; None means 1 wherever there is a position.
            rng: for random frames and the augmentation; without it the result is always the same.
            augmentation: in training only; needs `rng`.

        Returns:
            ``(people, frames, joints, channels)`` float32 and ``(people, frames)``: who is there when.

        Raises:
            DataError: clips of other dims, or infinite values.
            ConfigError: an augmentation without a generator, or with a mirror that :meth:`check_mirror` refuses.
        """
        if positions.ndim != 4 or positions.shape[-1] != self.dims or 0 in positions.shape:
            raise DataError(f"clip of shape {positions.shape}; expected (people, frames, joints, {self.dims})")
        if np.isinf(positions).any():
            raise DataError("a clip holds infinite values; repair the file or leave it out")
        if augmentation is not None and rng is None:
            raise ConfigError("an augmentation needs a generator; pass rng")
        if augmentation is not None and augmentation.mirror:
            self.check_mirror(self.unit, "augmentation.mirror")
        # Not rounded before the place is taken off: thousands of kilometres out, float32 tells places by half a metre.
        x: Array = np.asarray(positions[: self.people], dtype=np.promote_types(positions.dtype, np.float32))
        sure = None if confidence is None else np.asarray(confidence[: self.people], dtype=np.float32)
        if augmentation is not None and rng is not None:
            x = augmentation.joints(x, rng)
        x = np.asarray(self.prenormalise.apply(x, skeleton), dtype=np.float32)
        if augmentation is not None and rng is not None and augmentation.crop < 1:
            first, last = crop_bounds(x.shape[1], augmentation.crop, rng)
            x, sure = x[:, first:last], None if sure is None else sure[:, first:last]
        x, sure = self._frames(x, sure, rng)
        if augmentation is not None and rng is not None:
            if augmentation.mirrors(rng):
                picture = self.prenormalise.convention == "none" and self.unit == "normalized"
                x = mirror(x, skeleton, 1.0 if picture else 0.0)
                sure = None if sure is None else sure[:, :, list(skeleton.mirror)]
            x = augmentation.space(x, rng)
        mask: NDArray[np.bool_] = np.asarray(np.isfinite(x).any(axis=(2, 3)))
        seen = np.isfinite(x).all(axis=-1)
        x = stream(x, self.stream, skeleton)
        if self.confidence:
            weights: NDArray[np.float32] = np.array(seen, dtype=np.float32)
            if sure is not None:
                weights[seen] = sure[seen]
            x = np.concatenate([x, stream_confidence(weights, self.stream, skeleton)[..., None]], axis=-1)
        x = np.nan_to_num(x, nan=0.0)
        short = self.people - len(x)
        if short > 0:
            x = np.concatenate([x, np.zeros((short, *x.shape[1:]), dtype=x.dtype)])
            mask = np.concatenate([mask, np.zeros((short, mask.shape[1]), dtype=bool)])
        return np.ascontiguousarray(x, dtype=np.float32), mask

    def _frames(self, x: Array, sure: Array | None, rng: np.random.Generator | None) -> tuple[Array, Array | None]:
        if self.sampling == "resize":
            return resize(x, self.frames), None if sure is None else resize(sure[..., None], self.frames)[..., 0]
        chosen = sample_frames(x.shape[1], self.frames, self.sampling, rng)
        return x[:, chosen], None if sure is None else sure[:, chosen]
