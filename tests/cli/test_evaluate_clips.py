"""`evaluate` of clips, on the synthetic clips and classifiers fitted here."""

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


def test_one_network(clip_nets, tmp_path, capsys):
    out, scores, table = tmp_path / "r.json", tmp_path / "s.npz", tmp_path / "c.csv"
    assert evaluate(clip_nets["joint"], *PROTOCOL, "--json", out, "--save-scores", scores, "--confusion", table) == 0
    printed = capsys.readouterr().out
    content = json.loads(out.read_text())
    assert {"protocol", "model", "top1", "top5", "per_class", "confusion", "ece", "nll", "mean_class_top1"} <= set(
        content
    )
    # against the network put to the clips one by one
    weights, clips = load_weights(clip_nets["joint"]), synthetic_clips()
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


def test_conditions_are_stated_and_change_the_number(clip_nets, tmp_path, capsys):
    found = {}
    for options in (
        (),
        ("--missing-joints", 0.4),
        ("--missing-joints", 0.4, "--missing-by", "frame"),
        ("--mirror-test",),
    ):
        assert evaluate(clip_nets["joint"], *PROTOCOL, "--json", tmp_path / "r.json", *options) == 0
        found[options] = json.loads((tmp_path / "r.json").read_text())["nll"]
    assert len(set(found.values())) == 4
    printed = capsys.readouterr().out
    assert "note: 7 of 17 joints missing (throughout each clip; seed 0)" in printed
    assert "drawn anew in every frame" in printed
    assert evaluate(clip_nets["joint"], *PROTOCOL, "--views", 3, "--split", "val", "--markdown") == 0
    printed = capsys.readouterr().out
    assert "2 random stretches" in printed
    assert "| lin_joint " in printed
    assert "validation clips, not the test set" in printed


def test_pictures(clip_nets, tmp_path):
    assert evaluate(clip_nets["joint"], *PROTOCOL, "--confusion", tmp_path / "c.png") == 0
    assert (tmp_path / "c.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
def test_several_processes_count_every_clip_once(clip_nets, tmp_path):
    """Two processes of torchrun, 72 clips in batches of 5: the numbers of one process, printed and written once."""
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert evaluate(clip_nets["joint"], *PROTOCOL, "--json", one) == 0
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
        [*command, "evaluate", clip_nets["joint"], *PROTOCOL, "--batch", "5", "--json", str(two)],
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


def test_what_does_not_go_together_is_one_line(clip_nets, tmp_path, capsys):
    recordings = write_recordings(tmp_path / "cmu")
    motion = str(write_weights(tmp_path, recordings))
    lifter = str(tmp_path / "lift")
    save_weights(lifter, build("gcn", get_skeleton("h36m17")), "gcn", {}, transform=LiftingTransform())
    few = untrained(tmp_path / "few", "h36m17", ("a", "b"))
    own, cmu = clip_nets["joint"], ("--protocol", "cmu-8", "--data", recordings)
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
