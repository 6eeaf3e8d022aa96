"""A training run from a recipe to a run folder.

recipe.yaml     the recipe as resolved
run.json        status, seed, versions, data fingerprints, parameters, training time, best validation
log.csv         step, epoch, lr, train_loss, val_loss, val_mpjpe_mm, seconds
tensorboard/    the same as curves
last.ckpt       everything needed to continue exactly
best/           weights of the best validation: `kinegraph evaluate`, `kinegraph lift --model`
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from kinegraph.config import from_dict
from kinegraph.errors import ConfigError, KinegraphError, require
from kinegraph.models import build, model_entry
from kinegraph.training.callbacks import ProgressLine, RunKeeper, StopSignals
from kinegraph.training.data_module import LiftingDataModule, Splits, load_splits
from kinegraph.training.folder import (
    BEST,
    RunResult,
    check_writable,
    facts,
    find_checkpoint,
    is_leader,
    open_folder,
    write_result,
)
from kinegraph.training.lifting_task import LiftingTask
from kinegraph.training.recipe import TrainRecipe
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights

__all__ = ["RunResult", "model_config", "train"]


def model_config(recipe: TrainRecipe, channels: int) -> Any:
    """The configuration of the recipe's network for inputs of `channels` channels.

    Raises:
        ConfigError: unknown model, or options that are not the model's.
    """
    options = dict(recipe.model)
    entry = model_entry(options.pop("name"))
    if options.setdefault("in_channels", channels) != channels:
        raise ConfigError(
            f"model.in_channels: found {options['in_channels']}, but the transform gives {channels}; leave it out"
        )
    return from_dict(entry.config, options, "model")


def train(recipe: TrainRecipe, *, resume: bool = False, quiet: bool = False, splits: Splits | None = None) -> RunResult:
    """Run a recipe, or go on with it.

    Args:
        recipe: what to do.
        resume: continue the run in the recipe's folder; where there is none yet, begin.
        quiet: show no progress.
        splits: data to use in place of the recipe's.

    Raises:
        ConfigError: the recipe is wrong, or differs from the one the folder was begun with.
        KinegraphError: the folder holds a run and `resume` was not asked for, or cannot be written.
    """
    folder = Path(recipe.out)
    checkpoint = find_checkpoint(folder, recipe, resume)
    check_writable(folder)
    transform = LiftingTransform(
        target=recipe.transform.target,
        normalise=recipe.transform.normalise,
        confidence=recipe.transform.confidence,
    )
    config = model_config(recipe, transform.channels)  # its mistakes come before minutes of reading data
    if recipe.trainer.threads is not None:
        torch.set_num_threads(recipe.trainer.threads)
    if recipe.trainer.tensorboard:
        require("tensorboard", extra="train", purpose="writing TensorBoard curves (trainer.tensorboard)")
    splits = load_splits(recipe.data) if splits is None else splits
    skeleton = splits.train.skeleton
    transform = replace(transform, root=skeleton.root)
    torch.manual_seed(recipe.seed)
    model = build(recipe.model["name"], skeleton, config)
    data = LiftingDataModule(
        splits,
        transform,
        frames=int(getattr(model, "frames", 1)),
        step=recipe.data.step,
        batch=recipe.trainer.batch,
        augment=recipe.augment,
        seed=recipe.seed,
    )
    steps = recipe.trainer.steps or (recipe.trainer.epochs or 80) * data.steps_per_epoch
    task = LiftingTask(
        model,
        transform,
        skeleton,
        optim=recipe.optim,
        schedule=recipe.schedule,
        steps=steps,
        steps_per_epoch=data.steps_per_epoch,
        seed=recipe.seed,
        flip_test=recipe.augment.flip_test,
        compile_model=recipe.trainer.compile,
    )
    parameters = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    known = facts(recipe, splits, parameters, steps)
    open_folder(folder, recipe, known, checkpoint)

    def save_best(task: LiftingTask, found: dict[str, float]) -> None:
        metadata = {
            **known,
            "protocol": f"{recipe.data.name} {recipe.transform.target} {recipe.data.input}",
            "metrics": {"validation_mpjpe_mm": found["mpjpe_mm"], "validation_loss": found["loss"]},
            "checkpoint": {
                "chosen_by": "lowest validation MPJPE",
                "step": found["step"],
                "validation": splits.validation.name,
                "poses": min(recipe.trainer.validate_poses or len(splits.validation), len(splits.validation)),
                "averaged_weights": recipe.optim.ema is not None,
            },
            "train_seconds": round(keeper.seconds, 1),
        }
        save_weights(folder / BEST, model, recipe.model["name"], metadata, transform=transform, state=task.kept_state())

    leader = is_leader()
    progress = None if quiet or not leader else ProgressLine(steps)
    with StopSignals() as stop, _calm_lightning():
        keeper = RunKeeper(folder, recipe.trainer, data, steps=steps, stop=stop, progress=progress, save_best=save_best)
        trainer = _trainer(recipe, folder, steps, keeper, checkpoint.step if checkpoint else None)
        try:
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint.path if checkpoint else None, weights_only=True)
        except SystemExit as error:  # Lightning's answer to a second Ctrl-C
            raise KeyboardInterrupt("stopped at once; --resume continues from the last checkpoint") from error
        except RuntimeError as error:
            if recipe.trainer.compile and isinstance(error, torch._dynamo.exc.TorchDynamoException):
                raise KinegraphError(f"torch.compile failed ({error}); set trainer.compile to false") from error
            raise
        finally:
            if progress is not None:
                progress.close()
    status = "finished" if trainer.global_step >= steps else "stopped early"
    if stop.requested and status != "finished":
        status = "interrupted"
    result = RunResult(
        folder=folder,
        status=status,
        step=trainer.global_step,
        steps=steps,
        best_step=keeper.best_step,
        best_mpjpe_mm=keeper.best_mpjpe_mm,
        parameters=parameters,
        seconds=keeper.seconds,
        leader=leader,
    )
    if leader:
        write_result(folder, known, result)
    return result


def _trainer(recipe: TrainRecipe, folder: Path, steps: int, keeper: RunKeeper, resumed_at: int | None) -> pl.Trainer:
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
        strategy="ddp" if settings.devices > 1 else "auto",
        precision="bf16-mixed" if settings.precision == "bf16" else "32-true",
        max_steps=steps,
        max_epochs=-1,
        gradient_clip_val=recipe.optim.clip,
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
