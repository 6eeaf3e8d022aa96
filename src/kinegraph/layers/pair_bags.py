"""Sums over neighbours for one sample or two, as when somebody is lifted live: every weight is read once, in order.

There is nothing to reuse then, and a product is as fast as its weights come out of memory. Rows of a table that are
weighed and summed up, PyTorch's embedding bag, come twice as fast as those of a batched matrix product, and the sum
over a node's neighbours is part of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.layers.neighbours import Neighbours

__all__ = ["LayerBags", "PairBags"]

_BATCH = 2
"""More samples reuse weights, and products of matrices are quicker (measured: 1.8x for one and two, level at four)."""

_SUM = 0  # of the modes of torch.embedding_bag


class PairBags:
    """``h_i = sum_j x_j V_ij`` over the pairs of a graph, without gradients.

    Args:
        neighbours: the pairs.
        channels: features of ``x_j``.
    """

    def __init__(self, neighbours: Neighbours, channels: int) -> None:
        order = np.argsort(neighbours.targets, kind="stable")  # node by node, as the result is wanted
        counts = np.bincount(neighbours.targets, minlength=neighbours.nodes) * channels
        self._sources = torch.from_numpy(neighbours.sources[order])
        self._order = torch.from_numpy(order)
        rows = torch.from_numpy((order[:, None] * channels + np.arange(channels)).ravel().astype(np.int32))
        starts = torch.from_numpy((np.cumsum(counts) - counts).astype(np.int32))
        self._rows, self._starts = _for_batches(rows, starts)
        self._nodes = neighbours.nodes

    @staticmethod
    def suits(x: Tensor, weight: Tensor) -> bool:
        """Whether this is the quicker way: ``x`` (batch, nodes, in) of few samples in float32 on a CPU, and no
        gradients are wanted of ``weight`` (pairs, in, out), nor is a graph compiled or mixed precision at work."""
        return (
            not torch.compiler.is_compiling()  # first: a compiled graph serves every batch
            and 0 < x.shape[0] <= _BATCH
            and x.dtype == weight.dtype == torch.float32
            and x.device.type == weight.device.type == "cpu"
            and not torch.is_grad_enabled()
            and not torch.is_autocast_enabled("cpu")
        )

    def sum(self, x: Tensor, weight: Tensor, gate: Tensor | None = None) -> Tensor:
        """Gather, weigh and sum up.

        Args:
            x: ``(batch, nodes, in)``, a batch of one or two.
            weight: V ``(pairs, in, out)``, contiguous.
            gate: ``(batch, pairs)`` factors of the inputs.

        Returns:
            ``(batch, nodes, out)``.
        """
        batch = x.shape[0]
        inputs = x.index_select(1, self._sources)  # (batch, pairs, in)
        if gate is not None:
            inputs = inputs * gate.index_select(1, self._order).unsqueeze(-1)
        summed = _weighed(weight.flatten(0, 1), self._rows[batch - 1], self._starts[batch - 1], inputs)
        return summed.view(batch, self._nodes, -1)


class LayerBags:
    """``h_i = b_i + sum_j x_j V_ij + sum over terms of z_i R_i``: a whole folded layer, each node's rows in one bag.

    Args:
        neighbours: the pairs.
        weight: V ``(pairs, in, out)``.
        terms: R ``(nodes, width, out)`` of each term.
        bias: b ``(nodes, out)``.
        half: keep the weights as float16, half as much to read. Weights, features and sums are rounded to 11
            significant bits (TF32's), products and the sums themselves are float32. What exceeds 65504 is infinite.
    """

    def __init__(
        self, neighbours: Neighbours, weight: Tensor, terms: Sequence[Tensor], bias: Tensor, *, half: bool = False
    ) -> None:
        channels = weight.shape[1]
        rows: list[Tensor] = []
        values: list[NDArray[np.int64]] = []  # where, in one row of x, z and a one, that which weighs each row stands
        counts: list[int] = []
        for node in range(neighbours.nodes):
            pairs = np.flatnonzero(neighbours.targets == node)
            own = [weight[torch.from_numpy(pairs)].flatten(0, 1), *(term[node] for term in terms), bias[node, None]]
            values.append((neighbours.sources[pairs, None] * channels + np.arange(channels)).ravel())
            first = neighbours.nodes * channels
            for term in terms:
                values.append(first + node * term.shape[1] + np.arange(term.shape[1]))
                first += neighbours.nodes * term.shape[1]
            values.append(np.array([first]))
            rows += own
            counts.append(sum(map(len, own)))
        table = torch.cat(rows)  # in the order that they are read in
        self._table = table.half() if half else table
        self._values = torch.from_numpy(np.concatenate(values))
        order = torch.arange(len(self._table), dtype=torch.int32)
        starts = torch.tensor(np.cumsum(counts) - counts, dtype=torch.int32)
        self._rows, self._starts = _for_batches(order, starts)
        self._ones = [bias.new_ones(batch, 1) for batch in range(1, _BATCH + 1)]
        self._nodes = neighbours.nodes

    def sum(self, x: Tensor, terms: Sequence[Tensor]) -> Tensor:
        """The layer.

        Args:
            x: ``(batch, nodes, in)``, a batch of one or two.
            terms: z ``(batch, nodes, width)`` of each term.

        Returns:
            ``(batch, nodes, out)``, float32.
        """
        batch = x.shape[0]
        values = torch.cat([x.flatten(1), *(term.flatten(1) for term in terms), self._ones[batch - 1]], dim=1)
        weights = values.index_select(1, self._values).to(self._table.dtype)
        summed = _weighed(self._table, self._rows[batch - 1], self._starts[batch - 1], weights)
        return summed.view(batch, self._nodes, -1).to(x.dtype)


def _weighed(table: Tensor, rows: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Sums of each bag's rows of a table times their weights: ``functional.embedding_bag`` without its checks."""
    return torch.embedding_bag(table, rows, starts, False, _SUM, False, weights.flatten())[0]


def _for_batches(rows: Tensor, starts: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Rows of a table and where each node's begin, for one sample and for two: the second reads the same rows again."""
    batches = range(1, _BATCH + 1)
    return (
        [rows.repeat(batch) for batch in batches],
        [torch.cat([starts + sample * len(rows) for sample in range(batch)]) for batch in batches],
    )
