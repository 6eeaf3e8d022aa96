"""The lifting task: mirrors, losses, the validation error, averaged weights, and that it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinegraph.models import build
from kinegraph.models.lifting_model import mirrored
from kinegraph.skeleton import get_skeleton
from kinegraph.training.lifting_data_module import LiftingBatch, LiftingTensors
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.lifting_task import LOSSES, LiftingTask
from kinegraph.training.recipe import OptimRecipe
from kinegraph.training.task import step_seed
from kinegraph.transforms.lifting import LiftingTransform

SKELETON = get_skeleton("h36m17")


class Zero(nn.Module):
    """Answers 0, plus an optional offset to everything."""

    def __init__(self, offset: float = 0.0) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, x: Tensor) -> Tensor:
        return self.offset * torch.ones(x.shape[0], 17, 3)


def task(model: nn.Module, target: str = "pixel", **options: object) -> LiftingTask:
    transform = LiftingTransform(target=target)  # type: ignore[arg-type]
    return LiftingTask(model, transform, SKELETON, steps=10, steps_per_epoch=5, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["pixel", "metric"])
@pytest.mark.parametrize("normalise", ["screen", "box"])
def test_mirroring_the_tensors_is_mirroring_the_world(splits: LiftingSplits, target: str, normalise: str) -> None:
    if target == "pixel" and normalise == "box":
        return  # not a transform
    data = splits.train
    transform = LiftingTransform(target=target, normalise=normalise, confidence=True)  # type: ignore[arg-type]
    swap = [SKELETON.index(_other_side(name)) for name in SKELETON.joints]  # by name: not the code's own table
    camera = data.camera_m[:, swap] * np.float32([-1, 1, 1])
    keypoints = data.keypoints_px[:, swap] * np.float32([-1, 1]) + np.float32([1000, 0])  # the image's own mirror
    permutation = torch.tensor(SKELETON.mirror)
    inputs = torch.from_numpy(transform.encode_inputs(data.keypoints_px, data.confidence, data.image_size))
    expected = transform.encode_inputs(keypoints, data.confidence, data.image_size)
    torch.testing.assert_close(mirrored(inputs, permutation), torch.from_numpy(expected), atol=1e-5, rtol=0)
    targets = torch.from_numpy(transform.encode_targets(data.camera_m, data.intrinsics, data.image_size))
    expected = transform.encode_targets(camera, data.intrinsics, data.image_size)
    torch.testing.assert_close(mirrored(targets, permutation), torch.from_numpy(expected), atol=1e-5, rtol=0)


def _other_side(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name[5:]
    return "left_" + name[6:] if name.startswith("right_") else name


def test_losses_against_numpy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 17, 3))
    found = {name: float(loss(torch.from_numpy(a), torch.from_numpy(b))) for name, loss in LOSSES.items()}
    assert found == pytest.approx(
        {
            "l1": np.abs(a - b).mean(),
            "mse": ((a - b) ** 2).mean(),
            "mpjpe": np.linalg.norm(a - b, axis=-1).mean(),
            "pose": np.mean([np.sqrt(np.mean((x - y) ** 2)) for x, y in zip(a, b, strict=True)]),
        }
    )


def test_mpjpe_loss_has_a_gradient_at_the_truth() -> None:
    x = torch.zeros(2, 17, 3, requires_grad=True)
    LOSSES["mpjpe"](x, torch.zeros(2, 17, 3)).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_pixel_output_is_a_correction_of_the_centre_frame() -> None:
    inputs = torch.randn(4, 9, 17, 2)
    window = Zero(0.5)
    window.frames = 9  # type: ignore[assignment]
    out = task(window)(inputs)
    torch.testing.assert_close(out[..., :2], inputs[:, 4] + 0.5)
    torch.testing.assert_close(out[..., 2], torch.full((4, 17), 0.5))
    torch.testing.assert_close(task(Zero(0.5), "metric")(inputs), torch.full((4, 17, 3), 0.5))


def test_validation_error_in_millimetres_metric(splits: LiftingSplits) -> None:
    data = splits.validation
    lifting = task(Zero(), "metric")
    tensors = LiftingTensors.encode(data, lifting.transform, 1)
    found = lifting.evaluate(data, tensors)
    relative = data.camera_m - data.camera_m[:, :1]
    assert found["mpjpe_mm"] == pytest.approx(1000 * np.linalg.norm(relative, axis=-1).mean(), rel=1e-5)
    assert found["loss"] == pytest.approx(np.abs(relative / 0.3).mean(), rel=1e-5)


def test_validation_error_in_millimetres_pixel(splits: LiftingSplits) -> None:
    # A network that answers 0 puts every joint at the root's true depth, along its own ray.
    data = splits.validation
    lifting = task(Zero())
    found = lifting.evaluate(data, LiftingTensors.encode(data, lifting.transform, 1))
    camera = data.camera_m.astype(np.float64)
    flat = camera / camera[..., 2:] * camera[:, :1, 2:]
    assert found["mpjpe_mm"] == pytest.approx(1000 * np.linalg.norm(flat - camera, axis=-1).mean(), rel=1e-4)


def test_validation_on_some_poses_takes_them_evenly(splits: LiftingSplits) -> None:
    data = splits.validation
    lifting = task(Zero(), "metric")
    tensors = LiftingTensors.encode(data, lifting.transform, 1)
    relative = (data.camera_m - data.camera_m[:, :1])[[0, 10, 19]]
    expected = 1000 * np.linalg.norm(relative, axis=-1).mean()
    assert lifting.evaluate(data, tensors, 3)["mpjpe_mm"] == pytest.approx(expected, rel=1e-5)


def test_flip_test_averages_a_pose_and_its_mirror_image(splits: LiftingSplits) -> None:
    torch.manual_seed(0)
    model = build("fcn", SKELETON, {"width": 16}).eval()
    tensors = LiftingTensors.encode(splits.validation, LiftingTransform(target="metric"), 1)
    permutation = torch.tensor(SKELETON.mirror)
    with torch.no_grad():
        once = model(tensors.inputs)
        again = mirrored(model(mirrored(tensors.inputs, permutation)), permutation)
    torch.testing.assert_close(task(model, "metric", flip_test=False).predict_poses(tensors), once)
    torch.testing.assert_close(task(model, "metric").predict_poses(tensors), (once + again) / 2)


def test_averaged_weights_are_validated_and_the_trained_ones_left_alone() -> None:
    model = Zero(1.0)
    lifting = task(model, "metric", optim=OptimRecipe(ema=0.9), flip_test=False)
    lifting.move_average(1)
    with torch.no_grad():
        model.offset.fill_(2.0)
    lifting.move_average(2)
    kept = 1.0 + (1 - min(0.9, 2 / 11)) * 1.0
    assert float(lifting.kept_state()["offset"]) == pytest.approx(kept)
    tensors = LiftingTensors(inputs=torch.zeros(3, 17, 2), targets=torch.zeros(3, 17, 3), windows=None)
    torch.testing.assert_close(lifting.predict_poses(tensors), torch.full((3, 17, 3), kept))
    assert model.offset.item() == 2.0
    assert model.training


def test_step_seeds_differ_by_seed_step_and_rank() -> None:
    seeds = [step_seed(seed, step, rank) for seed in range(4) for step in range(50) for rank in range(3)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_mean_loss_is_of_the_steps_since_last_taken() -> None:
    lifting = task(Zero(1.0), "metric")
    inputs, flip = torch.zeros(2, 17, 2), torch.zeros(2, dtype=torch.bool)
    for step, target in enumerate((0.0, 3.0)):
        lifting.training_step(LiftingBatch(step, inputs, torch.full((2, 17, 3), target), flip), step)
    assert lifting.take_losses()["train_loss"] == pytest.approx((1.0 + 2.0) / 2)
    assert math.isnan(lifting.take_losses()["train_loss"])


@pytest.mark.parametrize("target", ["pixel", "metric"])
def test_overfits_one_batch(splits: LiftingSplits, target: str) -> None:
    torch.manual_seed(0)
    lifting = task(build("fcn", SKELETON, {"width": 128, "dropout": 0.0}), target, flip_test=False)
    tensors = LiftingTensors.encode(splits.train, lifting.transform, 1)
    batch = LiftingBatch(0, tensors.inputs[::5], tensors.targets[::5], torch.zeros(20, dtype=torch.bool))
    optimizer = torch.optim.Adam(lifting.parameters(), lr=5e-3)
    first = lifting.training_step(batch, 0).item()
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 5e-3 * (1 - step / 200)
        optimizer.zero_grad()
        loss = lifting.training_step(batch, step)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert loss.item() < 0.02 * first
