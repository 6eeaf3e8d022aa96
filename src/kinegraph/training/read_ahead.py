"""Batches that are drawn while the network learns from those before, and copied without a wait.

What a batch holds follows from the number of its step alone, so neither workers nor their number change anything.
Workers are processes, as those that read clips: several share the work, and none holds the interpreter that launches a
GPU's.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from kinegraph.training.launch import cores
from kinegraph.training.stop_signals import leave_stopping_to_the_run, stops_held_back

__all__ = ["Reader", "drawn_ahead", "on_device", "without_trainer"]

Batch = TypeVar("Batch", bound=tuple[Any, ...])
MOST = 8
"""Workers at most, where the recipe does not say."""


class Reader(NamedTuple):
    """Who reads: one of several processes that train together."""

    first: int
    """Step to begin at."""
    rank: int
    """Number of the process."""
    world: int
    """How many train together."""
    device: torch.device
    """Where its network is."""
    here: int
    """How many of the processes share this machine."""

    @classmethod
    def of(cls, trainer: Any) -> Reader:
        """The process of a trainer, at its current step."""
        return cls(
            trainer.global_step,
            trainer.global_rank,
            trainer.world_size,
            trainer.strategy.root_device,
            trainer.num_devices,
        )

    def workers(self, given: int | None) -> int:
        """Processes that draw for it: as many as `given`; for None, up to 8 beside a GPU and none on a CPU, where they
        would take the network's cores."""
        if given is not None:
            return given
        return min(MOST, cores(self.here)) if self.device.type == "cuda" else 0


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor (n, ...) of the CPU on `device`; for a GPU from pinned memory, so that the CPU goes on at once."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def drawn_ahead(draw: Callable[[int], Batch], reader: Reader, workers: int) -> Iterator[Batch]:
    """The batches of the steps from the reader's first on, without end, on its device.

    Args:
        draw: from the number of a step to a named tuple of tensors of the CPU; travels to the workers.
        reader: who reads.
        workers: processes that draw; with 0, batches are drawn one by one where they are needed.
    """
    if workers == 0:
        for step in count(reader.first):
            batch = draw(step)
            yield type(batch)(*(on_device(x, reader.device) if isinstance(x, Tensor) else x for x in batch))
    loader = DataLoader(
        _Drawn(draw),
        batch_size=None,
        sampler=_From(reader.first),
        num_workers=workers,
        persistent_workers=True,
        pin_memory=reader.device.type == "cuda",
        worker_init_fn=leave_stopping_to_the_run,
    )
    with stops_held_back():
        batches = iter(loader)
    for batch in batches:
        yield type(batch)(*(x.to(reader.device, non_blocking=True) if isinstance(x, Tensor) else x for x in batch))


def without_trainer(module: Any) -> Any:
    """A data module as it travels to workers."""
    alone = copy.copy(module)
    alone.trainer = None
    return alone


class _Drawn(Dataset[Any]):
    def __init__(self, draw: Callable[[int], Any]) -> None:
        self.draw = draw

    def __getitem__(self, step: int) -> Any:
        return self.draw(step)


class _From(Sampler[int]):
    """The numbers from `first` on, without end."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return count(self.first)
