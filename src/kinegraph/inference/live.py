"""2D keypoints in; 3D, actions and forecasts out, one moment at a time: :func:`live`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.live_forecaster import ForecastStream, LiveForecast
from kinegraph.inference.live_frames import Id
from kinegraph.inference.live_lifter import LiftStream, LiveLiftOptions
from kinegraph.inference.live_motion import MotionStream, Observation, Prepared
from kinegraph.inference.live_recognizer import LiveActions, MotionRecognizeStream, RecognizeStream
from kinegraph.inference.live_world import LiveWorld
from kinegraph.inference.motion_window import MotionNetwork
from kinegraph.inference.recognizer import Recognizer
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import default_weights
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.gaps import ASSUMED_FPS

__all__ = ["Live", "LiveInput", "LivePerson", "LiveResult", "live", "replay"]

Floats = NDArray[np.float64]
Work = Callable[[], Any]
"""A piece of work; it returns the next, or None."""


class LiveInput(NamedTuple):
    """One moment of a source: what :meth:`Live.push` takes."""

    people: ArrayLike | None
    """(people, joints, 2) px, or 3 with confidences; None for nobody."""
    time: float | None = None
    """Seconds; None: at the nominal rate."""
    ids: Sequence[Id] | None = None
    """Who is who; a tracker says it if None."""


@dataclass(frozen=True, kw_only=True)
class LivePerson:
    """One person at one moment.

    Attributes:
        id: the same as long as they are there.
        positions: (joints, 3) metres in the world (y up, floor at 0); NaN where missing.
        confidence: (joints,).
        actions: the likeliest actions, best first, with their scores; empty until there is enough to tell.
        actions_time: the moment they are of.
        forecast: the next frames of this person, None until there is enough to forecast.
        forecast_time: the moment it starts from; its first frame is 1 / fps later.
    """

    id: Id
    positions: Floats
    confidence: Floats
    actions: tuple[tuple[str, float], ...] = ()
    actions_time: float | None = None
    forecast: SkeletonSequence | None = None
    forecast_time: float | None = None


@dataclass(frozen=True, kw_only=True)
class LiveResult:
    """One moment: everybody who is seen well enough.

    Attributes:
        time: seconds.
        skeleton: of the people.
        people: in the order of the input.
    """

    time: float
    skeleton: Skeleton
    people: tuple[LivePerson, ...]


class Live:
    """Lifting, recognition and forecasting chained; made by :func:`live`.

    Work is spread so that no frame waits for two heavy things. Every frame is lifted. When somebody is due, the first
    frame makes what the motion network will see of them, the next one has its answer (the actions), and the one after
    that the forecast's poses; with several people, they take turns. What a result holds says of which moment it is.
    """

    def __init__(
        self,
        lift: LiftStream,
        world: LiveWorld,
        recognition: RecognizeStream | None,
        forecasting: ForecastStream | None,
        *,
        forecast_s: float,
        forecast_every: int,
        top: int,
    ) -> None:
        self.lift, self.world, self.recognition, self.forecasting = lift, world, recognition, forecasting
        self.skeleton, self.fps = lift.skeleton, lift.fps
        self.forecast_s, self.forecast_every, self.top = forecast_s, forecast_every, top
        self._count = max(1, round(forecast_s * lift.fps))
        own = None if recognition is None else self._motion_of(recognition)
        self._motion = own if forecasting is None else forecasting.motion
        shared = isinstance(recognition, MotionRecognizeStream) and recognition.motion is self._motion
        self._scored = recognition if shared and isinstance(recognition, MotionRecognizeStream) else None
        self.reset()

    @staticmethod
    def _motion_of(recognition: RecognizeStream) -> MotionStream | None:
        return recognition.motion if isinstance(recognition, MotionRecognizeStream) else None

    def reset(self) -> None:
        """Begin anew."""
        self.lift.reset()
        self.world.reset()
        for stream in (self.recognition, self.forecasting):
            if stream is not None:
                stream.reset()
        self._frame = 0
        self._actions: dict[Id, tuple[float, tuple[tuple[str, float], ...]]] = {}
        self._futures: dict[Id, tuple[float, SkeletonSequence]] = {}
        self._forecast_due: dict[Id, int] = {}
        self._looked: dict[Id, int] = {}
        self._next: Work | None = None
        self._seen: dict[Id, float] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed so far."""
        pitch = np.rad2deg(self.world.pitch)
        known = "as given" if self.world.pitch_deg is not None else "learnt from people who stand"
        where = f"the camera looks {abs(pitch):.0f} degrees {'down' if pitch < 0 else 'up'} ({known})"
        return (*self.lift.notes, where)

    def push(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> LiveResult:
        """One moment; see :meth:`LiftStream.push` for what it takes and refuses."""
        lifted = self.lift.push(people, time, ids)
        world = self.world.push(lifted.time, lifted.positions)
        now = lifted.time
        for name in lifted.ids:
            self._seen[name] = now
        self._forget(now)
        shown = np.concatenate([world, lifted.confidence[..., None]], axis=-1) if len(world) else None
        self._recognise_and_forecast(shown, now, lifted.ids)
        self._frame += 1
        found = []
        for row, name in enumerate(lifted.ids):
            at, best = self._actions.get(name, (None, ()))
            start, future = self._futures.get(name, (None, None))
            found.append(
                LivePerson(
                    id=name,
                    positions=world[row],
                    confidence=lifted.confidence[row],
                    actions=best,
                    actions_time=at,
                    forecast=future,
                    forecast_time=start,
                )
            )
        return LiveResult(time=now, skeleton=self.skeleton, people=tuple(found))

    def run(self, source: Iterable[LiveInput | ArrayLike]) -> Iterator[LiveResult]:
        """A result for each moment of a source: of :class:`LiveInput`, or of people alone."""
        for moment in source:
            yield self.push(*moment) if isinstance(moment, LiveInput) else self.push(moment)

    def forecast(self, seconds: float | None = None) -> LiveForecast:
        """What comes after the last moment, now, of everybody who is ready; see :meth:`ForecastStream.forecast`.

        Raises:
            ConfigError: made without a forecaster.
        """
        if self.forecasting is None:
            raise ConfigError("this live pipeline was made without a forecaster; leave forecast_s above 0")
        return self.forecasting.forecast(self.forecast_s if seconds is None else seconds)

    # ---- what is due -------------------------------------------------------------------------------------------

    def _recognise_and_forecast(self, people: Floats | None, now: float, ids: tuple[Id, ...]) -> None:
        """One piece of work a frame: what the network will see of somebody, its answer, the forecast's poses."""
        if self.recognition is not None and self._motion_of(self.recognition) is not self._motion:
            self._heard(self.recognition.push(people, now, ids))
        if self._motion is None:
            return
        self._motion.push(people, now, ids)
        if self._next is not None:
            self._next = self._next()
            return
        asked = set(self._scored.due()) if self._scored is not None else set()
        there = self._motion.ready()
        due = [name for name in there if name in asked or self._forecast_now(name)]
        if due:
            # who waits longest comes first
            name = min(due, key=lambda one: self._looked.get(one, -1))
            try:
                if self._motion.fit_due(name):
                    self._next = self._motion.fit(name)  # half of it now, half with the next frame
                    return
                self._looked[name] = self._frame
                self._next = partial(self._answer, name, self._motion.prepare(name))
            except DataError:  # no body can be made of what is seen of them just now
                self._looked[name] = self._frame
                self._forecast_due[name] = self._frame + self.forecast_every

    def _answer(self, name: Id, seen: Prepared) -> Work | None:
        assert self._motion is not None
        observed = self._motion.answer(seen)
        if self._scored is not None:
            self._heard(self._scored.hear({name: observed}))
        if not self._forecast_now(name):
            return None
        self._forecast_due[name] = self._looked[name] + self.forecast_every
        return partial(self._forecast, name, observed)

    def _forecast(self, name: Id, observed: Observation) -> Work | None:
        assert self.forecasting is not None
        made = self.forecasting.of({name: observed}, self._count)
        if made.future is not None and name in self._seen:
            self._futures[name] = (made.time, made.future)
        return None

    def _forecast_now(self, name: Id) -> bool:
        return self.forecasting is not None and self._frame >= self._forecast_due.get(name, -1)

    def _heard(self, actions: LiveActions | None) -> None:
        for name in actions.scores if actions is not None else ():
            assert actions is not None
            self._actions[name] = (actions.time, tuple(actions.top(name, self.top)))

    def _forget(self, now: float) -> None:
        away = self.lift.options.away_s
        gone = [name for name, last in self._seen.items() if now - last > away]
        for name in gone:
            for memory in (self._seen, self._actions, self._futures, self._forecast_due, self._looked):
                memory.pop(name, None)


def live(
    skeleton: str | Skeleton = "coco17",
    *,
    fps: float = ASSUMED_FPS,
    image_size: tuple[int, int] | None = None,
    unit: Literal["px", "normalized"] = "px",
    lifter: Lifter | Path | str | None = None,
    recognizer: Recognizer | Path | str | Literal[False] | None = None,
    forecaster: Forecaster | Path | str | Literal[False] | None = None,
    forecast_s: float = 0.5,
    forecast_every: int = 5,
    hop_s: float | None = None,
    top: int = 3,
    options: LiveLiftOptions | None = None,
    pitch_deg: float | None = None,
    camera_height_m: float | None = None,
    refit_s: float = 10.0,
    fast: bool = True,
    threads: int | None = 1,
) -> Live:
    """A pipeline fed one frame at a time: 2D keypoints in, 3D people, what they do and what comes next out.

    Args:
        skeleton: layout of the keypoints.
        fps: nominal rate of the source. Stated times may be irregular.
        image_size: width and height, px, if they are known.
        unit: of the keypoints.
        lifter: a :class:`Lifter`, a weights folder, a network of the package by name or a hub id; if None, the
            package's `lift-causal`, which looks at the past too, or `lift` where it ships none.
        recognizer: likewise; of 3D motion, motion network or recogniser of clips; False for none.
        forecaster: likewise; False for none.
        forecast_s: how far ahead; 0 for no forecasts.
        forecast_every: frames from one forecast of a person to the next.
        hop_s: seconds from one recognition of a person to the next; a quarter of the network's window if None.
        top: how many actions are named.
        options: of lifting.
        pitch_deg: how far the camera looks down; learnt from standing people if None.
        camera_height_m: of the camera over the floor; the floor is put under the feet if None.
        refit_s: how often a person's bones are fitted anew, see :class:`MotionStream`; 0 at every look.
        fast: record the networks' operations at the start (a second or two), which halves their time per frame.
        threads: of torch, for the whole process: networks this small gain nothing from more, and wait for each other
            when other programs run. None leaves them as they are.

    Raises:
        ConfigError: impossible options.
        FormatError: weights that cannot be read.

    Example:
        >>> import kinegraph as kg
        >>> pipeline = kg.live("coco17", fps=30, image_size=(1280, 720))               # doctest: +SKIP
        >>> for keypoints in detector:                                                 # doctest: +SKIP
        ...     for person in pipeline.push(keypoints).people:
        ...         print(person.id, person.actions[:1], person.positions[0])
    """
    if not (np.isfinite(forecast_s) and forecast_s >= 0) or forecast_every < 1 or top < 1:
        raise ConfigError(
            f"live: forecast_s {forecast_s}, forecast_every {forecast_every}, top {top}: expected seconds, 0 or more; "
            "frames and actions, 1 or more"
        )
    if threads is not None:
        if threads < 1:
            raise ConfigError(f"live: threads is {threads}; expected 1 or more, or None")
        torch.set_num_threads(threads)
    lifting = lifter if isinstance(lifter, Lifter) else Lifter.from_pretrained(lifter or default_weights("live"))
    chosen = options or LiveLiftOptions()
    if chosen.root != "estimated":
        raise ConfigError("live: root 'relative' has no place in the world; use Lifter.stream() for poses alone")
    lift = LiftStream(lifting, skeleton, fps=fps, image_size=image_size, unit=unit, options=chosen, fast=fast)
    world = LiveWorld(lifting.skeleton, pitch_deg=pitch_deg, camera_height_m=camera_height_m)
    forecasting: ForecastStream | None = None
    if forecaster is not False and forecast_s > 0:
        network = forecaster if isinstance(forecaster, Forecaster) else Forecaster.from_pretrained(forecaster)
        forecasting = network.stream(
            lifting.skeleton, fps=fps, refit_s=refit_s, away_s=chosen.away_s, floor=0.0, fast=fast
        )
    recognition: RecognizeStream | None = None
    if recognizer is not False:
        known = recognizer if isinstance(recognizer, Recognizer) else Recognizer.from_pretrained(recognizer)
        if known.dims != 3:
            raise DataError(
                f"live: {known.name} was trained on 2D keypoints and here it would see 3D; give it the keypoints with "
                "Recognizer.stream(), or name a network trained in 3D"
            )
        if forecasting is not None and _same_network(known.network, forecasting.motion):
            recognition = MotionRecognizeStream(forecasting.motion, hop_s)
        else:
            given = {"refit_s": refit_s, "fast": fast} if isinstance(known.network, MotionNetwork) else {}
            recognition = known.stream(lifting.skeleton, fps=fps, hop_s=hop_s, away_s=chosen.away_s, **given)
    return Live(lift, world, recognition, forecasting, forecast_s=forecast_s, forecast_every=forecast_every, top=top)


def _same_network(network: object, motion: MotionStream) -> bool:
    """Whether a recogniser's network is the forecaster's, so that one look serves both."""
    if not isinstance(network, MotionNetwork) or not network.model.classes:
        return False
    if network is motion.network:
        return True
    own, other = network.weights, motion.network.weights
    return own is not None and other is not None and own.sha256 == other.sha256 != ""


def replay(sequence: SkeletonSequence) -> Iterator[LiveInput]:
    """The frames of a 2D recording as a live source, at its own times; whoever is not seen is left out.

    Raises:
        DataError: 3D.
    """
    if sequence.dims != 2:
        raise DataError(f"{sequence.source or 'the sequence'} is 3D; a live source gives 2D keypoints")
    rate = sequence.fps or ASSUMED_FPS
    confidence = np.asarray(sequence.confidence)
    for frame in range(sequence.frames):
        there = np.flatnonzero(sequence.seen[:, frame].any(axis=-1))
        people = np.concatenate([sequence.positions[there, frame], confidence[there, frame, :, None]], axis=-1)
        yield LiveInput(people, frame / rate, tuple(int(person) for person in there))
