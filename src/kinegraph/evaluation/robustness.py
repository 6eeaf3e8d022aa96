"""Accuracy and error under noise on the input (Sym-GNN, section 6.5 and Fig. 14).

Noise N(0, sigma^2) goes onto the raw features, radians of an exponential map's components or metres, of every channel
that moves in the windows at hand; the truth stays clean. It is drawn for the protocol's whole windows, before a method
takes its frames and joints of them: the draws are the same for every method of one representation and, scaled, for
every sigma, so differences between rows are not differences of luck.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.evaluation.forecasting import (
    ActionWindows,
    ForecastMethod,
    ForecastProtocol,
    evaluate_forecast,
)
from kinegraph.evaluation.recognition import RecognitionMethod, evaluate_recognition
from kinegraph.evaluation.stability import SIGMAS, check_noise
from kinegraph.evaluation.tables import text_table
from kinegraph.transforms.motion import CONSTANT_BELOW

__all__ = ["RobustnessResult", "forecasting_robustness", "recognition_robustness", "robustness_report"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RobustnessResult:
    """One method under one protocol.

    Attributes:
        label: of the method.
        protocol: its name.
        figure: what the values are, with unit.
        sigma_unit: unit of the noise.
        columns: names of the values of a row.
        rows: sigma -> values, means over draws; sigma 0 first.
        headline: the column that is drawn.
        data, draws, seed, notes: conditions.
    """

    label: str
    protocol: str
    figure: str
    sigma_unit: str
    columns: tuple[str, ...]
    rows: dict[float, tuple[float, ...]]
    headline: str
    data: dict[str, Any]
    draws: int
    seed: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "model": self.label,
            "protocol": self.protocol,
            "figure": self.figure,
            "sigma_unit": self.sigma_unit,
            "columns": list(self.columns),
            "rows": [{"sigma": sigma, "values": list(values)} for sigma, values in self.rows.items()],
            "data": self.data,
            "draws": self.draws,
            "seed": self.seed,
            "notes": list(self.notes),
        }


def forecasting_robustness(
    method: ForecastMethod,
    protocol: ForecastProtocol,
    *,
    sigmas: Sequence[float] = SIGMAS,
    draws: int = 4,
    seed: int = 0,
) -> RobustnessResult:
    """The protocol's average error, or other figure, for noise of every sigma, and for none.

    Args:
        method: from `load_forecast_method`.
        protocol: from `load_forecast_protocol`.
        sigmas: standard deviations, radians or metres.
        draws: of noise; the mean counts.
        seed: of the noise.

    Raises:
        ConfigError: sigmas that are not positive, or a seed that is none; a method that does not fit the protocol.
    """
    check_noise(sigmas, draws, seed)
    flat = np.concatenate([w.inputs.reshape(-1, *w.inputs.shape[2:]) for w in protocol.actions.values()])
    moves = flat.std(axis=0) >= CONSTANT_BELOW
    rows = {0.0: evaluate_forecast(method, protocol).average}
    for sigma in sigmas:
        found = []
        for draw in range(draws):
            rng = np.random.default_rng((seed, draw))
            noisy = {
                action: ActionWindows(
                    inputs=w.inputs + sigma * np.where(moves, rng.normal(size=w.inputs.shape), 0.0), truth=w.truth
                )
                for action, w in protocol.actions.items()
            }
            found.append(evaluate_forecast(method, dataclasses.replace(protocol, actions=noisy)).average)
        rows[float(sigma)] = tuple(float(value) for value in np.mean(found, axis=0))
    times = [time for time in protocol.times_ms if time <= 400] or [protocol.times_ms[0]]
    return RobustnessResult(
        label=method.label,
        protocol=protocol.name,
        figure=f"{protocol.metric}, {protocol.unit}",
        sigma_unit="rad" if protocol.representation == "expmap" else "m",
        columns=tuple(f"{time} ms" for time in protocol.times_ms),
        rows=rows,
        headline=f"{times[-1]} ms",
        data=protocol.data,
        draws=draws,
        seed=seed,
        notes=protocol.notes,
    )


def recognition_robustness(
    method: RecognitionMethod,
    protocol: str,
    source: str | None,
    *,
    split: str = "test",
    sigmas: Sequence[float] = SIGMAS,
    draws: int = 1,
    seed: int = 0,
    stride: int = 1,
) -> RobustnessResult:
    """Top-1 and top-5 for noise of every sigma, and for none; arguments and errors as above.

    Every window has noise of its own, also where windows share frames. With `stride` every so many-th window counts.
    """
    check_noise(sigmas, draws, seed)
    clean = evaluate_recognition(method, protocol, source, split=split, stride=stride)
    rows: dict[float, tuple[float, ...]] = {0.0: (clean.top1, clean.top5)}
    for sigma in sigmas:
        found = []
        for draw in range(draws):
            noise = _noise(float(sigma), (seed, draw))
            result = evaluate_recognition(method, protocol, source, split=split, stride=stride, disturb=noise)
            found.append((result.top1, result.top5))
        top1, top5 = np.mean(found, axis=0)
        rows[float(sigma)] = (float(top1), float(top5))
    return RobustnessResult(
        label=method.label,
        protocol=protocol,
        figure="windows classified rightly, mean over actions, %",
        sigma_unit="rad" if method.representation == "expmap" else "m",
        columns=("top-1", "top-5"),
        rows=rows,
        headline="top-1",
        data=clean.data,
        draws=draws,
        seed=seed,
        notes=clean.notes,
    )


def _noise(sigma: float, seed: tuple[int, int]) -> Callable[[Array], Array]:
    """What disturbs windows; clip after clip of the protocol gets the next draws."""
    rng = np.random.default_rng(seed)

    def disturb(windows: Array) -> Array:
        moves = windows.reshape(-1, *windows.shape[2:]).std(axis=0) >= CONSTANT_BELOW
        return windows + sigma * np.where(moves, rng.normal(size=windows.shape), 0.0)

    return disturb


def robustness_report(results: Sequence[RobustnessResult], *, markdown: bool = False) -> str:
    """A table per method and protocol."""
    parts = []
    for result in results:
        digits = 1 if result.columns[0] == "top-1" or result.figure.endswith("mm") else 3
        rows = [[f"{sigma:g}", *(f"{value:.{digits}f}" for value in values)] for sigma, values in result.rows.items()]
        draws = f"{result.draws} draw{'s' if result.draws > 1 else ''}"
        parts.append(f"{result.label}: {result.protocol} | {result.figure} | noise on the raw features, {draws}")
        parts.append(text_table([f"sigma ({result.sigma_unit})", *result.columns], rows, markdown=markdown))
    notes = dict.fromkeys(note for result in results for note in result.notes)
    return "\n".join([*parts, *(f"note: {note}" for note in notes)])
