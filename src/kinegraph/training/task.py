"""What every learning task has in common: the optimiser, averaged weights, running losses, exact resumption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.training.recipe_parts import DescentRecipe, ScheduleRecipe
from kinegraph.training.schedule import rate

__all__ = ["Monitor", "TrainingTask", "step_seed"]


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of the random numbers (dropout) of one step on one rank: 63 bits, unrelated from step to step."""
    word = np.random.SeedSequence((seed, 3, step, rank)).generate_state(1, np.uint64)[0]
    return int(word) >> 1  # in this order: NumPy 1 does not shift a uint64 by an int


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """The validation error that chooses the checkpoint; lower is better."""

    key: str
    """Its name among what a validation finds, and after ``val_`` in the log."""
    label: str
    """In words."""
    unit: str = ""
    """Its unit."""
    digits: int = 2
    """Decimals to show."""
    tie: str | None = None
    """Key of what decides between equal errors, lower is better: of rates over few examples many are equal. None: the
    earlier one stays."""

    def show(self, value: float) -> str:
        """A value in words: number and unit."""
        return f"{value:.{self.digits}f}{' ' + self.unit if self.unit else ''}"


class TrainingTask(pl.LightningModule):
    """Base of the tasks.

    Every random choice of a step follows from `(seed, step, rank)`, and the learning rate from the step, so a run
    that is resumed from a checkpoint repeats the uninterrupted one exactly.

    Attributes:
        model: the network.
        monitor: what the checkpoint is chosen by.
        losses: log columns of the training losses, the total first.
        found: what a validation finds, in the order of the log's columns; `monitor.key` is among them.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        monitor: Monitor,
        losses: tuple[str, ...],
        found: tuple[str, ...],
        optim: DescentRecipe | None = None,
        schedule: ScheduleRecipe | None = None,
        steps: int,
        steps_per_epoch: int,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.monitor = monitor
        self.losses = losses
        self.found = found
        self.optim = optim or DescentRecipe()
        self.schedule = schedule or ScheduleRecipe()
        self.steps = steps
        self.steps_per_epoch = steps_per_epoch
        self.seed = seed
        self._averaged: dict[str, Tensor] | None = None
        # Running sums on the device: reading a loss at every step would make the CPU wait for a GPU.
        self._loss_sum = torch.zeros(len(losses))
        self._loss_count = 0

    @property
    def log_columns(self) -> tuple[str, ...]:
        """Columns of the run's log."""
        return ("step", "epoch", "lr", *self.losses, *(f"val_{name}" for name in self.found), "seconds")

    def seed_step(self, step: int) -> None:
        """Seed the generators (dropout) for a step."""
        seed = step_seed(self.seed, step, self.global_rank)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def add_losses(self, *values: Tensor) -> None:
        """Add one step's losses, scalars in the order of `losses`, to the running sums."""
        found = torch.stack([value.detach().float() for value in values])
        self._loss_sum = self._loss_sum.to(found.device) + found
        self._loss_count += 1

    def take_losses(self) -> dict[str, float]:
        """The mean training losses since this was last called; NaN where there was no step."""
        count = self._loss_count or math.nan
        means = {name: float(value) / count for name, value in zip(self.losses, self._loss_sum.tolist(), strict=True)}
        self._loss_sum, self._loss_count = torch.zeros(len(self.losses)), 0
        return means

    def configure_optimizers(self) -> Any:
        """The recipe's optimiser, fused (one kernel instead of one per weight), with the schedule's rate each step."""
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        common = {"lr": self.optim.lr, "weight_decay": self.optim.weight_decay, "fused": True}
        optimizer: torch.optim.Optimizer
        if self.optim.name == "sgd":
            momentum = self.optim.momentum
            optimizer = torch.optim.SGD(weights, momentum=momentum, nesterov=momentum > 0, **common)  # type: ignore[arg-type]
        else:
            kind = torch.optim.Adam if self.optim.name == "adam" else torch.optim.AdamW
            optimizer = kind(weights, betas=self.optim.betas, **common)  # type: ignore[arg-type]

        def share(step: int) -> float:
            return rate(self.schedule, step, self.steps, self.steps_per_epoch)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def take_step(self, weights: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
        """A step of the optimiser and of the schedule along gradients that were taken by `torch.autograd.grad`.

        Each is of the same shape as its weight, or None for one that stays as it is.

        They can lie in memory otherwise than their weights (a convolution's do), and PyTorch's fused optimisers go
        through both in memory order: each is laid out as its weight, as `backward` would have done.
        """
        for weight, gradient in zip(weights, gradients, strict=True):
            if gradient is not None and gradient.stride() != weight.stride():
                gradient = torch.empty_like(weight).copy_(gradient)
            weight.grad = gradient
        if self.optim.clip is not None:
            torch.nn.utils.clip_grad_norm_(weights, self.optim.clip)
        self.optimizers().step()  # type: ignore[union-attr]
        self.lr_schedulers().step()  # type: ignore[union-attr]

    def rate_of(self, step: int) -> float:
        """The learning rate that the optimiser's step number `step` is made with, counted from 0."""
        return self.optim.lr * rate(self.schedule, step, self.steps, self.steps_per_epoch)

    @torch.no_grad()
    def move_average(self, step: int) -> None:
        """Move the averaged weights towards those after `step` steps; nothing where the recipe keeps no average."""
        if self.optim.ema is None:
            return
        state = self.model.state_dict()
        if self._averaged is None:
            self._averaged = {name: value.detach().clone() for name, value in state.items()}
            return
        # Early on a long average would remember the random start: let it grow with the run.
        decay = min(self.optim.ema, step / (9 + step))
        moving = [name for name, value in state.items() if value.is_floating_point()]
        torch._foreach_lerp_([self._averaged[name] for name in moving], [state[name] for name in moving], 1 - decay)
        for name in state.keys() - set(moving):
            self._averaged[name].copy_(state[name])

    def resumed_from(self) -> list[Tensor]:
        """What a resumed run goes on with, the optimiser's state aside.

        Weights and averaged weights, each of its own shape (out, in) or other, and the sum of the losses ().
        """
        averaged = self._averaged or {}
        return [*self.model.state_dict().values(), *averaged.values(), self._loss_sum]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the averaged weights and the losses since the last log entry."""
        checkpoint["averaged"] = self._averaged
        checkpoint["loss_since_log"] = (self._loss_sum.clone(), self._loss_count)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them back."""
        averaged = checkpoint["averaged"]
        self._averaged = None if averaged is None else {name: value.clone() for name, value in averaged.items()}
        total, self._loss_count = checkpoint["loss_since_log"]
        self._loss_sum = total.reshape(-1)

    def on_fit_start(self) -> None:
        """Averaged weights follow the model to its device."""
        if self._averaged is not None:
            self._averaged = {name: value.to(self.device) for name, value in self._averaged.items()}

    def kept_state(self) -> dict[str, Tensor]:
        """The weights that are validated and saved: the averaged ones where the recipe asks for them.

        Names and shapes of the model's own.
        """
        return self.model.state_dict() if self._averaged is None else self._averaged

    def kept_weights(self) -> KeptWeights:
        """``with task.kept_weights():`` the model has the kept weights and is in eval mode."""
        return KeptWeights(self.model, self._averaged)


class KeptWeights:
    """A model in eval mode, with other weights of the same shapes where there are some, until the block ends."""

    def __init__(self, model: nn.Module, averaged: dict[str, Tensor] | None) -> None:
        self.model, self.averaged = model, averaged

    def __enter__(self) -> None:
        self.trained = None
        if self.averaged is not None:
            self.trained = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.model.load_state_dict(self.averaged)
        self.was_training = self.model.training
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        if self.trained is not None:
            self.model.load_state_dict(self.trained)
        self.model.train(self.was_training)
