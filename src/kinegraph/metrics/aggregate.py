"""From errors per pose to the numbers of a table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.values import Values, as_classes, as_floats


def group_means(values: Values, group: Values, groups: int) -> Tensor:
    """Mean of ``values`` (N,) within each group; (groups,), NaN where a group is empty or holds NaN.

    Raises:
        DataError: vectors of different length, or a group outside 0..groups - 1.
    """
    return _means_and_counts(values, group, groups)[0]


def _means_and_counts(values: Values, group: Values, groups: int) -> tuple[Tensor, Tensor]:
    """Mean of each group, and how many values it has, (groups,) each. Raises DataError."""
    numbers, place = as_floats(values, "values"), as_classes(group, "groups")
    if numbers.shape != place.shape or numbers.ndim != 1:
        raise DataError(f"values {tuple(numbers.shape)}, groups {tuple(place.shape)}: need equally long vectors")
    if place.numel() and (int(place.min()) < 0 or int(place.max()) >= groups):
        raise DataError(f"groups {int(place.min())} to {int(place.max())}; expected 0 to {groups - 1}")
    place = place.to(numbers.device)
    count = torch.bincount(place, minlength=groups)
    total = torch.zeros(groups, dtype=numbers.dtype, device=numbers.device).index_add_(0, place, numbers)
    return torch.where(count > 0, total / count.to(numbers.dtype), torch.nan), count


def action_mean(values: Values, action: Values, names: Sequence[str]) -> tuple[float, dict[str, float]]:
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
    means, counts = _means_and_counts(values, action, len(names))
    table = {name: mean for name, mean, count in zip(names, means.tolist(), counts.tolist(), strict=True) if count}
    if not table:
        raise DataError("no poses to average over")
    return sum(table.values()) / len(table), table
