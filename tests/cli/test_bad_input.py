"""Every kind of bad input ends in one line on stderr that names the file and the remedy, status 2 and no output."""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import kinegraph as kg
from kinegraph.cli import main

ASF = """:version 1.10
:units
  mass 1.0
  length 0.45
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lfemur
    direction 0 -1 0
    length 7
    axis 0 0 0 XYZ
    dof rx
  end
:hierarchy
  begin
    root lfemur
  end
"""
AMC = ":FULLY-SPECIFIED\n:DEGREES\n1\nroot 0 0 0 0 0 0\nlfemur 5\n2\nroot 0 1 0 0 0 0\nlfemur 6\n"
BVH = """HIERARCHY
ROOT hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT head
  {
    OFFSET 0 60 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 20 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
0 90 0 0 0 0 0 0 0
0 91 0 0 0 0 0 0 0
"""


class Bomb:
    """Would make a file if it were unpickled by the ordinary way."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.target}",)


def openpose(values: list[float]) -> str:
    return json.dumps({"version": 1.3, "people": [{"pose_keypoints_2d": values}]})


def amc(folder: Path, text: str, *, asf: bool = True) -> Path:
    if asf:
        (folder / "01.asf").write_text(ASF)
    path = folder / "01_01.amc"
    path.write_text(text)
    return path


def text(name: str, content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(content)
        return path

    return make


def bomb(folder: Path) -> Path:
    path = folder / "clips.pkl"
    path.write_bytes(pickle.dumps({"keypoint": Bomb(folder / "exploded")}))
    return path


def solid(folder: Path) -> Path:
    """3D joints on a layout that maps."""
    path = folder / "solid.npz"
    rng = np.random.default_rng(0)
    kg.save(kg.SkeletonSequence(rng.normal(size=(1, 3, 17, 3)), kg.get_skeleton("h36m17"), fps=30), path)
    return path


def flat(folder: Path) -> Path:
    """2D joints."""
    path = folder / "flat.npz"
    positions = np.random.default_rng(0).uniform(0, 500, size=(1, 3, 17, 2))
    sequence = kg.SkeletonSequence(positions, kg.get_skeleton("coco17"), fps=30, unit="px", space="image")
    kg.save(sequence, path)
    return path


BAD_FILES = [
    ("AMC cut in a frame", lambda d: amc(d, AMC[:-9]), "01_01.amc"),
    ("empty AMC", lambda d: amc(d, ""), "01_01.amc"),
    ("NaN in AMC", lambda d: amc(d, AMC.replace("lfemur 6", "lfemur nan")), "line 8"),
    ("AMC without its ASF", lambda d: amc(d, AMC, asf=False), r"\.asf"),
    ("BVH cut in the hierarchy", text("cut.bvh", BVH[:150]), "cut.bvh"),
    ("BVH cut in the motion", text("cut.bvh", BVH[:-20]), "cut.bvh"),
    ("empty BVH", text("empty.bvh", ""), "empty.bvh"),
    ("NaN in BVH", text("nan.bvh", BVH.replace("91", "nan")), "nan.bvh"),
    ("JSON cut", text("cut.json", openpose([1.0] * 75)[:80]), "cut.json"),
    ("empty JSON", text("empty.json", ""), "empty.json"),
    ("NaN in JSON", text("nan.json", openpose([float("nan")] + [1.0] * 74)), "nan.json"),
    ("wrong joint count", text("odd.json", openpose([1.0] * 63)), "21"),
    ("hostile pickle", bomb, "system"),
    ("no such file", lambda d: d / "absent.bvh", "absent.bvh"),
]


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run the command line; it must fail with one line, which is returned."""
    status = main([str(w) for w in words])
    err = capsys.readouterr().err
    assert status == 2, err
    lines = [line for line in err.splitlines() if line.startswith("kinegraph")]
    assert len(lines) == 1
    assert "bug" not in lines[0]
    assert "Traceback" not in err
    return lines[0]


@pytest.mark.parametrize("command", ["info", "convert", "view"])
@pytest.mark.parametrize(("make", "message"), [b[1:] for b in BAD_FILES], ids=[b[0] for b in BAD_FILES])
def test_bad_files(
    command: str, make: Callable[[Path], Path], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    path = make(source)
    out = tmp_path / "out"
    out.mkdir()
    extra: list[object] = {"info": [], "convert": [out / "x.npz"], "view": ["--out", out / "x.html"]}[command]
    line = run(capsys, command, path, *extra)
    assert re.search(message, line), line
    assert list(out.iterdir()) == []
    assert not (source / "exploded").exists()


def test_the_bomb_is_live(tmp_path: Path) -> None:
    pickle.loads(bomb(tmp_path).read_bytes())
    assert (tmp_path / "exploded").exists()


def test_three_dimensions_where_two_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = run(capsys, "lift", solid(tmp_path), "--out", tmp_path / "x.bvh")
    assert "3D" in line
    assert "2D" in line
    assert not (tmp_path / "x.bvh").exists()


def test_two_dimensions_where_three_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "2D" in run(capsys, "convert", flat(tmp_path), tmp_path / "x.bvh")
    assert not (tmp_path / "x.bvh").exists()


def test_wrong_layout_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = run(capsys, "convert", solid(tmp_path), tmp_path / "x.npz", "--skeleton", "h36n17")
    assert "did you mean 'h36m17'" in line


def test_missing_extra_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    assert "kinegraph[c3d]" in run(capsys, "convert", solid(tmp_path), tmp_path / "x.c3d")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert "kinegraph[video]" in run(capsys, "view", solid(tmp_path), "--out", tmp_path / "x.mp4")
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    for name in [m for m in sys.modules if m.startswith("kinegraph.training")]:
        monkeypatch.delitem(sys.modules, name)
    assert "kinegraph[train]" in run(capsys, "train", "lift_fcn_synthetic_pixel", "--out", tmp_path / "run")
    assert {p.name for p in tmp_path.iterdir()} == {"solid.npz"}


def test_unwritable_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = solid(tmp_path)
    assert "nowhere" in run(capsys, "convert", source, tmp_path / "nowhere" / "x.bvh")
    (tmp_path / "folder.bvh").mkdir()
    assert "folder" in run(capsys, "convert", source, tmp_path / "folder.bvh")
    assert "nowhere" in run(capsys, "view", source, "--out", tmp_path / "nowhere" / "x.png")


def test_unknown_recipe_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {name: hcsf, chanels: 8}\n")
    line = run(capsys, "train", recipe, "--out", tmp_path / "run")
    assert "chanels" in line
    assert "did you mean 'channels'" in line
    recipe.write_text("model: {name: hcsf}\ntrainer: {step: 5}\n")
    assert "did you mean 'steps'" in run(capsys, "train", recipe, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()
