"""Folders of classes: what one clip is, and when it is read again."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.datasets.folder import FolderSource
from kinegraph.formats import read, write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

pytest.importorskip("pyarrow")


def frames(folder: Path, seed: int, count: int = 6) -> SkeletonSequence:
    """A folder of OpenPose frames."""
    points = np.random.default_rng(seed).uniform(100, 400, (1, count, 25, 2))
    write(SkeletonSequence(points, get_skeleton("body25"), 30, unit="px", space="image"), folder, format="openpose")
    return read(folder)


def prepare(source: Path, out: Path) -> int:
    return main(["data", "prepare", "folder", "--source", str(source), "--out", str(out), "--workers", "1", "--quiet"])


def test_a_folder_of_frames_is_one_clip(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    for folder in ("wave", "kick", "kick/monday"):
        (root / folder).mkdir(parents=True)
    takes = {
        "kick/monday/take": frames(root / "kick" / "monday" / "take", 0),
        "kick/take": frames(root / "kick" / "take", 1, 9),
        "wave/take": frames(root / "wave" / "take", 2),
    }
    source = FolderSource(root)
    assert [source.name(number) for number in range(len(source))] == list(takes)
    for clip, take in zip(source, takes.values(), strict=True):
        assert clip.positions.shape[1] == take.frames
        np.testing.assert_allclose(clip.positions, take.positions, rtol=1e-6)
    alone = tmp_path / "alone"  # the class folder is the take
    alone.mkdir()
    frames(alone / "wave", 2)
    assert [clip.positions.shape[1] for clip in FolderSource(alone)] == [6]


def test_frames_that_change_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "wave").mkdir()
    frames(tmp_path / "wave" / "take", 0)
    first = FolderSource(tmp_path).stamp(0)
    assert FolderSource(tmp_path).stamp(0) == first
    one = sorted((tmp_path / "wave" / "take").iterdir())[2]
    text = one.read_text()
    one.write_text(text + " ")
    assert FolderSource(tmp_path).stamp(0) != first
    one.unlink()
    assert FolderSource(tmp_path).stamp(0) != first


def test_a_skeleton_that_comes_later_is_looked_for(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An AMC file without its ASF cannot be read; once it is there, the same command reads it."""
    place = shared_data / "cmu_asfamc"
    (tmp_path / "clips" / "a").mkdir(parents=True)
    (tmp_path / "clips" / "b").mkdir()
    for name, folder in (("01_01.amc", "a"), ("01.asf", "a"), ("02_01.amc", "b")):
        shutil.copy(place / name[:2] / name, tmp_path / "clips" / folder / name)
    assert prepare(tmp_path / "clips", tmp_path / "store") == 0
    bad = list(csv.DictReader((tmp_path / "store" / "bad.csv").open()))
    assert [row["clip"] for row in bad] == ["b/02_01.amc"]
    shutil.copy(place / "02" / "02.asf", tmp_path / "clips" / "b" / "02.asf")
    assert prepare(tmp_path / "clips", tmp_path / "store") == 0
    assert "2 clips" in capsys.readouterr().out
    assert not (tmp_path / "store" / "bad.csv").exists()
    before = FolderSource(tmp_path / "clips").stamp(1)
    text = (tmp_path / "clips" / "b" / "02.asf").read_text()
    (tmp_path / "clips" / "b" / "02.asf").write_text(text + "\n")
    assert FolderSource(tmp_path / "clips").stamp(1) != before
