"""The steps of `demo`, those that are no drawing, one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinegraph.cli.demo_steps import FULL, QUICK, Data, make_data, measure, train_network, write_tables
from kinegraph.evaluation.predict import load_lifting_method


@pytest.fixture(scope="module")
def data() -> Data:
    return make_data(QUICK)


def test_the_people_are_held_out_and_every_camera_is_measured(data: Data) -> None:
    train, val, test = (
        {part.subject_names[index] for index in part.subject} for part in (data.train, data.val, data.test)
    )
    assert len(train | val | test) == len(train) + len(val) + len(test)
    chosen = [name for index, name in enumerate(data.film.clip_names) if index % QUICK.every == 0]
    assert [data.test.clip_names[index] for index in dict.fromkeys(data.test.clip)] == chosen
    assert {name.rpartition("/")[2] for name in chosen} == {f"camera{number}" for number in range(4)}


def test_the_tables_hold_the_mean_error_of_each_network(data: Data, tmp_path: Path) -> None:
    results = measure({"still": load_lifting_method("flat", "still")}, data, seed=3)
    table, hard = write_tables(results, tmp_path)
    assert (tmp_path / "table.txt").read_text() == table + "\n"
    assert "seed 3: no statement about the networks on real data" in table
    [row] = json.loads((tmp_path / "table.json").read_text())
    errors = results["still"].errors_mm  # of each pose; the table gives every action the same weight
    means = [errors[data.test.action == action].mean() for action in set(data.test.action)]
    assert row["mpjpe_mm"] == pytest.approx(np.mean(means))
    assert hard.methods == ("still",)
    np.testing.assert_array_equal(hard.errors_mm, errors[None])


def test_a_run_is_taken_up_where_it_depends_on_the_same(data: Data, tmp_path: Path) -> None:
    pytest.importorskip("lightning", reason="the extra 'train' is not installed")
    short = replace(QUICK, steps={"FCN": 2})
    given = ("FCN", QUICK.models["FCN"], data, tmp_path / "runs")
    first, second = (train_network(short, *given, seed=seed) for seed in (0, 1))
    folders = {path.name: (path / "run.json").stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert set(folders) == {"fcn_2_0", "fcn_2_1"}  # the shortest name is of the full demo
    assert FULL.steps["FCN"] != 2
    again = train_network(short, *given, seed=0)
    for name, value in first.model.state_dict().items():
        assert np.array_equal(value, again.model.state_dict()[name])
    assert any(not np.array_equal(v, second.model.state_dict()[k]) for k, v in first.model.state_dict().items())
    assert {path.name for path in (tmp_path / "runs").iterdir()} == set(folders)
