"""`analyze sweep` and its presets, end to end with trainings of two steps."""

from __future__ import annotations

import json

from motion_files import TINY_RUN


def test_a_list_needs_no_more_than_it_uses_and_refuses_what_cannot_be(analyze, tmp_path, capsys, monkeypatch):
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


def test_a_sweep_trains_measures_and_draws(analyze, cmu_recordings, tmp_path, capsys):
    out, numbers = tmp_path / "sweep", tmp_path / "n.json"
    arguments = ("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", 1, 2, "--protocol", "cmu-euler-64")
    rest = ("--data", cmu_recordings, "--out", out, "--json", numbers, "--quiet", *TINY_RUN)
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


def test_early_recognition_is_a_sweep(analyze, cmu_recordings, tmp_path, capsys):
    numbers = tmp_path / "n.json"
    arguments = ("early-recognition", "symgnn_cmu_cpu", "--ratios", 0.2, "--strategies", "10", "none")
    rest = ("--protocol", "cmu-8", "--data", cmu_recordings, "--out", tmp_path / "early", "--json", numbers, "--quiet")
    assert analyze(*arguments, *rest, *TINY_RUN) == 0
    printed = capsys.readouterr().out
    assert "pred 10 frames, 20 %" in printed
    assert "sees the first 10 of 50 frames" in printed
    content = json.loads(numbers.read_text())
    assert [list(v["mean"]) for v in content["variants"]] == [["top-1", "top-5"]] * 2
    assert "NTU-RGB+D" in content["published"]["text"]
    assert (tmp_path / "early" / "early-recognition.png").is_file()


def test_mistakes_of_sweeps_are_one_line(analyze, cmu_recordings, tmp_path, capsys):
    sweep = ("--protocol", "cmu-euler-64", "--data", cmu_recordings, "--out", tmp_path / "x")
    for arguments, message in (
        (("sweep", "symgnn_cmu_cpu", "--vary", "model.gamma", "3", "--seeds", "-1", *sweep), "seed: found -1"),
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
