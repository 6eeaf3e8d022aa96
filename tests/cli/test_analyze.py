"""`analyze`: what it has, and what is wrong with a command before its analysis is known."""

from __future__ import annotations

import pytest

from kinegraph.cli.analyze import analyses


def test_help_lists_every_analysis_in_one_line(analyze, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert analyze("--help") == 0
    printed = capsys.readouterr().out
    for name, analysis in analyses().items():
        assert any(line.split() == [name, *analysis.help.split()] for line in printed.splitlines()), name
    assert len(analyses()) == 24


@pytest.mark.parametrize("name", list(analyses()))
def test_help_of_each_has_an_example_that_parses(analyze, name, capsys):
    assert analyze(name, "--help") == 0
    printed = capsys.readouterr().out
    assert f"kinegraph analyze {name} " in printed
    assert "--json" in printed
    assert max(map(len, printed.partition("options:")[0].splitlines())) <= 120


def test_json_that_cannot_be_written_is_said_before_anything_is_read(analyze, tmp_path, capsys):
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


def test_what_is_no_analysis_is_one_line(analyze, motion_net, capsys):
    for arguments, message in (
        ((), "ANALYSIS"),
        (("runs/best",), "invalid choice: 'runs/best'"),
        (("stability", motion_net, "--data", "x", "--model.gamma", "3"), "unrecognized arguments: --model.gamma 3"),
    ):
        assert analyze(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert message in error, (arguments, error)
        assert len(error.strip().splitlines()) == 1
