"""The run folder: what is written into it, and whether a run can begin or go on there."""

from __future__ import annotations

import json
import math
import os
import platform
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kinegraph import __version__
from kinegraph.atomic import write_text
from kinegraph.config import read_yaml, to_dict, write_yaml
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.training.launch import is_leader
from kinegraph.training.precision import computed_in
from kinegraph.training.recipe import RunRecipe, read_recipe
from kinegraph.training.recipe_parts import flat_fields
from kinegraph.training.schedule import follows_length
from kinegraph.training.task import Monitor
from kinegraph.weights import set_aside

__all__ = [
    "BAD",
    "BEST",
    "CHECKPOINT",
    "LOG",
    "MAY_CHANGE",
    "OF_RECIPE",
    "PLACES",
    "PROCESSES",
    "Checkpoint",
    "RunResult",
    "check_writable",
    "facts",
    "find_checkpoint",
    "open_folder",
    "write_end",
    "write_result",
]

BAD = "bad.csv"
"""Lists what of the data cannot be used, and why."""
BEST = "best"
CHECKPOINT = "last.ckpt"
LOG = "log.csv"
RECIPE = "recipe.yaml"
RUN = "run.json"
OF_RECIPE = "recipe"  # key of a checkpoint: the recipe whose it is, as plain values

PLACES = {"data.source", "data.extra"}
"""Where the data lie: they may be spelt otherwise or have moved, for it is the data themselves that are compared."""
MAY_CHANGE = {
    "out",
    *PLACES,
    *(
        f"trainer.{name}"
        for name in (
            *("epochs", "steps", "patience", "checkpoint_every", "checkpoint_minutes", "log_every"),
            *("compile", "threads", "tensorboard", "workers"),
        )
    ),
}
"""What may differ between the sittings of one run: how it is watched, how long it is and where its data lie, never what
is learned. (The length may not where the learning rate follows from it: `_check_length`.)"""
PROCESSES = {"trainer.devices", "trainer.nodes"}
"""What may differ too, but in lifting: the batch of a step is the same of however many processes, and batch
normalisation over all of it."""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a run came to."""

    folder: Path
    """Run folder; the weights are in its `best`."""
    status: str
    """One of `finished`, `stopped early` (no better validation for `patience`) and `interrupted`."""
    step: int
    """Steps taken."""
    steps: int
    """Steps planned."""
    best_step: int
    """Step of the weights that are kept: of the best validation, or the last."""
    best: float
    """Their error, as `monitor` measures it; infinite before the first validation."""
    monitor: Monitor
    """What chose the checkpoint."""
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


class Checkpoint(NamedTuple):
    """Where a run can go on."""

    path: Path
    step: int
    """Steps done."""


def find_checkpoint(folder: Path, recipe: RunRecipe, resume: bool) -> Checkpoint | None:
    """The checkpoint to go on from; None where a run begins, or where one without checkpoints is fitted again.

    Raises:
        KinegraphError: the folder holds a run and ``resume`` was not asked for, or files that a run would overwrite.
        FormatError: it is damaged.
        ConfigError: it belongs to a recipe that learns something else.
    """
    path = folder / CHECKPOINT
    fitted = not path.exists() and (folder / BEST).is_dir() and (folder / RECIPE).is_file()
    if not (folder / RUN).is_file():
        listed = (BAD,) if recipe.task == "motion" else ()
        for name in (RECIPE, LOG, BEST, *listed):  # the recipe that is read may lie there
            if (folder / name).exists():
                raise KinegraphError(f"{folder / name} is not of a run, and would be overwritten; choose another --out")
    if not path.exists() and not fitted:
        return None
    if not resume:
        raise KinegraphError(f"{folder} holds a run already; add --resume to continue it, or choose another --out")
    _check_same(folder, read_recipe(read_yaml(folder / RECIPE)), recipe)
    if fitted:
        return None
    try:
        content = torch.load(path, map_location="meta", weights_only=True, mmap=True)
        found, whose = Checkpoint(path, int(content["global_step"])), content[OF_RECIPE]
    except Exception as error:  # a damaged archive has no one kind of error
        raise FormatError(path, "not a checkpoint, or a damaged one; delete it to begin the run anew") from error
    _check_same(path, read_recipe(whose), recipe)
    return found


def _check_same(begun: Path, before: RunRecipe, recipe: RunRecipe) -> None:
    """ConfigError where what was begun learns something else than this recipe."""
    if before.task != recipe.task:
        raise ConfigError(
            f"task: {begun} was begun with {before.task!r}, the recipe says {recipe.task!r}; choose another --out"
        )
    old, new = flat_fields(to_dict(before)), flat_fields(to_dict(recipe))
    free = MAY_CHANGE if recipe.task == "lift" else MAY_CHANGE | PROCESSES
    for key in sorted(old.keys() | new.keys()):
        if key not in free and old.get(key) != new.get(key):
            raise ConfigError(
                f"{key}: {begun} was begun with {old.get(key)!r}, the recipe says {new.get(key)!r}; "
                "a run continues with what it began with, so choose another --out for a new one"
            )


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made, before any work is done for it.

    Raises:
        KinegraphError: it cannot.
    """
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise KinegraphError(f"cannot make the run folder {folder}: {place} is not a folder; choose another --out")
    if not os.access(place, os.W_OK):
        raise KinegraphError(f"cannot make the run folder {folder}: {place} is not writable; choose another --out")


def open_folder(folder: Path, recipe: RunRecipe, known: dict[str, Any], checkpoint: Checkpoint | None) -> None:
    """Write down in the run folder what is about to happen.

    Raises:
        KinegraphError: the folder cannot be cleared.
        ConfigError: the run is longer already, or was begun for another length, which its learning rate follows from.
        DataError: the run was begun with other data.
        FormatError: what the run has written is damaged.
    """
    if not is_leader():
        return
    try:
        _clear_leftovers(folder)
        if checkpoint is None:
            (folder / LOG).unlink(missing_ok=True)  # of a run that was killed before its first checkpoint
    except OSError as error:
        reason = error.strerror or error
        raise KinegraphError(f"cannot clear the run folder {folder}: {reason}; choose another --out") from error
    if (checkpoint is not None or (folder / BEST).is_dir()) and (folder / RUN).exists():
        try:
            before = json.loads((folder / RUN).read_text(encoding="utf-8"))
            data = before["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(folder / RUN, "damaged; choose another --out and begin anew") from error
        if data != known["data"]:
            raise DataError(
                f"the data of {recipe.data.name}{_place(to_dict(recipe))} are not those {folder} was begun with"
                f"{_place(before.get('recipe'), ', in ')}; give them with --data.source, or choose another --out"
            )
        _check_length(folder, recipe, before.get("steps"), known["steps"], checkpoint)
    write_text(folder / RUN, _json({"status": "running", **known}))  # first: it says whose the others are
    write_yaml(recipe, folder / RECIPE)


def _place(recipe: Any, before: str = " in ") -> str:
    """Where the data of a recipe's plain values lie, with words before; "" where that is not known."""
    source = recipe.get("data", {}).get("source") if isinstance(recipe, dict) else None
    return f"{before}{source}" if source else ""


def _check_length(folder: Path, recipe: RunRecipe, before: Any, steps: int, checkpoint: Checkpoint | None) -> None:
    """ConfigError where a run goes on to another length, and its rate would have been another from the first step.

    Or to one that it has passed: its record would say less than its weights have seen.
    """
    if checkpoint is None:
        return
    if before not in (None, steps) and follows_length(recipe.schedule):
        name = recipe.schedule.name + " with warmup" * (recipe.schedule.warmup > 0)
        raise ConfigError(
            f"trainer.steps: {folder} was begun for {before} steps, the recipe says {steps}; the learning rate of "
            f"schedule {name} follows from the length, so that no one recipe would make these weights: keep {before} "
            f"steps (--trainer.steps {before}), or begin anew with another --out (schedules constant, exponential and "
            "steps, without warmup, may go on longer)"
        )
    if checkpoint.step > steps:
        epochs = recipe.trainer.epochs
        unit, least = "steps", checkpoint.step
        if epochs is not None:
            unit, least = "epochs", math.ceil(least * epochs / steps)
        raise ConfigError(
            f"trainer.{unit}: {folder} has taken {checkpoint.step} steps, the recipe says {steps}; keep "
            f"--trainer.{unit} {least} or more, or begin anew with another --out"
        )


def _clear_leftovers(folder: Path) -> None:
    """Remove what a kill in the middle of a write has left behind; put weights that were being replaced back."""
    best = folder / BEST
    aside = set_aside(best) if best.is_symlink() and not best.exists() else None
    if aside is not None:
        aside.rename(os.path.realpath(best))
    for place in folder.iterdir():
        match = re.fullmatch(r"\.(best|last|recipe|run|log|bad)\.[0-9a-f]{8}\.(part|old)(\.\w+)?", place.name)
        if match is None:
            continue
        if match[1] == BEST and match[2] == "old" and not best.exists():
            place.rename(best)
        elif place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink()


def write_result(folder: Path, known: dict[str, Any], result: RunResult) -> None:
    """Write what the run came to into ``run.json``, after the facts known at its start."""
    content = {
        "status": result.status,
        **known,
        "step": result.step,
        "best": {"step": result.best_step, f"validation_{result.monitor.key}": result.best},
        "train_seconds": round(result.seconds, 1),
    }
    write_text(folder / RUN, _json(content))


def write_end(folder: Path, known: dict[str, Any], error: BaseException) -> None:
    """Write into ``run.json`` that the run ended in the middle, and why; a full disk must not hide the reason."""
    status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    reason = " ".join(f"{error or type(error).__name__}".split())
    with suppress(KinegraphError):
        write_text(folder / RUN, _json({"status": status, "error": reason, **known}))


def _json(content: dict[str, Any]) -> str:
    """As JSON, which has no infinity and no NaN: null stands for them, as for the error of a run never validated."""

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [finite(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(finite(content), indent=1, allow_nan=False) + "\n"


def facts(recipe: RunRecipe, data: dict[str, Any], parameters: int, steps: int) -> dict[str, Any]:
    """What is known before the first step, for run.json and the weights' metadata.

    Args:
        recipe: of the run.
        data: for the training and the validation split: name, size, fingerprint.
        parameters: trainable ones.
        steps: length of the run.
    """
    return {
        "seed": recipe.seed,
        "precision": computed_in(recipe.trainer),
        "versions": _versions(),
        "recipe": to_dict(recipe),
        "data": data,
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
