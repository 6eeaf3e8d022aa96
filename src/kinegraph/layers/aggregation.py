"""Aggregation of neighbours under the four weight-sharing schemes.

    h_i = sum_j  a_ij  x_j W        with W = W_ij, one matrix or one per node

Liu et al., *A Comprehensive Study of Weight Sharing in Graph Networks for 3D Human Pose Estimation*, ECCV 2020;
Ci et al., *Optimizing Network Structure for 3D Human Pose Estimation*, ICCV 2019 (``pairwise``);
Zeng et al., *Learning Skeletal Graph Neural Networks for Hard 3D Pose Estimation*, ICCV 2021, section 3.1.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kinegraph.layers.neighbours import Neighbours

Sharing = Literal["pairwise", "shared", "pre_aggregation", "post_aggregation"]
"""W_ij per ordered pair, one W, W_j per source node, or W_i per target node."""


class Aggregation(nn.Module):
    """``h_i = sum_j a_ij x_j W_(ij | . | j | i)`` over the pairs of one graph.

    Args:
        adjacency: ``(nodes, nodes)`` static ``a_ij``; row i is the target. Its non-zeros are the pairs.
        in_channels, out_channels: widths of ``x_j`` and ``h_i``.
        sharing: which pairs own a weight, see :data:`Sharing`.
        support: ``(nodes, nodes)`` bool, pairs that may become non-zero through a gate; default: the non-zeros.
        gain: standard deviation of ``h_i`` for independent inputs of unit variance. It is met at every node,
            whatever its degree, where weights belong to the target (``pairwise``, ``post_aggregation``), and on
            average over the nodes otherwise.

    Shapes: x ``(batch, nodes, in_channels)`` -> ``(batch, nodes, out_channels)``.
    """

    sources: Tensor
    targets: Tensor
    position: Tensor
    adjacency: Tensor
    pair_adjacency: Tensor
    source_nodes: Tensor
    source_pairs: Tensor
    source_targets: Tensor

    def __init__(
        self,
        adjacency: ArrayLike,
        in_channels: int,
        out_channels: int,
        *,
        sharing: Sharing = "pairwise",
        support: ArrayLike | None = None,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        values = np.asarray(adjacency, dtype=np.float64)
        self.neighbours = Neighbours(values != 0 if support is None else support)
        self.sharing = sharing
        self.in_channels = in_channels
        self.out_channels = out_channels
        pairs = self.neighbours
        for name, array in (("sources", pairs.sources), ("targets", pairs.targets), ("position", pairs.position)):
            self.register_buffer(name, torch.from_numpy(array.copy()), persistent=False)
        self.register_buffer("adjacency", torch.as_tensor(values, dtype=torch.float32), persistent=False)
        on_pairs = torch.as_tensor(values[pairs.targets, pairs.sources], dtype=torch.float32)
        self.register_buffer("pair_adjacency", on_pairs, persistent=False)
        # Asked of the NumPy array: a model built on torch's meta device has no values to look at.
        self.unweighted = bool((values[pairs.targets, pairs.sources] == 1).all())
        self.sorted = bool((pairs.position == np.arange(pairs.nodes)).all())
        # Squeezed outputs are summed after the product (a fraction of the traffic), wide ones inside it.
        self.sums_outputs = sharing == "pairwise" and 2 * out_channels <= in_channels
        if self.sums_outputs:
            self._sort_by_source()
        count = {"pairwise": len(pairs), "shared": 1}.get(sharing, pairs.nodes)
        shape = (in_channels, out_channels) if sharing == "shared" else (count, in_channels, out_channels)
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters(gain)

    def reset_parameters(self, gain: float, adjacency: ArrayLike | None = None) -> None:
        """Draw the weights so that ``h_i`` has standard deviation ``gain`` under the given (or own) adjacency."""
        if self.weight.is_meta:
            return  # shapes alone are asked for (kinegraph.weights compares them before it takes memory)
        values = self.adjacency.double() if adjacency is None else torch.as_tensor(np.asarray(adjacency)).double()
        energy = values.square().sum(dim=1).clamp(min=1e-12)  # sum_j a_ij^2 of each target
        mean = values.square().sum() / (energy > 1e-9).sum().clamp(min=1)
        own = {
            "pairwise": energy.to(self.targets.device)[self.targets].reshape(-1, 1, 1),
            "post_aggregation": energy.reshape(-1, 1, 1),
        }.get(self.sharing, mean)
        isolated = own <= 1e-9
        std = torch.where(isolated, mean, own).rsqrt() * (gain / math.sqrt(self.in_channels))
        with torch.no_grad():
            self.weight.normal_().mul_(std.to(self.weight))

    def forward(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """Aggregate.

        Args:
            x: ``(batch, nodes, in_channels)``.
            gate: replaces the static adjacency: ``(nodes, nodes)`` for all samples or ``(batch, nodes, nodes)``.
                Entries outside the support are never read under ``pairwise`` and must be zero otherwise.

        Returns:
            ``(batch, nodes, out_channels)``.
        """
        if self.sharing == "pairwise":
            return self._narrow(x, gate) if self.sums_outputs else self._wide(x, gate)
        matrix = self.adjacency if gate is None else gate
        if self.sharing == "shared":
            return torch.matmul(matrix.to(x.dtype), x @ self.weight)
        if self.sharing == "pre_aggregation":
            return torch.matmul(matrix.to(x.dtype), _per_node(x, self.weight))
        return _per_node(torch.matmul(matrix.to(x.dtype), x), self.weight)

    # ---- pairwise -------------------------------------------------------------------------------------------------

    def _gates(self, gate: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The gate on the pairs, either static ``(pairs,)`` or per sample ``(batch, pairs)``."""
        if gate is None:
            return (None if self.unweighted else self.pair_adjacency), None
        on_pairs = gate.flatten(-2).index_select(-1, self.targets * self.neighbours.nodes + self.sources)
        return (on_pairs, None) if gate.dim() == 2 else (None, on_pairs)

    def _wide(self, x: Tensor, gate: Tensor | None) -> Tensor:
        """Gather the inputs of all pairs; the sum over neighbours happens inside the matrix product."""
        static, dynamic = self._gates(gate)
        weight = self.weight if static is None else self.weight * static.reshape(-1, 1, 1)
        gathered = x.index_select(1, self.sources)  # (batch, pairs, in)
        if dynamic is not None:
            gathered = gathered * dynamic.unsqueeze(-1)
        outputs = []
        # split, not slices: its backward is one concatenation
        pieces = zip(self.split_pairs(gathered, dim=1), self.split_pairs(weight), strict=True)
        for group, (neighbours, matrix) in zip(self.neighbours.groups, pieces, strict=True):
            nodes, fan = len(group.nodes), group.degree * self.in_channels
            if group.degree == 0:
                outputs.append(x.new_zeros((nodes, x.shape[0], self.out_channels)))
                continue
            # (batch, nodes, degree * in) -> (nodes, batch, degree * in): a strided operand, not a copy
            operand = neighbours.reshape(x.shape[0], nodes, fan).transpose(0, 1)
            outputs.append(torch.bmm(operand, matrix.reshape(nodes, fan, self.out_channels)))
        result = outputs[0] if len(outputs) == 1 else torch.cat([o.to(outputs[0].dtype) for o in outputs])
        if not self.sorted:
            result = result.index_select(0, self.position)
        return result.transpose(0, 1)

    def _sort_by_source(self) -> None:
        """The same pairs grouped by the node they come from, for :meth:`_narrow`."""
        pairs = self.neighbours
        of_pair = {pair: p for p, pair in enumerate(zip(pairs.targets.tolist(), pairs.sources.tolist(), strict=True))}
        self.by_source = Neighbours(pairs.mask.T)
        sources, targets = self.by_source.targets, self.by_source.sources  # here a pair's target is what it comes from
        order = [of_pair[i, j] for i, j in zip(targets.tolist(), sources.tolist(), strict=True)]
        nodes = [node for group in self.by_source.groups if group.degree for node in group.nodes]
        self.register_buffer("source_pairs", torch.tensor(order), persistent=False)
        self.register_buffer("source_targets", torch.from_numpy(targets.copy()), persistent=False)
        self.register_buffer("source_nodes", torch.tensor(nodes), persistent=False)

    def source_weights(self, weight: Tensor) -> list[Tensor]:
        """Weights ``(pairs, in, out)`` as one ``(nodes, in, degree * out)`` per group of source nodes."""
        groups = [group for group in self.by_source.groups if group.degree]
        pieces = torch.split(weight.index_select(0, self.source_pairs), [len(g.nodes) * g.degree for g in groups])
        return [
            piece.reshape(len(group.nodes), group.degree, *weight.shape[1:]).transpose(1, 2).flatten(2)
            for group, piece in zip(groups, pieces, strict=True)
        ]

    def _narrow(self, x: Tensor, gate: Tensor | None) -> Tensor:
        """One product per source node gives its share in all its targets; the narrow shares are then summed."""
        static, dynamic = self._gates(gate)
        weight = self.weight if static is None else self.weight * static.reshape(-1, 1, 1)
        matrices = self.source_weights(weight)
        nodes = x.index_select(1, self.source_nodes).transpose(0, 1)  # (nodes, batch, in)
        shares = []
        for piece, matrix in zip(torch.split(nodes, [len(m) for m in matrices]), matrices, strict=True):
            product = torch.bmm(piece, matrix)  # (nodes, batch, degree * out)
            by_pair = product.reshape(*product.shape[:2], -1, self.out_channels).transpose(1, 2)
            shares.append(by_pair.flatten(0, 1))  # (pairs, batch, out)
        share = torch.cat(shares)
        if dynamic is not None:
            share = share * dynamic.index_select(1, self.source_pairs).t().unsqueeze(-1)
        result = share.new_zeros((self.neighbours.nodes, x.shape[0], self.out_channels))
        return result.index_add(0, self.source_targets, share).transpose(0, 1)

    def split_pairs(self, values: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
        """Cut a tensor with an axis of pairs into one per degree group."""
        sizes = [len(g.nodes) * g.degree for g in self.neighbours.groups]
        pieces: tuple[Tensor, ...] = torch.split(values, sizes, dim=dim)
        return pieces

    def extra_repr(self) -> str:
        """Sizes, for ``print(model)``."""
        return f"{self.in_channels}, {self.out_channels}, {self.sharing}, pairs={len(self.neighbours)}"


def _per_node(x: Tensor, weight: Tensor) -> Tensor:
    """``(batch, nodes, in)`` by ``(nodes, in, out)``."""
    return torch.bmm(x.transpose(0, 1), weight).transpose(0, 1)
