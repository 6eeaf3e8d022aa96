"""Timing on a machine that other people use: candidates take turns, and medians are compared.

A neighbour's burst of work then falls on all candidates alike, and what is reported is the ratio within a turn. On
one thread the clock is the thread's own CPU time, which stands still while others run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one candidate, one value per turn."""

    turns: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.turns)

    @property
    def best(self) -> float:
        """Seconds."""
        return min(self.turns)

    def ratio(self, other: Timing) -> float:
        """How many times longer the other takes: median over turns of the ratio within the turn."""
        return statistics.median(b / a for a, b in zip(self.turns, other.turns, strict=True))


def race(candidates: Mapping[str, Callable[[], object]], *, seconds: float = 2.0, turns: int = 15) -> dict[str, Timing]:
    """Time callables in turns.

    Args:
        candidates: name -> call.
        seconds: how long the whole race may take, roughly.
        turns: how often each candidate runs (several calls each where they are short).
    """
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    share = seconds / turns / len(candidates)
    calls = {}
    for name, run in candidates.items():
        run()
        start = clock()
        run()
        calls[name] = max(1, int(share / max(clock() - start, 1e-7)))
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(turns):
        for name, run in candidates.items():
            start = clock()
            for _ in range(calls[name]):
                run()
            found[name].append((clock() - start) / calls[name])
    return {name: Timing(tuple(values)) for name, values in found.items()}


_PRODUCTS = {"aten::bmm", "aten::baddbmm", "aten::mm", "aten::addmm"}
_BAGS = {"aten::embedding_bag", "aten::_embedding_bag_forward_only"}  # rows of a matrix, weighed: for one sample or two


class _Recorder(TorchDispatchMode):
    """Notes the operands of every matrix product."""

    def __init__(self) -> None:
        super().__init__()
        self.products: list[tuple[Tensor, Tensor]] = []
        self.bags: list[Callable[[], object]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func._schema.name.removesuffix("_")
        if name in _PRODUCTS:
            self.products.append((_like(args[-2]), _like(args[-1])))
        result = func(*args, **(kwargs or {}))
        if name == "aten::convolution":
            # what a convolution is when its input lies unfolded: one row per output, a column per tap and channel
            weight = args[1].flatten(1).t()
            rows = result.numel() // result.shape[1]
            self.products.append((torch.randn(rows, len(weight), dtype=weight.dtype), torch.randn(weight.shape)))
        if name in _BAGS:
            self.bags.append(partial(func, _like(args[0]), *args[1:], **(kwargs or {})))
        return result


def _like(tensor: Tensor) -> Tensor:
    """Other numbers, same shape and order in memory."""
    extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return torch.randn(extent, dtype=tensor.dtype).as_strided(tensor.shape, tensor.stride())


def matrix_products(run: Callable[[], object]) -> Callable[[], None]:
    """The matrix products of a call alone: same shapes and strides, operands at rest, outputs allocated.

    A convolution counts as the product of its unfolded input and its weights, without the unfolding.
    """
    with _Recorder() as recorder:
        run()
    work = []
    for left, right in recorder.products:
        work.append((torch.bmm if left.dim() == 3 else torch.mm, left, right, left @ right))

    def products() -> None:
        for product, a, b, out in work:
            product(a, b, out=out)
        for bag in recorder.bags:
            bag()

    return products


class _Replay(TorchDispatchMode):
    """Notes every matrix product and convolution, forward and backward, as a call on numbers at rest."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Callable[[], object]] = []
        self._operands: dict[tuple[object, ...], Tensor] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        name = func._schema.name.removesuffix("_")
        if name in _PRODUCTS:
            product = torch.bmm if args[-1].dim() == 3 else torch.mm
            self.calls.append(partial(product, self._like(args[-2]), self._like(args[-1])))
        elif name in ("aten::convolution", "aten::convolution_backward"):
            given = [self._like(arg) if isinstance(arg, Tensor) else arg for arg in args]
            self.calls.append(partial(func, *given, **(kwargs or {})))
        return func(*args, **(kwargs or {}))

    def _like(self, tensor: Tensor) -> Tensor:
        """One tensor for all operands of that shape and order in memory: copies of all would not fit."""
        key = (tensor.shape, tensor.stride(), tensor.dtype)
        if key not in self._operands:
            self._operands[key] = _like(tensor)
        return self._operands[key]


def products_and_convolutions(run: Callable[[], object]) -> Callable[[], None]:
    """The matrix products and convolutions of a call alone, forward and backward, with outputs allocated anew."""
    with _Replay() as recorder:
        run()
    calls = recorder.calls

    def replay() -> None:
        with torch.no_grad():
            for call in calls:
                call()

    return replay
