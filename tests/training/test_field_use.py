"""Which fields have no effect: against the schedules, optimisers and samplings themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_runs import run_motion, run_recognition

from kinegraph.config import to_dict
from kinegraph.errors import ConfigError
from kinegraph.skeleton import get_skeleton
from kinegraph.training.field_use import OF_DESCENT, USED, check_used
from kinegraph.training.recipe import RunRecipe, load_recipe, read_recipe
from kinegraph.training.recipe_parts import DescentRecipe, ScheduleRecipe
from kinegraph.training.schedule import rate
from kinegraph.training.task import Monitor, TrainingTask
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import PreNormalise
from kinegraph.weights import load_weights

SCHEDULES = {
    "exponential": ScheduleRecipe(name="exponential"),
    "steps": ScheduleRecipe(name="steps", milestones=(2,)),
    "cosine": ScheduleRecipe(name="cosine"),
    "one-cycle": ScheduleRecipe(name="one-cycle", warmup=0.2),
    "constant": ScheduleRecipe(name="constant"),
}
OTHERWISE: dict[str, Any] = {
    "schedule.gamma": 0.5,
    "schedule.every": 3,
    "schedule.final": 0.3,
    "schedule.warmup": 0.4,
    "optim.betas": (0.5, 0.9),
    "optim.momentum": 0.2,
    "optim.lr": 0.5,
    "optim.weight_decay": 0.5,
    "transform.frames": 5,
}


def used(field: str, kind: str) -> bool:
    return field not in USED or kind in USED[field][1]


def curve(schedule: ScheduleRecipe) -> list[float]:
    return [rate(schedule, step, 40, 4) for step in range(40)]


def descended(optim: DescentRecipe) -> torch.Tensor:
    """A weight after three steps."""
    torch.manual_seed(0)
    model = torch.nn.Linear(2, 1)
    monitor = Monitor(key="x", label="x")
    task = TrainingTask(model, monitor=monitor, losses=("loss",), found=("x",), optim=optim, steps=3, steps_per_epoch=1)
    optimizer = task.configure_optimizers()["optimizer"]
    for scale in (1.0, -3.0, 2.0):
        optimizer.zero_grad()
        (scale * model(torch.tensor([[1.0, 2.0]]))).square().sum().backward()
        optimizer.step()
    return model.weight.detach()


def seen(transform: ClipTransform) -> list[int]:
    clip = np.random.default_rng(0).normal(size=(1, 9, 25, 3))
    return list(transform.encode(clip, get_skeleton("ntu25"))[0].shape)


def cases() -> list[tuple[str, str]]:
    kinds = {"schedule": SCHEDULES, "optim": ("adam", "adamw", "sgd")}
    kinds["transform"] = ("resize", "uniform", "window", "repeat", "all")
    return [(field, kind) for field in OTHERWISE for kind in kinds[field.split(".")[0]]]


@pytest.mark.parametrize(("field", "kind"), cases())
def test_what_is_said_to_be_used_is_and_nothing_else(field: str, kind: str) -> None:
    part, name = field.split(".")
    change = {name: OTHERWISE[field]}
    if part == "schedule":
        changed = curve(replace(SCHEDULES[kind], **change)) != curve(SCHEDULES[kind])
    elif part == "optim":
        before = DescentRecipe(name=kind)  # type: ignore[arg-type]
        changed = not torch.equal(descended(replace(before, **change)), descended(before))
    else:
        plain = ClipTransform(sampling=kind, prenormalise=PreNormalise(convention="none"))  # type: ignore[arg-type]
        changed = seen(replace(plain, **change)) != seen(plain)
    assert changed == used(field, kind)


def test_every_field_that_is_named_is_tried() -> None:
    assert set(USED) <= set(OTHERWISE)
    assert {*(f"trainer.{name}" for name in DESCENT["trainer"]), "optim.", "schedule.", "objective."} == set(OF_DESCENT)


def of(**changes: Any) -> RunRecipe:
    return read_recipe({"task": "recognition", "model": {"name": "stgcn"}, **changes})


def test_a_field_of_another_kind_is_refused_with_its_own() -> None:
    one_cycle = of(schedule={"name": "one-cycle", "warmup": 0.3})
    with pytest.raises(
        ConfigError,
        match=r"^schedule.gamma: it has no effect under schedule.name one-cycle; leave it out, or set "
        r"--schedule.name exponential or steps$",
    ):
        check_used([one_cycle], ["schedule.gamma"])
    with pytest.raises(ConfigError, match=r"optim.momentum: .* under optim.name adam; .* --optim.name sgd$"):
        check_used([one_cycle], ["optim.momentum"])
    with pytest.raises(ConfigError, match=r"transform.frames: .* under transform.sampling all; .* or "):
        check_used([of(transform={"sampling": "all"})], ["transform.frames"])
    check_used([one_cycle, of(schedule={"name": "exponential"})], ["schedule.gamma", "seed", "schedule.warmup"])
    motion = read_recipe({"task": "motion", "model": {"name": "simlpe"}})
    check_used([motion], ["transform.observed", "transform.frames"])  # no such field: not for here to say


@pytest.mark.parametrize(
    "given",
    [["--schedule.gamma", "0.1"], ["--schedule.gamma=0.95"], ["--schedule", "{name: cosine, gamma: 0.9}"]],
)
def test_what_the_command_line_gives_is_asked_and_what_a_file_holds_is_not(tmp_path: Path, given: list[str]) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("task: recognition\nmodel: {name: stgcn}\nschedule: {name: cosine, gamma: 0.7, every: 2}\n")
    assert to_dict(load_recipe(str(path)))["schedule"]["gamma"] == 0.7
    load_recipe(str(path), ["--schedule.name", "exponential", "--schedule.gamma", "0.1"])
    load_recipe(str(path), ["--schedule.name", "constant", "--optim.betas", "[0.8, 0.9]"])
    with pytest.raises(ConfigError, match="^my.yaml: schedule.gamma: it has no effect under schedule.name cosine"):
        load_recipe(str(path), given)
    assert load_recipe(str(path), given, all_used=False).schedule.gamma > 0


DESCENT: dict[str, Any] = {
    "optim": {"name": "sgd", "lr": 0.5, "weight_decay": 0.1, "momentum": 0.1, "clip": 1.0, "ema": 0.9},
    "schedule": {"name": "one-cycle", "warmup": 0.3, "final": 0.2, "gamma": 0.5, "every": 3},
    "trainer": {"validate_every": 3, "patience": 1, "checkpoint_every": 7, "checkpoint_minutes": 9.0, "log_every": 1,
                "precision": "bf16", "compile": True},
}  # fmt: skip


def fitted(out: Path, model: str, descent: Mapping[str, Any] | None = None, **more: Any) -> torch.Tensor:
    """All weights of a network that was fitted, by a recipe of which `descent` lays down how it would descend."""
    changes = {**(descent or {}), "model": {"name": model}, "trainer": dict((descent or {}).get("trainer", {}))}
    changes["trainer"] |= {"keep": "last", **more.pop("trainer", {})}
    if model == "ridge":
        result = run_motion(out, transform={"recognise": False}, **changes, **more)
    else:
        result = run_recognition(out, **changes, **more)
    state = load_weights(result.weights).model.state_dict()
    return torch.cat([state[name].double().flatten() for name in sorted(state)])


@pytest.mark.parametrize("model", ["ridge", "linear", "nearest"])
def test_what_is_fitted_has_nothing_of_a_descent(tmp_path: Path, model: str) -> None:
    changes: dict[str, Any] = DESCENT
    if model == "ridge":
        objective = {"balance": "fixed", "velocity": 1.0, "space": "raw", "label_smoothing": 0.1}
        changes = {**DESCENT, "optim": {**DESCENT["optim"], "loss": "mse"}, "objective": objective}
    plain = fitted(tmp_path / "plain", model)
    assert torch.equal(fitted(tmp_path / "other", model, changes), plain)
    longer = fitted(tmp_path / "longer", model, trainer={"steps": 9, "batch": 2})
    assert torch.equal(longer, plain) == (model != "ridge")
    if model == "linear":  # as often as there are epochs, changed anew
        shaken = {"augment": {"noise": 0.01}}
        once, twice = (fitted(tmp_path / f"{n}", model, trainer={"steps": None, "epochs": n}, **shaken) for n in (1, 2))
        assert not torch.equal(once, twice)


def test_what_only_a_descent_uses_is_refused_where_a_network_is_fitted() -> None:
    told = r"it has no effect under model.name ridge, which is fitted in closed form; leave it out$"
    for field in ("optim.lr", "optim.momentum", "schedule.name", "objective.velocity", "trainer.patience"):
        value = {"schedule.name": "cosine", "trainer.patience": "1"}.get(field, "0.5")
        with pytest.raises(ConfigError, match=rf"^ridge_cmu.yaml: {field}: {told}"):
            load_recipe("ridge_cmu", [f"--{field}", value])
    load_recipe("ridge_cmu", ["--trainer.steps", "9", "--trainer.batch", "8", "--trainer.keep", "last"])
    simlpe = read_recipe({"task": "motion", "model": {"name": "simlpe"}})
    ridge = read_recipe({"task": "motion", "model": {"name": "ridge"}})
    check_used([ridge, simlpe], ["optim.lr"])
    both = r"under model.name ridge, which is .* form or optim.name adam; leave it out, or set --optim.name sgd$"
    with pytest.raises(ConfigError, match=both):
        check_used([ridge, simlpe], ["optim.momentum"])


@pytest.mark.parametrize("model", ["linear", "nearest"])
def test_clips_that_do_not_change_are_seen_once(model: str) -> None:
    for field in ("epochs", "steps", "batch"):
        with pytest.raises(ConfigError, match=rf"trainer.{field}: it has no effect under model.name {model}, which"):
            load_recipe(f"recognize_{model}_hdm05", [f"--trainer.{field}", "4"])
    load_recipe(f"recognize_{model}_hdm05", ["--augment.noise", "0.01", "--trainer.epochs", "4"])
    load_recipe(f"recognize_{model}_hdm05", ["--trainer.validate_poses", "4", "--data.fold", "1", "--seed", "3"])
