"""The pieces of Sym-GNN: a backbone branch of two scales, and the head that forecasts frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.layers.joint_scale import JointGraphConv, joint_block
from kinegraph.layers.part_scale import PartExchange, PartTable, part_block
from kinegraph.models.lifting_model import start_quietly

__all__ = ["BACKBONES", "Block", "Branch", "Graphs", "PredictionHead", "PredictionState"]


_CHANGE_GAINS = (1.0, 10.0, 20.0)
"""Factors on the initial GRU weights of pose, velocity and acceleration. From frame to frame a pose changes by a small
share of its spread; with equal weights the head would take thousands of steps to notice which way it is going."""


class Block(NamedTuple):
    """One line of Table 17 or 18: a J-GTC block and, from the second line on, a P-GTC block beside it."""

    spatial: int
    """Features after the graph convolution."""
    out: int
    """Features after the temporal convolution."""
    kernel: int
    """Of the temporal convolution, frames."""
    stride: int
    """Of the temporal convolution, frames."""
    fuse: bool = False
    """Joints and parts exchange their features after it."""


BACKBONES: dict[str, tuple[Block, ...]] = {
    # Table 18
    "light": (
        Block(32, 32, 9, 1),
        Block(32, 64, 9, 2, fuse=True),
        Block(128, 128, 9, 2, fuse=True),
        Block(256, 256, 7, 2),
    ),
    # Table 17
    "deep": (
        Block(64, 64, 9, 1),
        Block(64, 64, 9, 1),
        Block(64, 128, 9, 2, fuse=True),
        Block(128, 128, 9, 1),
        Block(128, 128, 9, 1),
        Block(128, 256, 9, 2, fuse=True),
        Block(256, 256, 9, 1),
        Block(256, 256, 9, 1),
        Block(256, 256, 9, 1),
    ),
}


@dataclass(frozen=True)
class Graphs:
    """The graphs of one network, on joints or on bones."""

    nodes: int
    """M."""
    polynomials: NDArray[np.float64] | None
    """Structural graphs A~^1..A~^G, (G, nodes, nodes); None without them."""
    lambda_act: float | None
    """Weight of the actional graph; None without it."""
    parts: PartTable | None
    """Part scale; None without it."""

    @property
    def joint_scale(self) -> bool:
        """Whether nodes have a graph among themselves."""
        return self.polynomials is not None or self.lambda_act is not None


class Branch(nn.Module):
    """One branch of the backbone, a multi-scale GCN on one order of differences (section 5.1.2, Fig. 6 right).

    A J-GTC block, then J-GTC and P-GTC blocks side by side that exchange their features by concatenation where the
    tables say so; the sum of both scales, averaged over time.

    Without the part scale nothing is exchanged. With the part scale alone ("only P") parts start as the means of
    their joints' input and pass one P-GTC block more, in the place of the first J-GTC block.

    Shapes: (batch, nodes, frames, channels), actional graph (batch, nodes, nodes) or None -> (batch, nodes, width).
    """

    def __init__(self, blocks: tuple[Block, ...], channels: int, graphs: Graphs, dropout: float) -> None:
        super().__init__()
        self.joint_blocks = nn.ModuleList()
        self.part_blocks = nn.ModuleList()
        self.exchange = PartExchange(graphs.parts) if graphs.parts else None
        self.fuse = tuple(block.fuse and graphs.joint_scale and graphs.parts is not None for block in blocks)
        self.joint_scale = graphs.joint_scale
        joint_in = part_in = channels
        for index, (block, fuse) in enumerate(zip(blocks, self.fuse, strict=True)):
            timing = {"kernel": block.kernel, "stride": block.stride}
            if graphs.joint_scale:
                joint = joint_block(
                    graphs.polynomials,
                    joint_in,
                    block.spatial,
                    block.out,
                    lambda_act=graphs.lambda_act,
                    dropout=dropout,
                    **timing,
                )
                self.joint_blocks.append(joint)
            if graphs.parts is not None and not (index == 0 and graphs.joint_scale):
                part = part_block(graphs.parts, part_in, block.spatial, block.out, dropout=dropout, **timing)
                self.part_blocks.append(part)
            joint_in = part_in = 2 * block.out if fuse else block.out
        self.width = blocks[-1].out

    def forward(self, x: Tensor, graph: Tensor | None) -> Tensor:
        """Features of every node over the whole observation."""
        if self.exchange is None:
            for block in self.joint_blocks:
                x = block(x, graph)
            return x.mean(dim=2)
        if not self.joint_scale:
            parts = self.exchange.to_parts(x)
            for block in self.part_blocks:
                parts = block(parts)
            return self.exchange.to_joints(parts.mean(dim=2, keepdim=True)).squeeze(2)
        joints = self.joint_blocks[0](x, graph)
        parts = self.exchange.to_parts(joints)
        scales = zip(self.joint_blocks[1:], self.part_blocks, self.fuse[1:], strict=True)
        for joint_block_, part_block_, fuse in scales:
            joints, parts = joint_block_(joints, graph), part_block_(parts)
            if fuse:
                from_parts, from_joints = self.exchange.to_joints(parts), self.exchange.to_parts(joints)
                joints, parts = torch.cat((joints, from_parts), dim=-1), torch.cat((parts, from_joints), dim=-1)
        # the mean over time comes first: it and the copy to the joints are linear, and it leaves less to copy
        summed: Tensor = joints.mean(dim=2) + self.exchange.to_joints(parts.mean(dim=2, keepdim=True)).squeeze(2)
        return summed


class PredictionState(NamedTuple):
    """What the prediction head carries from frame to frame. M nodes, C channels, D features."""

    hidden: Tensor
    """H, (batch, M, D)."""
    frame: Tensor
    """The pose reached, (batch, M, C)."""
    velocity: Tensor
    """Its first difference, (batch, M, C)."""
    acceleration: Tensor
    """Its second difference, (batch, M, C)."""
    context: Tensor
    """What the GRU's input layer makes of the action scores, the same in every frame, (batch, 1, 3 D)."""
    graphs: Tensor | None
    """All graphs of its JGC in one matrix, (batch, M x terms, M); None without a joint-scale graph."""


class PredictionHead(nn.Module):
    """The motion-prediction head (Eq. 10, Fig. 7): JGC on the state, GRU, displacement added to the pose.

    Without a joint-scale graph ("only P") the state meets a plain linear map in the place of the JGC.

    Args:
        graphs: of the network.
        channels: of a node.
        classes: action scores fed to the GRU; 0 for none.
        width: features D of the state.
    """

    def __init__(self, graphs: Graphs, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.graph: JointGraphConv | nn.Linear
        if graphs.joint_scale:
            self.graph = JointGraphConv(graphs.polynomials, width, width, lambda_act=graphs.lambda_act)
        else:
            self.graph = nn.Linear(width, width, bias=False)
        cell = nn.GRUCell(3 * channels + classes, width)  # its shapes and its way of drawing weights
        self.input_weight, self.input_bias = cell.weight_ih, cell.bias_ih
        self.hidden_weight, self.hidden_bias = cell.weight_hh, cell.bias_hh
        self.moving = 3 * channels
        with torch.no_grad():
            for order, gain in enumerate(_CHANGE_GAINS):
                self.input_weight[:, order * channels : (order + 1) * channels] *= gain
        last = nn.Linear(width, channels)
        start_quietly(last)  # an untrained head stands still
        self.displacement = nn.Sequential(nn.Linear(width, width), nn.ReLU(), last)

    def start(
        self, hidden: Tensor, frames: tuple[Tensor, Tensor, Tensor], label: Tensor | None, graph: Tensor | None
    ) -> PredictionState:
        """The state at the last observed frame.

        Args:
            hidden: H_pred, (batch, M, D).
            frames: pose, velocity, acceleration, (batch, M, C) each.
            label: action scores, (batch, classes), or None.
            graph: actional graph, (batch, M, M), or None.
        """
        if label is None:
            context = self.input_bias.expand(hidden.shape[0], 1, -1)
        else:
            context = torch.addmm(self.input_bias, label, self.input_weight[:, self.moving :].t()).unsqueeze(1)
        stacked = self.graph.stacked_graphs(hidden.shape[0], graph) if isinstance(self.graph, JointGraphConv) else None
        return PredictionState(hidden, *frames, context, stacked)

    def forward(self, state: PredictionState) -> PredictionState:
        """One frame on."""
        if isinstance(self.graph, JointGraphConv):
            assert state.graphs is not None
            hidden = self.graph.of_frame(state.hidden, state.graphs)
        else:
            hidden = self.graph(state.hidden)
        motion = torch.cat((state.frame, state.velocity, state.acceleration), dim=-1)
        given = motion @ self.input_weight[:, : self.moving].t() + state.context
        kept = nn.functional.linear(hidden, self.hidden_weight, self.hidden_bias)
        reset_in, update_in, new_in = given.chunk(3, dim=-1)
        reset_kept, update_kept, new_kept = kept.chunk(3, dim=-1)
        reset, update = torch.sigmoid(reset_in + reset_kept), torch.sigmoid(update_in + update_kept)
        new = torch.tanh(torch.addcmul(new_in, reset, new_kept))
        hidden = torch.lerp(new, hidden.to(new.dtype), update)
        velocity = self.displacement(hidden).to(state.frame.dtype)
        return PredictionState(
            hidden, state.frame + velocity, velocity, velocity - state.velocity, state.context, state.graphs
        )
