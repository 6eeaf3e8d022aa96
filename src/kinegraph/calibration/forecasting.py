"""Calibrate a forecaster: its forecasts beside what recordings that it did not learn from hold of that time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.calibration.lifting import MeasuredErrors
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.errors import DataError, KinegraphError
from kinegraph.evaluation.recordings import LeftOut
from kinegraph.formats.any_source import read_source
from kinegraph.inference.error_model import Calibration, ErrorTable
from kinegraph.inference.forecast_features import FORECAST_FEATURES, FURTHEST_S, canonical_joints, forecast_features
from kinegraph.inference.forecaster import Forecaster
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.posed_body import at_rate

__all__ = ["ForecastErrors", "calibrate_forecaster", "forecast_errors", "procedural_recordings"]

Floats = NDArray[np.float64]

_HISTORY_S = 0.8
_SAMPLED_S = (1 / 30, 1 / 15, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0)


@dataclass(frozen=True, kw_only=True)
class ForecastErrors(MeasuredErrors):
    """Errors of forecasts.

    Attributes:
        left_out: recordings that could not be forecast or compared.
    """

    left_out: tuple[LeftOut, ...] = ()

    def without(self) -> dict[str, Any]:
        """How many recordings were left out, and why the first was; plain values with stable keys."""
        return {"recordings": len(self.left_out), "first": self.left_out[0].told if self.left_out else ""}


def procedural_recordings(people: int = 2) -> list[tuple[str, SkeletonSequence]]:
    """Motion that no recording holds: every procedural action by some people; each action counts as somebody.

    A forecaster that learnt of few actions errs more on others, and its statement must hold for them.
    """
    motion = SyntheticMotion(subjects=9, takes=1, seconds=4.0, fps=30.0)
    chosen = range(motion.subjects - people, motion.subjects)
    return [(f"procedural {action}", motion.clip(who, action, 0)) for action in motion.actions for who in chosen]


def forecast_errors(
    forecaster: Forecaster,
    recordings: Sequence[tuple[str, Path | SkeletonSequence]],
    *,
    windows: int = 200,
    progress: Callable[[int, int], None] | None = None,
) -> ForecastErrors:
    """Forecast from moments spread evenly over recordings and compare with what came.

    What cannot be forecast or compared is left out, and told.

    Args:
        forecaster: a trained network.
        recordings: who (or what) moves, and the recording; a file is read with its rotations.
        windows: about how many forecasts in all.
        progress: called with (recordings done, recordings in all).

    Raises:
        DataError: nothing could be forecast.
    """
    network = forecaster.network
    if network is None:
        raise DataError("a baseline is not calibrated; name trained weights")
    joints = network.skeleton.joints
    place = {name: index for index, name in enumerate(joints)}
    each = max(1, round(windows / max(1, len(recordings))))
    features: list[Floats] = []
    errors: list[Floats] = []
    subject: list[str] = []
    left_out: list[LeftOut] = []
    for done, (who, source) in enumerate(recordings, 1):
        try:
            found = _one(forecaster, source, each)
        except KinegraphError as error:
            left_out.append(LeftOut.of(_named(source, who), error))
            found = []
        for names, x, e in found:
            columns = [place.get(name, -1) for name in names]
            kept = [c for c in range(len(names)) if columns[c] >= 0]
            full_x = np.full((len(x), len(joints), x.shape[-1]), np.nan)
            full_e = np.full((len(x), len(joints)), np.nan)
            full_x[:, [columns[c] for c in kept]], full_e[:, [columns[c] for c in kept]] = x[:, kept], e[:, kept]
            features.append(full_x)
            errors.append(full_e)
            subject += [who] * len(x)
        if progress is not None:
            progress(done, len(recordings))
    if not features:
        first = f"; {left_out[0].told}" if left_out else ""
        raise DataError(f"none of {len(recordings)} recordings could be forecast and compared{first}")
    return ForecastErrors(
        features=np.concatenate(features),
        errors=np.concatenate(errors),
        subject=np.array(subject),
        joints=joints,
        left_out=tuple(left_out),
    )


def _named(source: Path | SkeletonSequence, who: str) -> str:
    return source.name if isinstance(source, Path) else source.source or who


def _one(
    forecaster: Forecaster, source: Path | SkeletonSequence, count: int
) -> list[tuple[tuple[str, ...], Floats, Floats]]:
    """Joint names, features and errors of forecasts from `count` moments of a recording.

    At the recording's rate; at the network's where that is far lower.
    """
    assert forecaster.network is not None
    network = forecaster.network
    motion = read_source(source)
    if motion.fps is None:
        raise DataError(
            f"{_named(source, 'the recording')}: no frame rate; convert it with --fps, and calibrate on the result"
        )
    if motion.fps > 1.5 * network.transform.fps:
        motion = at_rate(motion, network.transform.fps)
    assert motion.fps is not None
    # two of the network's frames more than it looks back, counted in the recording's, whose rate may be another
    back_s = (network.transform.observed + 1) / network.transform.fps
    behind = max(int(np.ceil(back_s * motion.fps - 1e-9)) + 1, round(_HISTORY_S * motion.fps))
    ahead = round(FURTHEST_S * motion.fps)
    least = round(0.5 * motion.fps)
    if motion.frames < behind + least:
        raise DataError(f"{motion.source}: {motion.frames / motion.fps:.1f} s are too short to look back and ahead")
    names = canonical_joints(motion.skeleton, network.skeleton)
    found = []
    refused: DataError | None = None
    for now in np.unique(np.linspace(behind, motion.frames - least, count + 2)[1:-1].round().astype(int)):
        future_frames = min(ahead, motion.frames - int(now))
        part = motion.slice_frames(int(now) - behind, int(now) + future_frames)
        history = part.slice_frames(0, behind)
        try:
            future = forecaster.forecast(history, future_frames / motion.fps)
        except DataError as error:  # somebody away at this moment may be there at another
            refused = refused or error
            continue
        frames = np.unique([round(s * motion.fps) for s in _SAMPLED_S if 1 <= round(s * motion.fps) <= future.frames])
        for person in range(future.people):
            x = forecast_features(history.positions[person], future.positions[person], motion.fps)
            apart = np.linalg.norm(
                future.positions[person] - part.positions[person, behind : behind + future.frames], axis=-1
            )
            if np.isfinite(apart[frames - 1]).any():
                found.append((names, x[frames - 1], apart[frames - 1]))
    if not found:
        raise refused or DataError(f"{motion.source}: nobody is seen where the forecast is compared; fill its gaps")
    return found


def calibrate_forecaster(
    forecaster: Forecaster,
    recordings: Sequence[tuple[str, Path | SkeletonSequence]],
    *,
    windows: int = 400,
    name: str = "recordings",
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Fit the table of a forecaster on recordings that it did not learn from, to hold for people not among them.

    Raises:
        DataError: nothing could be forecast, too little was, or all of it is of one subject.
    """
    found = forecast_errors(forecaster, recordings, windows=windows, progress=progress)
    assert forecaster.weights is not None
    table = ErrorTable.fit(found.joints, FORECAST_FEATURES, found.features, found.errors, found.subject)
    table, factors = table.for_strangers(found.features, found.errors, found.subject)
    about = {
        "fitted_on": name,
        "factors_for_strangers": np.round(factors, 3).tolist(),
        "subjects": sorted(set(found.subject.tolist())),
        "recordings": len(recordings) - len(found.left_out),
        "left_out": found.without(),
        "rows": len(found.errors),
    }
    return Calibration(task="forecast", sha256=forecaster.weights.sha256, tables={"motion": table}, about=about)
