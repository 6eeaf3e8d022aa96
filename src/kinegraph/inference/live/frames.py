"""Frames as they come: who is in them, and the last seconds of every person at an even rate, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.sequence import frames_within
from kinegraph.transforms.gaps import LONGEST_GAP_S

__all__ = ["Clock", "Frame", "FrameBuffer", "Id", "read_frame"]

Floats = NDArray[np.float64]
Id = Hashable
#: frames a second that a buffer of a nominal rate up to half of it holds at most; of faster ones some are forgotten
MOST_FPS = 240.0
#: no image has so many px, and nobody stands so many metres away
FURTHEST = 1e6
_SAME_S = 1e-6


class Frame(NamedTuple):
    """One moment: `positions` (people, joints, dims), NaN where missing, `confidence` (people, joints), `ids`."""

    time: float
    ids: tuple[Id, ...]
    positions: Floats
    confidence: Floats


@dataclass
class Clock:
    """Times of frames: stated ones, which must go forward, or one after the other at an even rate.

    Args:
        fps: of frames without a stated time.

    Raises:
        DataError: a rate that is none.
    """

    fps: float
    _now: float | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)
    _start: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not (np.isfinite(self.fps) and 0 < self.fps <= 10_000):
            raise DataError(f"stream: fps is {self.fps}; expected a positive number of frames a second up to 10000")

    def tick(self, time: float | None) -> float:
        """Seconds of this frame.

        Raises:
            DataError: not after the frame before.
        """
        if time is None:
            # counted from the last stated time, so that an even stream falls on even moments
            self._count += 1
            now = self._start + (self._count - 1) / self.fps
        else:
            now = float(time)
            if not np.isfinite(now) or (self._now is not None and now <= self._now):
                raise DataError(
                    f"stream: a frame at {time} s after one at {self._now} s; times must go forward (drop the frame, "
                    "or reset() for a new recording)"
                )
            self._start, self._count = now, 1
        self._now = now
        return now


def read_frame(
    time: float, people: ArrayLike | None, ids: Sequence[Id] | None, joints: int, dims: int, layout: str
) -> Frame:
    """Check one moment's people.

    Args:
        time: seconds.
        people: ``(people, joints, dims)``, with confidences ``(people, joints, dims + 1)``, or one person without the
            first axis; None or empty for nobody. NaN or a confidence of 0 is a missing joint; so is, in 2D without
            confidences, exactly (0, 0), which is what detectors write there.
        ids: one for each; their numbers if None.
        joints, dims: expected.
        layout: name of it, for messages.

    Raises:
        DataError: another shape, an id twice, or values that are no numbers.
    """
    try:
        given = np.zeros((0, joints, dims)) if people is None else np.array(people, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"stream: a frame that is no array of numbers ({str(error)[:80]}); expected (people, {joints}, {dims}) or, "
            f"with confidences, (people, {joints}, {dims + 1}), on the joints of '{layout}'; None is nobody"
        ) from None
    if given.size == 0:
        given = np.zeros((0, joints, dims))
    if given.ndim == 2:
        given = given[None]
    if given.ndim != 3 or given.shape[1] != joints or given.shape[2] not in (dims, dims + 1):
        raise DataError(
            f"stream: a frame of shape {given.shape}; expected (people, {joints}, {dims}) or (people, {joints}, "
            f"{dims + 1}) with confidences, on the joints of '{layout}'"
        )
    positions = given[..., :dims]
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(positions).all(axis=-1))
    confidence: Floats = finite.astype(np.float64)
    if given.shape[2] > dims:
        stated: Floats = np.where(np.isnan(given[..., dims]), 0.0, given[..., dims])
        if stated.size and not (stated.min() >= 0 and stated.max() <= 1):
            raise DataError("stream: a confidence is outside 0..1; scale it, 0 means missing")
        confidence = np.where(finite, stated, 0.0)
    elif dims == 2:
        confidence[(positions == 0).all(axis=-1)] = 0.0
    names = tuple(range(len(given))) if ids is None else tuple(ids)
    if len(names) != len(given) or len(set(names)) != len(names):
        raise DataError(f"stream: ids {names} for {len(given)} people; expected a different one for each")
    positions = np.where((confidence > 0)[..., None], positions, np.nan)
    furthest = float(np.nanmax(np.abs(positions), initial=0.0))
    if furthest > FURTHEST:
        raise DataError(
            f"stream: a joint at {furthest:.3g}; expected {'px or fractions of the image' if dims == 2 else 'metres'} "
            f"within {FURTHEST:.0e} (mark what is not seen by NaN or a confidence of 0)"
        )
    return Frame(time, names, positions, confidence)


class FrameBuffer:
    """The last `span_s` seconds of everybody who is there.

    Args:
        joints, dims: of a frame.
        fps: the rate at which the past is told, Hz.
        span_s: how long it is remembered.
        away_s: who is not seen for longer is forgotten.

    Raises:
        ConfigError: a time away that is none.
    """

    def __init__(self, joints: int, dims: int, fps: float, span_s: float, away_s: float = 1.0) -> None:
        if not (np.isfinite(away_s) and away_s > 0):
            raise ConfigError(f"stream: away_s is {away_s}; expected seconds, above 0")
        self.joints, self.dims, self.fps, self.span_s, self.away_s = joints, dims, fps, span_s, away_s
        self._past: dict[Id, deque[tuple[float, Floats, Floats]]] = {}
        # twice the nominal rate, so that times which tremble about it lose no frame
        self._apart = 1 / max(MOST_FPS, 2 * fps) - _SAME_S
        self._gap = max(LONGEST_GAP_S, 1.5 / fps)

    def clear(self) -> None:
        """Forget everybody."""
        self._past.clear()

    def push(self, frame: Frame) -> list[Id]:
        """Add a frame; whom it forgets is returned."""
        for row, name in enumerate(frame.ids):
            past = self._past.setdefault(name, deque())
            if past and frame.time - past[-1][0] > self._gap + _SAME_S:
                past.clear()
            if len(past) > 1 and past[-1][0] - past[-2][0] < self._apart:
                past.pop()  # not the new one, which is to be looked at now
            past.append((frame.time, frame.positions[row], frame.confidence[row]))
            # one frame before the span stays, to interpolate from
            while len(past) > 2 and past[1][0] <= frame.time - self.span_s - _SAME_S:
                past.popleft()
        gone = [name for name, past in self._past.items() if frame.time - past[-1][0] > self.away_s]
        for name in gone:
            del self._past[name]
        return gone

    def here(self, time: float) -> tuple[Id, ...]:
        """Who was seen at that moment, the last one."""
        return tuple(name for name, past in self._past.items() if abs(past[-1][0] - time) < _SAME_S)

    def known(self) -> tuple[Id, ...]:
        """Who is not forgotten, seen at the last moment or not."""
        return tuple(self._past)

    def reach_s(self, name: Id) -> float:
        """Seconds from a person's first remembered frame to the last; below 0 for a stranger."""
        past = self._past.get(name)
        return past[-1][0] - past[0][0] if past else -1.0

    def frames_told(self, name: Id, span_s: float | None = None, fps: float | None = None, back_s: float = 0.0) -> int:
        """How many frames :meth:`told` tells; 0 for a stranger."""
        reach = min(self.reach_s(name), self.span_s) - back_s
        reach = reach if span_s is None else min(reach, span_s)
        return frames_within(reach, self.fps if fps is None else fps) if reach >= -_SAME_S else 0

    def told(
        self, name: Id, span_s: float | None = None, fps: float | None = None, back_s: float = 0.0
    ) -> tuple[Floats, Floats]:
        """A person's past at an even rate, its last moment the last frame's or one before it.

        Args:
            name: of the person.
            span_s: at most so long.
            fps: another rate.
            back_s: seconds by which the end lies before the last frame.

        Returns:
            Positions (frames, joints, dims), NaN where missing, and confidence (frames, joints). Between two frames a
            joint is there only if both have it.
        """
        past = self._past[name]
        end = past[-1][0] - back_s
        rate = self.fps if fps is None else fps
        count = self.frames_told(name, span_s, fps, back_s)
        moments = end - np.arange(count - 1, -1, -1) / rate
        frames = [past[i] for i in range(max(0, len(past) - self._needed(past, moments[0])), len(past))]
        times = np.array([one[0] for one in frames])
        stop = int(np.searchsorted(times, end - _SAME_S)) + 1  # the frame at the end, or the next one
        frames, times = frames[:stop], times[:stop]
        positions = np.stack([one[1] for one in frames])
        confidence = np.stack([one[2] for one in frames])
        if len(frames) == count and np.abs(times - moments).max() < _SAME_S:
            return positions, confidence
        before = np.clip(np.searchsorted(times, moments + _SAME_S) - 1, 0, len(times) - 1)
        after = np.minimum(before + 1, len(times) - 1)
        apart = times[after] - times[before]
        share = np.where(apart > 0, (moments - times[before]) / np.where(apart > 0, apart, 1.0), 0.0)
        share = np.clip(np.where((moments - times[before]) < _SAME_S, 0.0, share), 0.0, 1.0)
        after = np.where(share > 0, after, before)
        w = share[:, None, None]
        mixed = np.where(w == 0, positions[before], (1 - w) * positions[before] + w * positions[after])
        sure = np.minimum(confidence[before], confidence[after])
        return np.where((sure > 0)[..., None], mixed, np.nan), sure

    @staticmethod
    def _needed(past: deque[tuple[float, Floats, Floats]], first: float) -> int:
        """How many frames, from the last back, reach to the moment `first` or before it."""
        count = 0
        for time, _, _ in reversed(past):
            count += 1
            if time <= first + _SAME_S:
                break
        return count
