"""Whole runs: what they leave behind, and that an interrupted one ends as if it had not been."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import FCN, assert_same_run, checkpoint_of, lifting_recipe, log_of, run_lifting

from kinegraph.config import from_dict, read_yaml
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.training.callbacks import RunKeeper
from kinegraph.training.lifting_data_module import LiftingTensors
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.lifting_task import LiftingTask
from kinegraph.training.recipe import LiftingRecipe
from kinegraph.training.schedule import rate
from kinegraph.training.stop_signals import StopSignals
from kinegraph.weights import load_weights


def test_run_folder(tmp_path: Path, splits: LiftingSplits) -> None:
    result = run_lifting(tmp_path / "a" / "b", splits, trainer={"tensorboard": True})
    folder = result.folder
    assert sorted(path.name for path in folder.iterdir()) == [
        *("best", "last.ckpt", "log.csv", "recipe.yaml", "run.json", "tensorboard"),
    ]
    assert (result.status, result.step, result.steps) == ("finished", 24, 24)
    assert from_dict(LiftingRecipe, read_yaml(folder / "recipe.yaml")) == lifting_recipe(
        folder, trainer={"tensorboard": True}
    )
    rows = log_of(folder)
    assert [int(row["step"]) for row in rows] == [5, 6, 10, 12, 15, 18, 20, 24]
    validations = {int(row["step"]): float(row["val_mpjpe_mm"]) for row in rows if row["val_mpjpe_mm"]}
    assert list(validations) == [6, 12, 18, 24]
    assert result.best == min(validations.values()) == validations[result.best_step]
    written = json.loads((folder / "run.json").read_text())
    assert written["status"] == "finished"
    assert written["data"]["train"]["fingerprint"] == splits.train.fingerprint
    assert written["parameters"] == result.parameters > 0
    assert written["best"] == {"step": result.best_step, "validation_mpjpe_mm": result.best}
    assert written["precision"] == "fp32"
    assert any(path.name.startswith("events") for path in (folder / "tensorboard").iterdir())


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("model", [{"name": "fcn", "width": 16}, {"name": "hcsf", "channels": 8, "dynamic": "m"}])
def test_weights_are_those_of_the_best_validation(
    tmp_path: Path, splits: LiftingSplits, model: dict[str, Any], average: float | None
) -> None:
    # Networks fold static graphs into their weights in eval mode: a fold kept from an earlier validation would show.
    result = run_lifting(tmp_path / "run", splits, model=model, optim={"ema": average})
    assert result.best_step > 6
    loaded = load_weights(result.weights)
    assert loaded.metadata["metrics"]["validation_mpjpe_mm"] == result.best
    assert loaded.metadata["checkpoint"]["chosen_by"] == "lowest validation MPJPE"
    assert loaded.metadata["seed"] == 0
    task = LiftingTask(loaded.model, loaded.transform, loaded.skeleton, steps=1, steps_per_epoch=1)
    tensors = LiftingTensors.encode(splits.validation, loaded.transform, 1)
    assert task.evaluate(splits.validation, tensors)["mpjpe_mm"] == pytest.approx(result.best, rel=1e-6)


def test_a_run_repeats_and_its_seed_matters(tmp_path: Path, splits: LiftingSplits) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run_lifting(tmp_path / name, splits, seed=seed)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert log_of(tmp_path / "a") != log_of(tmp_path / "c")


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "averaged, clipped, noisy, cosine": {
        "optim": {"ema": 0.99, "clip": 1.0, "name": "adamw", "weight_decay": 0.01},
        "augment": {"noise": {"sigma_px": 3}},
        "schedule": {"name": "cosine", "warmup": 0.2},
        "transform": {"confidence": True},
    },
    "temporal bf16": {
        "model": {"name": "videopose3d", "channels": 16},
        "trainer": {"precision": "bf16"},
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_ends_as_if_it_had_not_been(
    tmp_path: Path, splits: LiftingSplits, variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = VARIANTS[variant]
    run_lifting(tmp_path / "straight", splits, **changes)
    step = LiftingTask.training_step

    def dies(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 17:
            raise RuntimeError("pulled the plug")
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(LiftingTask, "training_step", dies)
        with pytest.raises(RuntimeError, match="pulled the plug"):
            run_lifting(tmp_path / "killed", splits, **changes)
    assert checkpoint_of(tmp_path / "killed")["global_step"] == 10
    written = json.loads((tmp_path / "killed" / "run.json").read_text())
    assert (written["status"], written["error"]) == ("failed", "pulled the plug")
    torch.manual_seed(99)  # whatever has happened to the generators meanwhile
    result = run_lifting(tmp_path / "killed", splits, resume=True, **changes)
    assert result.status == "finished"
    assert_same_run(tmp_path / "straight", tmp_path / "killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_or_sigterm_stops_after_the_step_and_the_run_goes_on(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    run_lifting(tmp_path / "straight", splits)
    step, terminated = LiftingTask.training_step, signal.getsignal(signal.SIGTERM)

    def pressed(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 12:
            os.kill(os.getpid(), number)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(LiftingTask, "training_step", pressed)
        result = run_lifting(tmp_path / "stopped", splits)
    assert (result.status, result.step) == ("interrupted", 13)
    assert json.loads((tmp_path / "stopped" / "run.json").read_text())["status"] == "interrupted"
    run_lifting(tmp_path / "stopped", splits, resume=True)
    assert_same_run(tmp_path / "straight", tmp_path / "stopped")
    with pytest.raises(KeyboardInterrupt):  # the handler in place before the run is back
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == terminated


def test_a_run_stopped_before_its_first_validation_writes_json_all_the_same(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its best error is infinite, which is no JSON: other programs could not read the file."""
    step = LiftingTask.training_step

    def pressed(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    def strict(text: str) -> Any:
        return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))

    with monkeypatch.context() as patch:
        patch.setattr(LiftingTask, "training_step", pressed)
        run_lifting(tmp_path / "run", splits, optim={"clip": float("inf")})
    written = strict((tmp_path / "run" / "run.json").read_text())
    assert (written["status"], written["step"]) == ("interrupted", 3)
    assert written["best"] == {"step": 0, "validation_mpjpe_mm": None}
    result = run_lifting(tmp_path / "run", splits, resume=True, optim={"clip": float("inf")})
    written = strict((tmp_path / "run" / "run.json").read_text())
    assert written["best"] == {"step": result.best_step, "validation_mpjpe_mm": result.best}


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_run_that_is_cut_to_what_it_has_ends_as_any_other(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    """Stopped between two validations, and resumed with no step left: what it has is validated and kept, once."""
    step, settings = LiftingTask.training_step, {"keep": keep, "validate_every": 8}

    def pressed(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 12:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(LiftingTask, "training_step", pressed)
        run_lifting(tmp_path / "cut", splits, trainer=settings)
    result = run_lifting(tmp_path / "cut", splits, resume=True, trainer={**settings, "steps": 13})
    assert (result.status, result.step) == ("finished", 13)
    validated = {
        int(row["step"]): float(row["val_mpjpe_mm"]) for row in log_of(tmp_path / "cut") if row["val_mpjpe_mm"]
    }
    assert list(validated) == [8, 13]
    entries = [row["step"] for row in log_of(tmp_path / "cut")]
    assert entries == sorted(set(entries), key=int)
    kept = load_weights(tmp_path / "cut" / "best")
    assert kept.metadata["checkpoint"]["step"] == result.best_step
    assert result.best_step == (13 if keep == "last" else min(validated, key=lambda s: validated[s]))
    assert result.best == validated[result.best_step]
    before = (tmp_path / "cut" / "log.csv").read_text()
    again = run_lifting(tmp_path / "cut", splits, resume=True, trainer={**settings, "steps": 13})
    assert (again.status, again.step, again.best) == (result.status, 13, result.best)
    assert (tmp_path / "cut" / "log.csv").read_text() == before
    # and it can be made longer again
    run_lifting(tmp_path / "straight", splits, trainer=settings)
    run_lifting(tmp_path / "cut", splits, resume=True, trainer=settings)
    one, two = checkpoint_of(tmp_path / "straight"), checkpoint_of(tmp_path / "cut")
    assert one["global_step"] == two["global_step"] == 24
    assert all(torch.equal(value, two["state_dict"][name]) for name, value in one["state_dict"].items())


def test_a_run_cut_before_its_first_validation_has_weights(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(StopSignals, "requested", property(lambda self: True, lambda self, value: None), raising=False)
        assert run_lifting(tmp_path / "run", splits).step == 1
    assert not (tmp_path / "run" / "best").exists()
    result = run_lifting(tmp_path / "run", splits, resume=True, trainer={"steps": 1})
    assert (result.status, result.best_step) == ("finished", 1)
    assert load_weights(result.weights).metadata["metrics"]["validation_mpjpe_mm"] == result.best < float("inf")


def test_a_logged_step_that_is_validated_late_has_one_entry(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = LiftingTask.training_step

    def pressed(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        if batch.step == 9:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(LiftingTask, "training_step", pressed)
        run_lifting(tmp_path / "cut", splits, trainer={"validate_every": 8})
    before = log_of(tmp_path / "cut")[-1]
    assert (before["step"], before["val_mpjpe_mm"]) == ("10", "")
    result = run_lifting(tmp_path / "cut", splits, resume=True, trainer={"validate_every": 8, "steps": 10})
    assert [row["step"] for row in log_of(tmp_path / "cut")] == ["5", "8", "10"]
    after = log_of(tmp_path / "cut")[-1]
    assert after["train_loss"] == before["train_loss"]
    assert float(after["val_mpjpe_mm"]) > 0
    assert result.step == 10


def test_a_second_ctrl_c_leaves_an_interrupted_run(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)  # by now the second one is here

    monkeypatch.setattr(LiftingTask, "training_step", pressed)
    with pytest.raises(KeyboardInterrupt, match="--resume continues"):
        run_lifting(tmp_path / "run", splits)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "interrupted"


def test_a_longer_run_continues_a_finished_one(tmp_path: Path, splits: LiftingSplits) -> None:
    run_lifting(tmp_path / "straight", splits, trainer={"steps": 30})
    run_lifting(tmp_path / "two", splits, trainer={"steps": 18})
    run_lifting(tmp_path / "two", splits, resume=True, trainer={"steps": 30})
    assert checkpoint_of(tmp_path / "two")["global_step"] == 30
    assert_same_run(tmp_path / "straight", tmp_path / "two")


@pytest.mark.parametrize(
    "schedule",
    [{"name": "cosine"}, {"name": "one-cycle", "warmup": 0.3}, {"name": "constant", "warmup": 0.1}],
)
def test_a_rate_that_follows_from_the_length_allows_no_other(
    tmp_path: Path, splits: LiftingSplits, schedule: dict[str, Any]
) -> None:
    """It went on with another schedule than it had begun with, and the recipe told of the second alone."""
    run_lifting(tmp_path / "run", splits, schedule=schedule, trainer={"steps": 12})
    before = {name: (tmp_path / "run" / name).read_bytes() for name in ("run.json", "recipe.yaml", "last.ckpt")}
    for length in ({"steps": 16}, {"steps": 6}, {"steps": None, "epochs": 4}):
        with pytest.raises(ConfigError, match=r"was begun for 12 steps, .* keep 12 steps .* another --out"):
            run_lifting(tmp_path / "run", splits, resume=True, schedule=schedule, trainer=length)
    assert before == {name: (tmp_path / "run" / name).read_bytes() for name in before}
    same = run_lifting(tmp_path / "run", splits, resume=True, schedule=schedule, trainer={"steps": None, "epochs": 3})
    assert same.status == "finished"  # 3 epochs are 12 steps


@pytest.mark.parametrize("schedule", [{"name": "cosine"}, {"name": "one-cycle", "warmup": 0.25}])
def test_the_log_has_the_rate_of_the_step_itself(
    tmp_path: Path, splits: LiftingSplits, schedule: dict[str, Any]
) -> None:
    recipe = lifting_recipe(tmp_path / "run", schedule=schedule)
    run_lifting(tmp_path / "run", splits, schedule=schedule)
    logged = {int(row["step"]): float(row["lr"]) for row in log_of(tmp_path / "run")}
    share = {step: rate(recipe.schedule, step - 1, 24, 4) for step in logged}
    assert logged == pytest.approx({step: recipe.optim.lr * value for step, value in share.items()})


def test_the_logged_rate_is_the_optimisers(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: dict[int, float] = {}
    step = LiftingTask.training_step

    def watched(self: LiftingTask, batch: Any, batch_idx: int) -> Any:
        used[batch.step + 1] = self.trainer.optimizers[0].param_groups[0]["lr"]
        return step(self, batch, batch_idx)

    monkeypatch.setattr(LiftingTask, "training_step", watched)
    run_lifting(tmp_path / "run", splits, schedule={"name": "cosine"})
    assert all(float(row["lr"]) == used[int(row["step"])] for row in log_of(tmp_path / "run"))


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, splits: LiftingSplits) -> None:
    first = run_lifting(tmp_path / "run", splits)
    again = run_lifting(tmp_path / "run", splits, resume=True)
    assert (again.status, again.step, again.best) == (first.status, first.step, first.best)


def test_resume_with_nothing_there_begins(tmp_path: Path, splits: LiftingSplits) -> None:
    assert run_lifting(tmp_path / "run", splits, resume=True).status == "finished"


def test_a_second_run_into_a_folder_is_refused(tmp_path: Path, splits: LiftingSplits) -> None:
    run_lifting(tmp_path / "run", splits)
    with pytest.raises(KinegraphError, match="add --resume to continue it"):
        run_lifting(tmp_path / "run", splits)


@pytest.mark.parametrize("name", ["recipe.yaml", "log.csv", "best"])
def test_files_of_ones_own_are_not_overwritten(tmp_path: Path, splits: LiftingSplits, name: str) -> None:
    """`train my/recipe.yaml --out my`: the recipe and its comments stay."""
    (tmp_path / name).write_text("# my notes\n")
    for resume in (False, True):
        with pytest.raises(KinegraphError, match=f"{name} is not of a run, and would be overwritten"):
            run_lifting(tmp_path, splits, resume=resume)
    assert (tmp_path / name).read_text() == "# my notes\n"


def test_resume_with_another_recipe_names_the_field(tmp_path: Path, splits: LiftingSplits) -> None:
    run_lifting(tmp_path / "run", splits)
    with pytest.raises(ConfigError, match=r"optim.lr: .* was begun with 0.001, the recipe says 0.5"):
        run_lifting(tmp_path / "run", splits, resume=True, optim={"lr": 0.5})


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path, splits: LiftingSplits) -> None:
    """As two runs in one folder may have left it: the recipe of one, the checkpoint of the other."""
    run_lifting(tmp_path / "run", splits)
    run_lifting(tmp_path / "other", splits, optim={"lr": 0.5}, trainer={"steps": 6})
    (tmp_path / "other" / "last.ckpt").replace(tmp_path / "run" / "last.ckpt")
    with pytest.raises(ConfigError, match=r"optim.lr: .*last.ckpt was begun with 0.5, the recipe says 0.001"):
        run_lifting(tmp_path / "run", splits, resume=True)
    content = checkpoint_of(tmp_path / "run")
    del content["recipe"]
    torch.save(content, tmp_path / "run" / "last.ckpt")
    with pytest.raises(FormatError, match="last.ckpt: not a checkpoint"):
        run_lifting(tmp_path / "run", splits, resume=True)


def test_resume_with_other_data_is_refused(tmp_path: Path, splits: LiftingSplits) -> None:
    run_lifting(tmp_path / "run", splits)
    with pytest.raises(DataError, match="not those"):
        run_lifting(tmp_path / "run", LiftingSplits(splits.validation, splits.train), resume=True)


def test_damaged_files_of_a_run(tmp_path: Path, splits: LiftingSplits) -> None:
    run_lifting(tmp_path / "run", splits)
    for name, content in (("run.json", b"{}"), ("recipe.yaml", b"a: ["), ("last.ckpt", b"PK nothing")):
        before = (tmp_path / "run" / name).read_bytes()
        (tmp_path / "run" / name).write_bytes(content)
        with pytest.raises(KinegraphError, match=name):
            run_lifting(tmp_path / "run", splits, resume=True)
        (tmp_path / "run" / name).write_bytes(before)
    assert run_lifting(tmp_path / "run", splits, resume=True).status == "finished"


def test_what_a_kill_in_a_write_leaves_is_cleared_away(tmp_path: Path, splits: LiftingSplits) -> None:
    folder = run_lifting(tmp_path / "run", splits).folder
    (folder / ".last.0123abcd.part.ckpt").write_bytes(b"half")
    (folder / ".best.0123abcd.part").mkdir()
    (folder / ".mine").write_text("kept")
    (folder / "best").rename(folder / ".best.4567abcd.old")  # the kill came between the two renames
    run_lifting(folder, splits, resume=True)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [".mine"]
    assert load_weights(folder / "best").metadata["checkpoint"]["step"] > 0


def test_weights_elsewhere_by_a_symlink_are_kept_up_to_date(tmp_path: Path, splits: LiftingSplits) -> None:
    folder, disk = tmp_path / "run", tmp_path / "disk" / "weights"
    run_lifting(folder, splits, trainer={"steps": 6, "keep": "last"})
    disk.parent.mkdir()
    (folder / "best").rename(disk)
    (folder / "best").symlink_to(disk)
    for steps in (12, 18):
        run_lifting(folder, splits, resume=True, trainer={"steps": steps, "keep": "last"})
        assert (folder / "best").is_symlink()
        assert load_weights(disk).metadata["checkpoint"]["step"] == steps
        assert [path.name for path in disk.parent.iterdir()] == ["weights"]
    disk.rename(disk.parent / ".weights.0123abcd.old")  # a kill between the two renames
    with pytest.raises(FormatError, match="a save cut short left its weights as .*disk/.weights.0123abcd.old: rename"):
        load_weights(folder / "best")
    (folder / ".best.0123abcd.old").symlink_to(disk)  # left by a version that replaced the link
    run_lifting(folder, splits, resume=True, trainer={"steps": 18, "keep": "last"})
    assert load_weights(disk).metadata["checkpoint"]["step"] == 18
    assert (folder / "best").is_symlink()
    assert not list(folder.glob(".best*"))


def test_early_stopping(tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([5.0, 4.0, 4.5, 4.2, 1.0])
    monkeypatch.setattr(LiftingTask, "evaluate", lambda *_: {"loss": 0.0, "mpjpe_mm": next(errors)})
    result = run_lifting(tmp_path / "run", splits, trainer={"validate_every": 2, "patience": 2})
    assert (result.status, result.step, result.best_step) == ("stopped early", 8, 4)
    assert checkpoint_of(tmp_path / "run")["global_step"] == 8
    for _ in range(2):  # its patience is used up: resumed, it takes no step more
        again = run_lifting(tmp_path / "run", splits, resume=True, trainer={"validate_every": 2, "patience": 2})
        assert (again.status, again.step, again.best_step) == ("stopped early", 8, 4)
    patient = run_lifting(
        tmp_path / "run", splits, resume=True, trainer={"validate_every": 2, "patience": 3, "steps": 10}
    )
    assert (patient.status, patient.step, patient.best_step) == ("finished", 10, 10)


def test_a_diverging_run_says_so(tmp_path: Path, splits: LiftingSplits) -> None:
    with pytest.raises(KinegraphError, match=r"training loss is .* at step \d+; lower optim.lr"):
        run_lifting(tmp_path / "run", splits, optim={"lr": 1e30})


def test_unknown_model_options_are_named(tmp_path: Path, splits: LiftingSplits) -> None:
    with pytest.raises(ConfigError, match=r"model.widht: unknown key; did you mean 'width'\?"):
        run_lifting(tmp_path / "run", splits, model={**FCN, "widht": 3})
    with pytest.raises(ConfigError, match=r"model.in_channels: found 3, but the transform gives 2"):
        run_lifting(tmp_path / "run", splits, model={**FCN, "in_channels": 3})
    with pytest.raises(ConfigError, match=r"did you mean 'fcn'\?"):
        run_lifting(tmp_path / "run", splits, model={"name": "fcnn"})
    with pytest.raises(ConfigError, match="data.step: found 2, but fcn sees one frame; leave it out"):
        run_lifting(tmp_path / "run", splits, data={"step": 2})
    assert not (tmp_path / "run").exists()


def test_unwritable_folder(tmp_path: Path, splits: LiftingSplits) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KinegraphError, match="cannot make the run folder"):
        run_lifting(tmp_path / "file" / "run", splits)


def test_checkpoint_by_the_clock(tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(RunKeeper, "_checkpoint", lambda self, trainer: written.append(trainer.global_step))
    run_lifting(tmp_path / "run", splits, trainer={"steps": 4, "checkpoint_minutes": 1e-9})
    assert written == [1, 2, 3, 4]


def _run_on(out: Path, splits: LiftingSplits) -> None:
    torch.set_num_threads(1)
    run_lifting(out, splits, trainer={"steps": 10**6, "validate_every": 10**6})


def test_kill_9_leaves_a_run_that_goes_on(tmp_path: Path, splits: LiftingSplits) -> None:
    out = tmp_path / "killed"
    process = multiprocessing.get_context("fork").Process(target=_run_on, args=(out, splits))
    process.start()
    try:
        deadline = time.monotonic() + 120
        while not (out / "last.ckpt").exists():
            assert process.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.1)
    finally:
        process.kill()
        process.join()
    reached = checkpoint_of(out)["global_step"]
    assert reached % 10 == 0
    settings = {"trainer": {"steps": reached + 5, "validate_every": 10**6}}
    run_lifting(out, splits, resume=True, **settings)
    run_lifting(tmp_path / "straight", splits, **settings)
    assert_same_run(tmp_path / "straight", out)
