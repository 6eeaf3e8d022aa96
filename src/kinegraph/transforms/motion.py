"""What a motion network (recognition, forecasting) sees and answers: per-joint features, normalised channel by channel.

Features are raw and physical: exponential maps in radians or positions in metres, ``(..., frames, joints, 3)`` on the
network's own joints. Where they come from (a protocol's file, a person's recording) is not this module's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError

__all__ = ["CONSTANT_BELOW", "MotionTransform"]

Array = NDArray[np.floating]
Rows = tuple[tuple[float, ...], ...]
CONSTANT_BELOW = 1e-4
"""Standard deviation under which a channel counts as constant (SPEC: CMU and Human3.6M protocols)."""


@dataclass(frozen=True, kw_only=True)
class MotionTransform:
    """Raw features to network input and back, and what the network was trained for.

    Args:
        representation: ``"expmap"`` (local joint rotations, radians) or ``"positions"`` (metres).
        root: ``"none"``: the root's own motion is not part of the features (zeros; the protocols);
            ``"heading"``: the virtual joint ``trajectory`` holds the root's path and the root's channels its
            orientation, both relative to place and heading of the last observed frame.
        fps: frame rate of the features.
        observed: frames the network looks at.
        horizon: frames it was trained to forecast; 0 for a recogniser alone.
        mean: ``(joints, 3)`` mean of every channel.
        scale: ``(joints, 3)`` what one unit of the network's channel stands for; 0 marks a channel that never moves:
            the network sees 0 and the last observed value is kept.
        actions: names of the classes in the order of the network's logits; empty without recognition.

    Raises:
        ConfigError: a value outside its range or choices, or means and scales of other shapes.
    """

    representation: Literal["expmap", "positions"] = "expmap"
    root: Literal["none", "heading"] = "none"
    fps: float = 60.0
    observed: int = 50
    horizon: int = 25
    mean: Rows = ()
    scale: Rows = ()
    actions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, choices in (("representation", ("expmap", "positions")), ("root", ("none", "heading"))):
            if getattr(self, name) not in choices:
                raise ConfigError(f"transform.{name} is '{getattr(self, name)}'; choose {' or '.join(choices)}")
        if not (np.isfinite(self.fps) and self.fps > 0):
            raise ConfigError(f"transform.fps is {self.fps}; expected a positive number of frames a second")
        if self.observed < 2 or self.horizon < 0:
            raise ConfigError(
                f"transform.observed {self.observed} and horizon {self.horizon}: expected at least 2 and at least 0"
            )
        shapes = [tuple(len(row) for row in rows) for rows in (self.mean, self.scale)]
        if shapes[0] != shapes[1] or not shapes[0] or any(width != 3 for width in shapes[0]):
            raise ConfigError("transform.mean and transform.scale: expected three numbers for every joint in both")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.scale).all() and np.min(self.scale) >= 0):
            raise ConfigError("transform.mean and transform.scale: expected finite numbers, and no scale below 0")

    @property
    def joints(self) -> int:
        """Number of joints of the features."""
        return len(self.mean)

    @property
    def used(self) -> NDArray[np.bool_]:
        """``(joints, 3)``: the channels that move."""
        return np.array(self.scale) > 0

    @classmethod
    def fit(
        cls,
        clips: list[Array],
        *,
        per_channel: bool = True,
        keep: NDArray[np.bool_] | None = None,
        **settings: object,
    ) -> MotionTransform:
        """The transform whose mean and scale are those of `clips`, each ``(frames, joints, 3)``.

        Args:
            clips: training features.
            per_channel: scale every channel by its own standard deviation; otherwise one scale for all that move
                (their root mean square deviation), which leaves radians or metres comparable between joints.
            keep: ``(joints, 3)`` channels to use; the others count as constant.
            settings: the remaining fields.

        Raises:
            DataError: nothing moves.
        """
        frames = np.concatenate([np.asarray(clip, np.float64) for clip in clips])
        mean, deviation = frames.mean(axis=0), frames.std(axis=0)
        moving = deviation >= CONSTANT_BELOW
        if keep is not None:
            moving &= keep
        if not moving.any():
            raise DataError("no channel of the training features moves; expected recordings of motion")
        scale = deviation if per_channel else np.full_like(deviation, np.sqrt((deviation[moving] ** 2).mean()))
        scale = np.where(moving, scale, 0.0)
        rows = [tuple(tuple(float(value) for value in row) for row in array) for array in (mean, scale)]
        return cls(mean=rows[0], scale=rows[1], **settings)  # type: ignore[arg-type]

    def encode(self, features: Array) -> NDArray[np.float32]:
        """Network input ``(..., joints, 3)`` float32; 0 where a channel never moves.

        Raises:
            DataError: another number of joints, or values that are not finite.
        """
        features = np.asarray(features)
        if features.shape[-2:] != (self.joints, 3):
            raise DataError(f"found features of shape {features.shape}, expected (..., {self.joints}, 3)")
        if not np.isfinite(features).all():
            raise DataError("features hold NaN or infinite values; fill the gaps first")
        scale = np.array(self.scale)
        moving = scale > 0
        encoded = (features - np.array(self.mean)) / np.where(moving, scale, 1.0)
        return np.where(moving, encoded, 0.0).astype(np.float32)

    def decode(self, output: Array, last: Array) -> NDArray[np.float64]:
        """Features ``(..., frames, joints, 3)`` of network output; constant channels repeat `last` (..., joints, 3)."""
        scale = np.array(self.scale)
        decoded = np.asarray(output, np.float64) * scale + np.array(self.mean)
        return np.where(scale > 0, decoded, np.asarray(last, np.float64)[..., None, :, :])
