"""SemGCN: graph convolutions with learned edge weights, and non-local blocks between them.

Zhao, Peng, Tian, Kapadia, Metaxas, *Semantic Graph Convolutional Networks for 3D Human Pose Regression*, CVPR 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

from kinegraph.layers import NonLocal, Norm, SemanticGraphConv
from kinegraph.models.lifting_model import GraphLifter
from kinegraph.ranges import at_least, share
from kinegraph.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True)
class SemGCNConfig:
    """Configuration of :class:`SemGCN`."""

    in_channels: int = 2
    """2 (x, y) or 3 (x, y, confidence)."""
    channels: int = 128
    """Features of a joint."""
    blocks: int = 4
    """Residual blocks of two graph convolutions."""
    dropout: float = 0.0
    """Share of features dropped in training; the paper trains without."""
    non_local: bool = True
    """A non-local block after the first layer and after each residual block."""
    norm: Norm = "channel"
    """What batch norm normalises together."""

    def __post_init__(self) -> None:
        at_least(self, 1, "channels")
        at_least(self, 0, "blocks")
        share(self, "dropout")


class SemGCN(GraphLifter):
    """Semantic graph convolutions with batch norm and ReLU in residual blocks, each followed by a non-local block.

    Shapes: ``(batch, joints, in_channels) -> (batch, joints, 3)``.
    """

    def __init__(self, skeleton: Skeleton, config: SemGCNConfig | None = None) -> None:
        config = config or SemGCNConfig()
        edges = skeleton.adjacency(self_loops=True)

        def layer(in_channels: int, out_channels: int, gain: float) -> SemanticGraphConv:
            return SemanticGraphConv(edges, in_channels, out_channels, gain=gain)

        def non_local() -> NonLocal:
            return NonLocal(skeleton.num_joints, config.channels)

        super().__init__(skeleton, config, layer, slope=0.0, block_end=non_local if config.non_local else None)
