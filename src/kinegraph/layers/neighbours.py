"""Which nodes feed which, sorted so that every node's whole neighbourhood is one row of a matrix product.

A skeleton graph is small and sparse: 57 of the 289 ordered pairs of the 17-joint graph are within one hop. Nodes
with equally many neighbours are put side by side; their neighbours' features, gathered once and laid end to end,
then meet the weights of all their pairs in one batched product, in which the sum over neighbours happens inside.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from kinegraph.errors import ConfigError


@dataclass(frozen=True)
class DegreeGroup:
    """Nodes with the same number of neighbours; their pairs are ``pairs`` of the sorted list."""

    nodes: tuple[int, ...]
    degree: int
    pairs: slice


class Neighbours:
    """The ordered pairs of a boolean mask, grouped by the degree of the target node.

    Args:
        mask: ``(nodes, nodes)``; ``mask[i, j]`` says that node ``j`` feeds node ``i``.

    Attributes:
        targets, sources: ``(pairs,)`` indices ``i`` and ``j`` of every pair. Targets run from the most to the least
            connected (ties by index), the sources of a target by index.
        groups: the degree groups in that order; nodes without neighbours form a last group without pairs.
        position: ``(nodes,)`` where each node stands in the concatenation of the groups.

    Raises:
        ConfigError: the mask is not square or holds no pair.
    """

    def __init__(self, mask: ArrayLike) -> None:
        matrix: NDArray[np.bool_] = np.asarray(mask, dtype=bool)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ConfigError(f"a neighbourhood mask has shape {matrix.shape}; expected (nodes, nodes)")
        if not matrix.any():
            raise ConfigError("a neighbourhood holds no pair of nodes; choose hops that the skeleton has")
        self.mask = matrix
        self.nodes = len(matrix)
        degrees = matrix.sum(axis=1)
        order = sorted(range(self.nodes), key=lambda node: (-int(degrees[node]), node))
        self.targets = np.concatenate([np.full(degrees[i], i, dtype=np.int64) for i in order])
        self.sources = np.concatenate([np.flatnonzero(matrix[i]) for i in order]).astype(np.int64)
        self.position = np.argsort(np.array(order, dtype=np.int64))
        self.groups = self._groups(order, degrees)

    def __len__(self) -> int:
        return len(self.targets)

    def by_target(self) -> Iterator[tuple[int, slice]]:
        """Every node that has neighbours, and which of the pairs are its own."""
        for group in self.groups:
            for index, node in enumerate(group.nodes if group.degree else ()):
                start = group.pairs.start + index * group.degree
                yield node, slice(start, start + group.degree)

    def matrices(self, weight: Tensor) -> list[Tensor]:
        """Weights ``(pairs, in, out)`` as one ``(nodes, degree * in, out)`` per group that has neighbours."""
        groups = [group for group in self.groups if group.degree]
        pieces = torch.split(weight, [len(group.nodes) * group.degree for group in groups])
        return [
            piece.reshape(len(group.nodes), -1, weight.shape[2]) for group, piece in zip(groups, pieces, strict=True)
        ]

    def _groups(self, order: list[int], degrees: NDArray[np.int64]) -> tuple[DegreeGroup, ...]:
        groups = []
        start = 0
        for degree in sorted(set(degrees.tolist()), reverse=True):
            nodes = tuple(i for i in order if degrees[i] == degree)
            stop = start + degree * len(nodes)
            groups.append(DegreeGroup(nodes, int(degree), slice(start, stop)))
            start = stop
        return tuple(groups)
