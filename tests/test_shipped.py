"""Networks named by their folder in the package: here of tiny ones that the test puts there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import kinegraph as kg
from kinegraph import shipped
from kinegraph.cli import main
from kinegraph.errors import ConfigError, FormatError, KinegraphError
from kinegraph.evaluation.predict import load_lifting_method
from kinegraph.export.exporting import find_weights
from kinegraph.hub import locate
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import save_weights

BODY = get_skeleton("h36m17")
ROOT = Path(__file__).parents[1]


def put_lifter(folder: Path, **options: object) -> None:
    torch.manual_seed(0)
    transform = LiftingTransform(normalise="box", confidence=True)
    model = build("hcsf", BODY, {"in_channels": 3, "channels": 8, "blocks": 2, **options})
    save_weights(folder, model, "hcsf", {"fps": 30.0}, transform=transform)


def put_forecaster(folder: Path) -> None:
    joints = [f"{side}_{j}" for side in ("left", "right") for j in ("hip", "knee", "ankle", "shoulder", "elbow")]
    skeleton = contract(get_skeleton("cmu38"), ["pelvis", "spine", "thorax", "head", *joints], trajectory=True)
    options = {"observed": 10, "horizon": 4, "classes": 2, "width": 0.05, "agim_width": 8, "iterations": 1, "gamma": 2}
    transform = MotionTransform(
        root="heading",
        fps=25.0,
        observed=10,
        horizon=4,
        mean=((0.0, 0.0, 0.0),) * skeleton.num_joints,
        scale=((1.0, 1.0, 1.0),) * skeleton.num_joints,
        actions=("walk", "run"),
    )
    model = build("symgnn", skeleton, options)
    save_weights(folder, model, "symgnn", {}, transform=transform, task="motion")


def put_recogniser(folder: Path) -> None:
    transform = ClipTransform(people=1, frames=12, fps=30.0, clip_frames=12, actions=("sit", "stand", "wave"))
    model = build("stgcn", BODY, {"classes": 3, "people": 1, "channels": 3, "width": 0.05})
    save_weights(folder, model, "stgcn", {}, transform=transform, task="recognition")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that ships `lift` and `forecast`, and nothing else yet; the working folder is another, empty."""
    folder, here = tmp_path / "package", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.setattr(shipped, "FOLDER", folder)
    monkeypatch.chdir(here)
    put_lifter(folder / "lift")
    put_forecaster(folder / "forecast")
    (folder / "notes").mkdir()  # no weights
    return folder


def people(frames: int = 20) -> np.ndarray:
    rng = np.random.default_rng(0)
    return 400 + 100 * rng.normal(size=(1, 17, 2)) + np.arange(frames)[:, None, None]


def test_names_stand_for_folders(package: Path) -> None:
    put_lifter(package / "lift-causal", frames=9, causal=True)
    assert list(shipped.shipped()) == ["forecast", "lift", "lift-causal"]
    causal = kg.Lifter.from_pretrained("lift-causal")
    assert (causal.frames, causal.target, causal.folder) == (9, 8, package / "lift-causal")
    given = {"skeleton": "h36m17", "fps": 30.0, "read": {"image_size": (1000, 1000)}}
    by_name = kg.lift(people(), model="lift-causal", **given)
    np.testing.assert_array_equal(by_name.positions, kg.lift(people(), model=causal, **given).positions)
    assert np.abs(by_name.positions - kg.lift(people(), **given).positions).max() > 1e-3
    assert kg.Forecaster.from_pretrained("forecast").name == "symgnn"
    assert kg.Recognizer.from_pretrained("forecast").actions == ("walk", "run")
    assert find_weights("lift-causal").folder == package / "lift-causal"
    method = load_lifting_method("lift-causal")
    assert (method.label, method.target) == ("lift-causal", 8)


def test_the_command_line_takes_names(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put_lifter(package / "lift-temporal", frames=9)
    kg.save(kg.SkeletonSequence(people(), BODY, fps=30.0, unit="px", space="image", image_size=(900, 900)), "x.npz")
    assert main(["lift", "x.npz", "--out", "y.npz", "--model", "lift-temporal"]) == 0
    assert main(["lift", "x.npz", "--out", "y.npz", "--model", "lift-temporl"]) == 2
    said = capsys.readouterr().err
    assert "no such weights folder" in said
    assert "in the package: forecast, lift, lift-temporal; did you mean 'lift-temporal'?" in said
    for command in (["--help"], ["lift", "--help"], ["recognize", "--help"], ["forecast", "--help"]):
        main(command)
        assert "in the package: forecast, lift, lift-temporal" in " ".join(capsys.readouterr().out.split())


def test_a_folder_here_comes_first(package: Path) -> None:
    put_lifter(Path("lift"), channels=4)
    assert kg.Lifter.from_pretrained("lift").folder == Path("lift")
    assert kg.Lifter.from_pretrained().folder == package / "lift"  # no name, no mistake
    assert find_weights("lift").folder == Path("lift")


@pytest.mark.parametrize(
    ("read", "error"),
    [
        (kg.Lifter.from_pretrained, FormatError),
        (kg.Forecaster.from_pretrained, FormatError),
        (kg.Recognizer.from_pretrained, FormatError),
        (locate, FormatError),
        (find_weights, ConfigError),
        (load_lifting_method, FormatError),
    ],
)
def test_unknown_names_list_what_there_is(package: Path, read: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"in the package: forecast, lift"):
        read("nothing-like-it")  # type: ignore[operator]


def test_what_a_network_is_for_is_checked(package: Path) -> None:
    with pytest.raises(KinegraphError, match="forecasts or recognises: use it with forecast"):
        kg.Lifter.from_pretrained("forecast")
    with pytest.raises(FormatError, match="holds a network that lifts"):
        kg.Recognizer.from_pretrained("lift")
    with pytest.raises(KinegraphError, match="a folder has none"):
        locate("lift", revision="v1")


def test_live_takes_the_causal_lifter_where_there_is_one(package: Path) -> None:
    parts = {"recognizer": False, "forecaster": False, "fast": False}
    assert kg.live(**parts).lift.lifter.folder == package / "lift"
    put_lifter(package / "lift-causal", frames=9, causal=True)
    assert kg.live(**parts).lift.lifter.folder == package / "lift-causal"
    assert kg.live(lifter="lift", **parts).lift.lifter.folder == package / "lift"
    assert kg.Lifter.from_pretrained().folder == package / "lift"


def test_the_recogniser_of_its_own_is_the_default(package: Path) -> None:
    assert kg.Recognizer.from_pretrained().actions == ("walk", "run")
    put_recogniser(package / "recognize")
    assert kg.Recognizer.from_pretrained().actions == ("sit", "stand", "wave")
    pipeline = kg.live("h36m17", fast=False)
    assert pipeline.recognition is not None
    assert pipeline.recognition.actions == ("sit", "stand", "wave")
    assert pipeline.forecasting is not None
    for frame in people(45):
        result = pipeline.push(frame)
    assert kg.Forecaster.from_pretrained().folder == package / "forecast"
    assert result.time == pytest.approx(44 / 30)


def test_nothing_in_the_package(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "FOLDER", package / "none")
    assert shipped.shipped() == {}
    assert shipped.named("x") == "in the package: none"
    for kind in (kg.Lifter, kg.Forecaster, kg.Recognizer):
        with pytest.raises(KinegraphError, match="ships no"):
            kind.from_pretrained()


def test_the_networks_that_ship_are_what_the_documents_say() -> None:
    names = shipped.shipped()
    assert {"lift", "forecast"} <= set(names)
    page = (ROOT / "docs" / "lifting.md").read_text()
    for name in names:
        assert f"| `{name}` |" in page
        assert (names[name] / "README.md").is_file(), f"{name} has no model card"


def test_names_cost_no_torch() -> None:
    check = (
        "import sys, kinegraph.shipped as s; s.named('x'); sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
