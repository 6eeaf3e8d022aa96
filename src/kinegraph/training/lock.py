"""One run at a time in a run folder."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kinegraph.atomic import made_folder
from kinegraph.errors import KinegraphError
from kinegraph.training.launch import is_leader, slurm_tasks

__all__ = ["LOCK", "run_lock"]

LOCK = ".lock"
"""File of a run folder that is locked while a run goes on there, and says whose it is."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _release(file: int, path: Path) -> None:
        os.close(file)
        with suppress(OSError):  # another run may have it by now
            path.unlink()

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(file: int, path: Path) -> None:
        with suppress(OSError):
            path.unlink()  # first: once it is unlocked, the name may be the next run's
        os.close(file)


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """The folder is there within (a new one goes again if it stays empty), and nobody else trains in it.

    The lock is the operating system's and goes with its process, however that ends; a file alone would outlast a kill.
    Of a data-parallel run the first process, which writes, holds it for all. A file system without locks has none.

    Raises:
        KinegraphError: another run goes on there, or the folder cannot be made.
    """
    if not is_leader():
        yield
        return
    with made_folder(folder):
        path = folder / LOCK
        file = _taken(path)
        try:
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
            yield
        finally:
            _release(file, path)


def _of_srun() -> str:
    tasks = slurm_tasks()
    return f" for each of srun's tasks (--trainer.devices and .nodes where all {tasks} train together)" * (tasks > 1)


def _taken(path: Path) -> int:
    """The lock file, open and locked."""
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise KinegraphError(f"cannot write {path}: {error.strerror or error}; choose another --out") from error
        try:
            _lock(file)
        except (BlockingIOError, PermissionError) as error:  # the latter on Windows
            holder = "another process"
            with suppress(OSError):
                holder = os.read(file, 200).decode(errors="replace") or holder
            os.close(file)
            raise KinegraphError(
                f"{path.parent}: {holder} trains there; wait for its end, stop it, or choose another --out{_of_srun()}"
            ) from error
        except OSError:
            return file  # no locks here
        # Whoever held it may have removed it since it was opened; then the next to come locks another file of the name.
        with suppress(OSError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)
