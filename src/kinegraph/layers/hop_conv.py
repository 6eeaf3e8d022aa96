"""Graph convolutions over several ranges of hops, the rivals of HCSF: all nodes *within* k hops, for one or more k.

k-hop, MixHop and MS-Hop as the HCSF paper compares with them (Zeng et al. 2021, supplement 2.3, Table 6; MixHop after
Abu-El-Haija et al., ICML 2019): concatenated, each with its share of the output, or averaged, each with all of it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.clip_block import ClipNorm, Constants
from kinegraph.layers.dynamic_graph import DynamicGraph, DynamicMode
from kinegraph.layers.graph_gather import gather_and_map
from kinegraph.layers.hop_gates import HopGate, hop_gates

__all__ = ["HopConv"]


class _Folded(NamedTuple):
    weights: list[Tensor]
    bias: Tensor


class HopConv(Constants):
    """``norm(concat_k or mean_k of A_k x W_k)`` with A_k[i, j] = 1 where j is within k hops of i.

    Args:
        distances: hop distances (nodes, nodes).
        in_channels, out_channels: features of a joint.
        hops: each k.
        fusion: ``concat`` (MixHop) or ``mean`` (MS-Hop).
        dynamic: terms of the graph that takes the place of A_k, as in HCSF.
        dense: let it join any two nodes instead of those within k hops; a static graph has no choice.
        kernel: frames under its temporal convolutions.

    Shapes: (rows, nodes, frames, in) -> (rows, nodes, frames, out).

    Raises:
        ConfigError: no hops, one twice, or more than there are features.
    """

    def __init__(
        self,
        distances: ArrayLike,
        in_channels: int,
        out_channels: int,
        *,
        hops: tuple[int, ...],
        fusion: Literal["concat", "mean"],
        dynamic: DynamicMode,
        kernel: int,
        dense: bool = False,
    ) -> None:
        super().__init__()
        steps = np.asarray(distances)
        if not hops or min(hops) < 0 or len(set(hops)) != len(hops):
            raise ConfigError(f"hops {hops}: expected one or more numbers of hops, each once")
        masks = [(steps >= 0) & (steps <= hop) for hop in hops]
        share = out_channels // len(hops)
        widths = [out_channels] * len(hops)
        if fusion == "concat":
            widths = [out_channels - share * (len(hops) - 1)] + [share] * (len(hops) - 1)
        if min(widths) < 1:
            raise ConfigError(f"{len(hops)} ranges of hops do not fit into {out_channels} features")
        self.fusion = fusion
        self.weights = nn.ParameterList()
        self.graphs = nn.ModuleList()
        for index, (mask, width) in enumerate(zip(masks, widths, strict=True)):
            self.register_buffer(
                f"within_{index}", torch.from_numpy(mask).to(torch.get_default_dtype()), persistent=False
            )
            degree = float(mask.sum(axis=1).mean())
            self.weights.append(torch.randn(in_channels, width) / (degree * in_channels) ** 0.5)
            if dynamic != "none":
                self.graphs.append(DynamicGraph(mask, in_channels, mode=dynamic, kernel=kernel, dense=dense))
        self.norm = ClipNorm(out_channels)

    def fold(self) -> _Folded:
        """Weights and bias with the norm in them."""
        scale, shift = self.norm.scale_and_shift()
        weights = list(self.weights)
        if self.fusion == "mean":
            return _Folded([weight * scale for weight in weights], shift)
        scales = torch.split(scale, [weight.shape[1] for weight in weights])
        return _Folded([weight * one for weight, one in zip(weights, scales, strict=True)], shift)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Convolve and normalise."""
        graphs = [graph for graph in self.graphs if isinstance(graph, DynamicGraph)]
        fixed = [self.get_buffer(f"within_{index}") for index in range(len(self.weights))]
        gates = hop_gates(fixed, graphs, x, mask)
        folded: _Folded | None = self.constants(x)
        if folded is not None:
            return self._convolve(x, gates, folded.weights, folded.bias)
        result: Tensor = self.norm(self._convolve(x, gates, list(self.weights), None), mask)
        return result

    def _convolve(self, x: Tensor, gates: list[HopGate], weights: list[Tensor], bias: Tensor | None) -> Tensor:
        fixed = [gate.fixed for gate in gates if gate.fixed is not None]
        if self.fusion == "mean" and gates[0].computed is None:
            scaled = [weight / len(weights) for weight in weights]
            return gather_and_map(x, fixed, scaled, bias)
        if self.fusion == "mean":
            terms = [gate.gather(x @ weight) for gate, weight in zip(gates, weights, strict=True)]
            total = torch.stack(terms).mean(dim=0)
        else:
            mapped = torch.split(x @ torch.cat(weights, dim=1), [weight.shape[1] for weight in weights], dim=-1)
            total = torch.cat([gate.gather(part) for gate, part in zip(gates, mapped, strict=True)], dim=-1)
        return total if bias is None else total + bias
