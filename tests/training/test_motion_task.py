"""The motion task: losses, the balance of two of them, the validation errors, and that it learns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from motion_samples import make_motion, make_splits, small_skeleton
from scipy.optimize import minimize_scalar
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from kinegraph.errors import DataError
from kinegraph.models import build
from kinegraph.models.motion_model import MotionModel, MotionOutput
from kinegraph.training.balance import balanced_gradients
from kinegraph.training.motion_data_module import MotionBatch, MotionDataModule
from kinegraph.training.motion_losses import ForecastingLoss, recognition_loss
from kinegraph.training.motion_recipe import ObjectiveRecipe
from kinegraph.training.motion_splits import MotionSplits
from kinegraph.training.motion_task import MotionTask
from kinegraph.training.motion_validation import MotionValidation
from kinegraph.transforms.motion import MotionTransform

T, H = 8, 4
SYMGNN = {"width": 0.05, "agim_width": 8, "differences": (0, 1), "dropout": 0.0, "observed": T, "horizon": H}


def transform_of(splits: MotionSplits, **options: Any) -> MotionTransform:
    clips: list[Any] = [clip.features for clip in splits.train.clips]
    settings = {"observed": T, "horizon": H, "actions": splits.train.actions}
    return MotionTransform.fit(clips, **(settings | {"representation": splits.train.representation} | options))


def symgnn(**options: Any) -> MotionModel:
    torch.manual_seed(0)
    model = build("symgnn", small_skeleton(), {**SYMGNN, "classes": 3, **options})
    assert isinstance(model, MotionModel)
    return model


def task(model: MotionModel, transform: MotionTransform, **options: Any) -> MotionTask:
    return MotionTask(model, transform, **{"steps": 10, "steps_per_epoch": 5, **options})


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("velocity", [0.0, 0.5])
@pytest.mark.parametrize("name", ["l1", "mse", "mpjpe", "pose"])
def test_losses_against_numpy(name: Any, velocity: float, raw: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, H, 5, 3))
    scale = rng.uniform(0.5, 2, (5, 3))
    scale[0] = scale[2, 1] = 0
    found = ForecastingLoss(name, scale, raw=raw, velocity=velocity)(torch.from_numpy(a), torch.from_numpy(b))
    total = []
    for weight, difference in ((1.0, a - b), (velocity, np.diff(a - b, axis=1))):
        values = []
        for window in difference:
            for frame in window:
                whole = []
                for joint in range(1, 5):
                    channels = [c for c in range(3) if scale[joint, c]]
                    d = [frame[joint, c] * (scale[joint, c] if raw else 1) for c in channels]
                    whole += d
                    if name != "pose":
                        kinds = {"l1": list(np.abs(d)), "mse": list(np.square(d)), "mpjpe": [np.linalg.norm(d)]}
                        values += kinds[name]
                if name == "pose":
                    values.append(np.linalg.norm(whole) / len(whole) ** 0.5)
        total.append(weight * np.mean(values))
    assert float(found) == pytest.approx(sum(total), rel=1e-6)


def test_windows_without_an_action_add_nothing_to_recognition() -> None:
    logits = torch.randn(4, 3, requires_grad=True)
    labels = torch.tensor([1, -1, 0, -1])
    found = recognition_loss(logits, labels)
    assert found.item() == pytest.approx(recognition_loss(logits[[0, 2]], labels[[0, 2]]).item() / 2, rel=1e-6)
    found.backward()
    assert logits.grad is not None
    assert not logits.grad[[1, 3]].any()
    assert recognition_loss(logits, torch.full((4,), -1)).item() == 0


def test_recognition_loss_against_numpy() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(6, 3)), rng.integers(3, size=6)
    scores = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    wanted = 0.9 * np.eye(3)[labels] + 0.1 / 3
    found = recognition_loss(torch.from_numpy(logits), torch.from_numpy(labels), 0.1)
    assert float(found) == pytest.approx(-(wanted * scores).sum(axis=1).mean(), rel=1e-6)


class Answers(MotionModel):
    """Repeats the last frame plus an offset, and always says the same action."""

    def __init__(self, transform: MotionTransform, offset: float, action: int) -> None:
        class Config:
            channels, observed, horizon, classes = 3, T, transform.horizon, len(transform.actions)

        super().__init__(small_skeleton(), Config)
        self.offset = nn.Parameter(torch.tensor(offset))
        self.action = action

    def forward(self, x: Tensor, horizon: int | None = None) -> MotionOutput:
        motion = x[:, -1:].expand(-1, self.horizon, -1, -1) + self.offset
        logits = torch.eye(self.classes)[self.action].expand(len(x), -1) if self.classes else None
        return MotionOutput(motion if self.horizon else None, logits)


def euler(expmap: np.ndarray) -> np.ndarray:
    """SPEC's angles of one rotation: the transpose of the matrix read as x, y, z turns."""
    r = Rotation.from_rotvec(expmap).as_matrix()
    second = -np.arcsin(r[0, 2])
    c = np.cos(second)
    return np.array([np.arctan2(r[1, 2] / c, r[2, 2] / c), second, np.arctan2(r[0, 1] / c, r[0, 0] / c)])


@pytest.mark.parametrize("representation", ["expmap", "positions"])
def test_validation_errors_against_a_slow_reference(representation: str) -> None:
    splits = make_splits(representation)
    transform = transform_of(splits)
    scale, used = np.array(transform.scale), transform.used
    validation = MotionValidation(splits.validation, transform, stride=3)
    found = task(Answers(transform, 0.3, 1), transform).evaluate(validation)
    errors: dict[int, list[float]] = {}
    for clip in splits.validation.clips:
        for start in range(0, len(clip.features) - T - H + 1, 3):
            past, future = clip.features[start : start + T], clip.features[start + T : start + T + H]
            forecast = past[-1] + 0.3 * scale
            frames = []
            for frame in (1, 3):  # of 1, 3, 7, ... those below the horizon
                if representation == "expmap":
                    pairs = zip(forecast, future[frame], strict=True)
                    d = np.array([euler(p) - euler(q) for p, q in pairs])[used]
                    frames.append(np.linalg.norm(d))
                else:
                    frames.append(1000 * np.linalg.norm(forecast - future[frame], axis=1)[1:].mean())
            errors.setdefault(clip.action, []).append(float(np.mean(frames)))
    assert len(validation) == sum(map(len, errors.values()))
    key = "euler" if representation == "expmap" else "mpjpe_mm"
    assert found[key] == pytest.approx(np.mean([np.mean(values) for values in errors.values()]), rel=1e-5)
    assert found["error_rate"] == pytest.approx(100 * 2 / 3)  # each action weighs the same, however long its clips


def test_the_monitor_follows_from_what_is_learned() -> None:
    splits = make_splits()
    both, forecast = transform_of(splits), transform_of(splits, actions=())
    recognise = transform_of(splits, horizon=0)
    cases = [(both, None, "euler"), (forecast, None, "euler"), (recognise, None, "error_rate")]
    for transform, monitor, key in [*cases, (both, "recognition", "error_rate")]:
        made = task(Answers(transform, 0.0, 0), transform, monitor=monitor)
        assert made.monitor.key == key
        assert f"val_{key}" in made.log_columns
        found = made.evaluate(MotionValidation(splits.validation, transform))
        assert {*made.found, *filter(None, [made.monitor.tie])} <= set(found) <= {*made.found, "cross_entropy"}
    assert "lambda" not in task(Answers(forecast, 0.0, 0), forecast).log_columns


def batch_of(splits: MotionSplits, transform: MotionTransform) -> MotionBatch:
    return MotionDataModule(splits, transform, batch=16).batch_of(0)


def explicit(model: MotionModel, made: MotionTask, batch: MotionBatch) -> tuple[list[Tensor], list[Tensor]]:
    """Gradients of recognition and forecasting loss by two plain backward passes."""
    result = []
    for which in (0, 1):
        model.zero_grad()
        output = model(batch.inputs)
        assert output.logits is not None
        assert output.motion is not None
        losses = (recognition_loss(output.logits, batch.labels), made.forecasting_loss(output.motion, batch.targets))
        losses[which].backward()  # type: ignore[no-untyped-call]
        result.append([torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters()])
    return result[0], result[1]


@pytest.mark.parametrize("stream", ["joint", "dual"])
def test_mgda_weighs_both_gradients_by_the_shortest_combination_of_the_backbones(stream: str) -> None:
    splits = make_splits()
    transform, model = transform_of(splits), symgnn(stream=stream).double()
    made, batch = task(model, transform), batch_of(splits, transform)
    batch = batch._replace(inputs=batch.inputs.double())
    recognition, forecasting = explicit(model, made, batch)
    shared = {id(p) for p in model.backbone_parameters()}  # type: ignore[operator]
    index = [i for i, p in enumerate(model.parameters()) if id(p) in shared]
    a, b = (torch.cat([found[i].flatten() for i in index]).numpy() for found in (recognition, forecasting))
    best = minimize_scalar(lambda x: float(np.sum((x * a + (1 - x) * b) ** 2)), bounds=(0, 1), options={"xatol": 1e-9})
    found = made.gradients(batch)
    assert float(found.weight) == pytest.approx(best.x, abs=1e-4)
    assert 0 < len(index) < len(list(model.parameters()))
    for gradient, x, y in zip(found.gradients, recognition, forecasting, strict=True):
        expected = best.x * x + (1 - best.x) * y
        torch.testing.assert_close(
            torch.zeros_like(x) if gradient is None else gradient, expected, atol=1e-5, rtol=1e-3
        )


@pytest.mark.parametrize("stream", ["joint", "dual"])
def test_the_upper_bound_has_the_exact_gradient_of_its_own_lambda(stream: str) -> None:
    splits = make_splits()
    transform, model = transform_of(splits), symgnn(stream=stream).double()
    made = task(model, transform, objective=ObjectiveRecipe(balance="mgda-ub"))
    batch = batch_of(splits, transform)
    batch = batch._replace(inputs=batch.inputs.double())
    recognition, forecasting = explicit(model, made, batch)
    found = made.gradients(batch)
    weight = float(found.weight)
    assert 0 < weight < 1
    for gradient, x, y in zip(found.gradients, recognition, forecasting, strict=True):
        expected = weight * x + (1 - weight) * y
        torch.testing.assert_close(
            torch.zeros_like(x) if gradient is None else gradient, expected, atol=1e-7, rtol=1e-4
        )


def test_a_fixed_weight_and_a_scale_are_what_they_say() -> None:
    splits = make_splits()
    transform, model = transform_of(splits), symgnn().double()
    made = task(model, transform, objective=ObjectiveRecipe(balance="fixed", weight=0.2, forecasting_scale=3.0))
    batch = batch_of(splits, transform)
    batch = batch._replace(inputs=batch.inputs.double())
    recognition, forecasting = explicit(model, made, batch)
    found = made.gradients(batch)
    for gradient, x, y in zip(found.gradients, recognition, forecasting, strict=True):
        expected = 0.2 * x + 0.8 * 3.0 * y
        torch.testing.assert_close(
            torch.zeros_like(x) if gradient is None else gradient, expected, atol=1e-7, rtol=1e-4
        )
    assert found.loss.item() == pytest.approx(0.2 * found.parts[0].item() + 0.8 * found.parts[1].item())


@pytest.mark.parametrize(
    ("objective", "model"),
    [
        ({"normalise": "loss+"}, {}),
        ({"balance": "mgda-ub", "normalise": "loss+"}, {}),
        ({"balance": "fixed"}, {}),
        ({}, {"classes": 0}),
        ({}, {"horizon": 0}),
    ],
)
def test_overfits_one_batch(objective: dict[str, Any], model: dict[str, Any]) -> None:
    splits = MotionSplits(make_motion("a", (30, 30, 30), 0), make_motion("b", (30, 30, 30), 1))
    network = symgnn(width=0.1, **model)
    transform = transform_of(splits, horizon=network.horizon, actions=splits.train.actions[: network.classes])
    made = task(network, transform, objective=ObjectiveRecipe(**objective))
    batch = MotionDataModule(splits, transform, batch=12).batch_of(0)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    history = []
    for _ in range(30):
        found = made.gradients(batch)
        for weight, gradient in zip(network.parameters(), found.gradients, strict=True):
            weight.grad = gradient
        optimizer.step()
        history.append([part.item() for part in found.parts] or [found.loss.item()])
    for first, last in zip(history[0], history[-1], strict=True):
        assert last < 0.5 * first


@pytest.mark.parametrize("balance", ["mgda", "mgda-ub"])
def test_normalised_gradients_choose_another_lambda(balance: Any) -> None:
    splits = make_splits()
    transform, model = transform_of(splits), symgnn().double()
    batch = batch_of(splits, transform)
    batch = batch._replace(inputs=batch.inputs.double())
    if balance == "mgda":
        made = task(model, transform)
        shared = {id(p) for p in model.backbone_parameters()}  # type: ignore[operator]
        index = [i for i, p in enumerate(model.parameters()) if id(p) in shared]
        a, b = (torch.cat([found[i].flatten() for i in index]) for found in explicit(model, made, batch))
    else:
        cut = [part.detach().requires_grad_() for part in model.represent(batch.inputs)]  # type: ignore[operator]
        output = model.answer(batch.inputs, cut)  # type: ignore[operator]
        made = task(model, transform)
        losses = recognition_loss(output.logits, batch.labels), made.forecasting_loss(output.motion, batch.targets)
        both = [torch.autograd.grad(loss, cut, retain_graph=True, allow_unused=True) for loss in losses]
        flat = [[torch.zeros_like(c) if g is None else g for g, c in zip(found, cut, strict=True)] for found in both]
        a, b = (torch.cat([g.flatten() for g in found]) for found in flat)
    for normalise in ("none", "loss", "loss+"):
        made = task(model, transform, objective=ObjectiveRecipe(balance=balance, normalise=normalise))  # type: ignore[arg-type]
        found = made.gradients(batch)
        sizes = [1.0, 1.0]
        if normalise != "none":
            sizes = [part.item() for part in found.parts]
        if normalise == "loss+":
            sizes = [size * g.norm().item() for size, g in zip(sizes, (a, b), strict=True)]
        x, y = (g.detach().numpy() / size for g, size in zip((a, b), sizes, strict=True))
        best = np.clip(np.dot(y, y - x) / np.dot(y - x, y - x), 0, 1)
        assert found.weight.item() == pytest.approx(best, abs=1e-4)


def without_labels(batch: MotionBatch) -> MotionBatch:
    return batch._replace(inputs=batch.inputs.double(), labels=torch.full_like(batch.labels, -1))


@pytest.mark.parametrize("normalise", ["none", "loss", "loss+"])
@pytest.mark.parametrize("balance", ["mgda", "mgda-ub"])
def test_a_batch_without_any_action_is_forecast_only(balance: Any, normalise: Any) -> None:
    """Nothing to recognise has the gradient 0, the shortest there is: with its lambda of 1 nothing would be learned."""
    splits = make_splits()
    transform, model = transform_of(splits), symgnn().double()
    made = task(model, transform, objective=ObjectiveRecipe(balance=balance, normalise=normalise))
    batch = without_labels(batch_of(splits, transform))
    recognition, forecasting = explicit(model, made, batch)
    assert not any(bool(gradient.any()) for gradient in recognition)
    found = made.gradients(batch)
    assert found.weight.item() == 0
    assert found.loss.item() == pytest.approx(found.parts[1].item())
    for gradient, expected in zip(found.gradients, forecasting, strict=True):
        torch.testing.assert_close(
            torch.zeros_like(expected) if gradient is None else gradient, expected, atol=1e-9, rtol=1e-6
        )


@pytest.mark.parametrize("balance", ["mgda", "mgda-ub"])
def test_one_process_with_an_action_is_enough_for_all(balance: Any) -> None:
    """Lambda is of the averaged gradients, and so is whether there is anything to recognise."""
    splits = make_splits()
    transform, model = transform_of(splits), symgnn().double()
    made = task(model, transform)
    batches = [batch_of(splits, transform)._replace(step=step) for step in (0, 1)]
    batches = [without_labels(batches[0]), batches[1]._replace(inputs=batches[1].inputs.double())]

    def gradients(batch: MotionBatch, average: Any) -> Any:
        representation = cut = None
        if balance == "mgda-ub":
            representation = model.represent(batch.inputs)  # type: ignore[operator]
            cut = [part.detach().requires_grad_() for part in representation]
            output = model.answer(batch.inputs, cut)  # type: ignore[operator]
        else:
            output = model(batch.inputs)
        losses = recognition_loss(output.logits, batch.labels), made.forecasting_loss(output.motion, batch.targets)
        objective = ObjectiveRecipe(balance=balance, normalise="loss+")
        return balanced_gradients(
            model, losses, objective, average, representation, cut, labelled=(batch.labels >= 0).sum()
        )

    sent: list[list[Tensor]] = []

    def keep(tensors: Sequence[Tensor]) -> list[Tensor]:
        sent.append([tensor.clone() for tensor in tensors])
        return list(tensors)

    gradients(batches[1], keep)
    messages = iter(sent)

    def mean(tensors: Sequence[Tensor]) -> list[Tensor]:
        return [(one + other) / 2 for one, other in zip(tensors, next(messages), strict=True)]

    assert gradients(batches[0], mean).weight.item() > 0
    assert gradients(batches[0], lambda tensors: list(tensors)).weight.item() == 0


def test_a_fixed_weight_stays_what_it_is_without_any_action() -> None:
    """A window that is forecast only counts as much beside others of its kind as beside those with an action."""
    splits = make_splits()
    transform, model = transform_of(splits), symgnn().double()
    made = task(model, transform, objective=ObjectiveRecipe(balance="fixed", weight=0.2))
    batch = without_labels(batch_of(splits, transform))
    found = made.gradients(batch)
    for gradient, expected in zip(found.gradients, explicit(model, made, batch)[1], strict=True):
        torch.testing.assert_close(torch.zeros_like(expected) if gradient is None else gradient, 0.8 * expected)


def labelled_later() -> MotionSplits:
    """One long validation clip without an action, and a short one with one."""
    splits = make_splits()
    whole = make_motion("long", (400, 30), 5)
    clips = (dataclasses.replace(whole.clips[0], action=-1), whole.clips[1])
    return MotionSplits(splits.train, dataclasses.replace(whole, clips=clips))


def test_recognition_is_validated_on_windows_not_on_clips() -> None:
    """A clip with an action that is too short for a window has nothing to say."""
    splits = labelled_later()
    short = dataclasses.replace(splits.validation.clips[1], features=splits.validation.clips[1].features[: T + H - 1])
    validation = dataclasses.replace(splits.validation, clips=(splits.validation.clips[0], short))
    with pytest.raises(DataError, match="long: no clip of the 12 frames of a window has a known action"):
        MotionValidation(validation, transform_of(splits))
    assert len(MotionValidation(validation, transform_of(splits, actions=())))
    train = dataclasses.replace(validation, name="short train")
    with pytest.raises(DataError, match="short train: no clip has an action to learn and the 12 frames of a window"):
        MotionDataModule(MotionSplits(train, splits.validation), transform_of(splits))


@pytest.mark.parametrize("most", [1, 2, 5, 16, 60, None])
def test_a_share_of_the_validation_windows_has_an_action(most: int | None) -> None:
    splits = labelled_later()
    validation = MotionValidation(splits.validation, transform_of(splits), stride=5)
    rows = validation.rows(most)
    known = int((validation.actions >= 0).sum())
    assert (len(validation), known) == (82, 4)
    assert len(set(rows.tolist())) == len(rows) == min(most or 82, 82)
    assert (np.diff(rows) > 0).all()
    assert int((validation.actions[rows] >= 0).sum()) == min(known, (len(rows) + 1) // 2)
    found = task(Answers(transform_of(splits), 0.0, 1), transform_of(splits)).evaluate(validation, most)
    assert found["error_rate"] == 0
    assert np.isfinite(list(found.values())).all()
    forecast = MotionValidation(splits.validation, transform_of(splits, actions=()), stride=5)
    spaced = np.linspace(0, 81, min(most or 82, 82)).round()  # as ever where nothing is recognised, or all is known
    assert forecast.rows(most).tolist() == spaced.tolist()
    every = MotionValidation(make_splits().validation, transform_of(splits))
    spaced = np.linspace(0, len(every) - 1, min(most or len(every), len(every))).round()
    assert every.rows(most).tolist() == spaced.tolist()


def test_a_compiled_step_in_halves_is_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the upper bound the network is called in two halves, and both are compiled."""
    ran: list[str] = []

    def compile_cheaply(function: Any) -> Any:
        made = real(function, backend="eager")

        def called(*values: Any) -> Any:
            ran.append(getattr(function, "__name__", "forward"))
            return made(*values)

        return called

    real = torch.compile
    monkeypatch.setattr(torch, "compile", compile_cheaply)
    torch._dynamo.reset()
    splits = make_splits()
    transform, model = transform_of(splits), symgnn(differences=(0,), backbone="light")
    batch = batch_of(splits, transform)
    objective = ObjectiveRecipe(balance="mgda-ub")
    plain = task(model, transform, objective=objective).gradients(batch)
    assert not ran
    found = task(model, transform, objective=objective, compile_model=True).gradients(batch)
    assert ran == ["represent", "answer"]
    torch.testing.assert_close(found.weight, plain.weight, atol=1e-5, rtol=1e-4)
    for one, two in zip(found.gradients, plain.gradients, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)
