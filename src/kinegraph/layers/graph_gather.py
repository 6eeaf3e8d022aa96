"""Gathering along graphs and mapping the features, for rows (rows, nodes, frames, channels) of clips.

    y_i = sum over terms k of  sum_j  A_k[i, j]  x_j  W_k

Gathering and mapping commute; the narrower of the two widths is what gets gathered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.layers.clip_block import ClipNorm, Constants
from kinegraph.layers.graph_temporal import renewed

__all__ = ["PartitionConv", "gather", "gather_and_map", "spatial_partitions"]


def gather(graph: Tensor, x: Tensor) -> Tensor:
    """``y_i = sum_j graph[i, j] x_j`` of (rows, nodes, frames, channels).

    The graph is (nodes, nodes), one for each row (rows, nodes, nodes), or one for each frame
    (rows, frames, nodes, nodes).
    """
    rows, nodes, frames, channels = x.shape
    if graph.dim() == 4:
        return (graph @ x.transpose(1, 2)).transpose(1, 2)
    graphs = graph.expand(rows, nodes, nodes)
    return torch.bmm(graphs, x.reshape(rows, nodes, frames * channels)).view(rows, nodes, frames, channels)


def gather_and_map(
    x: Tensor,
    graphs: Sequence[Tensor],
    weights: Sequence[Tensor],
    bias: Tensor | None = None,
    besides: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The sum over terms of the module's equation, plus a bias.

    Args:
        x: (rows, nodes, frames, in).
        graphs: of each term, (nodes, nodes) or (rows, nodes, nodes).
        weights: of each term, (in, out).
        bias: (out,).
        besides: features (rows x nodes x frames, width) that are gathered already, and their weights (width, out).
    """
    rows, nodes, frames, channels = x.shape
    out = weights[0].shape[1]
    # In place the second and later terms need no memory of their own; what they add to is not needed for gradients.
    in_place = not (torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type))
    total: Tensor | None = None
    if channels >= out:
        flat = x.reshape(-1, channels)
        for graph, weight in zip(graphs, weights, strict=True):
            mapped = (flat @ weight).view(rows, nodes, frames * out)
            along = graph.expand(rows, nodes, nodes)
            if total is None:
                total = torch.bmm(along, mapped)
            else:
                total = total.baddbmm_(along, mapped) if in_place else torch.baddbmm(total, along, mapped)
        assert total is not None
        total = renewed(total, (-1, out))
        total = total if bias is None else total.add_(bias)
    else:
        for graph, weight in zip(graphs, weights, strict=True):
            gathered = gather(graph, x).reshape(-1, channels)
            if total is None:
                total = gathered @ weight if bias is None else torch.addmm(bias, gathered, weight)
            else:
                total = total.addmm_(gathered, weight) if in_place else torch.addmm(total, gathered, weight)
        assert total is not None
    if besides is not None:
        total = total.addmm_(*besides) if in_place else torch.addmm(total, *besides)
    return renewed(total, (rows, nodes, frames, out))


def spatial_partitions(distances: NDArray[np.int64], centre: int) -> NDArray[np.float64]:
    """Spatial configuration partitioning (Yan et al. 2018, section 3.3), row-normalised.

    The neighbourhood of a joint (itself and whoever is one hop away) falls into three subsets: as far from the
    centre joint as the joint itself, nearer, and farther. Row i of each matrix is the mean over that subset (the
    normalising term of their Eq. 4), or zero where the subset is empty. On a tree with the centre at the root these
    are the joint, its parent and its children: the graph of 2s-AGCN and ST-GCN++, and where CTR-GCN's starts here.

    Args:
        distances: hop distances (nodes, nodes), -1 where there is no path.
        centre: the joint in the middle.

    Returns:
        (3, nodes, nodes); ``[k, i, j]``: j feeds i.
    """
    near = (distances >= 0) & (distances <= 1)
    far = distances[centre]
    step = far[None, :] - far[:, None]  # [i, j]: how much farther out j is than i
    subsets = np.stack([near & (step == 0), near & (step < 0), near & (step > 0)]).astype(np.float64)
    shares: NDArray[np.float64] = subsets / np.maximum(subsets.sum(axis=2, keepdims=True), 1)
    return shares


class PartitionConv(Constants):
    """Graph convolution over a few subsets of neighbours, each with a weight of its own, and a norm.

    ``y = norm(sum_k (A_k * M_k) x W_k)`` with trained edge weights M_k that start at one (ST-GCN, ``edges="weights"``),
    or with trained A_k that start at the partitions (ST-GCN++, ``edges="free"``).

    Args:
        partitions: A, (terms, nodes, nodes).
        in_channels, out_channels: features of a joint.
        edges: what is learned about the graph.
    """

    def __init__(self, partitions: NDArray[np.float64], in_channels: int, out_channels: int, *, edges: str) -> None:
        super().__init__()
        start = torch.from_numpy(partitions).to(torch.get_default_dtype())
        self.free = edges == "free"
        self.edges = nn.Parameter(start.clone() if self.free else torch.ones_like(start))
        if not self.free:
            self.register_buffer("partitions", start, persistent=False)
        std = (1 / (len(partitions) * in_channels)) ** 0.5
        self.weight = nn.Parameter(torch.randn(len(partitions), in_channels, out_channels) * std)
        self.norm = ClipNorm(out_channels)

    def graphs(self) -> Tensor:
        """(terms, nodes, nodes) as they are now."""
        return self.edges if self.free else self.edges * self.get_buffer("partitions")

    def fold(self) -> tuple[Tensor, Tensor, Tensor]:
        """Graphs (terms, nodes, nodes), weights (terms, in, out) and bias (out,) with the norm in them."""
        scale, shift = self.norm.scale_and_shift()
        return self.graphs().detach(), self.weight * scale, shift

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(rows, nodes, frames, in) -> (rows, nodes, frames, out)."""
        folded = self.constants(x)
        if folded is not None:
            graphs, weight, bias = folded
            return gather_and_map(x, list(graphs), list(weight), bias)
        result: Tensor = self.norm(gather_and_map(x, list(self.graphs()), list(self.weight)), mask)
        return result
