"""The difference operator against its definition, frame by frame."""

from __future__ import annotations

import pytest
import torch

from kinegraph.errors import ConfigError
from kinegraph.layers.difference import differences


def test_each_order_is_the_recursion_of_equation_9() -> None:
    x = torch.randn(2, 7, 3, 2, dtype=torch.float64)
    zero, one, two = differences(x, (0, 1, 2))
    assert torch.equal(zero, x)
    for t in range(7):
        velocity = x[:, t] - x[:, t - 1] if t >= 1 else torch.zeros_like(x[:, 0])
        acceleration = x[:, t] - 2 * x[:, t - 1] + x[:, t - 2] if t >= 2 else torch.zeros_like(x[:, 0])
        torch.testing.assert_close(one[:, t], velocity)
        torch.testing.assert_close(two[:, t], acceleration)


def test_orders_come_as_asked_and_parabolas_have_constant_acceleration() -> None:
    t = torch.arange(6.0).view(1, 6, 1, 1)
    two, one = differences(3 * t**2 + t + 5, (2, 1))
    assert two.flatten().tolist() == [0, 0, 6, 6, 6, 6]
    assert one.flatten().tolist() == [0, 4, 10, 16, 22, 28]


def test_short_motions_are_all_padding() -> None:
    (two,) = differences(torch.ones(1, 1, 2, 3), (2,))
    assert two.shape == (1, 1, 2, 3)
    assert not two.any()


def test_negative_orders_are_refused() -> None:
    with pytest.raises(ConfigError, match="expected 0"):
        differences(torch.zeros(1, 3, 1, 1), (0, -1))
