"""A training run from a recipe to a run folder.

recipe.yaml     the recipe as resolved
run.json        status ("running" after a kill -9 too, but then .lock is free), seed, versions, data fingerprints,
                parameters, training time, best validation
log.csv         step, epoch, lr, the training losses, what the validations found, seconds
tensorboard/    the same as curves
last.ckpt       everything needed to continue exactly
.lock           locked while the run goes on: no second one goes on in its folder
best/           weights of the best validation, or the last (`trainer.keep`): `kinegraph evaluate`, `lift --model`...
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from kinegraph.errors import KinegraphError, require
from kinegraph.training import lifting_setup, motion_setup, recognition_setup
from kinegraph.training.callbacks import RunKeeper
from kinegraph.training.fitting import fit_model
from kinegraph.training.folder import (
    BEST,
    Checkpoint,
    RunResult,
    check_writable,
    facts,
    find_checkpoint,
    open_folder,
    write_end,
    write_result,
)
from kinegraph.training.launch import as_launched, check_devices, cluster, is_leader, slurm_tasks
from kinegraph.training.lock import run_lock
from kinegraph.training.parallel import UnwrappedDDP
from kinegraph.training.precision import computed_in
from kinegraph.training.prepared import PreparedRun, size_lines
from kinegraph.training.progress_line import ProgressLine
from kinegraph.training.recipe import RunRecipe
from kinegraph.training.stop_signals import StopSignals
from kinegraph.training.task import TrainingTask
from kinegraph.weights import save_weights

__all__ = ["PREPARE", "RunResult", "train"]

PREPARE: dict[str, Callable[[Any, Any], PreparedRun]] = {
    "lift": lifting_setup.prepare,
    "motion": motion_setup.prepare,
    "recognition": recognition_setup.prepare,
}
"""For each task: from its recipe, and its splits or None, to a run that can begin."""


def train(recipe: RunRecipe, *, resume: bool = False, quiet: bool = False, splits: Any = None) -> RunResult:
    """Run a recipe, or go on with it.

    Args:
        recipe: what to do.
        resume: continue the run in the recipe's folder; where there is none yet, begin.
        quiet: show no progress.
        splits: data to use in place of the recipe's.

    Raises:
        ConfigError: the recipe is wrong, or differs from the one the folder was begun with.
        KinegraphError: the folder holds a run and `resume` was not asked for, another run goes on there, or it cannot
            be written.
    """
    recipe = as_launched(recipe)
    check_devices(recipe.trainer)
    folder = Path(recipe.out)
    check_writable(folder)
    with run_lock(folder):
        return _train(recipe, folder, resume, quiet, splits)


def _train(recipe: RunRecipe, folder: Path, resume: bool, quiet: bool, splits: Any) -> RunResult:
    checkpoint = find_checkpoint(folder, recipe, resume)
    if recipe.trainer.threads is not None:
        torch.set_num_threads(recipe.trainer.threads)
    if recipe.trainer.tensorboard:
        require("tensorboard", extra="train", purpose="writing TensorBoard curves (trainer.tensorboard)")
    prepared = PREPARE[recipe.task](recipe, splits)
    steps = prepared.steps
    parameters = int(prepared.model.num_parameters)  # type: ignore[arg-type]
    known = facts(recipe, dict(prepared.splits), parameters, steps)
    open_folder(folder, recipe, known, checkpoint)
    if not quiet and is_leader():
        if recipe.trainer.processes == 1 and slurm_tasks() > 1:
            tasks = slurm_tasks()
            print(f"one of srun's {tasks} tasks, a run of its own (docs/recognition.md, Many GPUs)", file=sys.stderr)
        for line in size_lines(prepared, recipe):
            print(line, file=sys.stderr, flush=True)

    def save_best(task: TrainingTask, found: dict[str, float], seconds: float) -> None:
        metadata = {
            **known,
            "parameters": int(prepared.model.num_parameters),  # type: ignore[arg-type]  # known once it is fitted
            "protocol": prepared.protocol,
            "metrics": {f"validation_{name}": found[name] for name in task.found},
            "checkpoint": {
                "chosen_by": "last step" if recipe.trainer.keep == "last" else f"lowest {task.monitor.label}",
                "step": found["step"],
                **prepared.validated,
                "averaged_weights": recipe.optim.ema is not None,
            },
            "train_seconds": round(seconds, 1),
        }
        save_weights(
            folder / BEST,
            prepared.model,
            recipe.model["name"],
            metadata,
            transform=prepared.transform,
            state=task.kept_state(),
            task=prepared.weights_task,
        )

    try:
        if getattr(prepared.model, "trains", "gradient") == "fit":
            result = fit_model(prepared, recipe, folder, save_best)
        else:
            result = _descend(prepared, recipe, folder, parameters, save_best, checkpoint, quiet)
    except BaseException as error:
        if is_leader():
            write_end(folder, known, error)
        raise
    if result.leader:
        write_result(folder, {**known, "parameters": result.parameters}, result)
    return result


def _descend(
    prepared: PreparedRun,
    recipe: RunRecipe,
    folder: Path,
    parameters: int,
    save_best: Callable[[TrainingTask, dict[str, float], float], None],
    checkpoint: Checkpoint | None,
    quiet: bool,
) -> RunResult:
    """Train by gradient descent."""
    steps, task, data = prepared.steps, prepared.task, prepared.data
    leader = is_leader()
    progress = None if quiet or not leader else ProgressLine(steps)
    with StopSignals() as stop, _calm_lightning():
        keeper = RunKeeper(folder, recipe, data, steps=steps, stop=stop, progress=progress, save_best=save_best)
        trainer = _trainer(recipe, folder, steps, keeper, task, checkpoint.step if checkpoint else None)
        try:
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint.path if checkpoint else None, weights_only=True)
        except SystemExit as error:  # Lightning's answer to a second Ctrl-C
            raise KeyboardInterrupt("stopped at once; --resume continues from the last checkpoint") from error
        except RuntimeError as error:
            if recipe.trainer.compile and isinstance(error, torch._dynamo.exc.TorchDynamoException):
                reason = " ".join(str(error).split())[:200]  # a compiler's whole output can hang on it
                raise KinegraphError(f"torch.compile failed ({reason} ...); set trainer.compile to false") from error
            raise
        finally:
            if progress is not None:
                progress.close()
    status = "finished" if trainer.global_step >= steps else "stopped early"
    if stop.requested and status != "finished":
        status = "interrupted"
    return RunResult(
        folder=folder,
        status=status,
        step=trainer.global_step,
        steps=steps,
        best_step=keeper.kept_step,
        best=keeper.kept,
        monitor=task.monitor,
        parameters=parameters,
        seconds=keeper.seconds,
        leader=leader,
    )


def _trainer(
    recipe: RunRecipe, folder: Path, steps: int, keeper: RunKeeper, task: TrainingTask, resumed_at: int | None
) -> pl.Trainer:
    settings = recipe.trainer
    loggers: list[Any] = []
    if settings.tensorboard:
        from lightning.pytorch.loggers import TensorBoardLogger

        # Curves after the checkpoint are drawn again, so the old ones are dropped.
        purge = None if resumed_at is None else resumed_at + 1
        loggers.append(TensorBoardLogger(save_dir=folder, name="", version="tensorboard", purge_step=purge))
    return pl.Trainer(
        accelerator=settings.accelerator,
        devices=settings.devices,
        num_nodes=settings.nodes,
        plugins=cluster(settings),
        strategy="auto" if settings.processes == 1 else "ddp" if task.automatic_optimization else UnwrappedDDP(),
        precision="bf16-mixed" if computed_in(settings) == "bf16" else "32-true",
        # A run without a step left begins all the same, for the keeper to look at it once; it takes none.
        max_steps=steps if resumed_at is None else max(steps, resumed_at + 1),
        max_epochs=-1,
        # A task that takes its own steps clips for itself.
        gradient_clip_val=recipe.optim.clip if task.automatic_optimization else None,
        limit_val_batches=0,
        logger=loggers or False,
        callbacks=[keeper],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


class _calm_lightning:  # noqa: N801 - used as a function
    """Lightning without its banners and its advice about data loaders, which does not apply here."""

    def __enter__(self) -> None:
        self._loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.filterwarnings("ignore", module=r"lightning\..*")

    def __exit__(self, *error: Any) -> None:
        self._warnings.__exit__(*error)
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)
