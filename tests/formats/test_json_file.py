"""JSON Lines: a value on each line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kinegraph.errors import FormatError
from kinegraph.formats import read
from kinegraph.formats.json_file import load_json


def _yolo(x: float) -> list[object]:
    keypoints = {"x": [x + j for j in range(17)], "y": [50.0 + 20 * j for j in range(17)]}
    return [{"name": "person", "keypoints": keypoints}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_a_frame_on_each_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, (_yolo(5), [], _yolo(7)))) + "\n\n")
    assert load_json(path) == [_yolo(5), [], _yolo(7)]
    sequence = read(path)
    np.testing.assert_array_equal(sequence.positions[0, :, 0, 0], [5, np.nan, 7])


def test_people_on_each_line_with_their_frame(tmp_path: Path) -> None:
    people = [{"frame": n, "keypoints": [[x + j, 50.0 + 20 * j] for j in range(17)]} for n in (2, 0) for x in (5, 600)]
    path = tmp_path / "a.jsonl"
    path.write_text("\r\n".join(map(json.dumps, people)))
    sequence = read(path)
    assert (sequence.people, sequence.frames) == (2, 3)


def test_what_is_no_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for text, match in (
        ("[1]\n[2]\n[3", "line 3 is not valid JSON.*expected JSON Lines"),
        ("[1]\n\n[2]\nx", "line 4 is not valid JSON"),
        ("[1]\n" + "[" * 100_000, "nested too deeply"),
        ("[1]\n[" + "9" * 5000 + "]", "thousands of digits"),
        ("[1] [2]\n[3]", "damaged or cut short"),
        ("[1\n]\n[2]", "damaged or cut short"),
        ("{}\nx", "damaged or cut short"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=match):
            load_json(path)
