"""What is told of a network's origin, of weights that say much, little and nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_networks import loaded

from kinegraph.evaluation.provenance import names_seen, ntu_benchmark, run_label, told_facts, weights_info
from kinegraph.weights import LoadedWeights


def weights(**metadata: Any) -> LoadedWeights:
    return replace(loaded("fcn"), metadata=metadata)


def test_a_run_is_called_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine" / "best").mkdir(parents=True)
    assert run_label(tmp_path / "mine" / "best") == "mine"
    assert run_label(tmp_path / "mine") == "mine"
    monkeypatch.chdir(tmp_path / "mine" / "best")
    assert run_label(Path(".")) == "mine"


def test_info_is_what_the_weights_say_but_for_the_names_of_clips() -> None:
    train = {"name": "d", "clips": 2, "names": "0123"}
    checkpoint = {"chosen_by": "lowest loss", "validation": "d/val"}
    given = weights(seed=4, data={"train": train}, checkpoint=checkpoint, train_seconds=7.5)
    assert weights_info(given) == {
        "model": "fcn",
        "weights": "tiny",
        "parameters": sum(value.numel() for value in given.model.parameters()),
        "seed": 4,
        "checkpoint": checkpoint,
        "trained_on": {"name": "d", "clips": 2},
        "train_seconds": 7.5,
    }
    assert train["names"] == "0123"
    assert told_facts(weights_info(given)) == [
        f"{given.parameters:,} parameters",
        "seed 4",
        "checkpoint: lowest loss on d/val",
    ]
    assert told_facts({}) == []
    assert told_facts({"seed": 0}) == ["seed 0"]
    assert weights_info(weights())["trained_on"] is None


@pytest.mark.parametrize(
    ("data", "seen", "trained"),
    [
        ({"train": {"names": "aa"}, "validation": {"names": "bb"}}, "aabb", "aa"),
        ({"validation": {"names": "bb"}}, "bb", ""),
        ({"train": "of before names were kept"}, "", ""),
        ("anything", "", ""),
        (None, "", ""),
    ],
)
def test_names_that_were_seen(data: Any, seen: str, trained: str) -> None:
    assert names_seen(weights(data=data)) == {"seen": seen, "trained": trained}


@pytest.mark.parametrize(
    ("recipe", "benchmark"),
    [
        ({"data": {"name": "ntu"}}, "xsub"),
        ({"data": {"name": "ntu", "benchmark": None}}, "xsub"),
        ({"data": {"name": "ntu", "benchmark": "xview"}}, "xview"),
        ({"data": {"name": "cmu", "benchmark": "xview"}}, None),
        ({"data": "ntu"}, None),
        (None, None),
    ],
)
def test_the_split_of_ntu(recipe: Any, benchmark: str | None) -> None:
    assert ntu_benchmark(weights(recipe=recipe)) == benchmark
