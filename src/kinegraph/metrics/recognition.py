"""Accuracy of recognised actions: top-k, per class, and who is taken for whom."""

from __future__ import annotations

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.aggregate import group_means
from kinegraph.metrics.values import Values, as_classes, as_floats, as_values

__all__ = ["check_scores", "class_accuracy", "confusion_matrix", "top_k"]


def top_k(scores: Values, labels: Values, k: int = 1) -> Tensor:
    """Whether the true class is among the k highest scores. A score equal to the true one counts against it.

    Args:
        scores: ``(N, classes)`` logits or probabilities; NaN counts as wrong.
        labels: ``(N,)`` true classes.
        k: 1 or more; from the number of classes on, every row without NaN is right.

    Returns:
        ``(N,)`` bool.

    Raises:
        DataError: shapes, a label that is no class, or k below 1.
    """
    rows, classes = check_scores(scores, labels)
    if k < 1:
        raise DataError(f"k is {k}; expected 1 or more")
    own = rows.gather(1, classes.unsqueeze(1))
    # "at least as high", the own class counted too: ties never help, and a comparison with NaN is false
    right: Tensor = (rows >= own).sum(dim=1) <= min(k, rows.shape[1])
    return right & ~torch.isnan(rows).any(dim=1)


def class_accuracy(correct: Values, labels: Values, classes: int) -> Tensor:
    """Share of right answers in each class: ``(N,)`` bool and ``(N,)`` -> ``(classes,)`` in 0..1, NaN where empty.

    Raises:
        DataError: vectors of different length, or a label that is no class.
    """
    return group_means(as_values(correct, "correct").to(torch.float64), labels, classes)


def confusion_matrix(predicted: Values, labels: Values, classes: int) -> Tensor:
    """``(classes, classes)`` counts: row the true class, column the predicted one.

    Raises:
        DataError: a class outside 0..classes - 1, or vectors of different length.
    """
    found, true = as_classes(predicted, "predicted"), as_classes(labels, "labels")
    if found.shape != true.shape or true.dim() != 1:
        raise DataError(f"predicted {tuple(found.shape)}, labels {tuple(true.shape)}: need equally long vectors")
    for name, values in (("predicted", found), ("labels", true)):
        if values.numel() and (int(values.min()) < 0 or int(values.max()) >= classes):
            raise DataError(f"{name} holds a class outside 0..{classes - 1}")
    flat = true * classes + found
    return torch.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def check_scores(scores: Values, labels: Values) -> tuple[Tensor, Tensor]:
    """Scores ``(N, classes)`` and their true classes ``(N,)`` as tensors.

    Raises:
        DataError: other shapes, or a label that is no class.
    """
    rows, classes = as_floats(scores, "scores"), as_classes(labels, "labels")
    if rows.dim() != 2 or classes.shape != rows.shape[:1]:
        raise DataError(f"scores {tuple(rows.shape)}, labels {tuple(classes.shape)}: expected (N, classes) and (N,)")
    if classes.numel() and (int(classes.min()) < 0 or int(classes.max()) >= rows.shape[1]):
        raise DataError(f"a label is outside 0..{rows.shape[1] - 1}")
    return rows, classes if isinstance(labels, Tensor) else classes.to(rows.device)
