"""2D keypoints in; 3D, actions and forecasts out, one moment at a time: :func:`live`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError, SkeletonError
from kinegraph.inference.forecaster import Forecaster
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.live.forecaster import ForecastStream, LiveForecast
from kinegraph.inference.live.frames import Id
from kinegraph.inference.live.lifter import LiftStream, LiveLiftOptions
from kinegraph.inference.live.motion import MotionStream, Observation, SeenMotion
from kinegraph.inference.live.recognizer import LiveActions, MotionRecognizeStream, RecognizeStream
from kinegraph.inference.live.world import LiveWorld
from kinegraph.inference.motion_window import MotionNetwork
from kinegraph.inference.recognizer import Recognizer
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import default_weights
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.gaps import ASSUMED_FPS

__all__ = ["Live", "LiveInput", "LivePerson", "LiveResult", "live", "replay"]

Floats = NDArray[np.float64]
Piece = Callable[[], Any]
"""A piece of work; it returns the next of the same job, or None."""


class _Job(NamedTuple):
    """What is done for somebody, frame by frame."""

    of: Literal["window", "motion"]
    name: Id
    """Of a person, or of two together."""


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
        together: the likeliest actions of two people together, by their ids; from a recogniser that looks at two, while
            there are two.
    """

    time: float
    skeleton: Skeleton
    people: tuple[LivePerson, ...]
    together: dict[tuple[Id, Id], tuple[tuple[str, float], ...]] = field(default_factory=dict)


class Live:
    """Lifting, recognition and forecasting chained; made by :func:`live`.

    Work is spread so that no frame waits for two heavy things. Every frame is lifted. When somebody is due, the first
    frame makes what the motion network will see of them, the next one has its answer, and the one after that the
    forecast's poses; a recogniser with a network of its own looks at somebody in a frame of its own, and fitting
    somebody's bones takes five. Who waits longest comes first. What a result holds says of which moment it is.
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
        own = recognition.motion if isinstance(recognition, MotionRecognizeStream) else None
        self._motion: MotionStream | None = own if forecasting is None else forecasting.motion
        scored = recognition if isinstance(recognition, MotionRecognizeStream) and own is self._motion else None
        self._scored, self._apart = scored, recognition if scored is None else None
        self.reset()

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
        self._looked: dict[_Job, int] = {}
        self._rests: dict[_Job, int] = {}
        self._next: tuple[_Job, Piece] | None = None
        self._seen: dict[Id, float] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed so far."""
        pitch = np.rad2deg(self.world.pitch)
        known = "as given" if self.world.pitch_deg is not None else "learnt from people who stand"
        where = f"the camera looks {abs(pitch):.0f} degrees {'down' if pitch < 0 else 'up'} ({known})"
        return (*self.lift.notes, where)

    def push(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> LiveResult:
        """One moment of ``(people, joints, 2)``; see :meth:`LiftStream.push` for what it takes and refuses."""
        lifted = self.lift.push(people, time, ids)
        world = self.world.push(lifted.time, lifted.positions)
        now = lifted.time
        self._forget(now)
        for name in lifted.ids:
            self._seen[name] = now
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
        pairs = permutations(lifted.ids, 2) if len(lifted.ids) == 2 else ()
        together = {pair: self._actions[pair][1] for pair in pairs if pair in self._actions}
        return LiveResult(time=now, skeleton=self.skeleton, people=tuple(found), together=together)

    def run(self, source: Iterable[LiveInput | ArrayLike]) -> Iterator[LiveResult]:
        """A result for each moment of a source: of :class:`LiveInput`, or of people ``(people, joints, 2)`` alone."""
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
        """Remember everybody, and do one piece of work."""
        if self._apart is not None:
            self._apart.remember(people, now, ids)
        if self._motion is not None:
            self._motion.push(people, now, ids)
        chosen = self._next or self._chosen()
        if chosen is None:
            return
        job, piece = chosen
        try:
            more = piece()
        except (DataError, SkeletonError) as error:  # no body can be made of what is seen of them just now
            partly = job.of == "motion" and self._motion is not None and self._motion.is_partly_seen(job.name)
            if isinstance(error, SkeletonError) and not partly:
                raise
            more = None
            self._looked[job], self._rests[job] = self._frame, self._frame + self.forecast_every
        self._next = None if more is None else (job, more)

    def _chosen(self) -> tuple[_Job, Piece] | None:
        """Of all that is due, what waits longest."""
        due: list[tuple[_Job, Piece]] = []
        if self._apart is not None:
            due += [(_Job("window", name), partial(self._listen, self._apart, name)) for name in self._apart.due()]
        if self._motion is not None:
            asked = set(self._scored.due()) if self._scored is not None else set()
            names = [name for name in self._motion.ready() if name in asked or self._forecast_now(name)]
            due += [(_Job("motion", name), partial(self._look, name)) for name in names]
        due = [one for one in due if self._frame >= self._rests.get(one[0], -1)]
        return min(due, key=lambda one: self._looked.get(one[0], -1)) if due else None

    def _listen(self, stream: RecognizeStream, name: Id) -> None:
        """What a recogniser with a network of its own says."""
        self._looked[_Job("window", name)] = self._frame
        scores = stream.look(name)
        self._heard(stream.hear({} if scores is None else {name: scores}))

    def _look(self, name: Id) -> Piece | None:
        """What the motion network will see of somebody, once their bones are known."""
        assert self._motion is not None
        if self._motion.fit_due(name):
            return self._fit(self._motion.fit(name))
        self._looked[_Job("motion", name)] = self._frame
        return partial(self._answer, name, self._motion.prepare(name))

    def _fit(self, pieces: Generator[None, None, None]) -> Piece | None:
        for _ in pieces:
            return partial(self._fit, pieces)
        return None

    def _answer(self, name: Id, seen: SeenMotion) -> Piece | None:
        assert self._motion is not None
        observed = self._motion.answer(seen)
        if self._scored is not None and observed.scores is not None:
            self._heard(self._scored.hear({name: observed.scores}, observed.time))
        if not self._forecast_now(name):
            return None
        self._forecast_due[name] = self._looked[_Job("motion", name)] + self.forecast_every
        return partial(self._forecast, name, observed)

    def _forecast(self, name: Id, observed: Observation) -> None:
        assert self.forecasting is not None
        made = self.forecasting.of({name: observed}, self._count)
        if made.future is not None:
            self._futures[name] = (made.time, made.future)

    def _forecast_now(self, name: Id) -> bool:
        return self.forecasting is not None and self._frame >= self._forecast_due.get(name, -1)

    def _heard(self, actions: LiveActions | None) -> None:
        for name in actions.scores if actions is not None else ():
            assert actions is not None
            self._actions[name] = (actions.time, tuple(actions.top(name, self.top)))

    def _forget(self, now: float) -> None:
        away = self.lift.options.away_s
        gone = {name for name, last in self._seen.items() if now - last > away}
        for name in gone:
            for memory in (self._seen, self._actions, self._futures, self._forecast_due):
                memory.pop(name, None)
        if self._next is not None and self._next[0].name in gone:  # they may be back, and their past is cut off
            self._next = None
        if gone:  # what was found of two together goes with either
            self._actions = {who: found for who, found in self._actions.items() if who in self._seen}
            self._looked = {job: at for job, at in self._looked.items() if job.name in self._seen}
            self._rests = {job: at for job, at in self._rests.items() if job.name in self._seen}


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
        DataError: a recogniser that was trained on 2D keypoints.

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
            lifting.skeleton,
            fps=fps,
            refit_s=refit_s,
            away_s=chosen.away_s,
            floor=0.0,
            smooth=0.0,  # lifted poses have been
            fast=fast,
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
    present = sequence.present
    for frame in range(sequence.frames):
        there = np.flatnonzero(present[:, frame])
        people = np.concatenate([sequence.positions[there, frame], confidence[there, frame, :, None]], axis=-1)
        yield LiveInput(people, frame / rate, tuple(int(person) for person in there))
