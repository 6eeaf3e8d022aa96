"""The objective of recognisers: its loss and gradient against plain ones, that it can learn, and what it counts."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from clip_samples import ACTIONS, make_clip_splits, make_clips, small_skeleton
from torch import Tensor, nn
from torch.nn import functional

from kinegraph.models import build
from kinegraph.training.clip_data_module import ClipBatch, ClipDataModule, ClipSplits
from kinegraph.training.recipe_parts import DescentRecipe, ScheduleRecipe
from kinegraph.training.recognition_recipe import ClipAugmentRecipe
from kinegraph.training.recognition_task import RecognitionTask
from kinegraph.transforms.clips import ClipTransform

TRANSFORM = ClipTransform(frames=8, people=2)


class Answers(nn.Module):
    """Always the same logits, one clip's after the other's."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)
        self.at = 0

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        self.at += len(x)
        return self.logits[self.at - len(x) : self.at]


class Stepper:
    """Stands for Lightning's optimiser and scheduler in a step taken by hand."""

    def __init__(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        if self.optimizer is not None:
            self.optimizer.step()


def made(model: nn.Module, optimizer: torch.optim.Optimizer | None = None, **options: Any) -> RecognitionTask:
    task = RecognitionTask(model, TRANSFORM, steps=10, steps_per_epoch=5, **options)
    task.optimizers = lambda *_, **__: Stepper(optimizer)  # type: ignore[method-assign, assignment, return-value]
    task.lr_schedulers = lambda *_, **__: Stepper()  # type: ignore[method-assign, assignment, return-value]
    return task


def batch_of(labels: list[int], weights: list[float] | None = None) -> ClipBatch:
    count = len(labels)
    weighed = torch.ones(count) if weights is None else torch.tensor(weights)
    return ClipBatch(0, torch.zeros(count, 1, 2, 6, 3), torch.ones(count, 1, 2) > 0, torch.tensor(labels), weighed)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_gradient_against_numpy(smoothing: float) -> None:
    rng = np.random.default_rng(0)
    logits, labels, weights = rng.normal(size=(5, 3)), [0, 2, 1, 1, 0], [0.5, 2.0, 1.0, 1.0, 0.5]
    model = Answers(torch.from_numpy(logits).float())
    task = made(model, label_smoothing=smoothing)
    task.training_step(batch_of(labels, weights), 0)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_share = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    weighed = np.array(weights)
    expected = float(np.mean(weighed * -(target * log_share).sum(axis=1)))
    losses = task.take_losses()
    assert losses["train_loss"] == pytest.approx(expected, rel=1e-5)
    assert losses["train_error"] == pytest.approx(100 * np.mean(logits.argmax(axis=1) != labels))
    assert model.logits.grad is not None
    gradient = weighed[:, None] * (np.exp(log_share) - target) / len(labels)
    np.testing.assert_allclose(model.logits.grad.numpy(), gradient, atol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_step_goes_along_the_gradient(name: str) -> None:
    """Gradients of convolutions lie in memory otherwise than their weights, which fused optimisers do not notice."""
    torch.manual_seed(0)
    plain = build("stgcn", small_skeleton(), {"classes": 3, "people": 2, "width": 0.05, "dropout": 0.0}).train()
    model = copy.deepcopy(plain)
    batch = ClipDataModule(make_clip_splits(), TRANSFORM, batch=8).batch_of(0)
    functional.cross_entropy(plain(batch.inputs, batch.mask), batch.labels).backward()  # type: ignore[no-untyped-call]
    reference = {
        "sgd": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
        "adam": partial(torch.optim.Adam, weight_decay=0.0),
        "adamw": partial(torch.optim.AdamW, weight_decay=0.0),
    }[name]
    # A large epsilon makes Adam's step a smooth function of the gradient.
    more = {} if name == "sgd" else {"eps": 1.0}
    reference(plain.parameters(), lr=0.1, fused=False, foreach=False, **more).step()
    task = made(model, optim=DescentRecipe(name=name, lr=0.1), schedule=ScheduleRecipe(name="constant"))  # type: ignore[arg-type]
    optimizer = task.configure_optimizers()["optimizer"]
    for group in optimizer.param_groups:
        group.update(more)
    assert optimizer.param_groups[0]["fused"]
    task.optimizers = lambda *_, **__: Stepper(optimizer)  # type: ignore[method-assign, assignment]
    task.training_step(batch, 0)
    changed = [weight for key, weight in model.named_parameters() if "conv" in key]
    assert any(weight.dim() == 4 for weight in changed)
    for (key, one), two in zip(plain.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(two, one, atol=1e-5, rtol=1e-4, msg=lambda text, key=key: f"{key}: {text}")


def test_gradients_are_clipped_to_a_norm() -> None:
    norms = {}
    for clip in (None, 0.01):
        model = Answers(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
        made(model, optim=DescentRecipe(clip=clip)).training_step(batch_of([0, 1, 2, 0]), 0)
        assert model.logits.grad is not None
        norms[clip] = model.logits.grad.norm().item()
    assert norms[0.01] == pytest.approx(0.01, rel=1e-3)
    assert norms[None] is not None
    assert norms[None] > 0.02


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hcsf_recognizer", {"width": 0.125, "dynamic": "m+alpha_o", "dynamic_kernel": 3}),
        ("stgcnpp", {"width": 0.125}),
        ("symgnn_recognizer", {"width": 0.05, "agim_width": 8, "frames": 8, "backbone": "light", "dropout": 0.0}),
    ],
)
def test_overfits_one_batch(name: str, options: dict[str, Any]) -> None:
    splits = make_clip_splits()
    torch.manual_seed(0)
    model = build(name, small_skeleton(), {"classes": 3, "people": 2, **options})
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    task = made(model, optimizer)
    batch = ClipDataModule(splits, TRANSFORM, batch=8).batch_of(0)
    history = []
    for _ in range(30):
        task.training_step(batch, 0)
        history.append(task.take_losses())
    assert history[-1]["train_loss"] < 0.2 * history[0]["train_loss"]
    assert history[-1]["train_error"] == 0


def test_evaluation_counts_every_clip_once() -> None:
    clips = make_clips((0, 1, 2, 0, 1, 2, 1))
    logits = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    rows = np.array([6, 0, 3, 2, 5])
    for size in (1, 2, 32):  # the last batch is smaller
        model = Answers(logits)
        found = made(model).evaluate(clips, rows, batch=size)
        assert model.at == 5
        labels = torch.from_numpy(clips.labels[rows])
        assert found["loss"] == pytest.approx(float(functional.cross_entropy(logits[:5], labels)), rel=1e-6)
        assert found["error_rate"] == pytest.approx(100 * float((logits[:5].argmax(dim=1) != labels).double().mean()))


def test_evaluation_is_without_chance_and_with_the_kept_weights() -> None:
    splits = make_clip_splits()
    torch.manual_seed(0)
    model = build("stgcn", small_skeleton(), {"classes": 3, "people": 2, "width": 0.05}).train()
    task = made(model, optim=DescentRecipe(ema=0.5))
    rows = splits.validation
    first = task.evaluate(splits.clips, rows)
    assert first == task.evaluate(splits.clips, rows)  # dropout 0.5 would show
    assert model.training
    task.move_average(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert task.evaluate(splits.clips, rows) == first
    assert not any(bool(weight.any()) for weight in model.parameters())


def test_classes_without_examples_have_a_finite_loss() -> None:
    clips = make_clips((0, 1, 2, 0))
    task = made(Answers(torch.tensor([[0.0, float("-inf"), float("-inf")]] * 4)))
    found = task.evaluate(clips, np.arange(4))
    assert np.isfinite(found["loss"])
    assert found["error_rate"] == 50


def test_monitors() -> None:
    model = Answers(torch.zeros(1, 3))
    assert made(model).monitor.key == "error_rate"
    assert made(model, validated_on="training").monitor.label.startswith("training")
    task = made(model, monitor="loss", schedule=ScheduleRecipe(name="constant"))
    assert task.monitor.key == "loss"
    assert task.log_columns == (
        "step",
        "epoch",
        "lr",
        "train_loss",
        "train_error",
        "val_loss",
        "val_error_rate",
        "seconds",
    )


def test_fitting_sees_every_clip_of_every_epoch() -> None:
    seen: dict[str, Any] = {}

    class Fitted:
        def fit(self, x: Tensor, labels: Tensor, mask: Tensor) -> None:
            seen.update(x=x, labels=labels, mask=mask)

    splits = make_clip_splits()
    splits = ClipSplits(splits.clips, splits.train[:5], splits.validation)
    plain = ClipDataModule(splits, TRANSFORM, batch=2)
    plain.fit(Fitted(), 6, None)  # three epochs of the same clips are one
    assert seen["labels"].tolist() == splits.clips.labels[:5].tolist()
    assert len(seen["x"]) == 5
    changed = ClipDataModule(splits, TRANSFORM, batch=2, augment=ClipAugmentRecipe(noise=0.1))
    changed.fit(Fitted(), 6, None)
    assert seen["labels"].tolist() == splits.clips.labels[:5].tolist() * 3
    assert not torch.equal(seen["x"][:5], seen["x"][5:10])
    assert len(ACTIONS) == 3
