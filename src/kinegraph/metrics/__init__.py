"""Metrics: pure functions on tensors, and torchmetrics shells for training loops (loaded on first use)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kinegraph.metrics.aggregate import action_mean, group_means
from kinegraph.metrics.calibration import (
    CALIBRATION_BINS,
    expected_calibration_error,
    negative_log_likelihood,
    reliability,
)
from kinegraph.metrics.forecasting import euler_error, normalised_pck, wrap_angle
from kinegraph.metrics.pose import (
    joint_errors,
    mpjpe,
    n_mpjpe,
    pa_mpjpe,
    root_relative,
    similarity_align,
    velocity_error,
)
from kinegraph.metrics.recognition import class_accuracy, confusion_matrix, top_k
from kinegraph.metrics.threshold import AUC_THRESHOLDS_MM, PCK_THRESHOLD_MM, auc, pck

if TYPE_CHECKING:
    from kinegraph.metrics.modular import MPJPE, NMPJPE, PAMPJPE

__all__ = [
    "AUC_THRESHOLDS_MM",
    "CALIBRATION_BINS",
    "MPJPE",
    "NMPJPE",
    "PAMPJPE",
    "PCK_THRESHOLD_MM",
    "action_mean",
    "auc",
    "class_accuracy",
    "confusion_matrix",
    "euler_error",
    "expected_calibration_error",
    "group_means",
    "joint_errors",
    "mpjpe",
    "n_mpjpe",
    "negative_log_likelihood",
    "normalised_pck",
    "pa_mpjpe",
    "pck",
    "reliability",
    "root_relative",
    "similarity_align",
    "top_k",
    "velocity_error",
    "wrap_angle",
]


def __getattr__(name: str) -> Any:
    if name not in ("MPJPE", "NMPJPE", "PAMPJPE"):
        raise AttributeError(f"module 'kinegraph.metrics' has no attribute {name!r}")
    return getattr(import_module("kinegraph.metrics.modular"), name)
