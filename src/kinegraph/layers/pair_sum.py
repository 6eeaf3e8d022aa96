"""Sums over neighbours by constant weights, for inference, in the arrangement that each batch size wants."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from kinegraph.layers.neighbours import Neighbours
from kinegraph.layers.pair_bags import PairBags
from kinegraph.layers.pair_products import SourceOrder, onto_targets, sum_by_product, sum_inputs, sum_outputs

__all__ = ["PairSum"]


class PairSum:
    """``h_i = sum_j a_ij x_j V_ij`` with constant V, without gradients.

    Args:
        neighbours: the pairs.
        weight: V ``(pairs, in, out)``, on the device of the features.

    Gates ``a_ij`` are ``(batch, pairs)``; without them they are 1.
    """

    def __init__(self, neighbours: Neighbours, weight: Tensor) -> None:
        self.neighbours = neighbours
        self.weight = weight
        device = weight.device
        self.sources = torch.from_numpy(neighbours.sources).to(device)
        self.position = torch.from_numpy(neighbours.position).to(device)
        self.onto = onto_targets(torch.from_numpy(neighbours.targets).to(device), neighbours.nodes, weight.dtype)
        self.order: SourceOrder | None = None
        if 2 * weight.shape[2] <= weight.shape[1]:
            self.order = SourceOrder.of(neighbours)
            self.source_pairs = torch.from_numpy(self.order.pairs).to(device)
            self.matrices = self.order.matrices(weight, self.source_pairs)
            self.source_nodes = torch.from_numpy(self.order.nodes).to(device)
            self.source_targets = torch.from_numpy(self.order.targets).to(device)
        else:
            self.matrices = neighbours.matrices(weight)

    @cached_property
    def bags(self) -> PairBags:
        """The same sum for one sample or two."""
        return PairBags(self.neighbours, self.weight.shape[1])

    def few(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """One product for all pairs, then one that sums them: ``(nodes, batch, in) -> (nodes, batch, out)``."""
        inputs = x.index_select(0, self.sources)  # (pairs, batch, in)
        products = torch.bmm(inputs, self.weight)
        if gate is not None:
            products = products * gate.t().unsqueeze(-1)
        return sum_by_product(self.onto, products)

    def many(self, x: Tensor, gate: Tensor | None = None) -> Tensor:
        """One product per neighbourhood (or per source node): ``(batch, nodes, in) -> (nodes, batch, out)``."""
        if self.order is not None:
            gate = None if gate is None else gate.index_select(1, self.source_pairs)
            out = self.weight.shape[2]
            return sum_outputs(x, self.source_nodes, self.source_targets, self.matrices, out, gate)
        groups = sum_inputs(x, self.sources, self.matrices, gate)
        isolated = self.neighbours.nodes - sum(len(group) for group in groups)
        if isolated:
            groups.append(groups[0].new_zeros((isolated, *groups[0].shape[1:])))
        return torch.cat(groups).index_select(0, self.position)
