"""`kinegraph view` end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinegraph.cli import main
from kinegraph.errors import DataError
from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.visualize.canvas import Canvas


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """A 3D file of one second."""
    rng = np.random.default_rng(0)
    body = get_skeleton("h36m17")
    points = rng.normal(scale=0.3, size=(17, 3)) + np.linspace(0, 1, 30)[:, None, None] * [0, 0, 1.0]
    path = tmp_path / "walk.npz"
    write(SkeletonSequence(points, body, fps=30, space="world", up="y"), path)
    return path


def test_without_out_it_writes_a_player_here_and_says_where(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert main(["view", str(walk)]) == 0
    assert str(here / "walk.html") in capsys.readouterr().out
    assert (here / "walk.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("suffix", [".png", ".gif", ".html"])
def test_every_kind_of_picture(walk: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out{suffix}"
    assert main(["view", str(walk), "--out", str(out), "--seconds", "0.4", "--start", "0.2", "--theme", "dark"]) == 0
    assert out.stat().st_size > 1000


def test_start_seconds_and_frames_choose_what_is_drawn(walk: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert main(["view", str(walk), "--out", str(out), "--seconds", "0.1", "--frames", "8"]) == 0
    with Image.open(out) as picture:
        assert picture.size[0] == 3 * 240 + 10  # 0.1 s are three frames


@pytest.mark.parametrize("suffix", [".png", ".gif", ".mp4"])
def test_a_part_is_told_by_the_recordings_frames(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """Who looks something up in the file finds it under the number in the picture."""
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")
    said: list[str] = []
    text = Canvas.text
    monkeypatch.setattr(
        Canvas, "text", lambda own, x, y, words, *rest: (said.append(words), text(own, x, y, words, *rest))
    )
    assert main(["view", str(walk), "--out", str(tmp_path / f"p{suffix}"), "--start", "0.5", "--seconds", "0.2"]) == 0
    assert {words for words in said if words.startswith("frame")} >= {"frame 15, 0.50 s", "frame 20, 0.67 s"}
    assert not any(words.startswith("frame 0") for words in said)


@pytest.mark.parametrize("full", [[], ["--full"]])
def test_a_player_of_a_part_counts_as_the_recording(tmp_path: Path, full: list[str]) -> None:
    from kinegraph.serve.sample import walking

    source, out = tmp_path / "keypoints.npz", tmp_path / "part.html"
    write(walking(2.0), source)
    assert main(["view", str(source), "--out", str(out), "--start", "0.4", *full]) == 0
    fps = walking(2.0).fps
    assert fps is not None
    assert f'"first":{round(0.4 * fps)},' in out.read_text()
    assert '"first":0,' not in out.read_text()


def test_two_files_side_by_side(walk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "both.html"
    assert main(["view", str(walk), str(walk), "--out", str(out)]) == 0
    assert out.read_text().count('"dims":3') == 2
    assert "2 recordings" in out.read_text()


def test_full_lifts_names_and_forecasts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from kinegraph.serve.sample import walking

    source, out = tmp_path / "keypoints.npz", tmp_path / "all.html"
    write(walking(1.6), source)
    assert main(["view", str(source), "--out", str(out), "--full"]) == 0
    assert "2D keypoints, lifted to 3D, actions, forecast" in capsys.readouterr().out
    assert '"ghosts":[{' in out.read_text()
    assert main(["view", str(source), "--out", str(tmp_path / "x.png"), "--full"]) == 2
    assert "--full makes one IN into a page" in capsys.readouterr().err


def test_a_folder_of_openpose_frames(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "clip.html"
    assert main(["view", str(shared_data / "openpose_json" / "clip_1"), "--out", str(out), "--fps", "30"]) == 0
    assert out.stat().st_size < 1_000_000


@pytest.mark.parametrize("folder", ["cmu_bvh", "hdm05"])
def test_recordings(shared_data: Path, tmp_path: Path, folder: str) -> None:
    source = sorted(p for p in (shared_data / folder).rglob("*") if p.suffix.lower() in (".bvh", ".amc"))[0]
    assert main(["view", str(source), "--out", str(tmp_path / "x.png"), "--frames", "2"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.avi"], "nothing is drawn"),
        (["--out", "none/x.png"], "does not exist"),
        (["--start", "9", "--out", "x.png"], "after its end"),
        (["--start", "nan", "--out", "x.png"], "--start nan: expected seconds, 0 to 1e+06"),
        (["--start", "-1", "--out", "x.png"], "--start -1: expected seconds"),
        (["--seconds", "inf", "--out", "x.png"], "--seconds inf: expected seconds, above 0"),
        (["--frames", "0", "--out", "x.png"], "at least 1"),
        (["--fps", "-3", "--out", "x.png"], "frame rate"),
        (["--spin", "nan", "--out", "x.gif"], "--spin nan: expected degrees a second"),
        (["--spin=-inf", "--out", "x.gif"], "--spin -inf"),
        (["--spin", "90", "--out", "x.png"], "--spin 90 is of animations (.gif, .mp4); x.png is none: leave it out"),
        (["--frames", "3", "--out", "x.html"], "--frames 3 is of strips (.png, .jpg, .webp); x.html is none"),
        (["--frames", "3", "--out", "x.gif"], "--frames 3 is of strips"),
        (["--layout", "h36m71", "--out", "x.png"], "h36m17"),
        (["--layout", "coco17", "--out", "x.png"], "leave skeleton (--layout) out"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    walk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["view", str(walk), *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("kinegraph: error: ")
    assert said.err.count("\n") == 1
    assert words in said.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["walk.npz"]


def test_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["view", "none.bvh"]) == 2
    assert "none.bvh" in capsys.readouterr().err


def test_full_reads_the_joints_that_turn(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As serve and forecast do: an AMC's joints where its bones begin, with rotations; a BVH beside it as it is."""
    from kinegraph.visualize.analysis import Analyst

    amc = shared_data / "cmu_asfamc" / "01" / "01_01.amc"
    seen = []

    def stop(self: Analyst, sequence: SkeletonSequence, name: str) -> None:
        seen.append(sequence)
        raise DataError("enough")

    monkeypatch.setattr(Analyst, "analyse", stop)
    assert main(["view", str(amc), "--full", "--out", str(tmp_path / "a.html"), "--seconds", "0.2"]) == 2
    assert seen[0].rotations is not None
    bvh = shared_data / "cmu_bvh" / "03" / "03_01.bvh"
    assert main(["view", str(amc), str(bvh), "--out", str(tmp_path / "b.html"), "--seconds", "0.2"]) == 0
