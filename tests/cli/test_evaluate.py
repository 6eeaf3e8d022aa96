"""`evaluate`, `analyze` and `data` end to end, on untrained weights and files written here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.datasets import h36m
from kinegraph.datasets.noisy import with_detector_noise
from kinegraph.evaluation import load_lifting_protocol
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights


@pytest.fixture
def human36m(tmp_path):
    rng = np.random.default_rng(0)
    table = {
        subject: {
            name: (rng.uniform(-0.5, 0.5, size=(5, 32, 3)) + np.array([0.0, 0.0, 1.0])).astype(np.float32)
            for name in ("Walking", "Eating 1", "Directions")
        }
        for subject in ("S9", "S11")
    }
    folder = tmp_path / "h36m"
    folder.mkdir()
    np.savez(folder / "data_3d_h36m.npz", positions_3d=np.array(table, dtype=object))
    return folder


@pytest.fixture
def weights(tmp_path):
    def make(name, target, model="gcn", noise=None, **options):
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        network = build(model, get_skeleton("h36m17"), options)
        checkpoint = {"chosen_by": "lowest validation MPJPE", "validation": "some/val"}
        recipe = {"data": {"input": "exact"}, "augment": {"noise": noise}}
        metadata = {"seed": 3, "train_seconds": 61.0, "checkpoint": checkpoint, "recipe": recipe}
        save_weights(run / "best", network, model, metadata, transform=LiftingTransform(target=target))
        return str(run / "best")

    return make


def test_one_model(human36m, weights, tmp_path, capsys):
    out = tmp_path / "r.json"
    folder = weights("net", "pixel")
    code = main(["evaluate", folder, "--protocol", "h36m-pixel", "--data", str(human36m), "--json", str(out)])
    printed = capsys.readouterr().out
    assert code == 0
    content = json.loads(out.read_text())
    assert list(content["per_action"]) == ["Directions", "Eating", "Walking"]
    assert content["data"]["poses"] == 5 * 5 * 4
    assert content["model"] == "net"
    assert content["info"]["seed"] == 3
    average = next(line for line in printed.splitlines() if line.startswith("average"))
    assert average.split()[1:] == [f"{content['mpjpe_mm']:.1f}", f"{content['pa_mpjpe_mm']:.1f}"]
    assert "TRUE root depth" in printed
    assert "S11 'Directions' left out" in printed
    assert "checkpoint: lowest validation MPJPE on some/val" in printed


def test_noise_on_human36m_as_in_training(human36m, weights, capsys):
    folder = weights("net", "pixel")
    for keypoints in ("exact", "noisy"):
        given = ["--protocol", "h36m-pixel", "--data", str(human36m), "--input", keypoints, "--json", f"{folder}.json"]
        assert main(["evaluate", folder, *given]) == 0
    assert "noisy" in capsys.readouterr().out
    one, two = (load_lifting_protocol("h36m-pixel", human36m, input=keypoints) for keypoints in ("exact", "noisy"))
    np.testing.assert_array_equal(two.keypoints_px, with_detector_noise(one).keypoints_px)
    assert not np.array_equal(one.keypoints_px, two.keypoints_px)


def test_other_keypoints_than_those_of_training_are_noted(human36m, weights, capsys):
    plain, noisy = weights("plain", "pixel"), weights("hardened", "pixel", noise={"sigma_px": 5.0})
    given = ["--protocol", "h36m-pixel", "--data", str(human36m), "--input"]
    for models in ([plain], [noisy], [plain, noisy]):
        assert main(["evaluate", *models, *given, "noisy"]) == 0
        printed = capsys.readouterr().out
        assert ("plain was trained on exact 2D and is measured on noisy 2D" in printed) == (plain in models)
        added = "hardened was trained on exact 2D with noise added (augment.noise) and is measured on noisy 2D"
        assert (added in printed) == (noisy in models)
    assert main(["evaluate", plain, *given, "exact"]) == 0
    assert "was trained on" not in capsys.readouterr().out


def test_several_models_stand_in_one_table(human36m, weights, tmp_path, capsys):
    models = [
        weights("a", "metric"),
        weights("b", "metric", model="lcn"),
        weights("c", "metric", model="hcsf", frames=3),
    ]
    common = ["--protocol", "h36m-metric", "--data", str(human36m), "--keep-s11-directions", "--no-flip"]
    out = tmp_path / "r.json"
    assert main(["evaluate", *models, *common, "--markdown", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    content = json.loads(out.read_text())
    assert [r["model"] for r in content["results"]] == ["a", "b", "c"]
    assert content["results"][0]["data"]["poses"] == 6 * 5 * 4
    assert "| N-MPJPE" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "nowhere", "--protocol", "mocap-lifting"], "nowhere: no such weights folder"),
        (["evaluate", "flat", "--protocol", "mocap-liftin"], "did you mean 'mocap-lifting'"),
        (["evaluate", "flat", "--protocol", "h36m-pixel"], "--data DIR"),
        (["evaluate", "flat", "--protocol", "h36m-pixel", "--data", "nowhere"], "data_3d_h36m.npz: no such file"),
        (["evaluate", "flat", "--protocol", "h36m-pixel", "--data", ".", "--device", "cuda:9"], "cuda:9"),
        (["evaluate", "flat", "--protocol", "h36m-pixel", "--data", ".", "--batch", "0"], "--batch is 0"),
        (
            ["evaluate", "flat", "--protocol", "3dhp", "--keep-s11-directions"],
            "--keep-s11-directions belongs to h36m-pixel",
        ),
        (
            ["evaluate", "flat", "--protocol", "mocap-lifting", "--keep-s11-directions"],
            "mocap-lifting has no such choice",
        ),
        (["evaluate", "flat", "--protocol", "h36m-pixel", "--extra", "."], "--extra belongs to mocap-lifting"),
        (["evaluate", "flat", "--protocol", "synthetic-lifting", "--views", "0"], "--views belongs to recognition of"),
        (["evaluate", "flat", "--protocol", "synthetic-lifting", "--data", "."], "--data belongs to protocols of"),
        (["analyze", "people", "flat", "--protocol", "3dhp", "--extra", "."], "--extra belongs to mocap-lifting"),
        (["data", "prepare", "mocap-lifting", "--source", "nowhere", "--out", "x"], "no such folder"),
        (["data", "prepare", "mocap-liftin", "--source", ".", "--out", "x"], "did you mean 'mocap-lifting'"),
        (["data", "prepare", "3dhp", "--source", ".", "--out", "x"], "needs no preparing"),
        (["data"], "list|prepare"),
    ],
)
def test_errors_are_one_line_and_leave_no_file(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_wrong_target_and_unwritable_output(human36m, weights, tmp_path, capsys):
    metric = weights("m", "metric")
    common = ["--data", str(human36m)]
    assert main(["evaluate", metric, "--protocol", "h36m-pixel", *common]) == 2
    assert "not comparable" in capsys.readouterr().err
    pixel = weights("p", "pixel")
    assert main(["evaluate", metric, pixel, "--protocol", "mocap-lifting", "--target", "pixel", *common]) == 2
    capsys.readouterr()


@pytest.mark.parametrize(
    "words",
    [
        ["flat", "--protocol", "h36m-pixel", "--data", "nowhere"],
        ["zero-velocity", "--protocol", "cmu-euler-64", "--data", "nowhere"],
        ["zero-velocity", "--protocol", "recordings", "--data", "nowhere"],
        ["nowhere", "--protocol", "cmu-8", "--data", "nowhere"],
        ["nowhere", "--protocol", "synthetic-recognition", "--save-scores", "s.npz"],
    ],
)
def test_json_is_looked_at_before_the_work(words, tmp_path, monkeypatch, capsys):
    """Data and weights that are not there would be the error if anything were read first."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    for place, message in (
        ("no/r.json", "--json no/r.json: the folder no does not exist; create it first"),
        ("taken", "--json taken: it is a folder; give the name of a file"),
    ):
        assert main(["evaluate", *words, "--json", place]) == 2
        assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_data_list_names_every_dataset(capsys):
    assert main(["data", "list"]) == 0
    printed = capsys.readouterr().out
    for name in ("synthetic-lifting", "mocap-lifting", "h36m", "3dhp", "CC BY-SA 3.0", "EIA-0196217"):
        assert name in printed
    assert len(h36m.ACTIONS) == 15
