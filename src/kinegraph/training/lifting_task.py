"""Learning to lift: the loss, the optimiser and the validation error, as a LightningModule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from kinegraph.datasets.evenly import evenly_spaced
from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.metrics import mpjpe, root_relative
from kinegraph.models.lifting_model import flip_tested, mirrored, with_residual
from kinegraph.skeleton import Skeleton
from kinegraph.training.lifting_data_module import LiftingBatch, LiftingTensors
from kinegraph.training.recipe_parts import OptimRecipe, ScheduleRecipe
from kinegraph.training.task import Monitor, TrainingTask
from kinegraph.transforms.lifting import LiftingTransform

__all__ = ["LOSSES", "LiftingTask"]


def _l1(predicted: Tensor, target: Tensor) -> Tensor:
    return (predicted - target).abs().mean()


def _mse(predicted: Tensor, target: Tensor) -> Tensor:
    return (predicted - target).square().mean()


def _mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    # The small constant keeps the gradient finite for a joint that is exactly right, as the root is in pixel space.
    return (predicted - target).square().sum(dim=-1).add(1e-12).sqrt().mean()


def _pose(predicted: Tensor, target: Tensor) -> Tensor:
    lengths = (predicted - target).square().mean(dim=(-2, -1)).add(1e-12).sqrt()  # over joints and coordinates
    return lengths.mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": _l1, "mse": _mse, "mpjpe": _mpjpe, "pose": _pose}


class LiftingTask(TrainingTask):
    """Train a lifter on encoded poses; validate in millimetres.

    Args:
        model: ``(B, J, C) -> (B, J, 3)``, or ``(B, F, J, C) -> (B, J, 3)`` where ``model.frames`` is F > 1.
        transform: how poses became tensors; its `residual` decides whether the input xy is added to the output.
        skeleton: the joints.
        optim: loss and optimiser.
        schedule: learning rate.
        steps: length of the run.
        steps_per_epoch: for schedules that count epochs.
        seed: see above.
        flip_test: validate with the average over a pose and its mirror image.
        compile_model: run training steps through torch.compile.
    """

    _mirror: Tensor

    def __init__(
        self,
        model: nn.Module,
        transform: LiftingTransform,
        skeleton: Skeleton,
        *,
        optim: OptimRecipe | None = None,
        schedule: ScheduleRecipe | None = None,
        steps: int,
        steps_per_epoch: int,
        seed: int = 0,
        flip_test: bool = True,
        compile_model: bool = False,
    ) -> None:
        optim = optim or OptimRecipe()
        super().__init__(
            model,
            monitor=Monitor(key="mpjpe_mm", label="validation MPJPE", unit="mm"),
            losses=("train_loss",),
            found=("loss", "mpjpe_mm"),
            optim=optim,
            schedule=schedule,
            steps=steps,
            steps_per_epoch=steps_per_epoch,
            seed=seed,
        )
        self.transform = transform
        self.skeleton = skeleton
        self.flip_test = flip_test
        self._target = int(getattr(model, "target", getattr(model, "frames", 1) // 2))
        # In a tuple, so that the compiled wrapper is not registered as a second module with the same weights.
        self._train_model = (torch.compile(model) if compile_model else model,)
        self._loss = LOSSES[optim.loss]
        self.register_buffer("_mirror", torch.tensor(skeleton.mirror), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Encoded poses ``(B, J, 3)`` for encoded inputs ``(B, J, C)`` or ``(B, F, J, C)``, residual added."""
        return self._finish(self.model(inputs), inputs)

    def _finish(self, output: Tensor, inputs: Tensor) -> Tensor:
        output = output.float()
        return with_residual(output, inputs, self._target) if self.transform.residual else output

    def training_step(self, batch: LiftingBatch, batch_idx: int) -> Tensor:
        """The loss of one batch, a scalar."""
        self.seed_step(batch.step)
        inputs, targets = batch.inputs, batch.targets
        flip = batch.flip.view(-1, *[1] * (inputs.dim() - 1))
        inputs = torch.where(flip, mirrored(inputs, self._mirror), inputs)
        targets = torch.where(batch.flip.view(-1, 1, 1), mirrored(targets, self._mirror), targets)
        loss = self._loss(self._finish(self._train_model[0](inputs), inputs), targets)
        self.add_losses(loss)
        return loss

    @torch.no_grad()
    def predict_poses(self, tensors: LiftingTensors, rows: Tensor | None = None, batch: int = 1024) -> Tensor:
        """Encoded poses (N, J, 3) of a split, or of its `rows` (N,), by the kept weights, in eval mode and float32."""
        rows = torch.arange(len(tensors)) if rows is None else rows
        found = []
        # Float32 whatever the training precision: bf16 rounds a coordinate by several millimetres.
        with self.kept_weights(), torch.autocast(self.device.type, enabled=False):
            for part in torch.split(rows, batch):
                inputs = tensors.gather_inputs(part).to(self.device)
                output = flip_tested(self, inputs, self._mirror) if self.flip_test else self(inputs)
                found.append(output.cpu())
        return torch.cat(found)

    def evaluate(self, data: LiftingData, tensors: LiftingTensors, most: int | None = None) -> dict[str, float]:
        """`loss` in target units and `mpjpe_mm`, the mean over poses and joints, of a split and its encoding.

        `pixel` compares absolute camera-space positions, given the true root depth and intrinsics; `metric` compares
        positions relative to the root.

        Args:
            data: the split.
            tensors: its encoding.
            most: use this many poses, evenly spaced; None uses all.
        """
        rows = evenly_spaced(np.arange(len(data)), most)
        index = torch.from_numpy(rows)
        output = self.predict_poses(tensors, index)
        loss = float(self._loss(output, tensors.targets[index]))
        camera = data.camera_m[rows].astype(np.float64)
        found = self.transform.decode(
            output.numpy(), data.intrinsics[rows], data.image_size[rows], camera[:, data.root, 2]
        )
        truth = torch.from_numpy(camera)
        if self.transform.target == "metric":
            truth = root_relative(truth, data.root)
        return {"loss": loss, "mpjpe_mm": 1000.0 * float(mpjpe(torch.from_numpy(found), truth).mean())}
