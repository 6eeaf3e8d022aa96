"""How many threads the networks of a command take."""

from __future__ import annotations

import os
import sys

__all__ = ["one_thread"]

STATED = "OMP_NUM_THREADS"


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
