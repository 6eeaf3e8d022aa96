"""PCK and AUC: known values, the strict threshold, and a loop that counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.errors import DataError
from kinegraph.metrics import AUC_THRESHOLDS_MM, auc, pck


def test_pck_is_strict():
    errors = torch.tensor([149.999, 150.0, 150.001, 0.0])
    assert pck(errors).item() == pytest.approx(50.0)


def test_auc_maximum_is_96_77():
    assert len(AUC_THRESHOLDS_MM) == 31
    assert (AUC_THRESHOLDS_MM[0], AUC_THRESHOLDS_MM[-1]) == (0.0, 150.0)
    best = auc(torch.zeros(5, 14, dtype=torch.float64))
    assert best.tolist() == pytest.approx([100 * 30 / 31] * 5)
    assert round(best[0].item(), 2) == 96.77
    assert auc(torch.full((14,), 150.0)).item() == 0.0


def test_against_counting():
    errors = np.random.default_rng(0).uniform(0, 250, size=(6, 17))
    joints = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    for row, got_pck, got_auc in zip(
        errors,
        pck(torch.tensor(errors), joints=joints),
        auc(torch.tensor(errors), joints=joints),
        strict=True,
    ):
        hits = sum(1 for j in joints if row[j] < 150)
        assert got_pck.item() == pytest.approx(100 * hits / 14)
        curve = [sum(1 for j in joints if row[j] < step) / 14 for step in range(0, 155, 5)]
        assert got_auc.item() == pytest.approx(100 * sum(curve) / 31)


def test_nothing_to_count_is_an_error():
    with pytest.raises(DataError, match="at least one joint"):
        pck(torch.zeros(3, 17), joints=[])
    with pytest.raises(DataError, match="at least one threshold"):
        auc(torch.zeros(3, 17), thresholds_mm=[])
