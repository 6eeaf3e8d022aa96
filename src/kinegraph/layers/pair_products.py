"""Sums over neighbours of ``x_j W_ij``, each in the arrangement that gives the fewest and largest matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.layers.neighbours import Neighbours


@dataclass(frozen=True)
class SourceOrder:
    """The pairs of a graph sorted by the node they come from.

    Attributes:
        sizes: nodes in each group of equally many targets.
        degrees: targets of a node in each group.
        nodes: ``(n,)`` source nodes, group by group; nodes that feed none are left out.
        pairs: ``(pairs,)`` index of each pair in the order of :class:`Neighbours`.
        targets: ``(pairs,)`` node that each pair goes to.
    """

    sizes: tuple[int, ...]
    degrees: tuple[int, ...]
    nodes: NDArray[np.int64]
    pairs: NDArray[np.int64]
    targets: NDArray[np.int64]

    @classmethod
    def of(cls, neighbours: Neighbours) -> SourceOrder:
        """Sort the pairs of ``neighbours``."""
        listed = zip(neighbours.targets.tolist(), neighbours.sources.tolist(), strict=True)
        index = {pair: p for p, pair in enumerate(listed)}
        turned = Neighbours(neighbours.mask.T)  # its targets are the sources
        groups = [group for group in turned.groups if group.degree]
        pairs = [index[i, j] for i, j in zip(turned.sources.tolist(), turned.targets.tolist(), strict=True)]
        return cls(
            sizes=tuple(len(group.nodes) for group in groups),
            degrees=tuple(group.degree for group in groups),
            nodes=np.array([node for group in groups for node in group.nodes], dtype=np.int64),
            pairs=np.array(pairs, dtype=np.int64),
            targets=turned.sources,
        )

    def matrices(self, weight: Tensor, pairs: Tensor) -> list[Tensor]:
        """Weights ``(pairs, in, out)`` as one ``(nodes, in, degree * out)`` per group; ``pairs`` is on their device."""
        pieces = torch.split(
            weight.index_select(0, pairs), [s * d for s, d in zip(self.sizes, self.degrees, strict=True)]
        )
        return [
            piece.reshape(size, -1, *weight.shape[1:]).transpose(1, 2).flatten(2)
            for size, piece in zip(self.sizes, pieces, strict=True)
        ]


def sum_inputs(x: Tensor, sources: Tensor, matrices: Sequence[Tensor], gate: Tensor | None = None) -> list[Tensor]:
    """Gather the inputs of all pairs; the sum over neighbours happens inside the matrix product.

    Args:
        x: ``(batch, nodes, in)``.
        sources: ``(pairs,)``, sorted by the degree of the target, see :class:`Neighbours`.
        matrices: one ``(nodes, degree * in, out)`` per degree group with neighbours.
        gate: ``(batch, pairs)`` factors of the inputs.

    Returns:
        One ``(nodes, batch, out)`` per group.
    """
    batch, _, channels = x.shape
    gathered = x.index_select(1, sources)  # (batch, pairs, in)
    if gate is not None:
        gathered = gathered * gate.unsqueeze(-1)
    # split, not slices: its backward is one concatenation
    pieces = torch.split(gathered, [m.shape[0] * (m.shape[1] // channels) for m in matrices], dim=1)
    return [
        # (batch, nodes, degree * in) -> (nodes, batch, degree * in): a strided operand, not a copy
        torch.bmm(piece.reshape(batch, *matrix.shape[:2]).transpose(0, 1), matrix)
        for piece, matrix in zip(pieces, matrices, strict=True)
    ]


def onto_targets(targets: Tensor, nodes: int, dtype: torch.dtype) -> Tensor:
    """Zeros and ones ``(nodes, pairs)`` that sum up what goes to each node, where pair p goes to ``targets[p]``."""
    return (torch.arange(nodes, device=targets.device).unsqueeze(1) == targets).to(dtype)


def sum_by_product(onto: Tensor, share: Tensor) -> Tensor:
    """``(nodes, batch, out)`` from the shares ``(pairs, batch, out)``; see :func:`onto_targets`."""
    return torch.mm(onto, share.flatten(1)).view(onto.shape[0], *share.shape[1:])


def sum_outputs(
    x: Tensor, nodes: Tensor, targets: Tensor, matrices: Sequence[Tensor], out_channels: int, gate: Tensor | None = None
) -> Tensor:
    """One product per source node gives its share in all its targets; the shares are then summed.

    Where outputs are narrow this moves a fraction of what :func:`sum_inputs` gathers, and its products are larger.

    Args:
        x: ``(batch, nodes, in)``.
        nodes, targets: of a :class:`SourceOrder`.
        matrices: of :meth:`SourceOrder.matrices`.
        out_channels: width of the result.
        gate: ``(batch, pairs)`` factors, in source order.

    Returns:
        ``(nodes, batch, out)``.
    """
    inputs = x.index_select(1, nodes).transpose(0, 1)  # (nodes, batch, in)
    shares = []
    for piece, matrix in zip(torch.split(inputs, [len(m) for m in matrices]), matrices, strict=True):
        product = torch.bmm(piece, matrix)  # (nodes, batch, degree * out)
        by_pair = product.reshape(*product.shape[:2], -1, out_channels).transpose(1, 2)
        shares.append(by_pair.flatten(0, 1))  # (pairs, batch, out)
    share = torch.cat(shares)
    if gate is not None:
        share = share * gate.t().unsqueeze(-1)
    if torch.compiler.is_compiling():
        # index_add becomes ScatterND in ONNX, and of sums into one place onnxruntime's threads lose some
        return sum_by_product(onto_targets(targets, x.shape[1], share.dtype), share)
    return share.new_zeros((x.shape[1], x.shape[0], out_channels)).index_add(0, targets, share)
