"""One writer at a time in a folder."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kinegraph.atomic import made_folder
from kinegraph.errors import KinegraphError

__all__ = ["LOCK", "folder_lock"]

LOCK = ".lock"
"""File of a folder that is locked while somebody writes there, and says who."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _release(file: int, path: Path) -> None:
        os.close(file)
        with suppress(OSError):  # another writer may have it by now
            path.unlink()

else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _release(file: int, path: Path) -> None:
        with suppress(OSError):
            path.unlink()  # first: once it is unlocked, the name may be the next writer's
        os.close(file)


@contextmanager
def folder_lock(
    folder: Path | str,
    busy: str = "prepares data there",
    remedy: str = "wait for its end, stop it, or choose another folder",
) -> Iterator[Path]:
    """The folder is there within (a new one goes again if it stays empty), and nobody else writes to it.

    The lock is the operating system's and goes with its process, however that ends; a file alone would outlast a kill.
    A file system without locks has none.

    Args:
        folder: made if missing.
        busy: what a holder of the lock does, for the message to whoever comes second.
        remedy: what they can do about it.

    Raises:
        KinegraphError: another process holds it, or the folder cannot be made or written.
    """
    with made_folder(folder) as made:
        path = made / LOCK
        file = _taken(path, busy, remedy)
        try:
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
            yield made
        finally:
            _release(file, path)


def _taken(path: Path, busy: str, remedy: str) -> int:
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
            raise KinegraphError(f"{path.parent}: {holder} {busy}; {remedy}") from error
        except OSError:
            return file  # no locks here
        # Whoever held it may have removed it since it was opened; then the next to come locks another file of the name.
        with suppress(OSError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)
