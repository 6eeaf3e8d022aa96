"""2s-AGCN: graphs that are fixed, learned, and computed from each clip, added up.

Shi, Zhang, Cheng, Lu, *Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition*, CVPR
2019. One of its two streams; joints and bones are two runs whose scores are fused. Equations and hyper-parameters are
the paper's and its published configuration's; no code is. Readings: ten blocks as in the published configuration, the
first without a residual connection; C is normalised by the embeddings' length (channels x frames) before its softmax,
which runs over the neighbours j of a joint i; linear maps have no bias where a norm follows; the norm of the input is
that of a joint's coordinate whoever moves, where the published one tells first from second people; the classifier
starts smaller by the root of its width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.layers.clip_block import Constants, TemporalUnit, blank, quiet_norm
from kinegraph.layers.graph_gather import gather_and_map
from kinegraph.models.graph_recognizer import GraphRecognizer, GraphRecognizerConfig
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["AGCN", "AGCNConfig", "AdaptiveGraphConv"]

_START = 1e-6  # of B: next to nothing, so that training starts from the skeleton


@dataclass(frozen=True, kw_only=True)
class AGCNConfig(GraphRecognizerConfig):
    """Configuration of :class:`AGCN`."""

    kernel: int = 9
    """Frames under the temporal convolution."""
    reduction: int = 4
    """The embeddings theta and phi have a block's width divided by this."""
    centre: str | None = None
    """The joint from which neighbours are nearer or farther; null: the skeleton's root."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "kernel", "reduction")


class AGCN(GraphRecognizer):
    """Ten blocks: adaptive graph convolution with a residual connection, ReLU, 9 x 1 convolution, norm, residual, ReLU.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.
    """

    def __init__(self, skeleton: Skeleton, config: AGCNConfig | None = None) -> None:
        config = config or AGCNConfig()
        super().__init__(skeleton, config)
        partitions = self.partitions(config.centre)

        def modules(before: int, out: int, stride: int) -> tuple[nn.Module, nn.Module]:
            return (
                AdaptiveGraphConv(partitions, before, out, embed=max(1, out // config.reduction)),
                TemporalUnit(out, out, config.kernel, stride),
            )

        self.stack(modules, inner=True)


class AdaptiveGraphConv(Constants):
    """``norm(sum_k (A_k + B_k + C_k) x W_k)`` (section 4.1, Eq. 3 and 4).

    A_k is the skeleton's k-th partition, B_k is trained and the same for every clip, and
    C_k = softmax(theta_k(x) phi_k(x)^T) is computed from all frames of a person.

    Args:
        partitions: A, (terms, nodes, nodes).
        in_channels, out_channels: features of a joint.
        embed: width of theta and phi.

    Shapes: (rows, nodes, frames, in) -> (rows, nodes, frames, out).
    """

    def __init__(self, partitions: NDArray[np.float64], in_channels: int, out_channels: int, *, embed: int) -> None:
        super().__init__()
        start = torch.from_numpy(partitions).to(torch.get_default_dtype())
        terms = len(start)
        self.register_buffer("skeleton_graphs", start, persistent=False)  # A
        self.learned = nn.Parameter(torch.full_like(start, _START))  # B
        self.embed = nn.Linear(in_channels, 2 * terms * embed)  # all theta_k, then all phi_k
        nn.init.zeros_(self.embed.bias)
        std = (1 / (terms * in_channels)) ** 0.5
        self.weight = nn.Parameter(torch.randn(terms, in_channels, out_channels) * std)
        self.norm = quiet_norm(out_channels)

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weights (terms, in, out) and bias (out,) with the norm in them."""
        scale, shift = self.norm.scale_and_shift()
        return self.weight * scale, shift

    def graphs(self, x: Tensor, mask: Tensor | None) -> list[Tensor]:
        """A + B + C of each term, (rows, nodes, nodes)."""
        terms = len(self.learned)
        embedded = torch.unflatten(blank(self.embed(x), mask), -1, (2 * terms, -1))
        length: Tensor | int = x.shape[2] if mask is None else mask.sum(dim=1).clamp(min=1).view(-1, 1, 1).to(x.dtype)
        # each embedding of a node over all frames in one row: (rows, 2 terms, nodes, frames x embed)
        flat = embedded.permute(0, 3, 1, 2, 4).flatten(3)
        size = embedded.shape[-1] * length
        found = []
        for term in range(terms):
            similar = torch.bmm(flat[:, term], flat[:, terms + term].transpose(1, 2)) / size
            fixed = self.get_buffer("skeleton_graphs")[term] + self.learned[term]
            found.append(fixed + torch.softmax(similar, dim=-1))
        return found

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve and normalise."""
        graphs = self.graphs(x, mask)
        folded = self.constants(x)
        if folded is not None:
            return gather_and_map(x, graphs, list(folded[0]), folded[1])
        result: Tensor = self.norm(gather_and_map(x, graphs, list(self.weight)), mask)
        return result
