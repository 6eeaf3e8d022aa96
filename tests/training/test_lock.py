"""One run at a time in a folder, also after a kill."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from training_runs import run_lifting

from kinegraph.errors import KinegraphError
from kinegraph.folder_lock import LOCK, folder_lock
from kinegraph.training.launch import is_leader
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.lock import run_lock


def test_a_second_run_is_refused_while_one_goes_on_and_not_afterwards(tmp_path: Path, splits: LiftingSplits) -> None:
    with folder_lock(tmp_path / "run"):
        for resume in (False, True):
            with pytest.raises(KinegraphError, match=rf"process {os.getpid()} on .* trains there; .* another --out"):
                run_lifting(tmp_path / "run", splits, resume=resume)
        assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
        assert run_lifting(tmp_path / "other", splits).status == "finished"
    (tmp_path / "run" / LOCK).touch()  # as a kill leaves it
    assert run_lifting(tmp_path / "run", splits).status == "finished"
    assert not (tmp_path / "run" / LOCK).exists()


def test_other_processes_of_a_run_neither_lock_nor_make_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setitem(is_leader.__globals__, "_alone", False)  # as the first process's training of several says
    with run_lock(tmp_path / "run"):
        assert not (tmp_path / "run").exists()
