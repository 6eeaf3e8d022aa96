"""From errors per pose to the numbers of a table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinegraph.errors import DataError


def group_means(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """Mean of ``values`` (N,) within each group; (groups,), NaN where a group is empty or holds NaN.

    Raises:
        DataError: vectors of different length, or a group outside 0..groups - 1.
    """
    count = _counts(values, group, groups).to(values.dtype)
    total = torch.zeros(groups, dtype=values.dtype, device=values.device)
    total.index_add_(0, group.to(torch.int64), values)
    return torch.where(count > 0, total / count, torch.nan)


def _counts(values: Tensor, group: Tensor, groups: int) -> Tensor:
    """How many values each group has, (groups,). Raises DataError."""
    if values.shape != group.shape or values.ndim != 1:
        raise DataError(f"values {tuple(values.shape)}, groups {tuple(group.shape)}: need equally long vectors")
    if group.numel() and (int(group.min()) < 0 or int(group.max()) >= groups):
        raise DataError(f"groups {int(group.min())} to {int(group.max())}; expected 0 to {groups - 1}")
    return torch.bincount(group.to(torch.int64), minlength=groups)


def action_mean(values: Tensor, action: Tensor, names: Sequence[str]) -> tuple[float, dict[str, float]]:
    """The Human3.6M average: mean over the poses of each action, then the *unweighted* mean over actions.

    Args:
        values: (N,) error of each pose.
        action: (N,) index into ``names``.
        names: action names; those without a pose are left out of both results.

    Returns:
        the average, and ``{action: mean}`` in the order of ``names``. An error that is NaN makes its action NaN, and
        the average with it.

    Raises:
        DataError: no poses, vectors of different length, or an action that has no name.
    """
    means = group_means(values, action, len(names)).tolist()
    counts = _counts(values, action, len(names)).tolist()
    table = {name: mean for name, mean, count in zip(names, means, counts, strict=True) if count}
    if not table:
        raise DataError("no poses to average over")
    return sum(table.values()) / len(table), table
