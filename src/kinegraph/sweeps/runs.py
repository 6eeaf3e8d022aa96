"""Sweeps, run: every variant trained with every seed, and measured under one protocol.

Every run goes into ``<out>/<variant>/seed_<seed>`` (of a protocol of several folds, ``seed_<seed>_fold_<fold>``). Runs
that are finished are kept, one that was interrupted goes on where it was, so the same call again loses nothing.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from kinegraph.config import read_yaml, to_dict
from kinegraph.datasets.action_splits import PROTOCOLS
from kinegraph.datasets.open_clips import SYNTHETIC
from kinegraph.errors import ConfigError, DataError, FormatError
from kinegraph.models import model_entry
from kinegraph.sweeps.clips import ClipMeasure
from kinegraph.sweeps.motion import MotionMeasure, motion_fields
from kinegraph.sweeps.sweep import Fusion, Measured, Sweep, SweepResult, Variant
from kinegraph.training.field_use import check_used, given_fields
from kinegraph.training.folder import BEST, MAY_CHANGE, PROCESSES, RECIPE, RUN
from kinegraph.training.motion_recipe import MotionRecipe
from kinegraph.training.prepared import model_config
from kinegraph.training.recipe import load_recipe, read_recipe, replaced_lengths
from kinegraph.training.recipe_parts import RunRecipe

__all__ = ["plan_sweep", "run_sweep"]

_OPTIONS = {"seed": "--seeds", "out": "--out", "data.fold": "--folds"}  # fields that every sweep sets, and by what

_PARTS = ("data", "trainer")  # of a recipe, of which single fields may differ
# Where the data lie, how a run is watched and by how many, as `train --resume` allows it; how long it is makes another
# row of a table.
_FREE = (MAY_CHANGE | PROCESSES) - {"trainer.epochs", "trainer.steps", "trainer.patience"}


class SweepRun(NamedTuple):
    """One training."""

    variant: Variant
    seed: int
    recipe: Any


class SweepPlan(NamedTuple):
    """What a sweep will train."""

    runs: list[SweepRun]
    folds: Sequence[int | None]
    """Of the protocol, those that are trained; (None,) where it has none to choose among."""
    clips: bool
    """The networks recognise clips; else they are of windows of motion."""


class Measure(Protocol):
    """Evaluates trained runs, and knows what the table needs."""

    notes: dict[str, None]
    units: dict[str, str]
    labels: dict[str, str]
    """Column -> what the table calls it, where that is not its name."""
    conditions: dict[str, Any]

    def splits(self, recipe: Any) -> Any:
        """Training data that are open already; None: the run opens its own."""

    def fingerprint(self, recipe: Any) -> str | None:
        """Of the training data, where they are open already."""

    def open(self, recipe: Any) -> None:
        """Open the training data, which may take a minute, for their fingerprint."""

    def check(self, recipe: Any) -> None:
        """Build the network of a recipe, without memory, as its training would: raises what that would raise."""

    def place(self, column: str) -> int:
        """Where a column stands in the table."""

    def run(self, variant: Variant, seed: int, recipes: Sequence[Any]) -> Measured:
        """The numbers of a variant and a seed; several recipes are its folds."""

    def fused(self, fusion: Fusion, seed: int) -> Measured:
        """The weighted mean of variants' scores."""


def run_sweep(
    sweep: Sweep,
    recipe: str | None,
    overrides: Sequence[str] = (),
    *,
    protocol: str,
    data: str | None,
    out: Path | str,
    seeds: Sequence[int] = (0,),
    folds: Sequence[int] | None = None,
    split: str = "test",
    quiet: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> SweepResult:
    """Train what is not trained yet, and measure.

    Args:
        sweep: what to vary.
        recipe: a YAML file or the name of a shipped recipe, of task motion or recognition; None where every variant
            names its own.
        overrides: ``["--field.sub", "value", ...]`` for every variant.
        protocol: for motion a forecasting protocol, or a recognition protocol; with the former networks that recognise
            are measured under ``cmu-8`` too, where the recipe's data are CMU's. For recognition of clips, theirs; the
            recipe trains on its training part.
        data: folder of the protocol's files, and of the recipe's data where that is not given.
        out: folder of the runs.
        seeds: of every variant.
        folds: of a protocol that has several; None all of them. The figures are their mean.
        split: ``test``, or ``val``.
        quiet: no training progress.
        say: is told what is going on, line by line.

    Raises:
        ConfigError: a field that is not there, a protocol that does not fit, or other runs in the folder.
        KeyboardInterrupt: training was stopped; the same call goes on with it.
    """
    from kinegraph.training.run import train

    runs, numbers, clips = plan_sweep(
        sweep, recipe, overrides, protocol=protocol, data=data, out=out, seeds=seeds, folds=folds
    )
    measure: Measure
    if clips:
        measure = ClipMeasure(protocol, data, split, [run.recipe for run in runs], sweep.missing)
    else:
        measure = MotionMeasure(protocol, data, split, sweep, [run.recipe for run in runs])
    _check_networks(runs, measure)
    trained_on: dict[str, tuple[str, str]] = {}
    for index, run in enumerate(runs, start=1):
        fold = f", fold {run.recipe.data.fold}" if len(numbers) > 1 else ""
        known = f"[{index}/{len(runs)}] {run.variant.label}, seed {run.seed}{fold}"
        if _is_finished(run.recipe, measure):
            say(f"{known}: trained already")
            _check_data(run.recipe, measure.fingerprint(run.recipe), trained_on)
            continue
        say(f"{known}: training into {run.recipe.out}")
        result = train(run.recipe, resume=True, quiet=quiet, splits=measure.splits(run.recipe))
        if result.status == "interrupted":
            raise KeyboardInterrupt(
                f"stopped in {run.recipe.out} at step {result.step} of {result.steps}; the same command goes on from "
                "there"
            )
        _check_data(run.recipe, None, trained_on)
    rows: list[tuple[Variant | Fusion, tuple[Measured, ...]]] = []
    for variant in sweep.variants:
        of_seed = {seed: [run.recipe for run in runs if run[:2] == (variant, seed)] for seed in seeds}
        rows.append((variant, tuple(measure.run(variant, seed, recipes) for seed, recipes in of_seed.items())))
    for fusion in sweep.fusions:  # below the last of the rows that it sums
        place = max(index for index, (row, _) in enumerate(rows) if row.name in fusion.variants) + 1
        rows.insert(place, (fusion, tuple(measure.fused(fusion, seed) for seed in seeds)))
    columns = dict.fromkeys(column for _, measured in rows for one in measured for column in one.figures)
    ordered = tuple(sorted(columns, key=measure.place))
    conditions = {
        "recipe": recipe or list(dict.fromkeys(variant.recipe for variant in sweep.variants)),
        "overrides": list(overrides),
        "protocol": protocol,
        "split": split,
        "seeds": list(seeds),
        **({"folds": list(numbers)} if len(numbers) > 1 or folds else {}),
        **measure.conditions,
    }
    return SweepResult(
        sweep=sweep,
        conditions=conditions,
        columns=ordered,
        units=measure.units,
        labels=measure.labels,
        rows=tuple(rows),
        notes=tuple(measure.notes),
    )


def _check_networks(runs: Sequence[SweepRun], measure: Measure) -> None:
    """Build a network of every variant that is yet to be trained: the last one's mistake would come hours later."""
    first = {run.variant.name: run for run in reversed(runs) if not _is_finished(run.recipe, measure)}
    for run in reversed(first.values()):
        try:
            measure.check(run.recipe)
        except ConfigError as error:
            raise ConfigError(f"variant {run.variant.name}: {error}") from error
        except DataError as error:
            raise DataError(f"variant {run.variant.name}: {error}") from error


def plan_sweep(
    sweep: Sweep,
    recipe: str | None,
    overrides: Sequence[str] = (),
    *,
    protocol: str | None = None,
    data: str | None = None,
    out: Path | str = "",
    seeds: Sequence[int] = (0,),
    folds: Sequence[int] | None = None,
) -> SweepPlan:
    """Every run of a sweep with its recipe; whatever is wrong with one is said before the first is trained.

    Args:
        sweep, recipe, overrides, data, out, seeds, folds: as of :func:`run_sweep`.
        protocol: likewise; None where nothing is measured: recipes of clips then keep their own.

    Raises:
        ConfigError: see :func:`run_sweep`.
    """
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ConfigError(f"--seeds {list(seeds)}: expected one or more, each once")
    names = dict.fromkeys(variant.recipe for variant in sweep.variants)
    bases = {name: _base(sweep, name or str(recipe), overrides, protocol, data) for name in names}
    first = next(iter(bases.values()))
    clips = first["task"] == "recognition"
    numbers = _folds((protocol or first["data"]["protocol"]) if clips else None, folds)
    runs = _runs(sweep, bases, Path(out), seeds, numbers)
    check_used([run.recipe for run in runs], given_fields(overrides))
    return SweepPlan(runs, numbers, clips)


def _folds(protocol: str | None, folds: Sequence[int] | None) -> Sequence[int | None]:
    """Which folds are trained; (None,) where there are none to choose among."""
    there = PROTOCOLS[protocol].folds if protocol is not None and protocol in PROTOCOLS else 1
    if there == 1:
        if folds is not None:
            raise ConfigError("--folds: this protocol has none; leave it out")
        return (None,)
    chosen = list(range(there)) if folds is None else list(folds)
    if not chosen or len(set(chosen)) != len(chosen) or not all(0 <= fold < there for fold in chosen):
        raise ConfigError(f"--folds {chosen}: expected numbers from 0 to {there - 1}, each once")
    return chosen


def _base(sweep: Sweep, name: str, overrides: Sequence[str], protocol: str | None, data: str | None) -> dict[str, Any]:
    """The recipe that all variants start from, as plain values."""
    given = {text[2:].partition("=")[0].replace("-", "_") for text in overrides if text.startswith("--")}
    changed = {key for variant in sweep.variants for key in variant.changes}
    for key in sorted(given & (changed | _OPTIONS.keys())):
        option = _OPTIONS.get(key, "--only or another sweep")
        raise ConfigError(f"--{key}: it is what this sweep sets itself; use {option}")
    for key in sorted(changed & _OPTIONS.keys()):
        raise ConfigError(f"--vary {key}: it is what this sweep sets itself; use {_OPTIONS[key]}")
    task = load_recipe(name).task
    if task != sweep.task and not (sweep.task == "any" and task in ("motion", "recognition")):
        wanted = {"any": "motion or recognition"}.get(sweep.task, sweep.task)
        raise ConfigError(f"recipe {name} is of task {task}; this sweep is of networks of {wanted}: give such a one")
    laid = []
    for key, value in sweep.fixed.items():
        laid += [f"--{key}", json.dumps(to_dict(value))]
    base: dict[str, Any] = to_dict(load_recipe(name, [*laid, *overrides], all_used=False))
    if protocol is not None and task == "recognition" and "data.protocol" not in given:
        base["data"]["protocol"] = protocol
        if protocol == SYNTHETIC:
            base["data"]["source"] = None
    synthetic = base["data"].get("name") == "synthetic"
    if data is not None and not synthetic and "data.source" not in given:
        base["data"]["source"] = data
    return base


def _runs(
    sweep: Sweep,
    bases: Mapping[str, Mapping[str, Any]],
    out: Path,
    seeds: Sequence[int],
    folds: Sequence[int | None] = (None,),
) -> list[SweepRun]:
    """Every run, from the recipe of its variant."""
    found = []
    for variant in sweep.variants:
        for seed, fold in product(seeds, folds):
            place = f"seed_{seed}" if fold is None else f"seed_{seed}_fold_{fold}"
            changes = {**variant.changes, "seed": seed, "out": str(out / variant.name / place)}
            if fold is not None:
                changes["data.fold"] = fold
            try:
                one = read_recipe(_changed(bases[variant.recipe], changes))
                check_used([one], variant.changes)
                model_config(one, _given(one), "the recipe's transform")
            except ConfigError as error:
                raise ConfigError(f"variant {variant.name}: {error}") from error
            found.append(SweepRun(variant, seed, one))
    return found


def _given(recipe: RunRecipe) -> dict[str, Any]:
    """Fields of the model that data and transform decide; of those that the data decide, an example."""
    if isinstance(recipe, MotionRecipe):
        return motion_fields(recipe)
    return {"channels": 3, "classes": 2, "people": 1}


def _changed(data: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = json.loads(json.dumps(data))
    model = changes.get("model.name")
    if model is not None and model != result["model"].get("name"):
        # Another network keeps of the options what it has too.
        known = {field.name for field in dataclasses.fields(model_entry(str(model)).config)}
        result["model"] = {key: value for key, value in result["model"].items() if key in known}
    for name, value in {**dict.fromkeys(replaced_lengths(changes)), **changes}.items():
        place, *path = result, *name.split(".")
        for key in path[:-1]:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ConfigError(f"--vary {name}: '{key}' has no fields of its own")
            place = inner
        place[path[-1]] = to_dict(value)
    return dict(result)


def _is_finished(recipe: RunRecipe, measure: Measure) -> bool:
    """Whether the recipe's folder holds its finished run.

    Raises:
        ConfigError: it holds the run of another recipe. One of another length too: variants trained for different
            times would stand in one table. The data may have moved: they are opened, so that `_check_data` can tell
            whether they are the same, or training goes on and compares them itself.
    """
    folder = Path(recipe.out)
    if not (folder / RECIPE).is_file():
        return False
    old, new = to_dict(read_recipe(read_yaml(folder / RECIPE))), to_dict(recipe)
    if old["task"] != new["task"]:
        raise ConfigError(_another(folder, "task", old["task"], new["task"]))
    for key, value in new.items():
        parts = {f"{key}.{name}": (old[key].get(name), one) for name, one in value.items()} if key in _PARTS else {}
        for name, (before, now) in (parts or {key: (old.get(key), value)}).items():
            if name not in _FREE and before != now:
                raise ConfigError(_another(folder, name, before, now))
    finished = _written(folder, "status") in ("finished", "stopped early") and (folder / BEST).is_dir()
    if finished and not _same_source(old, new):
        measure.open(recipe)
    return finished


def _same_source(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two recipes' data are in one place, however it is spelt."""
    before, now = (recipe["data"].get("source") for recipe in (old, new))
    return before == now or (None not in (before, now) and Path(before).resolve() == Path(now).resolve())


def _check_data(recipe: RunRecipe, today: str | None, trained_on: dict[str, tuple[str, str]]) -> None:
    """Refuse a trained run whose data are not those of the runs before, or of today, though the recipe's are the same.

    Args:
        recipe: of the run.
        today: fingerprint of the recipe's data as they are now, if that is known.
        trained_on: what the runs before saw: the recipe's data as text -> fingerprint, and where it is written.
    """
    data = {key: value for key, value in to_dict(recipe.data).items() if key != "fold"}
    same = json.dumps([data, to_dict(recipe.transform)], sort_keys=True)
    folder = Path(recipe.out)
    own = _written(folder, "data", "train", "fingerprint")
    other, where = (
        (today, "the data that are there now") if today else trained_on.setdefault(same, (own, str(folder / RUN)))
    )
    if own != other:
        raise ConfigError(
            f"{folder} was trained on other data ({own}) than {where} ({other}): the files have changed since; "
            "choose another --out, or delete the folders of older runs"
        )


def _written(folder: Path, *keys: str) -> Any:
    """What stands in a run's ``run.json`` under keys, one inside the other.

    Raises:
        FormatError: it is missing or damaged.
    """
    try:
        found = json.loads((folder / RUN).read_text(encoding="utf-8"))
        for key in keys:
            found = found[key]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(folder / RUN, "missing or damaged; delete the folder to train this run anew") from error
    return found


def _another(folder: Path, key: str, old: Any, new: Any) -> str:
    return f"{key}: {folder} was trained with {old}, this sweep says {new}; choose another --out"
