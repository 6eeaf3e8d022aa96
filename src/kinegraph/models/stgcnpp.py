"""ST-GCN++: ST-GCN with free graphs, residual connections inside and temporal convolutions in branches.

Duan, Wang, Chen, Lin, *PYSKL: Towards Good Practices for Skeleton Action Recognition*, ACM MM 2022, section 3. Design
and hyper-parameters are the paper's and its published configuration's; no code is. Readings: linear maps have no bias
where a norm follows, and of the six branches (kernel 3 with dilations 1 to 4, maximum over 3 frames, plain map) the
first takes the channels that six do not divide.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from kinegraph.layers.graph_gather import PartitionConv
from kinegraph.layers.multi_branch_temporal import MultiBranchTemporal
from kinegraph.models.graph_recognizer import GraphRecognizer, GraphRecognizerConfig
from kinegraph.skeleton import Skeleton

__all__ = ["STGCNpp", "STGCNppConfig"]


@dataclass(frozen=True, kw_only=True)
class STGCNppConfig(GraphRecognizerConfig):
    """Configuration of :class:`STGCNpp`."""

    dropout: float = 0.0
    """Share of features dropped after each temporal module."""
    centre: str | None = None
    """The joint from which neighbours are nearer or farther; null: the skeleton's root."""


class STGCNpp(GraphRecognizer):
    """Ten blocks: three free graphs, norm, inner residual, ReLU, six temporal branches, outer residual, ReLU.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: STGCNppConfig | None = None) -> None:
        config = config or STGCNppConfig()
        super().__init__(skeleton, config)
        partitions = self.partitions(config.centre)

        def modules(before: int, out: int, stride: int) -> tuple[nn.Module, nn.Module]:
            return (
                PartitionConv(partitions, before, out, edges="free"),
                MultiBranchTemporal(out, kernel=3, dilations=(1, 2, 3, 4), stride=stride, merge=True),
            )

        self.stack(modules, inner=True)
