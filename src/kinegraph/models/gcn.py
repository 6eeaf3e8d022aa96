"""GCN, and Liu et al.'s Pre-Aggregation and Post-Aggregation GCN: one network, three ways of sharing its weights.

Kipf, Welling, *Semi-Supervised Classification with Graph Convolutional Networks*, ICLR 2017;
Liu, Ding, Zou, Wang, Tang, *A Comprehensive Study of Weight Sharing in Graph Networks for 3D Human Pose Estimation*,
ECCV 2020. All run in the six-layer frame of the other graph lifters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kinegraph.layers import Norm
from kinegraph.layers.graph_conv import GraphConv
from kinegraph.models.lifting_model import GraphLifter
from kinegraph.ranges import at_least, share
from kinegraph.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class GCNConfig:
    """Configuration of :class:`GCN`: every node through the same weights."""

    in_channels: int = 2
    """2 (x, y) or 3 (x, y, confidence)."""
    channels: int = 128
    """Features of a joint."""
    blocks: int = 2
    """Residual blocks of two layers."""
    dropout: float = 0.25
    """Share of features dropped in training."""
    sharing: Literal["shared", "pre_aggregation", "post_aggregation"] = "shared"
    """One W for all nodes, one per source or one per target node."""
    decouple_self: bool = False
    """Own weights for self-connections (Liu et al., section 3.3)."""
    adjacency: Literal["symmetric", "row"] = "symmetric"
    """D^-1/2 A D^-1/2 or D^-1 A, with self-loops."""
    norm: Norm = "channel"
    """What batch norm normalises together."""

    def __post_init__(self) -> None:
        at_least(self, 1, "channels")
        at_least(self, 0, "blocks")
        share(self, "dropout")


@dataclass(frozen=True, kw_only=True)
class PreAggGCNConfig(GCNConfig):
    """Configuration of Pre-Agg GCN: each source node transforms its features before they are aggregated."""

    sharing: Literal["shared", "pre_aggregation", "post_aggregation"] = "pre_aggregation"
    """One weight matrix per source node."""
    decouple_self: bool = True
    """As in the paper's best models."""


@dataclass(frozen=True, kw_only=True)
class PostAggGCNConfig(GCNConfig):
    """Configuration of Post-Agg GCN: each target node transforms what was aggregated."""

    sharing: Literal["shared", "pre_aggregation", "post_aggregation"] = "post_aggregation"
    """One weight matrix per target node."""
    decouple_self: bool = True
    """As in the paper's best models."""


class GCN(GraphLifter):
    """Graph convolutions ``ReLU(BN(A X W))`` in residual blocks.

    Shapes: ``(batch, joints, in_channels) -> (batch, joints, 3)``.
    """

    def __init__(self, skeleton: Skeleton, config: GCNConfig | None = None) -> None:
        config = config or GCNConfig()
        matrix = skeleton.normalised_adjacency(config.adjacency)

        def layer(in_channels: int, out_channels: int, gain: float) -> GraphConv:
            return GraphConv(
                matrix,
                in_channels,
                out_channels,
                sharing=config.sharing,
                decouple_self=config.decouple_self,
                gain=gain,
            )

        super().__init__(skeleton, config, layer, slope=0.0)
