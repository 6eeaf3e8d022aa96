"""`kinegraph export`: what it writes and says, and one line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_networks import loaded

from kinegraph.cli import main
from kinegraph.weights import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny untrained lifter."""
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    made = loaded("fcn")
    save_weights(folder, made.model, "fcn", {}, transform=made.transform)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_text(weights: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", weights, out / "lifter.pt2") == 0
    said = capsys.readouterr()
    assert "checked against PyTorch on a procedural walk: batch 1, 1 frame; " in said.out
    assert "largest error" in said.out
    assert "torch" not in said.err.lower(), "the exporters' own remarks"
    assert sorted(path.name for path in out.iterdir()) == ["lifter.pt2", "lifter.pt2.json"]


def test_json_has_stable_keys_and_a_recording_is_checked_on(
    weights: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    import kinegraph as kg

    random = np.random.default_rng(0)
    positions = random.uniform(200, 800, (1, 1, 17, 2)) + random.normal(size=(1, 20, 17, 2))
    clip = kg.SkeletonSequence(
        positions=positions, skeleton=kg.get_skeleton("h36m17"), fps=25.0, unit="px", space="image"
    )
    kg.save(clip, tmp_path / "mine.npz")
    assert run("export", weights, out / "lifter.pt2", "--check", tmp_path / "mine.npz", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    keys = {"model", "task", "output", "bytes", "precision", "checked_on", "cases", "largest_error", "errors"}
    assert set(report) == keys
    assert "mine.npz" in report["checked_on"]
    assert 0 < report["largest_error"] < 1e-4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("W", "x.tflite"), "'.tflite' is no export format; expected .onnx or .pt2"),
        (("W", "x"), "'' is no export format"),
        (("W", "nowhere/x.pt2"), "the folder .* does not exist"),
        (("W", "x.onnx", "--precision", "int4"), "--precision int4: expected fp32, fp16, bf16, int8"),
        (("W", "x.pt2", "--precision", "int8"), "--precision int8 is for ONNX"),
        (("zero-velocity", "x.pt2"), "zero-velocity has no weights"),
        (("nothing-here", "x.pt2"), "no model 'nothing-here'; expected a weights folder, or one in the package"),
        (("W", "x.pt2", "--fps", "30"), "--fps is about --check FILE, and there is none"),
        (("W", "x.pt2", "--check", "missing.npz"), "missing.npz"),
    ],
)
def test_one_line_and_nothing_left(
    words: tuple[str, ...], message: str, weights: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    given = [weights if word == "W" else out / word if "x" in word[:1] or "/" in word else word for word in words]
    assert run("export", *given) == 2
    err = capsys.readouterr().err
    lines = [line for line in err.splitlines() if line.startswith("kinegraph")]
    assert len(lines) == 1, err
    assert "bug" not in lines[0], err
    assert re.search(message, lines[0]), lines[0]
    assert list(out.iterdir()) == []
