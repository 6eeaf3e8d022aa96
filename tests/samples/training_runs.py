"""Recipes of runs that take a second, those runs, and what is compared of the folders they leave."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, TypeVar

import torch
from clip_samples import make_clip_splits
from motion_samples import make_splits

from kinegraph.training.clip_data_module import ClipSplits
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.motion_splits import MotionSplits
from kinegraph.training.recipe import LiftingRecipe, MotionRecipe, RecognitionRecipe, read_recipe
from kinegraph.training.run import RunResult, train
from kinegraph.weights import load_weights

Kind = TypeVar("Kind", LiftingRecipe, MotionRecipe, RecognitionRecipe)
FCN = {"name": "fcn", "width": 16}
SYMGNN = {"name": "symgnn", "width": 0.05, "agim_width": 8, "differences": [0], "backbone": "light"}
STGCN = {"name": "stgcn", "width": 0.05}
HCSF = {"name": "hcsf_recognizer", "width": 0.05, "dynamic": "m+alpha_o", "dynamic_kernel": 3}


def _read(kind: type[Kind], recipe: dict[str, Any], changes: dict[str, Any]) -> Kind:
    """A recipe with other fields; a model is another one, not the same with other options."""
    recipe["trainer"] |= {"accelerator": "cpu", "tensorboard": False}
    for key, value in changes.items():
        merge = isinstance(value, dict) and key in recipe and key != "model"
        recipe[key] = {**recipe[key], **value} if merge else value
    found = read_recipe(recipe)
    assert isinstance(found, kind)
    return found


def lifting_recipe(out: Path, **changes: Any) -> LiftingRecipe:
    recipe = {
        "model": FCN,
        "transform": {"target": "metric"},
        "trainer": {"steps": 24, "batch": 25, "validate_every": 6, "checkpoint_every": 10, "log_every": 5},
        "out": str(out),
    }
    return _read(LiftingRecipe, recipe, changes)


def motion_recipe(out: Path, **changes: Any) -> MotionRecipe:
    recipe = {
        "task": "motion",
        "model": SYMGNN,
        "transform": {"observed": 8, "horizon": 3, "recognise": True},
        "trainer": {"steps": 12, "batch": 12, "validate_every": 4, "checkpoint_every": 5, "log_every": 3},
        "out": str(out),
    }
    return _read(MotionRecipe, recipe, changes)


def recognition_recipe(out: Path, **changes: Any) -> RecognitionRecipe:
    recipe = {
        "task": "recognition",
        "model": STGCN,
        "transform": {"frames": 8},
        "trainer": {"steps": 6, "batch": 4, "validate_every": 2, "checkpoint_every": 2, "log_every": 3},
        "out": str(out),
    }
    return _read(RecognitionRecipe, recipe, changes)


def run_lifting(out: Path, splits: LiftingSplits, *, resume: bool = False, **changes: Any) -> RunResult:
    return train(lifting_recipe(out, **changes), resume=resume, quiet=True, splits=splits)


def run_motion(out: Path, splits: MotionSplits | None = None, *, resume: bool = False, **changes: Any) -> RunResult:
    return train(motion_recipe(out, **changes), resume=resume, quiet=True, splits=splits or make_splits())


def run_recognition(out: Path, splits: ClipSplits | None = None, *, resume: bool = False, **changes: Any) -> RunResult:
    return train(recognition_recipe(out, **changes), resume=resume, quiet=True, splits=splits or make_clip_splits())


def checkpoint_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(out / "last.ckpt", weights_only=True)
    return found


def log_of(out: Path) -> list[dict[str, str]]:
    """The rows of a run's log, but for the clock."""
    with (out / "log.csv").open() as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def assert_same_run(one: Path, two: Path) -> None:
    """Bitwise: weights, optimiser state, log (but for the clock) and the kept best."""
    a, b = checkpoint_of(one), checkpoint_of(two)
    assert a["global_step"] == b["global_step"]
    for name, value in a["state_dict"].items():
        assert torch.equal(value, b["state_dict"][name]), name
    for index, state in a["optimizer_states"][0]["state"].items():
        for key, value in state.items():
            assert torch.equal(value, b["optimizer_states"][0]["state"][index][key])
    if a["averaged"] is not None:
        for name, value in a["averaged"].items():
            assert torch.equal(value, b["averaged"][name]), name
    assert log_of(one) == log_of(two)
    kept = [load_weights(out / "best") for out in (one, two)]
    assert kept[0].metadata["checkpoint"] == kept[1].metadata["checkpoint"]
    for name, value in kept[0].model.state_dict().items():
        assert torch.equal(value, kept[1].model.state_dict()[name])
