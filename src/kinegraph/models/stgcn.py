"""ST-GCN, the first graph network for skeleton-based action recognition.

Yan, Xiong, Lin, *Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition*, AAAI 2018.
Equations, widths, strides, kernel and dropout are the paper's and its published configuration's; no code is. Readings:
ten blocks (see :data:`~kinegraph.models.graph_recognizer.STAGES`), neighbours' subsets are averaged as in Eq. 4, and
linear maps have no bias where a norm follows.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from kinegraph.layers.clip_block import TemporalUnit
from kinegraph.layers.graph_gather import PartitionConv
from kinegraph.models.graph_recognizer import GraphRecognizer, GraphRecognizerConfig
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["STGCN", "STGCNConfig"]


@dataclass(frozen=True, kw_only=True)
class STGCNConfig(GraphRecognizerConfig):
    """Configuration of :class:`STGCN`."""

    kernel: int = 9
    """Frames under the temporal convolution."""
    dropout: float = 0.5
    """Share of features dropped after each temporal convolution."""
    centre: str | None = None
    """The joint from which neighbours are nearer or farther; null: the skeleton's root."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "kernel")


class STGCN(GraphRecognizer):
    """Ten blocks: graph convolution over three subsets of neighbours, norm, ReLU, 9 x 1 convolution, norm, dropout.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: STGCNConfig | None = None) -> None:
        config = config or STGCNConfig()
        super().__init__(skeleton, config)
        partitions = self.partitions(config.centre)

        def modules(before: int, out: int, stride: int) -> tuple[nn.Module, nn.Module]:
            return (
                PartitionConv(partitions, before, out, edges="weights"),
                TemporalUnit(out, out, config.kernel, stride),
            )

        self.stack(modules)
