"""Forecasting and recognition metrics against loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kinegraph.errors import DataError
from kinegraph.metrics import class_accuracy, confusion_matrix, euler_error, normalised_pck, top_k, wrap_angle


def test_euler_error_is_the_norm_over_used_angles():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 5, 7)) * 4
    used = rng.random((3, 7)) > 0.4
    got = euler_error(torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(used)).numpy()
    wrapped = euler_error(torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(used), wrapped=True).numpy()
    for n in range(3):
        for t in range(5):
            gaps = [a[n, t, c] - b[n, t, c] for c in range(7) if used[n, c]]
            assert got[n, t] == pytest.approx(math.sqrt(sum(g * g for g in gaps)))
            circle = [math.atan2(math.sin(g), math.cos(g)) for g in gaps]
            assert wrapped[n, t] == pytest.approx(math.sqrt(sum(g * g for g in circle)))
    assert euler_error(torch.zeros(2, 3), torch.ones(2, 3)).tolist() == pytest.approx([3**0.5] * 2)


def test_wrap_angle_keeps_small_angles_and_refuses_wrong_shapes():
    angles = torch.tensor([0.0, 3.0, -3.0, 7.0, 2 * math.pi - 0.1], dtype=torch.float64)
    assert wrap_angle(angles).tolist() == pytest.approx([0.0, 3.0, -3.0, 7.0 - 2 * math.pi, -0.1])
    with pytest.raises(DataError, match="must agree"):
        euler_error(torch.zeros(2, 3), torch.zeros(3, 3))
    for wrong in (torch.ones(4).bool(), torch.ones(3), torch.ones(5, 3).bool(), torch.ones(1, 2, 3).bool()):
        with pytest.raises(DataError, match=r"expected bool \(2, 3\)"):
            euler_error(torch.zeros(2, 4, 3), torch.zeros(2, 4, 3), wrong)


def test_normalised_pck_counts_strictly():
    target = torch.zeros(1, 2, 4, 3)
    predicted = target.clone()
    predicted[0, 0, :, 0] = torch.tensor([0.0, 0.0999, 0.1, 0.2])
    size = torch.tensor([2.0])
    assert normalised_pck(predicted, target, size).tolist() == [[50.0, 100.0]]
    per_frame = torch.tensor([[2.0, 2.0]])
    assert normalised_pck(predicted, target, per_frame, 0.06).tolist() == [[75.0, 100.0]]
    with pytest.raises(DataError, match="positive"):
        normalised_pck(predicted, target, torch.tensor([0.0]))


def test_top_k_against_a_loop():
    rng = np.random.default_rng(3)
    scores, labels = rng.normal(size=(40, 6)), rng.integers(0, 6, size=40)
    for k in (1, 2, 5, 6, 9):
        got = top_k(torch.from_numpy(scores), torch.from_numpy(labels), k).tolist()
        assert got == [labels[i] in np.argsort(-scores[i])[:k] for i in range(40)]


def test_top_k_gives_nothing_away():
    flat = torch.zeros(1, 4)
    assert not top_k(flat, torch.tensor([0]), 3).item()  # a constant answer knows nothing
    assert top_k(flat, torch.tensor([0]), 4).item()
    bad = torch.tensor([[float("nan"), 1.0, 0.0]])
    assert not top_k(bad, torch.tensor([1]), 3).item()
    sure = torch.tensor([[0.7, 0.3, 0.0], [0.2, 0.5, 0.3]])
    assert top_k(sure.log(), torch.tensor([0, 1])).tolist() == [True, True]  # the logarithm of 0 is a score like others
    for scores, labels, k in (
        (flat, torch.tensor([4]), 1),
        (flat, torch.tensor([0, 1]), 1),
        (flat, torch.tensor([0]), 0),
    ):
        with pytest.raises(DataError):
            top_k(scores, labels, k)


def test_classes_and_confusion():
    labels, predicted = torch.tensor([0, 0, 2, 2, 2]), torch.tensor([0, 1, 2, 2, 0])
    accuracy = class_accuracy(predicted == labels, labels, 3)
    assert accuracy[0] == 0.5
    assert torch.isnan(accuracy[1])
    assert accuracy[2] == pytest.approx(2 / 3)
    assert confusion_matrix(predicted, labels, 3).tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 2]]
    with pytest.raises(DataError, match="outside"):
        confusion_matrix(torch.tensor([3]), torch.tensor([0]), 3)
