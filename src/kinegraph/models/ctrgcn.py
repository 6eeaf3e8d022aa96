"""CTR-GCN: a graph of its own for every channel of every clip, refined from one that all share.

Chen, Zhang, Yuan, Li, Deng, Hu, *Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
Recognition*, ICCV 2021. Equations and hyper-parameters are the paper's and its published configuration's; no code is.
Readings: ten blocks, the first without a residual connection; relations are made of C / 8 channels (8 where the input
is raw coordinates); alpha is one number a block, which starts at 0; four temporal branches (kernel 5 with dilations 1
and 2, maximum over 3 frames, plain map); linear maps have no bias where a norm follows; A starts as means over the
partitions, where in the published code it starts as the transposes of these; the norm of the input is that of a
joint's coordinate whoever moves, where the published one tells first from second people; the classifier starts
smaller by the root of its width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.layers.clip_block import Constants, quiet_norm, time_mean
from kinegraph.layers.multi_branch_temporal import MultiBranchTemporal
from kinegraph.models.graph_recognizer import GraphRecognizer, GraphRecognizerConfig
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["CTRGCN", "CTRGCNConfig", "RefinedGraphConv"]

_RAW = 9  # up to so many channels are coordinates (and motion), not features
_RAW_RELATIONS = 8


@dataclass(frozen=True, kw_only=True)
class CTRGCNConfig(GraphRecognizerConfig):
    """Configuration of :class:`CTRGCN`."""

    reduction: int = 8
    """Relations between joints have a block's input width divided by this."""
    dropout: float = 0.0
    """Share of features dropped after each temporal module."""
    centre: str | None = None
    """The joint from which neighbours are nearer or farther; null: the skeleton's root."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "reduction")


class CTRGCN(GraphRecognizer):
    """Ten blocks: three CTR-GCs, norm, inner residual, ReLU, four temporal branches, outer residual, ReLU.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: CTRGCNConfig | None = None) -> None:
        config = config or CTRGCNConfig()
        super().__init__(skeleton, config)
        partitions = self.partitions(config.centre)

        def modules(before: int, out: int, stride: int) -> tuple[nn.Module, nn.Module]:
            relations = _RAW_RELATIONS if before <= _RAW else max(1, before // config.reduction)
            return (
                RefinedGraphConv(partitions, before, out, relations=relations),
                MultiBranchTemporal(out, kernel=5, dilations=(1, 2), stride=stride, merge=False),
            )

        self.stack(modules, inner=True)


class RefinedGraphConv(Constants):
    """The sum of CTR-GCs over partitions, and a norm (section 3.2, Eq. 3 to 6).

    Of each partition k: relations q_k(x) = xi_k(tanh(phi_k(x)_i - psi_k(x)_j)) of the features averaged over time, a
    graph R = A_k + alpha q_k for every channel, and z_c = R_c (x W_k)_c. A_k is trained from the partition on.

    Args:
        partitions: start of A, (terms, nodes, nodes).
        in_channels, out_channels: features of a joint.
        relations: width of phi and psi.

    Shapes: (rows, nodes, frames, in) -> (rows, nodes, frames, out).
    """

    def __init__(self, partitions: NDArray[np.float64], in_channels: int, out_channels: int, *, relations: int) -> None:
        super().__init__()
        terms = len(partitions)
        self.shared = nn.Parameter(torch.from_numpy(partitions).to(torch.get_default_dtype()))
        self.alpha = nn.Parameter(torch.zeros(()))
        self.relate = nn.Linear(in_channels, 2 * terms * relations)  # all phi_k, then all psi_k
        self.refine = nn.ModuleList(nn.Linear(relations, out_channels) for _ in range(terms))  # xi_k
        std = (1 / (terms * in_channels)) ** 0.5
        self.weight = nn.Parameter(torch.randn(terms, in_channels, out_channels) * std)
        self.norm = quiet_norm(out_channels)

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weights (terms, in, out) and bias (out,) with the norm in them."""
        scale, shift = self.norm.scale_and_shift()
        return self.weight * scale, shift

    def graphs(self, x: Tensor, mask: Tensor | None) -> list[Tensor]:
        """R of each term, (rows, out, nodes, nodes)."""
        terms = len(self.shared)
        related = self.relate(time_mean(x, mask)).unflatten(-1, (2, terms, -1))  # (rows, nodes, 2, terms, relations)
        found = []
        for term, refine in enumerate(self.refine):
            left, right = related[:, :, 0, term], related[:, :, 1, term]
            differences = torch.tanh(left.unsqueeze(2) - right.unsqueeze(1))  # (rows, nodes, nodes, relations)
            refined = refine(differences).permute(0, 3, 1, 2)
            found.append(torch.addcmul(self.shared[term], refined, self.alpha))
        return found

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve and normalise."""
        graphs = self.graphs(x, mask)
        folded = self.constants(x)
        if folded is not None:
            return self._gather(x, graphs, folded[0]).add_(folded[1])
        result: Tensor = self.norm(self._gather(x, graphs, self.weight), mask)
        return result

    def _gather(self, x: Tensor, graphs: list[Tensor], weights: Tensor) -> Tensor:
        rows, nodes, frames, channels = x.shape
        flat = x.reshape(rows, nodes * frames, channels).transpose(1, 2)
        out = weights.shape[2]
        in_place = not (torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type))
        total: Tensor | None = None
        for graph, weight in zip(graphs, weights, strict=True):
            # The product puts channels first, so that each channel's nodes x frames is one matrix for its graph.
            mapped = torch.bmm(weight.t().expand(rows, out, channels), flat).view(rows * out, nodes, frames)
            along = graph.reshape(rows * out, nodes, nodes)
            if total is None:
                total = torch.bmm(along, mapped)
            else:
                total = total.baddbmm_(along, mapped) if in_place else torch.baddbmm(total, along, mapped)
        assert total is not None
        return total.view(rows, out, nodes, frames).permute(0, 2, 3, 1).contiguous()
