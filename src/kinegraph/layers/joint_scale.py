"""Graph convolutions among joints: structural, actional, and both (Sym-GNN section 4.1)."""

from __future__ import annotations

import math

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

    Shapes: (batch, [frames,] nodes, in) and the actional graph (batch, nodes, nodes) -> (batch, [frames,] nodes, out).
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
        self.in_channels, self.lambda_act, self.orders = in_channels, lambda_act, orders
        std = 1 / math.sqrt(terms * in_channels)
        self.edges: nn.Parameter | None = None
        self.structural: nn.Parameter | None = None
        self.actional: nn.Parameter | None = None
        if polynomials is not None:
            powers = torch.from_numpy(polynomials).to(torch.get_default_dtype())
            self.register_buffer("polynomials", powers, persistent=False)
            self.edges = nn.Parameter(torch.ones_like(powers))
            self.structural = nn.Parameter(torch.randn(orders, in_channels, out_channels) * std)
        if lambda_act is not None:
            self.actional = nn.Parameter(torch.randn(in_channels, out_channels) * std)

    def structural_graphs(self) -> Tensor:
        """A~^g * M_g, (G, nodes, nodes)."""
        if self.edges is None:
            raise ConfigError("this convolution has no structural graphs")
        return self.get_buffer("polynomials") * self.edges

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """Gather along every graph, then map the features."""
        lead, (nodes, channels) = x.shape[:-2], x.shape[-2:]
        flat = x.reshape(-1, nodes, channels)
        total: Tensor | None = None
        if self.structural is not None:
            # rows (node, order): what is gathered for a node stands in a row, ready for one product with all W_g
            graphs = self.structural_graphs().transpose(0, 1).reshape(nodes * self.orders, nodes)
            gathered = torch.bmm(graphs.expand(len(flat), -1, -1), flat)
            total = gathered.view(-1, self.orders * channels) @ self.structural.flatten(0, 1)
        if self.actional is not None and self.lambda_act is not None:
            each = graph if len(lead) == 1 else graph.unsqueeze(1).expand(*lead, nodes, nodes).reshape(-1, nodes, nodes)
            gathered = torch.bmm(each, flat).view(-1, channels)
            weight = self.lambda_act * self.actional
            total = gathered @ weight if total is None else torch.addmm(total, gathered, weight)
        assert total is not None
        return total.view(*lead, nodes, -1)


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
    """A joint-scale graph and temporal convolution block (J-GTC, Eq. 6 and Fig. 4)."""
    graph = JointGraphConv(polynomials, in_channels, spatial, lambda_act=lambda_act)
    return GraphTemporalBlock(graph, in_channels, spatial, out_channels, kernel=kernel, stride=stride, dropout=dropout)
