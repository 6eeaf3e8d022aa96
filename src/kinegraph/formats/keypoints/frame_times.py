"""Frames by the times that stand beside them: their numbers, with gaps where nobody was seen, and the frame rate.

Loops round a detector often write a time with each frame, and nothing at all for a frame without people. The times then
tell what no frame number does: how many frames are not there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from kinegraph.formats.keypoints.detections import frame_slots

__all__ = ["Times", "Timing", "numbers_by_time", "seconds_of"]

_BROADCAST = tuple(n * 1000 / 1001 for n in (24, 30, 60, 120, 240))
_JITTER = 0.2
"""Share of times' steps that a middle step may differ from their mean by, if they are to say a rate."""
_OFF = 0.35
"""Frames that a step may differ from a whole number of them by; webcams' steps of 33 ms vary by 5 and more."""
_LONG = 5
"""Frames from which on a step is a gap, over which such differences may have added up."""
_AGREE = 0.05
"""Share that a stated frame rate may differ from the times' by."""
_SHORTEST, _LONGEST = 0.0005, 10.0  # seconds a frame that a name's unit is believed for
_FINEST = 1e-6  # seconds a frame that any time is believed for
_LARGEST = 2.0**40  # as of frame numbers
_UNITS = {"ms": 0.001, "msec": 0.001, "millis": 0.001, "milliseconds": 0.001}
_UNITS |= dict.fromkeys(("s", "sec", "secs", "seconds"), 1.0)


@dataclass(frozen=True)
class Timing:
    """Numbers of frames, None where they are as listed, their rate in frames a second if known, and notes."""

    numbers: list[int] | None
    fps: float | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Times:
    """The times beside the frames of a list, read once."""

    name: str
    """What the file calls them."""
    texts: tuple[str, ...]
    """Of each frame, as written."""
    values: tuple[float, ...] | None
    """The same as numbers, in the file's unit; None unless all are finite ones."""
    numbers: list[int] | None = None
    """Of the frames, where the file has them; they come first."""

    @classmethod
    def read(cls, name: str, texts: Iterable[str], numbers: list[int] | None = None) -> Times:
        """Times as written, made numbers."""
        texts = tuple(texts)
        return cls(name, texts, seconds_of(texts), numbers)

    def timing(self, fps: float | None = None) -> Timing:
        """When the frames are; `fps` is a rate that the file or the user states, and comes first."""
        name, values, numbers = self.name, self.values, self.numbers
        if values is None or len(values) < 2:
            return Timing(numbers, fps, (f"no frame rate read from '{name}'",) if fps is None else ())
        if numbers is None and len(set(values)) == len(values):
            numbers = numbers_by_time(values, name, fps)
        rate, told = _rate(numbers or range(len(values)), values, self.texts, name)
        if fps is None:
            return Timing(numbers, rate, (told,))
        if numbers is None:
            return Timing(None, fps, (f"steps of '{name}' are uneven: frames taken as evenly spaced",))
        if rate is not None and abs(rate - fps) > _AGREE * fps:
            return Timing(numbers, fps, (f"'{name}' says {rate:.6g} frames a second, and {fps:.6g} are stated: taken",))
        return Timing(numbers, fps)


def seconds_of(texts: Iterable[str]) -> tuple[float, ...] | None:
    """Times as numbers, in the file's unit; None unless all are finite ones."""
    try:
        values = tuple(float(text) for text in texts)
    except ValueError:
        return None
    return values if all(math.isfinite(value) for value in values) else None


def numbers_by_time(values: Sequence[float], name: str, fps: float | None = None) -> list[int] | None:
    """Numbers of frames, from 0 for the earliest; equal times are one frame.

    Steps are counted one by one in frames, as many as a usual step or a stated rate's goes into them: so jitter does
    not add up. None where steps are no whole numbers of frames, or frames would be too sparse to be a video.

    Args:
        values: finite times, in any order.
        name: what the file calls them.
        fps: a stated rate; it counts if the steps are whole numbers of its frames.
    """
    distinct = sorted(set(values))
    gaps = [b - a for a, b in pairwise(distinct)]
    if not gaps:
        return [0] * len(values)
    for step, long in _steps(gaps, name, fps):
        counts = _counts(gaps, step, long)
        if counts is None:
            continue
        place = dict(zip(distinct, accumulate(counts, initial=0), strict=True))
        numbers = [place[value] for value in values]
        if frame_slots(numbers) is not None:
            return numbers
    return None


def _steps(gaps: Sequence[float], name: str, fps: float | None) -> Iterator[tuple[float, float]]:
    """Steps that may be a frame's, likely ones first, each with the frames from which on a gap may be no whole number.

    The middle step is two frames where half of them are not there; the lower quartile is then still one.
    """
    ordered = sorted(gaps)
    scale = _scale(name, ordered[len(ordered) // 2])
    if fps is not None and scale is not None and fps * scale > 0:
        step = 1 / (fps * scale)
        counts = _counts(gaps, step, math.inf)
        if counts is not None and abs(sum(gaps) / sum(counts) - step) <= _AGREE * step:
            yield step, math.inf
    for guess in (ordered[len(ordered) // 2], ordered[len(ordered) // 4]):
        # written in whole milliseconds, 33 1/3 is 33 or 34: their mean counts long gaps right
        alike = [gap for gap in gaps if guess * (1 - _OFF) <= gap <= guess * (1 + _OFF)]
        yield sum(alike) / len(alike), _LONG


def _counts(gaps: Sequence[float], step: float, long: float) -> list[int] | None:
    """Frames that each gap is long; None where one below `long` frames is no whole number of them."""
    if not (max(gaps) < _LARGEST * step):  # also where either is infinite
        return None
    ratios = [gap / step for gap in gaps]
    counts = [max(round(ratio), 1) for ratio in ratios]
    near = all(count >= long or abs(ratio - count) <= _OFF for ratio, count in zip(ratios, counts, strict=True))
    return counts if near else None


def _scale(name: str, step: float) -> float | None:
    """Seconds in a time's unit, by its name (``time_ms``, ``timestampMs``) or the size of a step.

    Steps up to half a second are taken as seconds, those from 2 to 1000 as milliseconds; between, both could be meant.
    """
    last = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)[-1:]
    unit = _UNITS.get(last[0].lower()) if last else None
    if unit is not None and _SHORTEST <= step * unit <= _LONGEST:
        return unit
    return 1.0 if _FINEST <= step <= 0.5 else 0.001 if 2 <= step <= 1000 else None


def _rate(numbers: Sequence[int], values: Sequence[float], texts: Sequence[str], name: str) -> tuple[float | None, str]:
    """Frames a second that the times of numbered frames say, and a note of what was taken for what.

    Times are in seconds or milliseconds, as their name or their steps say; those that are not even say no rate. Rates
    that the digits written cannot tell from a usual one are it.

    Args:
        numbers: of the frames, each once.
        values: their times, two or more finite ones.
        texts: the same as written.
        name: what the file calls them.
    """
    ordered = sorted(zip(numbers, values, strict=True))
    (first, begin), (last, end) = ordered[0], ordered[-1]
    span, frames = end - begin, last - first
    steps = sorted((b - a) / (n - m) for (m, a), (n, b) in pairwise(ordered))
    mean, middle = span / frames, steps[len(steps) // 2]
    if steps[0] <= 0 or not abs(middle - mean) <= _JITTER * mean:
        shown = f"{steps[0]:.4g} to {steps[-1]:.4g}"
        return None, f"no frame rate read from '{name}': its steps, {shown}, are uneven; frames taken as evenly spaced"
    scale = _scale(name, mean)
    if scale is None:
        return None, f"no frame rate read from '{name}': its steps of {middle:.4g} may be seconds or milliseconds"
    rate = 1 / (mean * scale)
    digits = max(len(text.partition(".")[2]) if "e" not in text.lower() else 0 for text in texts)
    unsure = rate * max(10.0**-digits / span if digits < 6 else 0.0, 1e-6)
    usual = (float(max(round(rate), 1)), min(_BROADCAST, key=lambda known: abs(known - rate)))
    rate = next((known for known in usual if abs(known - rate) <= unsure), rate)
    told = f"{rate:.6g} frames a second from '{name}', taken as {'seconds' if scale == 1 else 'milliseconds'}"
    if steps[0] < (1 - _OFF) * middle or steps[-1] > (1 + _OFF) * middle:
        told += "; its steps are uneven, frames taken as evenly spaced"
    return rate, told
