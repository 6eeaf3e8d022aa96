"""`python -m benchmarks`: what it is told wrongly is said before anything is measured."""

from __future__ import annotations

import argparse
import importlib
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("lifting --threads 0", "--threads 0: expected 1 or more"),
        ("lifting --threads 1 -2", "--threads -2: expected 1 or more"),
        ("lifting --seconds=-1", "--seconds -1: expected a number above 0"),
        ("lifting --seconds nan", "--seconds nan: expected a number above 0"),
        ("recognition --frames 0", "--frames 0: expected 1 or more"),
        ("lifting --frames 8", "--frames is of the section recognition"),
        ("liftin", "no section is called 'liftin'"),
    ],
)
def test_wrong_arguments_are_refused(
    words: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words.split()])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("benchmarks", run_name="__main__")
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert message in said.err
    assert not said.out


def test_a_frame_begun_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    frames = importlib.import_module("benchmarks.forecasting")._frames
    assert [frames(0.02, each) for each in (0.0006, 0.0102, 0.019, 0.021)] == [33, 1, 1, 0]
    assert frames(-0.02, 0.001) == 0


def test_a_folded_layer_runs_beside_a_weight_masked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1])
    lifting, timing = (importlib.import_module(f"benchmarks.{name}") for name in ("lifting", "timing"))
    monkeypatch.setattr(lifting, "_CHANNELS", 4)
    taken = {"layer": 0.001, "every call": 0.02, "once": 0.005}

    def race(candidates: dict[str, Callable[[], object]], seconds: float) -> dict[str, object]:
        for run in candidates.values():
            run()
        return {name: timing.Timing((taken[name],)) for name in candidates}

    monkeypatch.setattr(lifting, "race", race)
    rows = list(lifting._layers(argparse.Namespace(seconds=0.1)))
    assert {len(row) for row in rows} == {len(lifting._LAYERS)}
    assert [row[3:] for row in rows if "eval" in row[0]] == [
        ("20", "20.0x", ">= 10x", "5", "5.0x"),
        ("20", "20.0x", ">= 2x", "5", "5.0x"),
    ]
    assert all(row[6:] == ("", "") for row in rows if "eval" not in row[0])
