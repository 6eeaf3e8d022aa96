"""Files appear whole or not at all, and folders that came to nothing go again."""

from __future__ import annotations

import csv
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from kinegraph.errors import KinegraphError
from kinegraph.naming import as_text

_STEM_BYTES = 150  # of a temporary name, to know it by


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path (same suffix) that becomes ``path`` on success: renamed, with the mode of the file there.

    On any error, Ctrl-C included, the temporary file is removed and what stood at ``path`` before is untouched. A
    symlink stays, and what it points to is replaced. A device, a pipe and standard output stay what they are: they get
    the bytes at the end.

    Raises:
        KinegraphError: the folder does not exist or cannot be written, or the device cannot.
    """
    target = Path(path)
    with _sent_to(target) if _takes_bytes(target) else _renamed_to(target) as temporary:
        yield temporary


def _takes_bytes(target: Path) -> bool:
    """Whether what is there is no file to replace: a device, a pipe, or where this process's output goes."""
    try:
        there = target.stat()
    except OSError:
        return False
    return not (stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode)) or any(
        os.path.samestat(there, output) for output in _outputs()
    )


def _outputs() -> Iterator[os.stat_result]:
    for number in (1, 2):
        with suppress(OSError):  # it is closed
            yield os.fstat(number)


@contextmanager
def _sent_to(target: Path) -> Iterator[Path]:
    if not os.access(target, os.W_OK):
        raise KinegraphError(f"cannot write {target}: it is not writable; choose another")
    with tempfile.TemporaryDirectory(prefix="kinegraph-") as folder:
        temporary = Path(folder) / f"output{target.suffix}"
        try:
            yield temporary
            with temporary.open("rb") as source, target.open("ab") as sink:  # at the end, where output goes to a file
                shutil.copyfileobj(source, sink)
        except OSError as error:
            raise KinegraphError(f"cannot write {target}: {error.strerror or error}") from error


@contextmanager
def _renamed_to(target: Path) -> Iterator[Path]:
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    folder = target.parent
    if not folder.is_dir():
        raise KinegraphError(f"cannot write {target}: the folder {folder} does not exist; create it first")
    if target.is_dir():
        raise KinegraphError(f"cannot write {target}: it is a folder; give the name of a file")
    if not os.access(folder, os.W_OK):
        raise KinegraphError(f"cannot write {target}: the folder {folder} is not writable; choose another one")
    # The suffix stays last because writers such as Matplotlib choose their format by it. Some writers take no name that
    # is no UTF-8, and a file system none much longer than the target's may be.
    stem = as_text(target.stem).encode()[:_STEM_BYTES].decode(errors="ignore")
    temporary = folder / f".{stem}.{secrets.token_hex(4)}.part{target.suffix}"
    try:
        yield temporary
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except OSError as error:
        raise KinegraphError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` (UTF-8; what cannot be, as of files' names, is spelt out) to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_csv(path: Path | str, header: Sequence[object], rows: Iterable[Sequence[object]]) -> None:
    """Write a table of comma-separated values to ``path`` atomically."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    write_text(path, text.getvalue())


@contextmanager
def made_folder(path: Path | str) -> Iterator[Path]:
    """The folder is there within, made if missing; after an error what is new of it, and still empty, goes again.

    Entered before long work, it says at once where nothing can be written.

    Raises:
        KinegraphError: it cannot be made.
    """
    folder = Path(path)
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinegraphError(f"cannot make the folder {folder}: {error.strerror or error}; choose another") from error
    try:
        yield folder
    except BaseException:
        with suppress(OSError):  # it is not empty
            for place in new:
                place.rmdir()
        raise
