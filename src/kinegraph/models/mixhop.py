"""k-hop, MixHop and MS-Hop: the networks that HCSF is compared with in its supplement (Table 6).

Zeng et al., ICCV 2021, supplement 2.3. The network is HCSF's in everything but the graph convolution: all nodes within
k hops for one k, or for k = 1, 5, 7 side by side (MixHop, each a third of the output) or averaged (MS-Hop).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from kinegraph.layers.clip_block import ClipBlock, TemporalUnit
from kinegraph.layers.dynamic_graph import DynamicMode
from kinegraph.layers.hop_conv import HopConv
from kinegraph.models.graph_recognizer import GraphRecognizer, GraphRecognizerConfig, scaled
from kinegraph.models.hcsf_recognizer import NINE_BLOCKS
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["HopNet", "KHopConfig", "MSHopConfig", "MixHopConfig"]


@dataclass(frozen=True, kw_only=True)
class MSHopConfig(GraphRecognizerConfig):
    """Configuration of :class:`HopNet` as MS-Hop."""

    fusion: ClassVar[Literal["concat", "mean"]] = "mean"

    hops: tuple[int, ...] = (1, 5, 7)
    """Each k: nodes within so many hops."""
    dynamic: DynamicMode = "m"
    """Terms of the graph: none (Static-G), m (Dynamic-M), m+alpha_o (Dynamic-A), o, m+o."""
    dynamic_support: Literal["hop", "dense"] = "hop"
    """Pairs that graph may join: those within the range of hops, or any two joints; it starts from the range."""
    dynamic_kernel: int = 1
    """F, frames under the temporal convolutions of the graph that is computed from the features."""
    kernel: int = 9
    """Frames under the temporal convolution of a block."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "dynamic_kernel", "kernel")


@dataclass(frozen=True, kw_only=True)
class MixHopConfig(MSHopConfig):
    """Configuration of :class:`HopNet` as MixHop."""

    fusion: ClassVar[Literal["concat", "mean"]] = "concat"


@dataclass(frozen=True, kw_only=True)
class KHopConfig(MSHopConfig):
    """Configuration of :class:`HopNet` with one range: k-hop."""

    hops: tuple[int, ...] = (5,)
    """k: nodes within so many hops (1, 5 and 7 in the paper)."""


class HopNet(GraphRecognizer):
    """Nine blocks: graph convolution over ranges of hops, norm, ReLU, 9 x 1 convolution, norm, residual, ReLU.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: MSHopConfig | None = None) -> None:
        config = config or MixHopConfig()
        super().__init__(skeleton, config)
        distances = skeleton.hop_distances()
        blocks, before = [], self.channels
        for channels, stride in NINE_BLOCKS:
            out = scaled(channels, config.width)
            graph = HopConv(
                distances,
                before,
                out,
                hops=config.hops,
                fusion=config.fusion,
                dynamic=config.dynamic,
                kernel=config.dynamic_kernel,
                dense=config.dynamic_support == "dense",
            )
            temporal = TemporalUnit(out, out, config.kernel, stride)
            blocks.append(ClipBlock(graph, temporal, before, out, out, stride=stride, dropout=config.dropout))
            before = out
        self.finish(list(blocks), before)
