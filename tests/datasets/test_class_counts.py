"""Classes that are not what their owner means: never trained, twice under nearly one name, alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from action_files import recordings

from kinegraph.cli import main
from kinegraph.datasets.class_counts import alike, class_lines, never_trained, untrained
from kinegraph.datasets.folder import FolderSource
from kinegraph.store import ClipStore

pytest.importorskip("pyarrow")

TRAIN = ["--model.width", "0.05", "--transform.frames", "4", "--trainer.steps", "1", "--trainer.batch", "2"]
TRAIN += ["--trainer.tensorboard", "false", "--trainer.accelerator", "cpu", "--data.held_out", "0"]
TRAIN += ["--trainer.keep", "last"]
BOTH = ("train/walk/a.npz", "train/walk/b.npz", "train/nod/a.npz", "test/walk/c.npz", "test/only/a.npz")


def prepared(place: Path, *names: str) -> Path:
    source = recordings(place / "clips", *names)
    words = ["data", "prepare", "folder", "--source", str(source), "--out", str(place / "store"), "--workers", "1"]
    assert main([*words, "--quiet"]) == 0
    return place / "store"


def trained(place: Path, store: Path) -> list[str]:
    words = ["train", "recognize_folder", "--data.source", str(store), *TRAIN, "--out", str(place / "run")]
    assert main(words) == 0
    return ["evaluate", str(place / "run" / "best"), "--protocol", "folder", "--data", str(store)]


def test_names_that_are_nearly_one() -> None:
    assert alike(["u\u0308ben", "\u00fcben", "walk", "walks"]) == [("u\u0308ben", "\u00fcben")]
    assert alike(["Run", "RUN", "run_", "r un"]) == [("RUN", "Run", "r un", "run_")]
    assert alike(["walk", "run", "straße", "strase"]) == []
    assert "classes c0, c1, c2, c3, c4 and 4 more, which" in never_trained([f"c{number}" for number in range(9)])


def test_nearly_one_name_is_said(tmp_path: Path) -> None:
    recordings(tmp_path, "Run/a.npz", "run/b.npz", "walk/a.npz")
    assert FolderSource(tmp_path).notes == (
        "Run and run are 2 classes, which differ in capitals, spaces or accents alone; where one is meant, give them "
        "one name",
    )


def test_a_class_that_only_the_test_part_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = prepared(tmp_path, *BOTH)
    said = capsys.readouterr().out.splitlines()
    at = said.index("  nod: 1 train")
    assert said[at : at + 4] == [
        "  nod: 1 train",
        "  only: 1 test",
        "  walk: 2 train, 1 test",
        never_trained(["only"]),
    ]
    evaluate = trained(tmp_path, store)
    assert f"warning: {never_trained(['only'])}" in capsys.readouterr().err.splitlines()
    assert main(evaluate) == 0
    note = "1 of these 2 clips are of only, of which these data hold no training clip"
    assert note in capsys.readouterr().out
    assert main([*evaluate, "--split", "train"]) == 0
    assert "no training clip" not in capsys.readouterr().out


def test_parts_that_are_as_they_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"{name}/{number}.npz" for name in ("walk", "nod") for number in range(6)]
    store = prepared(tmp_path, *names)
    clips = ClipStore(store)
    assert class_lines(clips, "folder") == ["  nod: 5 train, 1 test", "  walk: 5 train, 1 test"]
    assert untrained(clips, clips.labels[:0]) == ()
    capsys.readouterr()
    evaluate = trained(tmp_path, store)
    assert "warning" not in capsys.readouterr().err
    assert main(evaluate) == 0
    assert "no training clip" not in capsys.readouterr().out


def test_test_clips_alone_need_no_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = recordings(tmp_path / "clips", "a.npz", "b.npz")
    (source / "index.csv").write_text("file,label,split\na.npz,walk,test\nb.npz,nod,\n")
    words = ["data", "prepare", "folder", "--source", str(source), "--out", str(tmp_path / "s"), "--workers", "1"]
    assert main([*words, "--quiet"]) == 0
    said = capsys.readouterr().out
    assert "  nod: 1 in no part\n  walk: 1 test\n" in said
    assert "never" not in said


def test_one_class_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = prepared(tmp_path, *(f"walk/{number}.npz" for number in range(4)))
    trained(tmp_path, store)
    assert (
        "warning: all 3 training clips are of class walk, and whatever is shown will be called so; expected clips of "
        "two classes or more"
    ) in capsys.readouterr().err.splitlines()
