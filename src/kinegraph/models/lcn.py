"""LCN: the locally connected network, with weights of their own for every pair of joints within a few hops.

Ci, Wang, Ma, Wang, *Optimizing Network Structure for 3D Human Pose Estimation*, ICCV 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kinegraph.layers import Aggregation, Norm
from kinegraph.layers.folding import FoldedPairs, Folds
from kinegraph.models.lifting_model import GraphLifter
from kinegraph.ranges import at_least, share
from kinegraph.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class LCNConfig:
    """Configuration of :class:`LCN`."""

    in_channels: int = 2
    """2 (x, y) or 3 (x, y, confidence)."""
    channels: int = 64
    """Features of a joint."""
    blocks: int = 3
    """Residual blocks of two layers."""
    hops: int = 3
    """A joint sees the joints within so many hops."""
    dropout: float = 0.25
    """Share of features dropped in training."""
    norm: Norm = "node_channel"
    """What batch norm normalises together."""

    def __post_init__(self) -> None:
        at_least(self, 1, "channels")
        at_least(self, 0, "blocks", "hops")
        share(self, "dropout")


class LocallyConnected(Folds):
    """``y_i = sum over j within hops of x_j W_ij + b_i``."""

    def __init__(self, skeleton: Skeleton, hops: int, in_channels: int, out_channels: int, gain: float) -> None:
        super().__init__()
        mask = skeleton.hop_mask(hops, within=True)
        self.pairs = Aggregation(mask, in_channels, out_channels, sharing="pairwise", gain=gain)
        self.bias = nn.Parameter(torch.zeros(skeleton.num_joints, out_channels))

    def folds(self) -> bool:
        """Always."""
        return True

    def fold(self, scale: Tensor | None = None, shift: Tensor | None = None) -> FoldedPairs:
        """The layer followed by a scale and a shift (each ``(joints, out)``), as one map."""
        rows = torch.eye(self.bias.shape[1]).to(self.bias).expand(len(self.bias), -1, -1)
        bias = self.bias if scale is None else self.bias * scale
        rows = rows if scale is None else rows * scale.unsqueeze(1)
        return FoldedPairs([(self.pairs, rows)], bias if shift is None else bias + shift, [None])

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, joints, in) -> (batch, joints, out)``."""
        folded = self.folded_form(x)
        if folded is not None:
            return folded(x)
        result: Tensor = self.pairs(x) + self.bias
        return result


class LCN(GraphLifter):
    """Locally connected layers with batch norm, LeakyReLU 0.2 and dropout in residual blocks.

    Shapes: ``(batch, joints, in_channels) -> (batch, joints, 3)``.
    """

    def __init__(self, skeleton: Skeleton, config: LCNConfig | None = None) -> None:
        config = config or LCNConfig()

        def layer(in_channels: int, out_channels: int, gain: float) -> LocallyConnected:
            return LocallyConnected(skeleton, config.hops, in_channels, out_channels, gain)

        super().__init__(skeleton, config, layer, slope=0.2)
