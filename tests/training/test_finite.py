"""A run that diverges fails, keeps what it had, and says what can be done."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from training_runs import assert_same_run, checkpoint_of, run_lifting, run_recognition

from kinegraph.errors import DataError, KinegraphError
from kinegraph.training.callbacks import RunKeeper
from kinegraph.training.finite import DivergedError, all_finite, tensors_in
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.recognition_task import RecognitionTask
from kinegraph.training.task import TrainingTask
from kinegraph.weights import load_weights

REMEDY = r"; lower optim.lr or set optim.clip, and begin anew with another --out"


def test_what_is_finite() -> None:
    fine = {"a": torch.ones(2), "b": [torch.zeros(0), (torch.tensor(3), "word", None)]}
    assert len(list(tensors_in(fine))) == 3
    assert all_finite(tensors_in(fine))
    assert all_finite([])
    for value in (math.nan, math.inf, -math.inf):
        assert not all_finite([torch.ones(2), torch.tensor([1.0, value])])


def poison(monkeypatch: pytest.MonkeyPatch, at: int, where: str = "weights") -> None:
    """NaN after step `at`, as if it had come out of the optimiser."""
    average = TrainingTask.move_average

    def poisoned(self: TrainingTask, step: int) -> None:
        average(self, step)
        if step != at:
            return
        weight = next(self.model.parameters())
        (optimizer,) = self.trainer.optimizers
        moments = next(iter(optimizer.state.values()))
        averaged = self._averaged or {}
        places = {"weights": weight, "moments": moments["exp_avg_sq"], "losses": self._loss_sum}
        with torch.no_grad():
            (next(iter(averaged.values())) if where == "average" else places[where]).fill_(math.nan)

    monkeypatch.setattr(TrainingTask, "move_average", poisoned)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_the_last_step_of_a_run_can_be_the_one_that_diverges(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch, keep: str
) -> None:
    """Nothing but the loss before a step was looked at: it was called finished, and `keep: last` kept the NaN."""
    poison(monkeypatch, 24)
    with pytest.raises(KinegraphError, match=r"^val_loss is nan at step 24" + REMEDY):
        run_lifting(tmp_path / "run", splits, trainer={"keep": keep})
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    kept = load_weights(tmp_path / "run" / "best")
    assert all_finite(kept.model.state_dict().values())
    assert kept.metadata["checkpoint"]["step"] <= 18
    assert checkpoint_of(tmp_path / "run")["global_step"] == 20


@pytest.mark.parametrize("where", ["weights", "average", "moments", "losses"])
def test_no_checkpoint_is_written_that_cannot_be_resumed(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    changes: dict[str, Any] = {"optim": {"ema": 0.9 if where == "average" else None}, "trainer": {"log_every": 7}}
    with monkeypatch.context() as patch:
        poison(patch, 20, where)
        with pytest.raises(DivergedError, match="^weights or losses are NaN or infinite at step 20" + REMEDY):
            run_lifting(tmp_path / "run", splits, **changes)
    assert checkpoint_of(tmp_path / "run")["global_step"] == 10
    assert not list((tmp_path / "run").glob(".last*"))
    if where == "weights":  # what caused it is gone
        run_lifting(tmp_path / "straight", splits, **changes)
        run_lifting(tmp_path / "run", splits, resume=True, **changes)
        assert_same_run(tmp_path / "straight", tmp_path / "run")


def test_all_processes_fail_where_one_of_them_diverges(tmp_path: Path) -> None:
    given: dict[str, Any] = {"data": None, "steps": 9, "progress": None, "save_best": None, "stop": None}
    keeper = RunKeeper(tmp_path, SimpleNamespace(trainer=None), **given)  # type: ignore[arg-type]
    told: list[bool] = []

    def decide(here: bool, all: bool) -> bool:
        assert all
        told.append(here)
        return False

    trainer: Any = SimpleNamespace(world_size=2, strategy=SimpleNamespace(reduce_boolean_decision=decide))
    for value in (0.0, math.nan):
        with pytest.raises(DivergedError):
            keeper._check_finite(trainer, [torch.tensor(value)], 3)
    assert told == [True, False]


def test_a_network_that_is_fitted_to_nothing_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RecognitionTask, "evaluate", lambda *_: {"loss": math.inf, "error_rate": 50.0})
    with pytest.raises(DataError, match="linear: the fitted weights or their errors are NaN or infinite"):
        run_recognition(tmp_path / "run", model={"name": "linear"})
    assert not (tmp_path / "run" / "best").exists()
