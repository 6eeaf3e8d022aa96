"""Forecasting protocols: observed frames in, future frames out, errors at customary instants.

What is measured, and over which windows, is in :mod:`kinegraph.evaluation.forecasting_protocols`; here is the common
road: a :class:`ForecastMethod` answers raw features, a protocol measures them, a :class:`ForecastResult` says under
which conditions each number was had.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError, SkeletonError
from kinegraph.evaluation.methods import named_weights
from kinegraph.evaluation.provenance import ntu_benchmark, weights_info
from kinegraph.inference.motion_window import baseline_of
from kinegraph.models import baselines, build
from kinegraph.models.motion_model import MotionModel
from kinegraph.shipped import find_folder
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import LoadedWeights

__all__ = [
    "ActionWindows",
    "ForecastMethod",
    "ForecastProtocol",
    "ForecastResult",
    "baselines",
    "benchmark_of",
    "evaluate_forecast",
    "forecast_method",
    "load_forecast_method",
    "predict_windows",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ForecastMethod:
    """Something that forecasts, and what is known about it.

    Attributes:
        label: its name in tables.
        forecast: raw features ``(N, T, J, 3)`` and a horizon H -> raw features ``(N, H, J, 3)``.
        skeleton: the joints of its features; None takes any.
        representation: ``"expmap"`` or ``"positions"``; None takes any.
        observed: frames it looks at; 0 for whatever it is given.
        horizon: the most frames it forecasts; 0 for any number.
        fps: frame rate it was trained at; None for any.
        benchmark: the split of NTU RGB+D whose training part it learnt from; None of other data.
        info: seed, checkpoint choice, parameters, ...: printed and saved with every number.
    """

    label: str
    forecast: Callable[[Array, int], Array]
    skeleton: Skeleton | None = None
    representation: str | None = None
    observed: int = 0
    horizon: int = 0
    fps: float | None = None
    benchmark: str | None = None
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionWindows:
    """The test windows of one action.

    Attributes:
        inputs: ``(N, T, J, 3)`` raw features on the protocol's skeleton.
        truth: ``(N, T + H, ...)`` what the protocol measures against, in its own form.
    """

    inputs: Array
    truth: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastProtocol:
    """A named protocol with its data.

    Attributes:
        name: e.g. ``"cmu-euler-64"``.
        metric: what the main number is.
        unit: its unit.
        representation, skeleton, fps: of the features a method gets.
        observed: frames given.
        horizon: frames asked for.
        frames: 0-based forecast frames whose errors are reported.
        times_ms: what the literature calls those instants.
        actions: name -> windows.
        measure: predicted features (N, H, J, 3) and the windows -> name of the figure -> ``(N, H)``; the one called
            ``"main"`` is the protocol's.
        average_over: actions of the average, those that are complete; see :attr:`averaged`.
        missing: actions of the published set without test data here.
        higher_is_better: of the main number.
        data: name, split, fingerprint; ``benchmark`` where a data set has several splits.
        notes: what else to know beside every number.
        mirror: features -> those of the mirrored motion; None where the data has no such map.
    """

    name: str
    metric: str
    unit: str
    representation: str
    skeleton: Skeleton
    fps: float
    observed: int
    horizon: int
    frames: tuple[int, ...]
    times_ms: tuple[int, ...]
    actions: Mapping[str, ActionWindows]
    measure: Callable[[Array, ActionWindows], dict[str, Array]]
    average_over: tuple[str, ...]
    missing: tuple[str, ...] = ()
    higher_is_better: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    mirror: Callable[[Array], Array] | None = None

    @property
    def averaged(self) -> tuple[str, ...]:
        """Actions that the average is over: those of `average_over` that have data, or, if none of them has, all."""
        return tuple(action for action in self.average_over if action in self.actions) or tuple(self.actions)

    @property
    def elapsed_ms(self) -> tuple[float, ...]:
        """True time from the last observed frame to each reported one, ms."""
        return tuple(1000.0 * (frame + 1) / self.fps for frame in self.frames)


@dataclass(frozen=True, kw_only=True, eq=False)
class ForecastResult:
    """One method under one protocol; all arrays are at the protocol's instants.

    Attributes:
        per_action: action -> errors.
        average: unweighted mean over `average_over`, which is never empty.
        further: other figure (``"wrapped"``, ``"unit_70mm"``) -> action or ``"average"`` -> values.
        curves: action -> error of every forecast frame.
        mirror_test: whether the forecast of the mirrored motion was averaged in.
    """

    protocol: str
    label: str
    metric: str
    unit: str
    times_ms: tuple[int, ...]
    elapsed_ms: tuple[float, ...]
    per_action: dict[str, tuple[float, ...]]
    average: tuple[float, ...]
    average_over: tuple[str, ...]
    further: dict[str, dict[str, tuple[float, ...]]]
    curves: dict[str, tuple[float, ...]]
    windows: dict[str, int]
    missing: tuple[str, ...]
    higher_is_better: bool
    data: dict[str, Any]
    info: dict[str, Any]
    notes: tuple[str, ...]
    mirror_test: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys: the numbers of the printed table, unrounded."""
        return {
            "protocol": self.protocol,
            "model": self.label,
            "metric": self.metric,
            "unit": self.unit,
            "times_ms": list(self.times_ms),
            "elapsed_ms": list(self.elapsed_ms),
            "per_action": {action: list(values) for action, values in self.per_action.items()},
            "average": list(self.average),
            "average_over": list(self.average_over),
            "further": {
                figure: {action: list(values) for action, values in table.items()}
                for figure, table in self.further.items()
            },
            "curves": {action: list(values) for action, values in self.curves.items()},
            "windows": self.windows,
            "missing": list(self.missing),
            "higher_is_better": self.higher_is_better,
            "data": self.data,
            "mirror_test": self.mirror_test,
            "info": self.info,
            "notes": list(self.notes),
        }


# ---------------------------------------------------------------------------------------------------------- methods


def load_forecast_method(
    name: str | Path, label: str | None = None, *, batch: int = 256, device: str = "cpu"
) -> ForecastMethod:
    """A method from weights by name, or a baseline (``zero-velocity``).

    Raises:
        ConfigError: weights that only recognise.
        KinegraphError: as of :func:`kinegraph.evaluation.methods.named_weights`.
    """
    registered = baseline_of(str(name))
    if registered is not None and find_folder(name) is None:
        return _baseline(registered, label or registered.replace("_", "-"))
    weights, label = named_weights(name, "forecasting", label, baselines())
    assert isinstance(weights.transform, MotionTransform)  # of the task
    if not weights.transform.horizon:
        raise ConfigError(f"{name} ({weights.model_name}) only recognises; this protocol measures forecasting")
    return forecast_method(weights, label, batch=batch, device=device)


def forecast_method(weights: LoadedWeights, label: str, *, batch: int = 256, device: str = "cpu") -> ForecastMethod:
    """Loaded motion weights as a method: encode, run the network, decode.

    Args:
        weights: of a motion network.
        label: its name in tables.
        batch: sequences at once.
        device: where the network runs.

    Raises:
        ConfigError: weights of another kind of network.
    """
    transform, model = weights.transform, weights.model
    if not isinstance(transform, MotionTransform) or not isinstance(model, MotionModel):
        raise ConfigError(f"{label} ({weights.model_name}) is no motion network and cannot forecast")
    model.eval().to(device)
    observed = transform.observed

    @torch.no_grad()
    def forecast(features: Array, horizon: int) -> Array:
        encoded = torch.from_numpy(transform.encode(features[:, -observed:]))
        outputs = []
        for start in range(0, len(encoded), batch):
            motion = model(encoded[start : start + batch].to(device), horizon).motion
            outputs.append(motion.to("cpu", torch.float64).numpy())
        return np.asarray(transform.decode(np.concatenate(outputs), features[:, -1]))

    return ForecastMethod(
        label=label,
        forecast=forecast,
        skeleton=weights.skeleton,
        representation=transform.representation,
        observed=observed,
        horizon=0 if model.any_horizon else model.horizon,
        fps=transform.fps,
        benchmark=ntu_benchmark(weights),
        info=weights_info(weights),
    )


def _baseline(registered: str, label: str) -> ForecastMethod:
    """A network without weights works on raw features: the velocity of a feature does not depend on its scale."""

    @torch.no_grad()
    def forecast(features: Array, horizon: int) -> Array:
        joints = features.shape[2]
        skeleton = Skeleton(
            name="any", joints=tuple(f"joint_{j}" for j in range(joints)), parents=(-1,) + (0,) * (joints - 1)
        )
        config = {"observed": features.shape[1], "horizon": horizon, "channels": features.shape[3]}
        model = build(registered, skeleton, config)
        return np.asarray(model(torch.from_numpy(features), horizon).motion.numpy())

    return ForecastMethod(label=label, forecast=forecast, info={"model": registered, "parameters": 0})


# ------------------------------------------------------------------------------------------------------ measurement


def evaluate_forecast(
    method: ForecastMethod, protocol: ForecastProtocol, *, mirror_test: bool = False, notes: Sequence[str] = ()
) -> ForecastResult:
    """Forecast every window and measure.

    Args:
        method: from :func:`load_forecast_method`.
        protocol: from :func:`kinegraph.evaluation.forecasting_protocols.load_forecast_protocol`.
        mirror_test: forecast the mirrored motion too and average (the flip test of pose lifting).
        notes: added to the protocol's own.

    Raises:
        ConfigError: another representation or frame rate, more frames are needed or asked for than there are, or the
            protocol's features cannot be mirrored.
        SkeletonError: the method has a joint that the protocol does not have.
        DataError: the method answers something that is not finite or has another shape.
    """
    _check_fits(method, protocol)
    if mirror_test and protocol.mirror is None:
        raise ConfigError(
            f"{protocol.name} does not say what its motion looks like in a mirror; leave --mirror-test out"
        )
    at = list(protocol.frames)
    tables: dict[str, dict[str, tuple[float, ...]]] = {}
    curves: dict[str, tuple[float, ...]] = {}
    for action, windows in protocol.actions.items():
        predicted = predict_windows(method, protocol, windows.inputs)
        if mirror_test:
            assert protocol.mirror is not None  # checked above
            other = predict_windows(method, protocol, protocol.mirror(windows.inputs))
            predicted = (predicted + protocol.mirror(other)) / 2
        for figure, errors in protocol.measure(predicted, windows).items():
            curve = errors.mean(axis=0)
            tables.setdefault(figure, {})[action] = tuple(float(value) for value in curve[at])
            if figure == "main":
                curves[action] = tuple(float(value) for value in curve)
    remarks = [*protocol.notes, *notes]
    if method.observed and method.observed < protocol.observed:
        remarks.append(f"{method.label} looks at the last {method.observed} of the {protocol.observed} observed frames")
    if mirror_test:
        remarks.append("mean of the forecasts of the motion and of its mirror image")
    for table in tables.values():
        rows = np.array([table[action] for action in protocol.averaged])
        table["average"] = tuple(float(value) for value in rows.mean(axis=0))
    main = tables.pop("main")
    average = main.pop("average")
    return ForecastResult(
        protocol=protocol.name,
        label=method.label,
        metric=protocol.metric,
        unit=protocol.unit,
        times_ms=protocol.times_ms,
        elapsed_ms=protocol.elapsed_ms,
        per_action=main,
        average=average,
        average_over=protocol.averaged,
        further=tables,
        curves=curves,
        windows={action: len(windows.inputs) for action, windows in protocol.actions.items()},
        missing=protocol.missing,
        higher_is_better=protocol.higher_is_better,
        data=protocol.data,
        info=method.info,
        notes=tuple(remarks),
        mirror_test=mirror_test,
    )


def benchmark_of(methods: Sequence[ForecastMethod], stated: str | None = None) -> str | None:
    """The split of NTU RGB+D on which methods can be measured: `stated`, or that on whose training part they learnt.

    None where neither says one.

    Raises:
        ConfigError: a method learnt on another, which holds test clips of this one.
    """
    chosen = stated or next((method.benchmark for method in methods if method.benchmark is not None), None)
    for method in methods:
        if chosen is not None and method.benchmark not in (None, chosen):
            raise ConfigError(
                f"{method.label} was trained on the {method.benchmark} split of NTU RGB+D, which holds test clips of "
                f"{chosen}; measure it on {method.benchmark}, apart from networks of {chosen}"
            )
    return chosen


def _check_fits(method: ForecastMethod, protocol: ForecastProtocol) -> None:
    benchmark_of([method], protocol.data.get("benchmark"))
    if method.representation not in (None, protocol.representation):
        raise ConfigError(
            f"{method.label} works on {method.representation}, {protocol.name} gives {protocol.representation}; "
            "choose weights trained on that"
        )
    if method.fps is not None and abs(method.fps - protocol.fps) > 1e-6:
        raise ConfigError(
            f"{method.label} was trained at {method.fps:g} fps, {protocol.name} is at {protocol.fps:g}; choose weights "
            "trained at that rate"
        )
    if method.observed > protocol.observed:
        raise ConfigError(
            f"{method.label} looks at {method.observed} frames, {protocol.name} gives {protocol.observed}; choose "
            f"weights with observed {protocol.observed} or less"
        )
    if method.horizon and method.horizon < protocol.horizon:
        raise ConfigError(
            f"{method.label} forecasts {method.horizon} frames, {protocol.name} asks for {protocol.horizon}; choose "
            "weights with that horizon"
        )
    if method.skeleton is not None:
        unknown = [joint for joint in method.skeleton.joints if joint not in protocol.skeleton.joints]
        if unknown:
            raise SkeletonError(
                f"{method.label} needs joint '{unknown[0]}' of '{method.skeleton.name}', which {protocol.name} "
                f"('{protocol.skeleton.name}') does not give; choose weights trained on this protocol's skeleton"
            )


def predict_windows(method: ForecastMethod, protocol: ForecastProtocol, inputs: Array) -> Array:
    """``(N, H, J, 3)`` on the protocol's joints; a joint the method does not know keeps its last value.

    Raises:
        DataError: the method answers something that is not finite or has another shape.
    """
    own = method.skeleton.joints if method.skeleton is not None else protocol.skeleton.joints
    places = [protocol.skeleton.index(joint) for joint in own]
    answer = np.asarray(method.forecast(np.ascontiguousarray(inputs[:, :, places]), protocol.horizon))
    expected = (len(inputs), protocol.horizon, len(places), inputs.shape[3])
    if answer.shape != expected:
        raise DataError(f"{method.label} answered {answer.shape}, expected {expected}")
    if not np.isfinite(answer).all():
        raise DataError(f"{method.label} answered NaN or infinite values; its weights or its input are damaged")
    predicted = np.repeat(inputs[:, -1:], protocol.horizon, axis=1)
    predicted[:, :, places] = answer
    return predicted
