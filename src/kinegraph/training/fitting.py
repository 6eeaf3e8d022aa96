"""Networks that are fitted in closed form: the same recipe and the same run folder, without a step of descent."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable
from pathlib import Path

from kinegraph.atomic import atomic_path
from kinegraph.errors import ConfigError, DataError
from kinegraph.training.finite import all_finite
from kinegraph.training.folder import LOG, RunResult
from kinegraph.training.prepared import PreparedRun
from kinegraph.training.recipe_parts import RunRecipe
from kinegraph.training.task import TrainingTask

__all__ = ["fit_model"]


def fit_model(
    prepared: PreparedRun,
    recipe: RunRecipe,
    folder: Path,
    save_best: Callable[[TrainingTask, dict[str, float], float], None],
) -> RunResult:
    """Fit on the examples that as many steps would have shown, augmentation included, and save.

    Raises:
        ConfigError: more than one device.
        DataError: what was fitted is no number.
    """
    if recipe.trainer.processes > 1:
        raise ConfigError(f"trainer.devices: {recipe.model['name']} is fitted by one process; set 1")
    started = time.monotonic()
    task, data = prepared.task, prepared.data
    data.fit(prepared.model, prepared.steps, recipe.trainer.validate_poses)
    found = data.evaluate(task, recipe.trainer.validate_poses)
    seconds = time.monotonic() - started
    if not (all(math.isfinite(value) for value in found.values()) and all_finite(task.kept_state().values())):
        raise DataError(
            f"{recipe.model['name']}: the fitted weights or their errors are NaN or infinite; check the data"
        )
    save_best(task, {"step": prepared.steps, **found}, seconds)
    row = {"step": prepared.steps, "epoch": prepared.steps / data.steps_per_epoch, "seconds": round(seconds, 2)}
    with atomic_path(folder / LOG) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, task.log_columns)
        writer.writeheader()
        writer.writerow({**row, **{f"val_{name}": found[name] for name in task.found}})
    return RunResult(
        folder=folder,
        status="finished",
        step=prepared.steps,
        steps=prepared.steps,
        best_step=prepared.steps,
        best=found[task.monitor.key],
        monitor=task.monitor,
        parameters=int(prepared.model.num_parameters),  # type: ignore[arg-type]
        seconds=seconds,
    )
