"""Whole recognition runs: what they leave behind, and that an interrupted one ends as if it had not been."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from clip_samples import ACTIONS, SmallClips, make_clip_splits
from training_runs import HCSF, STGCN, assert_same_run, checkpoint_of, log_of, recognition_recipe, run_recognition

from kinegraph.config import read_yaml
from kinegraph.datasets.action_splits import split
from kinegraph.datasets.seen_clips import marks_in
from kinegraph.errors import ConfigError, DataError, KinegraphError
from kinegraph.evaluation.clip_recognition import evaluate_clips, load_clip_method
from kinegraph.store.memory import MemoryClips
from kinegraph.training.clip_data_module import ClipSplits
from kinegraph.training.recipe import read_recipe
from kinegraph.training.recognition_task import RecognitionTask
from kinegraph.training.run import train
from kinegraph.transforms.clips import ClipTransform
from kinegraph.weights import load_weights


def alone(splits: ClipSplits) -> ClipSplits:
    """Nothing held out."""
    return ClipSplits(splits.clips, splits.train, np.zeros(0, dtype=np.int64))


def test_run_folder_and_weights(tmp_path: Path) -> None:
    splits = make_clip_splits()
    result = run_recognition(tmp_path / "run", splits, trainer={"tensorboard": True})
    names = sorted(path.name for path in result.folder.iterdir())
    assert names == ["best", "last.ckpt", "log.csv", "recipe.yaml", "run.json", "tensorboard"]
    assert (result.status, result.step) == ("finished", 6)
    again = read_recipe(read_yaml(result.folder / "recipe.yaml"))
    assert again == recognition_recipe(tmp_path / "run", trainer={"tensorboard": True})
    rows = log_of(result.folder)
    assert [int(row["step"]) for row in rows] == [2, 3, 4, 6]
    found = {int(row["step"]): float(row["val_error_rate"]) for row in rows if row["val_error_rate"]}
    assert result.best == min(found.values()) == found[result.best_step]
    written = json.loads((result.folder / "run.json").read_text())
    assert written["best"] == {"step": result.best_step, "validation_error_rate": result.best}
    assert written["data"]["train"] | {"name": ""} == {
        "name": "",
        "clips": 8,
        "frames": int(splits.clips.frames[:8].sum()),
        "fingerprint": splits.clips.fingerprint,
        "fps": 30.0,
    }
    loaded = load_weights(result.weights, task="recognition")
    assert (loaded.model_name, loaded.skeleton) == ("stgcn", splits.clips.skeleton)
    assert isinstance(loaded.transform, ClipTransform)
    assert (loaded.transform.actions, loaded.transform.people, loaded.transform.fps) == (ACTIONS, 2, 30.0)
    assert loaded.metadata["checkpoint"]["chosen_by"] == "lowest validation error rate"
    assert loaded.metadata["metrics"]["validation_error_rate"] == result.best
    assert loaded.metadata["parameters"] == loaded.parameters == result.parameters > 0
    task = RecognitionTask(loaded.model, loaded.transform, steps=1, steps_per_epoch=1)
    assert task.evaluate(splits.clips, splits.validation)["error_rate"] == pytest.approx(result.best)


VARIANTS: dict[str, dict[str, Any]] = {
    "dropout, averaged, clipped, changed clips, sgd": {
        "optim": {"name": "sgd", "lr": 0.05, "clip": 1.0, "ema": 0.9, "weight_decay": 1e-3},
        "augment": {"rotation": 0.3, "drop": 0.2, "crop": 0.8},
        "schedule": {"name": "steps", "gamma": 0.1, "milestones": [2]},
        "objective": {"class_weights": "balanced", "label_smoothing": 0.1},
    },
    "bf16, all frames, last weights": {
        "model": HCSF,
        "transform": {"sampling": "all", "stream": "bone-motion", "prenormalise": "2s-agcn"},
        "trainer": {"precision": "bf16", "keep": "last"},
        "optim": {"name": "adamw"},
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path: Path, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = VARIANTS[variant]
    run_recognition(tmp_path / "straight", **changes)
    step = RecognitionTask.training_step

    def dies(self: RecognitionTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 5:
            raise RuntimeError("pulled the plug")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(RecognitionTask, "training_step", dies)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            run_recognition(tmp_path / "killed", **changes)
    assert checkpoint_of(tmp_path / "killed")["global_step"] == 4
    torch.manual_seed(99)  # whatever has happened to the generators meanwhile
    assert run_recognition(tmp_path / "killed", resume=True, **changes).status == "finished"
    assert_same_run(tmp_path / "straight", tmp_path / "killed")


def test_bf16_learns_in_bf16_and_validates_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = []
    step, evaluate = RecognitionTask.training_step, RecognitionTask.evaluate

    def stepped(self: RecognitionTask, batch: Any, batch_idx: int) -> Any:
        kinds.append(("train", torch.is_autocast_enabled("cpu"), batch.inputs.dtype))
        return step(self, batch, batch_idx)

    def evaluated(self: RecognitionTask, *given: Any) -> Any:
        found = evaluate(self, *given)
        kinds.append(("evaluate", self.model.classifier.weight.dtype))  # type: ignore[union-attr, arg-type]
        return found

    monkeypatch.setattr(RecognitionTask, "training_step", stepped)
    monkeypatch.setattr(RecognitionTask, "evaluate", evaluated)
    result = run_recognition(tmp_path / "run", trainer={"precision": "bf16", "steps": 1, "validate_every": 1})
    assert kinds == [("train", True, torch.float32), ("evaluate", torch.float32)]
    assert np.isfinite(result.best)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["precision"] == "bf16"


def test_early_stopping_and_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for keep, chosen in (("best", "lowest validation error rate"), ("last", "last step")):
        errors = iter([50.0, 40.0, 40.0, 45.0, 10.0])
        monkeypatch.setattr(
            RecognitionTask, "evaluate", lambda *_, errors=errors: {"loss": 0.0, "error_rate": next(errors)}
        )
        settings = {"validate_every": 1, "patience": 2, "keep": keep}
        result = run_recognition(tmp_path / keep, trainer=settings)
        assert (result.status, result.step) == ("stopped early", 4)
        assert (result.best_step, result.best) == ((2, 40.0) if keep == "best" else (4, 45.0))
        loaded = load_weights(result.weights)
        assert loaded.metadata["checkpoint"]["chosen_by"] == chosen
        assert loaded.metadata["checkpoint"]["step"] == result.best_step
        last = checkpoint_of(result.folder)["state_dict"]
        same = all(torch.equal(value, last[f"model.{name}"]) for name, value in loaded.model.state_dict().items())
        assert same == (keep == "last")


def _validations(monkeypatch: pytest.MonkeyPatch, *found: tuple[float, float]) -> None:
    """Validations that find these error rates and losses, one after the other."""
    left = iter(found)
    monkeypatch.setattr(
        RecognitionTask, "evaluate", lambda *_: dict(zip(("error_rate", "loss"), next(left), strict=True))
    )


def test_of_equal_error_rates_the_lower_loss_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of few validation clips many rates are equal; the first of them was kept."""
    each: dict[str, Any] = {"validate_every": 1}
    ties = ((50.0, 0.1), (40.0, 3.0), (40.0, 1.0), (40.0, 2.0), (45.0, 0.5), (40.0, 1.0))
    _validations(monkeypatch, *ties)
    result = run_recognition(tmp_path / "run", trainer=each)
    assert (result.status, result.best_step, result.best) == ("finished", 3, 40.0)
    kept = load_weights(result.weights).metadata
    assert (kept["checkpoint"]["step"], kept["metrics"]["validation_loss"]) == (3, 1.0)
    _validations(monkeypatch, *ties)  # a lower loss is no lower error: patience counts as it did
    stopped = run_recognition(tmp_path / "patience", trainer={**each, "patience": 2})
    assert (stopped.status, stopped.step, stopped.best_step) == ("stopped early", 4, 3)


def test_a_resumed_run_knows_the_loss_of_what_it_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each: dict[str, Any] = {"validate_every": 1, "steps": 2}
    level = {"name": "constant"}
    for folder in ("new", "old"):
        _validations(monkeypatch, (40.0, 1.0), (50.0, 9.0))
        run_recognition(tmp_path / folder, schedule=level, trainer=each)
    content = checkpoint_of(tmp_path / "old")
    (keeper,) = content["callbacks"].values()
    assert keeper.pop("kept_tie") == 1.0
    torch.save(content, tmp_path / "old" / "last.ckpt")  # as it was written before
    for folder, step in (("new", 4), ("old", 5)):
        _validations(monkeypatch, (40.0, 2.0), (40.0, 0.5), (30.0 if folder == "old" else 40.0, 0.7))
        result = run_recognition(tmp_path / folder, resume=True, schedule=level, trainer={**each, "steps": 5})
        assert result.best_step == step


def test_what_is_trained_and_validated_on_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    splits = make_clip_splits()
    few = len(splits.validation)
    for name, keep, warned in (("a", "best", True), ("b", "last", False)):
        train(recognition_recipe(tmp_path / name, trainer={"keep": keep, "steps": 1}), splits=splits)
        said = capsys.readouterr().err.splitlines()
        assert said[0] == f"8 clips train, {few} validate"
        assert said[1].startswith(f"warning: {few} clips choose the weights") == warned
        assert ("--data.held_out" in said[1]) == warned
    train(recognition_recipe(tmp_path / "c", trainer={"steps": 1}), splits=splits, quiet=True)
    assert capsys.readouterr().err == ""


def test_the_last_weights_of_a_run_that_holds_nothing_out(tmp_path: Path) -> None:
    splits = alone(make_clip_splits())
    with pytest.raises(ConfigError, match="trainer.keep: found best, but nothing is held out .* .--trainer.keep last"):
        run_recognition(tmp_path / "run", splits)
    result = run_recognition(tmp_path / "run", splits, trainer={"keep": "last"})
    assert result.monitor.label == "training error rate"
    again = run_recognition(tmp_path / "run", splits, resume=True, trainer={"keep": "last"})
    assert (again.best_step, again.best) == (result.best_step, result.best) == (6, result.best)


def test_compiled_steps_are_the_same_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compile_cheaply(model: Any) -> Any:
        compiled.append(model)
        return real(model, backend="eager")

    real = torch.compile
    monkeypatch.setattr(torch, "compile", compile_cheaply)
    changes: dict[str, Any] = {"model": {**STGCN, "dropout": 0.0}}
    small = partial(run_recognition, trainer={"steps": 2, "compile": True}, **changes)
    small(tmp_path / "compiled")
    assert len(compiled) == 1
    run_recognition(tmp_path / "plain", trainer={"steps": 2}, **changes)
    one, two = (checkpoint_of(tmp_path / name)["state_dict"] for name in ("compiled", "plain"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name], atol=1e-5, rtol=1e-4)


def test_resume_with_other_clips_is_refused(tmp_path: Path) -> None:
    run_recognition(tmp_path / "run")
    with pytest.raises(DataError, match="the data of synthetic-recognition are not those"):
        run_recognition(tmp_path / "run", make_clip_splits(seed=1), resume=True, trainer={"steps": 8})


@pytest.mark.parametrize(
    ("model", "more"), [({"name": "nearest", "frames": 6}, {}), ({"name": "linear"}, {"augment": {"noise": 0.01}})]
)
def test_a_fitted_model_goes_the_same_way(tmp_path: Path, model: dict[str, Any], more: dict[str, Any]) -> None:
    splits = alone(make_clip_splits())
    length: dict[str, Any] = {"keep": "last", "steps": None, "epochs": 2}
    if model["name"] == "nearest":
        with pytest.raises(ConfigError, match="model.frames: found 6, but the data and the recipe's transform gives 8"):
            run_recognition(tmp_path / "no", splits, model=model, trainer=length)
        model = {"name": "nearest"}
    result = run_recognition(tmp_path / "run", splits, model=model, trainer=length, **more)
    assert sorted(path.name for path in result.folder.iterdir()) == ["best", "log.csv", "recipe.yaml", "run.json"]
    loaded = load_weights(result.weights)
    assert bool(loaded.model.fitted)
    assert loaded.parameters == result.parameters == loaded.metadata["parameters"] > 0
    assert json.loads((result.folder / "run.json").read_text())["parameters"] == result.parameters
    if model["name"] == "nearest":
        assert loaded.model.config.examples == len(loaded.model.labels) == 8  # type: ignore[union-attr, arg-type]
        assert result.best == 0  # every clip is its own nearest
    assert isinstance(loaded.transform, ClipTransform)
    task = RecognitionTask(loaded.model, loaded.transform, steps=1, steps_per_epoch=1)
    assert task.evaluate(splits.clips, splits.train)["error_rate"] == pytest.approx(result.best)
    with pytest.raises(KinegraphError, match="holds a run already; add --resume"):
        run_recognition(tmp_path / "run", splits, model=model, trainer=length, **more)
    with pytest.raises(ConfigError, match=r"seed: .* was begun with 0, the recipe says 1"):
        run_recognition(tmp_path / "run", splits, resume=True, model=model, trainer=length, seed=1, **more)
    with pytest.raises(DataError, match="the data of synthetic-recognition are not those"):
        run_recognition(
            tmp_path / "run", alone(make_clip_splits(seed=1)), resume=True, model=model, trainer=length, **more
        )
    again = run_recognition(tmp_path / "run", splits, resume=True, model=model, trainer=length, **more)
    assert again.best == result.best
    with pytest.raises(ConfigError, match="fitted by one process"):
        run_recognition(tmp_path / "two", splits, model=model, trainer={**length, "devices": 2})


def test_weights_know_which_clips_of_ones_own_they_have_seen(tmp_path: Path) -> None:
    """The folder may be another when they are tested."""
    clips = MemoryClips(SmallClips([0, 1, 2] * 5), "mine")
    tested = split(clips, "folder", "test")
    splits = ClipSplits(clips, np.setdiff1d(np.arange(12), tested[:1]), np.setdiff1d([12, 13, 14], tested[:1]))
    own: dict[str, Any] = {"protocol": "folder", "source": "mine"}
    method = load_clip_method(run_recognition(tmp_path / "run", splits, model={"name": "linear"}, data=own).weights)
    assert "names" not in method.info["trained_on"]
    assert marks_in(method.seen, clips.names) == [row != tested[0] for row in range(15)]
    found = "2 of these 3 clips trained these weights (under folder, by their names): no test of anything"
    assert marks_in(method.trained, clips.names) == [row in splits.train for row in range(15)]
    other = MemoryClips(SmallClips([0, 1, 2] * 5, seed=1), "mine")
    assert found in evaluate_clips(method, other, "folder").notes


def test_weights_know_which_clips_they_have_seen_where_parts_are_named(tmp_path: Path) -> None:
    """What is held out of the part that trains is another choice in a folder that has grown."""
    clips = MemoryClips(SmallClips([0, 1, 2] * 5), "mine")
    clips.splits = (("train",),) * 12 + (("test",),) * 3
    splits = ClipSplits(clips, np.arange(9), np.arange(9, 12))
    own: dict[str, Any] = {"protocol": "folder", "source": "mine"}
    method = load_clip_method(run_recognition(tmp_path / "run", splits, model={"name": "linear"}, data=own).weights)
    assert marks_in(method.trained, clips.names) == [row < 9 for row in range(15)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"name": "fcn"}}, "model.name: fcn is for task lift and the recipe for recognition; set task: lift"),
        (
            {"model": {"name": "symgnn"}},
            "model.name: symgnn is for task motion and the recipe for recognition; set task: motion",
        ),
        ({"model": {"name": "stgnc"}}, "did you mean 'stgcn'"),
        ({"model": {**STGCN, "classes": 9}}, "model.classes: found 9, but the data and .* gives 3; leave it out"),
        ({"model": {**STGCN, "widht": 9}}, r"model.widht: unknown key; did you mean 'width'\?"),
        ({"trainer": {"devices": 2, "compile": True}}, "trainer.compile: joint batch norm"),
        ({"trainer": {"batch": 18, "devices": 9}}, "8 training clips a step for 9 processes"),
    ],
)
def test_mistakes_come_before_any_work(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_recognition(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_recognisers_are_no_models_of_the_other_tasks(tmp_path: Path) -> None:
    for task in ("lift", "motion"):
        settings = {"task": task, "model": {"name": "stgcn"}, "out": str(tmp_path / "run")}
        settings["trainer"] = {"tensorboard": False}
        with pytest.raises(ConfigError, match="stgcn"):
            train(read_recipe(settings), quiet=True)
    assert not (tmp_path / "run").exists()
