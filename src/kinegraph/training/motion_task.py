"""Learning to forecast and to recognise with one network: the losses, their balance, the step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kinegraph.models.motion_model import MotionModel
from kinegraph.training.balance import Gradients, balanced_gradients
from kinegraph.training.motion_data_module import MotionBatch
from kinegraph.training.motion_losses import ForecastingLoss, recognition_loss
from kinegraph.training.motion_recipe import ObjectiveRecipe
from kinegraph.training.motion_validation import MotionValidation
from kinegraph.training.parallel import JointBatchNorm, average_over_ranks, ranks
from kinegraph.training.recipe_parts import OptimRecipe, ScheduleRecipe
from kinegraph.training.task import Monitor, TrainingTask
from kinegraph.transforms.motion import MotionTransform

__all__ = ["FORECASTING", "RECOGNITION", "MotionTask"]

FORECASTING = {
    "expmap": Monitor(key="euler", label="validation Euler error", unit="rad", digits=4),
    "positions": Monitor(key="mpjpe_mm", label="validation MPJPE", unit="mm"),
}
"""The forecasting error of each representation."""
RECOGNITION = Monitor(key="error_rate", label="validation error rate", unit="% wrong", tie="cross_entropy")


class MotionTask(TrainingTask):
    """Train a motion network on normalised windows; validate by the protocols' errors.

    The step is taken by hand: where the network forecasts and recognises, the weight of the two losses may follow from
    both gradients (`balance`), which have to be known apart, and averaged over processes, before one is chosen.

    Args:
        model: has a horizon, classes, or both.
        transform: how features became tensors.
        optim: forecasting loss and optimiser.
        objective: what else the loss consists of.
        schedule: learning rate.
        steps: length of the run.
        steps_per_epoch: for schedules that count epochs.
        seed: decides dropout.
        monitor: `forecasting` or `recognition`; None takes forecasting where the network forecasts.
        compile_model: run training steps through torch.compile.
    """

    def __init__(
        self,
        model: MotionModel,
        transform: MotionTransform,
        *,
        optim: OptimRecipe | None = None,
        objective: ObjectiveRecipe | None = None,
        schedule: ScheduleRecipe | None = None,
        steps: int,
        steps_per_epoch: int,
        seed: int = 0,
        monitor: str | None = None,
        compile_model: bool = False,
    ) -> None:
        forecasting = FORECASTING[transform.representation]
        both = model.horizon > 0 and model.classes > 0
        errors = [forecasting.key] * (model.horizon > 0) + [RECOGNITION.key] * (model.classes > 0)
        optim = optim or OptimRecipe()
        super().__init__(
            model,
            monitor=RECOGNITION if monitor == "recognition" or not model.horizon else forecasting,
            losses=("train_loss", "train_recognition", "train_forecasting", "lambda") if both else ("train_loss",),
            found=("loss", *errors),
            optim=optim,
            schedule=schedule,
            steps=steps,
            steps_per_epoch=steps_per_epoch,
            seed=seed,
        )
        self.automatic_optimization = False
        self.transform = transform
        self.objective = objective or ObjectiveRecipe()
        self.forecasting_loss = ForecastingLoss(
            optim.loss,
            np.array(transform.scale),
            raw=self.objective.space == "raw",
            velocity=self.objective.velocity,
        )
        if compile_model:
            # Two backward passes through one compiled graph must not reuse each other's memory.
            torch._functorch.config.donated_buffer = False
        # In a tuple, so that the compiled wrapper is not registered as a second module with the same weights.
        self._train_model = (torch.compile(model) if compile_model else model,)
        self._motion_model = (model,)
        self._halves: tuple[Any, Any] | None = None
        if both and self.objective.balance == "mgda-ub":
            # The network is taken in two there, so forward is never called: each half is a graph of its own.
            halves: Any = model
            made = halves.represent, halves.answer
            self._halves = (torch.compile(made[0]), torch.compile(made[1])) if compile_model else made

    def training_step(self, batch: MotionBatch, batch_idx: int) -> None:
        """One step of the optimiser."""
        self.seed_step(batch.step)
        found = self.gradients(batch)
        self.take_step(list(self.model.parameters()), found.gradients)
        if len(self.losses) == 1:
            self.add_losses(found.loss)
        else:
            self.add_losses(found.loss, *found.parts, found.weight)

    def gradients(self, batch: MotionBatch) -> Gradients:
        """Losses of a batch, and the gradient of every parameter, averaged over processes."""
        model: Any = self._motion_model[0]
        with JointBatchNorm() if ranks() > 1 else nullcontext():
            if self._halves is not None:
                represent, answer = self._halves
                representation = represent(batch.inputs)
                cut = [part.detach().requires_grad_() for part in representation]
                output = answer(batch.inputs, cut)
            else:
                representation = cut = None
                output = self._train_model[0](batch.inputs)
        losses = self._losses(output.motion, output.logits, batch.targets, batch.labels)
        with torch.autocast(self.device.type, enabled=False):
            return balanced_gradients(
                *(model, losses, self.objective, average_over_ranks, representation, cut),
                labelled=(batch.labels >= 0).sum(),
            )

    def _losses(
        self, motion: Tensor | None, logits: Tensor | None, targets: Tensor, labels: Tensor
    ) -> tuple[Tensor | None, Tensor | None]:
        """Recognition and forecasting loss; None where the network has no such answer."""
        recognition = None
        if logits is not None:
            recognition = recognition_loss(logits, labels, self.objective.label_smoothing)
        if motion is None:
            return recognition, None
        return recognition, self.objective.forecasting_scale * self.forecasting_loss(motion, targets)

    @torch.no_grad()
    def predict(self, inputs: Tensor, batch: int = 256) -> tuple[Tensor | None, Tensor | None]:
        """Motion (N, H, J, C) and logits (N, classes) by the kept weights, in eval mode and float32, on the CPU."""
        found: list[Sequence[Tensor | None]] = []
        with self.kept_weights(), torch.autocast(self.device.type, enabled=False):
            for part in torch.split(inputs, batch):
                output = self.model(part.to(self.device))
                found.append([None if value is None else value.float().cpu() for value in output])
        motion, logits = (
            None if values[0] is None else torch.cat([value for value in values if value is not None])
            for values in zip(*found, strict=True)
        )
        return motion, logits

    def evaluate(self, validation: MotionValidation, most: int | None = None) -> dict[str, float]:
        """The errors on a validation split: `loss` (of forecasting, or of recognition alone), `euler` (radians) or
        `mpjpe_mm`, and `error_rate` (percent) with `cross_entropy`, as far as the network answers.

        Args:
            validation: the windows.
            most: use this many, evenly spaced; None uses all.
        """
        rows = validation.rows(most)
        motion, logits = self.predict(validation.inputs(rows))
        found: dict[str, Any] = {}
        if motion is not None:
            targets = validation.targets(rows).to(self.device)
            found["loss"] = float(self.forecasting_loss(motion.to(self.device), targets))
            found[FORECASTING[self.transform.representation].key] = validation.forecasting_error(motion, rows)
        if logits is not None:
            found["error_rate"] = validation.error_rate(logits, rows)
            labels = validation.labels(rows)
            found["cross_entropy"] = float(recognition_loss(logits[labels >= 0], labels[labels >= 0]))
            found.setdefault("loss", found["cross_entropy"])
        return found
