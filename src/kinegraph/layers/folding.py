"""Static linear maps between nodes, folded for inference.

In eval mode a layer of pairwise weights is one constant linear map: A_k is fixed, W_a follows W_ij without anything
between, and batch norm is a scale and a shift. :class:`FoldedPairs` is that map with all of them multiplied out
(short range) or left in two narrow factors where that is less (squeezed hops).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from kinegraph.layers.aggregation import Aggregation

SMALL_BATCH = 8
"""Up to here one product per pair and a sum, in few calls; above, one product per neighbourhood."""


class FoldedPairs:
    """``y_i = b_i + sum_j x_j V_ij + sum_k (sum_j x_j W_kij) R_ki``, without gradients.

    Args:
        wide: the pairs of V.
        pair_weights: V ``(pairs, in, out)``.
        bias: b ``(nodes, out)``.
        narrow: for each squeezed hop its pairs, W_k ``(pairs, in, width)`` and R_k ``(nodes, width, out)``.
    """

    def __init__(
        self,
        wide: Aggregation,
        pair_weights: Tensor,
        bias: Tensor,
        narrow: Iterable[tuple[Aggregation, Tensor, Tensor]] = (),
    ) -> None:
        groups = [group for group in wide.neighbours.groups if group.degree]
        self.out_channels = pair_weights.shape[2]
        self.wide = wide
        self.pair_weights = pair_weights
        self.bias = bias.unsqueeze(1)  # (nodes, 1, out)
        self.pair_sum = _sum_over_pairs(wide, pair_weights)
        self.sizes = [len(group.nodes) for group in groups]
        order = [node for group in wide.neighbours.groups for node in group.nodes]
        self.order = torch.tensor(order, device=bias.device)
        self.sorted_bias = self.bias.index_select(0, self.order)
        self.group_weights = [
            piece.reshape(len(group.nodes), -1, self.out_channels)
            for group, piece in zip(groups, torch.split(pair_weights, [n.degree * len(n.nodes) for n in groups]), strict=True)
        ]
        self.narrow = [_Narrow(hop, weights, rows, self.order) for hop, weights, rows in narrow]

    def __call__(self, x: Tensor) -> Tensor:
        """``(batch, nodes, in) -> (batch, nodes, out)``."""
        return self._few(x) if x.shape[0] <= SMALL_BATCH else self._many(x)

    def _few(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        by_node = x.transpose(0, 1)
        products = torch.bmm(by_node.index_select(0, self.wide.sources), self.pair_weights)
        total = torch.mm(self.pair_sum, products.view(len(products), -1)).view(-1, batch, self.out_channels)
        total.add_(self.bias)
        for hop in self.narrow:
            total.baddbmm_(hop.few(by_node), hop.rows)
        return total.transpose(0, 1)

    def _many(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        gathered = x.index_select(1, self.wide.sources)  # (batch, pairs, in)
        total = x.new_empty((len(self.order), batch, self.out_channels))  # in the order of the groups
        torch.add(self.sorted_bias, 0.0, out=total) if False else total.copy_(self.sorted_bias)
        for hop in self.narrow:
            total.baddbmm_(hop.many(x), hop.sorted_rows)
        start = pair = 0
        for size, matrix in zip(self.sizes, self.group_weights, strict=True):
            fan = matrix.shape[1]
            pairs = size * fan // x.shape[2]
            operand = gathered[:, pair : pair + pairs].view(batch, size, fan).transpose(0, 1)
            total[start : start + size].baddbmm_(operand, matrix)
            start, pair = start + size, pair + pairs
        return total.index_select(0, self.wide.position).transpose(0, 1)


class _Narrow:
    """``sum_j x_j W_ij`` of a squeezed hop."""

    def __init__(self, hop: Aggregation, weights: Tensor, rows: Tensor, order: Tensor) -> None:
        self.hop = hop
        self.weights = weights
        self.rows = rows
        self.sorted_rows = rows.index_select(0, order)
        self.pair_sum = _sum_over_pairs(hop, weights)
        self.position = torch.argsort(order)

    def few(self, by_node: Tensor) -> Tensor:
        products = torch.bmm(by_node.index_select(0, self.hop.sources), self.weights)
        return torch.mm(self.pair_sum, products.view(len(products), -1)).view(-1, *products.shape[1:])

    def many(self, x: Tensor) -> Tensor:
        return self.hop.narrow_shares(x, self.weights)


def _sum_over_pairs(hop: Aggregation, like: Tensor) -> Tensor:
    """``(nodes, pairs)`` of zeros and ones that sums the pairs of each target."""
    result = like.new_zeros((hop.neighbours.nodes, len(hop.neighbours)))
    result[hop.targets, torch.arange(len(hop.neighbours), device=like.device)] = 1
    return result


class FoldCache:
    """Keeps a folded form until the tensors it was made from change.

    A tensor changes when it is replaced or written in place (an optimiser's step, ``load_state_dict``); leaving or
    entering eval mode and moving the module start afresh too.
    """

    def __init__(self) -> None:
        self._key: tuple[Any, ...] | None = None
        self._value: Any = None

    def clear(self) -> None:
        """Forget."""
        self._key = self._value = None

    def get(self, modules: Iterable[nn.Module], build: Callable[[], Any]) -> Any:
        """The folded form of these modules, built anew if one of their tensors changed."""
        key = tuple(
            (id(t), 0 if t.is_inference() else t._version)
            for module in modules
            for store in (module._parameters, module._buffers)
            for t in store.values()
            if t is not None
        )
        if key != self._key:
            with torch.inference_mode(False), torch.no_grad():
                self._value = build()
            self._key = key
        return self._value

    def __deepcopy__(self, memo: dict[int, Any]) -> FoldCache:
        return FoldCache()
