"""One suite over every registered recogniser and forecaster, and the main variants of Sym-GNN."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import pytest
import torch
from newer_torch import needs_newer_torch
from torch import Tensor, nn

from kinegraph import models
from kinegraph.errors import ConfigError, DataError
from kinegraph.models import MotionModel, MotionOutput
from kinegraph.skeleton import Skeleton

BODY = Skeleton(
    name="body",
    joints=("hip", "chest", "head", "left_arm", "right_arm", "left_hand", "right_hand"),
    parents=(-1, 0, 1, 1, 1, 3, 4),
    pairs=(("left_arm", "right_arm"), ("left_hand", "right_hand")),
    parts={"torso": ("hip", "chest"), "left_upper_arm": ("left_arm",), "right_upper_arm": ("right_arm",)},
)
OBSERVED, HORIZON, CLASSES = 12, 5, 4


@dataclass(frozen=True)
class Case:
    """A model and options that make it small."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, skeleton: Skeleton = BODY, **more: Any) -> MotionModel:
        torch.manual_seed(5)
        sizes = {"observed": OBSERVED, "horizon": HORIZON}
        model = models.build(self.name, skeleton, {**sizes, **self.options, **more})
        assert isinstance(model, MotionModel)
        return model


_TINY = {"width": 0.05, "agim_width": 8, "iterations": 1}
CASES = {
    "symgnn": Case("symgnn", {**_TINY, "classes": CLASSES}),
    "symgnn-no-recognition": Case("symgnn", _TINY),
    "symgnn-no-prediction": Case("symgnn", {**_TINY, "classes": CLASSES, "horizon": 0}),
    "symgnn-hard": Case("symgnn", {**_TINY, "classes": CLASSES, "soft_label": False, "iterations": 0}),
    "symgnn-only-js": Case("symgnn", {**_TINY, "classes": CLASSES, "actional": False, "parts": False}),
    "symgnn-only-ja": Case("symgnn", {**_TINY, "classes": CLASSES, "structural": False, "parts": False}),
    "symgnn-only-p": Case("symgnn", {**_TINY, "classes": CLASSES, "structural": False, "actional": False}),
    "symgnn-velocity": Case("symgnn", {**_TINY, "differences": (1,), "gamma": 1, "lambda_act": 0.5}),
    "symgnn-bone": Case("symgnn", {**_TINY, "classes": CLASSES, "stream": "bone"}),
    "symgnn-dual": Case("symgnn", {**_TINY, "classes": CLASSES, "stream": "dual", "fusion": (0.7, 0.4)}),
    "symgnn-deep": Case("symgnn", {**_TINY, "backbone": "deep", "differences": (0, 1)}),
    "zero_velocity": Case("zero_velocity"),
    "constant_velocity": Case("constant_velocity"),
    "ridge": Case("ridge"),
    "simlpe": Case("simlpe", {"blocks": 2}),
}
every_model = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def inputs(batch: int = 3, dtype: torch.dtype = torch.float32, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    steps = torch.randn((batch, OBSERVED, BODY.num_joints, channels), generator=generator, dtype=dtype)
    return 0.3 * steps.cumsum(dim=1)


def ready(case: Case, **more: Any) -> MotionModel:
    """In eval mode, with values of its own in every parameter and running statistic; fitted where it is fitted."""
    model = case.build(**more)
    if model.trains == "fit":
        data = torch.randn(40, OBSERVED, BODY.num_joints, model.channels)
        model.fit(data, data[:, :HORIZON] + 0.1)  # type: ignore[operator]
    else:
        shake(model)
    return model.eval()


def shake(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator).to(tensor))


def both(out: MotionOutput) -> list[Tensor]:
    return [part for part in out if part is not None]


def test_every_registered_motion_model_is_here() -> None:
    registered = {name for name, entry in models.REGISTRY.items() if entry.task == "motion"}
    assert {case.name for case in CASES.values()} == registered
    for name in registered:
        entry = models.REGISTRY[name]
        config = entry.config()
        assert (config.channels, config.classes) == (3, 0)
        assert issubclass(entry.model, MotionModel)


@every_model
@pytest.mark.parametrize("channels", [2, 3])
def test_shapes_and_gradients(case: Case, channels: int) -> None:
    model = case.build(channels=channels) if case.name != "ridge" else ready(case, channels=channels)
    out = model(inputs(channels=channels))
    if model.horizon:
        assert out.motion.shape == (3, HORIZON, 7, channels)
        assert out.motion.dtype == torch.float32
    else:
        assert out.motion is None
    assert (out.logits is None) == (model.classes == 0)
    if out.logits is not None:
        assert out.logits.shape == (3, CLASSES)
    if model.trains != "gradient":
        assert not any(p.requires_grad for p in model.parameters())
        return
    sum(part.square().mean() for part in both(out)).backward()  # type: ignore[union-attr]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no part in the output"
        assert bool(parameter.grad.isfinite().all()), name


@every_model
def test_gradients_by_finite_differences(case: Case) -> None:
    model = ready(case, **({"horizon": 2} if case.name == "symgnn" and "horizon" not in case.options else {})).double()
    x = inputs(2, torch.float64).requires_grad_()

    def answer(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(both(model(x)))

    assert torch.autograd.gradcheck(answer, (x,), fast_mode=True)
    parameters = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not parameters:
        return
    generator = torch.Generator().manual_seed(3)
    way = {name: 0.01 * torch.randn(p.shape, generator=generator, dtype=p.dtype) for name, p in parameters.items()}
    at_rest = [part.detach() for part in both(model(x))]

    def loss(step: Tensor) -> Tensor:
        """Along one random direction through all parameters at once."""
        moved = {name: p + step * way[name] for name, p in parameters.items()}
        out = torch.func.functional_call(model, moved, (x.detach(),))
        parts = zip(both(out), at_rest, strict=True)
        return torch.stack([(part / size.norm()).square().sum() for part, size in parts]).sum()

    assert torch.autograd.gradcheck(loss, (torch.zeros((), dtype=torch.float64, requires_grad=True),))


@every_model
def test_state_survives_saving_and_eval_is_deterministic(case: Case) -> None:
    model = ready(case)
    torch.manual_seed(99)
    other = replace(case).build().eval()
    other.load_state_dict(model.state_dict())
    x = inputs()
    for given, again, loaded in zip(both(model(x)), both(model(x)), both(other(x)), strict=True):
        assert torch.equal(given, again)
        assert torch.equal(given, loaded)
    assert type(model.config)(**asdict(model.config)) == model.config


@every_model
def test_no_grad_gives_what_grad_gives(case: Case) -> None:
    """Without gradients buffers are written in place and constants are folded; with them neither."""
    model = ready(case)
    x = inputs()
    with torch.no_grad():
        quick = both(model(x))
        again = both(model(x))
    for given, one, two in zip(both(model(x)), quick, again, strict=True):
        torch.testing.assert_close(one, given, rtol=1e-4, atol=1e-5)
        assert torch.equal(one, two)


@every_model
def test_changed_weights_show_at_once_in_eval(case: Case) -> None:
    """Nothing that was folded outlives the weights it was folded from."""
    model = ready(case)
    x = inputs()
    with torch.no_grad():
        model(x)
        for parameter in model.parameters():
            parameter.add_(0.05)
        after = both(model(x))
    for one, given in zip(after, both(model(x)), strict=True):
        torch.testing.assert_close(one, given, rtol=1e-4, atol=1e-5)


@every_model
def test_samples_do_not_see_each_other_in_eval(case: Case) -> None:
    model = ready(case)
    x = inputs()
    for all_, one in zip(both(model(x)), both(model(x[1:2])), strict=True):
        torch.testing.assert_close(all_[1:2], one, rtol=1e-4, atol=1e-5)


@every_model
def test_horizons(case: Case) -> None:
    model = ready(case)
    x = inputs()
    assert model(x, 0).motion is None
    if not model.horizon:
        with pytest.raises(DataError, match="forecasts 0 to 0 frames; found 1"):
            model(x, 1)
        return
    short, usual = model(x, 2).motion, model(x).motion
    torch.testing.assert_close(short, usual[:, :2], rtol=1e-5, atol=1e-6)
    if model.any_horizon:
        longer = model(x, HORIZON + 4).motion
        assert longer.shape[1] == HORIZON + 4
        torch.testing.assert_close(longer[:, :HORIZON], usual, rtol=1e-5, atol=1e-6)
    else:
        with pytest.raises(DataError, match=f"0 to {HORIZON} frames; found {HORIZON + 1}"):
            model(x, HORIZON + 1)
    with pytest.raises(DataError, match="found -1"):
        model(x, -1)


@every_model
def test_wrong_shapes_are_refused_with_both_shapes(case: Case) -> None:
    model = ready(case)
    x = inputs()
    for wrong in (x[:, 1:], x[:, :, 1:], x[..., :2], x[0]):
        with pytest.raises(DataError, match=r"\(batch, 12, 7, 3\); found \("):
            model(wrong)


@every_model
def test_nothing_to_do_is_refused(case: Case) -> None:
    with pytest.raises(ConfigError):
        case.build(horizon=0, classes=0)


@every_model
def test_bfloat16_autocast(case: Case) -> None:
    model = ready(case)
    x = inputs(8)
    with torch.no_grad():
        exact = both(model(x))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = both(model(x))
    for one, other in zip(exact, low, strict=True):
        torch.testing.assert_close(other.float(), one, rtol=0.1, atol=0.1 * one.std().item())
    if model.trains != "gradient":
        return
    model.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = both(model(x))
    torch.stack([part.float().square().mean() for part in out]).sum().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


# ---- compilers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["symgnn-bone", "symgnn-dual"])
def test_bones_are_not_rounded_by_autocast(key: str) -> None:
    """Eight bits of a pose are larger than the velocities that are taken from it."""
    model = ready(CASES[key])
    x = inputs()
    with torch.no_grad():
        exact = model._seen_by("bone", x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(model._seen_by("bone", x), exact)
            pose, state = model.step(model.encode(x))
    assert pose.dtype == torch.float32
    assert all(one.frame.dtype == torch.float32 for one in state.networks)


@needs_newer_torch
@pytest.mark.parametrize("key", ["symgnn-dual", "simlpe"])
def test_forward_is_one_graph(key: str) -> None:
    """No graph break under torch.compile, in training."""
    model = CASES[key].build(**({"horizon": 2, "differences": (1,)} if key != "simlpe" else {}))
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert all(bool(part.isfinite().all()) for part in both(compiled(inputs())))


@needs_newer_torch
@pytest.mark.parametrize("key", ["symgnn-dual", "zero_velocity", "constant_velocity", "ridge", "simlpe"])
def test_exported_program_gives_the_same(key: str) -> None:
    # tracing takes seconds: few frames and one branch hold every kind of layer
    model = ready(CASES[key], **({"horizon": 2, "differences": (1,)} if CASES[key].name == "symgnn" else {}))
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(model, (inputs(),), dynamic_shapes=({0: batch},))
    x = inputs(7)
    for found, expected in zip(both(program.module()(x)), both(model(x)), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
