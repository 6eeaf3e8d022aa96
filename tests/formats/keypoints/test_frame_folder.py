"""Folders of JSON with a picture in each file, as ultralytics and mmpose leave them for every frame."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import FormatError
from kinegraph.formats import detect, read
from kinegraph.formats.walk import recordings_in


def _ultralytics(x: float) -> dict[str, Any]:
    return {"name": "person", "keypoints": {"x": [x + j for j in range(17)], "y": [50.0 + 20 * j for j in range(17)]}}


def _mmpose(x: float) -> dict[str, Any]:
    return {"keypoints": [[x + j, 50.0 + 20 * j] for j in range(17)], "keypoint_scores": [0.9] * 17}


def _movenet(x: float) -> dict[str, Any]:
    return {"keypoints": [{"x": x + j, "y": 50.0 + 20 * j, "score": 0.9} for j in range(17)]}


_MADE = {"ultralytics": _ultralytics, "mmpose": _mmpose, "movenet": _movenet}
Make = Callable[[float], dict[str, Any]]


def _folder(folder: Path, frames: dict[str, object]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in frames.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(("format", "make"), _MADE.items())
def test_numbered_pictures_are_a_recording(tmp_path: Path, format: str, make: Make) -> None:
    """By number, not by name; nobody in the first, and none for frame 12."""
    people = {n: [make(n), make(600 + n)] for n in (9, 10, 11, 13)}
    folder = _folder(tmp_path / "json", {"frame_8": [], **{f"frame_{n}": p for n, p in people.items()}})
    assert detect(folder) == format
    sequence = read(folder)
    assert (sequence.people, sequence.frames) == (2, 6)
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [np.nan, 9, 10, 11, np.nan, 13])
    assert recordings_in(tmp_path, [".json"]) == [folder]


@pytest.mark.parametrize(("format", "make"), _MADE.items())
def test_recordings_and_unnumbered_pictures_are_no_frames(tmp_path: Path, format: str, make: Make) -> None:
    contents: tuple[tuple[str, dict[str, object]], ...] = (
        ("videos", {f"take_{n}": [[make(5)], [make(6)]] for n in range(3)}),
        ("people over time", {f"take_{n}": [make(5), make(6), make(7), make(8)] for n in range(3)}),
        ("photographs", {f"{name}": [make(5)] for name in ("street", "beach")}),
        ("two kinds", {"a_1": [make(5)], "b_1": [make(5)]}),
    )
    for name, content in contents:
        folder = _folder(tmp_path / name, content)
        with pytest.raises(FormatError, match=r"a folder with \d .json"):
            detect(folder)
        assert len(recordings_in(folder, [".json"])) == len(content)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "json", {f"frame_{n}": [_ultralytics(5)] for n in range(3)})
    (folder / "frame_1.json").write_text("[{")
    with pytest.raises(FormatError, match=r"frame_1.json: not valid JSON"):
        read(folder)
    _folder(folder, {"frame_1": [[_ultralytics(5)]]})
    with pytest.raises(FormatError, match="frame_1.json: holds more than the people of one picture"):
        read(folder)
    (folder / "frame_1.json").rename(folder / "frame_1000000000.json")
    with pytest.raises(FormatError, match="only 3 frames are there"):
        read(folder)
    with pytest.raises(FormatError, match="without JSON files"):
        read(_folder(tmp_path / "none", {}), format="ultralytics")
