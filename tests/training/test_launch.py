"""Devices that a run asks for and the machine does not have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from training_runs import run_lifting

from kinegraph.errors import ConfigError
from kinegraph.training.launch import check_devices
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.recipe_parts import TrainerRecipe


def machine(monkeypatch: pytest.MonkeyPatch, gpus: int, apple: bool = False) -> None:
    """A machine with so many GPUs of NVIDIA's, or with Apple's."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)


def test_a_gpu_that_is_not_there_is_refused_before_the_folder_is_made(
    tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, 0)
    with pytest.raises(ConfigError, match=r"^trainer.accelerator: found gpu, .* expected auto or cpu$"):
        run_lifting(tmp_path / "runs" / "run", splits, trainer={"accelerator": "gpu"})
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("gpus", "apple", "accelerator", "devices", "right"),
    [
        (0, False, "auto", 3, True),  # processes on a CPU
        (0, False, "cpu", 3, True),
        (2, False, "gpu", 2, True),
        (2, False, "gpu", 3, False),
        (2, False, "auto", 3, False),
        (2, False, "cpu", 3, True),
        (0, True, "gpu", 1, True),
        (0, True, "auto", 2, False),
    ],
)
def test_there_is_a_gpu_for_every_process(
    gpus: int, apple: bool, accelerator: str, devices: int, right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, gpus, apple)
    trainer = TrainerRecipe(accelerator=accelerator, devices=devices, batch=240)  # type: ignore[arg-type]
    if right:
        check_devices(trainer)
        return
    with pytest.raises(ConfigError, match=rf"^trainer.devices: found {devices}, but PyTorch finds {gpus or 1} GPU"):
        check_devices(trainer)


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "NODE_RANK"])
def test_a_rank_left_over_in_the_environment_is_nobodys(
    name: str, tmp_path: Path, splits: LiftingSplits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process that nobody started with others writes its run, and goes on with it."""
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv(name, "1")
    for steps in (3, 6):
        result = run_lifting(tmp_path / "run", splits, resume=steps > 3, trainer={"steps": steps})
        assert (result.status, result.step, result.leader) == ("finished", steps, True)
        assert json.loads((tmp_path / "run" / "run.json").read_text())["step"] == steps
        assert (tmp_path / "run" / "best").is_dir()
