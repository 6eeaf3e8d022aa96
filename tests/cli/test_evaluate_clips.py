"""`evaluate` of clips, `ensemble` and `analyze early`, on the synthetic clips and classifiers fitted here."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from clip_methods import linear_weights
from motion_files import write_recordings, write_weights

from kinegraph.cli import main
from kinegraph.datasets import cmu_actions
from kinegraph.datasets.open_clips import synthetic_clips
from kinegraph.evaluation.score_files import load_scores
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import load_weights, save_weights

PROTOCOL = ("--protocol", "synthetic-recognition")


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    found = {stream: linear_weights(place / f"lin_{stream}", stream) for stream in ("joint", "bone")}
    return {name: str(path) for name, path in found.items()}


def untrained(folder, skeleton, actions):
    """A classifier fitted to noise."""
    net = build("linear", get_skeleton(skeleton), {"classes": len(actions), "frames": 8})
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2 * len(actions), 1, 8, net.skeleton.num_joints, 3, generator=generator)
    net.fit(x, torch.arange(2 * len(actions)) % len(actions))
    transform = ClipTransform(frames=8, people=1, actions=tuple(actions))
    save_weights(folder, net, "linear", {}, transform=transform, task="recognition")
    return str(folder)


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def table_row(printed, name):
    return next(line.split() for line in printed.splitlines() if line.startswith(name))


def test_networks_of_one_name_are_written_to_files_of_their_own(tmp_path, capsys):
    """runs/joint/hcsf/best, runs/bone/hcsf/best, ...: every stream of the same recipe is called alike."""
    streams = ("joint", "bone", "joint-motion", "bone-motion")
    places = [linear_weights(tmp_path / stream / "hcsf", stream) for stream in streams]
    assert evaluate(*places, *PROTOCOL, "--save-scores", tmp_path / "s.npz", "--confusion", tmp_path / "c.csv") == 0
    said = [line.split(": ")[1] for line in capsys.readouterr().out.splitlines() if line.startswith("scores: ")]
    assert len(set(said)) == 4
    assert [load_scores(Path(path)).info["stream"] for path in said] == list(streams)
    assert len(list(tmp_path.glob("c_*.csv"))) == 4


def test_one_network(nets, tmp_path, capsys):
    out, scores, table = tmp_path / "r.json", tmp_path / "s.npz", tmp_path / "c.csv"
    assert evaluate(nets["joint"], *PROTOCOL, "--json", out, "--save-scores", scores, "--confusion", table) == 0
    printed = capsys.readouterr().out
    content = json.loads(out.read_text())
    assert {"protocol", "model", "top1", "top5", "per_class", "confusion", "ece", "nll", "mean_class_top1"} <= set(
        content
    )
    # against the network put to the clips one by one
    weights, clips = load_weights(nets["joint"]), synthetic_clips()
    right = []
    for row, parts in enumerate(clips.splits):
        if parts == ("test",):
            x, mask = weights.transform.encode(clips[row].positions, clips.skeleton)
            logits = weights.model(torch.from_numpy(x)[None], torch.from_numpy(mask)[None])
            right.append(int(logits.argmax()) == clips.labels[row])
    assert content["top1"] == pytest.approx(100 * np.mean(right))
    assert sum(content["clips"].values()) == len(right) == 72
    assert table_row(printed, "lin_joint ")[2] == f"{content['top1']:.1f}"
    rows = list(csv.reader(table.open()))
    assert rows[0][1:] == content["classes"]
    assert [[int(n) for n in row[1:]] for row in rows[1:]] == content["confusion"]
    with np.load(scores, allow_pickle=False) as file:
        assert file["logits"].shape == (72, 12)


def test_conditions_are_stated_and_change_the_number(nets, tmp_path, capsys):
    found = {}
    for options in (
        (),
        ("--missing-joints", 0.4),
        ("--missing-joints", 0.4, "--missing-by", "frame"),
        ("--mirror-test",),
    ):
        assert evaluate(nets["joint"], *PROTOCOL, "--json", tmp_path / "r.json", *options) == 0
        found[options] = json.loads((tmp_path / "r.json").read_text())["nll"]
    assert len(set(found.values())) == 4
    printed = capsys.readouterr().out
    assert "note: 7 of 17 joints missing (throughout each clip; seed 0)" in printed
    assert "drawn anew in every frame" in printed
    assert evaluate(nets["joint"], *PROTOCOL, "--views", 3, "--split", "val", "--markdown") == 0
    printed = capsys.readouterr().out
    assert "2 random stretches" in printed
    assert "| lin_joint " in printed
    assert "validation clips, not the test set" in printed


def test_ensemble(nets, tmp_path, capsys):
    files = {}
    for part in ("test", "val"):
        for stream, net in nets.items():
            files[stream, part] = tmp_path / f"{stream}_{part}.npz"
            assert evaluate(net, *PROTOCOL, "--split", part, "--save-scores", files[stream, part]) == 0
    both = [str(files[stream, "test"]) for stream in ("joint", "bone")]
    out, fused = tmp_path / "e.json", tmp_path / "fused.npz"
    assert evaluate(nets["joint"], nets["bone"], *PROTOCOL, "--fuse", 0.6, 0.4, "--json", out) == 0
    at_once = json.loads(out.read_text())
    assert f"joint stream alone (lin_joint): top-1 {at_once['joint']['top1']:.1f}" in capsys.readouterr().out
    assert main(["ensemble", both[1], both[1], "--confusion", str(tmp_path / "fused.png")]) == 0
    assert "none of them is of the joint stream" in capsys.readouterr().out
    assert main(["ensemble", *both, "--weights", "0.6", "0.4", "--json", str(out), "--save-scores", str(fused)]) == 0
    printed = capsys.readouterr().out
    content = json.loads(out.read_text())
    assert content["top1"] == pytest.approx(at_once["top1"])
    assert content["weights"] == [0.6, 0.4]
    joint = at_once["streams"][0]["top1"]
    assert content["joint"]["top1"] == pytest.approx(joint)
    assert f"joint stream alone (lin_joint): top-1 {joint:.1f}" in printed
    assert "0.6 x lin_joint + 0.4 x lin_bone" in printed
    assert fused.is_file()
    held = [str(files[stream, "val"]) for stream in ("joint", "bone")]
    assert main(["ensemble", *both, "--search", *held, "--of", "softmax", "--json", str(out)]) == 0
    content = json.loads(out.read_text())
    assert content["searched_on"]["clips"] == 24
    assert sum(content["weights"]) == pytest.approx(1)
    capsys.readouterr()
    for arguments, message in (
        ((*both, "--search"), "weights are searched on validation clips alone"),
        ((*both, "--search", *held[::-1]), "give the files in the same order"),
        ((*both, "--search", held[0]), "1 files for 2 to fuse"),
        ((*both, "--search", "--weights", "1", "1"), "give one"),
        ((both[0], held[1]), "differ in split (test, val)"),
        ((both[0],), "two or more"),
        ((*both, "--weights", "1"), "1 numbers for 2 files"),
        ((*both, "--weights", "1", "-1"), "0 or more"),
        ((both[0], str(tmp_path / "no.npz")), "cannot be read"),
        ((*both, "--save-scores", "x.csv"), ".npz"),
    ):
        assert main(["ensemble", *arguments]) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, (arguments, error)
        assert len(error.strip().splitlines()) == 1


def test_an_ensemble_never_overwrites_what_it_reads(nets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scores = {"joint.npz": ("joint", "test"), "val.npz": ("joint", "val")}
    for name, (stream, part) in scores.items():
        assert evaluate(nets[stream], *PROTOCOL, "--split", part, "--save-scores", name) == 0
    (tmp_path / "bone.npz").write_bytes((tmp_path / "joint.npz").read_bytes())
    (tmp_path / "link.csv").symlink_to("bone.npz")
    held = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    capsys.readouterr()
    given = ("joint.npz", "bone.npz", "--search", "val.npz", "val.npz")
    for words, message in (
        (("--save-scores", tmp_path / "joint.npz"), "joint.npz is one of SCORES (joint.npz); the input is never"),
        (("--save-scores", "val.npz"), "--save-scores val.npz is one of --search (val.npz)"),
        (("--json", "./bone.npz"), "--json ./bone.npz is one of SCORES (bone.npz)"),
        (("--confusion", "link.csv"), "--confusion link.csv is one of SCORES (bone.npz)"),
        (("--save-scores", "new.npz", "--json", "no/e.json"), "--json no/e.json: the folder no does not exist"),
    ):
        assert main(["ensemble", *given, *map(str, words)]) == 2, words
        error = capsys.readouterr().err
        assert message in error, (words, error)
        assert len(error.strip().splitlines()) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == held


def test_early(nets, tmp_path, capsys):
    out = tmp_path / "r.json"
    arguments = ["analyze", "early", *nets.values(), *PROTOCOL, "--ratios", "1", "0.2", "--json", str(out)]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    contents = json.loads(out.read_text())["results"]
    assert [content["observed"] for content in contents] == [[0.2, 1.0]] * 2
    assert table_row(printed, "lin_joint")[1:3] == [f"{value:.1f}" for value in contents[0]["top1"]]
    assert (tmp_path / "early.png").is_file()
    assert evaluate(nets["joint"], *PROTOCOL, "--json", out) == 0
    assert json.loads(out.read_text())["top1"] == pytest.approx(contents[0]["top1"][1])
    for words, message in ((("--ratios", "0.5", "2"), "observed share 2"), (("--split", "tset"), "expected test, val")):
        assert main(["analyze", "early", nets["joint"], *PROTOCOL, *words, "--out", str(tmp_path / "no")]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "no").exists()


def test_pictures(nets, tmp_path):
    assert evaluate(nets["joint"], *PROTOCOL, "--confusion", tmp_path / "c.png") == 0
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_several_processes_count_every_clip_once(nets, tmp_path):
    """Two processes of torchrun, 72 clips in batches of 5: the numbers of one process, printed and written once."""
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert evaluate(nets["joint"], *PROTOCOL, "--json", one) == 0
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "kinegraph",
    ]
    done = subprocess.run(
        [*command, "evaluate", nets["joint"], *PROTOCOL, "--batch", "5", "--json", str(two)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("lin_joint, class by class") == 1
    first, second = json.loads(one.read_text()), json.loads(two.read_text())
    for key in ("top1", "top5", "per_class", "confusion", "clips", "nll"):
        assert first[key] == pytest.approx(second[key]) if key != "confusion" else first[key] == second[key], key


def test_what_does_not_go_together_is_one_line(nets, tmp_path, capsys):
    recordings = write_recordings(tmp_path / "cmu")
    motion = str(write_weights(tmp_path, recordings))
    lifter = str(tmp_path / "lift")
    save_weights(lifter, build("gcn", get_skeleton("h36m17")), "gcn", {}, transform=LiftingTransform())
    few = untrained(tmp_path / "few", "h36m17", ("a", "b"))
    own, cmu = nets["joint"], ("--protocol", "cmu-8", "--data", recordings)
    for arguments, message in (
        ((motion, *PROTOCOL), "holds a motion network (symgnn); this protocol measures recognition of clips"),
        ((lifter, *PROTOCOL), "holds a lifting model (gcn); this protocol measures recognition of clips"),
        (("nearest", *PROTOCOL), "no weights folder"),
        ((few, *PROTOCOL), "few has 2 classes (a, b), synthetic has 12"),
        ((own, *cmu), "expects skeleton 'h36m17' (17 joints)"),
        ((own, motion, *cmu), "their numbers do not belong in one table"),
        ((own, "--protocol", "synthetic-lifting"), "holds a recogniser of clips (linear)"),
        ((own, "--protocol", "cmu-euler-64", "--data", recordings), "holds a recogniser of clips (linear)"),
        ((own, "--protocol", "ntu60-xsubb"), "did you mean 'ntu60-xsub'"),
        ((own, "--protocol", "ntu60-xsub"), "needs the folder of its clips"),
        ((own, own, *PROTOCOL), "the same recipe, seed 0"),
        ((own, *PROTOCOL, "--fuse", "1", "2"), "2 weights for 1 recipes"),
        ((own, *PROTOCOL, "--views", "0"), "views 0"),
        ((own, *PROTOCOL, "--missing-joints", "1"), "below 1"),
        ((own, *PROTOCOL, "--missing-by", "frame"), "give --missing-joints"),
        ((own, *PROTOCOL, "--save-scores", "s.txt"), "expected a name with .npz"),
        ((own, *PROTOCOL, "--confusion", "c.gif"), ".png or .csv"),
        ((own, *PROTOCOL, "--split", "tset"), "expected test, val, train"),
        ((own, *PROTOCOL, "--batch", "0"), "--batch is 0"),
        ((own, *PROTOCOL, "--target", "pixel"), "--target belongs to lifting"),
        ((motion, *cmu, "--views", "3"), "--views belongs to recognition of clips"),
        (("flat", "--protocol", "synthetic-lifting", "--save-scores", "s.npz"), "--save-scores belongs to"),
    ):
        assert evaluate(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, (arguments, error)
        assert len(error.strip().splitlines()) == 1


def test_cmu_8_says_what_it_counted(tmp_path, capsys):
    recordings = write_recordings(tmp_path / "cmu")
    motion = write_weights(tmp_path, recordings)
    assert evaluate(motion, "--protocol", "cmu-8", "--data", recordings) == 0
    assert "percent of windows" in capsys.readouterr().out
    untrained(tmp_path / "clips", "cmu38", cmu_actions.ACTIONS)
    assert evaluate(tmp_path / "clips", "--protocol", "cmu-8", "--data", recordings) == 0
    assert "percent of 2 clips" in capsys.readouterr().out
