"""A motion network live: the last seconds of every person, what the network sees of them, and what it answers.

Recognition and forecasting share it: a network that does both looks at a moment once.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from kinegraph.axes import ground, y_up
from kinegraph.errors import DataError, KinegraphError, SkeletonError
from kinegraph.geometry.posing import bridge_gaps, finished
from kinegraph.inference.last_look import last_look, notes_of_the_end, with_lost_joints
from kinegraph.inference.live.frames import Clock, Frame, FrameBuffer, Id, read_frame
from kinegraph.inference.motion_window import (
    HISTORY_S,
    MotionNetwork,
    PersonWindow,
    check_rate,
    person_window,
    ready,
)
from kinegraph.inference.traced import Forward, traced
from kinegraph.models import SymGNN
from kinegraph.models.symgnn import SymGNNState
from kinegraph.sequence import SkeletonSequence, Space, Up, frames_within
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.gaps import ASSUMED_FPS, LONGEST_GAP_S
from kinegraph.transforms.heading import HeadingFrame, heading_absolute, heading_relative
from kinegraph.transforms.jitter import Smooth, check_smooth, with_less_jitter
from kinegraph.transforms.lost_joints import carry_on
from kinegraph.transforms.posed_body import PosedBody, posed_body_steps
from kinegraph.transforms.reposing import KnownRig

__all__ = ["MotionStream", "Observation", "SeenMotion", "Rollout"]

Floats = NDArray[np.float64]
_REFIT_FIRST_S = 1.0
_FIT_S = 4.0  # of the past, to which bones are fitted that are then taken as known
_RECENT_S = 1.0  # holds the last fifth of a second, and the beginning of every gap in it that is filled
_JITTER_S = 1.0  # before the window, in which jitter is measured too
_FIT_FRAMES = 40  # at most: lengths and shapes are medians and means, which more frames hardly move


class SeenMotion(NamedTuple):
    """What a network will see of one person."""

    time: float
    window: PersonWindow
    history: Floats
    """(observed, joints, 3) world features."""
    relative: Floats
    """(1, observed, joints, 3), relative to the last frame's place and heading."""
    frame: HeadingFrame | None
    x: Tensor
    """The network's input."""
    recent: Floats
    """(frames, joints, 3) metres: the last second on the stream's joints and rate, short gaps filled."""
    late: int = 0
    """Frames of the stream from the last one of `recent`, in which enough of the person is seen, to the moment."""
    notes: tuple[str, ...] = ()
    """What was made of a person who is not, or not all, seen in the end."""


class Rollout:
    """The frames that follow a moment, made when they are asked for, each of them once.

    Up to the network's horizon a recurrent network goes on step by step from its state; beyond, as in
    :meth:`Forecaster.predict`, every network observes its own answer.

    Args:
        network: whose.
        seen: the moment.
        state: of a recurrent network, there.
        steps: (horizon, joints, channels) its answer, where it is at hand already.
    """

    def __init__(
        self, network: MotionNetwork, seen: SeenMotion, state: SymGNNState | None = None, steps: Floats | None = None
    ) -> None:
        self.network, self._seen, self._state = network, seen, state
        self._steps: list[Floats] = [] if steps is None else list(steps)
        self._blocks: list[Floats] = []

    def features(self, count: int) -> Floats:
        """The last observed frame and `count` more, (1 + count, joints, 3) world features."""
        first = self._first(min(count, self.network.transform.horizon))
        while len(first) + sum(map(len, self._blocks)) < count:
            self._next_block(first)
        return np.concatenate([self._seen.history[-1:], first, *self._blocks])[: count + 1]

    def _first(self, count: int) -> Floats:
        transform, network, model = self.network.transform, self.network, self.network.model
        with torch.inference_mode():
            if self._state is None and not self._steps:
                found = model(self._seen.x, transform.horizon).motion
                assert found is not None
                self._steps = list(found[0].double().numpy())
            while self._state is not None and len(self._steps) < count:
                assert isinstance(model, SymGNN)
                pose, self._state = model.step(self._state)
                self._steps.append(pose[0].double().numpy())
        output = np.stack(self._steps[: max(count, 1)])
        future = transform.decode(output[None], self._seen.relative[:, -1])
        network.check(future)
        if self._seen.frame is not None:
            future = heading_absolute(future, self._seen.frame, network.skeleton, transform.representation)
        result: Floats = future[0]
        return result

    def _next_block(self, first: Floats) -> None:
        transform = self.network.transform
        known = np.concatenate([self._seen.history, first, *self._blocks])[-transform.observed :]
        found, _ = self.network.run(known, transform.horizon)
        assert found is not None
        self._blocks.append(found)


@dataclass(frozen=True)
class Observation:
    """What a network made of one person at one moment."""

    time: float
    window: PersonWindow
    recent: Floats
    """(frames, joints, 3) metres, of :class:`SeenMotion`."""
    scores: Floats | None
    """(classes,) probabilities."""
    rollout: Rollout | None
    """What follows; None from a recogniser alone."""
    late: int = 0
    """Of :class:`SeenMotion`: so many frames after it what follows begins."""
    notes: tuple[str, ...] = ()


class _Fitted(NamedTuple):
    """A person's bones."""

    step: float
    """Seconds from this fit to the next."""
    due: float
    """When that is."""
    rig: KnownRig
    floor: float


class MotionStream:
    """3D people of one moment in, observations of a motion network out.

    Args:
        network: a trained one.
        skeleton: layout of the people, or its name.
        fps: nominal rate of the frames; irregular times are brought to it.
        space: of the positions, metres.
        up: which axis points up in the world.
        history_s: how long the past is remembered, for bones and ground.
        refit_s: 0 fits a person's bones anew whenever they are looked at, from all that is remembered, as a
            recording's are. Above 0 they are fitted a second after somebody came, then at doubling intervals of at most
            so many seconds, and the poses between are found for these bones, in a fifth of the time.
        floor: height of the floor, metres; None takes it from the lowest joints.
        away_s: who is not seen for longer is forgotten.
        smooth: what the network sees is smoothed: ``"auto"`` by each person's jitter, or seconds, as of
            :meth:`.Forecaster.predict`; 0 for none.
        fast: record the network's operations; see :mod:`kinegraph.inference.traced`.

    Raises:
        ConfigError: a smoothing that is none.
        DataError: a rate so low that the network's motion is not in it.
    """

    def __init__(
        self,
        network: MotionNetwork,
        skeleton: str | Skeleton,
        *,
        fps: float = ASSUMED_FPS,
        space: Space = "world",
        up: Up | None = "y",
        history_s: float = HISTORY_S,
        refit_s: float = 0.0,
        floor: float | None = None,
        away_s: float = 1.0,
        smooth: Smooth = 0.0,
        fast: bool = False,
    ) -> None:
        check_smooth(smooth)
        self.network = network
        self.skeleton = get_skeleton(skeleton)
        self.fps, self.space, self.up = float(fps), space, up if space == "world" else None
        if not (np.isfinite(refit_s) and refit_s >= 0 and np.isfinite(history_s) and history_s > 0):
            raise DataError(f"stream: refit_s {refit_s}, history_s {history_s}: expected seconds, 0 or more, above 0")
        self.history_s = max(history_s, 2 * network.observed_s)
        self.refit_s, self.floor, self.away_s, self.smooth = refit_s, floor, away_s, smooth
        self._clock = Clock(self.fps)
        self._buffer = FrameBuffer(self.skeleton.num_joints, 3, self.fps, self.history_s, away_s)
        check_rate(self.told_as(np.zeros((1, 1, self.skeleton.num_joints, 3))), network)
        self._turn: Floats = y_up(self.told_as(np.zeros((1, 1, self.skeleton.num_joints, 3))))
        self._whole: Forward | None = None
        if fast and isinstance(network.model, SymGNN):
            shape = (1, network.transform.observed, network.skeleton.num_joints, network.model.channels)
            self._whole = traced(network.model, _both, shape)
        self.reset()

    def reset(self) -> None:
        """Forget everybody."""
        self._buffer.clear()
        self._clock = Clock(self.fps)
        self._rigs: dict[Id, _Fitted] = {}
        self._found: dict[Id, Observation] = {}
        self._lates: dict[Id, int | None] = {}
        self.time: float | None = None

    def push(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> Frame:
        """Add the people of one moment.

        Args:
            people: ``(people, joints, 3)`` metres, or 4 with confidences, or one person; None for nobody. NaN is a
                missing joint.
            time: seconds; None: at the nominal rate.
            ids: who is who, their numbers if None.

        Raises:
            DataError: see :func:`read_frame`.
        """
        moment = self._clock.tick(time)
        frame = read_frame(moment, people, ids, self.skeleton.num_joints, 3, self.skeleton.name)
        for name in self._buffer.push(frame):
            self._rigs.pop(name, None)
        self._found.clear()
        self._lates.clear()
        self.time = moment
        return frame

    def ready(self) -> tuple[Id, ...]:
        """Who is here now, was seen well enough within the last half second, and until then for as long as the network
        looks back."""
        if self.time is None:
            return ()
        return tuple(
            name for name in self._buffer.here(self.time) if self._late(name) is not None and self._is_long(name)
        )

    def followed(self) -> tuple[Id, ...]:
        """Who was seen without a long gap for as long as the network looks back, now or until a moment ago."""
        return tuple(name for name in self._buffer.known() if self._is_long(name))

    def _is_long(self, name: Id) -> bool:
        """Whether a person's past fills the network's window, by either way in which :meth:`_window` makes it."""
        rate, told, back = self.network.transform.fps, self._buffer.frames_told, self._back_s(name)
        least = min(told(name, fps=rate, back_s=back), frames_within((told(name, back_s=back) - 1) / self.fps, rate))
        return least >= self.network.transform.observed

    def _late(self, name: Id) -> int | None:
        """Frames at the nominal rate since enough of a person was seen; None if that is too long ago."""
        if name not in self._lates:
            seen = self._buffer.told(name, LONGEST_GAP_S)[1] > 0
            last = last_look(seen, self.skeleton.root, self.fps)
            self._lates[name] = None if last is None else len(seen) - 1 - last
        return self._lates[name]

    def _back_s(self, name: Id) -> float:
        """The same in seconds; 0 for whom it is too long ago."""
        return (self._late(name) or 0) / self.fps

    def recent(self, name: Id, span_s: float | None = None) -> SkeletonSequence:
        """A person's past at the nominal rate, up to the last frame in which enough of them is seen."""
        positions, confidence = self._buffer.told(name, span_s, back_s=self._back_s(name))
        return self.told_as(positions[None], confidence[None])

    def told_as(self, positions: Floats, confidence: Floats | None = None) -> SkeletonSequence:
        """Positions (people, frames, joints, 3) in the stream's space."""
        return SkeletonSequence(
            positions=positions,
            skeleton=self.skeleton,
            fps=self.fps,
            unit="m",
            space=self.space,
            up=self.up,
            confidence=confidence,
            source="the stream",
        )

    def observe(self, name: Id) -> Observation:
        """Look at one person who is :meth:`ready`, once a moment.

        Raises:
            DataError: the body cannot be made of what is seen.
            SkeletonError: too few of the network's joints.
        """
        if name not in self._found:
            self._found[name] = self.answer(self.prepare(name))
        return self._found[name]

    def look(self, name: Id) -> Observation | KinegraphError:
        """:meth:`observe`, or why there is no body to observe of somebody of whom some joints are not seen.

        Raises:
            DataError, SkeletonError: as :meth:`observe`, of somebody who is all seen.
        """
        try:
            return self.observe(name)
        except (DataError, SkeletonError) as error:
            if not self.is_partly_seen(name):
                raise
            return error

    def is_partly_seen(self, name: Id) -> bool:
        """Whether some joints are missing in all that the network looks at: a bystander at the edge of the image, say.

        That no body is made of the others is a matter of where they stand, and no reason to stop for everybody.
        """
        points, _ = self._buffer.told(name, self.network.observed_s, back_s=self._back_s(name))
        return bool(np.isnan(points[..., 0]).all(axis=0).any())

    def prepare(self, name: Id) -> SeenMotion:
        """The first half of :meth:`observe`: what the network will see."""
        assert self.time is not None
        network, transform = self.network, self.network.transform
        window, smoothed = self._window(name)
        history = window.features[-transform.observed :]
        relative, frame = history[None], None
        if transform.root == "heading":
            relative, frame = heading_relative(relative, -1, network.skeleton, transform.representation)
        recent, late = ready(self.recent(name, _RECENT_S)), self._late(name) or 0
        notes = (*notes_of_the_end(f"person {name}", recent, late), *smoothed)
        x = torch.from_numpy(transform.encode(relative))
        return SeenMotion(self.time, window, history, relative, frame, x, recent.positions[0], late, notes)

    def answer(self, seen: SeenMotion) -> Observation:
        """The second half: what the network makes of it, at any later time."""
        network, model = self.network, self.network.model
        state: SymGNNState | None = None
        steps: Floats | None = None
        if self._whole is not None:
            found = list(self._whole(seen.x))
            logits = found.pop() if model.classes else None
            steps = found[0][0].double().numpy() if found else None
        else:
            with torch.inference_mode():
                if isinstance(model, SymGNN) and model.horizon:
                    state = model.encode(seen.x)
                    logits = state.logits
                else:
                    logits = model(seen.x, 0).logits if model.classes else None
        scores = None
        if logits is not None:
            scores = torch.softmax(logits[0].double(), dim=-1).numpy()
            network.check(scores)
        rollout = Rollout(network, seen, state, steps) if network.transform.horizon else None
        return Observation(seen.time, seen.window, seen.recent, scores, rollout, seen.late, seen.notes)

    # ---- what the network sees ---------------------------------------------------------------------------------

    def fit_due(self, name: Id) -> bool:
        """Whether a person's bones are to be fitted at the next look: the heaviest work there is."""
        assert self.time is not None
        known = self._rigs.get(name)
        return self._quick and (known is None or self.time >= known.due - 1e-6)

    def fit(self, name: Id) -> Generator[None, None, None]:
        """Fit the bones of a person who is :meth:`ready` to the last seconds, in pieces of a few milliseconds.

        The pieces may be taken at this moment or at later ones; until the last, nothing has changed.

        Raises:
            DataError: the body cannot be made of what is seen (with the first piece).
            SkeletonError: too few of the network's joints (with the last).
        """
        assert self.time is not None
        time, reach = self.time, min(self._buffer.reach_s(name), _FIT_S)
        rate = self.fps / max(1, int(np.ceil(reach * self.fps / _FIT_FRAMES - 1e-6)))
        positions, confidence = self._buffer.told(name, reach, rate, self._back_s(name))
        sequence = ready(self.told_as(positions[None], confidence[None]).replace(fps=rate))
        floor = float(ground(sequence)[0]) if self.floor is None else self.floor
        steps = posed_body_steps(sequence)
        joints = 0
        while True:
            try:
                next(steps)
            except StopIteration as end:
                body: PosedBody = end.value
                break
            joints += 1
            if joints in (1, 2, sequence.joints // 2):  # the first joint has several bones and takes longest
                yield
        yield
        if self._buffer.reach_s(name) < 0:  # gone meanwhile
            return
        rig = KnownRig(body, self.network.skeleton, np.array(self.network.transform.mean))
        step = min(self._rigs[name].step * 2 if name in self._rigs else _REFIT_FIRST_S, self.refit_s)
        self._rigs[name] = _Fitted(step, time + step, rig, floor)

    @property
    def _quick(self) -> bool:
        return self.refit_s > 0 and self.network.transform.representation == "expmap"

    def _window(self, name: Id) -> tuple[PersonWindow, tuple[str, ...]]:
        """A person's window, and notes of how it was smoothed."""
        if self._quick:
            if self.fit_due(name):
                finished(self.fit(name))
            found = self._posed_again(name, self._rigs[name])
            if found is not None:
                return found
        calm, notes = with_less_jitter(ready(self.recent(name)), self.smooth)
        sequence = with_lost_joints(calm)
        floor = float(ground(sequence)[0]) if self.floor is None else self.floor
        return person_window(sequence, 0, self.network, floor), notes

    def _posed_again(self, name: Id, known: _Fitted) -> tuple[PersonWindow, tuple[str, ...]] | None:
        """The network's window on bones that are known; None where joints of the rig are not seen in it."""
        rate, rig, back_s, span_s = self.network.transform.fps, known.rig, self._back_s(name), self.network.observed_s
        points, _ = self._buffer.told(name, span_s, rate, back_s)
        needed = rig.joints[rig.joints >= 0]
        if np.isnan(points[:, needed, 0]).all(axis=0).any():
            return None
        notes: tuple[str, ...] = ()
        if self.smooth:
            count = len(points)
            longer, confidence = self._buffer.told(name, span_s + _JITTER_S, rate, back_s)
            calm, notes = with_less_jitter(self.told_as(longer[None], confidence[None]).replace(fps=rate), self.smooth)
            points = calm.positions[0, -count:]
        points = points @ self._turn.T
        if np.isnan(points[:, needed, 0]).any():
            points = carry_on(points, self.skeleton, rate)
            points[:, needed] = bridge_gaps(points[:, needed])
        codec = rig.features(points, rate, known.floor)
        return PersonWindow(codec.encode(), codec), notes


def _both(model: torch.nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Future frames and scores, whichever there are, for recording."""
    assert isinstance(model, SymGNN)
    output = model(x, model.horizon)
    return tuple(one for one in output if one is not None)
