"""One run at a time in a folder, also after a kill."""

from __future__ import annotations

import inspect
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from training_runs import run_lifting

from kinegraph.errors import KinegraphError
from kinegraph.training.launch import is_leader
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.lock import LOCK, run_lock

HOLDS = """
    import sys, time
    from pathlib import Path
    from kinegraph.training.lock import run_lock
    with run_lock(Path({folder!r})):
        print("held", flush=True)
        time.sleep(600)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    code = textwrap.dedent(HOLDS).format(folder=str(folder))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_while_one_goes_on_and_not_after_a_kill(tmp_path: Path, splits: LiftingSplits) -> None:
    process = holder(tmp_path / "run")
    try:
        for resume in (False, True):
            with pytest.raises(KinegraphError, match=rf"process {process.pid} on .* trains there; .* another --out"):
                run_lifting(tmp_path / "run", splits, resume=resume)
        assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
        assert run_lifting(tmp_path / "other", splits).status == "finished"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    assert (tmp_path / "run" / LOCK).exists()  # nobody could remove it
    assert run_lifting(tmp_path / "run", splits).status == "finished"
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_lock_goes_with_its_block_and_leaves_no_new_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "run"
    for _ in range(2):
        with run_lock(folder), pytest.raises(KinegraphError, match="trains there"), run_lock(folder):
            pass
    folder.rmdir()  # nothing is left in it
    with pytest.raises(KinegraphError, match="wrong"), run_lock(folder):
        raise KinegraphError("wrong")
    assert not folder.exists()
    with run_lock(folder):
        (folder / "something").touch()
    assert [path.name for path in folder.iterdir()] == ["something"]


def test_who_waited_for_a_lock_that_was_removed_takes_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its opening and its locking the run before may end and remove the file: its lock keeps nobody out."""
    from kinegraph.training import lock

    real, late = lock._lock, []

    def slow(file: int) -> None:
        if not late:
            late.append(True)
            (tmp_path / LOCK).unlink()
        real(file)

    monkeypatch.setattr(lock, "_lock", slow)
    with run_lock(tmp_path), pytest.raises(KinegraphError, match="trains there"), run_lock(tmp_path):
        pass


def test_other_processes_of_a_run_neither_lock_nor_make_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setitem(is_leader.__globals__, "_alone", False)  # as the first process's training of several says
    with run_lock(tmp_path / "run"):
        assert not (tmp_path / "run").exists()


def test_a_file_system_without_locks_is_trained_on_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(file: int) -> None:
        raise OSError(95, "Operation not supported")

    # by its globals: another test may have had the package imported anew, and names would lead to that one
    monkeypatch.setitem(inspect.unwrap(run_lock).__globals__, "_lock", none)
    with run_lock(tmp_path), run_lock(tmp_path):  # where there are locks the second is refused
        pass
    assert not (tmp_path / LOCK).exists()
