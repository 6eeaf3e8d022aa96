"""One run at a time in a run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinegraph.folder_lock import folder_lock
from kinegraph.training.launch import is_leader, slurm_tasks

__all__ = ["run_lock"]


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """The folder is there within (a new one goes again if it stays empty), and nobody else trains in it.

    Of a data-parallel run the first process, which writes, holds it for all.

    Raises:
        KinegraphError: another run goes on there, or the folder cannot be made.
    """
    if not is_leader():
        yield
        return
    remedy = f"wait for its end, stop it, or choose another --out{_of_srun()}"
    with folder_lock(folder, "trains there", remedy):
        yield


def _of_srun() -> str:
    tasks = slurm_tasks()
    return f" for each of srun's tasks (--trainer.devices and .nodes where all {tasks} train together)" * (tasks > 1)
