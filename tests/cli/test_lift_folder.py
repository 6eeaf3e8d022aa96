"""`kinegraph lift FOLDER --out FOLDER`, with the network in the package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lifting_people import keypoints, motion, write_mixed_folder

import kinegraph as kg
from kinegraph.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_mixed_folder(tmp_path / "in")


def test_what_can_be_lifted_is_and_the_rest_is_said(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lift", str(folder), "--out", str(tmp_path / "out"), "--to", "csv"]) == 2
    said = capsys.readouterr()
    assert (tmp_path / "out" / "deep" / "d.csv").is_file()
    assert "3 of 5 recordings lifted" in said.out
    assert "c.csv" in said.err
    for bad in ("c.csv", "e.npz"):
        (folder / bad).unlink()
    assert main(["lift", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "a.bvh").is_file()


def test_notes_of_each_recording_are_printed_or_in_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walk = keypoints(motion())
    points = np.concatenate([walk.positions, walk.positions + 300])
    points[1, : walk.frames - 10] = np.nan
    (tmp_path / "in").mkdir()
    kg.save(walk.replace(positions=points, confidence=None), tmp_path / "in" / "two.npz")
    kg.save(walk, tmp_path / "in" / "whole.npz")
    two, whole = kg.lift_files(tmp_path / "in", tmp_path / "out")
    assert two.notes
    command = ["lift", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("  note:")] == [f"  note: {note}" for note in two.notes]
    assert main([*command, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["recordings"]
    assert first["notes"] == [*two.sequence.notes, *two.notes]
    assert second["notes"] == [*whole.sequence.notes]


def test_a_folder_is_resampled_as_one_file_is(folder: Path, tmp_path: Path) -> None:
    many = ["lift", str(folder / "deep"), "--out", str(tmp_path / "out"), "--to", "npz", "--fps", "15"]
    assert main(many) == 0
    assert main(["lift", str(folder / "deep" / "d.json"), "--out", str(tmp_path / "alone.npz"), "--fps", "15"]) == 0
    alone, one = kg.load(tmp_path / "alone.npz"), kg.load(tmp_path / "out" / "d.npz")
    assert (alone.frames, alone.fps) == (4, 15)
    np.testing.assert_allclose(one.positions, alone.positions)
