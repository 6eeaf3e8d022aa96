"""`train --list` for people and for programs, and `train --fields`."""

from __future__ import annotations

import sys
from itertools import groupby

import pytest

from kinegraph.cli import main
from kinegraph.cli.train_listing import field_lines, recipe_lines
from kinegraph.training.recipe import TASKS, load_recipe, recipe_names


def test_in_a_pipe_a_recipe_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--list"]) == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert sorted(row[0] for row in rows) == list(recipe_names())
    assert all(load_recipe(row[0]).task == row[1] for row in rows)
    assert [task for task, _ in groupby(rows, lambda row: row[1])] == list(TASKS)
    texts = {row[0]: row[2] for row in rows}
    assert texts["lift_fcn_mocap_metric"] == "FCN (Martinez et al. 2017)."
    assert texts["recognize_nearest_hdm05"] == "The nearest neighbour by dynamic time warping: the floor."
    assert texts["symgnn_shipped"].endswith("the network behind 'kinegraph forecast'.")
    assert texts["recognize_stgcnpp_hdm05"] == (
        "ST-GCN++ (PYSKL, Duan et al. 2022), an eighth of its width, for a CPU."
    )


@pytest.mark.parametrize("width", [78, 118])
def test_a_terminal_has_the_tasks_apart_and_the_sentences_in_a_column(width: int) -> None:
    lines = recipe_lines(width)
    assert max(map(len, lines)) <= width
    assert [line for line in lines if line and not line.startswith(" ")] == [f"task: {task}" for task in TASKS]
    names = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert names == [row.split()[0] for row in recipe_lines(None)]
    motion = lines[lines.index("task: motion") + 1 : lines.index("task: recognition") - 1]
    column = len("  symgnn_cmu_mpjpe_cpu  ")
    assert {line[column - 1] for line in motion} == {" "}
    assert " " not in {line[column] for line in motion}
    whole = " ".join(" ".join(lines).split())
    assert all(" ".join(row.split(maxsplit=2)[::2]) in whole for row in recipe_lines(None))


def test_the_list_follows_the_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["train", "--list"]) == 0
    assert capsys.readouterr().out.splitlines() == recipe_lines(88)


def test_fields_fit_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["train", "--fields"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines() == field_lines(78)
    assert max(map(len, printed.splitlines())) <= 80
    assert "`" not in printed
    assert [line for line in printed.splitlines() if line.startswith("task:")] == [f"task: {task}" for task in TASKS]
