"""`analyze`, end to end on recordings made here and untrained networks."""

from __future__ import annotations

import json
import sys

import pytest
from motion_files import TINY_RUN, write_recordings, write_weights

from kinegraph.cli import main
from kinegraph.cli.analyze import analyses


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("cmu"))


@pytest.fixture(scope="module")
def net(tmp_path_factory, recordings):
    return str(write_weights(tmp_path_factory.mktemp("runs"), recordings, "net"))


def analyze(*arguments):
    return main(["analyze", *map(str, arguments)])


def test_help_lists_every_analysis_in_one_line(capsys):
    assert analyze("--help") == 0
    printed = capsys.readouterr().out
    for name, analysis in analyses().items():
        assert any(line.split() == [name, *analysis.help.split()] for line in printed.splitlines()), name
    assert len(analyses()) == 24


@pytest.mark.parametrize("name", list(analyses()))
def test_help_of_each_has_an_example_that_parses(name, capsys):
    assert analyze(name, "--help") == 0
    printed = capsys.readouterr().out
    assert f"kinegraph analyze {name} " in printed
    assert "--json" in printed
    assert max(map(len, printed.partition("options:")[0].splitlines())) <= 120


def test_json_that_cannot_be_written_is_said_before_anything_is_read(tmp_path, capsys):
    numbers, new = tmp_path / "nowhere" / "n.json", tmp_path / "new"
    lifting = ("none", "--protocol", "synthetic-lifting")
    for arguments in (
        ("steadiness", "none", "--recordings", "none.json", "--out", new),
        ("people", *lifting),
        ("hard-poses", *lifting, "--out", new),
        ("early", "none", "--protocol", "folder", "--data", "none"),
        ("stability", "none", "--data", "none"),
        ("graphs", "none", "--protocol", "cmu-8", "--out", new),
    ):
        assert analyze(*arguments, "--json", numbers) == 2
        assert f"--json {numbers}: the folder {numbers.parent} does not exist" in capsys.readouterr().err, arguments
    assert not list(tmp_path.iterdir())
    numbers = new / "n.json"  # in the folder that is made for the pictures
    assert analyze("hard-poses", *lifting, "--out", new, "--json", numbers) == 2
    assert "--json" not in capsys.readouterr().err


def test_a_list_needs_no_more_than_it_uses_and_refuses_what_cannot_be(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gamma = ("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", 1, 2)
    assert analyze(*gamma, "--list") == 0
    assert capsys.readouterr().out == "gamma_1\n    model.gamma 1\ngamma_2\n    model.gamma 2\n"
    assert analyze("squeeze", "recognize_hcsf_hdm05", "--list") == 0
    assert "model.squeeze 0.125" in capsys.readouterr().out
    for arguments, message in (
        (("sweep", "symgnn_cmu_cpu", "--vary", "model.gama", 1, "--list"), "did you mean 'gamma'?"),
        (("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", "x", "--list"), "expected a whole number"),
        (("graphs", "recognize_hcsf_hdm05", "--list"), "this sweep is of networks of motion"),
        (gamma, "--protocol and --out are missing; only --list does without"),
        ((*gamma, "--out", "new"), "--protocol is missing"),
    ):
        assert analyze(*arguments) == 2, arguments
        assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_sweep_trains_measures_and_draws(recordings, tmp_path, capsys):
    out, numbers = tmp_path / "sweep", tmp_path / "n.json"
    arguments = ("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", 1, 2, "--protocol", "cmu-euler-64")
    rest = ("--data", recordings, "--out", out, "--json", numbers, "--quiet", *TINY_RUN)
    assert analyze(*arguments, "--list", *rest) == 0
    assert capsys.readouterr().out == "gamma_1\n    model.gamma 1\ngamma_2\n    model.gamma 2\n"
    assert not out.exists()
    assert analyze(*arguments, *rest) == 0
    found = capsys.readouterr()
    assert "[2/2] gamma 2, seed 0: training into" in found.err
    assert "gamma 2 " in found.out
    content = json.loads(numbers.read_text())
    assert [v["changes"] for v in content["variants"]] == [{"model.gamma": 1}, {"model.gamma": 2}]
    assert set(content["variants"][0]["mean"]) >= {"80 ms", "1000 ms", "short", "top-1", "top-5"}
    assert (out / "sweep.png").is_file()
    assert analyze(*arguments, *rest, "--only", "gamma_2", "--markdown") == 0
    found = capsys.readouterr()
    assert "gamma 2, seed 0: trained already" in found.err
    assert "| gamma 2 " in found.out
    assert "gamma 1" not in found.out


def test_early_recognition_is_a_sweep(recordings, tmp_path, capsys):
    numbers = tmp_path / "n.json"
    arguments = ("early-recognition", "symgnn_cmu_cpu", "--ratios", 0.2, "--strategies", "10", "none")
    rest = ("--protocol", "cmu-8", "--data", recordings, "--out", tmp_path / "early", "--json", numbers, "--quiet")
    assert analyze(*arguments, *rest, *TINY_RUN) == 0
    printed = capsys.readouterr().out
    assert "pred 10 frames, 20 %" in printed
    assert "sees the first 10 of 50 frames" in printed
    content = json.loads(numbers.read_text())
    assert [list(v["mean"]) for v in content["variants"]] == [["top-1", "top-5"]] * 2
    assert "NTU-RGB+D" in content["published"]["text"]
    assert (tmp_path / "early" / "early-recognition.png").is_file()


def test_noise_and_theorem(recordings, net, tmp_path, capsys):
    numbers, pictures = tmp_path / "p" / "n.json", tmp_path / "p"
    rest = ("--data", recordings, "--sigmas", 0.02, 0.1, "--json", numbers, "--out", pictures)
    assert analyze("robustness", net, "zero-velocity", *rest, "--stride", 12) == 0
    printed = capsys.readouterr().out
    assert "net: cmu-euler-64" in printed
    assert "net: cmu-8" in printed
    assert "zero-velocity: cmu-euler-64" in printed
    assert "every 12th window" in printed
    content = json.loads(numbers.read_text())
    assert [(r["model"], r["protocol"]) for r in content["results"]] == [
        ("net", "cmu-euler-64"),
        ("zero-velocity", "cmu-euler-64"),
        ("net", "cmu-8"),
    ]
    assert analyze("stability", net, *rest, "--windows", 3) == 0
    assert "amplify factor q" in capsys.readouterr().out
    content = json.loads(numbers.read_text())
    assert content["held"] == 1
    assert content["sigma_unit"] == "rad"
    assert {path.name for path in pictures.iterdir()} == {"n.json", "robustness.png", "stability.png"}


def test_graphs_and_poses(recordings, net, tmp_path, capsys):
    numbers = tmp_path / "n.json"
    rest = ("--data", recordings, "--json", numbers, "--out", tmp_path)
    assert analyze("actional-graph", net, "--action", "walking", "--edges", 4, "--windows", 3, *rest) == 0
    printed = capsys.readouterr().out
    assert "walking: the 4 strongest edges" in printed
    assert "never move in training, of which the network sees nothing: pelvis" in printed
    content = json.loads(numbers.read_text())["actions"]["walking"]
    assert content["windows"] == 3
    edge = content["edges"][0]
    joints = json.loads(numbers.read_text())["joints"]
    assert content["mean"][joints.index(edge["to"])][joints.index(edge["source"])] == edge["weight"]
    assert analyze("poses", net, "zero-velocity", "--action", "running", *rest) == 0
    printed = capsys.readouterr().out
    content = json.loads(numbers.read_text())
    assert content["labels_ms"] == list(range(80, 961, 80))
    assert len(content["error_mm"]["zero-velocity"]) == 12
    assert "truly 33, 67" in printed
    assert {path.name for path in tmp_path.glob("*.png")} == {"actional_graph.png", "poses_running.png"}


def test_the_graph_of_a_bone_network_is_of_bones(recordings, tmp_path, capsys):
    net = str(write_weights(tmp_path, recordings, "bones", stream="bone"))
    numbers = tmp_path / "n.json"
    arguments = ("--action", "walking", "--edges", 6, "--windows", 2, "--data", recordings, "--json", numbers)
    assert analyze("actional-graph", net, *arguments, "--out", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "(a bone <- whom it hears)" in printed
    assert "bone to " in printed
    assert "without bones that never move in training, of which the network sees nothing: pelvis\n" in printed
    content = json.loads(numbers.read_text())
    assert content["stream"] == "bone"
    found = content["actions"]["walking"]
    for edge in found["edges"]:
        row, column = (content["nodes"].index(edge[end]) for end in ("to", "source"))
        assert found["mean"][row][column] == edge["weight"]
        assert edge["to"] == f"bone to {content['joints'][row]}"
    assert (tmp_path / "actional_graph.png").stat().st_size > 10_000


def test_tsne_and_its_extra(recordings, net, tmp_path, capsys, monkeypatch):
    pytest.importorskip("sklearn")
    arguments = ("tsne", net, "--data", recordings, "--windows", 6, "--perplexity", 4, "--out", tmp_path)
    assert analyze(*arguments) == 0
    assert "silhouette of the graphs" in capsys.readouterr().out
    assert (tmp_path / "tsne.png").is_file()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert analyze(*arguments) == 2
    assert "pip install 'kinegraph[analysis]'" in capsys.readouterr().err


def test_mistakes_are_one_line(recordings, net, tmp_path, capsys):
    data, out = ("--data", recordings), ("--out", tmp_path / "x")
    sweep = ("--protocol", "cmu-euler-64", *data, *out)
    only_forecasts = str(write_weights(tmp_path, recordings, "pred", classes=0))
    for arguments, message in (
        ((), "ANALYSIS"),
        (("runs/best",), "invalid choice: 'runs/best'"),
        (("stability", net, *data, "--model.gamma", "3"), "unrecognized arguments: --model.gamma 3"),
        (("stability", "zero-velocity", *data), "zero-velocity"),
        (("stability", "recognize", *data), "recognize holds a recogniser of clips ("),
        (("stability", "lift", *data), "lift holds a lifting model ("),
        (("stability", net, *data, "--sigmas", "0"), "positive numbers"),
        (("stability", net, *data, "--seed", "-1"), "--seed is -1; give a whole number from 0 to 2147483647"),
        (("robustness", net, *data, "--seed", "2147483648"), "--seed is 2147483648; give"),
        (("tsne", net, *data, "--seed", "-1"), "--seed is -1; give"),
        (
            ("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", "3", "--seeds", "-1", *sweep),
            "seed: found -1",
        ),
        (("actional-graph", net, *data, "--action", "walkin"), "did you mean 'walking'"),
        (("actional-graph", net, *data, "--dataset", "cmu"), "no data set 'cmu'"),
        (("poses", net, *data, "--action", "walk"), "did you mean 'walking'"),
        (("poses", net, *data, "--action", "walking", "--window", "8"), "there are 0 to 7"),
        (("poses", net, *data, "--action", "walking", "--every-ms", "5"), "expected 40 to 1000"),
        (("poses", net, net, *data, "--action", "walking"), "called the same"),
        (("robustness", only_forecasts, *data, "--protocol", "cmu-8"), "does not do what cmu-8 measures"),
        (("robustness", net, *data, "--protocol", "cmu-9"), "unknown protocol 'cmu-9'"),
        (("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", *sweep), "the values are missing"),
        (("sweep", "symgnn_cmu_cpu", *sweep), "--vary"),
        (("graphs", "symgnn_cmu_cpu", "--only", "full", *sweep), "did you mean 'full_"),
        (("lambda-act", "symgnn_cpu", *sweep), "did you mean 'symgnn_"),
        (("compare", "--trainer.steps", "5", "recognize_hcsf_hdm", *sweep), "which 'kinegraph train --list' names"),
        (("noisy-labels", "symgnn_cmu_cpu", "--values", "7", *sweep), "from 0 to 1"),
    ):
        assert analyze(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, (arguments, error)
        assert len(error.strip().splitlines()) == 1
