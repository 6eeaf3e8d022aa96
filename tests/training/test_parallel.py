"""Two gloo processes with half a batch each do what one does with the whole: batch norm, MGDA, dropout left out."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from torch import nn

from kinegraph.training.parallel import JointBatchNorm, average_over_ranks

HERE = Path(__file__).parent

TRAIN = """
    import sys
    sys.path.insert(0, {here!r})
    from pathlib import Path
    import torch
    torch.set_num_threads(1)
    from motion_samples import make_splits
    from test_motion_run import SYMGNN, run

    out, devices, balance = sys.argv[1:]
    changes = {{
        "model": {{**SYMGNN, "dropout": 0.0}},
        "trainer": {{"devices": int(devices), "steps": 6, "batch": 12}},
        "augment": {{"mirror": 0.5, "noise": 0.01}},
        "objective": {{"balance": balance, "normalise": "loss+"}},
        "optim": {{"name": "sgd", "lr": 0.05, "clip": 1.0}},
    }}
    run(Path(out), make_splits(), **changes)
"""


@pytest.mark.slow
@pytest.mark.parametrize("balance", ["mgda", "mgda-ub"])
def test_two_processes_equal_one(tmp_path: Path, balance: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(TRAIN).format(here=str(HERE)))
    for devices in ("1", "2"):
        command = [sys.executable, str(script), str(tmp_path / devices), devices, balance]
        subprocess.run(command, check=True, timeout=300, cwd=tmp_path)
    one, two = (torch.load(tmp_path / devices / "last.ckpt", weights_only=True) for devices in ("1", "2"))
    assert one["global_step"] == two["global_step"] == 6
    moved = 0.0
    sys.path.insert(0, str(HERE))
    from motion_samples import make_splits
    from test_motion_run import recipe

    from kinegraph.training.motion_setup import prepare

    start = prepare(recipe(tmp_path, model={**_symgnn(), "dropout": 0.0}), make_splits()).task.state_dict()
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(
            two["state_dict"][name], value, atol=2e-4, rtol=2e-3, msg=lambda m, n=name: f"{n}: {m}"
        )
        moved = max(moved, float((value - start[name]).abs().max()))
    assert moved > 0.005
    logs = [(tmp_path / devices / "log.csv").read_text().splitlines() for devices in ("1", "2")]
    for left, right in zip(*logs, strict=True):
        a, b = (line.split(",")[:7] for line in (left, right))  # up to lambda
        assert a == b or [float(x) for x in a] == pytest.approx([float(x) for x in b], rel=2e-3)


def _symgnn() -> dict[str, object]:
    from test_motion_run import SYMGNN

    return SYMGNN


NORM = """
    import os, sys
    import torch, torch.distributed as dist
    from torch import nn
    from kinegraph.layers import NodeBatchNorm
    from kinegraph.training.parallel import JointBatchNorm, average_over_ranks
    torch.set_num_threads(1)
    rank, out = int(sys.argv[1]), sys.argv[2]
    if out.endswith("two"):
        dist.init_process_group("gloo", init_method=f"file://{out}.sync", rank=rank, world_size=2)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv1d(5, 4, 3), nn.BatchNorm1d(4, momentum=0.3), nn.Tanh()).double()
    norm = NodeBatchNorm(4, 6, norm="node_channel").double()
    x, y = torch.randn(6, 5, 8).double() * torch.arange(1, 7).view(6, 1, 1), torch.randn(6, 4, 6).double()
    if out.endswith("two"):
        x, y = x[rank::2], y[rank::2]
    with JointBatchNorm():
        loss = (norm(net(x)) * y).square().mean()
    weights = [*net.parameters(), *norm.parameters()]
    found = average_over_ranks(torch.autograd.grad(loss, weights))
    if rank == 0:
        torch.save([*found, *net.buffers(), *norm.buffers()], out)
"""


def test_batch_norm_over_two_processes_is_that_of_the_joined_batch(tmp_path: Path) -> None:
    script = tmp_path / "norm.py"
    script.write_text(textwrap.dedent(NORM))
    jobs = [("0", "one"), ("0", "two"), ("1", "two")]
    running = [subprocess.Popen([sys.executable, str(script), rank, str(tmp_path / out)]) for rank, out in jobs]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    one, two = (torch.load(tmp_path / name) for name in ("one", "two"))
    assert len(one) == 2 + 2 + 2 + 3 + 3
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-9)


def test_alone_nothing_changes() -> None:
    tensors = [torch.randn(3), torch.randn(2, 2)]
    assert all(a is b for a, b in zip(average_over_ranks(tensors), tensors, strict=True))
    torch.manual_seed(0)
    x, norms = torch.randn(4, 3), [nn.BatchNorm1d(3) for _ in range(2)]
    with JointBatchNorm():
        found = norms[0](x)
    assert torch.equal(found, norms[1](x))
