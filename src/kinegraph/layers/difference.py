"""Differences of a motion over time: positions, velocities, accelerations (Sym-GNN section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinegraph.errors import ConfigError

__all__ = ["differences"]


def differences(x: Tensor, orders: Sequence[int]) -> tuple[Tensor, ...]:
    """Differences of the given orders, Eq. 9: D^0 x = x and D^(b+1) x(t) = D^b x(t) - D^b x(t-1).

    The paper pads with zeros "to handle boundary conditions". Here the first ``b`` frames of D^b, which would need
    frames before the first, are zero: a motion seen from some moment on shows no jump at that moment.

    Args:
        x: (batch, frames, ...).
        orders: of the differences, each 0 or more, in any order.

    Returns:
        One tensor of the shape of `x` for each order, in units of x per frame, per frame squared, ...

    Raises:
        ConfigError: a negative order.
    """
    if any(order < 0 for order in orders):
        raise ConfigError(f"difference orders {tuple(orders)}: expected 0 (position), 1 (velocity), 2 (acceleration)")
    found = [x]
    moving = x  # without the padding
    for order in range(1, max(orders, default=0) + 1):
        moving = moving[:, 1:] - moving[:, :-1]
        padding = x.new_zeros((x.shape[0], min(order, x.shape[1]), *x.shape[2:]))
        found.append(torch.cat((padding, moving), dim=1))
    return tuple(found[order] for order in orders)
