"""Forecasting while it happens: 3D people of one moment in, what comes next when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import DataError, KinegraphError
from kinegraph.inference.forecast_features import canonical_joints, forecast_features
from kinegraph.inference.horizon import LONGEST_S, is_time
from kinegraph.inference.last_look import frames_late
from kinegraph.inference.live.frames import Id
from kinegraph.inference.live.motion import MotionStream, Observation
from kinegraph.inference.motion_window import what_follows
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

if TYPE_CHECKING:
    from kinegraph.inference.forecaster import Forecaster

__all__ = ["ForecastStream", "LiveForecast", "forecast_stream"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class LiveForecast:
    """What comes after a moment.

    Attributes:
        time: seconds, of the moment; the first frame forecast is 1 / fps later.
        ids: whose.
        future: their frames, in the order of `ids`, on the stream's joints, axes and rate; None where nobody is ready.
    """

    time: float
    ids: tuple[Id, ...]
    future: SkeletonSequence | None


class ForecastStream:
    """A forecaster fed one frame at a time; made by :meth:`Forecaster.stream`.

    Pushing only remembers. :meth:`forecast` looks at the last moments, at the network's rate, and goes on from the
    network's state; asked again at the same moment for more, it goes on from where it stopped.

    Args:
        forecaster: with a trained network.
        motion: the stream of its network, shared with a recogniser or its own.

    Raises:
        KinegraphError: a forecaster without a network.
    """

    def __init__(self, forecaster: Forecaster, motion: MotionStream) -> None:
        if forecaster.network is None:
            raise KinegraphError(
                f"{forecaster.name} has no network to stream with; call forecast() on the last frames instead"
            )
        self.forecaster, self.motion = forecaster, motion
        table = None if forecaster.calibration is None else forecaster.calibration.tables["motion"]
        self._table = table
        self._rows = (
            None if table is None else table.rows(canonical_joints(motion.skeleton, forecaster.network.skeleton))
        )

    def push(self, people: ArrayLike | None, time: float | None = None, ids: Sequence[Id] | None = None) -> float:
        """Add the people ``(people, joints, 3)`` of one moment; its time. See :meth:`MotionStream.push`."""
        return self.motion.push(people, time, ids).time

    def reset(self) -> None:
        """Forget everybody."""
        self.motion.reset()

    def ready(self) -> tuple[Id, ...]:
        """Of whom there is enough to forecast."""
        return self.motion.ready()

    def forecast(self, seconds: float, ids: Sequence[Id] | None = None) -> LiveForecast:
        """The next `seconds` of everybody who is :meth:`ready`, or of some of them.

        Args:
            seconds: how far, above 0 and at most 60.
            ids: of whom, each of them or none; if None of all who are ready, but for those of whom too little is seen
                to make a body of (a note says so).

        Raises:
            DataError: no such person here, or a horizon without sense.
            DataError, SkeletonError: no body can be made of somebody who is named, or of somebody who is all seen.
        """
        count = round(seconds * self.motion.fps) if is_time(seconds) else 0
        if count < 1 or seconds > LONGEST_S:
            raise DataError(
                f"a forecast of {seconds!r} s: expected at least a frame at {self.motion.fps:g} a second and at most "
                f"{LONGEST_S:g} s"
            )
        there = self.motion.ready()
        names = there if ids is None else tuple(ids)
        if any(name not in there for name in names):
            raise DataError(f"forecast of {names}: only {there} are seen for long enough")
        if ids is not None:
            return self.of({name: self.motion.observe(name) for name in names}, count)
        looks = {name: self.motion.look(name) for name in names}
        made = self.of({name: seen for name, seen in looks.items() if isinstance(seen, Observation)}, count)
        notes = [f"person {name} was left out: {why}" for name, why in looks.items() if isinstance(why, KinegraphError)]
        if made.future is None or not notes:
            return made
        return replace(made, future=made.future.replace(notes=(*made.future.notes, *notes)))

    def of(self, observed: dict[Id, Observation], count: int) -> LiveForecast:
        """`count` frames after observations of one moment."""
        time = next(iter(observed.values())).time if observed else float(self.motion.time or 0.0)
        if not observed:
            return LiveForecast(time=time, ids=(), future=None)
        network = self.motion.network
        positions, uncertainty = [], []
        notes = [f"forecast by {self.forecaster.name}"]
        for seen in observed.values():
            assert seen.rollout is not None
            fps = self.motion.fps
            wanted = int(np.ceil((seen.late + count) / fps * network.transform.fps - 1e-6))
            features = seen.rollout.features(wanted)
            placed, _ = what_follows(seen.window, features, network.transform.fps, fps, slice(1, seen.late + count + 1))
            positions.append(placed[seen.late :])
            notes += seen.notes
            if self._table is not None and self._rows is not None:
                told_by = forecast_features(seen.recent, placed, fps, frames_late(seen.recent, fps))
                uncertainty.append(self._table.quantiles(told_by, self._rows)[seen.late :])
        extra: dict[str, Any] = {"uncertainty": np.stack(uncertainty)} if uncertainty else {}
        future = self.motion.told_as(np.stack(positions)).replace(notes=tuple(notes), **extra)
        return LiveForecast(time=time, ids=tuple(observed), future=future)


def forecast_stream(forecaster: Forecaster, skeleton: str | Skeleton, options: dict[str, Any]) -> ForecastStream:
    """What :meth:`Forecaster.stream` makes.

    Raises:
        KinegraphError: a forecaster without a network.
    """
    if forecaster.network is None:
        raise KinegraphError(
            f"{forecaster.name} has no network to stream with; call forecast() on the last frames instead"
        )
    return ForecastStream(forecaster, MotionStream(forecaster.network, skeleton, **{"smooth": "auto", **options}))
