"""Zero and constant velocity, ridge regression and siMLPe against slow references, and what must hold exactly."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import scipy.fft
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.errors import ConfigError, DataError
from kinegraph.models import ridge as ridge_module
from kinegraph.models.forecasting_model import ForecastingModel
from kinegraph.models.ridge import STRENGTHS, Ridge, RidgeConfig
from kinegraph.models.simlpe import SiMLPe, SiMLPeConfig
from kinegraph.models.velocity import ConstantVelocity, ConstantVelocityConfig, ZeroVelocity, ZeroVelocityConfig
from kinegraph.skeleton import Skeleton

Array = NDArray[np.float64]
BODY = Skeleton(name="body", joints=("hip", "chest", "head", "arm"), parents=(-1, 0, 1, 1))
SIZES = {"observed": 6, "horizon": 4}


def array(tensor: Tensor) -> Array:
    return tensor.detach().numpy().astype(np.float64)


def motion(model: ForecastingModel, x: Tensor, horizon: int | None = None) -> Tensor:
    out = model(x, horizon)
    assert out.logits is None
    assert out.motion is not None
    result: Tensor = out.motion
    return result


def walks(windows: int, frames: int, seed: int = 0, joints: int = 4) -> Tensor:
    """Random walks, ``(windows, frames, joints, 3)`` float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((windows, frames, joints, 3), generator=generator, dtype=torch.float64).cumsum(dim=1)


def split(data: Tensor, observed: int = 6) -> tuple[Tensor, Tensor]:
    return data[:, :observed], data[:, observed:]


def shake(model: torch.nn.Module) -> None:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator).to(parameter))


def every_model(**more: Any) -> dict[str, ForecastingModel]:
    sizes = {**SIZES, **more}
    torch.manual_seed(3)
    models: dict[str, ForecastingModel] = {
        "zero": ZeroVelocity(BODY, ZeroVelocityConfig(**sizes)),
        "constant": ConstantVelocity(BODY, ConstantVelocityConfig(**sizes)),
        "damped": ConstantVelocity(BODY, ConstantVelocityConfig(frames=3, damping=0.25, **sizes)),
        "ridge": Ridge(BODY, RidgeConfig(**sizes)),
        "ridge-joint": Ridge(BODY, RidgeConfig(scope="joint", pose=True, frames=3, **sizes)),
        "simlpe": SiMLPe(BODY, SiMLPeConfig(blocks=2, **sizes)),
        "simlpe-temporal": SiMLPe(BODY, SiMLPeConfig(blocks=2, norm="temporal", **sizes)),
        "simlpe-long": SiMLPe(BODY, SiMLPeConfig(blocks=2, **{**sizes, "horizon": 9})),
    }
    for model in models.values():
        shake(model)
        if isinstance(model, Ridge):
            model.fit(*split(walks(40, sizes["observed"] + sizes["horizon"]).float(), sizes["observed"]))
    return models


@pytest.fixture(scope="module", params=every_model())
def model(request: pytest.FixtureRequest) -> ForecastingModel:
    return every_model()[request.param]


# ---- every baseline -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [None, 1, 4, 5, 13])
def test_any_horizon_and_a_longer_one_begins_as_a_shorter(model: ForecastingModel, horizon: int | None) -> None:
    x = walks(3, 6).float()
    frames = model.horizon if horizon is None else horizon
    out = motion(model, x, horizon)
    assert out.shape == (3, frames, 4, 3)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, motion(model, x, 30)[:, :frames])


@pytest.mark.parametrize("name", ["ridge", "ridge-joint", "simlpe", "simlpe-temporal", "simlpe-long"])
def test_past_its_horizon_it_goes_on_from_its_forecast(name: str) -> None:
    model = every_model()[name]
    x = walks(3, 6).float()
    first = motion(model, x)
    again = torch.cat((x, first), dim=1)[:, -6:]
    torch.testing.assert_close(motion(model, x, 2 * model.horizon)[:, model.horizon :], motion(model, again))


def test_horizon_of_zero_and_below(model: ForecastingModel) -> None:
    assert model(walks(2, 6).float(), 0) == (None, None)
    with pytest.raises(DataError, match="found -1"):
        model(walks(2, 6).float(), -1)


def test_wrong_shapes_are_refused(model: ForecastingModel) -> None:
    x = walks(2, 6).float()
    for wrong in (x[:, :5], x[:, :, :3], x[..., :2], x[0]):
        with pytest.raises(DataError, match=r"6, 4, 3\); found \("):
            model(wrong)


def test_windows_do_not_see_each_other_and_the_input_is_left_alone(model: ForecastingModel) -> None:
    x = walks(5, 6).float()
    before = x.clone()
    out = motion(model, x)
    torch.testing.assert_close(out[1:2], motion(model, x[1:2]))
    out.detach().zero_()
    assert torch.equal(x, before)


def test_state_survives_saving(model: ForecastingModel) -> None:
    other = type(model)(BODY, model.config)
    other.load_state_dict(model.state_dict())
    x = walks(2, 6).float()
    assert torch.equal(motion(model, x), motion(other, x))


def test_a_forecaster_takes_no_classes_and_needs_a_horizon() -> None:
    for build in (
        lambda **o: ZeroVelocity(BODY, ZeroVelocityConfig(**o)),
        lambda **o: Ridge(BODY, RidgeConfig(**o)),
        lambda **o: SiMLPe(BODY, SiMLPeConfig(blocks=1, **o)),
    ):
        with pytest.raises(ConfigError, match="found classes 8, expected 0"):
            build(classes=8)
        with pytest.raises(ConfigError, match="found horizon 0|nothing to learn"):
            build(horizon=0)


# ---- velocities ---------------------------------------------------------------------------------------------------


def test_zero_velocity_repeats_the_last_frame() -> None:
    x = walks(3, 6)
    out = motion(every_model()["zero"], x, 7)
    for n in range(7):
        assert torch.equal(out[:, n], x[:, -1])


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_linear_motion_is_forecast_exactly(frames: int) -> None:
    start, velocity = walks(3, 2)[:, :1], walks(3, 2, seed=1)[:, :1]
    line = start + torch.arange(20.0, dtype=torch.float64)[:, None, None] * velocity
    model = ConstantVelocity(BODY, ConstantVelocityConfig(frames=frames, **SIZES))
    torch.testing.assert_close(motion(model, line[:, :6], 14), line[:, 6:], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("frames", "damping"), [(1, 0.0), (3, 0.0), (1, 0.2), (4, 0.9), (2, 1.0)])
def test_velocity_against_the_loop(frames: int, damping: float) -> None:
    model = ConstantVelocity(BODY, ConstantVelocityConfig(frames=frames, damping=damping, **SIZES))
    x = array(walks(2, 6))
    steps = np.diff(x, axis=1)[:, -frames:]
    velocity, pose, expected = steps.mean(axis=1), x[:, -1], []
    for _ in range(9):
        pose = pose + velocity
        velocity = (1 - damping) * velocity
        expected.append(pose)
    np.testing.assert_allclose(array(motion(model, torch.from_numpy(x), 9)), np.stack(expected, axis=1), rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"frames": 6}, "1 to 5 steps"), ({"frames": 0}, "1 to 5 steps"), ({"damping": 1.5}, "from 0 to 1")],
)
def test_velocities_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ConstantVelocity(BODY, ConstantVelocityConfig(**SIZES, **options))


def test_what_each_learns_by() -> None:
    kinds = {name: model.trains for name, model in every_model().items()}
    assert kinds["zero"] == kinds["constant"] == "nothing"
    assert kinds["ridge"] == kinds["ridge-joint"] == "fit"
    assert kinds["simlpe"] == "gradient"


# ---- ridge --------------------------------------------------------------------------------------------------------


def slow_ridge(x: Array, y: Array, new: Array, frames: int, pose: bool, strength: float) -> Array:
    """Normal equations with an explicit, unpenalised column of ones; displacements of `new`, ``(windows, H J C)``."""

    def features(z: Array) -> Array:
        columns = [z[:, t] - z[:, -1] for t in range(z.shape[1] - frames, z.shape[1] - 1)]
        if pose:
            columns.append(z[:, -1])
        rows = [np.concatenate([column[n].ravel() for column in columns] + [np.ones(1)]) for n in range(len(z))]
        return np.array(rows)

    design = features(x)
    moved = (y - x[:, -1:]).reshape(len(x), -1)
    unit = np.mean([variance for variance in design.var(axis=0) if variance > 0])
    penalty = strength * unit * len(x) * np.eye(design.shape[1])
    penalty[-1, -1] = 0
    solution = np.linalg.solve(design.T @ design + penalty, design.T @ moved)
    result: Array = features(new) @ solution
    return result


@pytest.mark.parametrize(("frames", "pose"), [(None, False), (3, False), (3, True), (1, True)])
@pytest.mark.parametrize("scope", ["body", "joint"])
@pytest.mark.parametrize("strength", [1e-4, 2.0])
def test_ridge_against_the_normal_equations(frames: int | None, pose: bool, scope: str, strength: float) -> None:
    config = RidgeConfig(frames=frames, pose=pose, scope=scope, strength=strength, **SIZES)  # type: ignore[arg-type]
    model = Ridge(BODY, config).double()
    x, y = split(walks(120, 10) + 5)  # far from zero: the means matter
    new = walks(7, 6, seed=9) + 5
    assert not model.fitted
    torch.testing.assert_close(motion(model, new), new[:, -1:].expand(-1, 4, -1, -1))
    model.fit(x, y)
    assert model.fitted
    assert model.strengths.tolist() == [strength] * 4
    groups = [slice(None)] if scope == "body" else [slice(j, j + 1) for j in range(4)]
    expected = np.zeros((7, 4, 4, 3))
    for group in groups:
        args = (array(x[:, :, group]), array(y[:, :, group]), array(new[:, :, group]))
        answer = slow_ridge(*args, frames or 6, pose, strength)
        expected[:, :, group] = array(new[:, -1:, group]) + answer.reshape(7, 4, -1, 3)
    np.testing.assert_allclose(array(motion(model, new)), expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("scope", ["body", "joint"])
def test_ridge_recovers_a_planted_linear_system(scope: str) -> None:
    """Windows of a rotation of every joint by its own angle: the future is a linear map of the past."""
    generator = torch.Generator().manual_seed(4)
    frames = []
    for joint in range(4):
        angle = torch.arange(10.0, dtype=torch.float64) * (0.1 + 0.07 * joint)
        turn = torch.stack((angle.cos(), -angle.sin(), angle.sin(), angle.cos()), dim=-1).view(10, 2, 2)
        start = torch.randn((80, 2), generator=generator, dtype=torch.float64)
        flat = torch.einsum("tij,nj->nti", turn, start)
        frames.append(torch.cat((flat, torch.zeros_like(flat[..., :1])), dim=-1))
    data = torch.stack(frames, dim=2)
    model = Ridge(BODY, RidgeConfig(scope=scope, strength=0.0, frames=3, **SIZES)).double()  # type: ignore[arg-type]
    model.fit(*split(data[:60]))
    x, y = split(data[60:])
    torch.testing.assert_close(motion(model, x), y, rtol=1e-6, atol=1e-6)


def test_no_penalty_and_fewer_windows_than_features_gives_the_shortest_solution() -> None:
    x, y = split(walks(20, 10))
    model = Ridge(BODY, RidgeConfig(strength=0.0, **SIZES)).double()
    model.fit(x, y)
    torch.testing.assert_close(motion(model, x), y, rtol=1e-6, atol=1e-6)
    features = array(x[:, :-1] - x[:, -1:]).reshape(20, -1)
    moved = array(y - x[:, -1:]).reshape(20, -1)
    expected = np.linalg.pinv(features - features.mean(0)) @ (moved - moved.mean(0))
    np.testing.assert_allclose(array(model.weight[0]), expected, atol=1e-7)


@pytest.mark.parametrize("scope", ["body", "joint"])
@pytest.mark.parametrize("strength", [0.0, 1.0, "auto"])
def test_what_never_moves_stays_and_changes_nothing(scope: str, strength: Any) -> None:
    data = walks(60, 10)
    data[:, :, 1] = 0.7
    data[:, :, 2, 0] = 0
    model = Ridge(BODY, RidgeConfig(scope=scope, strength=strength, **SIZES)).double()  # type: ignore[arg-type]
    model.fit(*split(data[:40]), validation=split(data[40:]))
    out = motion(model, data[40:, :6])
    assert bool(out.isfinite().all())
    assert float((out[:, :, 1] - 0.7).abs().max()) < 1e-12
    assert float(out[:, :, 2, 0].abs().max()) < 1e-12


@pytest.mark.parametrize("scope", ["body", "joint"])
def test_auto_takes_the_best_strength_of_every_future_frame(scope: str) -> None:
    data = walks(60, 10)
    train, validation = split(data[:40]), split(data[40:])
    model = Ridge(BODY, RidgeConfig(scope=scope, strength="auto", **SIZES)).double()  # type: ignore[arg-type]
    model.fit(*train, validation=validation)
    errors, forecasts = [], []
    for strength in STRENGTHS:
        fixed = Ridge(BODY, RidgeConfig(scope=scope, strength=strength, **SIZES)).double()  # type: ignore[arg-type]
        fixed.fit(*train)
        forecasts.append(motion(fixed, validation[0]))
        errors.append((forecasts[-1] - validation[1]).flatten(2).norm(dim=2).mean(dim=0))
    best = torch.stack(errors).argmin(dim=0)
    torch.testing.assert_close(model.strengths, torch.tensor(STRENGTHS, dtype=torch.float64)[best])
    assert len(set(best.tolist())) > 1  # else nothing is tested of the choice by frame
    expected = torch.stack([forecasts[row][:, frame] for frame, row in enumerate(best.tolist())], dim=1)
    torch.testing.assert_close(motion(model, validation[0]), expected)


def test_a_strength_means_the_same_in_any_unit() -> None:
    data = walks(50, 10)
    metres, millimetres = (Ridge(BODY, RidgeConfig(strength=0.3, **SIZES)).double() for _ in range(2))
    metres.fit(*split(data))
    millimetres.fit(*split(1000 * data))
    torch.testing.assert_close(metres.weight, millimetres.weight)


def test_ridge_counts_what_it_fits() -> None:
    body, joint = (Ridge(BODY, RidgeConfig(frames=3, scope=scope, **SIZES)) for scope in ("body", "joint"))  # type: ignore[arg-type]
    assert body.num_parameters == (2 * 12 + 1) * 4 * 12
    assert joint.num_parameters == 4 * (2 * 3 + 1) * 4 * 3


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = walks(50, 10)
    answers = []
    for chunk in (7, 1000):
        monkeypatch.setattr(ridge_module, "CHUNK", chunk)
        model = Ridge(BODY, RidgeConfig(strength="auto", **SIZES)).double()
        model.fit(*split(data[:30]), validation=split(data[30:]))
        answers.append(torch.cat((model.weight.flatten(), model.strengths)))
    torch.testing.assert_close(*answers)


def test_single_precision_input_is_solved_in_double() -> None:
    """Nearly parallel features, which float32 normal equations cannot tell apart."""
    data = walks(200, 10)
    data[:, :, 1] = data[:, :, 0] + 1e-3 * data[:, :, 1]
    data = data.float()
    single = Ridge(BODY, RidgeConfig(strength=1e-6, **SIZES))
    single.fit(*split(data))
    double = Ridge(BODY, RidgeConfig(strength=1e-6, **SIZES)).double()
    double.fit(*split(data.double()))
    torch.testing.assert_close(single.weight.double(), double.weight, rtol=1e-5, atol=1e-5)


def test_ridge_refuses_what_it_cannot_use() -> None:
    x, y = split(walks(20, 10))
    model = Ridge(BODY, RidgeConfig(strength="auto", **SIZES)).double()
    with pytest.raises(ConfigError, match="no validation windows"):
        model.fit(x, y)
    with pytest.raises(DataError, match=r"validation targets of 20 windows: found \(19, 4, 4, 3\), expected \(20, 4"):
        model.fit(x, y, (x, y[:19]))
    with pytest.raises(DataError, match="found 0 validation windows"):
        model.fit(x, y, (x[:0], y[:0]))
    with pytest.raises(DataError, match=r"training targets of 20 windows: found \(20, 3, 4, 3\)"):
        model.fit(x, y[:, :3])
    with pytest.raises(DataError, match="found 1 training windows, expected 2"):
        model.fit(x[:1], y[:1])
    with pytest.raises(DataError, match="takes"):
        model.fit(x[:, :5], y)
    broken = y.clone()
    broken[3, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match="NaN"):
        model.fit(x, broken)
    assert not model.fitted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames": 1}, "expected 2 to 6"),
        ({"frames": 7}, "expected 2 to 6"),
        ({"frames": 0, "pose": True}, "expected 1 to 6"),
        ({"strength": -1.0}, "expected 0 or more, or auto"),
        ({"strength": float("inf")}, "expected 0 or more, or auto"),
    ],
)
def test_ridges_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Ridge(BODY, RidgeConfig(**SIZES, **options))


# ---- siMLPe -------------------------------------------------------------------------------------------------------


def slow_simlpe(model: SiMLPe, x: Array) -> Array:
    """The paper's equations, window by window; z has a coefficient to a row."""
    state = {name: array(value) for name, value in model.state_dict().items()}
    length, answers = max(model.observed, model.horizon), []
    for window in x.reshape(len(x), model.observed, -1):
        padded = np.concatenate([window] + [window[-1:]] * (length - model.observed))
        z = scipy.fft.dct(padded, type=2, norm="ortho", axis=0)
        z = np.array([state["first.weight"] @ row + state["first.bias"] for row in z])
        for n in range(model.config.blocks):
            block = f"blocks.{n}."
            mixed = state[block + "mix.weight"] @ z + state[block + "mix.bias"][:, None]
            if model.config.norm != "none":
                over = 1 if model.config.norm == "spatial" else 0
                mean, variance = mixed.mean(axis=over, keepdims=True), mixed.var(axis=over, keepdims=True)
                scale, shift = state[block + "norm.weight"], state[block + "norm.bias"]
                if over == 0:
                    scale, shift = scale[:, None], shift[:, None]
                mixed = (mixed - mean) / np.sqrt(variance + 1e-5) * scale + shift
            z = z + mixed
        z = np.array([state["last.weight"] @ row + state["last.bias"] for row in z])
        moved = scipy.fft.idct(z, type=2, norm="ortho", axis=0)
        answers.append(window[-1] + moved[: model.horizon])
    return np.array(answers).reshape(len(x), model.horizon, *x.shape[2:])


@pytest.mark.parametrize("norm", ["spatial", "temporal", "none"])
@pytest.mark.parametrize(("observed", "horizon"), [(6, 4), (6, 6), (4, 9)])
def test_simlpe_against_the_loop(norm: Any, observed: int, horizon: int) -> None:
    config = SiMLPeConfig(observed=observed, horizon=horizon, blocks=3, norm=norm)
    model = SiMLPe(BODY, config)
    shake(model)
    x = walks(3, observed)
    np.testing.assert_allclose(array(motion(model, x.float())), slow_simlpe(model, array(x)), rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("norm", ["spatial", "temporal", "none"])
def test_simlpe_gradients(norm: Any) -> None:
    model = SiMLPe(BODY, SiMLPeConfig(blocks=2, norm=norm, **SIZES))  # type: ignore[arg-type]
    motion(model, walks(4, 6).float()).square().mean().backward()
    for name, parameter in model.named_parameters():
        # The last layer starts small, and all gradients go through it, but none is lost.
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
        assert bool(parameter.grad.abs().max() > 0), f"{name} has no part in the output"
    shake(model)
    model = model.double()
    x = walks(2, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: motion(model, z), (x,), fast_mode=True)


@pytest.mark.parametrize("observed", [50, 10])
def test_untrained_simlpe_forecasts_nearly_zero_velocity(observed: int) -> None:
    torch.manual_seed(0)
    model = SiMLPe(BODY, SiMLPeConfig(observed=observed))
    x = torch.randn(8, observed, 4, 3)  # normalised features have unit variance
    moved = motion(model, x).detach() - x[:, -1:]
    assert 0 < float(moved.std()) < 0.05


def test_simlpe_has_the_papers_size() -> None:
    """0.14 million with 22 joints of Human3.6M and 50 frames."""
    joints = tuple(f"joint{n}" for n in range(22))
    model = SiMLPe(Skeleton(name="chain", joints=joints, parents=tuple(range(-1, 21))))
    assert model.num_parameters == 48 * (50 * 50 + 50 + 2 * 66) + 2 * (66 * 66 + 66)
    assert round(model.num_parameters / 1e6, 2) == 0.14


def test_simlpe_learns_a_linear_motion() -> None:
    torch.manual_seed(0)
    model = SiMLPe(BODY, SiMLPeConfig(blocks=2, **SIZES))
    line = torch.randn(64, 1, 4, 3) + torch.arange(10.0)[:, None, None] * torch.randn(64, 1, 4, 3) * 0.3
    x, y = split(line)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in itertools.repeat(None, 150):
        loss = (motion(model, x) - y).norm(dim=-1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]


def test_simlpe_takes_no_negative_number_of_blocks() -> None:
    with pytest.raises(ConfigError, match="blocks -1"):
        SiMLPe(BODY, SiMLPeConfig(blocks=-1, **SIZES))
