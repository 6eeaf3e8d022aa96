"""siMLPe: a forecaster of fully connected layers alone, on the cosine transform of the observed frames.

Guo, Du, Shen, Lepetit, Alameda-Pineda, Moreno-Noguer, *Back to MLP: A Simple Baseline for Human Motion Prediction*,
WACV 2023, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.dct import dct_matrix
from kinegraph.models.forecasting_model import ForecastingModel
from kinegraph.models.lifting_model import start_quietly
from kinegraph.skeleton import Skeleton

__all__ = ["SiMLPe", "SiMLPeConfig"]

TimeNorm = Literal["spatial", "temporal", "none"]
BLOCK_GAIN = 1e-4
"""Standard deviation of an untrained block's mixing, for inputs of unit variance. A layer norm of its own follows, so
the size is of no account to what can be learned; it is small beside the norm's epsilon so that many blocks start as
the identity, and not zero so that they do not all start the same."""


@dataclass(frozen=True, kw_only=True)
class SiMLPeConfig:
    """Configuration of :class:`SiMLPe`; defaults are the paper's."""

    channels: int = 3
    """Features of a joint in a frame."""
    observed: int = 50
    """Frames of an input."""
    horizon: int = 25
    """Frames forecast at once."""
    classes: int = 0
    """0: it does not recognise."""
    blocks: int = 48
    """Residual blocks."""
    norm: TimeNorm = "spatial"
    """Layer norm of a block: over the features of a frame, over the frames of a feature, or none."""


class SiMLPe(ForecastingModel):
    """DCT; features mixed; blocks that mix time; features mixed; inverse DCT; added to the last observed frame.

    With x the T frames of ``J C`` features and D the DCT over time: ``z = D x W_1 + b_1``; in each block
    ``z <- z + LayerNorm(A z + a)``, A over time; the forecast is ``x_T + D^-1 (z W_2 + b_2)``, of which the first
    ``horizon`` frames count. There is no activation.

    Where more frames are forecast than observed, which the paper does not have, the last observed frame is repeated up
    to ``horizon`` frames before the DCT (as Mao et al., ICCV 2019, do), so that T becomes the horizon and everything
    else stays. A horizon beyond the built one goes on from the forecast, as in the paper.

    Untrained it forecasts the last frame with a little noise. The paper trains it on the mean length of the joints'
    error vectors plus that of their velocities: loss ``mpjpe`` with ``objective: {velocity: 1}``.

    Shapes: ``(batch, observed, joints, channels) -> motion (batch, horizon, joints, channels)``.

    Raises:
        ConfigError: fewer than 0 blocks.
    """

    transform: Tensor

    def __init__(self, skeleton: Skeleton, config: SiMLPeConfig | None = None) -> None:
        config = config or SiMLPeConfig()
        super().__init__(skeleton, config)
        if config.blocks < 0:
            raise ConfigError(f"blocks {config.blocks}: expected 0 or more")
        self.length = max(self.observed, self.horizon)
        width = skeleton.num_joints * self.channels
        self.register_buffer("transform", dct_matrix(self.length).float(), persistent=False)
        self.first = nn.Linear(width, width)
        self.blocks = nn.Sequential(*(TimeBlock(self.length, width, config.norm) for _ in range(config.blocks)))
        self.last = nn.Linear(width, width)
        start_quietly(self.last)

    def block(self, x: Tensor) -> Tensor:
        """The next ``horizon`` frames: ``(batch, horizon, joints, channels)``."""
        last = x[:, -1:]
        if self.length > self.observed:
            x = torch.cat((x, last.expand(-1, self.length - self.observed, -1, -1)), dim=1)
        transform = self.transform.to(x.dtype)
        # Time stands before the batch: mixing it is then one plain product, and the features of a frame lie together.
        z = self.first((transform @ x.transpose(0, 1).flatten(1)).view(self.length, x.shape[0], -1))
        z = self.last(self.blocks(z))
        moved = transform.T[: self.horizon] @ z.flatten(1)
        forecast: Tensor = last + moved.view(self.horizon, *last[:, 0].shape).transpose(0, 1)
        return forecast


class TimeBlock(nn.Module):
    """``z + LayerNorm(A z + a)`` with A over time (siMLPe, section 3.2).

    Args:
        length: coefficients of the DCT.
        width: features.
        norm: over the features (``spatial``; scale and shift per feature), over the coefficients (``temporal``; per
            coefficient) or none.

    Shapes: ``(length, batch, width)``, unchanged.
    """

    def __init__(self, length: int, width: int, norm: TimeNorm) -> None:
        super().__init__()
        self.mix = nn.Linear(length, length)
        nn.init.normal_(self.mix.weight, std=BLOCK_GAIN / length**0.5)
        nn.init.zeros_(self.mix.bias)
        self.temporal = norm == "temporal"
        self.norm = nn.Identity() if norm == "none" else nn.LayerNorm(length if self.temporal else width)

    def forward(self, z: Tensor) -> Tensor:
        """Mix over time."""
        mixed = torch.addmm(self.mix.bias[:, None], self.mix.weight, z.flatten(1)).view_as(z)
        normed: Tensor = self.norm(mixed.transpose(0, 2)).transpose(0, 2) if self.temporal else self.norm(mixed)
        return z + normed
