"""Whether scores can be taken at their word: expected calibration error and negative log-likelihood."""

from __future__ import annotations

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.recognition import check_scores
from kinegraph.metrics.values import Values

__all__ = ["CALIBRATION_BINS", "expected_calibration_error", "negative_log_likelihood", "reliability"]

CALIBRATION_BINS = 15
"""Equal bins of the confidence from 0 to 1, as in Guo et al., On Calibration of Modern Neural Networks, ICML 2017."""


def negative_log_likelihood(logits: Values, labels: Values) -> float:
    """Mean of minus the logarithm of the true class's probability, in nats; the probabilities are softmax(logits).

    Args:
        logits: ``(N, classes)`` finite.
        labels: ``(N,)``.

    Raises:
        DataError: shapes, no rows, a label that is no class, or logits that are not finite.
    """
    rows, classes = _checked(logits, labels)
    own = torch.log_softmax(rows, dim=1).gather(1, classes.unsqueeze(1))
    return -float(own.mean())


def reliability(logits: Values, labels: Values, bins: int = CALIBRATION_BINS) -> tuple[Tensor, Tensor, Tensor]:
    """Confidence against accuracy, bin by bin.

    The confidence of a row is its highest probability; bin b holds those in ``(b / bins, (b + 1) / bins]``.

    Args:
        logits: ``(N, classes)`` finite.
        labels: ``(N,)``.
        bins: how many, of equal width.

    Returns:
        ``(bins,)`` each: number of rows, mean confidence and accuracy (0 where a bin is empty), float64.

    Raises:
        DataError: as :func:`negative_log_likelihood`, or less than one bin.
    """
    rows, classes = _checked(logits, labels)
    if bins < 1:
        raise DataError(f"{bins} bins; expected 1 or more")
    confidence, predicted = torch.softmax(rows, dim=1).max(dim=1)
    place = (torch.ceil(confidence * bins).to(torch.int64) - 1).clamp(0, bins - 1)
    count = torch.bincount(place, minlength=bins).to(torch.float64)
    sums = [
        torch.zeros(bins, dtype=torch.float64, device=place.device).index_add_(0, place, values.to(torch.float64))
        for values in (confidence, predicted == classes)
    ]
    filled = count.clamp(min=1)
    return count, sums[0] / filled, sums[1] / filled


def expected_calibration_error(logits: Values, labels: Values, bins: int = CALIBRATION_BINS) -> float:
    """Mean over rows of the distance between confidence and accuracy of their bin, 0 to 1 (Guo et al., 2017, eq. 3).

    Args:
        logits: ``(N, classes)`` finite.
        labels: ``(N,)``.
        bins: equal bins of the confidence.

    Raises:
        DataError: as :func:`reliability`.
    """
    count, confidence, accuracy = reliability(logits, labels, bins)
    return float((count * (confidence - accuracy).abs()).sum() / count.sum())


def _checked(logits: Values, labels: Values) -> tuple[Tensor, Tensor]:
    """``(N, classes)`` in float64 and ``(N,)``."""
    rows, classes = check_scores(logits, labels)
    if not len(classes):
        raise DataError("no rows; calibration needs at least one")
    if not bool(torch.isfinite(rows).all()):
        raise DataError("logits that are not finite have no calibration")
    return rows.to(torch.float64), classes
