"""What joint scale and part scale have in common: a graph convolution, then a convolution along time (Fig. 4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.errors import ConfigError
from kinegraph.layers.dropout import Dropout
from kinegraph.layers.folding import KeepsFold
from kinegraph.layers.frequency_conv import FixedConvolution, convolution

__all__ = ["ChannelNorm", "GraphTemporalBlock", "StridedConv", "renewed"]


class ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of each channel over everything else; channels stand last."""

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """What it does in eval mode, (channels,) each."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias - self.running_mean * scale

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (..., channels); the shape stays."""
        return renewed(super().forward(input.reshape(-1, self.num_features)), input.shape)


def renewed(x: Tensor, shape: Sequence[int]) -> Tensor:
    """``x.view(shape)`` as a tensor of its own, for an ``x`` of any shape that nobody else uses.

    What follows in place (a sum, ReLU) then has no view to copy its gradient in and out of; torch.matmul does the same.
    """
    result: Tensor = torch.ops.aten._unsafe_view.default(x, shape)
    return result


class StridedConv(nn.Module):
    """A convolution along time, padded with zeros so that ``ceil(frames / stride)`` frames come out.

    Shapes: (batch, nodes, frames, in) -> (batch, nodes, ceil(frames / stride), out).

    Raises:
        ConfigError: an even kernel.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f"temporal kernel {kernel}: expected an odd number of frames")
        self.stride, self.kernel = stride, kernel
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, kernel) / math.sqrt(kernel * in_channels))

    def folded(self, scale: Tensor, shift: Tensor) -> FixedConvolution:
        """The convolution and ``scale * y + shift`` (both (out,)) in one, without gradients."""
        return FixedConvolution(self.weight * scale.view(-1, 1, 1, 1), shift, self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve every node's frames with the same weights."""
        return convolution(x, self.weight, self.stride)


class GraphTemporalBlock(KeepsFold):
    """Graph convolution, norm, ReLU, temporal convolution, norm, dropout, ReLU; a residual connection round it all.

    Where the shape changes, the residual connection takes every stride-th frame through a linear map and a norm.

    Args:
        graph: (batch, nodes, frames, in) -> (batch, nodes, frames, spatial); has a method ``fold(scale, shift)``.
        in_channels, spatial, out_channels: features before, between and after the two convolutions.
        kernel, stride: of the temporal convolution, frames.
        dropout: share of features dropped.
    """

    def __init__(
        self,
        graph: nn.Module,
        in_channels: int,
        spatial: int,
        out_channels: int,
        *,
        kernel: int,
        stride: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.graph = graph
        self.graph_norm = ChannelNorm(spatial)
        self.temporal = StridedConv(spatial, out_channels, kernel, stride)
        self.temporal_norm = ChannelNorm(out_channels)
        self.dropout = Dropout(dropout)
        self.stride = stride
        self.residual: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.residual = nn.Sequential(nn.Linear(in_channels, out_channels, bias=False), ChannelNorm(out_channels))

    def forward(self, x: Tensor, *graphs: Tensor | None) -> Tensor:
        """(batch, nodes, frames, in) -> (batch, nodes, ceil(frames / stride), out); `graphs` go to the graph layer."""
        before = x if self.stride == 1 else x[:, :, :: self.stride]
        if self._cache.applies(self, x):
            folded: _Folded = self._cache.get(self, self._fold)
            y = functional.relu_(folded.temporal(functional.relu_(folded.graph(x, *graphs))))
            return y.add_(before if folded.residual is None else functional.linear(before, *folded.residual))
        y = functional.relu_(self.graph_norm(self.graph(x, *graphs)))
        y = functional.relu_(self.dropout(self.temporal_norm(self.temporal(y))))
        result: Tensor = y + self.residual(before)
        return result

    def _fold(self) -> _Folded:
        """Each norm is a scale and a shift in eval mode: part of the weights before it."""
        temporal = self.temporal.folded(*self.temporal_norm.scale_and_shift())
        residual = None
        if isinstance(self.residual, nn.Sequential):
            linear, norm = self.residual
            assert isinstance(linear, nn.Linear)
            assert isinstance(norm, ChannelNorm)
            own, shift = norm.scale_and_shift()
            residual = (linear.weight * own.unsqueeze(1), shift)
        graph: Any = self.graph
        return _Folded(graph.fold(*self.graph_norm.scale_and_shift()), temporal, residual)


class _Folded(NamedTuple):
    """A block in eval mode: three maps with biases."""

    graph: Callable[..., Tensor]
    temporal: FixedConvolution
    residual: tuple[Tensor, Tensor] | None
