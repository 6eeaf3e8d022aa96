"""``kinegraph data``: lists, prepares, goes on, and refuses in one line."""

from __future__ import annotations

import pytest
from action_files import write_ntu

from kinegraph.cli import main
from kinegraph.datasets import DATASETS
from kinegraph.datasets.clip_sources import SOURCES
from kinegraph.store import ClipStore

pytest.importorskip("pyarrow")

NAMES = ["S001C002P001R001A002", "S002C001P003R001A001", "S002C002P003R001A001"]


def test_every_source_is_listed(capsys) -> None:
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    for name in SOURCES:
        assert f"\n{name}\n" in text
        assert DATASETS[name].prepare


def test_ntu_from_text_to_store(tmp_path, capsys) -> None:
    folder, out = write_ntu(tmp_path / "ntu", NAMES), tmp_path / "out"
    (folder / "S001C001P001R001A003.skeleton").write_text("1\n1\n")
    missing = tmp_path / "missing.txt"
    missing.write_text("prose\nS002C002P003R001A001\n")
    words = ["data", "prepare", "ntu60", "--source", str(folder), "--out", str(out), "--missing", str(missing)]
    assert main([*words, "--float16", "--workers", "1", "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "1 samples left out" in text
    assert "2 clips, 12 frames, 60 classes, ntu25, float16" in text
    assert "1 clips could not be read" in text
    store = ClipStore(out)
    assert store.names == ("S001C002P001R001A002", "S002C001P003R001A001")
    assert "S001C001P001R001A003" in (out / "bad.csv").read_text()
    assert main([*words, "--float16", "--workers", "1", "--quiet"]) == 0
    assert "3 clips were there from an earlier run" in capsys.readouterr().out


def test_generated_recordings_are_prepared(tmp_path, capsys) -> None:
    made, out = tmp_path / "made", tmp_path / "out"
    words = ["data", "generate", "ntu", "--clips", "9", "--actions", "2", "--seed", "5", "--out", str(made)]
    assert main([*words, "--workers", "1", "--quiet"]) == 0
    assert "9 recordings, 2 actions, 2 performers" in capsys.readouterr().out
    assert main([*words, "--workers", "1", "--quiet"]) == 0
    assert "9 of them were there from an earlier run" in capsys.readouterr().out
    assert (
        main(["data", "prepare", "ntu60", "--source", str(made), "--out", str(out), "--workers", "1", "--quiet"]) == 0
    )
    assert len(ClipStore(out)) == 9
    for extra, message in ((["--subjects", "2"], "subjects is 2; expected 3 to 40"), ([], "made with other settings")):
        assert main([*words[:4], "5", "--out", str(made), *extra]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ntu60", "--fps", "30"], "--fps says nothing about ntu60; leave it out (options: missing, people)"),
        (["hdm05-11"], "no HDM05 here"),
        (["ntu"], "unknown dataset 'ntu'; did you mean"),
        (["folder", "--people", "0"], "people is 0"),
        (["folder", "--fps", "nan"], "fps is nan"),
        (["folder", "--skeleton", "coco71"], "coco71"),
        (["folder", "--extra", "x"], "--extra says nothing about folder"),
        (["mocap-lifting", "--workers", "2"], "--workers says nothing about mocap-lifting"),
        (["mocap-lifting", "--fps", "0"], "--fps says nothing about mocap-lifting"),
        (["pyskl"], "cannot be read"),
        (["ctrgcn"], "cannot be read"),
    ],
)
def test_what_is_refused(tmp_path, capsys, words, message) -> None:
    (tmp_path / "a").mkdir()
    assert main(["data", "prepare", *words, "--source", str(tmp_path / "a"), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
