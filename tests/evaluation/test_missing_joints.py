"""Errors as joints go missing: a method whose error is known, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kinegraph.datasets import synthetic
from kinegraph.errors import ConfigError
from kinegraph.evaluation.lifting import evaluate_lifting
from kinegraph.evaluation.missing_joints import missing_curve, missing_report
from kinegraph.evaluation.predict import load_lifting_method


@pytest.fixture(scope="module")
def data() -> Any:
    return synthetic.load("test").subset(np.arange(0, 400))


def test_each_share_loses_that_many_joints_and_the_error_is_what_evaluate_says(data: Any) -> None:
    method = load_lifting_method("flat")
    curve = missing_curve([method], data, "synthetic-lifting", shares=(0.0, 0.5), flip_test=False)[0]
    plain = evaluate_lifting(method, data, "synthetic-lifting", flip_test=False)
    assert curve.results[0].mpjpe_mm == plain.mpjpe_mm
    assert curve.results[1].mpjpe_mm > plain.mpjpe_mm + 10
    assert curve.shares == (0.0, 0.5)
    assert "drop 0.5" in curve.results[1].data["name"]
    jitter = missing_curve([method], data, "synthetic-lifting", shares=(0.0,), sigma_px=20.0, flip_test=False)[0]
    assert jitter.results[0].mpjpe_mm > plain.mpjpe_mm
    assert (curve.results[0].input, jitter.results[0].input) == ("exact", "noisy")


def test_the_table_has_a_column_for_each_share(data: Any) -> None:
    curve = missing_curve([load_lifting_method("flat")], data, "synthetic-lifting", shares=(0.0, 0.25), flip_test=False)
    table = missing_report(curve, markdown=True).splitlines()
    assert table[0].split(" | ")[-2:] == ["0 %", "25 % |"]
    assert table[2].count("|") == 4


@pytest.mark.parametrize("shares", [(), (1.0,), (-0.1,), (float("nan"),)])
def test_shares_must_be_probabilities(data: Any, shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="shares"):
        missing_curve([load_lifting_method("flat")], data, "synthetic-lifting", shares=shares)


def test_targets_are_not_mixed(data: Any) -> None:
    flat = load_lifting_method("flat")
    metric = replace(flat, transform=replace(flat.transform, target="metric"))
    with pytest.raises(ConfigError, match="analyse them apart"):
        missing_curve([flat, metric], data, "synthetic-lifting", shares=(0.0,))
