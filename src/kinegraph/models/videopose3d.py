"""VideoPose3D: a temporal convolutional network over the flattened pose.

Pavllo, Feichtenhofer, Grangier, Auli, *3D human pose estimation in video with temporal convolutions and
semi-supervised training*, CVPR 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from kinegraph.errors import ConfigError, DataError
from kinegraph.layers import TemporalConv
from kinegraph.layers.dropout import Dropout
from kinegraph.models.lifting_model import OUT_CHANNELS, LiftingModel, start_quietly
from kinegraph.ranges import at_least, share
from kinegraph.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class VideoPose3DConfig:
    """Configuration of :class:`VideoPose3D`.

    Raises:
        ConfigError: kernels that are even, or none above 1.
    """

    in_channels: int = 2
    """2 (x, y) or 3 (x, y, confidence)."""
    channels: int = 1024
    """Features of a frame."""
    kernels: tuple[int, ...] = (3, 3)
    """Frames under each convolution; their product is the receptive field (3, 3: 9 frames; five times 3: 243)."""
    dropout: float = 0.25
    """Share of features dropped in training."""
    causal: bool = False
    """Lift the last frame of the window, for live use, instead of the middle one."""

    def __post_init__(self) -> None:
        at_least(self, 1, "channels")
        share(self, "dropout")
        if not self.kernels or any(k < 1 or k % 2 == 0 for k in self.kernels):
            raise ConfigError(f"kernels {self.kernels}: expected one or more odd numbers of frames")
        if self.frames == 1:
            raise ConfigError(f"kernels {self.kernels}: at least one must be above 1; use 'fcn' for single frames")

    @property
    def frames(self) -> int:
        """Receptive field, in frames."""
        return math.prod(self.kernels)


class VideoPose3D(LiftingModel):
    """A first convolution, then residual blocks of one convolution over frames and one over a single frame.

    :meth:`forward` is the strided form for one window; :meth:`forward_sequence` the dilated form for a whole
    sequence. They share the weights and give the same poses in eval mode.

    Shapes: ``(batch, frames, joints, in_channels) -> (batch, joints, 3)``, the centre frame; the last one if causal.
    """

    def __init__(self, skeleton: Skeleton, config: VideoPose3DConfig | None = None) -> None:
        config = config or VideoPose3DConfig()
        super().__init__(skeleton, config, frames=config.frames, causal=config.causal)
        joints, width = skeleton.num_joints, config.channels
        gain = math.sqrt(2)  # keeps the variance through ReLU (He et al. 2015)
        first, *rest = config.kernels
        self.first = TemporalConv(joints * self.in_channels, width, first)
        self.first_end = _ending(width, config.dropout)
        self.blocks = nn.ModuleList(_Block(width, kernel, config.dropout, gain, config.causal) for kernel in rest)
        self.last = nn.Linear(width, joints * OUT_CHANNELS)
        start_quietly(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """Lift one frame of each window (strided form)."""
        self.check_input(x)
        x = self.first_end(self.first(x.flatten(2)))  # (batch, frames / kernel, width)
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.last(x.squeeze(1)).unflatten(1, (self.skeleton.num_joints, OUT_CHANNELS))
        return result

    def forward_sequence(self, x: Tensor) -> Tensor:
        """Lift every frame that has a full window around it (dilated form).

        Args:
            x: ``(batch, time, joints, in_channels)`` with ``time >= frames``; pad a sequence by ``frames // 2``
                repeated frames at both ends to keep its length (a causal one by ``frames - 1`` at its start).

        Returns:
            ``(batch, time - frames + 1, joints, 3)``.

        Raises:
            DataError: the sequence is shorter than the receptive field.
        """
        joints = self.skeleton.num_joints
        if x.dim() != 4 or x.shape[1] < self.frames or tuple(x.shape[2:]) != (joints, self.in_channels):
            raise DataError(
                f"VideoPose3D takes (batch, time, {joints}, {self.in_channels}) with at least {self.frames} frames; "
                f"found {tuple(x.shape)}"
            )
        x = self.first_end(self.first.dilated(x.flatten(2), 1))
        dilation = self.first.kernel
        for block in self.blocks:
            assert isinstance(block, _Block)
            x = block.dilated(x, dilation)
            dilation *= block.convolution.kernel
        result: Tensor = self.last(x).unflatten(2, (joints, OUT_CHANNELS))
        return result


class _Features(nn.BatchNorm1d):
    """Batch norm of ``(batch, frames, channels)`` over batch and frames."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.flatten(0, 1)).view_as(input)


def _ending(width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(_Features(width), nn.ReLU(), Dropout(dropout))


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int, dropout: float, gain: float, causal: bool) -> None:
        super().__init__()
        self.kept = kernel - 1 if causal else kernel // 2  # of each window, what the residual connection carries
        self.convolution = TemporalConv(width, width, kernel, gain=gain)
        self.convolution_end = _ending(width, dropout)
        self.mix = TemporalConv(width, width, 1, gain=gain)
        self.mix_end = _ending(width, dropout)

    def forward(self, x: Tensor) -> Tensor:
        kept = self.convolution.tap(x, self.kept)
        result: Tensor = kept + self.mix_end(self.mix(self.convolution_end(self.convolution(x))))
        return result

    def dilated(self, x: Tensor, dilation: int) -> Tensor:
        kept = self.convolution.tap_dilated(x, self.kept, dilation)
        features = self.convolution_end(self.convolution.dilated(x, dilation))
        result: Tensor = kept + self.mix_end(self.mix(features))
        return result
