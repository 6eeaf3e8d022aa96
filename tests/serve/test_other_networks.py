"""The viewer with other networks than the package's: named ones do the work, wrong names end it before it listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.errors import KinegraphError
from kinegraph.models import build
from kinegraph.serve.sample import walking
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.visualize.analysis import Analyst
from kinegraph.weights import save_weights


@pytest.fixture(scope="module")
def lifter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights") / "lifter"
    save_weights(folder, build("fcn", kg.get_skeleton("h36m17"), {"width": 8}), "fcn", {}, transform=LiftingTransform())
    return folder


def test_named_networks_do_the_work(lifter: Path) -> None:
    analyst = Analyst(0.5, lifter=str(lifter), recognizer="forecast", forecaster="constant-velocity")
    found = analyst.analyse(walking(1.6), "walk")
    assert found.solid is not None
    assert any("lifted by fcn" in note for note in found.solid.notes)
    notes = " ".join(found.notes)
    assert "actions by symgnn" in notes
    assert "forecast by constant-velocity" in notes


def test_a_network_for_something_else_is_refused(lifter: Path) -> None:
    with pytest.raises(KinegraphError, match="expected one that forecasts or recognises motion"):
        Analyst(recognizer=str(lifter))


def test_the_command_hands_them_on(lifter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("kinegraph.serve.run.serve", lambda settings, **more: given.update(more))
    assert main(["serve", "--lifter", str(lifter), "--forecaster", "zero-velocity"]) == 0
    analyst = given["analyst"]
    analyst.prepare()
    assert (analyst._lifter.name, analyst._forecaster.name) == ("fcn", "zero-velocity")
    assert analyst._recognizer.folder == kg.Recognizer.from_pretrained().folder  # the others are the package's


def test_a_wrong_name_ends_it_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("kinegraph.serve.run.serve", lambda *_, **__: pytest.fail("it listens"))
    assert main(["serve", "--lifter", "nowhere"]) == 2
    assert "no such weights folder" in capsys.readouterr().err


def test_view_takes_them_with_full_alone(tmp_path: Path, lifter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kg.save(walking(1.6), tmp_path / "k.npz")
    words = ["view", str(tmp_path / "k.npz"), "--out", str(tmp_path / "k.html"), "--lifter", str(lifter)]
    assert main(words) == 2
    assert "which only --full uses" in capsys.readouterr().err
    assert main([*words, "--full"]) == 0
    assert "lifted by fcn" in (tmp_path / "k.html").read_text()
