"""The dynamic graph of HCSF: A_k = M_k + alpha O_k (Zeng et al. 2021, section 3.3, Eq. 7 and 8).

M_k is a learned matrix, the same for every input. O_k = tanh(theta(x) phi(x)^T) is computed from the features.
With a temporal kernel F > 1, theta and phi are temporal convolutions, which steadies O_k against single bad frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.feature_check import check_features

DynamicMode = Literal["none", "m", "o", "m+o", "m+alpha_o"]
"""Rows of Table 5: the static graph; M alone (a-c); O alone (d); M + O (e); M + alpha O (f, and g with frames)."""
GraphInit = Literal["physical", "dense", "random"]
"""How M starts: the hop's own pairs, ones everywhere, or uniform in [0, 1) everywhere."""


class DynamicGraph(nn.Module):
    """The gate ``A_k`` of one hop set.

    Args:
        physical: ``(nodes, nodes)`` bool, the pairs of the hop set; ``[i, j]``: j feeds i.
        in_channels: width of the features that O reads.
        mode: which terms there are; not ``"none"``.
        init: how M starts.
        dense: let M and O reach every pair of nodes instead of the hop's own.
        kernel, stride, dilation: of the temporal convolutions theta and phi, over frames. The kernel is odd; frames
            beyond the ends repeat the first and last. With a stride the graph of a frame is held for ``stride``.
        embed_channels: width of theta and phi; default ``max(4, in_channels // 8)``.

    Shapes: x ``(batch, frames, nodes, in_channels)`` -> ``(batch * frames, nodes, nodes)``, or ``(nodes, nodes)``
    for mode ``"m"``.

    Raises:
        ConfigError: mode ``"none"``, an even kernel, numbers below 1, or a dense start on the hop's own pairs.
        DataError: features of another number of nodes or channels.
    """

    support: Tensor

    def __init__(
        self,
        physical: ArrayLike,
        in_channels: int,
        *,
        mode: DynamicMode,
        init: GraphInit = "physical",
        dense: bool = False,
        kernel: int = 1,
        stride: int = 1,
        dilation: int = 1,
        embed_channels: int | None = None,
    ) -> None:
        super().__init__()
        pairs = np.asarray(physical, dtype=bool)
        if mode == "none":
            raise ConfigError("a dynamic graph of mode 'none' is the static one; leave it out")
        if kernel < 1 or kernel % 2 == 0 or stride < 1 or dilation < 1:
            raise ConfigError(
                f"dynamic graph: kernel {kernel}, stride {stride}, dilation {dilation}; the kernel is odd, all are >= 1"
            )
        if init == "dense" and not dense:
            raise ConfigError("dynamic_init 'dense' starts from all pairs of nodes; set dynamic_support to 'dense'")
        self.mode = mode
        self.nodes, self.in_channels = len(pairs), in_channels
        self.kernel, self.stride, self.dilation = kernel, stride, dilation
        self.dense = dense
        support = torch.from_numpy(np.ones_like(pairs) if dense else pairs.copy())
        self.register_buffer("support", support.to(torch.float32), persistent=False)
        self.matrix: nn.Parameter | None = None
        self.alpha: nn.Parameter | None = None
        if mode != "o":
            start = torch.from_numpy(pairs).float()
            self.matrix = nn.Parameter(
                {"physical": start, "dense": torch.ones_like(start), "random": torch.rand_like(start)}[init]
                * self.support
            )
        if mode == "m+alpha_o":
            self.alpha = nn.Parameter(torch.zeros(()))
        self.theta: nn.Parameter | None = None
        self.phi: nn.Parameter | None = None
        if mode != "m":
            width = max(4, in_channels // 8) if embed_channels is None else embed_channels
            # theta . phi sums `width` products of outputs of variance v each: v = width^-1/2 keeps it near 1,
            # where tanh is neither flat nor zero.
            std = width**-0.25 / math.sqrt(kernel * in_channels)
            self.theta = nn.Parameter(torch.randn(kernel * in_channels, width) * std)
            self.phi = nn.Parameter(torch.randn(kernel * in_channels, width) * std)

    def initial_adjacency(self) -> Tensor:
        """Root mean square of the gate at the start of training ``(nodes, nodes)``: what weights are scaled for."""
        if self.matrix is not None:
            matrix: Tensor = self.matrix.detach() * self.support
            # Under M + O each entry carries the variance of tanh of a unit normal besides.
            return torch.sqrt(matrix.square() + 0.394 * self.support) if self.mode == "m+o" else matrix
        offsets: Tensor = self.support * 0.394**0.5
        return offsets

    def fixed(self) -> Tensor:
        """M on its support, ``(nodes, nodes)``: the whole gate where there is no O."""
        assert self.matrix is not None
        matrix: Tensor = self.matrix * self.support
        return matrix

    def forward(self, x: Tensor) -> Tensor:
        """The gate for these features."""
        check_features(self, x, self.nodes, self.in_channels, ("batch", "frames"))
        if self.theta is None:
            return self.fixed()
        return self.gate(computed_graphs([self], x)[0])

    def gate(self, offsets: Tensor) -> Tensor:
        """The gate ``(batch * frames, nodes, nodes)`` for O ``(batch, frames, nodes, nodes)``."""
        if self.alpha is not None:
            offsets = self.alpha * offsets
        gate: Tensor = (offsets if self.matrix is None else self.matrix + offsets) * self.support
        return gate.flatten(0, 1)

    def extra_repr(self) -> str:
        """Options, for ``print(model)``."""
        return f"mode={self.mode!r}, kernel={self.kernel}, stride={self.stride}, dilation={self.dilation}"


def computed_graphs(graphs: Sequence[DynamicGraph], x: Tensor, repeat: Tensor | None = None) -> list[Tensor]:
    """O_k = tanh(theta_k(x) phi_k(x)^T) between all pairs of nodes, of several hops at once.

    Args:
        graphs: one or more, equal in everything but their pairs.
        x: features (batch, frames, nodes, channels).
        repeat: (batch, frames) int, for each frame the one to read instead where temporal taps reach it: a padded
            frame repeats the last real one before it, or the first one of all, as frames beyond the ends do.

    Returns:
        (batch, frames, nodes, nodes) each.
    """
    # One product for all of theta and phi; what comes out of it is narrow, and what is wide is made hop by hop, so
    # that it stays in the cache.
    maps = torch.cat([one for graph in graphs for one in (graph.theta, graph.phi) if one is not None], dim=1)
    embedded = torch.unflatten(_under_kernel(x, graphs[0], repeat) @ maps, -1, (len(graphs), 2, -1))
    pairs = embedded.permute(3, 4, 0, 1, 2, 5).contiguous()  # (graphs, 2, batch, steps, nodes, width)
    offsets = [torch.tanh(theta @ phi.transpose(-1, -2)) for theta, phi in (pair.unbind(0) for pair in pairs)]
    if graphs[0].stride > 1:
        offsets = [one.repeat_interleave(graphs[0].stride, dim=1)[:, : x.shape[1]] for one in offsets]
    return offsets


def _under_kernel(x: Tensor, like: DynamicGraph, repeat: Tensor | None) -> Tensor:
    """Features of the frames under the taps of theta and phi side by side, (batch, steps, nodes, kernel * channels)."""
    batch, frames = x.shape[:2]
    if like.kernel == 1 and (repeat is None or like.stride == 1):
        return x[:, :: like.stride]
    at = torch.arange(0, frames, like.stride, device=x.device)
    first = -like.dilation * (like.kernel // 2)
    taps = []
    for tap in range(like.kernel):
        where = (at + first + tap * like.dilation).clamp(0, frames - 1)
        if repeat is None:
            taps.append(x.index_select(1, where))
        else:
            rows = repeat[:, where] + frames * torch.arange(batch, device=x.device)[:, None]
            taps.append(torch.unflatten(x.flatten(0, 1).index_select(0, rows.flatten()), 0, rows.shape))
    return torch.cat(taps, dim=-1)
