"""Graph convolutions among joints: structural, actional, and both (Sym-GNN section 4.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.graph_temporal import GraphTemporalBlock

__all__ = ["JointGraphConv", "joint_block"]


class JointGraphConv(nn.Module):
    """Joint-scale graph convolution (JGC): structural (SGC, Eq. 4) plus lambda times actional (AGC, Eq. 3); Eq. 5.

    SGC sums over orders g = 1..G of ``(A~^g * M_g) X W_g`` with ``A~ = D^-1 (A + I)``, edge weights M_g that are
    trained and start at one, and W_g of its own. AGC is ``A_act X W_act`` with the graph inferred from the motion.

    Args:
        polynomials: A~ to the powers 1..G, (G, nodes, nodes); None leaves the structural part out.
        in_channels, out_channels: features of a joint.
        lambda_act: weight of the actional part; None leaves it out.

    Shapes: (batch, nodes, frames, in) and the actional graph (batch, nodes, nodes) -> (batch, nodes, frames, out).

    Raises:
        ConfigError: neither part.
    """

    def __init__(
        self,
        polynomials: NDArray[np.float64] | None,
        in_channels: int,
        out_channels: int,
        *,
        lambda_act: float | None,
    ) -> None:
        super().__init__()
        if polynomials is None and lambda_act is None:
            raise ConfigError("a joint-scale convolution needs structural graphs, actional graphs or both")
        orders = 0 if polynomials is None else len(polynomials)
        terms = orders + (lambda_act is not None)
        self.lambda_act = 0.0 if lambda_act is None else lambda_act
        self.actional = lambda_act is not None
        self.edges: nn.Parameter | None = None
        if polynomials is not None:
            powers = torch.from_numpy(polynomials).to(torch.get_default_dtype())
            self.register_buffer("polynomials", powers, persistent=False)
            self.edges = nn.Parameter(torch.ones_like(powers))
        std = 1 / math.sqrt(terms * in_channels)
        self.weight = nn.Parameter(torch.randn(terms, in_channels, out_channels) * std)
        """W of the structural orders 1..G, then W_act, (terms, in, out)."""

    def structural_graphs(self) -> Tensor:
        """A~^g * M_g, (G, nodes, nodes).

        Raises:
            ConfigError: there is no structural part.
        """
        if self.edges is None:
            raise ConfigError("this convolution has no structural graphs")
        return self.get_buffer("polynomials") * self.edges

    def forward(self, x: Tensor, graph: Tensor | None) -> Tensor:
        """Gather along every graph, then map the features; or first map them, where that leaves fewer to gather."""
        return self._convolve(x, graph, self._structural(), self.weight, None)

    def fold(self, scale: Tensor, shift: Tensor) -> Callable[..., Tensor]:
        """The convolution followed by ``scale * y + shift`` (both (out,)), with its constants worked out."""
        return partial(self._convolve, structural=self._structural(), weight=self.weight * scale, bias=shift)

    def _convolve(
        self, x: Tensor, graph: Tensor | None, structural: Tensor | None, weight: Tensor, bias: Tensor | None
    ) -> Tensor:
        batch, nodes, frames, channels = x.shape
        # A sample's frames and features stand in one row per node, so that one product gathers all its frames.
        terms = zip(self._graphs(batch, graph, structural), weight, strict=True)
        total: Tensor | None = None
        if channels > weight.shape[2]:
            for gather, one in terms:
                mapped = (x.reshape(-1, channels) @ one).view(batch, nodes, frames * one.shape[1])
                total = torch.bmm(gather, mapped) if total is None else torch.baddbmm(total, gather, mapped)
            assert total is not None
            total = total.view(-1, weight.shape[2])
            total = total if bias is None else total + bias
        else:
            rows, total = x.reshape(batch, nodes, frames * channels), bias
            for gather, one in terms:
                gathered = torch.bmm(gather, rows).view(-1, channels)
                total = gathered @ one if total is None else torch.addmm(total, gathered, one)
        assert total is not None
        return total.view(batch, nodes, frames, weight.shape[2])

    def _structural(self) -> Tensor | None:
        return None if self.edges is None else self.structural_graphs()

    def _graphs(self, batch: int, graph: Tensor | None, structural: Tensor | None) -> list[Tensor]:
        """The graphs of all terms, (batch, nodes, nodes) each; the actional one times lambda."""
        found = [] if structural is None else [one.expand(batch, -1, -1) for one in structural]
        if self.actional:
            if graph is None:
                raise ConfigError("this convolution has an actional part; give it the inferred graph")
            found.append(self.lambda_act * graph)
        return found

    def stacked_graphs(self, batch: int, graph: Tensor | None) -> Tensor:
        """All graphs in one matrix (batch, nodes x terms, nodes), for :meth:`of_frame` to use frame after frame."""
        # rows (node, term): what is gathered for a node stands in one row, ready for one product with all W
        return torch.stack(self._graphs(batch, graph, self._structural()), dim=2).flatten(1, 2)

    def of_frame(self, x: Tensor, stacked: Tensor) -> Tensor:
        """The same convolution of a single frame, (batch, nodes, in) -> (batch, nodes, out), in two products."""
        terms, channels, out = self.weight.shape
        gathered = torch.bmm(stacked, x).view(-1, terms * channels)
        return (gathered @ self.weight.view(-1, out)).view(*x.shape[:2], out)


def joint_block(
    polynomials: NDArray[np.float64] | None,
    in_channels: int,
    spatial: int,
    out_channels: int,
    *,
    lambda_act: float | None,
    kernel: int,
    stride: int,
    dropout: float,
) -> GraphTemporalBlock:
    """A joint-scale graph and temporal convolution block (J-GTC, Eq. 6 and Fig. 4); polynomials (G, nodes, nodes)."""
    graph = JointGraphConv(polynomials, in_channels, spatial, lambda_act=lambda_act)
    return GraphTemporalBlock(graph, in_channels, spatial, out_channels, kernel=kernel, stride=stride, dropout=dropout)
