"""Numbers that are none: a run that has diverged keeps what it had, and says so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from kinegraph.errors import KinegraphError

__all__ = ["DivergedError", "all_finite", "tensors_in"]


class DivergedError(KinegraphError):
    """Losses, errors or weights of a run are NaN or infinite.

    Args:
        what: is so, and what it is: "the training loss is nan".
        step: where it was seen.
    """

    def __init__(self, what: str, step: int) -> None:
        super().__init__(
            f"{what} at step {step}; lower optim.lr or set optim.clip, and begin anew with another --out (a resumed "
            "run keeps the optimiser's settings)"
        )


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no number of any of them, of any shape (), (n,), ..., is NaN or infinite. A GPU is waited for once."""
    found = [torch.isfinite(tensor).all() for tensor in tensors if tensor.is_floating_point()]
    return not found or bool(torch.stack([one.to(found[0].device) for one in found]).all())


def tensors_in(value: Any) -> Iterable[Tensor]:
    """All tensors, of any shape (), (n,), ..., of nested dictionaries, lists and tuples."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one)
