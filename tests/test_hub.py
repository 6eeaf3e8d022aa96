"""Weights from and to a hub that is not there: a stand-in for `huggingface_hub` notes what it is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import kinegraph as kg
from kinegraph.errors import ConfigError, FormatError, KinegraphError, MissingExtraError
from kinegraph.evaluation.clip_recognition import load_clip_method
from kinegraph.evaluation.forecasting import load_forecast_method
from kinegraph.evaluation.methods import task_named
from kinegraph.evaluation.predict import load_lifting_method
from kinegraph.evaluation.recognition import load_recognition_method
from kinegraph.hub import is_hub_id, locate
from kinegraph.shipped import FOLDER
from kinegraph.weights import load_weights


class FakeHub:
    """What we use of `huggingface_hub`, on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def snapshot_download(self, **options: Any) -> str:
        self.asked.append(options)
        if self.error:
            raise self.error
        return str(self.folder)

    def HfApi(self, token: str | None = None) -> Any:
        def create_repo(**options: Any) -> None:
            self.asked.append({"token": token, **options})
            if self.error:
                raise self.error

        def upload_folder(folder_path: str, **options: Any) -> str:
            self.asked.append(options)
            for file in Path(folder_path).iterdir():
                (self.folder / file.name).write_bytes(file.read_bytes())
            return f"https://hub/{options['repo_id']}"

        return SimpleNamespace(create_repo=create_repo, upload_folder=upload_folder)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    folder = tmp_path / "hub"
    folder.mkdir()
    fake = FakeHub(folder)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    return fake


def test_weights_go_there_and_come_back(hub: FakeHub) -> None:
    lifter = kg.Lifter.from_pretrained("lift")
    assert lifter.push_to_hub("me/walker", private=True, token="t") == "https://hub/me/walker"
    assert hub.asked[0] == {
        "token": "t",
        "repo_id": "me/walker",
        "repo_type": "model",
        "private": True,
        "exist_ok": True,
    }
    card = (hub.folder / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "Model card: the single-frame lifter" in card
    back = kg.Lifter.from_pretrained("me/walker", revision="v1")
    assert hub.asked[-1]["repo_id"] == "me/walker"
    assert hub.asked[-1]["revision"] == "v1"
    assert back.weights.sha256 == lifter.weights.sha256


@pytest.mark.parametrize("kind", [kg.Forecaster, kg.Recognizer])
def test_motion_networks_are_fetched_too(hub: FakeHub, kind: Any) -> None:
    hub.folder = FOLDER / "forecast"
    assert kind.from_pretrained("you/mover").network.model is not None
    assert hub.asked[-1]["repo_id"] == "you/mover"


@pytest.mark.parametrize(
    ("load", "network"),
    [
        (load_lifting_method, "lift"),
        (load_forecast_method, "forecast"),
        (load_recognition_method, "forecast"),
        (load_clip_method, "recognize"),
    ],
)
def test_what_is_measured_is_fetched_too(hub: FakeHub, load: Any, network: str) -> None:
    hub.folder = FOLDER / network
    method = load("you/mover")
    assert hub.asked[-1]["repo_id"] == "you/mover"
    assert method.label == "you/mover"  # and not the digest that the copy's folder is called
    assert method.info["parameters"] == load(network).info["parameters"]
    assert load(network).label == network
    assert task_named("you/mover") == task_named(network) == load_weights(FOLDER / network).task
    wrong = load_clip_method if network == "lift" else load_lifting_method
    with pytest.raises(ConfigError, match="you/mover holds a .* this protocol measures"):
        wrong("you/mover")


def test_what_has_no_weights_is_not_fetched(hub: FakeHub) -> None:
    assert task_named("zero-velocity") is task_named("linear") is None
    for name, message in (("zero-velocity", "is a baseline of forecasting"), ("linear", "is trained first")):
        with pytest.raises(ConfigError, match=message):
            load_clip_method(name)
    assert not hub.asked


def test_no_network_is_said_plainly(hub: FakeHub) -> None:
    hub.error = OSError("Connection refused\nby everybody")
    with pytest.raises(KinegraphError, match=r"me/walker is no folder here .*Connection refused by everybody.*folder"):
        kg.Lifter.from_pretrained("me/walker")
    with pytest.raises(KinegraphError, match="could not be uploaded to the hub: Connection refused"):
        kg.Lifter.from_pretrained("lift").push_to_hub("me/walker")


def test_a_folder_that_is_there_is_no_id(hub: FakeHub, tmp_path: Path) -> None:
    kg.Lifter.from_pretrained("lift").save_pretrained(tmp_path / "me")
    (tmp_path / "runs").mkdir()
    (tmp_path / "me").rename(tmp_path / "runs" / "best")
    assert kg.Lifter.from_pretrained("runs/best").folder == Path("runs/best")
    assert not hub.asked
    with pytest.raises(KinegraphError, match="a folder has none"):
        locate("runs/best", revision="v1")


def test_weights_set_aside_are_named_before_the_hub_is_asked(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    kg.Lifter.from_pretrained("lift").save_pretrained(tmp_path / "runs" / ".best.0123abcd.old")
    with pytest.raises(FormatError, match="a save cut short left its weights as runs/.best.0123abcd.old: rename it"):
        locate("runs/best")
    assert not hub.asked


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match=r"no such weights folder.*pip install 'kinegraph\[hub\]'"):
        kg.Lifter.from_pretrained("me/walker")
    with pytest.raises(MissingExtraError, match=r"kinegraph\[hub\]"):
        kg.Lifter.from_pretrained("lift").push_to_hub("me/walker")


@pytest.mark.parametrize(
    ("name", "yes"),
    [
        ("me/walker", True),
        ("me/walker-2.1_b", True),
        ("walker", False),
        ("a/b/c", False),
        ("../x", False),
        ("me/..", False),
        ("/abs/x", False),
        ("me/", False),
    ],
)
def test_what_an_id_looks_like(name: str, yes: bool) -> None:
    assert is_hub_id(name) is yes


def test_saved_weights_are_the_same_file(tmp_path: Path) -> None:
    lifter = kg.Lifter.from_pretrained("lift")
    folder = lifter.save_pretrained(tmp_path / "x")
    assert load_weights(folder).sha256 == lifter.weights.sha256
    names = {file.name for file in (FOLDER / "lift").iterdir()}
    assert {file.name for file in folder.iterdir()} == names
    for name in names - {"config.json"}:
        assert (folder / name).read_bytes() == (FOLDER / "lift" / name).read_bytes()


def test_weights_trained_on_are_saved_as_they_are_now(tmp_path: Path) -> None:
    lifter = kg.Lifter.from_pretrained("lift")
    next(lifter.model.parameters()).data.add_(0.5)
    folder = lifter.save_pretrained(tmp_path / "x")
    assert load_weights(folder).sha256 != lifter.weights.sha256
    assert not (folder / "calibration.json").exists()


def test_a_card_is_written_where_there_is_none(tmp_path: Path) -> None:
    folder = kg.Forecaster.from_pretrained().save_pretrained(tmp_path / "x")
    (folder / "README.md").unlink()
    again = kg.Forecaster.from_pretrained(folder).save_pretrained(tmp_path / "y")
    card = (again / "README.md").read_text()
    assert "# symgnn, trained with Kinegraph" in card
    assert "kg.Forecaster.from_pretrained" in card


def test_a_baseline_has_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(KinegraphError, match="a baseline has no weights"):
        kg.Forecaster("zero-velocity").save_pretrained(tmp_path / "x")
