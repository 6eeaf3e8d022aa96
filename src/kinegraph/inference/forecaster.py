"""What comes next: a 3D recording goes on with a trained network, or with a baseline that needs no training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.axes import ground
from kinegraph.errors import DataError, KinegraphError, SkeletonError
from kinegraph.hub import Pretrained
from kinegraph.inference.error_model import Calibration, ErrorTable, read_calibration
from kinegraph.inference.forecast_features import (
    FORECAST_FEATURES,
    FURTHEST_S,
    canonical_joints,
    forecast_features,
)
from kinegraph.inference.horizon import check_horizon
from kinegraph.inference.last_look import frames_late, notes_of_the_end, with_lost_joints
from kinegraph.inference.motion_window import (
    HISTORY_S,
    MotionNetwork,
    PersonWindow,
    baseline_of,
    check_rate,
    last_stay,
    left_out,
    load_motion_network,
    notes_that_hold,
    person_window,
    ready,
    untrained,
    what_follows,
    who,
)
from kinegraph.models import baselines
from kinegraph.sequence import SkeletonSequence, frames_within
from kinegraph.transforms.jitter import Smooth, check_smooth, with_less_jitter
from kinegraph.transforms.posed_body import check_motion

if TYPE_CHECKING:
    from kinegraph.inference.live.forecaster import ForecastStream
    from kinegraph.skeleton import Skeleton

__all__ = ["Forecast", "Forecaster"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """A forecast.

    Attributes:
        future: the frames after the last observed one, on the recording's joints, axes and rate.
        history: the recording up to the last observed frame.
        actions: per person, class name -> score; empty without recognition.
    """

    future: SkeletonSequence
    history: SkeletonSequence
    actions: tuple[dict[str, float], ...]

    @property
    def whole(self) -> SkeletonSequence:
        """History and future in one."""
        return join(self.history, self.future)


class Forecaster(Pretrained):
    """Forecast 3D recordings.

    Args:
        network: a trained network, or the name of a baseline (``"zero-velocity"``, ``"constant-velocity"``).

    Raises:
        KinegraphError: a network that does not forecast, or an unknown baseline.

    Example:
        >>> forecaster = Forecaster.from_pretrained("runs/symgnn/best")              # doctest: +SKIP
        >>> walk = kinegraph.load("walk.amc", joints="starts")                       # doctest: +SKIP
        >>> future = forecaster.forecast(walk, seconds=1.0)                          # doctest: +SKIP
        >>> future.positions.shape, future.fps                                       # doctest: +SKIP
        ((1, 120, 38, 3), 120.0)
    """

    def __init__(self, network: MotionNetwork | str) -> None:
        self.weights = None if isinstance(network, str) else network.weights
        self.calibration: Calibration | None
        if isinstance(network, str):
            baseline = baseline_of(network)
            if baseline is None:
                raise KinegraphError(
                    f"'{network}' is no baseline that forecasts without weights; name a weights folder"
                )
            self.network: MotionNetwork | None = None
            self.name, self.baseline = baseline.replace("_", "-"), baseline
            self.calibration, self.uncalibrated = None, "no estimate of the error: a baseline has none"
            self.folder: Path | None = None
            return
        if not network.transform.horizon:
            raise KinegraphError(
                f"the network in {network.folder} recognises and does not forecast (horizon 0); "
                "use it with 'kinegraph recognize', or name another"
            )
        self.network, self.name, self.folder, self.baseline = network, network.name, network.folder, ""
        digest = network.weights.sha256 if network.weights is not None else ""
        self.calibration, self.uncalibrated = read_calibration(
            network.folder, digest, "forecast", ("motion",), FORECAST_FEATURES
        )

    @classmethod
    def from_pretrained(cls, folder: Path | str | None = None, *, revision: str | None = None) -> Forecaster:
        """Read a weights folder, or take a baseline by its name; without either, the package's `forecast`.

        Args:
            folder: a folder, a network of the package by name, a baseline, or an id ``owner/name`` on the Hugging Face
                hub (extra `hub`).
            revision: branch, tag or commit on the hub.

        Raises:
            FormatError: the folder is missing or damaged, or holds a lifting network.
            KinegraphError: the network does not forecast, or none is given and this installation ships none.
        """
        if folder is not None and not Path(folder).exists() and baseline_of(str(folder)) is not None:
            return cls(str(folder))
        return cls(load_motion_network(folder, revision, others=baselines()))

    def forecast(
        self,
        sequence: SkeletonSequence,
        seconds: float,
        *,
        smooth: Smooth = "auto",
        progress: Callable[[int, int], None] | None = None,
    ) -> SkeletonSequence:
        """The `seconds` after the recording's end; see :meth:`predict`."""
        return self.predict(sequence, seconds, smooth=smooth, progress=progress).future

    def predict(
        self,
        sequence: SkeletonSequence,
        seconds: float,
        *,
        observed_until: float | None = None,
        smooth: Smooth = "auto",
        progress: Callable[[int, int], None] | None = None,
    ) -> Forecast:
        """Forecast every person of a recording.

        The recording is brought to the network's rate and the forecast back to the recording's. Beyond the horizon
        that the network was trained for, it goes on from its own output. As live, whose root was not seen within the
        last half second, or not for as long as the network looks back since it was away for longer than that, is left
        out, with a note; so is who shows too few joints, while somebody else does not.

        Args:
            sequence: 3D, in metres, at a known rate, on any skeleton that has the network's joints by name or
                anatomy. With rotations (BVH; AMC read with ``joints="starts"``) limbs keep their exact length.
            seconds: how far, above 0 and at most 60.
            observed_until: seconds into the recording where the observed part ends; its end if None.
            smooth: ``"auto"`` measures each person's jitter and smooths what trembles more than optical recordings do
                (:func:`.smoothing_s`), at its end from the past alone, with a note; or the smoothing's standard
                deviation in seconds, 0 for none.
            progress: called with (frames done, frames in all).

        Raises:
            ConfigError: a smoothing that is none.
            DataError: no 3D motion, too short a history, nobody seen for long enough at its end, or a horizon without
                sense.
            SkeletonError: a model for another skeleton.
        """
        check_horizon(seconds)
        check_smooth(smooth)
        check_motion(sequence)
        # cut before gaps are filled: a gap that ends later is filled from what is not known yet
        observed = observed_part(sequence, observed_until)
        history = ready(observed)
        assert history.fps is not None
        count = round(seconds * history.fps)
        if count < 1:
            raise DataError(f"a forecast of {seconds:g} s is less than one frame at {history.fps:g} frames a second")
        self._check_history(history)
        looked_at = max(HISTORY_S, 2 * self.network.observed_s if self.network is not None else 0.0)
        recent = _last(observed, looked_at)
        positions = np.full((history.people, count, history.joints, 3), np.nan)
        rotations: list[Array | None] = [None] * history.people
        actions: list[dict[str, float]] = [{} for _ in range(history.people)]
        table = None if self.calibration is None else self.calibration.tables["motion"]
        stated = np.full((history.people, count, history.joints, 2), np.nan)
        notes: list[str] = []
        unseen: list[str] = []
        refused: list[DataError | SkeletonError] = []
        for person in range(history.people):
            stay = last_stay(recent, person)
            reason = self._too_little(stay, history.fps)
            if stay is None or reason:
                unseen.append(f"{who(history, person)} {reason}")
                notes.append(f"{unseen[-1]} and was left out")
                continue

            def step(made: int, done: int = person * count) -> None:
                if progress is not None:
                    progress(done + min(made, count), history.people * count)

            # who was away began anew: what was seen before is of another stay, perhaps of somebody else
            one = ready(recent.select_people([person]).slice_frames(stay[0], stay[1] + 1))
            late = recent.frames - 1 - stay[1]
            calm, smoothed = with_less_jitter(one, smooth)
            try:
                placed, turned, actions[person], told = self._one(with_lost_joints(calm), late + count, step)
            except (DataError, SkeletonError) as error:
                refused.append(error)
                notes.append(left_out(history, person, error))
                continue
            notes += notes_of_the_end(who(history, person), one, late)
            positions[person], rotations[person] = placed[late:], None if turned is None else turned[late:]
            notes += [*smoothed, *told]
            if table is not None:
                stated[person] = self._errors(one, placed, table)[late:]
        if len(unseen) + len(refused) == history.people:
            if refused:
                raise refused[0]
            raise DataError(
                f"{history.source or 'the sequence'}: nobody is seen at the end of the observed part for as long as "
                f"{self.name} looks back: {unseen[0]}; let the observed part end where somebody is"
            )
        own = [turned for turned in rotations if turned is not None]
        kept = len(own) == history.people
        future = SkeletonSequence(
            positions=positions,
            skeleton=history.skeleton,
            fps=history.fps,
            unit="m",
            space=history.space,
            up=history.up,
            rotations=np.stack(own) if kept else None,
            offsets=history.offsets if kept else None,
            label=history.label,
            source=history.source,
            notes=tuple(dict.fromkeys([*notes_that_hold(history.notes), f"forecast by {self.name}", *notes])),
        )
        if self.calibration is None:
            future = future.with_note(self.uncalibrated)
        else:
            note = "uncertainty: half of the errors are expected below the first number, nine in ten below the second"
            if (np.isnan(stated[..., 0]) & np.isfinite(positions[..., 0])).any():
                note += f"; none is stated beyond {FURTHEST_S:g} s"
            future = future.replace(uncertainty=stated).with_note(note)
        return Forecast(future=future, history=history, actions=tuple(actions))

    def stream(self, skeleton: str | Skeleton, **settings: Any) -> ForecastStream:
        """This forecaster fed one frame at a time; settings of :class:`kinegraph.inference.live.motion.MotionStream`.

        Frames are positions, so it forecasts as from a recording without rotations
        (``recording.replace(rotations=None, offsets=None)``); with its own, a BVH's forecast differs.
        Jitter is smoothed as of recordings (``smooth="auto"``), unless a setting says otherwise.

        Raises:
            KinegraphError: a baseline without a network.
        """
        from kinegraph.inference.live.forecaster import forecast_stream

        return forecast_stream(self, skeleton, settings)

    def _errors(self, one: SkeletonSequence, placed: Array, table: ErrorTable) -> Array:
        """How far each joint of what follows one person's recording may be off, (frames, joints, 2)."""
        assert self.network is not None
        assert one.fps is not None
        rows = table.rows(canonical_joints(one.skeleton, self.network.skeleton))
        seen = one.positions[0]
        return table.quantiles(forecast_features(seen, placed, one.fps, frames_late(seen, one.fps)), rows)

    def _looks_back(self, fps: float) -> tuple[int, float]:
        """Frames that are needed, and their rate; of a baseline at the recording's."""
        if self.network is None:
            return 2, fps
        return self.network.transform.observed, self.network.transform.fps

    def _check_history(self, history: SkeletonSequence) -> None:
        if self.network is not None:
            check_rate(history, self.network)
        needed, rate = self._looks_back(history.fps or 0.0)
        span, back = (history.frames - 1) / (history.fps or 1.0), (needed - 1) / rate
        if frames_within(span, rate) < needed:
            raise DataError(
                f"{history.source or 'the sequence'}: {self.name} looks back {back:.2f} s ({needed} frames at {rate:g} "
                f"a second) and the observed part has {span:.2f} s, {back - span:.2g} s too little; give a longer one"
            )

    def _too_little(self, stay: tuple[int, int] | None, fps: float) -> str:
        """Why somebody of that stay is not forecast; empty if they are."""
        if stay is None:
            return "is not seen at the end"
        needed, rate = self._looks_back(fps)
        span, back = (stay[1] - stay[0]) / fps, (needed - 1) / rate
        if frames_within(span, rate) >= needed:
            return ""
        return f"was seen for {span:.2f} s of the needed {back:.2f} s at the end ({back - span:.2g} s too little)"

    def _one(
        self, one: SkeletonSequence, count: int, step: Callable[[int], None]
    ) -> tuple[Array, Array | None, dict[str, float], list[str]]:
        """One person's `count` frames after a recording of them alone.

        Returns:
            Places (frames, joints, 3), rotations (frames, joints, 4) if the recording has them, scores of the classes
            by name, and notes.
        """
        assert one.fps is not None
        network = untrained(self.baseline, one, 0) if self.network is None else self.network
        window = person_window(one, 0, network, float(ground(one)[0]))
        features, scores = _roll(network, window, count, one.fps, step)
        placed, turned = what_follows(window, features, network.transform.fps, one.fps, slice(1, count + 1))
        actions = {} if scores is None else dict(zip(network.transform.actions, scores.tolist(), strict=True))
        return placed, turned, actions, _notes(network, window, count / one.fps)


def observed_part(sequence: SkeletonSequence, until: float | None) -> SkeletonSequence:
    """The frames up to `until` seconds, the frame at that moment included.

    Raises:
        DataError: before the first frame or after the last.
    """
    if until is None:
        return sequence
    assert sequence.fps is not None
    last = round(until * sequence.fps) if np.isfinite(until) else -1
    end = (sequence.frames - 1) / sequence.fps
    if not 0 <= last < sequence.frames:
        raise DataError(
            f"{sequence.source or 'the sequence'}: the observed part should end at {until:g} s; expected 0 to "
            f"{end:.2f} s, which the recording has"
        )
    return sequence.slice_frames(0, last + 1)


def _last(sequence: SkeletonSequence, seconds: float) -> SkeletonSequence:
    """The frames of the last `seconds`, the one at their beginning included."""
    assert sequence.fps is not None
    return sequence.slice_frames(max(0, sequence.frames - 1 - int(seconds * sequence.fps + 1e-6)), None)


def join(history: SkeletonSequence, future: SkeletonSequence) -> SkeletonSequence:
    """One recording of two that follow each other on one skeleton; rotations stay where both have them."""
    turned = history.rotations is not None and future.rotations is not None
    assert history.confidence is not None
    assert future.confidence is not None
    return future.replace(
        positions=np.concatenate([history.positions, future.positions], axis=1),
        confidence=np.concatenate([history.confidence, future.confidence], axis=1),
        rotations=np.concatenate([history.rotations, future.rotations], axis=1) if turned else None,
        uncertainty=_joined_uncertainty(history, future),
        contact=None,
        offsets=future.offsets if turned else None,
    )


def _joined_uncertainty(history: SkeletonSequence, future: SkeletonSequence) -> Array | None:
    """Estimates of both, NaN for the one that has none; None where neither has."""
    if history.uncertainty is None and future.uncertainty is None:
        return None
    parts = [
        np.full((*part.positions.shape[:3], 2), np.nan) if part.uncertainty is None else part.uncertainty
        for part in (history, future)
    ]
    return np.concatenate(parts, axis=1)


def _roll(
    network: MotionNetwork, window: PersonWindow, count: int, fps: float, step: Callable[[int], None]
) -> tuple[Array, Array | None]:
    """The last observed frame and what follows, (1 + frames, joints, 3) at the network's rate, and class scores."""
    transform = network.transform
    wanted = int(np.ceil(count / fps * transform.fps - 1e-6))
    history = window.features[-transform.observed :]
    frames, scores = [history[-1:]], None
    made = 0
    while made < wanted:
        future, answer = network.run(history, transform.horizon)
        assert future is not None
        scores = answer if scores is None else scores
        frames.append(future)
        history = np.concatenate([history, future])[-transform.observed :]
        made += len(future)
        step(min(count, int(made / transform.fps * fps)))
    return np.concatenate(frames)[: wanted + 1], scores


def _notes(network: MotionNetwork, window: PersonWindow, seconds: float) -> list[str]:
    transform, notes = network.transform, []
    reach = transform.horizon / transform.fps
    if network.folder is not None and seconds > reach + 1e-6:
        notes.append(f"trained to look {reach:.2f} s ahead; beyond, the forecast goes on from itself")
    if window.codec.missing:
        missing = window.codec.missing
        shown = ", ".join(missing[:4]) + (", ..." if len(missing) > 4 else "")
        notes.append(f"joints whose turning the recording does not show, taken as average: {shown}")
    if not window.codec.has_trajectory:
        notes.append("the network does not forecast the path: the root goes on as it moved, its orientation stays")
    if not window.codec.body.own and transform.representation == "expmap":
        notes.append("rotations were made from positions; limbs keep their median length")
    return notes
