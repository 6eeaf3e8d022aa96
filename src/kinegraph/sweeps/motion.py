"""What a sweep measures of networks that look at windows of motion: forecasting, recognition, speed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from kinegraph.datasets.cmu_actions import network_skeleton
from kinegraph.errors import ConfigError, nearest
from kinegraph.evaluation.forecasting import (
    ForecastProtocol,
    ForecastResult,
    evaluate_forecast,
    load_forecast_method,
)
from kinegraph.evaluation.forecasting_protocols import FORECAST_PROTOCOLS, load_forecast_protocol
from kinegraph.evaluation.recognition import RECOGNITION_PROTOCOLS, evaluate_recognition, load_recognition_method
from kinegraph.evaluation.recognition_result import RecognitionResult, fuse
from kinegraph.models import build
from kinegraph.sweeps.sweep import Fusion, Measured, Sweep, Variant
from kinegraph.training.folder import BEST
from kinegraph.training.motion_recipe import MotionRecipe
from kinegraph.training.motion_splits import load_motion_splits
from kinegraph.training.prepared import model_config

__all__ = ["MotionMeasure", "motion_fields"]


class MotionMeasure:
    """Evaluates runs under the protocol, and keeps what fusions and the table need.

    Raises:
        ConfigError: an unknown protocol, one that the networks do not serve, or no folder of its files.
    """

    def __init__(
        self, protocol: str, data: str | None, split: str, sweep: Sweep, recipes: Sequence[MotionRecipe]
    ) -> None:
        known = [*FORECAST_PROTOCOLS, *RECOGNITION_PROTOCOLS]
        if protocol not in known:
            raise ConfigError(f"unknown protocol '{protocol}'{nearest(protocol, known)} (there are {', '.join(known)})")
        self.sweep, self.data, self.split = sweep, data, split
        self.notes: dict[str, None] = {}
        self.units: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.conditions: dict[str, Any] = {}
        self._scores: dict[tuple[str, int], RecognitionResult] = {}
        self._protocols: dict[str | None, ForecastProtocol] = {}
        self._fingerprints: dict[str, str] = {}
        self.forecasting = protocol if protocol in FORECAST_PROTOCOLS else None
        on_cmu = all(recipe.data.name == "cmu-8" for recipe in recipes)
        self.recognition = protocol if self.forecasting is None else "cmu-8" if on_cmu else None
        forecasts = [recipe for recipe in recipes if recipe.transform.horizon]
        if self.forecasting is None and not all(recipe.transform.recognise for recipe in recipes):
            raise ConfigError(f"{protocol} measures recognition; set --transform.recognise true")
        if self.forecasting is not None and not forecasts and self.recognition is None:
            raise ConfigError(f"{protocol} measures forecasting, and nothing here forecasts; set --transform.horizon")
        found = {recipe.data.benchmark or "xsub" for recipe in forecasts if recipe.data.name == "ntu"}
        if self.forecasting == "ntu-pck" and len(found) > 1:
            raise ConfigError("ntu-pck on xsub and on xview are two tables; sweep --data.benchmark apart")
        self._benchmark = found.pop() if self.forecasting == "ntu-pck" and found else None
        if data is None and self.recognition is not None:
            beside = f" (networks that recognise are measured under {self.recognition})" if self.forecasting else ""
            raise ConfigError(f"protocol {protocol} needs the folder of its files{beside}: --data DIR")
        if self.forecasting is not None:
            for recipe in forecasts:  # wrong files are found before anything is trained
                self._protocol(recipe.data.representation or "expmap")

    def _protocol(self, representation: str) -> ForecastProtocol:
        assert self.forecasting is not None
        key = representation if self.forecasting == "cmu-mpjpe" else None
        if key not in self._protocols:
            self._protocols[key] = load_forecast_protocol(
                self.forecasting, self.data, split=self.split, representation=key, benchmark=self._benchmark
            )
        return self._protocols[key]

    def splits(self, recipe: MotionRecipe) -> None:
        """Every run opens its own data."""

    def fingerprint(self, recipe: MotionRecipe) -> str | None:
        """Of the training windows, where they were opened for it: as a rule only a run does that."""
        return self._fingerprints.get(_data_of(recipe))

    def open(self, recipe: MotionRecipe) -> None:
        """Read the training data for their fingerprint.

        Raises:
            ConfigError, DataError: as its training would.
        """
        key = _data_of(recipe)
        if key not in self._fingerprints:
            self._fingerprints[key] = load_motion_splits(recipe.data, recipe.transform).train.fingerprint

    def check(self, recipe: MotionRecipe) -> None:
        """Build the network of a recipe on the protocol's skeleton, without memory.

        Raises:
            ConfigError: as its training would.
        """
        representation = recipe.data.representation or "expmap"
        if self.forecasting is not None and recipe.transform.horizon:
            skeleton = self._protocol(representation).skeleton
        elif recipe.data.name == "cmu-8":
            skeleton = network_skeleton(representation)
        else:
            return  # the data alone know it
        with torch.device("meta"):
            build(str(recipe.model["name"]), skeleton, model_config(recipe, motion_fields(recipe), "the transform"))

    def place(self, column: str) -> int:
        """Where a column stands in the table."""
        return list(self.units).index(column) if column in self.units else len(self.units)

    def run(self, variant: Variant, seed: int, recipes: Sequence[MotionRecipe]) -> Measured:
        """Evaluate the one run of a variant and a seed."""
        (recipe,) = recipes
        weights = Path(recipe.out) / BEST
        figures: dict[str, float] = {}
        info: dict[str, Any] = {"folder": str(recipe.out)}
        if self.forecasting is not None and recipe.transform.horizon:
            method = load_forecast_method(weights, variant.label)
            result = evaluate_forecast(method, self._protocol(recipe.data.representation or "expmap"))
            figures |= self._forecast_figures(result)
            info |= method.info | {"forecasting": {"per_action": result.per_action, "further": result.further}}
        if self.sweep.speed and recipe.transform.horizon:
            from kinegraph.sweeps.generation_speed import frames_generated_within
            from kinegraph.weights import load_weights

            figures["frames in 20 ms"] = frames_generated_within(load_weights(weights).model)
            self.units["frames in 20 ms"] = "frames, batch of 1, over the steps to 400 ms, observing included"
        if self.recognition is not None and recipe.transform.recognise:
            recogniser = load_recognition_method(weights, variant.label)
            scores = evaluate_recognition(
                recogniser, self.recognition, self.data, split=self.split, early=self.sweep.early
            )
            self._scores[variant.name, seed] = scores
            figures |= self._score_figures(scores)
            info |= recogniser.info | {
                "recognition": {"per_class": scores.per_class, "pooled_top1": scores.pooled_top1}
            }
        return Measured(seed=seed, figures=figures, info=info)

    def fused(self, fusion: Fusion, seed: int) -> Measured:
        """The weighted mean of variants' scores."""
        parts = [self._scores.get((name, seed)) for name in fusion.variants]
        results = [part for part in parts if part is not None]
        if len(results) < len(parts):
            return Measured(seed=seed, figures={}, info={})
        scores = fuse(results, fusion.weights, of=fusion.of)
        info = {"fused": dict(zip(fusion.variants, fusion.weights, strict=True)), "per_class": scores.per_class}
        return Measured(seed=seed, figures=self._score_figures(scores), info=info)

    def _forecast_figures(self, result: ForecastResult) -> dict[str, float]:
        self.conditions["metric"] = f"{result.metric}, {result.unit}"
        self.conditions["average_over"] = list(result.average_over)
        self.conditions["elapsed_ms"] = list(result.elapsed_ms)
        self.conditions["data"] = result.data
        self.notes |= dict.fromkeys(result.notes)
        figures = {f"{time} ms": value for time, value in zip(result.times_ms, result.average, strict=True)}
        short = [value for time, value in zip(result.times_ms, result.average, strict=True) if time <= 400]
        if len(short) > 1:
            figures["short"] = statistics.fmean(short)
            self.notes["short: mean of the errors up to 400 ms, the paper's short-term average"] = None
        self.units |= dict.fromkeys(figures, result.unit)
        return figures

    def _score_figures(self, scores: RecognitionResult) -> dict[str, float]:
        self.conditions["recognition"] = {"protocol": scores.protocol, "data": scores.data}
        self.notes |= dict.fromkeys(note for note in scores.notes if "fused" not in note)
        figures = {"top-1": scores.top1, "top-5": scores.top5}
        self.units |= dict.fromkeys(figures, "%")
        return figures


def _data_of(recipe: MotionRecipe) -> str:
    """What decides which windows a recipe trains on, as text."""
    return repr((recipe.data, recipe.transform))


def motion_fields(recipe: MotionRecipe) -> dict[str, Any]:
    """Fields of the model that the recipe's transform decides; of the classes, which the data decide, an example."""
    transform = recipe.transform
    return {
        "channels": 3,
        "observed": transform.observed,
        "horizon": transform.horizon,
        "classes": int(transform.recognise),
    }
