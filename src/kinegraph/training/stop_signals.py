"""A clean stop: Ctrl-C, SIGTERM and SIGUSR1 end a run after the step it is in.

Slurm, systemd and a terminal send them to every process of a job, those that only read ahead included; torchrun passes
on to its processes what it gets itself.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["StopSignals", "leave_stopping_to_the_run", "stops_held_back"]

_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
_SAME = 2.0  # seconds within which torchrun's copy of a signal arrives


class StopSignals:
    """Turns the first Ctrl-C, SIGTERM or SIGUSR1 (Slurm's `--signal`) into a request to stop after the step; a second
    one stops at once. Under torchrun, one of the next two seconds is the first once more."""

    def __init__(self) -> None:
        self.requested = False
        self._since = 0.0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self.listen()
        return self

    def listen(self) -> None:
        """Take the signals; anew, where somebody has put their own handlers there meanwhile."""
        for number in _STOPS:
            try:
                before = signal.signal(number, self._request)
            except ValueError:
                break  # not the main thread: signals are somebody else's
            self._before.setdefault(number, before)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested, self._since = True, time.monotonic()
        elif "TORCHELASTIC_RUN_ID" not in os.environ or time.monotonic() - self._since > _SAME:
            raise KeyboardInterrupt("stopped at once; --resume continues from the last checkpoint")


@contextmanager
def stops_held_back() -> Iterator[None]:
    """Signals that come within are delivered afterwards, and processes that begin within never get them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_stopping_to_the_run(worker: int) -> None:
    """What a process that reads ahead begins with: what is sent to all of a job is for the run, which ends this one."""
    for number in _STOPS:
        if number != signal.SIGTERM or not hasattr(signal, "sigwaitinfo"):
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
        threading.Thread(target=_obey_the_run, daemon=True).start()


def _obey_the_run() -> None:
    """The one SIGTERM that counts is the data loader's, to a process that hangs."""
    while signal.sigwaitinfo((signal.SIGTERM,)).si_pid != os.getppid():
        pass
    os._exit(0)
