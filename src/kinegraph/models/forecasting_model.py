"""What the baselines of forecasting have in common: future frames out, no action scores, any horizon."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kinegraph.errors import ConfigError
from kinegraph.models.motion_model import MotionModel, MotionOutput
from kinegraph.skeleton import Skeleton

__all__ = ["ForecastingModel"]


class ForecastingModel(MotionModel):
    """A forecaster alone. Past its own horizon it goes on from what it forecast, as from observed frames.

    Shapes: ``(batch, observed, joints, channels) -> MotionOutput`` with motion ``(batch, horizon, joints, channels)``
    and no logits.

    Raises:
        ConfigError: a configuration with classes, or without a horizon.
    """

    any_horizon = True

    def __init__(self, skeleton: Skeleton, config: Any) -> None:
        super().__init__(skeleton, config)
        name = type(self).__name__
        if self.classes:
            raise ConfigError(f"{name} forecasts and does not recognise: found classes {self.classes}, expected 0")
        if not self.horizon:
            raise ConfigError(f"{name} forecasts and does nothing else: found horizon 0, expected 1 or more frames")

    def forward(self, x: Tensor, horizon: int | None = None) -> MotionOutput:
        """Forecast.

        Args:
            x: ``(batch, observed, joints, channels)``.
            horizon: frames to forecast; by default those it was built for, at 0 none.

        Raises:
            DataError: wrong shape, or a negative horizon.
        """
        frames = self.check_input(x, horizon)
        return MotionOutput(self.forecast(x, frames) if frames else None, None)

    def forecast(self, x: Tensor, frames: int) -> Tensor:
        """``(batch, frames, joints, channels)``, `frames` at least 1, for an input that was checked."""
        pieces = [self.block(x)]
        for _ in range(self.horizon, frames, self.horizon):
            x = torch.cat((x, pieces[-1]), dim=1)[:, -self.observed :]
            pieces.append(self.block(x))
        return torch.cat(pieces, dim=1)[:, :frames] if len(pieces) > 1 else pieces[0][:, :frames]

    def block(self, x: Tensor) -> Tensor:
        """The next ``horizon`` frames: ``(batch, horizon, joints, channels)``."""
        raise NotImplementedError(f"{type(self).__name__} says how it forecasts in `block` or in `forecast`")
