"""The block that networks for action recognition share: a graph convolution, then a convolution along time.

Inside these networks a person's features lie as (rows, nodes, frames, channels): a row is one person of one clip. A
graph then gathers all frames of a row in one matrix product, a map of channels is one product over everything, a
convolution along time reads what it needs in order, and no tensor is ever permuted.

A mask (rows, frames) is 1 where a frame is real and 0 where it is padding. Padded frames have no part in statistics or
in means over time, and are zero before every convolution along time, as the frames beyond a clip's ends are: a padded
clip gives what the clip alone gives. ``None``: every frame is real.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function

from kinegraph.layers.dropout import Dropout
from kinegraph.layers.folding import KeepsFold
from kinegraph.layers.frequency_conv import FixedConvolution
from kinegraph.layers.graph_temporal import ChannelNorm, StridedConv

__all__ = [
    "ClipBlock",
    "ClipNorm",
    "Constants",
    "Pointwise",
    "TemporalUnit",
    "blank",
    "last_real",
    "masked_batch_norm",
    "masked_moments",
    "masked_normalise",
    "quiet_norm",
    "remember",
    "strided_mask",
    "time_mean",
]


def blank(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zero the padded frames of (rows, nodes, frames, channels)."""
    return x if mask is None else x * mask[:, None, :, None].to(x.dtype)


def strided_mask(mask: Tensor | None, stride: int) -> Tensor | None:
    """Which frames are real after a stride, (rows, frames) -> (rows, ceil(frames / stride)): those of which any is.

    Every stride-th frame's own mark would lose a person who is there between two of them.
    """
    if mask is None or stride == 1:
        return mask
    real = mask
    for later in range(1, stride):
        real = torch.maximum(real, functional.pad(mask, (0, later))[:, later:])
    return real[:, ::stride]


def last_real(mask: Tensor) -> Tensor:
    """For each frame the last real one up to it, or the first of all before that, (rows, frames) -> the same, int64.

    Frame 0 where none is real. By a sort, for ONNX has no running maximum.
    """
    real = mask.to(torch.bool)
    frames = torch.arange(mask.shape[1], device=mask.device)
    in_order = torch.where(real, frames, mask.shape[1]).sort(dim=1).values
    found = in_order.gather(1, (real.cumsum(dim=1) - 1).clamp(min=0))
    return torch.where(found < mask.shape[1], found, 0)


def time_mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """The mean over real frames, (rows, nodes, frames, channels) -> (rows, nodes, channels); 0 where none is real."""
    if mask is None:
        return x.mean(dim=2)
    weights = (mask / mask.sum(dim=1, keepdim=True).clamp(min=1)).to(x.dtype)
    return (weights[:, None, None] @ x).squeeze(2)


class ClipNorm(ChannelNorm):
    """Batch normalisation of each channel over nodes and real frames.

    Shapes: (rows, nodes, frames, channels) and a mask (rows, frames) or None -> the same shape.
    """

    def forward(self, input: Tensor, mask: Tensor | None = None) -> Tensor:
        """Normalise."""
        if mask is None or not self.training:
            return super().forward(input)
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum if self.momentum is not None else 1.0 / float(self.num_batches_tracked)
        return masked_batch_norm(
            input, mask, self.running_mean, self.running_var, self.weight, self.bias, share, self.eps
        )


def quiet_norm(channels: int) -> ClipNorm:
    """A norm whose scale starts at 1e-6: a graph module that ends in it begins as the residual connection round it.

    So the published code of 2s-AGCN and CTR-GCN begins.
    """
    norm = ClipNorm(channels)
    nn.init.constant_(norm.weight, 1e-6)
    return norm


def masked_moments(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number, mean and variance of each channel's values in real frames, (), (channels,), (channels,).

    Args:
        x: (rows, nodes, frames, channels).
        mask: (rows, frames); where no frame is real, mean and variance are 0.
    """
    weights = mask[:, None, :, None].to(x.dtype)
    count = (mask.sum() * x.shape[1]).to(x.dtype)
    mean = (x * weights).sum(dim=(0, 1, 2)) / count.clamp(min=1)
    var = ((x - mean) * weights).square().sum(dim=(0, 1, 2)) / count.clamp(min=1)
    return count, mean, var


def masked_normalise(
    x: Tensor, mask: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> Tensor:
    """Real frames of (rows, nodes, frames, channels) by mean and variance, scaled and shifted; the bias elsewhere."""
    centred = (x - mean) * mask[:, None, :, None].to(x.dtype)
    return torch.addcmul(bias, centred, weight * torch.rsqrt(var + eps))


def masked_batch_norm(
    input: Tensor,
    mask: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    momentum: float,
    eps: float,
) -> Tensor:
    """Training's batch normalisation of (rows, nodes, frames, channels) over real frames; padded ones become the bias.

    Like `torch.nn.functional.batch_norm`, a function that a `TorchFunctionMode` may take over: data-parallel training
    does, for statistics over all processes.
    """
    if has_torch_function((input,)):
        given = (input, mask, running_mean, running_var, weight, bias, momentum, eps)
        result: Tensor = handle_torch_function(masked_batch_norm, (input,), *given)
        return result
    x = input.float() if input.dtype != torch.float64 else input
    count, mean, var = masked_moments(x, mask)
    remember(running_mean, running_var, mean, var, count, momentum)
    return masked_normalise(x, mask, mean, var, weight, bias, eps).to(input.dtype)


@torch.no_grad()
def remember(
    running_mean: Tensor | None, running_var: Tensor | None, mean: Tensor, var: Tensor, count: Tensor, momentum: float
) -> None:
    """Move running statistics, (channels,), by `momentum` towards those of `count`, (), values; not at all if none."""
    if running_mean is None or running_var is None:
        return
    share = (count > 0).to(running_mean.dtype) * momentum
    running_mean.lerp_(mean.to(running_mean.dtype), share)
    running_var.lerp_((var * (count / (count - 1).clamp(min=1))).to(running_var.dtype), share)


class Constants(KeepsFold, ABC):
    """Base of maps that end in a norm: in eval mode without gradients the norm is part of the map's weights."""

    @abstractmethod
    def fold(self) -> Any:
        """What the map needs in eval mode, worked out."""

    def constants(self, x: Tensor) -> Any:
        """:meth:`fold`, remembered; None in training, with gradients, under autocast or a compiler.

        Of `x`, (rows, nodes, frames, in), only the device counts.
        """
        return self._cache.get(self, self.fold) if self._cache.applies(self, x) else None


class Pointwise(Constants):
    """A linear map of every node's features in every stride-th frame, and a norm.

    Shapes: (rows, nodes, frames, in) -> (rows, nodes, ceil(frames / stride), out).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.linear = nn.Linear(in_channels, out_channels, bias=False)
        self.norm = ClipNorm(out_channels)

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weight (out, in) and bias (out,) of map and norm together."""
        scale, shift = self.norm.scale_and_shift()
        return self.linear.weight * scale.unsqueeze(1), shift

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Map; the mask is that of the frames that come in.

        A stride may take a padded frame for one that counts as real, see :func:`strided_mask`: it is taken as zero.
        """
        if self.stride > 1:
            x = blank(x[:, :, :: self.stride], None if mask is None else mask[:, :: self.stride])
        folded = self.constants(x)
        if folded is not None:
            return functional.linear(x, *folded)
        result: Tensor = self.norm(self.linear(x), strided_mask(mask, self.stride))
        return result


class TemporalUnit(Constants):
    """One convolution along time and a norm (the temporal half of ST-GCN's blocks).

    Shapes: (rows, nodes, frames, in), zero where padded -> (rows, nodes, ceil(frames / stride), out).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv = StridedConv(in_channels, out_channels, kernel, stride)
        self.norm = ClipNorm(out_channels)

    def fold(self) -> FixedConvolution:
        """Convolution and norm in one."""
        return self.conv.folded(*self.norm.scale_and_shift())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve; the mask is that of the frames that come in."""
        folded: FixedConvolution | None = self.constants(x)
        if folded is not None:
            return folded(x)
        result: Tensor = self.norm(self.conv(x), strided_mask(mask, self.stride))
        return result


class ClipBlock(nn.Module):
    """relu(temporal(relu(graph(x) + inner(x))) + outer(x)), the shape of every block from ST-GCN to CTR-GCN.

    Args:
        graph: (rows, nodes, frames, in) and mask -> (rows, nodes, frames, spatial), with its norm.
        temporal: (rows, nodes, frames, spatial) and mask -> (rows, nodes, ceil(frames / stride), out), with its norm.
        in_channels, spatial, out_channels: features before, between and after them.
        stride: of the temporal convolution, frames.
        inner: a residual connection round the graph convolution too; a linear map and a norm where widths differ.
        outer: a residual connection round the block; a linear map of every stride-th frame and a norm where shapes
            differ.
        dropout: share of features dropped after the temporal convolution.
    """

    def __init__(
        self,
        graph: nn.Module,
        temporal: nn.Module,
        in_channels: int,
        spatial: int,
        out_channels: int,
        *,
        stride: int = 1,
        inner: bool = False,
        outer: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.graph, self.temporal, self.stride = graph, temporal, stride
        self.has_inner, self.has_outer = inner, outer
        self.inner = Pointwise(in_channels, spatial) if inner and in_channels != spatial else None
        same = in_channels == out_channels and stride == 1
        self.outer = Pointwise(in_channels, out_channels, stride) if outer and not same else None
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Features and mask, one block on."""
        after = strided_mask(mask, self.stride)
        y = self.graph(x, mask)
        if self.has_inner:
            y = _add(y, x if self.inner is None else self.inner(x, mask))
        y = self.temporal(blank(functional.relu_(y), mask), mask)
        y = self.dropout(y)
        if self.has_outer:
            y = _add(y, x if self.outer is None else self.outer(x, mask))
        return functional.relu_(y), after


def _add(y: Tensor, x: Tensor) -> Tensor:
    """y + x, in the memory of y: no norm and no convolution needs what it put out to find its gradient."""
    return y.add_(x) if y.dtype == x.dtype else y + x
