"""People as rows of a batch: those who are not there are left out of the work and of the mean.

Most clips of NTU show one person of two. Zeros in the other's place would be in every batch norm's statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["mean_over_people", "present_rows", "put_back"]


def present_rows(present: Tensor) -> Tensor | None:
    """Which rows to work on; ``None`` for all of them.

    One at least, or in data-parallel training the other processes would wait for this one's statistics for ever. Call
    it where looking at data is allowed and cheap: a compiler sees none, and a GPU would wait.

    Args:
        present: (rows,) bool.

    Returns:
        The rows' indices in order, (some,) int64.
    """
    if bool(present.all()):
        return None
    return present.nonzero().squeeze(1) if bool(present.any()) else present.new_zeros(1, dtype=torch.long)


def put_back(found: Tensor, index: Tensor, rows: int) -> Tensor:
    """What was found of some rows (some, ...), as (rows, ...) with zeros for the others."""
    return found.new_zeros((rows, *found.shape[1:])).index_copy(0, index, found)


def mean_over_people(rows: Tensor, clips: Sequence[int], present: Tensor | None) -> Tensor:
    """Mean over each clip's people who are there, (batch * people, ...) -> (batch, ...); zeros where nobody is.

    Args:
        rows: a row a person, all of a clip's together.
        clips: (batch, people).
        present: (batch, people) bool; ``None`` for everybody.
    """
    by_clip = torch.unflatten(rows, 0, tuple(clips))
    if present is None:
        return by_clip.mean(dim=1)
    weights = present.to(rows.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1)
    return (weights.view(*present.shape, *(1,) * (rows.dim() - 1)) * by_clip).sum(dim=1)
