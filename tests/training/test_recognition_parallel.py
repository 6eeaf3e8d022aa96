"""Processes that share a batch of clips do what one does with the whole: steps, padding, class weights, torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from clip_samples import make_clip_splits
from training_runs import HCSF, log_of, recognition_recipe
from two_processes import join_processes, one_and_two

from kinegraph.cli import main
from kinegraph.errors import ConfigError, KinegraphError
from kinegraph.layers.clip_block import ClipNorm
from kinegraph.models import build
from kinegraph.training.agreement import LAG
from kinegraph.training.callbacks import RunKeeper
from kinegraph.training.launch import as_launched, is_leader
from kinegraph.training.parallel import JointBatchNorm, average_over_ranks
from kinegraph.training.recognition_setup import prepare
from kinegraph.weights import load_weights

VARIANTS: dict[str, dict[str, Any]] = {
    # One person alone, two, one who leaves: the processes hold different numbers of rows and of real frames.
    "hcsf, all frames": {"model": HCSF, "transform": {"sampling": "all"}, "trainer": {"batch": 4}},
    # Five clips for two processes: one has three, the other two.
    "stgcn++, five clips": {"model": {"name": "stgcnpp", "width": 0.125}, "trainer": {"batch": 5}},
    "symgnn": {
        "model": {"name": "symgnn_recognizer", "width": 0.05, "agim_width": 8, "backbone": "light", "dropout": 0.0},
        "trainer": {"batch": 4},
    },
}


def _steps(rank: int, world: int, out: Path, variant: str) -> None:
    """Three steps of the task, in float64 where rounding does not hide a mistake."""
    join_processes(rank, world, out)
    changes = {
        "objective": {"class_weights": "balanced", "label_smoothing": 0.1},
        "augment": {"rotation": 0.3, "noise": 0.01, "drop": 0.1},
        "optim": {"clip": 1.0},
        **VARIANTS[variant],
    }
    prepared = prepare(recognition_recipe(out, **changes), make_clip_splits())
    model, task = prepared.model.double(), prepared.task
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    class Stepper:
        def step(self) -> None:
            optimizer.step()

    class Idle:
        def step(self) -> None:
            pass

    task.optimizers = lambda *_, **__: Stepper()  # type: ignore[method-assign, assignment, return-value]
    task.lr_schedulers = lambda *_, **__: Idle()  # type: ignore[method-assign, assignment, return-value]
    losses = []
    for step in range(3):
        batch = prepared.data.batch_of(step, rank=rank, world=world)
        task.training_step(batch._replace(inputs=batch.inputs.double(), weights=batch.weights.double()), step)  # type: ignore[operator]
        losses.append(torch.tensor(task.take_losses()["train_loss"]))
    if rank == world - 1:
        mean = average_over_ranks(losses) if world > 1 else losses
        torch.save({**model.state_dict(), "losses": torch.stack(mean)}, out)
    elif world > 1:
        average_over_ranks(losses)


@pytest.mark.parametrize("variant", VARIANTS)
def test_steps_of_two_processes_are_those_of_one(tmp_path: Path, variant: str) -> None:
    one, two = one_and_two(_steps, tmp_path, variant)
    assert one.keys() == two.keys()
    start = prepare(recognition_recipe(tmp_path, **VARIANTS[variant]), make_clip_splits()).model.state_dict()
    for name, value in one.items():
        # Weights of clips and the logits that the loss sees are float32.
        torch.testing.assert_close(
            two[name], value, atol=3e-6, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
    moved = max(float((value - start[name]).abs().max()) for name, value in one.items() if name in start)
    assert moved > 1e-2


def _masked(rank: int, world: int, out: Path) -> None:
    """Batch norm over real frames; the second process has few of them, or nobody at all."""
    join_processes(rank, world, out)
    torch.manual_seed(0)
    norm = ClipNorm(3).double()
    x, y = torch.randn(5, 2, 6, 3).double() * torch.arange(1, 6).view(5, 1, 1, 1), torch.randn(5, 2, 6, 3).double()
    lengths = torch.tensor([6, 4, 5, 0, 0])
    mask = (torch.arange(6) < lengths[:, None]).double()
    rows = {1: [slice(None)], 2: [slice(0, 3), slice(3, 5)]}[world][rank]
    x = x[rows].requires_grad_()
    with JointBatchNorm():
        loss = (norm(x, mask[rows]) * mask[rows][:, None, :, None] * y[rows]).sum() / 5
    found = torch.autograd.grad(loss, [*norm.parameters(), x])
    shared = average_over_ranks([gradient * world for gradient in found[:2]])
    if rank == 0:
        torch.save({"weight": shared[0], "bias": shared[1], "x": found[2][:3], **dict(norm.named_buffers())}, out)


def test_masked_batch_norm_of_two_processes(tmp_path: Path) -> None:
    one, two = one_and_two(_masked, tmp_path)
    assert set(one) == {"weight", "bias", "x", "running_mean", "running_var", "num_batches_tracked"}
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, atol=1e-12, rtol=1e-9, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_batch_of_nobody_teaches_nothing() -> None:
    splits = make_clip_splits()
    model = build("stgcn", splits.clips.skeleton, {"classes": 3, "width": 0.05, "dropout": 0.0})
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    x = torch.zeros(2, 1, 8, splits.clips.skeleton.num_joints, 3)
    scores = model.train()(x, torch.zeros(2, 1, 8, dtype=torch.bool))
    torch.testing.assert_close(scores[0], model.classifier.bias)  # type: ignore[arg-type]
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value)


ELASTIC = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "2"}


def test_torchrun_says_how_many_processes_there_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain = recognition_recipe(tmp_path)
    assert as_launched(plain) is plain
    assert is_leader()
    for name, value in ELASTIC.items():
        monkeypatch.setenv(name, value)
    assert not is_leader()
    trainer = as_launched(plain).trainer
    assert (trainer.devices, trainer.nodes, trainer.processes) == (2, 2, 4)
    assert as_launched(recognition_recipe(tmp_path, trainer={"devices": 2, "nodes": 2})).trainer.processes == 4
    with pytest.raises(ConfigError, match="trainer.devices: found 4, but torchrun started 2; leave it to torchrun"):
        as_launched(recognition_recipe(tmp_path, trainer={"devices": 4}))
    with pytest.raises(ConfigError, match="trainer.batch: 6 poses cannot be shared equally by 4 devices"):
        as_launched(recognition_recipe(tmp_path, trainer={"batch": 6}))
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ConfigError, match="start as many on every machine"):
        as_launched(plain)


@pytest.mark.parametrize(
    ("places", "leader"),
    [
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True),
        ({"LOCAL_RANK": "1"}, False),
        ({"NODE_RANK": "1"}, False),
        ({"SLURM_PROCID": "3"}, True),  # a run of its own: `test_slurm`
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "1"}, True),
    ],
)
def test_one_process_of_all_machines_leads(
    places: dict[str, str], leader: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in places.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(is_leader.__globals__, "_alone", False)
    assert is_leader() is leader


@pytest.mark.parametrize("here", [4, 0])
def test_machines_that_see_another_checkpoint_do_not_train_together(here: int, tmp_path: Path) -> None:
    strategy = SimpleNamespace(broadcast=lambda step: 4, reduce_boolean_decision=lambda same, all: same and all)
    trainer = SimpleNamespace(world_size=2, global_step=here, is_global_zero=False, strategy=strategy)
    recipe = SimpleNamespace(trainer=SimpleNamespace(patience=None))
    stop = SimpleNamespace(listen=lambda: None)
    given: Any = {"recipe": recipe, "data": None, "steps": 9, "stop": stop, "progress": None, "save_best": None}
    keeper = RunKeeper(tmp_path / "run", **given)
    if here == 4:
        keeper.on_train_start(trainer, None)  # type: ignore[arg-type]
        return
    with pytest.raises(
        KinegraphError, match=r"different steps \(0 here, 4 on the first\); --resume needs .*run on every"
    ):
        keeper.on_train_start(trainer, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("clocks", [(0.0, 0.0), (0.0, 400.0), (400.0, 0.0), (400.0, 400.0)])
@pytest.mark.parametrize("signals", [(False, False), (False, True), (True, False)])
def test_all_processes_stop_and_write_at_the_same_step(
    clocks: tuple[float, float], signals: tuple[bool, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks and signals are each process's own; one that waits at a checkpoint alone waits for ever."""
    told: list[torch.Tensor] = []
    sent = SimpleNamespace(wait=lambda: None)

    def answers(reduce: Callable[..., Any], checkpoint: int = 0) -> list[list[tuple[bool, bool]]]:
        monkeypatch.setattr(dist, "all_reduce", reduce)
        found = []
        for since, requested in zip(clocks, signals, strict=True):
            given: dict[str, Any] = {"data": None, "steps": 9, "progress": None, "save_best": None}
            recipe = SimpleNamespace(trainer=SimpleNamespace(checkpoint_minutes=5.0))
            keeper = RunKeeper(tmp_path, recipe, stop=SimpleNamespace(requested=requested), **given)  # type: ignore[arg-type]
            keeper._checkpointed, keeper.checkpoint_step = time.monotonic() - since, checkpoint
            strategy = SimpleNamespace(root_device=torch.device("cpu"))
            trainers = [SimpleNamespace(world_size=2, strategy=strategy, global_step=7 + n) for n in range(LAG + 1)]
            found.append([keeper._asked_for(trainer) for trainer in trainers])  # type: ignore[arg-type]
        return found

    def listen(flags: torch.Tensor, op: Any, async_op: bool) -> Any:
        assert op == dist.ReduceOp.MAX
        assert async_op  # nobody waits for it in this step
        told.append(flags.clone())
        return sent

    def answer(flags: torch.Tensor, op: Any, async_op: bool) -> Any:
        flags.copy_(both)
        return sent

    answers(listen)
    both = torch.stack(told).amax(dim=0)
    one, two = answers(answer)
    assert one == two == [(False, False)] * LAG + [(any(signals), max(clocks) > 300)]
    # A checkpoint that was written after the question needs no second one.
    one, two = answers(answer, checkpoint=7)
    assert one == two == [(False, False)] * LAG + [(any(signals), False)]


@pytest.mark.slow
def test_torchrun_trains_as_one_process_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--model.width", "0.05", "--model.dropout", "0", "--transform.frames", "8", "--trainer.steps", "2"]
    # Adam would make whole steps of rounding errors where a gradient is nearly 0.
    options += ["--optim.name", "sgd", "--optim.lr", "0.01", "--schedule.name", "constant"]
    options += ["--trainer.batch", "4", "--trainer.validate_poses", "9", "--trainer.tensorboard", "false"]
    options += ["--trainer.accelerator", "cpu", "--trainer.validate_every", "1", "--objective.class_weights", "sqrt"]
    (tmp_path / "r.yaml").write_text("task: recognition\nmodel: {name: stgcn}\n")
    run = ["train", str(tmp_path / "r.yaml"), *options, "--quiet", "--out"]
    assert main([*run, str(tmp_path / "one")]) == 0
    assert capsys.readouterr().out.count("finished at step 2") == 1
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m", "kinegraph"]
    command = [sys.executable, *launcher, *run, str(tmp_path / "two")]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished at step 2") == 1, done.stdout
    one, two = (torch.load(tmp_path / name / "last.ckpt", weights_only=True) for name in ("one", "two"))
    assert one["global_step"] == two["global_step"] == 2
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-4, rtol=1e-3)
    for a, b in zip(log_of(tmp_path / "one"), log_of(tmp_path / "two"), strict=True):
        assert float(a["val_loss"]) == pytest.approx(float(b["val_loss"]), rel=1e-3)
    assert load_weights(tmp_path / "two" / "best").metadata["recipe"]["trainer"]["devices"] == 2
