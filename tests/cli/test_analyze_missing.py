"""`analyze missing-joints`, of a method without weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kinegraph.datasets import synthetic


def test_curves_are_printed_drawn_and_written(
    analyze: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("missing-joints", "flat", "--protocol", "synthetic-lifting", "--shares", 0, 0.3)
    assert analyze(*arguments, "--no-flip", "--out", tmp_path / "out", "--json", tmp_path / "m.json") == 0
    printed = capsys.readouterr().out
    assert "synthetic-lifting | target pixel | jitter 0 px | test split, " in printed
    assert f"data {synthetic.load('test').fingerprint[:12]} | no flip test" in printed
    assert (tmp_path / "out" / "missing_joints.png").stat().st_size > 10_000
    content = json.loads((tmp_path / "m.json").read_text())
    assert content["methods"][0]["shares"] == [0.0, 0.3]
    assert content["methods"][0]["mpjpe_mm"][0] < content["methods"][0]["mpjpe_mm"][1]
    assert analyze(*arguments, "--input", "cpn") == 2
    assert "--input cpn" in capsys.readouterr().err
