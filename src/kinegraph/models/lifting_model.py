"""What every lifting network has in common, and the six-layer frame that the graph networks share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.errors import ConfigError, DataError
from kinegraph.layers import NodeBatchNorm, Norm
from kinegraph.layers.dropout import Dropout
from kinegraph.layers.folding import FoldedPairs, Folds, GatedPairs
from kinegraph.skeleton import Skeleton

OUT_CHANNELS = 3
OUT_GAIN = 0.01
"""Standard deviation of an untrained network's outputs, for features of unit variance. The targets are corrections
(xy in pixel space) or small numbers; a last layer of unit gain would spend a thousand steps unlearning its noise."""


class LiftingModel(nn.Module):
    """Base of the lifting networks: 2D joints in, 3D joints of the same skeleton out.

    Attributes:
        skeleton: whose joints, in which order.
        config: the configuration it was built from.
        frames: frames of one input; 1 for a single-frame network.
        target: which of them is lifted: the middle one, or the last for a causal network.
        in_channels: 2 (x, y) or 3 (x, y, confidence).

    Raises:
        ConfigError: `in_channels` is neither.
    """

    def __init__(self, skeleton: Skeleton, config: Any, *, frames: int = 1, causal: bool = False) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.config = config
        self.frames = frames
        self.target = frames - 1 if causal else frames // 2
        self.in_channels: int = config.in_channels
        if self.in_channels not in (2, 3):
            raise ConfigError(f"in_channels {self.in_channels}: expected 2 (x, y) or 3 (x, y, confidence)")

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    def check_input(self, x: Tensor) -> None:
        """Refuse an input that is not ``(batch, joints, channels)``, of windows ``(batch, frames, joints, channels)``.

        Raises:
            DataError: names the shape found and the one expected.
        """
        if not isinstance(x, Tensor):
            raise DataError(
                f"{type(self).__name__} takes a tensor; found {type(x).__name__}: use torch.as_tensor(..., dtype="
                "torch.float32)"
            )
        joints = self.skeleton.num_joints
        tail = (joints, self.in_channels) if self.frames == 1 else (self.frames, joints, self.in_channels)
        if tuple(x.shape[1:]) != tail:
            names = "(batch, joints, channels)" if self.frames == 1 else "(batch, frames, joints, channels)"
            raise DataError(
                f"{type(self).__name__} on skeleton '{self.skeleton.name}' takes {names} = (batch, "
                f"{', '.join(map(str, tail))}); found {tuple(x.shape)}"
            )


def with_residual(output: Tensor, inputs: Tensor, target: int) -> Tensor:
    """A network's answer where it was trained to correct its input: the xy of the lifted pose added to the output's.

    Args:
        output: (..., J, 3).
        inputs: what the network saw: poses (..., J, C), or windows (..., F, J, C).
        target: the frame of the window that is lifted; single poses have none to choose.

    Returns:
        (..., J, 3).
    """
    lifted = inputs if inputs.dim() == output.dim() else inputs[..., target, :, :]
    return torch.cat([output[..., :2] + lifted[..., :2], output[..., 2:]], dim=-1)


def mirrored(poses: Tensor, permutation: Tensor) -> Tensor:
    """Poses seen in a mirror: x negated, left and right exchanged. ``(..., J, C)``, x in channel 0, C of 2 or 3.

    Holds for encoded inputs and targets alike: both are centred on the image or on the root. What follows x, y (a
    confidence, a depth) is the same in the mirror.

    Args:
        poses: see above.
        permutation: (J,), :attr:`kinegraph.skeleton.Skeleton.mirror` as a tensor on the poses' device.
    """
    swapped = poses.index_select(-2, permutation)
    return torch.cat([-swapped[..., :1], swapped[..., 1:]], dim=-1)


def flip_tested(forward: Callable[[Tensor], Tensor], inputs: Tensor, permutation: Tensor) -> Tensor:
    """Mean of the answers for poses and for their mirror images, turned back: the flip test of pose lifting.

    Args:
        forward: inputs -> (..., J, 3), residual added.
        inputs: (..., J, C).
        permutation: see :func:`mirrored`.
    """
    return (forward(inputs) + mirrored(forward(mirrored(inputs, permutation)), permutation)) / 2


def start_quietly(last: nn.Linear) -> None:
    """Draw a plain last layer's weights for :data:`OUT_GAIN` and a bias of zero."""
    nn.init.normal_(last.weight, std=OUT_GAIN / math.sqrt(last.in_features))
    nn.init.zeros_(last.bias)


class Layer(Folds):
    """A graph layer followed by batch norm, activation and dropout."""

    def __init__(
        self, graph: nn.Module, nodes: int, channels: int, *, norm: Norm, slope: float, dropout: float
    ) -> None:
        super().__init__()
        self.graph = graph
        self.norm = NodeBatchNorm(nodes, channels, norm=norm)
        self.slope = slope
        self.activation = nn.LeakyReLU(slope) if slope else nn.ReLU()
        self.dropout = Dropout(dropout)

    def folds(self) -> bool:
        """Whether the graph layer does."""
        return isinstance(self.graph, Folds) and self.graph.folds()

    def fold(self, scale: Tensor | None = None, shift: Tensor | None = None) -> FoldedPairs | GatedPairs:
        """Graph layer, batch norm, scale and shift (each ``(nodes, channels)``) as one map, without the activation."""
        own_scale, own_shift = self.norm.scale_and_shift()
        if scale is not None:
            own_scale, own_shift = own_scale * scale, own_shift * scale
        assert isinstance(self.graph, Folds)
        return self.graph.fold(own_scale, own_shift if shift is None else own_shift + shift)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, ..., nodes, in)`` to ``(batch, ..., nodes, channels)``."""
        folded = self.folded_form(x)
        if folded is not None:
            return functional.leaky_relu_(folded(x), self.slope)
        result: Tensor = self.dropout(self.activation(self.norm(self.graph(x))))
        return result


class ResidualBlock(nn.Module):
    """``x + layers(x)``, optionally followed by a further module."""

    def __init__(self, *layers: nn.Module, then: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.then = then

    def forward(self, x: Tensor) -> Tensor:
        """Same shape in and out."""
        x = x + self.layers(x)
        return x if self.then is None else self.then(x)


class GraphLifter(LiftingModel):
    """A first layer, residual blocks of two layers each, and a last layer (HCSF supplement 1.1.2).

    Args:
        skeleton: whose graph.
        config: has ``in_channels, channels, blocks, dropout, norm``.
        layer: ``layer(in_channels, out_channels, gain)`` builds one graph layer.
        slope: of LeakyReLU below zero; 0 is ReLU.
        block_end: builds a module that follows the first layer and each block, if any.

    Shapes: ``(batch, joints, in_channels) -> (batch, joints, 3)``.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        config: Any,
        layer: Callable[[int, int, float], nn.Module],
        *,
        slope: float,
        block_end: Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__(skeleton, config)
        nodes, width = skeleton.num_joints, config.channels
        gain = math.sqrt(2 / (1 + slope**2))  # keeps the variance through the activation (He et al. 2015)

        def full(in_channels: int, gain: float) -> Layer:
            graph = layer(in_channels, width, gain)
            return Layer(graph, nodes, width, norm=config.norm, slope=slope, dropout=config.dropout)

        self.first = full(self.in_channels, 1.0)
        self.first_end = block_end() if block_end else nn.Identity()
        self.blocks = nn.ModuleList(
            ResidualBlock(full(width, gain), full(width, gain), then=block_end() if block_end else None)
            for _ in range(config.blocks)
        )
        self.last = layer(width, OUT_CHANNELS, OUT_GAIN)

    def forward(self, x: Tensor) -> Tensor:
        """Lift 2D joints to 3D."""
        self.check_input(x)
        x = self.first_end(self.first(x))
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.last(x)
        return result
