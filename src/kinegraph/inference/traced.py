"""A network's forward for live use: the same numbers without Python between its operations.

One pose is so little work that most of the time goes into Python's way from operation to operation; a recorded graph
(TorchScript) leaves that out. What is recorded is compared with the network; where recording fails, or the answers
differ, the network itself runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["traced"]

_CLOSE = 1e-5
_WARM = 3  # calls in which the interpreter makes up its mind

Forward = Callable[[Tensor], Any]


class _Call(nn.Module):
    """A function of a network as a module, which recording asks for."""

    def __init__(self, model: nn.Module, call: Callable[[nn.Module, Tensor], Any]) -> None:
        super().__init__()
        self.model, self.call = model, call

    def forward(self, x: Tensor) -> Any:
        return self.call(self.model, x)


def traced(model: nn.Module, call: Callable[[nn.Module, Tensor], Any], shape: tuple[int, ...]) -> Forward:
    """``x -> call(model, x)``, recorded where that gives the same.

    Args:
        model: in eval mode; its weights must not change afterwards.
        call: gives a tensor or a flat tuple of tensors.
        shape: of the inputs; for others the network itself runs.
    """
    module = _Call(model, call).eval()

    def plain(x: Tensor) -> Any:
        with torch.inference_mode():
            return module(x)

    seeds = torch.Generator().manual_seed(0)
    examples = [torch.randn(shape, generator=seeds) for _ in range(2)]
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module(examples[0])  # what is folded or planned once is there before the recording
            fast = torch.jit.freeze(torch.jit.trace(module, examples[0], check_trace=False))  # type: ignore[no-untyped-call]
            for _ in range(_WARM):
                fast(examples[0])
            same = all(_same(fast(x), module(x)) for x in examples)
    except Exception:  # whatever the recorder does not know: the network runs as it is
        return plain
    if not same:
        return plain

    def run(x: Tensor) -> Any:
        if tuple(x.shape) != shape:
            return plain(x)
        with torch.inference_mode():
            return fast(x)

    return run


def _same(found: Any, expected: Any) -> bool:
    found, expected = ((one,) if isinstance(one, Tensor) else tuple(one) for one in (found, expected))
    return len(found) == len(expected) and all(
        a.shape == b.shape and bool((a - b).abs().max() <= _CLOSE * max(1.0, float(b.abs().max())))
        for a, b in zip(found, expected, strict=True)
    )
