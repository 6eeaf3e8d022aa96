"""What happens between steps: validation, the best weights, the log, checkpoints.

All of it is driven by the step count in one callback, in a fixed order, so that a run that was stopped and resumed
validates, logs and keeps weights at the same steps as one that was not.
"""

from __future__ import annotations

import csv
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import lightning.pytorch as pl
import torch
from torch import Tensor

from kinegraph.atomic import atomic_path
from kinegraph.config import to_dict
from kinegraph.errors import KinegraphError
from kinegraph.training.agreement import LAG, Agreement
from kinegraph.training.finite import DivergedError, all_finite, tensors_in
from kinegraph.training.folder import BEST, CHECKPOINT, LOG, OF_RECIPE
from kinegraph.training.progress_line import ProgressLine
from kinegraph.training.recipe_parts import RunRecipe
from kinegraph.training.stop_signals import StopSignals
from kinegraph.training.task import TrainingTask

__all__ = ["RunData", "RunKeeper"]


class RunData(Protocol):
    """What the keeper needs of a data module."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in a pass over the training data."""

    def evaluate(self, task: Any, most: int | None) -> dict[str, float]:
        """What the validation split, or `most` of it, says about the task's kept weights."""


class RunKeeper(pl.Callback):
    """Validates, logs, keeps the best weights and writes checkpoints.

    Args:
        folder: run folder.
        recipe: of the run, with the intervals.
        data: what to validate on.
        steps: length of the run.
        stop: asks for a clean stop.
        progress: where to show it, or None for silence.
        save_best: writes the task's kept weights; called with the task, what the validation found and the seconds so
            far.

    Attributes:
        best, best_step: the lowest error so far, and when it was found: what patience is about.
        kept, kept_step: error and step of the weights that are kept.
        kept_tie: of those weights, what decides between equal errors (`Monitor.tie`).
    """

    def __init__(
        self,
        folder: Path,
        recipe: RunRecipe,
        data: RunData,
        *,
        steps: int,
        stop: StopSignals,
        progress: ProgressLine | None,
        save_best: Callable[[TrainingTask, dict[str, float], float], None],
    ) -> None:
        super().__init__()
        self.folder = folder
        self.whole, self.recipe = recipe, recipe.trainer
        self.data = data
        self.steps = steps
        self.stop = stop
        self.progress = progress
        self.save_best = save_best
        self.best = math.inf
        self.best_step = 0
        self.kept = math.inf
        self.kept_step = 0
        self.kept_tie = math.inf
        self.validations_since_best = 0
        self.validated_step = 0
        self.seconds_before = 0.0
        self.checkpoint_step = -1
        self.stopped_early = False
        self._agreement: Agreement | None = None
        self._train_loss = math.nan
        self._validated = ""
        self._started = time.monotonic()
        self._checkpointed = time.monotonic()

    @property
    def seconds(self) -> float:
        """Training time so far, over all the sittings of the run, validation and saving included."""
        return self.seconds_before + time.monotonic() - self._started

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know."""
        return {
            "best": self.best,
            "best_step": self.best_step,
            "kept": self.kept,
            "kept_step": self.kept_step,
            "kept_tie": self.kept_tie,
            "validations_since_best": self.validations_since_best,
            "validated_step": self.validated_step,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take it back."""
        self.best, self.best_step = state_dict["best"], state_dict["best_step"]
        self.kept, self.kept_step = state_dict["kept"], state_dict["kept_step"]
        # Runs of before did not write it: what they kept stays until there is a lower error.
        self.kept_tie = state_dict.get("kept_tie", -math.inf)
        self.validations_since_best = state_dict["validations_since_best"]
        self.validated_step = state_dict["validated_step"]
        self.seconds_before = state_dict["seconds"]

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Say whose it is."""
        checkpoint[OF_RECIPE] = to_dict(self.whole)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, and forget log entries of steps that are about to be repeated.

        Where no step is left, by the steps or by patience, what there is is validated and kept as at the end of a run,
        unless it was: the recipe's length may have changed, and the run have been stopped between two validations.

        Raises:
            KinegraphError: processes would begin at different steps: one of them does not see the checkpoint. Or the
                kept weights are gone, and none will be kept any more.
        """
        if trainer.world_size > 1:
            first = trainer.strategy.broadcast(trainer.global_step)
            if not trainer.strategy.reduce_boolean_decision(first == trainer.global_step, all=True):
                raise KinegraphError(
                    f"machines would go on from different steps ({trainer.global_step} here, {first} on the first); "
                    f"--resume needs the run folder {self.folder} on every machine"
                )
        self.stop.listen()  # Lightning has set its own handler of SIGTERM by now, which ends the run in the middle
        self._started = self._checkpointed = time.monotonic()
        if self.progress is not None:
            self.progress.begin(trainer.global_step)
        step = trainer.global_step
        over = step >= self.steps or self._patience_is_used_up()
        look = over and step > self.validated_step
        self._forget_what_is_gone(trainer, for_good=over and not look)
        losses: dict[str, Any] = {}
        if trainer.is_global_zero:
            # A step that is looked at late may have an entry already, with its losses: one that says both replaces it.
            assert isinstance(pl_module, TrainingTask)
            kept = step - 1 if look else step
            dropped = _trim_log(self.folder / LOG, kept, pl_module.log_columns)
            losses = {name: dropped[step][name] for name in pl_module.losses} if look and step in dropped else {}
        if over:
            trainer.should_stop = True
        if look:
            assert isinstance(pl_module, TrainingTask)
            self._log(trainer, pl_module, step, losses | self._validate(trainer, pl_module, step))
            self._checkpoint(trainer)

    def _forget_what_is_gone(self, trainer: pl.Trainer, for_good: bool) -> None:
        """Where the kept weights are not there, measure nothing by them: the next validation keeps its own.

        Raises:
            KinegraphError: they are gone for good, as no validation comes any more.
        """
        gone = self.kept_step > 0 and not (self.folder / BEST).is_dir()
        if trainer.world_size > 1:
            gone = trainer.strategy.broadcast(gone)  # the first process writes them, and all must agree what is better
        if not gone:
            return
        lost = f"{self.folder / BEST}, the weights of step {self.kept_step}, is gone"
        if for_good:
            raise KinegraphError(
                f"{lost}, and no validation comes any more that would keep others; put it back, or delete "
                f"{self.folder / CHECKPOINT} to train anew"
            )
        if trainer.is_global_zero:
            kept = "those of the validations from here on are compared among themselves alone"
            print(f"warning: {lost}; {kept}", file=sys.stderr, flush=True)
        self.best = self.kept = self.kept_tie = math.inf
        self.best_step = self.kept_step = self.validations_since_best = 0

    def _patience_is_used_up(self) -> bool:
        return self.recipe.patience is not None and self.validations_since_best >= self.recipe.patience

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Everything that is due after this step."""
        assert isinstance(pl_module, TrainingTask)
        step = trainer.global_step
        last = step >= self.steps
        pl_module.move_average(step)
        validate = last or step % (self.recipe.validate_every or self.data.steps_per_epoch) == 0
        if validate or step % self.recipe.log_every == 0:
            values = self._take_losses(trainer, pl_module, step)
            if validate:
                values |= self._validate(trainer, pl_module, step)
                last = last or self.stopped_early
            self._log(trainer, pl_module, step, values)
        if self.progress is not None:
            self.progress.update(step, self._status(step))
        stop, late = self._asked_for(trainer)
        if stop:
            trainer.should_stop = last = True
        if last or late or step % self.recipe.checkpoint_every == 0:
            self._checkpoint(trainer)

    def _status(self, step: int) -> str:
        loss = "" if math.isnan(self._train_loss) else f"  loss {self._train_loss:.4f}"
        return f"epoch {step / self.data.steps_per_epoch:.1f}{loss}{self._validated}"

    def _asked_for(self, trainer: pl.Trainer) -> tuple[bool, bool]:
        """Whether to stop, and whether a checkpoint is due by the clock; of several processes, `LAG` steps later."""
        waited = time.monotonic() - self._checkpointed
        asked = (self.stop.requested, waited > 60 * self.recipe.checkpoint_minutes)
        if trainer.world_size == 1:
            return asked
        # Every signal and every clock is a rank's own. Both must be done at the same step by all, or some wait at the
        # checkpoint and the others for a gradient, for ever.
        if self._agreement is None:
            self._agreement = Agreement(trainer.strategy.root_device)
        stop, late = self._agreement.ask(asked)
        # What was asked for before the last checkpoint has been done.
        return stop, late and trainer.global_step - self.checkpoint_step > LAG

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave no question of another process open."""
        if self._agreement is not None:
            self._agreement.settle()

    def _take_losses(self, trainer: pl.Trainer, task: TrainingTask, step: int) -> dict[str, float]:
        losses = task.take_losses()
        if trainer.world_size > 1:
            here = torch.tensor(list(losses.values()), dtype=torch.float64, device=task.device)
            mean = trainer.strategy.reduce(here, reduce_op="mean")
            losses = dict(zip(losses, mean.tolist(), strict=True))
        self._train_loss = losses[task.losses[0]]
        if not math.isfinite(self._train_loss):
            raise DivergedError(f"the training loss is {self._train_loss}", step)
        return losses

    def _validate(self, trainer: pl.Trainer, task: TrainingTask, step: int) -> dict[str, float]:
        found: dict[str, float] = {}
        if trainer.is_global_zero:
            found = self.data.evaluate(task, self.recipe.validate_poses)
        if trainer.world_size > 1:
            found = trainer.strategy.broadcast(found)  # one answer, so that all ranks stop together
        for name in task.found:
            if not math.isfinite(found[name]):
                raise DivergedError(f"val_{name} is {found[name]}", step)
        monitor = task.monitor
        error = found[monitor.key]
        self.validated_step = step
        better = error < self.best
        if better:
            self.best, self.best_step = error, step
            self.validations_since_best = 0
        else:
            self.validations_since_best += 1
            if self._patience_is_used_up():
                trainer.should_stop = self.stopped_early = True
        # An equal error with a lower loss is kept, and no progress for patience: losses fall long after errors do.
        tie = math.inf if monitor.tie is None else found[monitor.tie]
        if better or self.recipe.keep == "last" or (error == self.kept and tie < self.kept_tie):
            self._check_finite(trainer, task.kept_state().values(), step)
            self.kept, self.kept_step, self.kept_tie = error, step, tie
            if trainer.is_global_zero:
                self.save_best(task, {"step": step, **found}, self.seconds)
        self._validated = f"  {monitor.label.split()[0]} {monitor.show(error)} (best {self.best:.{monitor.digits}f})"
        if self.progress is not None:
            self.progress.update(step, self._status(step), keep=True)
        return {f"val_{name}": found[name] for name in task.found}

    def _check_finite(self, trainer: pl.Trainer, tensors: Iterable[Tensor], step: int) -> None:
        """DivergedError in all processes where one of them is about to keep what is no number; the file stays."""
        finite = all_finite(tensors)
        if trainer.world_size > 1:
            finite = trainer.strategy.reduce_boolean_decision(finite, all=True)
        if not finite:
            raise DivergedError("weights or losses are NaN or infinite", step)

    def _log(self, trainer: pl.Trainer, task: TrainingTask, step: int, values: dict[str, float]) -> None:
        if not trainer.is_global_zero:
            return
        row = {
            "step": step,
            "epoch": round(step / self.data.steps_per_epoch, 4),
            "lr": task.rate_of(step - 1),  # of the step itself: the optimiser has the next one's by now
            "seconds": round(self.seconds, 2),
            **values,
        }
        path = self.folder / LOG
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, task.log_columns)
            if new:
                writer.writeheader()
            writer.writerow(row)
        for logger in trainer.loggers:
            logger.log_metrics({**values, "lr": row["lr"]}, step)

    def _checkpoint(self, trainer: pl.Trainer) -> None:
        task = trainer.lightning_module
        assert isinstance(task, TrainingTask)
        state = [task.resumed_from(), [optimizer.state for optimizer in trainer.optimizers]]
        self._check_finite(trainer, tensors_in(state), trainer.global_step)
        path = self.folder / CHECKPOINT
        if trainer.is_global_zero:
            with atomic_path(path) as temporary:
                trainer.save_checkpoint(temporary)
                with temporary.open("rb") as file:
                    os.fsync(file.fileno())  # a power cut must not leave the name without the content
        else:
            trainer.save_checkpoint(path)  # takes part, writes nothing
        self.checkpoint_step = trainer.global_step
        self._checkpointed = time.monotonic()


def _trim_log(path: Path, step: int, columns: tuple[str, ...]) -> dict[int, dict[str, str]]:
    """Drop the entries after `step`, which the resumed run writes again, and return them by their steps."""
    if not path.exists():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row for row in rows if int(row["step"]) <= step)
    return {int(row["step"]): row for row in rows if int(row["step"]) > step}
