"""Two machines under torchrun, both of them this one: the weights of one process, and every clip evaluated once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from kinegraph.cli import main

pytestmark = pytest.mark.slow

TRAIN = ["--model.width", "0.05", "--model.dropout", "0", "--transform.frames", "8", "--trainer.steps", "2"]
# Adam would make whole steps of rounding errors where a gradient is nearly 0.
TRAIN += ["--optim.name", "sgd", "--optim.lr", "0.01", "--schedule.name", "constant", "--trainer.batch", "4"]
TRAIN += ["--trainer.validate_poses", "9", "--trainer.tensorboard", "false", "--trainer.accelerator", "cpu"]
TRAIN += ["--objective.class_weights", "sqrt", "--quiet"]


def on_two_machines(arguments: list[str]) -> list[str]:
    """What each prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    launcher += ["--master_addr", "127.0.0.1", "--master_port", str(port)]
    started = [
        subprocess.Popen(
            [*launcher, "--node_rank", str(rank), "-m", "kinegraph", *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        results = [process.communicate(timeout=1500) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], [error for _, error in results]
    return [printed for printed, _ in results]


def test_two_machines_train_and_evaluate_as_one_process_does(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("task: recognition\nmodel: {name: stgcn}\n")
    train = ["train", str(tmp_path / "r.yaml"), *TRAIN, "--out"]
    assert main([*train, str(tmp_path / "one")]) == 0
    first, second = on_two_machines([*train, str(tmp_path / "two")])
    assert "finished at step 2" in first
    assert second == ""
    one, two = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("one", "two"))
    assert one["global_step"] == two["global_step"] == 2
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-4, rtol=1e-3)
    recipe = json.loads((tmp_path / "two" / "run.json").read_text())["recipe"]["trainer"]
    assert (recipe["nodes"], recipe["devices"]) == (2, 1)

    evaluate = ["evaluate", str(tmp_path / "one" / "best"), "--protocol", "synthetic-recognition", "--json"]
    assert main([*evaluate, str(tmp_path / "one.json")]) == 0
    first, second = on_two_machines([*evaluate, str(tmp_path / "two.json"), "--batch", "5"])
    assert "top-1" in first
    assert second == ""
    alone, shared = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert shared["clips"] == alone["clips"]
    assert sum(shared["clips"].values()) == sum(map(sum, shared["confusion"])) == 72
    assert shared["confusion"] == alone["confusion"]
    assert shared["nll"] == pytest.approx(alone["nll"])
