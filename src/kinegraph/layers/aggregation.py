"""Aggregation of neighbours under the four weight-sharing schemes.

    h_i = sum_j  a_ij  x_j W        with W = W_ij, one matrix or one per node

Liu et al., *A Comprehensive Study of Weight Sharing in Graph Networks for 3D Human Pose Estimation*, ECCV 2020;
Ci et al., *Optimizing Network Structure for 3D Human Pose Estimation*, ICCV 2019 (``pairwise``);
Zeng et al., *Learning Skeletal Graph Neural Networks for Hard 3D Pose Estimation*, ICCV 2021, section 3.1.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kinegraph.errors import DataError
from kinegraph.layers.cached_products import sum_in_cache, wants_cache
from kinegraph.layers.feature_check import check_features
from kinegraph.layers.neighbours import Neighbours
from kinegraph.layers.pair_bags import PairBags
from kinegraph.layers.pair_products import SourceOrder, sum_inputs, sum_outputs

Sharing = Literal["pairwise", "shared", "pre_aggregation", "post_aggregation"]
"""W_ij per ordered pair, one W, W_j per source node, or W_i per target node."""

SMALL_BATCH = 4
"""Up to here one product per pair and a sum, in few calls (or :class:`.PairBags`, where they suit); above, the
arrangements of :mod:`.pair_products`."""


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
        # Squeezed outputs are summed after the product, wide ones inside it.
        self.source_order: SourceOrder | None = None
        if sharing == "pairwise" and 2 * out_channels <= in_channels:
            self.source_order = order = SourceOrder.of(pairs)
            self.register_buffer("source_nodes", torch.from_numpy(order.nodes), persistent=False)
            self.register_buffer("source_pairs", torch.from_numpy(order.pairs), persistent=False)
            self.register_buffer("source_targets", torch.from_numpy(order.targets.copy()), persistent=False)
        count = {"pairwise": len(pairs), "shared": 1}.get(sharing, pairs.nodes)
        shape = (in_channels, out_channels) if sharing == "shared" else (count, in_channels, out_channels)
        self.weight = nn.Parameter(torch.empty(shape))
        self.reset_parameters(gain)

    def reset_parameters(self, gain: float, adjacency: ArrayLike | None = None) -> None:
        """Draw the weights so that ``h_i`` has standard deviation ``gain`` under the given (or own) adjacency.

        That is ``(nodes, nodes)``.
        """
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

        Raises:
            DataError: features or a gate of other sizes.
        """
        check_features(self, x, self.neighbours.nodes, self.in_channels, ("batch",))
        if gate is not None:
            self._check_gate(gate, x)
        if self.sharing == "pairwise":
            return self._pairwise(x, gate)
        matrix = self.adjacency if gate is None else gate
        if self.sharing == "shared":
            return torch.matmul(matrix.to(x.dtype), x @ self.weight)
        if self.sharing == "pre_aggregation":
            return torch.matmul(matrix.to(x.dtype), _per_node(x, self.weight))
        return _per_node(torch.matmul(matrix.to(x.dtype), x), self.weight)

    def _check_gate(self, gate: Tensor, x: Tensor) -> None:
        nodes, sizes = self.neighbours.nodes, gate.shape
        if (
            len(sizes) not in (2, 3)
            or sizes[-1] != nodes
            or sizes[-2] != nodes
            or gate.shape[:-2] not in ((), x.shape[:1])
        ):
            raise DataError(
                f"Aggregation takes a gate (nodes, nodes) or (batch, nodes, nodes) = ({x.shape[0]}, {nodes}, {nodes}); "
                f"found {tuple(sizes)}"
            )

    @cached_property
    def _bags(self) -> PairBags:
        return PairBags(self.neighbours, self.in_channels)

    # ---- pairwise -------------------------------------------------------------------------------------------------

    def _gates(self, gate: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The gate on the pairs, either static ``(pairs,)`` or per sample ``(batch, pairs)``."""
        if gate is None:
            return (None if self.unweighted else self.pair_adjacency), None
        on_pairs = gate.flatten(-2).index_select(-1, self.targets * self.neighbours.nodes + self.sources)
        return (on_pairs, None) if gate.dim() == 2 else (None, on_pairs)

    def _pairwise(self, x: Tensor, gate: Tensor | None) -> Tensor:
        static, dynamic = self._gates(gate)
        weight = self.weight if static is None else self.weight * static.reshape(-1, 1, 1)
        if PairBags.suits(x, weight):
            return self._bags.sum(x, weight, dynamic)
        if not torch.compiler.is_compiling() and x.shape[0] <= SMALL_BATCH:  # a compiled graph serves every batch
            products = torch.bmm(x.index_select(1, self.sources).transpose(0, 1), weight)  # (pairs, batch, out)
            if dynamic is not None:
                products = products * dynamic.t().unsqueeze(-1)
            zeros = products.new_zeros((self.neighbours.nodes, *products.shape[1:]))
            return zeros.index_add(0, self.targets, products).transpose(0, 1)
        if self.source_order is not None:
            matrices = self.source_order.matrices(weight, self.source_pairs)
            if dynamic is not None:
                dynamic = dynamic.index_select(1, self.source_pairs)
            result = sum_outputs(x, self.source_nodes, self.source_targets, matrices, self.out_channels, dynamic)
            return result.transpose(0, 1)
        if wants_cache(x, self.neighbours):
            return sum_in_cache(x, weight, dynamic, self.neighbours, self.sources).transpose(0, 1)
        groups = sum_inputs(x, self.sources, self.neighbours.matrices(weight), dynamic)
        isolated = self.neighbours.nodes - sum(len(group) for group in groups)
        if isolated:
            groups.append(groups[0].new_zeros((isolated, *groups[0].shape[1:])))
        result = torch.cat(groups)
        return (result if self.sorted else result.index_select(0, self.position)).transpose(0, 1)

    def extra_repr(self) -> str:
        """Sizes, for ``print(model)``."""
        return f"{self.in_channels}, {self.out_channels}, {self.sharing}, pairs={len(self.neighbours)}"


def _per_node(x: Tensor, weight: Tensor) -> Tensor:
    """``(batch, nodes, in)`` by ``(nodes, in, out)``."""
    return torch.bmm(x.transpose(0, 1), weight).transpose(0, 1)
