"""Two gloo processes with half a batch each do what one does with the whole: gradients, lambda, batch norm, steps."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from motion_samples import make_splits
from torch import nn
from training_runs import SYMGNN, motion_recipe
from two_processes import join_processes, one_and_two, one_device_and_two

from kinegraph.layers import NodeBatchNorm
from kinegraph.training.motion_setup import prepare
from kinegraph.training.parallel import JointBatchNorm, average_over_ranks

SAMPLES = Path(__file__).parents[1] / "samples"


def _steps(rank: int, world: int, out: Path, balance: str) -> None:
    """Three steps of the task in float64, where rounding does not hide a mistake."""
    join_processes(rank, world, out)
    changes: dict[str, Any] = {
        "model": {**SYMGNN, "dropout": 0.0},
        "trainer": {"batch": 12},
        "augment": {"mirror": 0.5, "noise": 0.01, "speed": [0.9, 1.1]},
        "objective": {"balance": balance, "normalise": "none" if balance == "fixed" else "loss+"},
    }
    prepared = prepare(motion_recipe(out, **changes), make_splits())
    prepared.model.double()
    optimizer = torch.optim.SGD(prepared.model.parameters(), lr=0.02, momentum=0.9)
    weights = []
    for step in range(3):
        batch = prepared.data.batch_of(step, rank=rank, world=world)
        found = prepared.task.gradients(batch._replace(inputs=batch.inputs.double()))  # type: ignore[operator]
        for weight, gradient in zip(prepared.model.parameters(), found.gradients, strict=True):
            weight.grad = gradient
        optimizer.step()
        weights.append(found.weight)
    if rank == world - 1:
        torch.save({**prepared.model.state_dict(), "lambda": torch.stack(weights)}, out)


def _norms(rank: int, world: int, out: Path) -> None:
    """A network with both kinds of batch norm, forward and backward."""
    join_processes(rank, world, out)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(5, 4, 3), nn.BatchNorm1d(4, momentum=0.3), nn.Tanh()).double()
    norm = NodeBatchNorm(4, 6, norm="node_channel").double()
    x, y = torch.randn(6, 5, 8).double() * torch.arange(1, 7).view(6, 1, 1), torch.randn(6, 4, 6).double()
    x, y = x[rank::world], y[rank::world]
    with JointBatchNorm():
        loss = (norm(net(x)) * y).square().mean()
    weights = [*net.parameters(), *norm.parameters()]
    found = average_over_ranks(torch.autograd.grad(loss, weights))
    if rank == world - 1:
        names = [f"gradient {index}" for index in range(len(weights))]
        buffers = {
            f"{part}.{k}": v for part in ("net", "norm") for k, v in {"net": net, "norm": norm}[part].named_buffers()
        }
        torch.save({**dict(zip(names, found, strict=True)), **buffers}, out)


@pytest.mark.parametrize("balance", ["mgda", "mgda-ub", "fixed"])
def test_steps_of_two_processes_are_those_of_one(tmp_path: Path, balance: str) -> None:
    one, two = one_and_two(_steps, tmp_path, balance)
    assert one.keys() == two.keys()
    changes: dict[str, Any] = {"model": {**SYMGNN, "dropout": 0.0}}
    start = prepare(motion_recipe(tmp_path, **changes), make_splits()).model.state_dict()
    for name, value in one.items():
        # Losses, and with them lambda, are float32.
        torch.testing.assert_close(
            two[name], value, atol=2e-6, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )
    assert max(float((value - start[name]).abs().max()) for name, value in one.items() if name in start) > 1e-2


def test_batch_norm_over_two_processes_is_that_of_the_joined_batch(tmp_path: Path) -> None:
    one, two = one_and_two(_norms, tmp_path)
    assert len(one) == 2 + 2 + 2 + 3 + 3
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, atol=1e-12, rtol=1e-9, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_alone_nothing_changes() -> None:
    tensors = [torch.randn(3), torch.randn(2, 2)]
    assert all(a is b for a, b in zip(average_over_ranks(tensors), tensors, strict=True))
    torch.manual_seed(0)
    x, norms = torch.randn(4, 3), [nn.BatchNorm1d(3) for _ in range(2)]
    with JointBatchNorm():
        found = norms[0](x)
    assert torch.equal(found, norms[1](x))


TRAIN = """
    import sys
    sys.path.insert(0, {samples!r})
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from motion_samples import make_splits
    from training_runs import SYMGNN, run_motion

    out, devices = sys.argv[1:]
    changes = {{
        "model": {{**SYMGNN, "dropout": 0.0}},
        "trainer": {{"devices": int(devices), "steps": 5, "batch": 12}},
        "augment": {{"mirror": 0.5, "noise": 0.01}},
        "optim": {{"name": "sgd", "lr": 0.01, "clip": 1.0, "ema": 0.9}},
    }}
    run_motion(Path(out), make_splits(), **changes)
"""


@pytest.mark.slow
def test_a_run_of_two_processes_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(TRAIN).format(samples=str(SAMPLES)))
    folders = one_device_and_two(script, monkeypatch)
    one, two = (torch.load(folder / "last.ckpt", weights_only=True) for folder in folders)
    assert one["global_step"] == two["global_step"] == 5
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(
            two["averaged"][name.removeprefix("model.")],
            one["averaged"][name.removeprefix("model.")],
            atol=1e-4,
            rtol=1e-3,
        )
    logs = [(folder / "log.csv").read_text().splitlines() for folder in folders]
    for left, right in zip(*logs, strict=True):
        a, b = (line.split(",")[:7] for line in (left, right))  # up to lambda
        assert a == b or [float(x) for x in a] == pytest.approx([float(x) for x in b], rel=2e-3)
