"""A command that is ended from outside leaves nothing half written, as after Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["Ended", "ends_tidily"]


class Ended(KeyboardInterrupt):
    """Somebody ends the process: a scheduler, a service manager, a terminal that is closed.

    Attributes:
        status: what the process should end with, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.status = 128 + number


@contextmanager
def ends_tidily() -> Iterator[None]:
    """SIGTERM and SIGHUP (its terminal is closed) within are as Ctrl-C: half written files and folders go again.

    Only where nobody has said otherwise (nohup, a program that calls this one), and in the main thread, which
    gets them.
    """
    taken: list[int] = []

    def end(number: int, _: object) -> NoReturn:
        for other in taken:
            signal.signal(other, signal.SIG_IGN)  # tidying up must not be stopped by the same once more
        raise Ended(number)

    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
