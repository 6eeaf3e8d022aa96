"""Whole motion runs: what they leave behind, and that an interrupted one ends as if it had not been."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from motion_samples import make_splits
from moving_people import walker
from training_runs import SYMGNN, assert_same_run, checkpoint_of, lifting_recipe, log_of, motion_recipe, run_motion

import kinegraph as kg
from kinegraph.config import read_yaml
from kinegraph.errors import ConfigError, KinegraphError
from kinegraph.training.motion_setup import prepare
from kinegraph.training.motion_splits import MotionSplits
from kinegraph.training.motion_task import MotionTask
from kinegraph.training.motion_validation import MotionValidation
from kinegraph.training.recipe import read_recipe
from kinegraph.training.run import train
from kinegraph.weights import load_weights

SIMLPE = {"name": "simlpe", "blocks": 2}


def test_run_folder_and_weights(tmp_path: Path) -> None:
    splits = make_splits()
    result = run_motion(tmp_path / "run", splits, trainer={"tensorboard": True})
    names = sorted(path.name for path in result.folder.iterdir())
    assert names == ["best", "last.ckpt", "log.csv", "recipe.yaml", "run.json", "tensorboard"]
    assert (result.status, result.step) == ("finished", 12)
    assert read_recipe(read_yaml(result.folder / "recipe.yaml")) == motion_recipe(
        tmp_path / "run", trainer={"tensorboard": True}
    )
    rows = log_of(result.folder)
    assert [int(row["step"]) for row in rows] == [3, 4, 6, 8, 9, 12]
    assert list(rows[0]) == [
        *("step", "epoch", "lr", "train_loss", "train_recognition", "train_forecasting", "lambda"),
        *("val_loss", "val_euler", "val_error_rate"),
    ]
    assert all(0 <= float(row["lambda"]) <= 1 for row in rows)
    for row in rows:
        parts = [float(row["train_recognition"]), float(row["train_forecasting"])]
        assert min(parts) <= float(row["train_loss"]) <= max(parts)
    found = {int(row["step"]): float(row["val_euler"]) for row in rows if row["val_euler"]}
    assert result.best == min(found.values()) == found[result.best_step]
    written = json.loads((result.folder / "run.json").read_text())
    assert written["best"] == {"step": result.best_step, "validation_euler": result.best}
    assert written["data"]["train"]["fingerprint"] == splits.train.fingerprint
    loaded = load_weights(result.weights)
    assert (loaded.task, loaded.model_name, loaded.skeleton) == ("motion", "symgnn", splits.train.skeleton)
    assert loaded.transform.actions == splits.train.actions  # type: ignore[union-attr]
    assert loaded.metadata["checkpoint"]["chosen_by"] == "lowest validation Euler error"
    assert loaded.metadata["metrics"]["validation_euler"] == result.best
    task = MotionTask(loaded.model, loaded.transform, steps=1, steps_per_epoch=1)  # type: ignore[arg-type]
    again = task.evaluate(MotionValidation(splits.validation, loaded.transform))  # type: ignore[arg-type]
    assert again["euler"] == pytest.approx(result.best, rel=1e-6)


VARIANTS: dict[str, dict[str, Any]] = {
    "mgda, dropout, mirror, tempo": {
        "augment": {"mirror": 0.5, "speed": [0.8, 1.2], "noise": 0.01},
        "optim": {"ema": 0.99, "clip": 1.0},
        "data": {"sampling": "actions"},
    },
    "upper bound, sgd": {
        "objective": {"balance": "mgda-ub"},
        "optim": {"name": "sgd", "lr": 0.01},
        "schedule": {"name": "exponential", "gamma": 0.1, "every": 2},
    },
    "forecasting, velocity, bf16": {
        "model": SIMLPE,
        "transform": {"recognise": False},
        "objective": {"velocity": 1.0, "space": "raw"},
        "optim": {"loss": "mpjpe", "name": "adamw"},
        "trainer": {"precision": "bf16"},
    },
    "recognition": {"transform": {"horizon": 0}, "augment": {"shuffle_labels": 0.2}},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = VARIANTS[variant]
    run_motion(tmp_path / "straight", **changes)
    step = MotionTask.training_step

    def dies(self: MotionTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 8:
            raise RuntimeError("pulled the plug")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(MotionTask, "training_step", dies)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            run_motion(tmp_path / "killed", **changes)
    assert checkpoint_of(tmp_path / "killed")["global_step"] == 5
    torch.manual_seed(99)  # whatever has happened to the generators meanwhile
    assert run_motion(tmp_path / "killed", resume=True, **changes).status == "finished"
    assert_same_run(tmp_path / "straight", tmp_path / "killed")


def test_early_stopping_by_the_chosen_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([50.0, 40.0, 40.0, 45.0, 10.0])
    found = {"loss": 0.0, "euler": 1.0, "cross_entropy": 1.0}
    monkeypatch.setattr(MotionTask, "evaluate", lambda *_: {**found, "error_rate": next(errors)})
    settings = {"validate_every": 2, "patience": 2, "monitor": "recognition"}
    result = run_motion(tmp_path / "run", trainer=settings)
    assert (result.status, result.step, result.best_step, result.best) == ("stopped early", 8, 4, 40.0)
    assert load_weights(result.weights).metadata["checkpoint"]["chosen_by"] == "lowest validation error rate"


def test_a_fitted_network_goes_the_same_way(tmp_path: Path) -> None:
    splits = MotionSplits(make_splits().train, make_splits().train)
    settings: dict[str, Any] = {"model": {"name": "ridge", "strength": 1e-3}, "transform": {"recognise": False}}
    result = run_motion(tmp_path / "run", splits, **settings, trainer={"steps": None, "batch": 8})
    assert sorted(path.name for path in result.folder.iterdir()) == ["best", "log.csv", "recipe.yaml", "run.json"]
    assert result.status == "finished"
    loaded = load_weights(result.weights)
    assert bool(loaded.model.fitted)
    rows = log_of(result.folder)
    assert [float(row["val_euler"]) for row in rows] == [result.best]
    # On its own training clips: a few sines, which are a linear function of their past.
    still = MotionTask(loaded.model, loaded.transform, steps=1, steps_per_epoch=1)  # type: ignore[arg-type]
    validation = MotionValidation(splits.validation, loaded.transform)  # type: ignore[arg-type]
    last = torch.stack([validation.inputs(validation.rows(None))[:, -1]] * 3, dim=1)
    assert result.best < 0.5 * validation.forecasting_error(last, validation.rows(None))
    assert still.evaluate(validation)["euler"] == pytest.approx(result.best)
    with pytest.raises(ConfigError, match="fitted by one process"):
        run_motion(tmp_path / "two", splits, **settings, trainer={"devices": 2})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "zero_velocity"}}, "zero_velocity has nothing to learn; evaluate it by its name"),
        ({"model": {"name": "fcn"}}, "fcn is for task lift and the recipe for motion; set task: lift"),
        ({"model": {**SYMGNN, "observed": 9}}, "model.observed: found 9, but the recipe's transform gives 8"),
        ({"model": {**SYMGNN, "widht": 9}}, r"model.widht: unknown key; did you mean 'width'\?"),
        ({"trainer": {"devices": 2, "compile": True}}, "trainer.compile: joint batch norm"),
    ],
)
def test_mistakes_come_before_any_work(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_motion(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_lifting_run_is_not_resumed_as_a_motion_run(tmp_path: Path) -> None:
    run_motion(tmp_path / "run")
    with pytest.raises(ConfigError, match="task: .* was begun with 'motion', the recipe says 'lift'"):
        train(lifting_recipe(tmp_path / "run"), resume=True, quiet=True)


@pytest.mark.parametrize("model", [{**SYMGNN, "parts": False}, {"name": "ridge", "strength": 1e-3}])
def test_what_cannot_be_trained_on_is_said_and_listed(
    tmp_path: Path, model: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "mine"
    (source / "walk").mkdir(parents=True)
    for take in range(3):
        kg.save(walker(seed=take), source / "walk" / f"good{take}.npz")
    (source / "walk" / "broken.bvh").write_text("HIERARCHY\nnonsense\n")
    kg.save(walker().replace(fps=None), source / "norate.npz")
    two = walker(people=2)
    positions = two.positions.copy()
    positions[1, 5:] = float("nan")
    kg.save(two.replace(positions=positions, confidence=None, rotations=None, offsets=None), source / "passing.npz")
    settings: dict[str, Any] = {
        "model": model,
        "data": {"name": "recordings", "source": str(source)},
        "transform": {"recognise": False, "root": "heading"},
    }
    settings["trainer"] = {"steps": 2 if model["name"] == "symgnn" else None, "batch": 4}
    train(motion_recipe(tmp_path / "run", **settings), quiet=True)
    rows = list(csv.DictReader((tmp_path / "run" / "bad.csv").open()))
    assert [row["file"] for row in rows] == ["norate.npz", "passing.npz", "walk/broken.bvh"]
    assert rows[1]["reason"] == "#2: 5 frames at 60 a second, 11 are needed"
    listed = tmp_path / "run" / "bad.csv"
    start = f"2 of 6 files and parts of 1 left out, {listed} says why; the first: norate.npz: "
    said = capsys.readouterr().err
    assert said == start + rows[0]["reason"] + "\n"
    assert "states no frame rate" in said


def test_a_list_of_ones_own_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("my notes")
    for resume in (False, True):
        with pytest.raises(KinegraphError, match=r"bad.csv is not of a run, and would be overwritten"):
            run_motion(tmp_path, resume=resume)
    assert (tmp_path / "bad.csv").read_text() == "my notes"
    run_motion(tmp_path / "run")
    (tmp_path / "run" / ".bad.0123abcd.part.csv").write_text("half")
    run_motion(tmp_path / "run", resume=True)
    assert not list((tmp_path / "run").glob(".bad*"))


@pytest.mark.parametrize("stream", ["bone", "dual", "joint"])
@pytest.mark.parametrize("representation", ["positions", "expmap"])
def test_bones_of_positions_are_in_one_unit(tmp_path: Path, stream: str, representation: str) -> None:
    """Bones, child minus parent, stay as they are when the whole body moves: all channels share one scale."""
    splits = make_splits(representation=representation)

    def scales(per_channel: bool | None) -> int:
        wanted = motion_recipe(
            tmp_path,
            model={**SYMGNN, "stream": stream},
            transform={"recognise": False, "per_channel": per_channel},
        )
        return len({value for row in prepare(wanted, splits).transform.scale for value in row} - {0.0})

    whole = representation == "positions" and stream != "joint"
    assert (scales(None) == 1) == whole
    assert scales(False) == 1
    if whole:
        with pytest.raises(ConfigError, match=f"model.stream '{stream}' sees bones, child minus parent in one unit"):
            scales(True)
    else:
        assert scales(True) > 1
