"""One writer at a time in a folder, also after a kill."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from random_clips import RandomClips

from kinegraph import folder_lock as module
from kinegraph.errors import KinegraphError
from kinegraph.folder_lock import LOCK, folder_lock
from kinegraph.store import ClipStore, prepare_clips

HOLDS = """
    import sys
    from kinegraph.folder_lock import folder_lock
    with folder_lock({folder!r}):
        print("held", flush=True)
        sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed."""
    code = textwrap.dedent(HOLDS).format(folder=str(folder))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_goes_with_its_block_and_leaves_no_new_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "new"
    for _ in range(2):
        with folder_lock(folder) as made, pytest.raises(KinegraphError, match="prepares data there"), folder_lock(made):
            pass
    folder.rmdir()  # nothing is left in it
    with pytest.raises(KinegraphError, match="wrong"), folder_lock(folder):
        raise KinegraphError("wrong")
    assert not folder.exists()
    with folder_lock(folder):
        (folder / "something").touch()
    assert [path.name for path in folder.iterdir()] == ["something"]


def test_who_waited_for_a_lock_that_was_removed_takes_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its opening and its locking the writer before may end and remove the file: its lock keeps nobody out."""
    real, late = module._lock, []

    def slow(file: int) -> None:
        if not late:
            late.append(True)
            (tmp_path / LOCK).unlink()
        real(file)

    monkeypatch.setitem(inspect.unwrap(folder_lock).__globals__, "_lock", slow)
    with folder_lock(tmp_path), pytest.raises(KinegraphError, match="prepares data there"), folder_lock(tmp_path):
        pass


def test_a_file_system_without_locks_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(file: int) -> None:
        raise OSError(95, "Operation not supported")

    # by its globals: another test may have had the package imported anew, and names would lead to that one
    monkeypatch.setitem(inspect.unwrap(folder_lock).__globals__, "_lock", none)
    with folder_lock(tmp_path), folder_lock(tmp_path):  # where there are locks the second is refused
        pass
    assert not (tmp_path / LOCK).exists()


def test_clips_are_not_prepared_where_another_process_does_and_are_after_its_kill(tmp_path: Path) -> None:
    """The second would remove the first one's half written shards."""
    pytest.importorskip("pyarrow")
    source = RandomClips()
    with holder(tmp_path) as process:
        with pytest.raises(
            KinegraphError, match=rf"process {process.pid} on .* prepares data there; .* another folder"
        ):
            prepare_clips(source, tmp_path, workers=1, progress=False)
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
    assert (tmp_path / LOCK).exists()  # nobody could remove it
    assert len(prepare_clips(source, tmp_path, workers=1, progress=False).store) == len(ClipStore(tmp_path)) == 40
    assert not (tmp_path / LOCK).exists()
