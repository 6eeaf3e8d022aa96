"""Files that appear whole or not at all, folders that go again, tables of values."""

from __future__ import annotations

import csv
import os
import stat
import subprocess
import sys
import threading
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


def test_a_symlink_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "real.txt").write_text("old")
    for name in ("real.txt", "none yet.txt"):
        link = tmp_path / f"link {name}"
        link.symlink_to(Path("there") / name)
        write_text(link, "new")
        assert link.is_symlink()
        assert (tmp_path / "there" / name).read_text() == "new"
        assert sorted(path.name for path in (tmp_path / "there").iterdir())[0][0] != "."


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    (tmp_path / "a.txt").chmod(0o600)
    write_text(tmp_path / "a.txt", "new")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o600
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_pipe_gets_the_bytes_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    write_csv(pipe, ("a",), [(1,)])
    reader.join(timeout=10)
    assert read == ["a\n1\n"]
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    before = os.lstat(os.devnull)
    link = tmp_path / "null"  # never the device itself in a test: where it is replaced, the machine is broken
    link.symlink_to(os.devnull)
    try:
        os.mknod(tmp_path / "own", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError:  # for root alone
        places = [link]
    else:
        places = [link, tmp_path / "own"] if writable(tmp_path / "own") else [link]
    for place in places:
        write_text(place, "gone")
        assert stat.S_ISCHR(place.stat().st_mode)
    assert link.is_symlink()
    assert os.lstat(os.devnull).st_rdev == before.st_rdev


def writable(device: Path) -> bool:
    try:
        device.write_text("x")
    except OSError:  # a file system of no devices
        return False
    return True


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout on this machine")
def test_standard_output_gets_it_between_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "stdout").symlink_to("/dev/stdout")
    code = (
        "from kinegraph.atomic import write_text; print('before', flush=True); "
        f"write_text({str(tmp_path / 'stdout')!r}, 'text\\n'); print('after')"
    )
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert piped.stdout == "before\ntext\nafter\n"
    with (tmp_path / "out.txt").open("a") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    assert (tmp_path / "out.txt").read_text() == "before\ntext\nafter\n"
    assert (tmp_path / "stdout").is_symlink()


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
