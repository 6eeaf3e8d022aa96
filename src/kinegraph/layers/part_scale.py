"""Graph convolutions among body parts, and what joints and parts tell each other (Sym-GNN sections 4.2, 5.1.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.layers.graph_temporal import GraphTemporalBlock
from kinegraph.skeleton import Skeleton

__all__ = ["PartExchange", "PartGraphConv", "PartTable", "part_block", "part_table"]


@dataclass(frozen=True)
class PartTable:
    """Which joints make which parts, and which parts touch."""

    names: tuple[str, ...]
    """Of the P parts."""
    members: NDArray[np.bool_]
    """(P, joints)."""
    adjacency: NDArray[np.float64]
    """(P, P), 1 where two parts touch and on the diagonal."""

    @property
    def pool(self) -> NDArray[np.float64]:
        """Joint2part: (P, joints), the mean of a part's members."""
        mean: NDArray[np.float64] = self.members / self.members.sum(axis=1, keepdims=True)
        return mean

    @property
    def spread(self) -> NDArray[np.float64]:
        """Part2joint: (joints, P), a copy for each member; a joint of two parts takes their mean."""
        mean: NDArray[np.float64] = self.members.T / self.members.sum(axis=0)[:, None]
        return mean


def part_table(skeleton: Skeleton) -> PartTable:
    """The parts of a skeleton.

    They are those of its own part table. A joint that the table does not name goes with its nearest ancestor that has
    a part, or, above all of them, with the nearest joint on the graph that has one (the first such joint, if several
    are as near). A skeleton without a table falls apart at its forks instead: every chain of joints from one fork,
    root or leaf to the next is a part. Two parts touch where a bone joins them or where they share a joint.
    """
    groups = {name: [skeleton.index(joint) for joint in members] for name, members in skeleton.parts.items()}
    if not groups:
        groups = _limbs(skeleton)
    members = np.zeros((len(groups), skeleton.num_joints), dtype=bool)
    for row, indices in enumerate(groups.values()):
        members[row, indices] = True
    named = np.asarray(members.any(axis=0))
    distances = skeleton.hop_distances()
    for joint in np.flatnonzero(~named):
        above = skeleton.parents[joint]
        while above >= 0 and not named[above]:
            above = skeleton.parents[above]
        if above < 0:
            above = int(np.where(named, distances[joint], skeleton.num_joints).argmin())
        members[:, joint] = members[:, above]
    ends = members.astype(np.float64)
    touching = ends @ skeleton.adjacency(self_loops=True) @ ends.T
    return PartTable(tuple(groups), members, (touching > 0).astype(np.float64))


def _limbs(skeleton: Skeleton) -> dict[str, list[int]]:
    """Chains of joints between forks, each under the name of its first joint."""
    children = np.bincount([p for p in skeleton.parents if p >= 0], minlength=skeleton.num_joints)
    first: dict[int, int] = {}
    groups: dict[str, list[int]] = {}
    for joint in skeleton.topological_order():
        parent = skeleton.parents[joint]
        first[joint] = joint if parent < 0 or children[parent] > 1 else first[parent]
        groups.setdefault(skeleton.joints[first[joint]], []).append(joint)
    return groups


class PartGraphConv(nn.Module):
    """Part-scale graph convolution (PGC), Eq. 7: ``((D^-1 A_p) * M_p) X W`` with trained edge weights M_p.

    Args:
        adjacency: (parts, parts) of 0 and 1, with self-loops.
        in_channels, out_channels: features of a part.

    Shapes: (batch, parts, frames, in) -> (batch, parts, frames, out).
    """

    def __init__(self, adjacency: NDArray[np.float64], in_channels: int, out_channels: int) -> None:
        super().__init__()
        rows = torch.from_numpy(adjacency / adjacency.sum(axis=1, keepdims=True)).to(torch.get_default_dtype())
        self.register_buffer("adjacency", rows, persistent=False)
        self.edges = nn.Parameter(torch.ones_like(rows))
        self.weight = nn.Parameter(torch.randn(in_channels, out_channels) / math.sqrt(in_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Gather along the graph, then map the features; or first map them, where that leaves fewer to gather."""
        return self._convolve(x, self._graph(), self.weight, None)

    def fold(self, scale: Tensor, shift: Tensor) -> Callable[..., Tensor]:
        """The convolution followed by ``scale * y + shift`` (both (out,)), with its constants worked out."""
        return partial(self._convolve, graph=self._graph(), weight=self.weight * scale, bias=shift)

    def _graph(self) -> Tensor:
        return self.get_buffer("adjacency") * self.edges

    def _convolve(self, x: Tensor, graph: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        channels, out = weight.shape
        if channels > out:
            y = _gather(graph, x @ weight)
            return y if bias is None else y + bias
        return functional.linear(_gather(graph, x), weight.t(), bias)


class PartExchange(nn.Module):
    """Joint2part pooling and part2joint matching (section 5.1.2).

    Shapes: :meth:`to_parts` (batch, joints, frames, c) -> (batch, parts, frames, c), :meth:`to_joints` back.
    """

    def __init__(self, table: PartTable) -> None:
        super().__init__()
        for name, matrix in (("pool", table.pool), ("spread", table.spread)):
            self.register_buffer(name, torch.from_numpy(matrix).to(torch.get_default_dtype()), persistent=False)

    def to_parts(self, x: Tensor) -> Tensor:
        """The mean of each part's joints: (batch, joints, frames, c) -> (batch, parts, frames, c)."""
        return _gather(self.get_buffer("pool"), x)

    def to_joints(self, x: Tensor) -> Tensor:
        """A copy of the part for each of its joints: (batch, parts, frames, c) -> (batch, joints, frames, c)."""
        return _gather(self.get_buffer("spread"), x)


def _gather(matrix: Tensor, x: Tensor) -> Tensor:
    """``matrix`` (rows, nodes) times every sample of x (batch, nodes, frames, channels)."""
    rows = torch.bmm(matrix.expand(x.shape[0], -1, -1), x.flatten(2))
    return rows.view(x.shape[0], len(matrix), *x.shape[2:])


def part_block(
    table: PartTable,
    in_channels: int,
    spatial: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int,
    dropout: float,
) -> GraphTemporalBlock:
    """A part-scale graph and temporal convolution block (P-GTC, Eq. 8)."""
    graph = PartGraphConv(table.adjacency, in_channels, spatial)
    return GraphTemporalBlock(graph, in_channels, spatial, out_channels, kernel=kernel, stride=stride, dropout=dropout)
