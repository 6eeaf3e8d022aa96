"""`kinegraph train`: from a recipe's name or file to weights, and its errors."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import action_files
import numpy as np
import pytest
from lifting_samples import make_lifting_splits
from motion_samples import make_splits

from kinegraph.cli import main
from kinegraph.config import to_dict
from kinegraph.skeleton import get_skeleton
from kinegraph.training import lifting_setup, motion_setup, recognition_setup
from kinegraph.training.lifting_task import LiftingTask
from kinegraph.training.motion_task import MotionTask
from kinegraph.training.recipe import load_recipe, recipe_names
from kinegraph.weights import load_weights

FLOORS = ("nearest", "linear")
ONCE = ["--trainer.tensorboard", "false", "--trainer.accelerator", "cpu"]
TINY = ["--trainer.steps", "2", "--trainer.batch", "8", *ONCE]


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recipe trains on a hundred random poses."""
    monkeypatch.setattr(lifting_setup, "load_lifting_splits", lambda recipe: make_lifting_splits())


def out(folder: Path) -> list[str]:
    return ["--out", str(folder)]


def test_a_recipe_file_with_overrides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my.yaml").write_text("model: {name: fcn, width: 8}\ntrainer: {epochs: 50}\n")
    arguments = ["train", *out(tmp_path / "run"), str(tmp_path / "my.yaml"), *TINY, "--optim.lr=2e-3"]
    assert main(arguments) == 0
    printed, progress = capsys.readouterr()
    assert printed.startswith("finished at step 2: validation ")
    assert str(tmp_path / "run" / "best") in printed
    assert "step 2/2" in progress
    recipe = json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]
    assert recipe["optim"]["lr"] == 2e-3
    assert recipe["trainer"]["steps"] == 2


@pytest.mark.parametrize("name", [name for name in recipe_names() if name.startswith("lift_")])
def test_every_shipped_lifting_recipe_runs(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    width = "--model.width" if "_fcn_" in name else "--model.channels"
    assert main(["train", name, *TINY, *out(tmp_path / "run"), width, "8", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    loaded = load_weights(tmp_path / "run" / "best")
    assert loaded.transform.target == ("pixel" if name.endswith("pixel") else "metric")
    assert loaded.metadata["checkpoint"]["step"] == 2


@pytest.mark.parametrize("name", [name for name in recipe_names() if load_recipe(name).task == "motion"])
def test_every_shipped_motion_recipe_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe(name)
    only = {"ntu": "positions"}.get(recipe.data.name, "expmap")
    splits = make_splits(recipe.data.representation or only, heading=recipe.transform.root == "heading")
    monkeypatch.setattr(motion_setup, "load_motion_splits", lambda *_: splits)
    small = {"symgnn": ["--model.width", "0.05", "--model.agim_width", "8"], "simlpe": ["--model.blocks", "2"]}
    short = ["--transform.observed", "8", "--transform.horizon", "3"]
    if "frames" in recipe.model:
        short += ["--model.frames", "6"]
    command = ["train", name, *TINY, *out(tmp_path / "run"), *short, *small.get(recipe.model["name"], []), "--quiet"]
    assert main(command) == 0
    assert capsys.readouterr().err == ""
    loaded = load_weights(tmp_path / "run" / "best", task="motion")
    assert loaded.model_name == recipe.model["name"]
    assert loaded.metadata["checkpoint"]["step"] == 2


def _clips(recipe: Any) -> Any:
    """Clips of the recipe's protocol, two of each class that there is, in three or eleven classes."""
    from kinegraph.store import ActionClip, MemoryClips
    from kinegraph.training.clip_data_module import ClipSplits

    protocol = recipe.data.protocol
    name = {"kinetics-skeleton": "openpose18", "hdm05-11-one": "hdm05_31", "everyday": "h36m17"}.get(protocol, "ntu25")
    dims = 2 if protocol == "kinetics-skeleton" else 3
    rng = np.random.default_rng(0)
    clips = [
        ActionClip(name=f"{n}", label=n % 3, positions=rng.random((1, 9, get_skeleton(name).num_joints, dims)))
        for n in range(12)
    ]
    source = action_files.ListSource(clips, 3, skeleton=name)
    source.dims = dims
    every = np.arange(12)
    held = every[8:] if recipe.data.held_out else every[:0]
    return ClipSplits(MemoryClips(source, "somewhere"), every[:8], held)


@pytest.mark.parametrize("name", [name for name in recipe_names() if load_recipe(name).task == "recognition"])
def test_every_shipped_recognition_recipe_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe(name)
    monkeypatch.setattr(recognition_setup, "load_clip_splits", lambda *_: _clips(recipe))
    short = ["--transform.frames", "8"]
    short += ONCE if recipe.model["name"] in FLOORS else [*TINY, "--model.width", "0.1"]
    if recipe.model["name"] == "symgnn_recognizer":
        short += ["--model.agim_width", "4"]
    assert main(["train", name, *out(tmp_path / "run"), *short, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    loaded = load_weights(tmp_path / "run" / "best", task="recognition")
    assert loaded.model_name == recipe.model["name"]
    assert loaded.transform.channels == 3
    measure = {"error": "error rate", "loss": "cross entropy"}[recipe.trainer.monitor]
    assert loaded.metadata["checkpoint"]["chosen_by"] == (
        f"lowest validation {measure}" if recipe.data.held_out else "last step"
    )


def test_recipes_of_one_set_differ_in_the_network_alone() -> None:
    """What is compared on HDM05 is trained alike."""
    shared = None
    for name in recipe_names():
        if name.startswith("recognize_") and name.endswith("_hdm05") and load_recipe(name).model["name"] not in FLOORS:
            plain = to_dict(load_recipe(name))
            del plain["model"], plain["out"]
            assert shared in (None, plain), name
            shared = plain
    assert shared is not None
    for name in FLOORS:
        floor = load_recipe(f"recognize_{name}_hdm05")
        assert to_dict(floor.data) == shared["data"]
        assert to_dict(floor.transform) == shared["transform"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["recognize_stgcn_ntu"], "data.source: missing; give the folder of the clips of ntu60-xsub"),
        (["symgnn_cmu"], "data.source: missing; give the folder with the data of cmu-8"),
        (["symgnn_cmu", "--transform.root", "heading", "--data.source", "x"], "cmu-8 leaves the root's own motion out"),
        (["symgnn_cmu", "--augment.flip", "true"], "augment.flip: unknown key"),
        (["symgnn_cmu", "--task", "dance"], "task: found 'dance'"),
        ([], "which recipe?"),
        (["lift_fcn_synthetic_pixel", "--optin.lr", "1"], "optin: unknown key; did you mean 'optim'?"),
        (["lift_fcn_synthetic_pixel", "--optim.lr"], "--optim.lr: a value is missing"),
        (["lift_fcn_synthetic_pixel", "--model.chanels", "8"], "model.chanels: unknown key"),
        (["lift_fcn_synthetic_pixel", "--optim.momentum", "0.5"], "optim.momentum: it has no effect under"),
        (["lift_fcn_synthetic_pixel", "more"], "found 'more', expected an override"),
        (["lift_fcn_synthetik_pixel"], "did you mean 'lift_fcn_synthetic_pixel'?"),
        (["--list", "more"], "take nothing else"),
    ],
)
def test_mistakes(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("kinegraph: error: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--fields"]) == 0
    printed = capsys.readouterr().out
    assert "\noptim.lr = 0.001\n    Peak learning rate.\n" in printed
    assert "\nobjective.balance = mgda\n" in printed


def test_ctrl_c_stops_a_motion_run_that_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my.yaml").write_text(
        "task: motion\nmodel: {name: simlpe, blocks: 2}\ntransform: {observed: 8, horizon: 3}\n"
    )
    command = ["train", str(tmp_path / "my.yaml"), *TINY, *out(tmp_path / "run"), "--quiet"]
    command[command.index("--trainer.steps") + 1] = "6"
    step = MotionTask.training_step

    def pressed(self: MotionTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(MotionTask, "training_step", pressed)
        assert main(command) == 130
    assert "stopped at step 3 of 6; the same command with --resume continues" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert "finished at step 6: validation " in capsys.readouterr().out


def test_ctrl_c_then_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "lift_fcn_synthetic_metric", *TINY, *out(tmp_path / "run"), "--model.width", "8", "--quiet"]
    command[command.index("--trainer.steps") + 1] = "6"
    step = LiftingTask.training_step

    def pressed(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(LiftingTask, "training_step", pressed)
        assert main(command) == 130
    assert capsys.readouterr().err == (
        "kinegraph: interrupted: stopped at step 3 of 6; the same command with --resume continues\n"
    )
    assert main(command) == 2
    assert "add --resume to continue it" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert "finished at step 6" in capsys.readouterr().out
