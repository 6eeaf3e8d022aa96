"""`evaluate` with forecasting and recognition protocols, end to end on files and untrained weights made here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from action_files import write_ntu
from motion_files import TINY

from kinegraph.cli import main
from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError
from kinegraph.evaluation.forecasting import evaluate_forecast, load_forecast_method
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import save_weights


@pytest.fixture
def recordings(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "cmu"
    for action in ("walking", "running"):
        for part, number in (("train", 1), ("train", 4), ("test", 1)):
            place = folder / part / action
            place.mkdir(parents=True, exist_ok=True)
            rows = np.zeros((170, 117))
            rows[:, list(cmu_actions.COLUMNS)] = rng.normal(size=(170, 64)).cumsum(axis=0) * 0.01
            np.savetxt(place / f"{action}_{number}.txt", rows, delimiter=",", fmt="%.7g")
    return folder


@pytest.fixture
def weights(tmp_path, recordings):
    def make(name, **options):
        train = cmu_actions.load(recordings, "train")
        config = {"classes": 8, "width": 0.125, "agim_width": 8, "gamma": 1, "iterations": 1} | options
        transform = MotionTransform.fit(
            [clip.features for clip in train.clips],
            fps=60.0,
            observed=50,
            horizon=config.get("horizon", 25),
            actions=train.actions if config["classes"] else (),
        )
        run = tmp_path / "runs" / name
        run.mkdir(parents=True)
        network = build("symgnn", train.skeleton, config)
        metadata = {"seed": 3, "checkpoint": {"chosen_by": "lowest error", "validation": "cmu-8 val"}}
        save_weights(run / "best", network, "symgnn", metadata, transform=transform, task="motion")
        return str(run / "best")

    return make


@pytest.fixture
def lifter(tmp_path):
    network = build("gcn", get_skeleton("h36m17"))
    save_weights(tmp_path / "lift", network, "gcn", {}, transform=LiftingTransform())
    return str(tmp_path / "lift")


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def test_one_forecaster(recordings, weights, tmp_path, capsys):
    out = tmp_path / "r.json"
    code = evaluate(weights("net"), "--protocol", "cmu-euler-64", "--data", recordings, "--json", out)
    printed = capsys.readouterr().out
    assert code == 0
    content = json.loads(out.read_text())
    assert content["model"] == "net"
    assert content["info"]["seed"] == 3
    assert set(content["per_action"]) == {"walking", "running"}
    assert content["times_ms"] == [80, 160, 320, 400, 560, 1000]
    line = next(line for line in printed.splitlines() if line.startswith("average of 2"))
    assert line.split()[3:] == [f"{value:.2f}" for value in content["average"]]
    assert "truly 33, 67, 133, 167, 233, 417 ms" in printed
    assert "checkpoint: lowest error on cmu-8 val" in printed
    assert "no data here of basketball, basketball_signal" in printed
    assert "Sym-GNN (No recg)" in printed


def test_baselines_beside_a_network(recordings, weights, tmp_path, capsys):
    out = tmp_path / "r.json"
    models = (weights("net"), "zero-velocity", "constant_velocity")
    assert evaluate(*models, "--protocol", "cmu-euler-std", "--data", recordings, "--json", out, "--markdown") == 0
    results = json.loads(out.read_text())["results"]
    assert [result["model"] for result in results] == ["net", "zero-velocity", "constant-velocity"]
    assert results[1]["average"] != results[2]["average"]
    assert "| zero-velocity " in capsys.readouterr().out
    args = ("--protocol", "cmu-mpjpe", "--data", recordings, "--split", "val", "--json", out)
    assert evaluate("zero-velocity", *args) == 0
    content = json.loads(out.read_text())
    assert content["unit"] == "mm"
    ratio = np.array(content["further"]["unit_70mm"]["average"]) / content["average"]
    np.testing.assert_allclose(ratio, 70 / (25.4 / 0.45))


def test_numbers_never_take_the_place_of_a_recording(tmp_path, capsys):
    recording = tmp_path / "walk.json"
    recording.write_text("{}")
    words = ("zero-velocity", "--protocol", "recordings", "--data", tmp_path)
    assert evaluate(*words, "--json", recording) == 2
    assert f"IN and --json are both {recording}; the input is never overwritten" in capsys.readouterr().err
    assert recording.read_text() == "{}"


def test_recognition_and_fusion(recordings, weights, tmp_path, capsys):
    out = tmp_path / "r.json"
    one, two = weights("joint"), weights("bone", stream="bone", horizon=0)
    assert evaluate(one, "--protocol", "cmu-8", "--data", recordings, "--json", out) == 0
    content = json.loads(out.read_text())
    assert set(content["per_class"]) == {"walking", "running"}
    assert content["windows"] == {"running": 36, "walking": 36}
    assert 0 <= content["top1"] <= content["top5"] <= 100
    args = ("--protocol", "cmu-8", "--data", recordings, "--json", out)
    assert evaluate(one, two, *args, "--fuse", "0.5", "0.5") == 0
    fused = json.loads(out.read_text())
    assert fused["fuse"] == [0.5, 0.5]
    assert fused["model"] == "0.5 x joint + 0.5 x bone"
    assert [stream["model"] for stream in fused["streams"]] == ["joint", "bone"]
    assert fused["streams"][0]["top1"] == content["top1"]
    assert "0.5 x joint + 0.5 x bone" in capsys.readouterr().out


def test_weights_of_ntu_are_measured_on_the_test_clips_of_their_own_split(weights, tmp_path, capsys):
    """Each split's test part holds training clips of the other."""
    files = write_ntu(tmp_path / "ntu", ["S001C001P001R001A001", "S001C001P002R001A002", "S001C002P003R001A001"], 60)
    args = ("--protocol", "ntu-pck", "--data", files)

    def trained(name, **data):
        network = build("symgnn", get_skeleton("ntu25"), {**TINY, "observed": 40, "horizon": 10})
        transform = MotionTransform.fit(
            [np.random.default_rng(0).normal(size=(60, 25, 3))],
            fps=30.0,
            observed=40,
            horizon=10,
            representation="positions",
        )
        metadata = {"recipe": {"data": {"name": "ntu", **data}}}
        save_weights(tmp_path / name, network, "symgnn", metadata, transform=transform, task="motion")
        return str(tmp_path / name)

    by_camera, by_person = trained("by_camera", benchmark="xview"), trained("by_person", benchmark=None)
    for model, more, split, windows in (
        (by_camera, (), "xview", 2),
        (by_person, (), "xsub", 1),
        ("zero-velocity", (), "xsub", 1),
        ("zero-velocity", ("--ntu-split", "xview"), "xview", 2),
    ):
        assert evaluate(model, *args, *more, "--json", tmp_path / "r.json") == 0
        assert f"| {split} test split, {windows} windows" in capsys.readouterr().out
        content = json.loads((tmp_path / "r.json").read_text())
        assert content["data"]["benchmark"] == split
    for models, more in (((by_camera,), ("--ntu-split", "xsub")), ((by_person, by_camera), ())):
        assert evaluate(*models, *args, *more) == 2
        assert "by_camera was trained on the xview split of NTU RGB+D" in capsys.readouterr().err
    protocol = load_forecast_protocol("ntu-pck", files)
    with pytest.raises(ConfigError, match="by_camera was trained on the xview split"):
        evaluate_forecast(load_forecast_method(by_camera), protocol)


def test_what_does_not_go_together_is_one_line(recordings, weights, lifter, capsys):
    only_recognises, only_forecasts = weights("recg", horizon=0), weights("pred", classes=0)
    forecast = ("--protocol", "cmu-euler-64", "--data", recordings)
    recognise = ("--protocol", "cmu-8", "--data", recordings)
    for arguments, message in (
        ((lifter, *forecast), "holds a lifting model (gcn); this protocol measures forecasting"),
        ((lifter, *recognise), "holds a lifting model (gcn); this protocol measures recognition"),
        ((only_forecasts, "--protocol", "synthetic-lifting"), "holds a motion network (symgnn)"),
        ((only_recognises, *forecast), "only recognises"),
        ((only_forecasts, *recognise), "only forecasts"),
        ((only_forecasts, "--protocol", "cmu-mpjpe", "--data", recordings), "looks at 50 frames, cmu-mpjpe gives 10"),
        (("zero-velocity", "--protocol", "cmu-euler-64"), "--data DIR"),
        (("zero-velocity", "--protocol", "cmu-euler-64", "--data", "nowhere"), "no CMU actions here"),
        (("zero-velocty", *forecast), "did you mean 'zero-velocity'"),
        (("zero-velocity", "--protocol", "cmu-euler"), "did you mean 'cmu-euler-64'"),
        (("zero-velocity", *recognise), "no weights folder"),
        (("zero-velocity", *forecast, "--fuse", "1"), "--fuse belongs to recognition"),
        (("zero-velocity", *forecast, "--target", "pixel"), "--target belongs to lifting"),
        (("zero-velocity", *forecast, "--no-flip"), "--no-flip belongs to lifting"),
        (("zero-velocity", *forecast, "--normaliser", "torso"), "--normaliser belongs to ntu-pck"),
        (("flat", "--protocol", "synthetic-lifting", "--fuse", "1"), "--fuse belongs to recognition"),
        (("zero-velocity", *forecast, "--split", "train"), "split test or val"),
        (("zero-velocity", *forecast, "--batch", "0"), "--batch is 0"),
        ((only_recognises, *recognise, "--fuse", "1", "2"), "2 weights for 1 models"),
    ):
        assert evaluate(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, (arguments, error)
        assert len(error.strip().splitlines()) == 1


def test_data_list_names_the_motion_sets(capsys):
    assert main(["data", "list"]) == 0
    printed = capsys.readouterr().out
    for name in ("cmu-8\n", "h36m-angles\n", "ntu-forecasting\n"):
        assert name in printed


def test_a_text_file_is_described_and_converted(recordings, tmp_path, capsys):
    clip = recordings / "test/walking/walking_1.txt"
    assert main(["info", str(clip)]) == 0
    assert "cmu38" in capsys.readouterr().out
    assert main(["convert", str(clip), str(tmp_path / "a.bvh")]) == 0
    assert main(["convert", str(tmp_path / "a.bvh"), str(tmp_path / "b.txt")]) == 0
    again = np.loadtxt(tmp_path / "b.txt", delimiter=",")
    np.testing.assert_allclose(again, np.loadtxt(clip, delimiter=","), atol=2e-4)
