"""Learning to recognise actions in clips: cross entropy, the step, the validation."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.store.clip import Clips
from kinegraph.training.clip_data_module import ClipBatch, encode_clip
from kinegraph.training.parallel import JointBatchNorm, average_over_ranks, ranks
from kinegraph.training.recipe_parts import DescentRecipe, ScheduleRecipe
from kinegraph.training.task import Monitor, TrainingTask
from kinegraph.transforms.clip_batches import pad_clips
from kinegraph.transforms.clips import ClipTransform

__all__ = ["RecognitionTask"]


class RecognitionTask(TrainingTask):
    """Train a recogniser on encoded clips.

    The step is taken by hand, so that batch normalisation and class weights are over the batch of all processes: any
    number of them gives the weights of one with the joined batch.

    Args:
        model: ``(B, P, T, J, C), mask (B, P, T) -> (B, classes)``.
        transform: what it sees of a clip.
        optim: optimiser.
        schedule: learning rate.
        label_smoothing: share of the label spread evenly over all actions.
        steps: length of the run.
        steps_per_epoch: for schedules that count epochs.
        seed: decides dropout.
        monitor: `error` or `loss`.
        validated_on: what the error is of: "validation", or "training" where nothing is held out.
        compile_model: run training steps through torch.compile.
    """

    def __init__(
        self,
        model: nn.Module,
        transform: ClipTransform,
        *,
        optim: DescentRecipe | None = None,
        schedule: ScheduleRecipe | None = None,
        label_smoothing: float = 0.0,
        steps: int,
        steps_per_epoch: int,
        seed: int = 0,
        monitor: str = "error",
        validated_on: str = "validation",
        compile_model: bool = False,
    ) -> None:
        chosen = Monitor(key="error_rate", label=f"{validated_on} error rate", unit="% wrong", tie="loss")
        if monitor == "loss":
            chosen = Monitor(key="loss", label=f"{validated_on} cross entropy", digits=4)
        super().__init__(
            model,
            monitor=chosen,
            losses=("train_loss", "train_error"),
            found=("loss", "error_rate"),
            optim=optim,
            schedule=schedule,
            steps=steps,
            steps_per_epoch=steps_per_epoch,
            seed=seed,
        )
        self.automatic_optimization = False
        self.transform = transform
        self.label_smoothing = label_smoothing
        # In a tuple, so that the compiled wrapper is not registered as a second module with the same weights.
        self._train_model = (torch.compile(model) if compile_model else model,)

    def training_step(self, batch: ClipBatch, batch_idx: int) -> None:
        """One step of the optimiser."""
        self.seed_step(batch.step)
        weights = [weight for weight in self.model.parameters() if weight.requires_grad]
        with JointBatchNorm() if ranks() > 1 else nullcontext():
            logits = self._train_model[0](batch.inputs, batch.mask).float()
            losses = functional.cross_entropy(
                logits, batch.labels, label_smoothing=self.label_smoothing, reduction="none"
            )
            loss = (losses * batch.weights).mean()
            with torch.autocast(self.device.type, enabled=False):
                # A gradient of 0 for what a batch does not touch, so that all processes send the same.
                found = torch.autograd.grad(loss, weights, allow_unused=True)
        gradients = [torch.zeros_like(w) if g is None else g for w, g in zip(weights, found, strict=True)]
        self.take_step(weights, average_over_ranks(gradients))
        self.add_losses(loss, 100 * (logits.detach().argmax(dim=1) != batch.labels).float().mean())

    @torch.no_grad()
    def evaluate(self, clips: Clips, rows: NDArray[np.int64], batch: int = 32) -> dict[str, float]:
        """`loss` (cross entropy without smoothing) and `error_rate` (%) of clips `rows`, (n,), by the kept weights."""
        scores: list[Tensor] = []
        with self.kept_weights(), torch.autocast(self.device.type, enabled=False):
            for start in range(0, len(rows), batch):
                some = [
                    encode_clip(clips[row], self.transform, clips.skeleton)
                    for row in rows[start : start + batch].tolist()
                ]
                x, mask = (torch.from_numpy(array).to(self.device) for array in pad_clips(some))
                scores.append(self.model(x, mask).float().cpu())
        logits, labels = torch.cat(scores), torch.from_numpy(clips.labels[rows])
        # A floor such as the nearest neighbour gives an action without examples minus infinity.
        loss = functional.cross_entropy(logits.clamp(min=-1e4), labels)
        found: dict[str, Any] = {"loss": float(loss)}
        found["error_rate"] = 100 * float((logits.argmax(dim=1) != labels).double().mean())
        return found
