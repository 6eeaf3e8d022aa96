"""`ensemble`: scores of two streams, fused; and never written over."""

from __future__ import annotations

import json

import pytest

from kinegraph.cli import main

PROTOCOL = ("--protocol", "synthetic-recognition")


def save_scores(net, path, part="test"):
    """Those of a network, of one part of the clips."""
    return main(["evaluate", net, *PROTOCOL, "--split", part, "--save-scores", str(path)])


def test_weights_are_given_or_searched_on_validation_clips(clip_nets, tmp_path, capsys):
    files = {}
    for part in ("test", "val"):
        for stream, net in clip_nets.items():
            files[stream, part] = tmp_path / f"{stream}_{part}.npz"
            assert save_scores(net, files[stream, part], part) == 0
    both = [str(files[stream, "test"]) for stream in ("joint", "bone")]
    out, fused = tmp_path / "e.json", tmp_path / "fused.npz"
    fuse = ["evaluate", *clip_nets.values(), *PROTOCOL, "--fuse", "0.6", "0.4", "--json", str(out)]
    assert main(fuse) == 0
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


def test_an_ensemble_never_overwrites_what_it_reads(clip_nets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    scores = {"joint.npz": ("joint", "test"), "val.npz": ("joint", "val")}
    for name, (stream, part) in scores.items():
        assert save_scores(clip_nets[stream], name, part) == 0
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
