"""The HCSF layer with shared weights on whole clips, arranged for speed.

The same layer, the same parameters and, but for rounding, the same values as :class:`kinegraph.layers.hcsf.HCSF` with
``sharing="shared"`` (Zeng et al. 2021, Eq. 3 to 6), on rows (rows, nodes, frames, channels). Where nothing
nonlinear stands between W_k and W_a, each wide hop meets the product W_k W_a, one map instead of two; a squeezed hop
is mapped to its few channels, gathered, and mapped on.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kinegraph.errors import ConfigError
from kinegraph.layers.aggregation import Aggregation
from kinegraph.layers.clip_block import ClipNorm, Constants
from kinegraph.layers.dynamic_graph import DynamicGraph
from kinegraph.layers.graph_gather import gather_and_map
from kinegraph.layers.hcsf import HCSF, HCSFOptions
from kinegraph.layers.hop_gates import HopGate, hop_gates

__all__ = ["ClipHCSF"]


class _Maps(NamedTuple):
    """A layer without nonlinear fusion as sums of maps."""

    direct: list[int]
    """Hops that meet one map."""
    weights: list[Tensor]
    """W_k W_a of those, (in, out)."""
    squeezed: list[int]
    """Hops that meet two."""
    narrow: list[Tensor]
    """W_k of those, (in, C_k)."""
    following: Tensor | None
    """Their rows of W_a, (sum of C_k, out)."""
    bias: Tensor | None


class ClipHCSF(HCSF, Constants):
    """An HCSF layer with shared weights, and a norm, for rows of clips.

    Args:
        distances, in_channels, out_channels, options, width: as :class:`HCSF`; sharing is ``shared``.

    Shapes: (rows, nodes, frames, in) -> (rows, nodes, frames, out).

    Raises:
        ConfigError: weights that are not shared.
    """

    def __init__(
        self,
        distances: ArrayLike,
        in_channels: int,
        out_channels: int,
        options: HCSFOptions,
        *,
        width: int | None = None,
    ) -> None:
        if options.sharing != "shared":
            raise ConfigError(f"sharing '{options.sharing}': HCSF on clips shares its weights; set it to 'shared'")
        super().__init__(distances, in_channels, out_channels, options, width=width)
        self.norm = ClipNorm(out_channels)
        self.transform.bias = None  # the norm takes it off again

    def fold(self) -> _Maps:  # type: ignore[override]
        """The layer as maps, with its own norm in them: for graphs that do not depend on the input too."""
        return self._maps(*self.norm.scale_and_shift())

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Update every node's features in every frame, and normalise."""
        hops = [hop for hop in self.hops if isinstance(hop, Aggregation)]
        graphs = [graph for graph in self.graphs if isinstance(graph, DynamicGraph)]
        gates = hop_gates([hop.adjacency.to(x.dtype) for hop in hops], graphs, x, mask)
        if "multiply" in (self.hop_fusion.fusion, self.range_fusion.fusion) and len(hops) > 1:
            return self._norm(self._multiplied(x, gates, hops), mask)
        folded: _Maps | None = self.constants(x)
        maps = self._maps() if folded is None else folded
        result = _apply_maps(x, gates, maps)
        return self._norm(result, mask) if folded is None else result

    def _norm(self, y: Tensor, mask: Tensor | None) -> Tensor:
        normalised: Tensor = self.norm(y, mask)
        return normalised

    def _maps(self, scale: Tensor | None = None, shift: Tensor | None = None) -> _Maps:
        rows: Tensor = self.transform.weight
        if scale is not None:
            rows = rows * scale
        of_range = self.range_fusion.fold(rows.unsqueeze(0))
        following = [one[0] for one in of_range[:1] + (self.hop_fusion.fold(of_range[1]) if of_range[1:] else [])]
        direct: list[int] = []
        squeezed: list[int] = []
        out = rows.shape[1]
        weights: list[Tensor] = []
        for index, hop in enumerate(self.hops):
            weight = hop.weight
            assert isinstance(weight, Tensor)
            weights.append(weight)
            channels, width = weight.shape
            (direct if index == 0 or width * (channels + out) >= channels * out else squeezed).append(index)
        return _Maps(
            direct,
            [weights[index] @ following[index] for index in direct],
            squeezed,
            [weights[index] for index in squeezed],
            torch.cat([following[index] for index in squeezed]) if squeezed else None,
            shift,
        )

    def _multiplied(self, x: Tensor, gates: list[HopGate], hops: list[Aggregation]) -> Tensor:
        """With a product of features among the fusions every h_k is needed for itself."""
        found = [gate.gather(x @ hop.weight) for gate, hop in zip(gates, hops, strict=True)]
        long_range: tuple[Tensor, ...] = self.hop_fusion(tuple(found[1:]))
        if not self.range_fusion.passes and len(long_range) > 1:
            long_range = (torch.cat(long_range, dim=-1),)
        return self.transform.forward_parts(self.range_fusion((found[0], *long_range)))


def _apply_maps(x: Tensor, gates: list[HopGate], maps: _Maps) -> Tensor:
    channels, out = maps.weights[0].shape
    besides = None
    if maps.following is not None:
        narrow = torch.unflatten(x.reshape(-1, channels) @ torch.cat(maps.narrow, dim=1), 0, x.shape[:3])
        parts = torch.split(narrow, [weight.shape[1] for weight in maps.narrow], dim=-1)
        found = [gates[index].gather(part) for index, part in zip(maps.squeezed, parts, strict=True)]
        besides = (torch.cat(found, dim=-1).flatten(0, 2), maps.following)
    direct = [gates[index] for index in maps.direct]
    fixed = [gate.fixed for gate in direct if gate.fixed is not None]
    by_frame = [
        gate.by_frame(x @ weight) if channels >= out else gate.by_frame(x) @ weight
        for gate, weight in zip(direct, maps.weights, strict=True)
        if gate.computed is not None
    ]
    if fixed:
        return sum(by_frame, gather_and_map(x, fixed, maps.weights, maps.bias, besides))
    total = sum(by_frame[1:], by_frame[0])
    total = total if maps.bias is None else total + maps.bias
    return total if besides is None else torch.addmm(total.reshape(-1, out), *besides).view(total.shape)
