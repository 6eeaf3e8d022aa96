"""Graph convolution with a normalised adjacency, under any weight sharing, with self-connections apart or not.

Kipf, Welling, ICLR 2017; Liu et al., *A Comprehensive Study of Weight Sharing in Graph Networks for 3D Human Pose
Estimation*, ECCV 2020 (sections 3.2 and 3.3: sharing schemes and decoupled self-connections).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kinegraph.layers.aggregation import Aggregation, Sharing
from kinegraph.layers.node_linear import NodeLinear


class GraphConv(nn.Module):
    """``y_i = sum_j a_ij x_j W + b``, or with own weights for ``j = i`` when self-connections are decoupled.

    Args:
        adjacency: ``(nodes, nodes)``, normalised, with self-loops.
        in_channels, out_channels: widths.
        sharing: which pairs own a weight.
        decouple_self: give the self-connection weights of its own (one per node unless ``sharing`` is ``shared``).
        gain: standard deviation of the output for independent inputs of unit variance.

    Shapes: ``(batch, nodes, in) -> (batch, nodes, out)``.
    """

    def __init__(
        self,
        adjacency: ArrayLike,
        in_channels: int,
        out_channels: int,
        *,
        sharing: Sharing = "shared",
        decouple_self: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        matrix = np.asarray(adjacency, dtype=np.float64)
        self.own: NodeLinear | None = None
        if decouple_self:
            # Half of the variance from the node itself, half from its neighbours.
            gain = gain * 0.5**0.5
            self.own = NodeLinear(len(matrix), in_channels, out_channels, per_node=sharing != "shared", gain=gain)
            matrix = matrix * (1 - np.eye(len(matrix)))
        self.neighbours = Aggregation(matrix, in_channels, out_channels, sharing=sharing, gain=gain)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        result: Tensor = self.neighbours(x)
        if self.own is not None:
            result = result + self.own(x)
        return result + self.bias
