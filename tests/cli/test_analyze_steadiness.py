"""`analyze steadiness`, of recordings of people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kinegraph.skeleton import get_skeleton


def test_steps_are_printed_drawn_and_written(
    analyze: Callable[..., int], shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = str(shared_data / "openpose_json" / "clip_1")
    argv = ("steadiness", "lift", "--recordings", clip)
    assert analyze(*argv, "--out", tmp_path / "out", "--json", tmp_path / "s.json", "--markdown") == 0
    printed = capsys.readouterr().out
    assert "| clip_1 | lift | network | 81 | 30 |" in printed
    assert "frame rate unknown and assumed: clip_1" in printed
    assert (tmp_path / "out" / "steadiness.png").is_file()
    rows = json.loads((tmp_path / "s.json").read_text())["results"]
    assert [row["stage"] for row in rows] == ["network", "lifted"]
    assert analyze(*argv, "--fps", 25) == 0
    assert "assumed" not in capsys.readouterr().out
    assert analyze("steadiness", "lift", "lift", "--recordings", clip) == 2
    assert "named twice" in capsys.readouterr().err
    assert analyze("steadiness", "recognize", "--recordings", clip) == 2
    assert "recognises actions in clips" in capsys.readouterr().err
    assert analyze("steadiness", "lift", "--recordings", tmp_path / "none.json") == 2
    assert "none.json" in capsys.readouterr().err
    pictures = {
        "images": [{"id": k, "file_name": f"{k * 7919 % 97}.jpg", "width": 640, "height": 480} for k in range(2)],
        "annotations": [{"id": k, "image_id": k, "keypoints": [100, 100, 2] * 17} for k in range(2)],
        "categories": [{"id": 1, "keypoints": list(get_skeleton("coco17").joints)}],
    }
    (tmp_path / "pictures.json").write_text(json.dumps(pictures))
    assert analyze("steadiness", "lift", "--recordings", tmp_path / "pictures.json") == 2
    assert "holds single pictures" in capsys.readouterr().err


def test_numbers_never_take_the_place_of_a_recording(
    analyze: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "walk.json"
    recording.write_text("[]")
    (tmp_path / "folder").mkdir()
    again = tmp_path / "folder" / ".." / "walk.json"
    words = ("steadiness", "lift", "--recordings", tmp_path / "other.csv", recording)
    assert analyze(*words, "--json", again) == 2
    assert f"IN and --json are both {again}; the input is never overwritten" in capsys.readouterr().err
    assert recording.read_text() == "[]"
