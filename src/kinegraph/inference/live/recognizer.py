"""Recognising while it happens: people of one moment in, scores of what they do every hop out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.clip_scores import ClipScores
from kinegraph.inference.live.frames import Clock, FrameBuffer, Id, read_frame
from kinegraph.inference.live.motion import MotionStream, Observation
from kinegraph.inference.motion_window import MotionNetwork
from kinegraph.sequence import SkeletonSequence, Space, Unit, Up
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.gaps import ASSUMED_FPS

if TYPE_CHECKING:
    from kinegraph.inference.recognizer import Recognizer

__all__ = ["ClipRecognizeStream", "LiveActions", "MotionRecognizeStream", "RecognizeStream", "recognize_stream"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LiveActions:
    """What people do, at one hop.

    Attributes:
        time: seconds, where the window ends.
        window_s: how long it is.
        actions: class names.
        scores: (classes,) probabilities of each person, by id; of two people together by the pair of their ids, from a
            network that looks at two.
        smooth: the same, averaged over the last hops.
    """

    time: float
    window_s: float
    actions: tuple[str, ...]
    scores: dict[Id, Array]
    smooth: dict[Id, Array]

    def top(self, who: Id, count: int = 3) -> list[tuple[str, float]]:
        """The best classes of a person, best first, with their smooth scores."""
        scores = self.smooth[who]
        return [(self.actions[i], float(scores[i])) for i in np.argsort(-scores, kind="stable")[:count]]


class _Hops:
    """When scores are due, and their running mean, whose memory is half a window."""

    def __init__(self, window_s: float, hop_s: float | None) -> None:
        self.window_s = window_s
        self.hop_s = window_s / 4 if hop_s is None else float(hop_s)
        if not (np.isfinite(self.hop_s) and self.hop_s > 0):
            raise ConfigError(f"stream: a hop of {self.hop_s:g} s; expected seconds, above 0")
        self.reset()

    def reset(self) -> None:
        self._due: dict[Id, float] = {}
        self._mean: dict[Id, Array] = {}

    def due(self, names: Sequence[Id], time: float) -> list[Id]:
        """Who is to be looked at now."""
        return [name for name in names if time >= self._due.get(name, -np.inf) - 1e-6]

    def keep(self, names: Collection[Id]) -> None:
        """Forget all others: who comes again begins anew."""
        self._mean = {name: mean for name, mean in self._mean.items() if name in names}
        self._due = {name: due for name, due in self._due.items() if name in names}

    def result(self, time: float, actions: tuple[str, ...], scores: dict[Id, Array]) -> LiveActions:
        share = 1 - np.exp(-self.hop_s / (0.5 * self.window_s))
        for name, found in scores.items():
            before = self._mean.get(name)
            self._mean[name] = found if before is None else before + share * (found - before)
            self._due[name] = time + self.hop_s
        smooth = {name: self._mean[name] for name in scores}
        return LiveActions(time=time, window_s=self.window_s, actions=actions, scores=scores, smooth=smooth)


class RecognizeStream(ABC):
    """A recogniser fed one frame at a time.

    :meth:`push` does everything at once; who may not be kept waiting calls its parts, :meth:`remember`, and then
    :meth:`look` and :meth:`hear` for one of those who are :meth:`due`, when there is time.
    """

    def push(
        self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None
    ) -> LiveActions | None:
        """Add the people of one moment; scores of those for whom they are due, None where for nobody.

        Args:
            people: ``(people, joints, dims)``, or one more with confidences, or one person; None for nobody.
            time: seconds; None: at the nominal rate.
            ids: who is who, their numbers if None.

        Raises:
            DataError: see :func:`read_frame`.
        """
        self.remember(people, time, ids)
        scores = {name: self.look(name) for name in self.due()}
        return self.hear({name: one for name, one in scores.items() if one is not None})

    @abstractmethod
    def remember(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> None:
        """Add the people of one moment, ``(people, joints, dims)``; see :meth:`RecognizeStream.push`."""

    @abstractmethod
    def due(self) -> list[Id]:
        """Who is to be looked at now: people, and the pair of them where the network looks at two."""

    @abstractmethod
    def look(self, who: Id) -> Array | None:
        """Scores (classes,) of one who is due; None for one who is not seen in enough of the window.

        Raises:
            DataError: nobody who is there.
        """

    @abstractmethod
    def hear(self, scores: dict[Id, Array]) -> LiveActions | None:
        """What to make of the scores (classes,) of those who were looked at; None without any."""

    @abstractmethod
    def reset(self) -> None:
        """Forget everybody."""


class MotionRecognizeStream(RecognizeStream):
    """A motion network with classes, live.

    Args:
        motion: the stream of its network, shared with a forecaster or its own.
        hop_s: seconds from scores to scores; a quarter of a window if None.
    """

    def __init__(self, motion: MotionStream, hop_s: float | None = None) -> None:
        self.motion, self.actions = motion, motion.network.transform.actions
        self._hops = _Hops(motion.network.observed_s, hop_s)
        self.window_s, self.hop_s = self._hops.window_s, self._hops.hop_s

    def remember(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> None:
        """Add the people of one moment, ``(people, joints, dims)``; see :meth:`RecognizeStream.push`."""
        self.motion.push(people, time, ids)
        self._hops.keep(self.motion.followed())

    def due(self) -> list[Id]:
        """Who is to be looked at now."""
        if self.motion.time is None:
            return []
        self._hops.keep(self.motion.followed())  # the motion may be remembered for a forecaster, too
        return self._hops.due(self.motion.ready(), self.motion.time)

    def look(self, who: Id) -> Array | None:
        """Scores (classes,) of one who is due."""
        if who not in self.motion.followed():
            raise _nobody(who, self.due())
        seen = self.motion.look(who)
        return seen.scores if isinstance(seen, Observation) else None

    def hear(self, scores: dict[Id, Array], time: float | None = None) -> LiveActions | None:
        """What to make of the scores (classes,) of those looked at, now or at a `time` before; None without any."""
        now = self.motion.time if time is None else time
        return self._hops.result(now, self.actions, scores) if scores and now is not None else None

    def reset(self) -> None:
        """Forget everybody."""
        self.motion.reset()
        self._hops.reset()


class ClipRecognizeStream(RecognizeStream):
    """Recognisers of clips, live: the last window of everybody, scored as a recording of that length.

    Args:
        scores: of the networks.
        skeleton: layout of the people, or its name.
        fps: nominal rate of the frames; irregular times are brought to it.
        window_s: seconds of a window; None takes the network's own.
        hop_s: seconds from scores to scores; a quarter of a window if None.
        unit, space, up, image_size: of the positions.
        away_s: who is not seen for longer is forgotten.

    Raises:
        ConfigError: a window, a hop or a time away that is none.
        DataError: no frame rate, or what the networks cannot see.
        SkeletonError: too few of their joints.
    """

    def __init__(
        self,
        scores: ClipScores,
        skeleton: str | Skeleton,
        *,
        fps: float = ASSUMED_FPS,
        window_s: float | None = None,
        hop_s: float | None = None,
        unit: Unit | None = None,
        space: Space | None = None,
        up: Up | None = "y",
        image_size: tuple[int, int] | None = None,
        away_s: float = 1.0,
    ) -> None:
        self._scores, self.actions, self.dims = scores.for_live(), scores.actions, scores.dims
        self.skeleton = get_skeleton(skeleton)
        self.fps = float(fps)
        self._clock, self._now = Clock(self.fps), 0.0
        self._unit: Unit = unit or ("m" if self.dims == 3 else "px")
        self._space: Space = space or ("world" if self.dims == 3 else "image")
        self._up = up if self._space == "world" else None
        self._image_size = image_size
        self._frames = max(2, round(scores.checked_window_s(self.fps, window_s) * self.fps))
        self._hops = _Hops(self._frames / self.fps, hop_s)
        self.window_s, self.hop_s = self._hops.window_s, self._hops.hop_s
        self._buffer = FrameBuffer(self.skeleton.num_joints, self.dims, self.fps, self._frames / self.fps, away_s)
        self._long = (self._frames - 1) / self.fps
        self._check()

    def remember(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> None:
        """Add the people of one moment, ``(people, joints, dims)``; see :meth:`RecognizeStream.push`."""
        self._now = self._clock.tick(time)
        self._buffer.push(read_frame(self._now, people, ids, self.skeleton.num_joints, self.dims, self.skeleton.name))
        followed = self._followed(self._buffer.known())
        self._hops.keep({*followed, *self._pair(followed)})

    def due(self) -> list[Id]:
        """Who is to be looked at now: people, and the pair of them where the network looks at two."""
        there = self._there()
        return self._hops.due([*there, *self._pair(there)], self._now)

    def look(self, who: Id) -> Array | None:
        """Scores (classes,) of one who is due, from the last window; None for one who is not seen in enough of it."""
        names = who if who in self._pair(self._there()) else (who,)
        if not set(names) <= set(self._buffer.known()):
            raise _nobody(who, self.due())
        told = [self._buffer.told(name, self._long) for name in names]
        sequence = self._sequence(np.stack([p for p, _ in told]), np.stack([c for _, c in told]))
        return self._scores.of_window(sequence, list(range(len(told))))

    def hear(self, scores: dict[Id, Array]) -> LiveActions | None:
        """What to make of the scores (classes,) of those who were looked at; None without any."""
        return self._hops.result(self._now, self.actions, scores) if scores else None

    def _there(self) -> tuple[Id, ...]:
        """Who is here and was for a window."""
        return self._followed(self._buffer.here(self._now))

    def _followed(self, names: tuple[Id, ...]) -> tuple[Id, ...]:
        """Who of them was seen for a window without a long gap."""
        return tuple(name for name in names if self._buffer.frames_told(name) >= self._frames)

    def _pair(self, there: tuple[Id, ...]) -> tuple[tuple[Id, Id], ...]:
        """The two together."""
        return ((there[0], there[1]),) if len(there) == 2 and self._scores.people > 1 else ()

    def reset(self) -> None:
        """Forget everybody."""
        self._buffer.clear()
        self._clock = Clock(self.fps)
        self._hops.reset()

    def _sequence(self, positions: Array, confidence: Array) -> SkeletonSequence:
        return SkeletonSequence(
            positions=positions,
            confidence=confidence,
            skeleton=self.skeleton,
            fps=self.fps,
            unit=self._unit,
            space=self._space,
            up=self._up,
            image_size=self._image_size,
            source="the stream",
        )

    def _check(self) -> None:
        """Refuse at the start what every window would be refused for."""
        ones = np.ones((1, self._frames, self.skeleton.num_joints, self.dims))
        self._scores._check(self._sequence(ones, np.ones(ones.shape[:3])))


def _nobody(who: Id, due: list[Id]) -> DataError:
    return DataError(f"stream: {who!r} is nobody who was seen for long enough; expected one of those due, {due}")


def recognize_stream(
    recognizer: Recognizer,
    skeleton: str | Skeleton,
    *,
    fps: float = ASSUMED_FPS,
    hop_s: float | None = None,
    window_s: float | None = None,
    unit: Literal["m", "px", "normalized"] | None = None,
    space: Space | None = None,
    up: Up | None = "y",
    image_size: tuple[int, int] | None = None,
    away_s: float = 1.0,
    history_s: float = 10.0,
    refit_s: float = 0.0,
    fast: bool = False,
) -> RecognizeStream:
    """What :meth:`Recognizer.stream` makes.

    Raises:
        ConfigError: a window for a motion network, which has its own; or a window, a hop or a time away that is none.
        DataError: keypoints for a recogniser of 3D motion.
    """
    if isinstance(recognizer.network, MotionNetwork):
        if window_s is not None:
            raise ConfigError(
                f"window {window_s:g} s: {recognizer.name} always looks at {recognizer.network.observed_s:.2f} s; "
                "leave it out"
            )
        if unit not in (None, "m"):
            raise DataError(f"stream: {recognizer.name} takes metres, found {unit}; lift the keypoints first")
        motion = MotionStream(
            recognizer.network,
            skeleton,
            fps=fps,
            space=space or "world",
            up=up,
            history_s=history_s,
            refit_s=refit_s,
            away_s=away_s,
            fast=fast,
        )
        return MotionRecognizeStream(motion, hop_s)
    scores = recognizer._scores
    assert isinstance(scores, ClipScores)
    return ClipRecognizeStream(
        scores,
        skeleton,
        fps=fps,
        window_s=window_s,
        hop_s=hop_s,
        unit=unit,
        space=space,
        up=up,
        image_size=image_size,
        away_s=away_s,
    )
