"""Dropout from random bytes: the same distribution as torch's own."""

from __future__ import annotations

import pytest
import torch

from kinegraph.layers.dropout import Dropout


@pytest.mark.parametrize("p", [0.25, 0.5, 0.125, 0.1])
def test_drops_the_share_it_should_and_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    out = Dropout(p)(torch.ones(400, 8, 125))
    assert out.unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
    tolerance = 5 * (p * (1 - p) / out.numel()) ** 0.5
    assert float((out == 0).float().mean()) == pytest.approx(p, abs=tolerance)


def test_every_place_of_a_random_word_is_dropped_equally_often() -> None:
    torch.manual_seed(1)
    dropped = (Dropout(0.5)(torch.ones(80_000)) == 0).float().view(-1, 8)
    assert dropped.mean(dim=0).tolist() == pytest.approx([0.5] * 8, abs=0.03)
    # Neighbours are independent: the correlation of 80,000 coin flips is below 4 / sqrt(80000).
    centred = dropped.flatten() - 0.5
    assert abs(float((centred[1:] * centred[:-1]).mean()) * 4) < 0.015


def test_gradient_passes_where_the_value_did() -> None:
    x = torch.randn(7, 13, requires_grad=True)
    out = Dropout(0.25)(x)
    out.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.where(out.detach() == 0, 0.0, 1 / 0.75))


def test_seed_decides_the_mask() -> None:
    x = torch.ones(1000)
    torch.manual_seed(5)
    first = Dropout(0.5)(x)
    torch.manual_seed(5)
    again = Dropout(0.5)(x)
    other = Dropout(0.5)(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_eval_and_zero_change_nothing() -> None:
    x = torch.randn(50)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


def test_keeps_bfloat16() -> None:
    assert Dropout(0.25)(torch.ones(100, dtype=torch.bfloat16)).dtype == torch.bfloat16
