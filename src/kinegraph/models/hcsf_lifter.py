"""The HCSF lifter, for single frames and for short sequences.

Zeng, Sun, Yang, Zhao, Xu, *Learning Skeletal Graph Neural Networks for Hard 3D Pose Estimation*, ICCV 2021,
supplement 1.1.2. "HCSF w/A" of the paper's tables is ``dynamic="m+alpha_o"``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers import HCSF, HCSFOptions, Norm, TemporalConv
from kinegraph.models.lifting_model import OUT_CHANNELS, OUT_GAIN, Layer, LiftingModel, ResidualBlock
from kinegraph.models.windows import window_kernels
from kinegraph.ranges import at_least, share
from kinegraph.skeleton import Skeleton

_SLOPE = 0.2  # of LeakyReLU below zero


@dataclass(frozen=True, kw_only=True)
class HCSFLifterConfig(HCSFOptions):
    """Configuration of :class:`HCSFLifter`: the options of its HCSF layers and those of the network.

    Raises:
        ConfigError: a value outside its range, or a temporal option of a single frame.
    """

    in_channels: int = 2
    """2 (x, y) or 3 (x, y, confidence)."""
    channels: int = 128
    """Features of a joint (the paper's ablations use 64)."""
    blocks: int = 2
    """Residual blocks: two HCSF layers each, or one HCSF and one temporal convolution."""
    frames: int = 1
    """Frames of one input; above 1 the centre frame is lifted, or the last."""
    kernels: tuple[int, ...] | None = None
    """Frames under each block's temporal convolution; their product is ``frames``. null: as even as can be."""
    dropout: float = 0.25
    """Share of features dropped in training."""
    norm: Norm = "node_channel"
    """What batch norm normalises together."""
    causal: bool = False
    """Lift the last frame of the window, for live use, instead of the middle one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "channels")
        at_least(self, 0, "blocks")
        share(self, "dropout")
        if self.frames == 1 and (self.dynamic_kernel > 1 or self.dynamic_stride > 1):
            raise ConfigError(
                f"dynamic_kernel {self.dynamic_kernel} and dynamic_stride {self.dynamic_stride} act over frames; "
                "set frames above 1 (9 in the paper)"
            )
        if self.frames == 1 and self.kernels:
            raise ConfigError(
                f"kernels {self.kernels}: a single frame has no temporal convolutions; set frames above 1, or leave "
                "them out"
            )
        if self.causal and self.frames == 1:
            raise ConfigError("causal: a single frame is causal as it is; set frames above 1, or leave it out")
        self.window_kernels()

    def window_kernels(self) -> tuple[int, ...]:
        """The temporal kernel of each block; empty for single frames."""
        if self.frames == 1:
            return ()
        return window_kernels(self.frames, self.blocks, self.kernels)


class HCSFLifter(LiftingModel):
    """First layer, residual blocks, last layer; a layer is HCSF, batch norm, LeakyReLU 0.2, dropout.

    Over frames a block is one HCSF layer (with the temporal-aware dynamic graph, if there is one) and one temporal
    convolution over windows that do not overlap, so that 9 frames become 3 and then the centre one; the residual
    connection carries each window's middle frame (a causal network: its last).

    Shapes: ``(batch, joints, in_channels)``, or ``(batch, frames, joints, in_channels)`` for frames > 1, to
    ``(batch, joints, 3)``.
    """

    def __init__(self, skeleton: Skeleton, config: HCSFLifterConfig | None = None) -> None:
        config = config or HCSFLifterConfig()
        super().__init__(skeleton, config, frames=config.frames, causal=config.causal)
        nodes, width = skeleton.num_joints, config.channels
        distances = skeleton.hop_distances()
        gain = math.sqrt(2 / (1 + _SLOPE**2))  # keeps the variance through the activation (He et al. 2015)

        def layer(in_channels: int) -> Layer:
            first = in_channels == self.in_channels
            # The printed C_k are shares of C_in; on 2 input channels that would leave nothing to share.
            graph = HCSF(
                distances,
                in_channels,
                width,
                config,
                width=width if first else None,
                gain=1.0 if first else gain,
            )
            return Layer(graph, nodes, width, norm=config.norm, slope=_SLOPE, dropout=config.dropout)

        self.first = layer(self.in_channels)
        self.blocks = nn.ModuleList()
        for kernel in config.window_kernels():
            convolution = Layer(
                TemporalConv(width, width, kernel, gain=gain),
                nodes,
                width,
                norm=config.norm,
                slope=_SLOPE,
                dropout=config.dropout,
            )
            self.blocks.append(TemporalBlock(layer(width), convolution, kernel, causal=config.causal))
        if self.frames == 1:
            for _ in range(config.blocks):
                self.blocks.append(ResidualBlock(layer(width), layer(width)))
        self.last = HCSF(distances, width, OUT_CHANNELS, config, out_gain=OUT_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """Lift 2D joints to 3D."""
        self.check_input(x)
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.last(x)
        return result if self.frames == 1 else result.squeeze(1)


class TemporalBlock(nn.Module):
    """One spatial layer, then one temporal convolution that merges windows of ``kernel`` frames to one."""

    def __init__(self, spatial: nn.Module, temporal: nn.Module, kernel: int, *, causal: bool = False) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.kernel = kernel
        self.kept = kernel - 1 if causal else kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, frames, nodes, channels) -> (batch, frames / kernel, nodes, channels)``."""
        result: Tensor = x[:, self.kept :: self.kernel] + self.temporal(self.spatial(x))
        return result
