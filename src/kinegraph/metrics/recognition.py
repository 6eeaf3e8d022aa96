"""Accuracy of recognised actions: top-k, per class, and who is taken for whom."""

from __future__ import annotations

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.aggregate import group_means

__all__ = ["check_scores", "class_accuracy", "confusion_matrix", "top_k"]


def top_k(scores: Tensor, labels: Tensor, k: int = 1) -> Tensor:
    """Whether the true class is among the k highest scores. A score equal to the true one counts against it.

    Args:
        scores: ``(N, classes)`` logits or probabilities; NaN counts as wrong.
        labels: ``(N,)`` true classes.
        k: 1 or more; from the number of classes on, every finite row is right.

    Returns:
        ``(N,)`` bool.

    Raises:
        DataError: shapes, a label that is no class, or k below 1.
    """
    check_scores(scores, labels)
    if k < 1:
        raise DataError(f"k is {k}; expected 1 or more")
    own = scores.gather(1, labels.to(torch.int64).unsqueeze(1))
    # "at least as high", the own class counted too: ties never help, and a comparison with NaN is false
    right: Tensor = (scores >= own).sum(dim=1) <= min(k, scores.shape[1])
    return right & torch.isfinite(scores).all(dim=1)


def class_accuracy(correct: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Share of right answers in each class: ``(N,)`` bool and ``(N,)`` -> ``(classes,)`` in 0..1, NaN where empty."""
    return group_means(correct.to(torch.float64), labels, classes)


def confusion_matrix(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """``(classes, classes)`` counts: row the true class, column the predicted one.

    Raises:
        DataError: a class outside 0..classes - 1, or vectors of different length.
    """
    if predicted.shape != labels.shape or labels.dim() != 1:
        raise DataError(f"predicted {tuple(predicted.shape)}, labels {tuple(labels.shape)}: need equally long vectors")
    for name, values in (("predicted", predicted), ("labels", labels)):
        if values.numel() and (int(values.min()) < 0 or int(values.max()) >= classes):
            raise DataError(f"{name} holds a class outside 0..{classes - 1}")
    flat = labels.to(torch.int64) * classes + predicted.to(torch.int64)
    return torch.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def check_scores(scores: Tensor, labels: Tensor) -> None:
    """Refuse anything but ``(N, classes)`` scores and ``(N,)`` true classes. Raises DataError."""
    if scores.dim() != 2 or labels.shape != scores.shape[:1]:
        raise DataError(f"scores {tuple(scores.shape)}, labels {tuple(labels.shape)}: expected (N, classes) and (N,)")
    if labels.numel() and (int(labels.min()) < 0 or int(labels.max()) >= scores.shape[1]):
        raise DataError(f"a label is outside 0..{scores.shape[1] - 1}")
