"""`kinegraph recognize` with recognisers of clips: tables, JSON, CSV, pictures, and one line for whatever is wrong."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_people import LAYOUT, recording, waver
from PIL import Image

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.cli.recognize import _clock
from kinegraph.cli.render import Progress
from kinegraph.models import build
from kinegraph.transforms.clips import ClipTransform
from kinegraph.weights import save_weights

DOES = (("sideways", 4.0), ("upwards", 4.0))
CLASSES = ("side", "up")


def trained(folder: Path, *, dims: int = 3, actions: tuple[str, ...] = CLASSES, people: int = 2) -> Path:
    """A linear classifier that tells which way a wrist is held out, alone or in a pair."""
    transform = ClipTransform(
        frames=16, people=people, dims=dims, fps=30, unit="m" if dims == 3 else "px", clip_frames=30, actions=actions
    )
    clips, labels = [], []
    for label, action in enumerate(("sideways", "upwards")):
        for size in (0.4, 0.5, 0.6):
            moves = waver((action, 1.0), size=size, held=True)[None, ..., :dims]
            for clip in (moves, np.concatenate([moves, moves]))[:people]:
                clips.append(torch.from_numpy(transform.encode(clip, LAYOUT)[0]))
                labels.append(label)
    config = {"channels": dims, "classes": len(actions), "people": people, "frames": 16}
    model = build("linear", LAYOUT, config)
    model.fit(torch.stack(clips), torch.tensor(labels))  # type: ignore[operator]
    model.weight *= 6  # least squares gives shares, not logits
    model.bias *= 6
    save_weights(folder, model, "linear", {}, transform=transform, task="recognition")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("weights") / "linear")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "day.npz"
    one, other = waver(*DOES, size=0.5, held=True), waver(("upwards", 8.0), place=1.0, size=0.5, held=True)
    other[:60] = np.nan
    kg.save(recording(one, other), path)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


def failing(capsys: pytest.CaptureFixture[str], out: Path, *words: object) -> str:
    assert run(*words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "bug" not in said.err
    assert len(said.err.splitlines()) == 1, said.err
    assert list(out.iterdir()) == []
    return said.err


def test_table_and_files(day: Path, weights: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = out / "t.png", out / "t.csv"
    assert run("recognize", day, "--model", weights, "--out", files[0], "--csv", files[1], "--top", 1) == 0
    said = capsys.readouterr().out
    assert said.index("person 1, ") < said.index("person 2, ") < said.index("persons 1 + 2, ")
    rows = [line.split() for line in said.splitlines() if line.count(":") == 2]
    assert [row[2] for row in rows[:2]] == ["side", "up"]
    assert rows[0][:2] == ["0:00.0", rows[1][0]]
    with files[1].open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["person"], row["partner"], row["action"]) for row in table[:3]] == [
        ("1", "", "side"),
        ("1", "", "up"),
        ("2", "", "up"),
    ]
    assert float(table[2]["start_s"]) == pytest.approx(2.0)
    assert table[-1]["partner"] == "2"
    assert float(table[1]["stop_s"]) == pytest.approx(8 - 1 / 30, abs=1e-3)
    with Image.open(files[0]) as image:
        assert image.size[0] == 1000
        tall = image.size[1]
    assert run("recognize", day, "--model", weights, "--out", files[0], "--person", 2) == 0
    with Image.open(files[0]) as image:
        assert image.size[1] < tall


def test_json_has_stable_keys(day: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("recognize", day, "--model", weights, "--json", "--window", 1.5, "--stride", 0.5) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"input", "model", "weights", "fused", "window_s", "actions", "people", "notes"}
    assert report["actions"] == list(CLASSES)
    assert report["window_s"] == pytest.approx(1.5 - 1 / 30)
    assert [(p["person"], p["partner"]) for p in report["people"]] == [(1, None), (2, None), (1, 2)]
    for person in report["people"]:
        assert set(person) == {"person", "partner", "top", "segments", "windows"}
        assert sum(entry["score"] for entry in person["top"]) == pytest.approx(1)
        for window in person["windows"]:
            assert set(window) == {"start_s", "stop_s", "action", "score", "top"}
            assert sum(entry["score"] for entry in window["top"]) == pytest.approx(1)
            assert window["top"][0] == {"action": window["action"], "score": window["score"]}
        for segment in person["segments"]:
            assert set(segment) == {"start_s", "stop_s", "action", "score"}


def test_several_models(tmp_path: Path, day: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = trained(tmp_path / "other", people=1)
    for words in ((day, "--model", weights, other, "--fuse", 3, 1), ("--fuse", 3, 1, "--model", weights, other, day)):
        assert run("recognize", "--json", *words) == 0
        report = json.loads(capsys.readouterr().out)
        assert [entry["share"] for entry in report["fused"]] == [0.75, 0.25]
        assert [entry["weights"] for entry in report["fused"]] == [str(weights), str(other)]
        assert report["input"] == str(day)
        assert len(report["people"]) == 2  # one of the two was trained with one person


def test_wrong_words(tmp_path: Path, day: Path, weights: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = trained(tmp_path / "odd", actions=("side", "down"))
    for words, message in (
        ((day, "--model", weights, odd), "know different actions (down, up)"),
        ((day, "--model", weights, "--fuse", 1, 2), "--fuse gives 2 weights for 1 models"),
        ((day, "--model", weights, weights, "--fuse", -1, 2), "0 or more"),
        (("--model", weights), "no recording given"),
        ((day, "--model", weights, "--window", 0), "--window 0"),
        ((day, "--model", weights, "--window", 0.02), "no two frames"),
        ((day, "--model", weights, "--window", 9999), "at most 600"),
        ((day, "--model", weights, "--stride", "nan"), "--stride nan"),
        ((day, "--model", weights, "--csv", out / "t.txt"), "segments are a table"),
        ((day, "--model", weights, "--csv", out / "no" / "t.csv"), "does not exist"),
        ((day, "--model", weights, "--out", out / "t.png", "--person", 3), "expected one of 1, 2"),
        ((day, "--model", weights, "--person", 2), "--person 2 chooses who is drawn, and nothing is; add --out"),
        ((day, "--model", weights, "--person", 2, "--csv", out / "t.csv"), "add --out timeline.png"),
        ((day, "--model", weights, "--fps", 3), "needs at least 6"),
        ((day, "--model", out / "none"), "no such weights folder"),
        (("forecast", weights), ""),
    ):
        assert message in failing(capsys, out, "recognize", *words)
    words = ("forecast", day, "--seconds", 1, "--out", out / "x.npz", "--model", weights)
    assert "use it with 'kinegraph recognize'" in failing(capsys, out, *words)


def test_wrong_files(tmp_path: Path, day: Path, weights: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = kg.load(day)
    flat = whole.replace(positions=whole.positions[..., :2], space="image", unit="px", up=None)
    kg.save(flat, tmp_path / "flat.npz")
    kg.save(flat.with_note("the images are no video: 240 of them"), tmp_path / "pictures.npz")
    kg.save(whole.replace(positions=np.full_like(whole.positions, np.nan), confidence=None), tmp_path / "empty.npz")
    kg.save(whole.slice_frames(0, 1), tmp_path / "short.npz")
    kg.save(whole.replace(fps=None), tmp_path / "timeless.npz")
    dog = kg.Skeleton(name="dog", joints=("trunk", "tail", "paw"), parents=(-1, 0, 0))
    kg.save(kg.SkeletonSequence(whole.positions[:, :, :3], dog, fps=30, up="y"), tmp_path / "dog.npz")
    for name, message in (
        ("pictures.npz", "holds single pictures; expected a video"),
        ("empty.npz", "nobody is seen in any frame"),
        ("short.npz", "nobody is seen for long enough"),
        ("timeless.npz", "states no frame rate"),
        ("dog.npz", "of 'h36m17' can be had from 'dog'"),
        ("absent.npz", "absent.npz"),
    ):
        assert message in failing(capsys, out, "recognize", tmp_path / name, "--model", weights)
    in_2d = trained(tmp_path / "flat", dims=2)
    assert "was trained on 2D keypoints" in failing(capsys, out, "recognize", day, "--model", in_2d)
    words = ("recognize", tmp_path / "flat.npz", "--model", in_2d, "--lifter", "lift")
    assert "looks at 2D keypoints themselves" in failing(capsys, out, *words)
    assert "is 3D and is not lifted" in failing(capsys, out, "recognize", day, "--model", weights, "--lifter", "lift")
    assert run("recognize", tmp_path / "flat.npz", "--model", in_2d) == 0


def test_clock() -> None:
    assert [_clock(s) for s in (0, 59.96, 61.25, 3600, 36_065.5)] == [
        "0:00.0",
        "1:00.0",
        "1:01.2",
        "1:00:00.0",
        "10:01:05.5",
    ]


def test_the_bar_comes_after_two_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    monkeypatch.setattr("kinegraph.cli.render.time.monotonic", lambda: now)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress("recognising", after_s=2.0) as progress:
        now = 1.9
        progress(1, 4)
        assert capsys.readouterr().err == ""
        now = 3.0
        progress(2, 4)
        said = capsys.readouterr().err
        assert said.count("█") == said.count("░") == 12
        assert "2/4, 3 s left" in said
