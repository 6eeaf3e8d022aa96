"""A linear map of each node's features: one matrix for all nodes, or one for each."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kinegraph.layers.feature_check import check_features


class NodeLinear(nn.Module):
    """``y_i = x_i W_i + b_i`` (``per_node``) or ``y_i = x_i W + b``.

    Args:
        nodes, in_channels, out_channels: sizes.
        per_node: own weights for each node.
        bias: add a bias (starts at zero).
        gain: standard deviation of the outputs for inputs of unit variance.

    Shapes: ``(batch, nodes, in_channels) -> (batch, nodes, out_channels)``.

    Raises:
        DataError: features of other sizes.
    """

    def __init__(
        self,
        nodes: int,
        in_channels: int,
        out_channels: int,
        *,
        per_node: bool,
        bias: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.per_node = per_node
        shape = (nodes, in_channels, out_channels) if per_node else (in_channels, out_channels)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros((*shape[:-2], out_channels))) if bias else None
        nn.init.normal_(self.weight, std=gain / math.sqrt(in_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map the features of every node."""
        if self.per_node:
            check_features(self, x, self.weight.shape[0], self.weight.shape[1], ("batch",))
        else:
            check_features(self, x, None, self.weight.shape[0], ("...",))
        return self.forward_parts((x,))

    def forward_parts(self, parts: tuple[Tensor, ...]) -> Tensor:
        """The map of ``torch.cat(parts, dim=-1)`` without building it: each part meets its own rows of W.

        Args:
            parts: tensors ``(batch, nodes, width)`` whose widths sum to ``in_channels``.
        """
        weights = torch.split(self.weight, [part.shape[-1] for part in parts], dim=-2)
        if self.per_node:
            # (nodes, batch, width) @ (nodes, width, out): one product per node, batched
            total = None if self.bias is None else self.bias.unsqueeze(1)
            for part, weight in zip(parts, weights, strict=True):
                operand = part.transpose(0, 1)
                total = torch.bmm(operand, weight) if total is None else torch.baddbmm(total, operand, weight)
            assert total is not None
            return total.transpose(0, 1)
        result: Tensor = parts[0] @ weights[0]
        for part, weight in zip(parts[1:], weights[1:], strict=True):
            result = result + part @ weight
        return result if self.bias is None else result + self.bias

    def extra_repr(self) -> str:
        """Sizes, for ``print(model)``."""
        return f"{tuple(self.weight.shape)}, per_node={self.per_node}, bias={self.bias is not None}"
