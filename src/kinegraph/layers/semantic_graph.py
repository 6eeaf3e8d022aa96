"""Layers of SemGCN: graph convolution with learned edge weights, and the non-local block.

Zhao, Peng, Tian, Kapadia, Metaxas, *Semantic Graph Convolutional Networks for 3D Human Pose Regression*, CVPR 2019.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kinegraph.layers.feature_check import check_features
from kinegraph.layers.normalisation import NodeBatchNorm


class SemanticGraphConv(nn.Module):
    """``y_i = a_ii x_i W_0 + sum over neighbours of a_ij x_j W_1 + b`` with ``a_i = softmax(M_i)`` over edges (Eq. 2).

    The edge weights M are learned, one matrix per layer; a node's own features have their own weights, as in the
    authors' description of their networks.

    Args:
        adjacency: ``(nodes, nodes)`` with self-loops; its non-zeros are the edges.
        in_channels, out_channels: widths.
        gain: standard deviation of the output for equal inputs of unit variance at all nodes.

    Shapes: ``(batch, nodes, in) -> (batch, nodes, out)``.

    Raises:
        DataError: features of other sizes.
    """

    outside: Tensor
    identity: Tensor

    def __init__(self, adjacency: ArrayLike, in_channels: int, out_channels: int, *, gain: float = 1.0) -> None:
        super().__init__()
        # In NumPy: on torch's meta device, where loading weights first builds a model, tensors have no values.
        edges = np.asarray(adjacency) != 0
        self.register_buffer("outside", torch.from_numpy(~edges), persistent=False)
        self.register_buffer("identity", torch.eye(len(edges)), persistent=False)
        self.edges = nn.Parameter(torch.zeros(int(edges.sum())))
        self.register_buffer("_slots", torch.from_numpy(np.flatnonzero(edges)), persistent=False)
        # The two terms are means over one and over several nodes, of total weight 1.
        self.own = nn.Parameter(torch.randn(in_channels, out_channels) * gain * math.sqrt(2 / in_channels))
        self.others = nn.Parameter(torch.randn(in_channels, out_channels) * gain * math.sqrt(2 / in_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    _slots: Tensor

    def edge_weights(self) -> Tensor:
        """The learned adjacency ``(nodes, nodes)``; each row sums to 1 over the node's edges."""
        nodes = len(self.identity)
        full = torch.zeros(nodes * nodes, dtype=self.edges.dtype, device=self.edges.device)
        scores = full.index_put((self._slots,), self.edges).view(nodes, nodes)
        return scores.masked_fill(self.outside, float("-inf")).softmax(dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        check_features(self, x, len(self.identity), self.own.shape[0], ("batch",))
        weights = self.edge_weights()
        others = weights * (1 - self.identity)
        mine, theirs = (x @ torch.cat([self.own, self.others], dim=1)).chunk(2, dim=-1)
        gathered = torch.bmm(others.expand(x.shape[0], -1, -1), theirs)
        return gathered + (weights.diagonal().unsqueeze(-1) * mine + self.bias)


class NonLocal(nn.Module):
    """Every node looks at every other: ``x_i + BN(W_x (1/K) sum_j f(x_i, x_j) g(x_j))`` (section 3.2).

    ``f(x_i, x_j) = ReLU(w . [theta(x_i), phi(x_j)])``, the concatenation form of Wang et al. 2018. The norm starts
    at zero, so that the block starts as the identity.

    Args:
        nodes, channels: sizes; inside, half of the channels.

    Raises:
        DataError: features of other sizes.
    """

    def __init__(self, nodes: int, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.theta = nn.Linear(channels, inner)
        self.phi = nn.Linear(channels, inner)
        self.value = nn.Linear(channels, inner)
        self.pair = nn.Parameter(torch.randn(2, inner) / math.sqrt(2 * inner))
        self.out = nn.Linear(inner, channels)
        self.norm = NodeBatchNorm(nodes, channels, norm="channel")
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, nodes, channels)`` to the same."""
        check_features(self, x, self.norm.nodes, self.norm.channels, ("batch",))
        # w . [theta, phi] is linear in x: one vector each, (batch, nodes), in place of the embeddings.
        left = x @ (self.pair[0] @ self.theta.weight) + self.pair[0] @ self.theta.bias
        right = x @ (self.pair[1] @ self.phi.weight) + self.pair[1] @ self.phi.bias
        affinity = torch.relu(left.unsqueeze(2) + right.unsqueeze(1)) / x.shape[1]
        result: Tensor = x + self.norm(self.out(affinity @ self.value(x)))
        return result
