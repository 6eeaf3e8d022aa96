"""Files that appear whole or not at all, folders that go again, tables of values."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from kinegraph.atomic import atomic_path, made_folder, write_csv, write_text
from kinegraph.errors import KinegraphError


def test_what_stood_there_stays_when_writing_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    write_text(tmp_path / "a.txt", "before")
    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "a.txt").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_any_name_that_a_file_can_have_can_be_written(tmp_path: Path) -> None:
    for name in ("a" * 251 + ".txt", "\N{GREEK SMALL LETTER MU}" * 120 + ".txt", os.fsdecode(b"t\xdc.txt")):
        with atomic_path(tmp_path / name) as temporary:
            assert temporary.suffix == ".txt"
            temporary.name.encode()  # writers in other languages take nothing else
            temporary.write_text("done")
        assert (tmp_path / name).read_text() == "done"
    assert len(list(tmp_path.iterdir())) == 3


def test_names_that_are_no_utf8_are_spelt_out_in_texts(tmp_path: Path) -> None:
    name = os.fsdecode(b"t\xdc")
    write_text(tmp_path / "a.txt", f"of {name}")
    write_csv(tmp_path / "a.csv", ("file",), [(name,)])
    assert (tmp_path / "a.txt").read_bytes() == rb"of t\udcdc"
    assert (tmp_path / "a.csv").read_bytes() == b"file\nt\\udcdc\n"


def fail_within(place: Path, file: str | None = None) -> None:
    with made_folder(place) as folder:
        assert folder.is_dir()
        if file is not None:
            (folder / file).write_text("done")
        raise RuntimeError


def test_a_folder_that_came_to_nothing_goes_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_within(tmp_path / "new" / "below" / "it")
    assert not (tmp_path / "new").exists()
    assert tmp_path.is_dir()
    with made_folder(tmp_path / "new"):
        pass
    assert (tmp_path / "new").is_dir()


def test_a_folder_that_was_there_or_holds_something_stays(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    with pytest.raises(RuntimeError):
        fail_within(tmp_path / "old")
    assert (tmp_path / "old").is_dir()
    with pytest.raises(RuntimeError):
        fail_within(tmp_path / "new", "a.txt")
    assert (tmp_path / "new" / "a.txt").is_file()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(KinegraphError, match=r"cannot make the folder .*file: .*; choose another"),
        made_folder(tmp_path / "file"),
    ):
        pass


def test_a_table_is_read_back_as_it_was(tmp_path: Path) -> None:
    rows = [("a,b", 'said "no"'), ("ü", "two\nlines")]
    write_csv(tmp_path / "t.csv", ("file", "reason"), rows)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [["file", "reason"], *(list(row) for row in rows)]
