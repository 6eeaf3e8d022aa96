"""Calibration against NumPy written row by row, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kinegraph.errors import DataError
from kinegraph.metrics import (
    CALIBRATION_BINS,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)


def reference(logits, labels, bins):
    """Error and likelihood, one row after the other."""
    held = [[] for _ in range(bins)]
    likelihood = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        powers = [math.exp(value - max(row)) for value in row]
        shares = [power / sum(powers) for power in powers]
        likelihood -= math.log(shares[label])
        confidence = max(shares)
        for number in range(bins):
            if number / bins < confidence <= (number + 1) / bins:
                held[number].append((confidence, shares.index(confidence) == label))
    error = 0.0
    for rows in held:
        if rows:
            confidence = sum(share for share, _ in rows) / len(rows)
            accuracy = sum(right for _, right in rows) / len(rows)
            error += len(rows) / len(logits) * abs(confidence - accuracy)
    return error, likelihood / len(logits)


@pytest.mark.parametrize("bins", [1, 4, CALIBRATION_BINS])
@pytest.mark.parametrize("scale", [0.1, 1.0, 6.0])
def test_against_numpy(bins, scale):
    rng = np.random.default_rng(bins)
    logits = rng.normal(0, scale, (200, 7))
    labels = rng.integers(0, 7, 200)
    error, likelihood = reference(logits, labels, bins)
    scores, truth = torch.from_numpy(logits), torch.from_numpy(labels)
    assert expected_calibration_error(scores, truth, bins) == pytest.approx(error, abs=1e-12)
    assert negative_log_likelihood(scores, truth) == pytest.approx(likelihood, rel=1e-12)


def test_by_hand():
    # four rows sure at 0.8, three of them right: off by 0.05; one row at 0.6 that is wrong: off by 0.6
    sure, unsure = math.log(4.0), math.log(1.5)
    scores = torch.tensor([[sure, 0.0]] * 4 + [[unsure, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 1])
    assert expected_calibration_error(scores, labels) == pytest.approx((4 * 0.05 + 0.6) / 5)
    assert negative_log_likelihood(scores, labels) == pytest.approx(
        -(3 * math.log(0.8) + math.log(0.2) + math.log(0.4)) / 5
    )
    count, confidence, accuracy = reliability(scores, labels)
    assert count.sum() == 5
    assert confidence[count == 4].item() == pytest.approx(0.8)
    assert accuracy[count == 4].item() == pytest.approx(0.75)


def test_large_scores_do_not_overflow():
    scores = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    labels = torch.tensor([0, 0])
    assert negative_log_likelihood(scores, labels) == pytest.approx(5000.0)
    assert expected_calibration_error(scores, labels) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("scores", "labels", "bins", "message"),
    [
        (torch.zeros(2, 3), torch.zeros(3, dtype=torch.long), 15, "expected"),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), 15, "no rows"),
        (torch.full((1, 3), float("inf")), torch.zeros(1, dtype=torch.long), 15, "finite"),
        (torch.zeros(1, 3), torch.full((1,), 3), 15, "outside"),
        (torch.zeros(1, 3), torch.zeros(1, dtype=torch.long), 0, "1 or more"),
    ],
)
def test_what_is_refused(scores, labels, bins, message):
    with pytest.raises(DataError, match=message):
        expected_calibration_error(scores, labels, bins)
