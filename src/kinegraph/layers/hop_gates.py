"""The gates of several hop sets on clips, A_k = M_k + alpha_k O_k, their terms apart.

What is the same for every frame, M or the plain adjacency, gathers all frames of a row in one product; O, which the
features of each frame decide, gathers frame by frame. The sum of both for every frame, the largest tensor of the layer
by far, never has to be made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from kinegraph.layers.clip_block import last_real
from kinegraph.layers.dynamic_graph import DynamicGraph, computed_graphs
from kinegraph.layers.graph_gather import gather

__all__ = ["HopGate", "hop_gates"]


class HopGate(NamedTuple):
    """The gate of one hop set; at least one of its terms is there."""

    fixed: Tensor | None
    """M, or the adjacency, (nodes, nodes)."""
    computed: Tensor | None = None
    """O, (rows, frames, nodes, nodes)."""
    share: Tensor | None = None
    """alpha, (), or None for 1."""

    def gather(self, x: Tensor) -> Tensor:
        """``sum_j A[i, j] x_j`` of (rows, nodes, frames, channels)."""
        found = None if self.fixed is None else gather(self.fixed, x)
        if self.computed is None:
            assert found is not None
            return found
        return self.by_frame(x) if found is None else found + self.by_frame(x)

    def by_frame(self, x: Tensor) -> Tensor:
        """``alpha sum_j O[i, j] x_j`` of (rows, nodes, frames, channels)."""
        assert self.computed is not None
        found = gather(self.computed, x)
        return found if self.share is None else self.share * found


def hop_gates(fixed: Sequence[Tensor], graphs: Sequence[DynamicGraph], x: Tensor, mask: Tensor | None) -> list[HopGate]:
    """One gate for each hop set.

    Args:
        fixed: adjacency (nodes, nodes) of each hop, in use where there are no graphs.
        graphs: dynamic graph of each hop, equal in everything but their pairs, or none.
        x: features that the graphs read, (rows, nodes, frames, channels).
        mask: (rows, frames), 1 where a frame is real.
    """
    if not graphs:
        return [HopGate(one) for one in fixed]
    constant = [None if graph.matrix is None else graph.fixed() for graph in graphs]
    if graphs[0].theta is None:
        return [HopGate(one) for one in constant]
    offsets = computed_graphs(graphs, x.transpose(1, 2), None if mask is None else last_real(mask))
    if not graphs[0].dense:
        offsets = [one * graph.support.to(one.dtype) for one, graph in zip(offsets, graphs, strict=True)]
    return [HopGate(one, offset, graph.alpha) for one, offset, graph in zip(constant, offsets, graphs, strict=True)]
