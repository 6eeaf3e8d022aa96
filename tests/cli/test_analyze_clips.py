"""`analyze early`, on the synthetic clips."""

from __future__ import annotations

import json

import pytest

from kinegraph.cli import main

PROTOCOL = ("--protocol", "synthetic-recognition")


def test_a_column_for_each_share_that_is_seen(analyze, clip_nets, tmp_path, capsys):
    out = tmp_path / "r.json"
    given = ("--ratios", 1, 0.2, "--json", out, "--out", tmp_path)
    assert analyze("early", *clip_nets.values(), *PROTOCOL, *given) == 0
    printed = capsys.readouterr().out
    contents = json.loads(out.read_text())["results"]
    assert [content["observed"] for content in contents] == [[0.2, 1.0]] * 2
    row = next(line.split() for line in printed.splitlines() if line.startswith("lin_joint"))
    assert row[1:3] == [f"{value:.1f}" for value in contents[0]["top1"]]
    assert (tmp_path / "early.png").is_file()
    assert main(["evaluate", clip_nets["joint"], *PROTOCOL, "--json", str(out)]) == 0
    assert json.loads(out.read_text())["top1"] == pytest.approx(contents[0]["top1"][1])
    for words, message in ((("--ratios", "0.5", "2"), "observed share 2"), (("--split", "tset"), "expected test, val")):
        assert analyze("early", clip_nets["joint"], *PROTOCOL, *words, "--out", tmp_path / "no") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "no").exists()
