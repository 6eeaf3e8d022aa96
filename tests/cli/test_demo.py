"""`kinegraph demo --quick`: the whole road."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinegraph.cli import main
from kinegraph.formats import read

pytest.importorskip("lightning", reason="the extra 'train' is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "new"
    assert main(["demo", "--quick", "--out", str(out)]) == 0
    return out


def test_a_seed_that_is_none_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seed", "-1", "--out", str(tmp_path / "new")]) == 2
    assert "--seed is -1; give a whole number from 0 to 2147483647" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_everything_is_there(folder: Path) -> None:
    names = {p.name for p in folder.iterdir()}
    pictures = {"lifted.png", "hardest.png", "error_histogram.png", "hardest_poses.png", "player.html", "index.html"}
    assert names == pictures | {"lifted.bvh", "table.txt", "table.json", "hard_poses.txt", "runs"}
    motion = read(folder / "lifted.bvh")
    assert motion.frames == 25
    for picture in ("lifted.png", "player.html", "hardest.png"):
        assert picture in (folder / "index.html").read_text()


def test_the_table_names_the_conditions_and_equals_the_json(folder: Path) -> None:
    table = (folder / "table.txt").read_text()
    for words in ("synthetic-lifting", "metric", "test split", "seed 0", "MPJPE", "PA-MPJPE", "flip test"):
        assert words in table
    content = json.loads((folder / "table.json").read_text())
    assert [row["model"] for row in content] == ["FCN", "LCN", "HCSF"]
    for row in content:
        line = next(line for line in table.splitlines() if line.startswith(row["model"]))
        assert line.split()[1:3] == [f"{row['mpjpe_mm']:.1f}", f"{row['pa_mpjpe_mm']:.1f}"]
        assert 0 < row["pa_mpjpe_mm"] < row["mpjpe_mm"] < 1000


def test_again_takes_the_trained_networks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "table.json").read_text()
    assert main(["demo", "--quick", "--out", str(folder)]) == 0
    assert json.loads(before)[0]["mpjpe_mm"] == json.loads((folder / "table.json").read_text())[0]["mpjpe_mm"]


def test_an_unusable_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--quick", "--out", str(tmp_path / "file")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("kinegraph: error: cannot write")
    assert said.count("\n") == 1
