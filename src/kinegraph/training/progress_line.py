"""Where a run is, for people: one line in a terminal, one per validation in a file."""

from __future__ import annotations

import math
import sys
import time
from typing import TextIO

__all__ = ["ProgressLine"]


class ProgressLine:
    """One line that says where the run is: redrawn in a terminal, one line per validation in a file."""

    def __init__(self, steps: int, stream: TextIO | None = None) -> None:
        self.steps = steps
        self.stream = stream if stream is not None else sys.stderr
        self.live = self.stream.isatty()
        self._started = time.monotonic()
        self._first_step = 0
        self._drawn = 0.0
        self._width = 0

    def begin(self, step: int) -> None:
        """Start the clock at `step`."""
        self._first_step, self._started = step, time.monotonic()

    def update(self, step: int, text: str, *, keep: bool = False) -> None:
        """Show `text` at `step`; `keep` starts a new line after it. Redrawn at most five times a second."""
        now = time.monotonic()
        if not keep and (not self.live or now - self._drawn < 0.2):
            return
        self._drawn = now
        speed = (step - self._first_step) / max(now - self._started, 1e-9)
        left = (self.steps - step) / speed if speed > 0 else math.inf
        line = f"step {step}/{self.steps}  {text}  {speed:.1f} steps/s  {_clock(left)} left"
        try:
            if self.live:
                padding = " " * max(0, self._width - len(line))
                self.stream.write("\r" + line + padding + ("\n" if keep else ""))
                self._width = 0 if keep else len(line)
            else:
                self.stream.write(line + "\n")
            self.stream.flush()
        except OSError:
            self.live = False  # nobody is reading; the run goes on

    def close(self) -> None:
        """End the line that is being redrawn."""
        if self.live and self._width:
            self.stream.write("\n")
            self._width = 0


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
