"""`analyze people`, of a method without weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def test_people_are_printed_and_written(
    analyze: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--protocol", "synthetic-lifting", "--no-flip"]
    assert analyze("people", "flat", *given, "--json", tmp_path / "p.json") == 0
    assert "target pixel | input exact | test split" in capsys.readouterr().out
    rows = json.loads((tmp_path / "p.json").read_text())["results"]
    assert {row["model"] for row in rows} == {"flat"}
    assert len(rows[0]["offsets_mm"]["head"]) == 3
    assert analyze("people", "flat", "lift", *given) == 2
    assert "analyse them apart" in capsys.readouterr().err
