"""Batch normalisation of node features, over each channel or over each channel of each node."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from kinegraph.layers.feature_check import check_features

Norm = Literal["node_channel", "channel"]
"""``node_channel``: own statistics, scale and shift for every feature of every node, as the public LCN does, right
where nodes have own weights. ``channel``: one for all nodes, which keeps a model with shared weights shared."""


class NodeBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of ``(batch, nodes, channels)`` or ``(batch, frames, nodes, channels)``.

    Args:
        nodes, channels: sizes.
        norm: what is normalised together, see :data:`Norm`.
        momentum: share of each new batch in the running statistics.

    Raises:
        DataError: features of another number of channels or, with statistics for each, of nodes.
    """

    def __init__(self, nodes: int, channels: int, *, norm: Norm, momentum: float = 0.1) -> None:
        super().__init__(nodes * channels if norm == "node_channel" else channels, momentum=momentum)
        self.nodes, self.channels, self.norm = nodes, channels, norm

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """What it does in eval mode: scale and shift, each ``(nodes, channels)``."""
        assert self.running_mean is not None
        assert self.running_var is not None
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        shift = self.bias - self.running_mean * scale
        shape = (self.nodes, self.channels)
        if self.norm == "channel":
            return scale.expand(shape), shift.expand(shape)
        return scale.view(shape), shift.view(shape)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; the shape stays."""
        each = self.norm == "node_channel"
        check_features(self, input, self.nodes if each else None, self.channels, ("batch", "..."))
        return super().forward(input.reshape(-1, self.num_features)).reshape(input.shape)
