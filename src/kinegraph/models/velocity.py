"""The two forecasts that need no training: the last pose stays, or it moves on as it moved."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinegraph.errors import ConfigError
from kinegraph.models.forecasting_model import ForecastingModel
from kinegraph.skeleton import Skeleton

__all__ = ["ConstantVelocity", "ConstantVelocityConfig", "ZeroVelocity", "ZeroVelocityConfig"]


@dataclass(frozen=True, kw_only=True)
class ZeroVelocityConfig:
    """Configuration of :class:`ZeroVelocity`."""

    channels: int = 3
    """Features of a joint in a frame."""
    observed: int = 50
    """Frames of an input; only the last one counts."""
    horizon: int = 25
    """Frames to forecast where none is asked for."""
    classes: int = 0
    """0: it does not recognise."""


@dataclass(frozen=True, kw_only=True)
class ConstantVelocityConfig(ZeroVelocityConfig):
    """Configuration of :class:`ConstantVelocity`."""

    observed: int = 50
    """Frames of an input; only the last ``frames + 1`` count."""
    frames: int = 1
    """Steps between frames over which the velocity is averaged; 1 is the last difference."""
    damping: float = 0.0
    """Share of the velocity that is lost from each forecast frame to the next; 0 keeps it, 1 stops after one frame."""


class ZeroVelocity(ForecastingModel):
    """The last observed frame, repeated: the bar that a forecaster has to clear.

    Martinez, Black, Romero, *On Human Motion Prediction Using Recurrent Neural Networks*, CVPR 2017, section 4.2.

    Shapes: ``(batch, observed, joints, channels) -> motion (batch, horizon, joints, channels)``; any horizon.
    """

    trains = "nothing"

    def __init__(self, skeleton: Skeleton, config: ZeroVelocityConfig | None = None) -> None:
        super().__init__(skeleton, config or ZeroVelocityConfig())

    def forecast(self, x: Tensor, frames: int) -> Tensor:
        """Repeat the last frame: ``(batch, frames, joints, channels)``."""
        return x[:, -1:].repeat(1, frames, 1, 1)


class ConstantVelocity(ForecastingModel):
    """The last observed frame plus n times the last difference, for future frame n = 1, 2, ...

    The velocity may be averaged over some frames, which takes out noise, and may die away: with damping d frame n
    adds ``v (1 + (1-d) + ... + (1-d)^(n-1))``.

    Shapes: ``(batch, observed, joints, channels) -> motion (batch, horizon, joints, channels)``; any horizon.

    Raises:
        ConfigError: more frames than are observed, or a damping outside 0 to 1.
    """

    trains = "nothing"

    def __init__(self, skeleton: Skeleton, config: ConstantVelocityConfig | None = None) -> None:
        config = config or ConstantVelocityConfig()
        super().__init__(skeleton, config)
        if not 1 <= config.frames < self.observed:
            raise ConfigError(
                f"frames {config.frames}: {self.observed} observed frames have 1 to {self.observed - 1} steps"
            )
        if not 0 <= config.damping <= 1:
            raise ConfigError(f"damping {config.damping}: expected a share from 0 to 1")
        self.frames, self.damping = config.frames, config.damping

    def forecast(self, x: Tensor, frames: int) -> Tensor:
        """Carry the motion on: ``(batch, frames, joints, channels)``."""
        last = x[:, -1:]
        velocity = (last - x[:, -1 - self.frames, None]) / self.frames
        kept = torch.full((frames,), 1 - self.damping, dtype=x.dtype, device=x.device)
        kept[0] = 1.0
        reach = kept.cumprod(0).cumsum(0)  # 1, 2, 3, ... without damping
        return last + reach[:, None, None] * velocity
