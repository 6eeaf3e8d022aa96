"""Fit, store and check how far results may be off, from the command line, on small data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from motion_files import write_takes

import kinegraph as kg
from kinegraph.calibration.forecasting import procedural_recordings
from kinegraph.cli import main
from kinegraph.datasets import mocap_lifting, synthetic
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.datasets.synthetic.lifting import SyntheticLifting, synthetic_lifting


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark, and the procedural people, as a few seconds of three actions."""
    motion = SyntheticMotion(subjects=4, takes=1, seconds=1.5, fps=20, actions=("walking", "waving", "squatting"))
    config = SyntheticLifting(motion=motion, validation=1, test=2)
    splits = {name: synthetic_lifting(name, config) for name in ("val", "test")}
    monkeypatch.setattr(
        mocap_lifting, "load", lambda *_: SimpleNamespace(val=splits["test"], test=splits["val"], train=None)
    )
    monkeypatch.setattr(synthetic, "load", lambda *_: splits["test"].replace(name="procedural"))


def test_a_lifter_is_calibrated_and_checked(small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kg.Lifter.from_pretrained().save_pretrained(tmp_path / "net")
    config = json.loads((folder / "config.json").read_text())
    config["metadata"]["recipe"]["data"]["clips"] = None
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "calibration.json").unlink(missing_ok=True)
    assert main(["calibrate", str(folder), "--data", str(tmp_path), "--size", "900"]) == 0
    said = capsys.readouterr().out
    assert "calibration.json: fitted on" in said
    assert "with flip test" in said
    assert "left_knee" in said
    stored = json.loads((folder / "calibration.json").read_text())
    assert set(stored["tables"]) == {"flip", "plain"}
    assert len(stored["about"]["checked"]) == 2
    assert main(["calibrate", str(folder), "--data", str(tmp_path), "--only-check", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"model", "task", "about", "coverage"}
    for figures in report["coverage"].values():
        assert 0 <= figures["below"][0] <= figures["below"][1] <= 1
    assert kg.Lifter.from_pretrained(folder).calibration is not None


def test_a_forecaster_is_calibrated_on_a_folder(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kg.Forecaster.from_pretrained().save_pretrained(tmp_path / "net")
    (folder / "calibration.json").unlink(missing_ok=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    for clip in ("02_01.amc", "02_03.amc", "02.asf"):
        shutil.copy(shared_data / "cmu_asfamc" / "02" / clip, mine / clip)
    argv = ["calibrate", str(folder), "--data", str(mine)]
    assert main([*argv, "--size", "60", "--check", str(mine), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert "02" in report["about"]["subjects"]
    assert "procedural walking" in report["about"]["subjects"]
    half, most = report["coverage"][str(mine)]["below"]
    assert 0.2 < half < 1
    assert most > 0.7
    future = kg.forecast(mine / "02_01.amc", 0.5, model=folder)
    assert future.uncertainty is not None


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--size", "3"], "expected 50 or more"),
        (["--held-out"], "belong to forecasting"),
        (["--stills"], "belongs to --only-check"),
        (["--check", "x"], "belong to forecasting"),
    ],
)
def test_what_is_refused(argv: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kg.Lifter.from_pretrained().folder
    assert main(["calibrate", str(folder), "--data", str(tmp_path), *argv]) == 2
    assert message in capsys.readouterr().err


def test_further_folders_of_a_forecaster_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kg.Forecaster.from_pretrained().save_pretrained(tmp_path / "net")
    assert main(["calibrate", str(folder), "--data", str(tmp_path), "--extra", "more"]) == 2
    assert "--extra more belongs to lifting" in capsys.readouterr().err


def test_recordings_that_are_of_no_use_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = procedural_recordings()[:6]  # every subject is a fit of its own
    monkeypatch.setattr("kinegraph.calibration.forecasting.procedural_recordings", lambda: made)
    folder = kg.Forecaster.from_pretrained().save_pretrained(tmp_path / "net")
    (folder / "calibration.json").unlink(missing_ok=True)
    write_takes(mine := tmp_path / "mine", 1, seconds=4.0)
    kg.save(kg.load(mine / "take00.npz").replace(fps=None), mine / "a_norate.npz")
    argv = ["calibrate", str(folder), "--data", str(mine), "--size", "50", "--check", str(mine)]
    assert main(argv) == 0
    said = capsys.readouterr().out
    why = "recordings left out: 1; the first: a_norate.npz: no frame rate; convert it with --fps"
    assert said.count(why) == 2
    about = json.loads((folder / "calibration.json").read_text())["about"]
    assert about["left_out"]["recordings"] == 1
    assert about["recordings"] == 1 + sum(name.startswith("procedural") for name in about["subjects"]) * 2
    (folder / "calibration.json").unlink()
    (mine / "take00.npz").unlink()
    assert main(argv[:-2]) == 2  # procedural people alone are not what was asked for
    assert "none of 1 recordings could be forecast and compared; a_norate.npz" in capsys.readouterr().err
    assert not (folder / "calibration.json").exists()


def test_a_check_that_cannot_be_is_found_before_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fitted(*_: object, **__: object) -> None:
        raise AssertionError("fitted, and the fit is lost")

    monkeypatch.setattr("kinegraph.calibration.forecasting.calibrate_forecaster", fitted)
    folder = kg.Forecaster.from_pretrained().save_pretrained(tmp_path / "net")
    write_takes(mine := tmp_path / "mine", 1)
    argv = ["calibrate", str(folder), "--data", str(mine), "--check"]
    assert main([*argv, str(tmp_path / "typo")]) == 2
    assert "typo" in capsys.readouterr().err
    short = tmp_path / "short"
    short.mkdir()
    kg.save(kg.load(mine / "take00.npz").slice_frames(0, 9), short / "short.npz")
    assert main([*argv, str(short)]) == 2
    assert "too short to look back and ahead" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lift", "would be overwritten"),
        ("runs/none", "no such weights folder"),
        ("some/body", "no such weights folder"),
    ],
)
def test_a_fit_needs_a_folder_of_ones_own(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", name, "--data", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_network_in_the_package_is_checked_by_its_name(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", "lift", "--data", str(tmp_path), "--only-check"]) == 0
    assert "with flip test" in capsys.readouterr().out
    assert main(["calibrate", "lift-temporal", "--data", str(tmp_path), "--only-check", "--stills", "--json"]) == 0
    pictures = json.loads(capsys.readouterr().out)["coverage"]
    assert pictures
    assert all("single pictures" in name for name in pictures)
    assert main(["calibrate", "lift-temporal", "--data", str(tmp_path), "--only-check", "--json"]) == 0
    videos = json.loads(capsys.readouterr().out)["coverage"]
    for still, video in zip(pictures.values(), videos.values(), strict=True):
        assert still["poses"] < video["poses"] / 5
        assert still["mean_error_mm"] > video["mean_error_mm"]
    assert main(["calibrate", "lifd", "--data", str(tmp_path), "--only-check"]) == 2
    assert "did you mean 'lift'" in capsys.readouterr().err


def test_only_check_needs_something_to_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = kg.Forecaster.from_pretrained().save_pretrained(tmp_path / "net")
    assert main(["calibrate", str(folder), "--data", str(tmp_path), "--only-check"]) == 2
    assert "--check DIR" in capsys.readouterr().err
    assert main(["calibrate", str(folder), "--check", str(tmp_path)]) == 2
    assert "--data DIR is missing" in capsys.readouterr().err
    assert main(["calibrate", "lift", "--only-check"]) == 2
    assert "--data DIR is missing" in capsys.readouterr().err
    for more in (["--size", "900"], ["--held-out"]):
        assert main(["calibrate", "forecast", "--only-check", "--check", str(tmp_path), *more]) == 2
        assert f"{' '.join(more)} belongs to fitting" in capsys.readouterr().err
    assert main(["calibrate", "lift", "--data", str(tmp_path), "--only-check", "--size", "900"]) == 2
    assert "--size 900 belongs to fitting" in capsys.readouterr().err
    write_takes(mine := tmp_path / "mine", 1, seconds=4.0)
    assert main(["calibrate", "forecast", "--only-check", "--check", str(mine)]) == 0  # no --data, which is not read
    assert "errors below the stated quantile" in capsys.readouterr().out
    (folder / "calibration.json").unlink(missing_ok=True)
    assert main(["calibrate", str(folder), "--data", str(tmp_path), "--only-check", "--check", str(tmp_path)]) == 2
    assert "not calibrated" in capsys.readouterr().err
