"""`analyze` of one network of motion: noise, the theorem, learnt graphs, poses; on an untrained one."""

from __future__ import annotations

import json
import sys

import pytest
from motion_files import write_weights


def test_noise_and_theorem(analyze, cmu_recordings, motion_net, tmp_path, capsys):
    numbers, pictures = tmp_path / "p" / "n.json", tmp_path / "p"
    rest = ("--data", cmu_recordings, "--sigmas", 0.02, 0.1, "--json", numbers, "--out", pictures)
    assert analyze("robustness", motion_net, "zero-velocity", *rest, "--stride", 12) == 0
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
    assert analyze("stability", motion_net, *rest, "--windows", 3) == 0
    assert "amplify factor q" in capsys.readouterr().out
    content = json.loads(numbers.read_text())
    assert content["held"] == 1
    assert content["sigma_unit"] == "rad"
    assert {path.name for path in pictures.iterdir()} == {"n.json", "robustness.png", "stability.png"}


def test_graphs_and_poses(analyze, cmu_recordings, motion_net, tmp_path, capsys):
    numbers = tmp_path / "n.json"
    rest = ("--data", cmu_recordings, "--json", numbers, "--out", tmp_path)
    assert analyze("actional-graph", motion_net, "--action", "walking", "--edges", 4, "--windows", 3, *rest) == 0
    printed = capsys.readouterr().out
    assert "walking: the 4 strongest edges" in printed
    assert "never move in training, of which the network sees nothing: pelvis" in printed
    content = json.loads(numbers.read_text())["actions"]["walking"]
    assert content["windows"] == 3
    edge = content["edges"][0]
    joints = json.loads(numbers.read_text())["joints"]
    assert content["mean"][joints.index(edge["to"])][joints.index(edge["source"])] == edge["weight"]
    assert analyze("poses", motion_net, "zero-velocity", "--action", "running", *rest) == 0
    printed = capsys.readouterr().out
    content = json.loads(numbers.read_text())
    assert content["labels_ms"] == list(range(80, 961, 80))
    assert len(content["error_mm"]["zero-velocity"]) == 12
    assert "truly 33, 67" in printed
    assert {path.name for path in tmp_path.glob("*.png")} == {"actional_graph.png", "poses_running.png"}


def test_the_graph_of_a_bone_network_is_of_bones(analyze, cmu_recordings, tmp_path, capsys):
    net = str(write_weights(tmp_path, cmu_recordings, "bones", stream="bone"))
    numbers = tmp_path / "n.json"
    arguments = ("--action", "walking", "--edges", 6, "--windows", 2, "--data", cmu_recordings, "--json", numbers)
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


def test_tsne_and_its_extra(analyze, cmu_recordings, motion_net, tmp_path, capsys, monkeypatch):
    pytest.importorskip("sklearn")
    arguments = ("tsne", motion_net, "--data", cmu_recordings, "--windows", 6, "--perplexity", 4, "--out", tmp_path)
    assert analyze(*arguments) == 0
    assert "silhouette of the graphs" in capsys.readouterr().out
    assert (tmp_path / "tsne.png").is_file()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert analyze(*arguments) == 2
    assert "pip install 'kinegraph[analysis]'" in capsys.readouterr().err


def test_mistakes_about_networks_are_one_line(analyze, cmu_recordings, motion_net, tmp_path, capsys):
    net, data = motion_net, ("--data", cmu_recordings)
    only_forecasts = str(write_weights(tmp_path, cmu_recordings, "pred", classes=0))
    for arguments, message in (
        (("stability", "zero-velocity", *data), "zero-velocity"),
        (("stability", "recognize", *data), "recognize holds a recogniser of clips ("),
        (("stability", "lift", *data), "lift holds a lifting model ("),
        (("stability", net, *data, "--sigmas", "0"), "positive numbers"),
        (("stability", net, *data, "--seed", "-1"), "--seed is -1; give a whole number from 0 to 2147483647"),
        (("robustness", net, *data, "--seed", "2147483648"), "--seed is 2147483648; give"),
        (("tsne", net, *data, "--seed", "-1"), "--seed is -1; give"),
        (("actional-graph", net, *data, "--action", "walkin"), "did you mean 'walking'"),
        (("actional-graph", net, *data, "--dataset", "cmu"), "no data set 'cmu'"),
        (("poses", net, *data, "--action", "walk"), "did you mean 'walking'"),
        (("poses", net, *data, "--action", "walking", "--window", "8"), "there are 0 to 7"),
        (("poses", net, *data, "--action", "walking", "--every-ms", "5"), "expected 40 to 1000"),
        (("poses", net, net, *data, "--action", "walking"), "called the same"),
        (("robustness", only_forecasts, *data, "--protocol", "cmu-8"), "does not do what cmu-8 measures"),
        (("robustness", net, *data, "--protocol", "cmu-9"), "unknown protocol 'cmu-9'"),
    ):
        assert analyze(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, (arguments, error)
        assert len(error.strip().splitlines()) == 1
