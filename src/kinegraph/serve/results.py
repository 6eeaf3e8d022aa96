"""Results in memory: as many as the settings say, gone when they are old or when newer ones need the place."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from kinegraph.visualize.analysis import Analysis

__all__ = ["Result", "Results"]

#: most bytes of all results together; one of 1,000 frames takes about 2 MB
MOST_BYTES = 512 * 2**20


@dataclass
class Result:
    """An analysis under a name that cannot be guessed."""

    id: str
    analysis: Analysis
    motion: bytes
    size: int
    seen: float = field(default=0.0)

    def summary(self) -> dict[str, object]:
        """What the page lists."""
        sequence = self.analysis.solid or self.analysis.flat
        assert sequence is not None
        return {
            "id": self.id,
            "name": self.analysis.name,
            "people": sequence.people,
            "frames": sequence.frames,
            "fps": sequence.fps,
            "layout": (self.analysis.flat or sequence).skeleton.name,
            "lifted": self.analysis.flat is not None and self.analysis.solid is not None,
            "solid": self.analysis.solid is not None,
            "forecast": self.analysis.forecast is not None,
            "actions": list(dict.fromkeys(band.label for band in self.analysis.bands)),
        }


class Results:
    """Results by id; safe to share between threads.

    Args:
        keep: how many at most.
        keep_s: seconds after which one that nobody looked at goes.
        clock: seconds that never go back; for tests.
    """

    def __init__(self, keep: int, keep_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.keep, self.keep_s, self._clock = keep, keep_s, clock
        self._held: OrderedDict[str, Result] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        with self._lock:
            return len(self._held)

    def add(self, analysis: Analysis) -> Result:
        """Keep an analysis; the one that was looked at longest ago goes when there are too many."""
        motion = json.dumps(analysis.motion(), separators=(",", ":"), allow_nan=False).encode()
        arrays = [s for s in (analysis.flat, analysis.solid, analysis.forecast) if s is not None]
        size = len(motion) + sum(
            a.nbytes for s in arrays for a in (s.positions, s.confidence, s.rotations) if a is not None
        )
        result = Result(secrets.token_urlsafe(12), analysis, motion, size, self._clock())
        with self._lock:
            self._held[result.id] = result
            self._tidy()
        return result

    def get(self, name: str) -> Result | None:
        """A result, which is young again."""
        with self._lock:
            self._tidy()
            result = self._held.get(name)
            if result is not None:
                result.seen = self._clock()
                self._held.move_to_end(name)
            return result

    def drop(self, name: str) -> bool:
        """Forget a result; False if there was none."""
        with self._lock:
            return self._held.pop(name, None) is not None

    def _tidy(self) -> None:
        now = self._clock()
        total = sum(result.size for result in self._held.values())
        while self._held:
            oldest = next(iter(self._held.values()))
            crowded = len(self._held) > self.keep or (total > MOST_BYTES and len(self._held) > 1)
            if not crowded and now - oldest.seen <= self.keep_s:
                return
            total -= oldest.size
            del self._held[oldest.id]
