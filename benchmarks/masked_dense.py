"""HCSF as it is usually written: dense weights between all nodes, multiplied by a mask. The yardstick, not the way."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinegraph.layers import HCSF, Aggregation


class MaskedDenseHCSF(nn.Module):
    """The same map as a pairwise, static :class:`HCSF` with concatenation.

    Each hop holds ``(nodes * in, nodes * width)`` weights and a mask of that size, as public LCN code does; W_a is
    one batched product per node, as in the layer itself.

    Args:
        layer: whose weights to copy.
        once: the mask has been multiplied in, as a program that only infers may do; otherwise it is at every call, as
            a layer that learns must.
    """

    def __init__(self, layer: HCSF, *, once: bool = False) -> None:
        super().__init__()
        assert layer.transform.bias is not None
        self.hops = nn.ParameterList()
        self.transform = nn.Parameter(layer.transform.weight.detach().clone())
        self.bias = nn.Parameter(layer.transform.bias.detach().clone())
        self.nodes, self.once = layer.nodes, once
        for index, hop in enumerate(layer.hops):
            assert isinstance(hop, Aggregation)
            nodes, inputs, width = layer.nodes, hop.in_channels, hop.out_channels
            weight, mask = torch.zeros(nodes, inputs, nodes, width), torch.zeros(nodes, inputs, nodes, width)
            for i, j, block in zip(hop.targets, hop.sources, hop.weight.detach(), strict=True):
                weight[j, :, i], mask[j, :, i] = block, 1.0
            self.hops.append(nn.Parameter((weight * mask).view(nodes * inputs, nodes * width)))
            self.register_buffer(f"mask{index}", mask.view(nodes * inputs, nodes * width))

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, nodes, in) -> (batch, nodes, out)``."""
        flat = x.flatten(1)
        weights = [w if self.once else w * self.get_buffer(f"mask{index}") for index, w in enumerate(self.hops)]
        parts = [(flat @ weight).view(len(x), self.nodes, -1) for weight in weights]
        features = torch.cat(parts, dim=-1).transpose(0, 1)  # (nodes, batch, width)
        return torch.baddbmm(self.bias.unsqueeze(1), features, self.transform).transpose(0, 1)
