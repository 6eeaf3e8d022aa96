"""How many threads the networks of a command take."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

__all__ = ["one_thread", "threads_that_help"]

STATED = "OMP_NUM_THREADS"
GAIN = 1.2  # fewer times as fast is not worth the others' cores


def one_thread() -> None:
    """Let this process's torch take one thread, unless ``OMP_NUM_THREADS`` says how many.

    The package's networks are small: a second thread gains little, and on a busy machine threads wait for each other at
    every product. There a forecast of a second took 37 s on two threads and 0.23 s on one.

    Torch reads the variable when it is loaded, so a command calls this first and loads nothing for it.
    """
    if os.environ.get(STATED):
        return
    os.environ[STATED] = "1"
    torch = sys.modules.get("torch")
    if torch is not None:  # loaded already, as in a process that calls the command line as a function
        torch.set_num_threads(1)


def threads_that_help(speed: Callable[[], float] | None = None) -> int:
    """Give this process's torch all its threads or one, whichever is faster now, unless ``OMP_NUM_THREADS`` says.

    For minutes of training: on an idle machine two threads are nearly twice as fast as one, beside somebody else's
    work they wait for each other and are slower by far.

    Args:
        speed: how fast this process is with the threads it has, any unit; a product like those of training if None.

    Returns:
        The number of threads.
    """
    import torch

    every = torch.get_num_threads()
    if os.environ.get(STATED) or every == 1:
        return every
    speed = speed or _products_per_second
    found = {}
    for threads in (every, 1):
        torch.set_num_threads(threads)
        found[threads] = speed()
    best = every if found[every] > GAIN * found[1] else 1
    torch.set_num_threads(best)
    return best


def _products_per_second(seconds: float = 0.3) -> float:
    """Products of a batch with a layer's weights, forward and backward in size, by the clock on the wall."""
    import torch

    batch, weight = torch.ones(256, 512), torch.ones(512, 512)
    torch.mm(batch, weight)  # the threads are made
    start = time.perf_counter()
    count = 0
    while (passed := time.perf_counter() - start) < seconds:
        torch.mm(torch.mm(batch, weight), weight)
        count += 1
    return count / passed
