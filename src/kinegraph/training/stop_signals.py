"""A clean stop: Ctrl-C and SIGTERM end a run after the step it is in."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

__all__ = ["StopSignals"]


class StopSignals:
    """Turns the first Ctrl-C or SIGTERM into a request to stop after the step; a second one stops at once."""

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignals:
        self.listen()
        return self

    def listen(self) -> None:
        """Take the signals; anew, where somebody has put their own handlers there meanwhile."""
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                before = signal.signal(number, self._request)
            except ValueError:
                break  # not the main thread: signals are somebody else's
            self._before.setdefault(number, before)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt("stopped at once; --resume continues from the last checkpoint")
        self.requested = True
