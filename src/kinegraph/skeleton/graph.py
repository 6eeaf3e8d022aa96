"""Matrices of a small undirected graph: adjacency, hops, normalisation, powers, line graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import SkeletonError


def adjacency(nodes: int, edges: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Symmetric 0/1 matrix ``(nodes, nodes)`` with a zero diagonal."""
    matrix = np.zeros((nodes, nodes))
    for a, b in edges:
        if a != b:
            matrix[a, b] = matrix[b, a] = 1.0
    return matrix


def hop_distances(matrix: NDArray[np.float64]) -> NDArray[np.int64]:
    """Shortest-path lengths ``(nodes, nodes)`` by breadth-first expansion; -1 where there is no path."""
    nodes = len(matrix)
    distances = np.full((nodes, nodes), -1, dtype=np.int64)
    # lists of neighbours, not matrix powers: a chain of 1000 joints has 1000 hops
    neighbours = [np.flatnonzero(row).tolist() for row in matrix > 0]
    for start in range(nodes):
        found = {start: 0}
        for node in (queue := [start]):  # grows while it is walked
            for other in neighbours[node]:
                if other not in found:
                    found[other] = found[node] + 1
                    queue.append(other)
        distances[start, list(found)] = list(found.values())
    return distances


def normalise(matrix: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """``D^-1 A`` for ``kind="row"``, ``D^-1/2 A D^-1/2`` for ``"symmetric"``; isolated nodes stay zero.

    A and what comes of it are ``(nodes, nodes)``.

    Raises:
        SkeletonError: no such kind.
    """
    degree = matrix.sum(axis=1)
    if kind == "row":
        by_row: NDArray[np.float64] = matrix / np.maximum(degree, 1e-12)[:, None]
        return by_row
    if kind == "symmetric":
        root = 1.0 / np.sqrt(np.maximum(degree, 1e-12))
        symmetric: NDArray[np.float64] = matrix * root[:, None] * root[None, :]
        return symmetric
    raise SkeletonError(f"unknown normalisation '{kind}'; choose 'row' or 'symmetric'")


def powers(matrix: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Matrix powers 1..``order`` stacked to ``(order, nodes, nodes)``.

    Raises:
        SkeletonError: an order below 1.
    """
    if order < 1:
        raise SkeletonError(f"polynomial order {order} is not positive; give 1 or more")
    stack = [matrix]
    for _ in range(order - 1):
        stack.append(stack[-1] @ matrix)
    return np.stack(stack)


def line_graph(edges: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """0/1 adjacency ``(edges, edges)`` of edges that share a node."""
    ends = [set(edge) for edge in edges]
    return np.array([[float(i != j and bool(a & b)) for j, b in enumerate(ends)] for i, a in enumerate(ends)])


def bone_nodes(parents: Sequence[int]) -> NDArray[np.float64]:
    """The line graph ``(joints, joints)`` on one node a joint: the bone that leads to it, or the root by itself.

    The root's node is a neighbour of the bones that leave the root (Sym-GNN section 5.5).
    """
    return line_graph([(child if parent < 0 else parent, child) for child, parent in enumerate(parents)])
