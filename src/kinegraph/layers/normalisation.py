"""Batch normalisation of node features, over each channel or over each channel of each node."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Norm = Literal["node_channel", "channel"]
"""``node_channel``: own statistics, scale and shift for every feature of every node, as the public LCN does, right
where nodes have own weights. ``channel``: one for all nodes, which keeps a model with shared weights shared."""


class NodeBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of ``(batch, nodes, channels)`` or ``(batch, frames, nodes, channels)``.

    Args:
        nodes, channels: sizes.
        norm: what is normalised together, see :data:`Norm`.
        momentum: share of each new batch in the running statistics.
    """

    def __init__(self, nodes: int, channels: int, *, norm: Norm, momentum: float = 0.1) -> None:
        super().__init__(nodes * channels if norm == "node_channel" else channels, momentum=momentum)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; the shape stays."""
        return super().forward(input.reshape(-1, self.num_features)).reshape(input.shape)
