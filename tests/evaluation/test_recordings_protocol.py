"""Own recordings: the same moments for all, errors as computed by hand, what cannot be used is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moving_people import network

from kinegraph.cli import main
from kinegraph.datasets.seen_clips import marks_of
from kinegraph.errors import DataError
from kinegraph.evaluation.recordings import (
    TIMES_MS,
    compare_recordings,
    recordings_table,
)
from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.weights import save_weights


def gliding(speed: float, frames: int = 105, fps: float = 30.0) -> SkeletonSequence:
    """A body that stands stiff and glides along x, metres a second."""
    rest = np.random.default_rng(0).normal(size=(17, 3)) * 0.3
    path = np.zeros((frames, 1, 3))
    path[:, 0, 0] = speed * np.arange(frames) / fps
    return SkeletonSequence((rest + path)[None], get_skeleton("h36m17"), fps=fps, up="y")


def untrained(folder: Path, data: dict[str, Any] | None = None, **options: Any) -> str:
    """Weights of a network that forecasts something, and says it was trained on the data."""
    made = network(**options)
    save_weights(folder, made.model, made.name, {"data": data or {}}, transform=made.transform, task="motion")
    return str(folder)


def test_errors_are_those_of_standing_still(tmp_path: Path) -> None:
    write(gliding(0.5), tmp_path / "slow.npz")
    write(gliding(1.0), tmp_path / "fast.npz")
    write(gliding(1.0, frames=40), tmp_path / "short.npz")
    files = sorted(tmp_path.glob("*.npz"))
    still = compare_recordings(["zero-velocity"], files)[0]
    # Somebody who stays where they are is behind by speed times time; posture is not off at all.
    np.testing.assert_allclose(still.error_mm, [0.75 * ms for ms in TIMES_MS], rtol=1e-6)
    np.testing.assert_allclose(still.pose_mm, 0, atol=1e-3)
    assert (still.recordings, still.moments) == (2, 2 * 3)
    assert still.skipped[0][0] == "short.npz"
    assert "2.5 s or more" in still.skipped[0][1]
    with pytest.raises(DataError, match="none of 1 recordings"):
        compare_recordings(["zero-velocity"], [tmp_path / "short.npz"])


def test_a_fast_recording_is_thinned_and_one_with_gaps_left_out(tmp_path: Path) -> None:
    write(gliding(1.0, frames=4 * 105, fps=120.0), tmp_path / "fast.npz")
    gone = gliding(1.0).positions.copy()
    gone[0, 72:77] = np.nan
    write(gliding(1.0).replace(positions=gone, confidence=None), tmp_path / "gone.npz")
    still = compare_recordings(["zero-velocity"], sorted(tmp_path.glob("*.npz")))[0]
    np.testing.assert_allclose(still.error_mm, TIMES_MS, rtol=1e-6)  # a metre a second, at 30 frames of it
    assert still.moments == 3
    assert [one.file for one in still.skipped] == ["gone.npz"]
    assert "nobody is seen" in still.skipped[0].reason


@pytest.mark.parametrize("fps", [8.0, 25.0, 29.97, 30.0, 50.0, 59.0])
def test_errors_are_those_of_the_instants_that_are_named(tmp_path: Path, fps: float) -> None:
    """Frames at 25 a second are of 80 and 120 ms, none of 100; at 8 a second the first is later than that."""
    write(gliding(1.0, frames=int(3.5 * fps), fps=fps), tmp_path / "walk.npz")
    still = compare_recordings(["zero-velocity"], [tmp_path / "walk.npz"])[0]
    np.testing.assert_allclose(still.error_mm, TIMES_MS, rtol=1e-6)


def test_between_frames_forecast_and_truth_go_straight(tmp_path: Path) -> None:
    """Somebody who speeds up, at 25 frames a second: 100 ms lie halfway between the frames after 80 and 120 ms."""
    fps, frames = 25.0, 80
    motion = gliding(0.0, frames, fps)
    at = np.arange(frames) / fps
    moved = motion.positions.copy()
    moved[0, :, :, 0] += (at**2)[:, None]
    write(motion.replace(positions=moved, confidence=None), tmp_path / "faster.npz")
    still = compare_recordings(["zero-velocity"], [tmp_path / "faster.npz"])[0]
    nows = range(round(1.5 * fps) - 1, frames - 25, round(0.5 * fps))

    def behind(now: int, ms: int) -> float:
        return float(np.interp(at[now] + ms / 1000, at, at**2) - at[now] ** 2)

    expected = [1000 * np.mean([behind(now, ms) for now in nows]) for ms in TIMES_MS]
    assert still.moments == len(nows)
    np.testing.assert_allclose(still.error_mm, expected, rtol=1e-6)


def test_recordings_that_trained_the_network_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "data" / name).mkdir(parents=True)
        write(gliding(1.0), tmp_path / "data" / name / "take.npz")
    parts = {
        role: {"name": name, "names": marks_of(names)}
        for role, name, names in (
            ("train", "recordings", ["a/take", "x/take"]),
            ("validation", "recordings (held out)", ["b/take"]),
        )
    }
    learnt = untrained(tmp_path / "learnt", parts)
    forgot = untrained(tmp_path / "forgot", {"train": {"name": "recordings"}})
    cmu = untrained(tmp_path / "cmu", {"train": {"name": "cmu-8 train"}})
    files = sorted(tmp_path.glob("data/*/*.npz"))
    results = compare_recordings([learnt, forgot, cmu, "zero-velocity"], files, source=tmp_path / "data")
    notes = [
        (f"2 of these 3 recordings trained {learnt} (by their names): no test of anything",),
        (f"{forgot} does not say which recordings trained it: these may be among them",),
        (),
        (),
    ]
    assert [result.notes for result in results] == notes
    assert results[0].to_json()["notes"] == list(notes[0])
    assert compare_recordings([learnt], files[2:], source=tmp_path / "data")[0].notes == ()
    assert main(["evaluate", learnt, "--protocol", "recordings", "--data", str(tmp_path / "data")]) == 0
    assert f"note: {notes[0][0]}" in capsys.readouterr().out


def test_methods_are_measured_on_what_all_can_use(tmp_path: Path) -> None:
    """A network cannot use the slow recording; a baseline can, but then both would have other recordings."""
    net = untrained(tmp_path / "net", observed=12)
    write(gliding(1.0), tmp_path / "normal.npz")
    write(gliding(2.0).resample(5.0), tmp_path / "slow.npz")
    write(gliding(1.0, frames=40), tmp_path / "short.npz")
    files = sorted(tmp_path.glob("*.npz"))
    alone = compare_recordings(["zero-velocity"], files)[0]
    assert alone.recordings == 2
    still, trained = compare_recordings(["zero-velocity", net], files)
    assert still.files == trained.files == (str(tmp_path / "normal.npz"),)
    assert still.moments == trained.moments == 3
    np.testing.assert_allclose(still.error_mm, TIMES_MS, rtol=1e-6)
    assert [(one.file, one.model) for one in still.skipped] == [("short.npz", ""), ("slow.npz", net)]
    table = recordings_table([still, trained])
    assert "3 forecasts from 1 recordings, each from 1.5 s of the past" in table
    assert "left out: 1; the first: short.npz: 1.3 s" in table
    assert f"left out: 1, which '{net}' cannot forecast and which count for no method" in table
    assert "/slow.npz has 5 frames a second" in table
    assert still.to_json()["skipped"][1]["model"] == net
    with pytest.raises(DataError, match=r"zero-velocity was measured on 6 forecasts from 2 recordings.*not the same"):
        recordings_table([alone, trained])
    with pytest.raises(DataError, match="none of 1 recordings can be forecast and compared by each of 2 methods"):
        compare_recordings(["zero-velocity", net], files[2:])


def test_all_are_given_as_much_of_the_past_as_the_longest_look_back(tmp_path: Path) -> None:
    """50 frames at 25 a second; at 30 frames they are 60, at 50 they are 99."""
    net = untrained(tmp_path / "net", observed=50, fps=25.0)
    write(gliding(1.0, frames=110), tmp_path / "a.npz")
    write(gliding(1.0, frames=180, fps=50.0), tmp_path / "b.npz")
    write(gliding(1.0, frames=80), tmp_path / "short.npz")
    files = sorted(tmp_path.glob("*.npz"))
    trained = compare_recordings([net], files)[0]
    assert trained.recordings == 2
    assert trained.behind_s == pytest.approx(1.96)
    assert "short.npz: 2.7 s; expected 2.96 s or more" in trained.skipped[0].reason
    still = compare_recordings(["zero-velocity", net], files)[0]
    assert (still.moments, still.behind_s) == (trained.moments, trained.behind_s)
    assert compare_recordings(["zero-velocity"], files)[0].recordings == 3


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(gliding(1.0), tmp_path / "fast.npz")
    command = ["evaluate", "zero-velocity", "constant-velocity", "--protocol", "recordings"]
    assert main([*command, "--data", str(tmp_path), "--json", str(tmp_path / "out.json")]) == 0
    said = capsys.readouterr().out
    assert "3 forecasts from 1 recordings" in said
    assert "relative to the root" in said
    content = json.loads((tmp_path / "out.json").read_text())
    assert [result["model"] for result in content["results"]] == ["zero-velocity", "constant-velocity"]
    assert content["results"][0]["error"][-1] == pytest.approx(1000, rel=1e-6)
    assert main(command) == 2
    assert "--data DIR" in capsys.readouterr().err
    assert main([*command, "--data", str(tmp_path), "--split", "val"]) == 2
