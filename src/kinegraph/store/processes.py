"""The same work on many tasks in several processes, a few tasks ahead and no more, so that memory stays flat."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from kinegraph.errors import ConfigError, KinegraphError

__all__ = ["in_processes", "processes"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def processes(workers: int | None) -> int:
    """How many to use: as said, or one for each core. Raises ConfigError below 1."""
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}; expected at least 1")
    if workers is not None:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[tuple[Task, Result]]:
    """Each task with its result, in the order in which they are done.

    Args:
        function: sent to every process once, so that it may hold much (``functools.partial``).
        tasks: sent one by one.
        workers: processes; 1 works in this one.

    Raises:
        KinegraphError: a process was killed. What the function raises comes through as it is.
    """
    if workers == 1:
        for task in tasks:
            yield task, function(task)
        return
    # fresh processes: a fork of one with threads (torch, BLAS) may hang
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (function,))
    try:
        waiting: dict[Future[Result], Task] = {}
        rest = iter(tasks)
        while True:
            for task in rest:
                waiting[pool.submit(_do, task)] = task
                if len(waiting) >= 2 * workers:
                    break
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(future), future.result()
    except BrokenProcessPool:
        raise KinegraphError(
            "a process that does part of the work was killed or could not start (memory? a script without "
            "`if __name__ == '__main__'`?); run the same again to go on, with workers 1 if it repeats"
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_function: Callable[[Any], Any] | None = None


def _start(function: Callable[[Any], Any]) -> None:
    """Make a process ready: Ctrl-C, and what a service manager sends to all of a job, is for the parent, and without a
    parent there is nothing to do."""
    global _function
    _function = function
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _outlive_nobody() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(task: Any) -> Any:
    assert _function is not None
    return _function(task)
