"""Folders of 2D keypoints: px with and without the image's size, and what each pre-normalisation makes of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.datasets.folder import FolderSource
from kinegraph.errors import DataError
from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.store import ClipStore

pytest.importorskip("pyarrow")

COCO = get_skeleton("coco17")
TRAIN = ["--model.width", "0.05", "--transform.frames", "8", "--trainer.steps", "1", "--trainer.batch", "4", "--quiet"]
TRAIN += ["--trainer.tensorboard", "false", "--trainer.accelerator", "cpu", "--data.held_out", "0"]
TRAIN += ["--trainer.keep", "last"]


def keypoints(path: Path, seed: int = 0, **fields: object) -> np.ndarray:
    """A file of two dozen frames in px of a 640 x 480 image; what it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points = np.random.default_rng(seed).uniform((100, 50), (600, 450), (1, 24, 17, 2))
    write(SkeletonSequence(points, COCO, 30, **{"unit": "px", "space": "image", **fields}), path)
    return points


def folder(root: Path, **fields: object) -> Path:
    for number in range(6):
        keypoints(root / ("wave", "nod")[number % 2] / f"{number}.npz", number, **fields)
    return root


def prepare(source: Path, out: Path, *words: str) -> int:
    return main(["data", "prepare", "folder", "--source", str(source), "--out", str(out), "--workers", "1", *words])


def test_the_size_that_files_state_makes_fractions(tmp_path: Path) -> None:
    points = keypoints(tmp_path / "wave" / "a.npz", image_size=(640, 480))
    fractions = keypoints(tmp_path / "wave" / "b.npz", 1, image_size=(1280, 480))
    source = FolderSource(tmp_path)
    assert (source.unit, source.notes) == ("normalized", ())
    np.testing.assert_allclose(source.read(0).positions, points / (640, 480), rtol=1e-6)
    np.testing.assert_allclose(source.read(1).positions, fractions / (1280, 480), rtol=1e-6)


def test_a_stated_size_is_for_files_that_state_none(tmp_path: Path) -> None:
    unknown = keypoints(tmp_path / "wave" / "a.npz")
    known = keypoints(tmp_path / "wave" / "b.npz", 1, image_size=(1280, 480))
    source = FolderSource(tmp_path, image_size=(640, 480))
    assert source.unit == "normalized"
    np.testing.assert_allclose(source.read(0).positions, unknown / (640, 480), rtol=1e-6)
    np.testing.assert_allclose(source.read(1).positions, known / (1280, 480), rtol=1e-6)
    assert source.stamp(0) != FolderSource(tmp_path).stamp(0)  # prepared again where the size is another
    plain = FolderSource(tmp_path)
    assert plain.unit == "px"
    assert "--image-size" in plain.notes[0]
    np.testing.assert_allclose(plain.read(0).positions, unknown, rtol=1e-6)


def test_fractions_among_px(tmp_path: Path) -> None:
    points = keypoints(tmp_path / "wave" / "a.npz")
    write(
        SkeletonSequence(points / (640, 480), COCO, 30, unit="normalized", space="image"), tmp_path / "wave" / "b.npz"
    )
    with pytest.raises(DataError, match=r"b.npz: keypoints in fractions of the image without an image size; .* in px"):
        FolderSource(tmp_path).read(1)
    source = FolderSource(tmp_path, image_size=(640, 480))
    np.testing.assert_allclose(source.read(0).positions, source.read(1).positions, rtol=1e-6)
    (tmp_path / "wave" / "a.npz").unlink()
    keypoints(tmp_path / "wave" / "c.npz")
    with pytest.raises(DataError, match=r"c.npz: keypoints in px without an image size.*--image-size"):
        FolderSource(tmp_path).read(1)


def training(place: Path) -> list[str]:
    return ["train", "recognize_folder", "--data.source", str(place / "store"), *TRAIN, "--out", str(place / "r")]


@pytest.mark.parametrize("convention", ["pyskl", "ctr-gcn", "none"])
def test_training_on_sized_keypoints_with_every_convention(tmp_path: Path, convention: str) -> None:
    assert prepare(folder(tmp_path / "clips"), tmp_path / "store", "--image-size", "640x480", "--quiet") == 0
    clips = ClipStore(tmp_path / "store")
    assert (clips.unit, clips.dims) == ("normalized", 2)
    assert 0 < clips[0].positions.min() < clips[0].positions.max() < 1
    train = training(tmp_path)
    assert main([*train, "--transform.prenormalise", convention]) == 0


def test_px_without_a_size_names_the_remedy_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(folder(tmp_path / "clips"), tmp_path / "store", "--quiet") == 0
    assert "the image size is not stated" in capsys.readouterr().out
    train = training(tmp_path)
    for convention, message in (
        (
            "pyskl",
            "pyskl takes 2D for fractions of the image, and these clips are in px; set ctr-gcn or state the size",
        ),
        ("2s-agcn", "2s-agcn turns to z, which 2D has not; choose pyskl, ctr-gcn or none"),
        ("upright", "upright turns to z, which 2D has not; choose pyskl, ctr-gcn or none"),
    ):
        assert main([*train, "--transform.prenormalise", convention]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1
        assert not (tmp_path / "r").exists()
    assert main([*train, "--transform.prenormalise", "ctr-gcn"]) == 0


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("640", "--image-size is '640'; expected WIDTHxHEIGHT, e.g. 1280x720"),
        ("0x480", "image_size is (0, 480); expected width and height in px, at least 1 each"),
    ],
)
def test_bad_sizes(tmp_path: Path, size: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(folder(tmp_path / "clips"), tmp_path / "store", "--image-size", size) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_size_says_nothing_about_3d(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = np.random.default_rng(0).normal(size=(1, 9, 17, 3))
    (tmp_path / "clips" / "wave").mkdir(parents=True)
    write(SkeletonSequence(points, get_skeleton("h36m17"), 30, up="y"), tmp_path / "clips" / "wave" / "a.npz")
    assert prepare(tmp_path / "clips", tmp_path / "store", "--image-size", "640x480") == 2
    assert "the files hold 3D motion; leave it out" in capsys.readouterr().err
    assert main(["data", "prepare", "hdm05-11", "--source", ".", "--out", "x", "--image-size", "640x480"]) == 2
    assert "--image-size says nothing about hdm05-11" in capsys.readouterr().err


def test_files_that_do_not_state_the_size_others_state(tmp_path: Path) -> None:
    for number in range(14):
        size = {} if number in (0, 5) else {"image_size": (640, 480)}
        keypoints(tmp_path / "wave" / f"{number:02}.npz", number, **size)
    source = FolderSource(tmp_path)
    assert source.unit == "px"
    assert source.notes == (
        "2D keypoints in px, and the image size is not stated by 2 of 14 files (wave/00.npz, wave/05.npz): all stay "
        "px; --image-size 1280x720 makes them fractions of the image, which the pre-normalisation pyskl needs",
    )
    for number in range(14, 80):  # of many, some are looked at
        (tmp_path / "wave" / f"{number}.npz").write_bytes((tmp_path / "wave" / "01.npz").read_bytes())
    assert (
        "is not stated by 2 of 60 files looked at (of 80) (wave/00.npz, wave/05.npz)" in FolderSource(tmp_path).notes[0]
    )
