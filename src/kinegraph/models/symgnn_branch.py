"""A branch of Sym-GNN's backbone: the blocks of Tables 17 and 18, on two scales of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.layers.joint_scale import joint_block
from kinegraph.layers.part_scale import PartExchange, PartTable, part_block

__all__ = ["BACKBONES", "Block", "Branch", "Graphs"]


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
