"""Evaluation on several processes (torchrun): each does its share of the clips, and every clip counts once."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta

import numpy as np
import torch.distributed as dist
from numpy.typing import NDArray

from kinegraph.errors import DataError

__all__ = ["gather_rows", "is_first", "join_processes", "own_device", "share_of"]

_HOURS = 6  # the longest a process waits for the others


def join_processes() -> bool:
    """Join the processes that torchrun started; whether there are several. Does nothing in a process of its own."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and dist.is_available() and not dist.is_initialized():
        dist.init_process_group("gloo", timeout=timedelta(hours=_HOURS))
        atexit.register(_leave)
    return _world() > 1


def _leave() -> None:
    """Take leave of the others: a process that ends with its group's threads running is aborted now and then."""
    if dist.is_initialized():
        dist.destroy_process_group()


def is_first() -> bool:
    """Whether this process prints and writes."""
    return _world() == 1 or dist.get_rank() == 0


def own_device(device: str) -> str:
    """Of several processes on GPUs, this one's: ``cuda`` alone would be the first GPU for all of them."""
    several = device == "cuda" and int(os.environ.get("WORLD_SIZE", "1")) > 1
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if several else device


def share_of(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of ``(rows,)`` that this process does: every so many-th."""
    return rows if _world() == 1 else rows[dist.get_rank() :: dist.get_world_size()]


def gather_rows(own: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values ``(rows, ...)`` of all rows in their order, from each process's values of its share.

    Raises:
        DataError: a process answered for other rows than its own.
    """
    if _world() == 1:
        return own
    parts: list[NDArray[np.float64]] = [np.zeros(0)] * dist.get_world_size()
    dist.all_gather_object(parts, own)
    result = np.full((len(rows), *own.shape[1:]), np.nan)
    for rank, part in enumerate(parts):
        place = slice(rank, None, len(parts))
        if result[place].shape != part.shape:
            raise DataError(f"process {rank} answered {part.shape} for {result[place].shape}; start them alike")
        result[place] = part
    return result


def _world() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
