"""Sums over neighbours of ``x_j W_ij`` for training on a CPU: one target node after the other, inside the cache.

:func:`kinegraph.layers.pair_products.sum_inputs` gathers the inputs of all pairs at once, which a GPU wants. On a CPU
those gathered (and gated) copies, kept for the backward pass, are memory traffic that takes longer than the products:
with graphs between any two of 17 joints they are 17 times the features. Here a target's gathered inputs live in one
small buffer, and the backward pass gathers them again. A training step of LCN at batch 256 takes 0.75 of the time so,
of HCSF with graphs between any two joints 0.55 (one thread of a Xeon with AVX-512).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kinegraph.layers.neighbours import Neighbours

MANY_NEIGHBOURS = 3
"""From so many neighbours on, on average, the copies cost more than the calls that each target needs. The 17-joint
graph has 3.4 within one hop; there a step of HCSF takes 0.93 of the time so, of HCSF w/A 0.9, over 9 frames 0.84 (one
thread of an EPYC)."""


def wants_cache(x: Tensor, neighbours: Neighbours) -> bool:
    """Whether this call is a step of training on a CPU, on a graph with so many pairs that memory traffic counts.

    Compiled and autocast networks keep the arrangement of :mod:`.pair_products`, whose operations those understand.
    Of ``x``, ``(batch, nodes, in)``, only the device counts.
    """
    return (
        len(neighbours) >= MANY_NEIGHBOURS * neighbours.nodes
        and torch.is_grad_enabled()
        and x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )


def sum_in_cache(x: Tensor, weight: Tensor, gate: Tensor | None, neighbours: Neighbours, sources: Tensor) -> Tensor:
    """``h_i = sum over pairs (i, j) of gate_ij x_j W_ij``, differentiable once.

    Args:
        x: ``(batch, nodes, in)``.
        weight: ``(pairs, in, out)``, in the order of ``neighbours``.
        gate: ``(batch, pairs)`` or None.
        neighbours: the pairs, grouped by target.
        sources: ``neighbours.sources`` as a tensor.

    Returns:
        ``(nodes, batch, out)``.
    """
    result: Tensor = _SumInCache.apply(x, weight, gate, neighbours, sources)  # type: ignore[no-untyped-call]
    return result


class _SumInCache(torch.autograd.Function):
    """The sum, and its gradients, with a buffer that holds one target's inputs."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, gate: Tensor | None, neighbours: Neighbours, sources: Tensor
    ) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight, gate, sources)
        ctx.neighbours = neighbours
        batch, nodes = x.shape[:2]
        result = x.new_empty(nodes, batch, weight.shape[2])
        if any(not group.degree for group in neighbours.groups):
            result.zero_()
        buffers = _Buffers(x, neighbours)
        for node, pairs in neighbours.by_target():
            gathered = buffers.gather(x, gate, sources, pairs)
            torch.mm(gathered.flatten(1), weight[pairs].flatten(0, 1), out=result[node])
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, gate, sources = ctx.saved_tensors
        error = error.contiguous()
        of_x = torch.zeros_like(x)
        of_weight = weight.new_empty(weight.shape)  # contiguous whatever the strides of weight: products write into it
        of_gate = None if gate is None else torch.empty_like(gate)
        inputs, errors = _Buffers(x, ctx.neighbours), _Buffers(x, ctx.neighbours)
        for node, pairs in ctx.neighbours.by_target():
            gathered = inputs.gather(x, gate, sources, pairs)
            torch.mm(gathered.flatten(1).t(), error[node], out=of_weight[pairs].flatten(0, 1))
            back = errors.of(pairs)
            torch.mm(error[node], weight[pairs].flatten(0, 1).t(), out=back.flatten(1))
            if of_gate is not None:
                ungated = inputs.gather(x, None, sources, pairs)
                of_gate[:, pairs] = ungated.mul_(back).sum(dim=2)
                back.mul_(gate[:, pairs].unsqueeze(-1))
            of_x.index_add_(1, sources[pairs], back)
        return of_x, of_weight, of_gate, None, None


class _Buffers:
    """Room for the inputs of one target, ``(batch, degree, in)``, the same memory for every target."""

    def __init__(self, x: Tensor, neighbours: Neighbours) -> None:
        self.batch, _, self.channels = x.shape
        largest = max(group.degree for group in neighbours.groups)
        self.memory = x.new_empty(self.batch * largest * self.channels)

    def of(self, pairs: slice) -> Tensor:
        degree = pairs.stop - pairs.start
        return self.memory[: self.batch * degree * self.channels].view(self.batch, degree, self.channels)

    def gather(self, x: Tensor, gate: Tensor | None, sources: Tensor, pairs: slice) -> Tensor:
        room = self.of(pairs)
        whole = room.shape[1] == x.shape[1]  # all nodes, and a target's sources are sorted
        if whole and gate is not None:
            return torch.mul(x, gate[:, pairs].unsqueeze(-1), out=room)
        if whole:
            return room.copy_(x)
        torch.index_select(x, 1, sources[pairs], out=room)
        return room if gate is None else room.mul_(gate[:, pairs].unsqueeze(-1))
