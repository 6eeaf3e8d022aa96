"""From errors per pose to the numbers of a table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinegraph.errors import DataError


def group_means(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean of ``values`` (N,) within each group; (groups,), NaN where a group is empty."""
    if values.shape != group.shape or values.ndim != 1:
        raise DataError(f"values {tuple(values.shape)}, groups {tuple(group.shape)}: need equally long vectors")
    total = torch.zeros(groups, dtype=values.dtype, device=values.device)
    index = group.to(torch.int64)
    total.index_add_(0, index, values)
    count = torch.bincount(index, minlength=groups).to(values.dtype)
    return torch.where(count > 0, total / count, torch.nan)


def action_mean(values: Tensor, action: Tensor, names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """The Human3.6M average: mean over the poses of each action, then the *unweighted* mean over actions.

    Args:
        values: (N,) error of each pose.
        action: (N,) index into ``names``.
        names: action names; those without a pose are left out of both results.

    Returns:
        the average, and ``{action: mean}`` in the order of ``names``.
    """
    means = group_means(values, action, len(names)).tolist()
    table = {name: mean for name, mean in zip(names, means, strict=True) if mean == mean}
    if not table:
        raise DataError("no poses to average over")
    return sum(table.values()) / len(table), table
