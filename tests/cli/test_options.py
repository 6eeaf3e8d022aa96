"""Options that the commands share: `--read fps=N` reaches every reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_people import network, walker

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.models import build
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of somebody at 60 Hz who is said to be filmed at 30, in 2D and 3D, and networks for both."""
    folder = tmp_path_factory.mktemp("made")
    walk = walker().replace(fps=30)
    flat = np.stack([500 + 200 * walk.positions[..., 0], 900 - 200 * walk.positions[..., 1]], axis=-1)
    (folder / "in").mkdir()
    kg.save(
        walk.replace(positions=flat, unit="px", space="image", up=None, rotations=None, offsets=None),
        folder / "in" / "keypoints.npz",
    )
    kg.save(walk, folder / "walk.npz")
    lifter = build("fcn", kg.get_skeleton("h36m17"), {"width": 8})
    save_weights(folder / "lifter", lifter, "fcn", {}, transform=LiftingTransform())
    motion = network(actions=("walk", "run"))
    save_weights(folder / "motion", motion.model, "symgnn", {}, transform=motion.transform, task="motion")
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line, of which words like made/x name what was made, in an empty folder; what it says."""
    monkeypatch.chdir(tmp_path)

    def done(line: str) -> str:
        assert main([word.replace("made/", f"{made}/") for word in line.split()]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return done


@pytest.mark.parametrize(
    ("line", "written", "frames"),
    [
        ("convert made/walk.npz out.npz", "out.npz", (121, 61)),
        ("lift made/in/keypoints.npz --out out.npz --model made/lifter", "out.npz", (121, 61)),
        ("lift made/in --out out --to npz --model made/lifter", "out/keypoints.npz", (121, 61)),
        ("forecast made/walk.npz --model made/motion --seconds 0.5 --out out.npz", "out.npz", (30, 15)),
    ],
)
def test_read_fps_is_the_recordings_own_rate_and_fps_the_one_it_comes_to(
    line: str, written: str, frames: tuple[int, int], run: Any
) -> None:
    run(f"{line} --read fps=60")
    assert (kg.load(written).frames, kg.load(written).fps) == (frames[0], 60)
    run(f"{line} --read fps=60 --fps 30")
    assert (kg.load(written).frames, kg.load(written).fps) == (frames[1], 30)


def test_read_fps_reaches_the_commands_that_write_no_motion(run: Any) -> None:
    assert "60 fps, 2.02 s" in run("info made/walk.npz --read fps=60")
    assert "walk.npz (cmu38), 30 frames" in run("view made/walk.npz --seconds 0.5 --out out.png --read fps=60")
    said = json.loads(run("recognize made/walk.npz --model made/motion --json --read fps=60"))
    assert said["people"][0]["segments"][-1]["stop_s"] == pytest.approx(2, abs=0.1)
    run("analyze steadiness made/lifter --recordings made/in/keypoints.npz --json out.json --read fps=60")
    assert {entry["fps"] for entry in json.loads(Path("out.json").read_text())["results"]} == {60}
    assert "batch" in run("export made/lifter out.pt2 --check made/in/keypoints.npz --read fps=60")
