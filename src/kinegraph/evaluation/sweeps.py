"""Sweeps: one recipe trained in several variants and with several seeds, measured under one protocol.

Every run goes into ``<out>/<variant>/seed_<seed>``. Runs that are finished are kept, one that was interrupted goes on
where it was, so the same call again loses nothing. What is varied, and what a paper printed about it, is a
:class:`Sweep`; the paper's own sweeps are in :mod:`kinegraph.evaluation.sweep_presets`.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinegraph.config import read_yaml, to_dict
from kinegraph.errors import ConfigError, FormatError, nearest
from kinegraph.evaluation.forecasting import (
    ForecastProtocol,
    ForecastResult,
    evaluate_forecast,
    load_forecast_method,
)
from kinegraph.evaluation.forecasting_protocols import FORECAST_PROTOCOLS, load_forecast_protocol
from kinegraph.evaluation.recognition import (
    RECOGNITION_PROTOCOLS,
    RecognitionResult,
    evaluate_recognition,
    fuse,
    load_recognition_method,
)
from kinegraph.evaluation.tables import text_table
from kinegraph.training.folder import BEST, RECIPE, RUN
from kinegraph.training.motion_recipe import MotionRecipe
from kinegraph.training.prepared import model_config
from kinegraph.training.recipe import load_recipe, read_recipe

__all__ = ["Fusion", "Measured", "Sweep", "SweepResult", "Variant", "run_sweep", "sweep_report", "vary"]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a sweep."""

    name: str
    """Its folder."""
    label: str
    """Its name in tables."""
    changes: Mapping[str, Any]
    """Dotted field of the recipe -> value."""
    x: float | None = None
    """Place on the horizontal axis; None outside it ("no pred"), drawn as a level."""
    curve: str = ""
    """Variants of one curve are joined in pictures."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """A row without training of its own: the weighted sum of other variants' scores."""

    name: str
    label: str
    variants: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is varied, and what was printed about it."""

    name: str
    title: str
    variants: tuple[Variant, ...]
    x_label: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Fields of every variant; the command line may set them differently."""
    fusions: tuple[Fusion, ...] = ()
    speed: bool = False
    """Measure the frames generated in 20 ms too."""
    early: bool = False
    """Recognise from the beginning of the protocol's windows, not from their end."""
    published: Mapping[str, Any] = field(default_factory=dict)
    """The paper's own figures with the data they were measured on; for the JSON, never for the table."""

    def only(self, names: Sequence[str]) -> Sweep:
        """The sweep with these variants alone.

        Raises:
            ConfigError: there is no such variant.
        """
        there = [variant.name for variant in self.variants]
        for name in names:
            if name not in there:
                raise ConfigError(f"no variant '{name}'{nearest(name, there)} (there are: {', '.join(there)})")
        kept = tuple(variant for variant in self.variants if variant.name in names)
        fusions = tuple(one for one in self.fusions if set(one.variants) <= set(names))
        return Sweep(**{**self.__dict__, "variants": kept, "fusions": fusions})


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run's numbers."""

    seed: int
    figures: dict[str, float]
    """Column of the table -> value."""
    info: dict[str, Any]
    """Folder, parameters, training time, and the evaluations in full."""


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """All runs of a sweep, in the order of its variants, fusions last."""

    sweep: Sweep
    conditions: dict[str, Any]
    columns: tuple[str, ...]
    units: dict[str, str]
    rows: tuple[tuple[Variant | Fusion, tuple[Measured, ...]], ...]
    notes: tuple[str, ...]

    def summary(self, runs: Sequence[Measured], column: str) -> tuple[float, float] | None:
        """Mean over seeds, and their sample standard deviation (nan of a single one); None where nothing is."""
        values = [run.figures[column] for run in runs if column in run.figures]
        if not values:
            return None
        return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan")

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        variants = []
        for variant, runs in self.rows:
            found = {column: self.summary(runs, column) for column in self.columns}
            variants.append(
                {
                    "name": variant.name,
                    "label": variant.label,
                    "changes": to_dict(variant.changes) if isinstance(variant, Variant) else {},
                    "mean": {column: value[0] for column, value in found.items() if value},
                    "spread": {column: value[1] for column, value in found.items() if value and value[1] == value[1]},
                    "runs": [{"seed": run.seed, **run.figures, **run.info} for run in runs],
                }
            )
        return {
            "analysis": self.sweep.name,
            "title": self.sweep.title,
            **self.conditions,
            "units": self.units,
            "variants": variants,
            "notes": list(self.notes),
            "published": to_dict(dict(self.sweep.published)),
        }


def vary(name: str, values: Sequence[Any], **options: Any) -> Sweep:
    """A sweep over the values of one field.

    Raises:
        ConfigError: no values, or one twice.
    """
    if not values or len({repr(value) for value in values}) != len(values):
        raise ConfigError(f"--vary {name}: found {list(values)}, expected one value or more, each once")
    last = name.rpartition(".")[2]
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    variants = tuple(
        Variant(
            name=folder_name(f"{last}_{shown(value)}"),
            label=f"{last} {shown(value)}",
            changes={name: value},
            x=float(value) if numeric else None,
        )
        for value in values
    )
    if len({variant.name for variant in variants}) != len(variants):
        raise ConfigError(f"--vary {name}: two of {list(values)} would share a folder's name; sweep them apart")
    return Sweep(**{"name": "sweep", "title": name, "variants": variants, "x_label": name, **options})


def shown(value: Any) -> str:
    """A value of a recipe, short."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if value in (True, False) else str(value)


def folder_name(text: str) -> str:
    """The text with nothing in it that a file system could mind."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_.") or "variant"


def run_sweep(
    sweep: Sweep,
    recipe: str,
    overrides: Sequence[str] = (),
    *,
    protocol: str,
    data: str | None,
    out: Path | str,
    seeds: Sequence[int] = (0,),
    split: str = "test",
    quiet: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> SweepResult:
    """Train what is not trained yet, and measure.

    Args:
        sweep: what to vary.
        recipe: a YAML file or the name of a shipped recipe.
        overrides: ``["--field.sub", "value", ...]`` for every variant.
        protocol: forecasting protocol, or a recognition protocol; with the former networks that recognise are
            measured under ``cmu-8`` too, where the recipe's data are CMU's.
        data: folder of the protocol's files, and of the recipe's data where that is not given.
        out: folder of the runs.
        seeds: of every variant.
        split: ``test``, or ``val``.
        quiet: no training progress.
        say: is told what is going on, line by line.

    Raises:
        ConfigError: a field that is not there, a protocol that does not fit, or other runs in the folder.
        KeyboardInterrupt: training was stopped; the same call goes on with it.
    """
    from kinegraph.training.run import train

    if len(set(seeds)) != len(seeds) or not seeds:
        raise ConfigError(f"--seeds {list(seeds)}: expected one or more, each once")
    recipes = _recipes(sweep, recipe, overrides, data, Path(out), seeds)
    measure = _Measure(protocol, data, split, sweep, [one for _, _, one in recipes])
    for index, (variant, seed, one) in enumerate(recipes, start=1):
        known = f"[{index}/{len(recipes)}] {variant.label}, seed {seed}"
        if _is_finished(one):
            say(f"{known}: trained already")
            continue
        say(f"{known}: training into {one.out}")
        result = train(one, resume=True, quiet=quiet)
        if result.status == "interrupted":
            raise KeyboardInterrupt(
                f"stopped in {one.out} at step {result.step} of {result.steps}; the same command goes on from there"
            )
    rows: list[tuple[Variant | Fusion, tuple[Measured, ...]]] = []
    for variant in sweep.variants:
        runs = [(seed, one) for other, seed, one in recipes if other is variant]
        rows.append((variant, tuple(measure.run(variant, seed, one) for seed, one in runs)))
    rows += [(fusion, tuple(measure.fused(fusion, seed) for seed in seeds)) for fusion in sweep.fusions]
    columns = dict.fromkeys(column for _, runs in rows for run in runs for column in run.figures)
    ordered = tuple(sorted(columns, key=measure.place))
    conditions = {
        "recipe": recipe,
        "overrides": list(overrides),
        "protocol": protocol,
        "split": split,
        "seeds": list(seeds),
        **measure.conditions,
    }
    return SweepResult(
        sweep=sweep,
        conditions=conditions,
        columns=ordered,
        units=measure.units,
        rows=tuple(rows),
        notes=tuple(measure.notes),
    )


# ------------------------------------------------------------------------------------------------------------ recipes


def _recipes(
    sweep: Sweep, name: str, overrides: Sequence[str], data: str | None, out: Path, seeds: Sequence[int]
) -> list[tuple[Variant, int, MotionRecipe]]:
    """The recipe of every run; whatever is wrong with one is said before the first is trained."""
    given = {text[2:].partition("=")[0].replace("-", "_") for text in overrides if text.startswith("--")}
    for variant in sweep.variants:
        for key in (*variant.changes, "seed", "out"):
            if key in given:
                option = {"seed": "--seeds", "out": "--out"}.get(key, "--only or another sweep")
                raise ConfigError(f"--{key}: it is what this sweep sets itself; use {option}")
    plain = to_dict(load_recipe(name))
    if plain["task"] != "motion":
        raise ConfigError(f"recipe {name} is of task {plain['task']}; sweeps are of motion networks: give a motion one")
    laid = []
    for key, value in sweep.fixed.items():
        laid += [f"--{key}", json.dumps(to_dict(value))]
    base = to_dict(load_recipe(name, [*laid, *overrides]))
    if data is not None and base["data"]["name"] != "synthetic" and "data.source" not in given:
        base["data"]["source"] = data
    found = []
    for variant in sweep.variants:
        for seed in seeds:
            changes = {**variant.changes, "seed": seed, "out": str(out / variant.name / f"seed_{seed}")}
            try:
                one = read_recipe(_changed(base, changes))
                assert isinstance(one, MotionRecipe)
                known = {
                    "channels": 3,
                    "observed": one.transform.observed,
                    "horizon": one.transform.horizon,
                    "classes": int(one.transform.recognise),
                }
                model_config(one, known, "the recipe's transform")
            except ConfigError as error:
                raise ConfigError(f"variant {variant.name}: {error}") from error
            found.append((variant, seed, one))
    return found


def _changed(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = json.loads(json.dumps(data))
    for name, value in changes.items():
        place, *path = result, *name.split(".")
        for key in path[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--vary {name}: '{key}' has no fields of its own")
            place = inner
        place[path[-1]] = to_dict(value)
    return dict(result)


_LENGTH = ("steps", "epochs", "patience")


def _is_finished(recipe: MotionRecipe) -> bool:
    """Whether the recipe's folder holds its finished run.

    Raises:
        ConfigError: it holds the run of another recipe. One of another length too: variants trained for different
            times would stand in one table.
    """
    folder = Path(recipe.out)
    if not (folder / RECIPE).is_file():
        return False
    before = read_recipe(read_yaml(folder / RECIPE))
    old, new = to_dict(before), to_dict(recipe)
    watched = {"threads", "compile", "tensorboard", "log_every", "checkpoint_every", "checkpoint_minutes"}
    for key in new:
        if key == "out" or (key == "trainer" and old.get("task") == new["task"]):
            continue
        if old.get(key) != new[key]:
            raise ConfigError(_another(folder, key, old.get(key), new[key]))
    for key, value in new["trainer"].items():
        if key not in watched and old["trainer"].get(key) != value:
            raise ConfigError(_another(folder, f"trainer.{key}", old["trainer"].get(key), value))
    try:
        status = json.loads((folder / RUN).read_text(encoding="utf-8"))["status"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(folder / RUN, "missing or damaged; delete the folder to train this run anew") from error
    return status in ("finished", "stopped early") and (folder / BEST).is_dir()


def _another(folder: Path, key: str, old: Any, new: Any) -> str:
    return f"{key}: {folder} was trained with {old}, this sweep says {new}; choose another --out"


# -------------------------------------------------------------------------------------------------------- measurement


class _Measure:
    """Evaluates runs under the protocol, and keeps what fusions and the table need."""

    def __init__(
        self, protocol: str, data: str | None, split: str, sweep: Sweep, recipes: Sequence[MotionRecipe]
    ) -> None:
        known = [*FORECAST_PROTOCOLS, *RECOGNITION_PROTOCOLS]
        if protocol not in known:
            raise ConfigError(f"unknown protocol '{protocol}'{nearest(protocol, known)} (there are {', '.join(known)})")
        self.sweep, self.data, self.split = sweep, data, split
        self.notes: dict[str, None] = {}
        self.units: dict[str, str] = {}
        self.conditions: dict[str, Any] = {}
        self._scores: dict[tuple[str, int], RecognitionResult] = {}
        self._protocols: dict[str | None, ForecastProtocol] = {}
        self.forecasting = protocol if protocol in FORECAST_PROTOCOLS else None
        on_cmu = all(recipe.data.name == "cmu-8" for recipe in recipes)
        self.recognition = protocol if self.forecasting is None else "cmu-8" if on_cmu else None
        forecasts = [recipe for recipe in recipes if recipe.transform.horizon]
        if self.forecasting is None and not all(recipe.transform.recognise for recipe in recipes):
            raise ConfigError(f"{protocol} measures recognition; set --transform.recognise true")
        if self.forecasting is not None and not forecasts and self.recognition is None:
            raise ConfigError(f"{protocol} measures forecasting, and nothing here forecasts; set --transform.horizon")
        if self.forecasting is not None:
            for recipe in forecasts:  # wrong files are found before anything is trained
                self._protocol(recipe.data.representation or "expmap")
        elif data is None:
            raise ConfigError(f"protocol {protocol} needs the folder of its files: --data DIR")

    def _protocol(self, representation: str) -> ForecastProtocol:
        assert self.forecasting is not None
        key = representation if self.forecasting == "cmu-mpjpe" else None
        if key not in self._protocols:
            self._protocols[key] = load_forecast_protocol(
                self.forecasting, self.data, split=self.split, representation=key
            )
        return self._protocols[key]

    def place(self, column: str) -> int:
        """Where a column stands in the table."""
        return list(self.units).index(column) if column in self.units else len(self.units)

    def run(self, variant: Variant, seed: int, recipe: MotionRecipe) -> Measured:
        """Evaluate one trained run."""
        weights = Path(recipe.out) / BEST
        figures: dict[str, float] = {}
        info: dict[str, Any] = {"folder": str(recipe.out)}
        if self.forecasting is not None and recipe.transform.horizon:
            method = load_forecast_method(weights, variant.label)
            result = evaluate_forecast(method, self._protocol(recipe.data.representation or "expmap"))
            figures |= self._forecast_figures(result)
            info |= method.info | {"forecasting": {"per_action": result.per_action, "further": result.further}}
        if self.sweep.speed and recipe.transform.horizon:
            from kinegraph.evaluation.generation_speed import frames_within
            from kinegraph.weights import load_weights

            figures["frames in 20 ms"] = frames_within(load_weights(weights).model)
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
        """The weighted sum of variants' scores."""
        parts = [self._scores.get((name, seed)) for name in fusion.variants]
        results = [part for part in parts if part is not None]
        if len(results) < len(parts):
            return Measured(seed=seed, figures={}, info={})
        scores = fuse(results, fusion.weights)
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


# -------------------------------------------------------------------------------------------------------------- table


def sweep_report(result: SweepResult, *, markdown: bool = False) -> str:
    """One row per variant: the mean over seeds, and their spread behind it."""
    header = ["variant", *result.columns]
    rows = []
    for variant, runs in result.rows:
        cells = []
        for column in result.columns:
            found = result.summary(runs, column)
            digits = {"%": 1, "rad": 3}.get(result.units[column], 1)
            spread = "" if found is None or found[1] != found[1] else f" ±{found[1]:.{digits}f}"
            cells.append("-" if found is None else f"{found[0]:.{digits}f}{spread}")
        rows.append([variant.label, *cells])
    conditions = result.conditions
    seeds = ", ".join(map(str, conditions["seeds"]))
    lines = [
        f"{result.sweep.title} | recipe {conditions['recipe']} | {conditions['protocol']}, {conditions['split']} split"
        f" | seeds {seeds}" + (" (mean ±standard deviation)" if len(conditions["seeds"]) > 1 else ""),
        text_table(header, rows, markdown=markdown),
    ]
    kinds = dict.fromkeys(result.units.values())
    lines += [
        f"unit: {unit}: " + ", ".join(column for column in result.columns if result.units[column] == unit)
        for unit in kinds
    ]
    if "metric" in conditions:
        over = ", ".join(conditions["average_over"])
        lines.append(f"errors: {conditions['metric']}, average over {over}")
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])
