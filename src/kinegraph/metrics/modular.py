"""torchmetrics shells: they accumulate over batches and devices; :mod:`kinegraph.metrics.pose` does the sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kinegraph.errors import require
from kinegraph.metrics.pose import mpjpe, n_mpjpe, pa_mpjpe

require("torchmetrics", extra="train", purpose="accumulating metrics over batches")

from torchmetrics import Metric  # noqa: E402  (after the check that gives the helpful error)


class _MeanPose(Metric):
    """Mean over poses of a per-pose error, in the unit of its input times ``unit``."""

    is_differentiable = True
    higher_is_better = False
    full_state_update = False
    total: Tensor
    count: Tensor
    error: Callable[[Tensor, Tensor, Tensor | None], Tensor]

    def __init__(self, unit: float = 1000.0, **kwargs: Any) -> None:
        """``unit`` scales the result; 1000 turns metres into millimetres. ``kwargs`` go to torchmetrics."""
        super().__init__(**kwargs)
        self.unit = unit
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Add the poses ``(..., J, D)``; ``weight`` ``(..., J)`` of their joints, as of the function."""
        errors = type(self).error(predicted, target, weight)
        self.total += errors.sum().to(self.total.dtype)
        self.count += errors.numel()

    def compute(self) -> Tensor:
        """Mean over all poses so far; NaN before the first."""
        return self.unit * self.total / self.count


class MPJPE(_MeanPose):
    """Accumulated :func:`kinegraph.metrics.mpjpe`."""

    error = staticmethod(mpjpe)


class PAMPJPE(_MeanPose):
    """Accumulated :func:`kinegraph.metrics.pa_mpjpe`."""

    error = staticmethod(pa_mpjpe)


class NMPJPE(_MeanPose):
    """Accumulated :func:`kinegraph.metrics.n_mpjpe`."""

    error = staticmethod(n_mpjpe)
