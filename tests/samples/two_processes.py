"""One process, and two that share its work, so that a test can compare what they find."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def join_processes(rank: int, world: int, out: Path) -> None:
    """What each process of :func:`one_and_two` begins with."""
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{out}.sync", rank=rank, world_size=world)


def one_and_two(work: Any, folder: Path, *options: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """What one process finds, and what two do. They are forked: importing torch thrice would take the test's time."""
    context = mp.get_context("fork")
    jobs = [(0, 1, "one"), (0, 2, "two"), (1, 2, "two")]
    running = [context.Process(target=work, args=(rank, world, folder / out, *options)) for rank, world, out in jobs]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
        assert process.exitcode == 0
    return torch.load(folder / "one"), torch.load(folder / "two")


def one_device_and_two(script: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folders of the runs of a script that takes a folder and a number of devices.

    With one it runs here; with two in processes of its own, since Lightning starts the second by the first's command.
    """
    one, two = script.parent / "one", script.parent / "two"
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), str(one), "1"])
        patch.setattr(sys, "path", [*sys.path])
        runpy.run_path(str(script), run_name="__main__")
    subprocess.run([sys.executable, str(script), str(two), "2"], check=True, timeout=300, cwd=script.parent)
    return one, two
