"""Threshold metrics of MPI-INF-3DHP: PCK and the area under its curve (Mehta et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.values import Values, as_floats

PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = tuple(float(step) for step in range(0, 151, 5))
"""0, 5, ..., 150 mm: 31 thresholds. Nothing is strictly below 0, so a perfect answer has AUC 30/31."""


def pck(errors_mm: Values, threshold_mm: float = PCK_THRESHOLD_MM, joints: Sequence[int] | None = None) -> Tensor:
    """Percentage of correct keypoints of each pose: joints whose error is *strictly* below ``threshold_mm``, not NaN.

    Args:
        errors_mm: ``(..., J)`` root-relative joint errors, mm.
        threshold_mm: mm.
        joints: indices that count; None counts all. MPI-INF-3DHP's 14 leave out pelvis, spine and head top.

    Returns:
        ``(...)`` in 0..100.

    Raises:
        DataError: no joints, or one of ``joints`` that there is not.
    """
    errors = as_floats(errors_mm, "errors_mm")
    count = errors.shape[-1] if errors.dim() else 0
    if count == 0 or (joints is not None and len(joints) == 0):
        raise DataError("PCK needs at least one joint")
    if joints is not None:
        absent = [int(joint) for joint in joints if not -count <= joint < count]
        if absent:
            raise DataError(f"joints: found {absent[0]}; the errors have {count} joints, 0 to {count - 1}")
        errors = errors[..., list(joints)]
    return 100.0 * (errors < threshold_mm).to(errors.dtype).mean(dim=-1)


def auc(
    errors_mm: Values,
    thresholds_mm: Sequence[float] = AUC_THRESHOLDS_MM,
    joints: Sequence[int] | None = None,
) -> Tensor:
    """Mean :func:`pck` over ``thresholds_mm``. ``(..., J)`` mm -> ``(...)``; the largest is 96.77.

    Raises:
        DataError: as of :func:`pck`, or no thresholds.
    """
    if not len(thresholds_mm):
        raise DataError("AUC needs at least one threshold")
    errors = as_floats(errors_mm, "errors_mm")
    return torch.stack([pck(errors, threshold, joints) for threshold in thresholds_mm]).mean(dim=0)
