"""The actional graph: which joints move together, inferred from the motion itself (Sym-GNN section 4.1.1)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.errors import ConfigError
from kinegraph.layers.dropout import Dropout

__all__ = ["ActionalGraph"]


class _Norm(nn.BatchNorm1d):
    """Batch normalisation over everything but the last axis."""

    def forward(self, input: Tensor) -> Tensor:
        """The shape stays."""
        return super().forward(input.reshape(-1, self.num_features)).view(input.shape)


class _Features(nn.Sequential):
    """The MLP of Table 16: linear, ReLU, dropout, linear, ReLU, batch norm."""

    def __init__(self, in_channels: int, width: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(in_channels, width),
            nn.ReLU(inplace=True),
            Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            _Norm(width),
        )


class _Edges(nn.Module):
    """Eq. 1a and the mean of Eq. 1b: features of every ordered pair of joints, averaged over each joint's others.

    The first layer of the edge MLP takes ``[p_i, p_j]``; as ``W [p_i, p_j] = W_a p_i + W_b p_j`` it is two products
    over joints in place of one over the M - 1 times as many pairs, and the concatenation is never formed.
    """

    def __init__(self, nodes: int, width: int, dropout: float) -> None:
        super().__init__()
        self.source = nn.Linear(width, width)
        self.target = nn.Linear(width, width, bias=False)
        for linear in (self.source, self.target):  # as the one layer on 2 x width inputs that they are
            bound = (2 * width) ** -0.5
            nn.init.uniform_(linear.weight, -bound, bound)
        self.dropout = Dropout(dropout)
        self.last = nn.Linear(width, width)
        self.norm = _Norm(width)
        others = [[j for j in range(nodes) if j != i] for i in range(nodes)]
        self.register_buffer("others", torch.tensor(others), persistent=False)  # (nodes, nodes - 1)

    def forward(self, p: Tensor) -> Tensor:
        """(batch, nodes, width) of joints to (batch, nodes, width) of their edges' means."""
        others = self.get_buffer("others")
        second = self.target(p)[:, others]  # (batch, nodes, nodes - 1, width)
        q = functional.relu_(second.add_(self.source(p).unsqueeze(2)))
        q = self.norm(functional.relu_(self.last(self.dropout(q))))
        mean: Tensor = q.mean(dim=2)
        return mean


class ActionalGraph(nn.Module):
    """The actional graph inference module (AGIM), Eq. 1, 2, Fig. 3 and Table 16.

    Joint features from an MLP; ``iterations`` times joints to edges and back, each time with MLPs of its own; two
    embedding networks f and g; the graph is the softmax over j of ``f_i . g_j``. It is not symmetric.

    Args:
        nodes: joints M.
        features: numbers that describe a joint: observed frames x channels.
        width: of every layer (128 in the paper).
        iterations: K. With 0 the joints meet first in the embeddings' products.
        dropout: between the two layers of each MLP.

    Shapes: (batch, nodes, features) -> (batch, nodes, nodes), rows sum to 1.

    Raises:
        ConfigError: `iterations` below 0, or above 0 for a single joint.
    """

    def __init__(self, nodes: int, features: int, *, width: int = 128, iterations: int = 2, dropout: float = 0.0):
        super().__init__()
        if iterations < 0:
            raise ConfigError(f"iterations {iterations}: expected 0 (no propagation) or more")
        if iterations and nodes < 2:
            raise ConfigError("a skeleton of one joint has no edges to propagate over; set iterations 0")
        self.joints = nn.ModuleList(
            _Features(a, width, dropout) for a, _ in pairwise((features, *[width] * (iterations + 1)))
        )
        self.edges = nn.ModuleList(_Edges(nodes, width, dropout) for _ in range(iterations))
        self.f = nn.Sequential(_Features(width, width, dropout), nn.Linear(width, width))
        self.g = nn.Sequential(_Features(width, width, dropout), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Infer the graph from the motion."""
        p = self.joints[0](x)
        for edges, joints in zip(self.edges, self.joints[1:], strict=True):
            p = joints(edges(p))
        return torch.softmax(self.f(p) @ self.g(p).transpose(1, 2), dim=-1)
