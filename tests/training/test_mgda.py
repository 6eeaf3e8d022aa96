"""The closed form of two-task MGDA against torchjd and against a numerical minimum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar

from kinegraph.training.mgda import two_task_lambda


def pairs() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Gradients at all angles and ratios of length, and the degenerate ones."""
    torch.manual_seed(0)
    found = [(torch.randn(20), scale * torch.randn(20)) for scale in (0.01, 0.5, 1.0, 3.0, 100.0) for _ in range(6)]
    a = torch.randn(20)
    found += [(a, -a), (a, -0.3 * a), (a, 2.5 * a), (a, 0.2 * a), (a, torch.zeros(20)), (torch.zeros(20), a)]
    return found


@pytest.mark.parametrize("case", range(len(pairs())))
def test_is_the_numerical_minimum(case: int) -> None:
    a, b = (x.double().numpy() for x in pairs()[case])
    best = minimize_scalar(
        lambda weight: float(np.sum((weight * a + (1 - weight) * b) ** 2)), bounds=(0, 1), options={"xatol": 1e-10}
    )
    found = float(two_task_lambda(*map(torch.from_numpy, (a, b))))
    # Where the parabola is flat the place is uncertain; its value is not.
    assert np.sum((found * a + (1 - found) * b) ** 2) <= best.fun + 1e-9
    assert 0 <= found <= 1


@pytest.mark.parametrize("case", range(len(pairs())))
def test_agrees_with_torchjd(case: int) -> None:
    aggregation = pytest.importorskip("torchjd.aggregation")
    a, b = (x.double() for x in pairs()[case])
    theirs = aggregation.MGDA(epsilon=1e-12, max_iters=10_000)(torch.stack([a, b]))
    weight = two_task_lambda(a, b)
    torch.testing.assert_close(weight * a + (1 - weight) * b, theirs, atol=1e-6, rtol=1e-6)


def test_orthogonal_gradients_lean_to_the_shorter() -> None:
    a, b = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 1.0])
    assert float(two_task_lambda(a, b)) == pytest.approx(1 / 5)  # |b|^2 / (|a|^2 + |b|^2)


def test_equal_gradients_share_alike_and_shapes_do_not_matter() -> None:
    a = torch.randn(3, 4)
    assert float(two_task_lambda(a, a.clone())) == 0.5
    assert float(two_task_lambda(torch.zeros(3), torch.zeros(3))) == 0.5
    b = torch.randn(3, 4)
    assert float(two_task_lambda(a, b)) == pytest.approx(float(two_task_lambda(a.flatten(), b.flatten())))


def test_half_precision_gradients_do_not_overflow() -> None:
    a, b = torch.full((1000,), 300.0, dtype=torch.float16), torch.full((1000,), -100.0, dtype=torch.float16)
    assert float(two_task_lambda(a, b)) == pytest.approx(0.25)
