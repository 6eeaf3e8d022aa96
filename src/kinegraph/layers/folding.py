"""Linear maps between nodes, folded for inference.

In eval mode a layer of pairwise weights is one constant linear map: A_k is fixed, W_a follows W_ij with nothing in
between, and batch norm is a scale and a shift. :class:`FoldedPairs` is that map, with all of them multiplied out, or
left in two narrow factors where that is less work (squeezed hops). Where features decide A_k, it is one map for given
gates, :class:`GatedPairs`.

One sample or two are as fast as the weights come out of memory. Whoever lowers PyTorch's precision of float32 products
(``torch.set_float32_matmul_precision("high")``, TF32 on GPUs) has the folded weights kept as float16 for them: half
the memory to read, and TF32's accuracy.
"""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.layers.aggregation import SMALL_BATCH, Aggregation
from kinegraph.layers.neighbours import Neighbours
from kinegraph.layers.pair_bags import LayerBags, PairBags
from kinegraph.layers.pair_sum import PairSum

DENSE_WIDTH = 128
"""Keypoints in or out of all nodes together up to this width: one dense product, zeros and all, is quickest."""


class FoldedPairs:
    """``y_i = b_i + sum over terms of (sum_j a_ij x_j W_ij) R_i``, without gradients.

    Args:
        terms: aggregations with pairwise weights and what follows them, R ``(nodes, width, out)``. The first is
            multiplied out, the others where that is less work.
        bias: b ``(nodes, out)``.
        gates: for each term a learned ``a_ij`` ``(nodes, nodes)``, or ``None`` for its own adjacency.
    """

    def __init__(
        self, terms: Sequence[tuple[Aggregation, Tensor]], bias: Tensor, gates: Sequence[Tensor | None]
    ) -> None:
        nodes, out = bias.shape
        channels = terms[0][0].in_channels
        full = bias.new_zeros((nodes * nodes, channels, out))
        mask = np.zeros((nodes, nodes), dtype=bool)
        self.factored: list[tuple[PairSum, Tensor]] = []
        for (hop, rows), gate in zip(terms, gates, strict=True):
            factors = hop.pair_adjacency if gate is None else gate[hop.targets, hop.sources]
            weight = hop.weight * factors.to(hop.weight.dtype).reshape(-1, 1, 1)
            pairs, width = len(hop.neighbours), hop.out_channels
            less = pairs * channels * width + nodes * width * out < pairs * channels * out
            if less and mask.any():
                self.factored.append((PairSum(hop.neighbours, weight), rows))
            else:
                full.index_add_(0, hop.targets * nodes + hop.sources, torch.bmm(weight, rows[hop.targets]))
                mask |= hop.neighbours.mask
        self.bias = bias.unsqueeze(1)  # (nodes, 1, out)
        self.dense: Tensor | None = None
        if nodes * min(channels, out) <= DENSE_WIDTH and not self.factored:
            blocks = full.view(nodes, nodes, channels, out)  # [target, source]
            self.dense = blocks.permute(1, 2, 0, 3).reshape(nodes * channels, nodes * out)
            return
        neighbours = Neighbours(mask)
        at = neighbours.targets * nodes + neighbours.sources
        self.direct = PairSum(neighbours, full[torch.from_numpy(at).to(bias.device)])

    def __call__(self, x: Tensor) -> Tensor:
        """``(batch, ..., nodes, in) -> (batch, ..., nodes, out)``."""
        if x.dim() > 3:
            return torch.unflatten(self(x.flatten(0, -3)), 0, x.shape[:-2])
        if self.dense is not None:
            return torch.addmm(self.bias.view(1, -1), x.flatten(1), self.dense).view(*x.shape[:2], self.bias.shape[-1])
        if PairBags.suits(x, self.bias):
            terms = [inner.bags.sum(x, inner.weight) for inner, _ in self.factored]
            if torch.get_float32_matmul_precision() != "highest":
                result = self._half_bags.sum(x, terms)
                if math.isfinite(result.sum().item()):  # float16 ends at 65504, TF32 does not
                    return result
            return self._bags.sum(x, terms)
        if x.shape[0] <= SMALL_BATCH:
            by_node = x.transpose(0, 1)
            total = self.direct.few(by_node).add_(self.bias)
            for inner, rows in self.factored:
                total.baddbmm_(inner.few(by_node), rows)
            return total.transpose(0, 1)
        total = self.direct.many(x).add_(self.bias)
        for inner, rows in self.factored:
            total.baddbmm_(inner.many(x), rows)
        return total.transpose(0, 1)

    @cached_property
    def _bags(self) -> LayerBags:
        """The same for one sample or two, as a table of its own: made when the first of them comes."""
        return self._as_bags(half=False)

    @cached_property
    def _half_bags(self) -> LayerBags:
        """The same in float16."""
        return self._as_bags(half=True)

    def _as_bags(self, *, half: bool) -> LayerBags:
        with torch.inference_mode(False), torch.no_grad():
            rows = [rows for _, rows in self.factored]
            return LayerBags(self.direct.neighbours, self.direct.weight, rows, self.bias.squeeze(1), half=half)


class GatedPairs:
    """``y_i = b_i + sum over terms of (sum_j a_ij(x) x_j W_ij) R_i``: gates that features decide, without gradients.

    A gate weighs inputs, so that R follows W with nothing in between all the same: the first term is multiplied out.

    Args:
        terms: aggregations with pairwise weights and what follows them, R ``(nodes, width, out)``.
        bias: b ``(nodes, out)``.
        gates: ``(batch, frames, nodes, in) -> (batch * frames, nodes, nodes)`` for each term.
    """

    def __init__(
        self,
        terms: Sequence[tuple[Aggregation, Tensor]],
        bias: Tensor,
        gates: Callable[[Tensor], Sequence[Tensor]],
    ) -> None:
        self.gates = gates
        self.bias = bias.unsqueeze(1)  # (nodes, 1, out)
        (hop, rows), *others = terms
        self.first = PairSum(hop.neighbours, torch.bmm(hop.weight, rows[hop.targets]))
        self.others = [(PairSum(hop.neighbours, hop.weight.detach()), rows) for hop, rows in others]
        nodes = len(bias)
        self.pairs = [hop.targets * nodes + hop.sources for hop, _ in terms]

    def __call__(self, x: Tensor) -> Tensor:
        """``(batch, nodes, in)`` or ``(batch, ..., frames, nodes, in)`` to the same with ``out``."""
        flat = x.reshape(-1, *x.shape[-2:])
        found = self.gates(as_frames(x))
        first, *others = (gate.flatten(1).index_select(1, pairs) for gate, pairs in zip(found, self.pairs, strict=True))
        total = self._sum(self.first, flat, first).add_(self.bias)
        for (inner, rows), gate in zip(self.others, others, strict=True):
            total.baddbmm_(self._sum(inner, flat, gate), rows)
        return total.transpose(0, 1).reshape(*x.shape[:-1], total.shape[-1])

    def _sum(self, pairs: PairSum, x: Tensor, gate: Tensor) -> Tensor:
        """``(nodes, batch, out)``."""
        if PairBags.suits(x, self.bias):
            return pairs.bags.sum(x, pairs.weight, gate).transpose(0, 1)
        return pairs.few(x.transpose(0, 1), gate) if x.shape[0] <= SMALL_BATCH else pairs.many(x, gate)


def as_frames(x: Tensor) -> Tensor:
    """As ``(batch, frames, nodes, channels)``: poses are sequences of one, further axes are more of a batch."""
    return x.unsqueeze(1) if x.dim() == 3 else x if x.dim() == 4 else x.flatten(0, -4)


class FoldCache:
    """Keeps a folded form until a tensor that it was made from is replaced or written in place.

    Writing through ``tensor.data``, to tensors made under ``torch.inference_mode``, or by PyTorch's fused optimisers,
    leaves no trace: loading weights, entering eval mode, and looking with gradients as training does, make it anew
    (:meth:`clear`).
    """

    def __init__(self) -> None:
        self._places: list[tuple[dict[str, Any], str]] = []
        self._tensors: list[Tensor] = []
        self._counted: list[Tensor] = []  # those of them whose versions are counted
        self._versions: list[int] = []
        self._folded: Any = None

    def clear(self) -> None:
        """Forget."""
        self._places, self._tensors, self._counted, self._versions, self._folded = [], [], [], [], None

    def applies(self, owner: nn.Module, x: Tensor) -> bool:
        """Whether the folded form may stand in: eval mode, no gradients wanted, no compiler and no autocast at work.

        Of ``x``, of any shape, only the device counts.
        """
        if torch.compiler.is_compiling():
            return False
        if owner.training or torch.is_grad_enabled():
            self.clear()
            return False
        # copies of nn.DataParallel, each on a GPU of its own, share this cache
        return not torch.is_autocast_enabled(x.device.type) and not getattr(owner, "_is_replica", False)

    def get(self, owner: nn.Module, fold: Callable[[], Any]) -> Any:
        """The folded form of a module, made anew if a tensor of its state changed."""
        if not self._places:
            self._places = [
                (store, name)
                for module in owner.modules()
                for store in (module._parameters, module._buffers)
                for name, tensor in store.items()
                if tensor is not None and name not in module._non_persistent_buffers_set
            ]
        try:
            tensors = [store[name] for store, name in self._places]
        except KeyError:  # a weight was pruned or parametrised: it goes by another name
            self.clear()
            return self.get(owner, fold)
        same = len(tensors) == len(self._tensors) and all(map(operator.is_, tensors, self._tensors))
        if not same or [tensor._version for tensor in self._counted] != self._versions:
            counted = [tensor for tensor in tensors if not tensor.is_inference()]
            versions = [tensor._version for tensor in counted]
            with torch.inference_mode(False), torch.no_grad():
                self._folded = fold()
            self._tensors, self._counted, self._versions = tensors, counted, versions
        return self._folded

    def __deepcopy__(self, memo: dict[int, Any]) -> FoldCache:
        return FoldCache()

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.clear()


class KeepsFold(nn.Module):
    """Base of modules that keep a folded form of themselves; whatever may have changed their weights clears it."""

    def __init__(self) -> None:
        super().__init__()
        self._cache = FoldCache()

    def train(self, mode: bool = True) -> Self:
        """Enter training or eval mode; either way the folded form is made anew."""
        self._cache.clear()
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._cache.clear()  # another device or precision
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._cache.clear()  # weights made under inference_mode count no versions
        super()._load_from_state_dict(*args, **kwargs)


class Folds(KeepsFold, ABC):
    """Base of the layers that are one linear map for given gates, or can be, once training is over.

    In eval mode without gradients :meth:`folded_form` is that map, made when it is first asked for.
    """

    @abstractmethod
    def folds(self) -> bool:
        """Whether these options make it one linear map."""

    @abstractmethod
    def fold(self, scale: Tensor | None = None, shift: Tensor | None = None) -> FoldedPairs | GatedPairs:
        """The map, followed by ``scale * y + shift`` (each ``(nodes, out)``) if given."""

    def folded_form(self, x: Tensor) -> FoldedPairs | GatedPairs | None:
        """The map, if it may stand in for ``x``, ``(batch, ..., nodes, in)``; see :meth:`FoldCache.applies`."""
        if not self._cache.applies(self, x) or not self.folds():
            return None
        folded: FoldedPairs | GatedPairs = self._cache.get(self, self.fold)
        return folded
