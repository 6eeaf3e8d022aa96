"""A training run from a recipe to a run folder.

recipe.yaml     the recipe as resolved
run.json        status, seed, versions, data fingerprints, parameters, training time, best validation
log.csv         step, epoch, lr, train_loss, val_loss, val_mpjpe_mm, seconds
tensorboard/    the same as curves
last.ckpt       everything needed to continue exactly
best/           weights of the best validation: `kinegraph evaluate`, `kinegraph lift --model`
"""

from __future__ import annotations

import json
import logging
import os
import platform
import warnings
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch

from kinegraph import __version__
from kinegraph.atomic import write_text
from kinegraph.config import from_dict, read_yaml, to_dict, write_yaml
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError, require
from kinegraph.models import build, model_entry
from kinegraph.training.callbacks import CHECKPOINT, LOG, ProgressLine, RunKeeper, StopSignals
from kinegraph.training.data_module import LiftingDataModule, Splits, load_splits
from kinegraph.training.lifting_task import LiftingTask
from kinegraph.training.recipe import TrainRecipe
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights

__all__ = ["RunResult", "model_config", "train"]

BEST = "best"
# What may differ between the sittings of one run: how it is watched and how long it is, never what is learned.
_MAY_CHANGE = {
    "out",
    *(
        f"trainer.{name}"
        for name in (
            *("epochs", "steps", "patience", "checkpoint_every", "checkpoint_minutes", "log_every"),
            *("compile", "threads", "tensorboard"),
        )
    ),
}


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run came to."""

    folder: Path
    """Run folder; the weights are in its `best`."""
    status: str
    """"finished", "stopped early" (no better validation for `patience`) or "interrupted"."""
    step: int
    """Steps taken."""
    steps: int
    """Steps planned."""
    best_step: int
    """Step of the best validation."""
    best_mpjpe_mm: float
    """Its error, millimetres."""
    parameters: int
    """Trainable parameters."""
    seconds: float
    """Training time over all sittings."""
    leader: bool = True
    """Whether this process is the one that reports, among those of a data-parallel run."""

    @property
    def weights(self) -> Path:
        """The weights folder."""
        return self.folder / BEST


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
    checkpoint = _checkpoint_to_resume(folder, recipe, resume)
    _check_writable(folder)
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
    facts = _facts(recipe, splits, parameters, steps)
    _open_folder(folder, recipe, facts, checkpoint)

    def save_best(task: LiftingTask, found: dict[str, float]) -> None:
        metadata = {
            **facts,
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

    leader = _is_leader()
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
        _write_run(folder, facts, result)
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


class _Checkpoint(NamedTuple):
    path: Path
    step: int


def _checkpoint_to_resume(folder: Path, recipe: TrainRecipe, resume: bool) -> _Checkpoint | None:
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    if not resume:
        raise KinegraphError(f"{folder} holds a run already; add --resume to continue it, or choose another --out")
    try:
        content = torch.load(path, map_location="meta", weights_only=True, mmap=True)
        found = _Checkpoint(path, int(content["global_step"]))
    except Exception as error:  # a damaged archive has no one kind of error
        raise FormatError(path, "not a checkpoint, or a damaged one; delete it to begin the run anew") from error
    before = from_dict(TrainRecipe, read_yaml(folder / "recipe.yaml"))
    old, new = _flat(to_dict(before)), _flat(to_dict(recipe))
    for key in sorted(old.keys() | new.keys()):
        if key not in _MAY_CHANGE and old.get(key) != new.get(key):
            raise ConfigError(
                f"{key}: {folder} was begun with {old.get(key)!r}, the recipe says {new.get(key)!r}; "
                "a run continues with what it began with, so choose another --out for a new one"
            )
    return found


def _check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made, before any work is done for it."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise KinegraphError(f"cannot make the run folder {folder}: {place} is not a folder; choose another --out")
    if not os.access(place, os.W_OK):
        raise KinegraphError(f"cannot make the run folder {folder}: {place} is not writable; choose another --out")


def _is_leader() -> bool:
    """Whether this process is the first of a data-parallel run, or the only one."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0) == 0


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(data, dict):
        return {prefix: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else key)
    return found


def _open_folder(folder: Path, recipe: TrainRecipe, facts: dict[str, Any], checkpoint: _Checkpoint | None) -> None:
    """Make the run folder and write down what is about to happen."""
    if not _is_leader():
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if checkpoint is None:
            (folder / LOG).unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
    except OSError as error:
        raise KinegraphError(f"cannot make the run folder {folder}: {error.strerror}; choose another --out") from error
    if checkpoint is not None and (folder / "run.json").exists():
        try:
            before = json.loads((folder / "run.json").read_text(encoding="utf-8"))["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(folder / "run.json", "damaged; choose another --out and begin anew") from error
        if before != facts["data"]:
            raise DataError(
                f"the data of {recipe.data.name} are not those {folder} was begun with; choose another --out"
            )
    write_yaml(recipe, folder / "recipe.yaml")
    write_text(folder / "run.json", json.dumps({"status": "running", **facts}, indent=1) + "\n")


def _write_run(folder: Path, facts: dict[str, Any], result: RunResult) -> None:
    content = {
        "status": result.status,
        **facts,
        "step": result.step,
        "best": {"step": result.best_step, "validation_mpjpe_mm": result.best_mpjpe_mm},
        "train_seconds": round(result.seconds, 1),
    }
    write_text(folder / "run.json", json.dumps(content, indent=1) + "\n")


def _facts(recipe: TrainRecipe, splits: Splits, parameters: int, steps: int) -> dict[str, Any]:
    """What is known before the first step, for run.json and the weights' metadata."""
    return {
        "seed": recipe.seed,
        "versions": _versions(),
        "recipe": to_dict(recipe),
        "data": {
            role: {"name": data.name, "poses": len(data), "fingerprint": data.fingerprint, "fps": data.fps}
            for role, data in (("train", splits.train), ("validation", splits.validation))
        },
        "parameters": parameters,
        "steps": steps,
    }


def _versions() -> dict[str, str]:
    found = {"kinegraph": __version__, "python": platform.python_version()}
    for package in ("torch", "lightning", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


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
