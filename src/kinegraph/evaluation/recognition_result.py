"""What a recogniser's scores come to: one result for windows and for clips, and the one place that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.metrics import (
    CALIBRATION_BINS,
    class_accuracy,
    confusion_matrix,
    expected_calibration_error,
    negative_log_likelihood,
    top_k,
)

__all__ = ["Counted", "RecognitionResult", "count_scores", "fuse", "fused_label", "scores_together"]

Array = NDArray[np.float64]
Counted = Literal["windows", "clips"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RecognitionResult:
    """One method under one protocol; percent.

    Of several folds every figure is the mean over folds; counts and the confusion matrix are sums.

    Attributes:
        of: what was counted. The headline of clips is over all of them, that of windows the mean over actions.
        top1, top5: the headline.
        pooled_top1, pooled_top5: share of right answers over all windows or clips.
        class_top1, class_top5: unweighted mean over actions.
        per_class, per_class_top5: action -> share of right answers.
        ece: expected calibration error, percent, 15 bins; the probabilities are the softmax of the scores.
        nll: negative log-likelihood, nats.
        classes: names of the rows and columns of `confusion`.
        confusion: row the true class, column the predicted one.
        counts: action -> number of windows or clips.
        missing: actions without any.
        folds: of each fold its number, count, top1 and top5; empty where there is one.
        logits: ``(N, classes)`` of all windows or clips, for fusion and further analysis.
        labels: ``(N,)`` index of the true class.
        names: ``(N,)`` of the clips; empty for windows.
        fold_of: ``(N,)`` the fold in which a row was measured.
    """

    protocol: str
    label: str
    of: Counted
    top1: float
    top5: float
    pooled_top1: float
    pooled_top5: float
    class_top1: float
    class_top5: float
    per_class: dict[str, float]
    per_class_top5: dict[str, float]
    ece: float
    nll: float
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    counts: dict[str, int]
    missing: tuple[str, ...]
    data: dict[str, Any]
    info: dict[str, Any]
    notes: tuple[str, ...]
    logits: Array
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    fold_of: NDArray[np.int64]
    folds: tuple[dict[str, Any], ...] = field(default=())

    @property
    def spread(self) -> float | None:
        """Standard deviation (n - 1) of top-1 over folds; None where there is one."""
        return float(np.std([fold["top1"] for fold in self.folds], ddof=1)) if len(self.folds) > 1 else None

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys: the numbers of the printed table, unrounded."""
        return {
            "protocol": self.protocol,
            "model": self.label,
            "unit": "%",
            "over": self.of,
            "top1": self.top1,
            "top5": self.top5,
            "per_class": self.per_class,
            "per_class_top5": self.per_class_top5,
            "pooled_top1": self.pooled_top1,
            "pooled_top5": self.pooled_top5,
            "mean_class_top1": self.class_top1,
            "mean_class_top5": self.class_top5,
            "ece": self.ece,
            "ece_bins": CALIBRATION_BINS,
            "nll": self.nll,
            "folds": list(self.folds),
            "top1_std_over_folds": self.spread,
            "classes": list(self.classes),
            "confusion": [list(row) for row in self.confusion],
            self.of: self.counts,
            "missing": list(self.missing),
            "data": self.data,
            "info": self.info,
            "notes": list(self.notes),
        }


def count_scores(
    logits: Array,
    labels: NDArray[np.int64],
    classes: Sequence[str],
    *,
    protocol: str,
    label: str,
    of: Counted,
    data: Mapping[str, Any],
    info: Mapping[str, Any] | None = None,
    missing: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    names: Sequence[str] = (),
    fold_of: NDArray[np.int64] | None = None,
) -> RecognitionResult:
    """Count right answers.

    Args:
        logits: ``(N, classes)`` finite.
        labels: ``(N,)`` true classes.
        classes: their names.
        protocol, label, data, info, notes: what the result is of.
        of: windows or clips; decides the headline.
        missing: actions to state as missing; those without a row by default.
        names: of the clips; a clip counts once in a fold.
        fold_of: ``(N,)`` the fold of each row; figures are the mean over folds.

    Raises:
        DataError: shapes, no rows, values that are not finite, or a clip that is counted twice.
    """
    if logits.shape != (len(labels), len(classes)) or not np.isfinite(logits).all():
        raise DataError(f"{label} answered {logits.shape} or values that are not finite")
    if not len(labels):
        raise DataError(f"{label}: no {of} to count")
    folds = np.zeros(len(labels), dtype=np.int64) if fold_of is None else fold_of
    if names and len(set(zip(folds.tolist(), names, strict=True))) != len(labels):
        raise DataError(f"{label}: a clip is counted twice; every clip counts once")
    scores, truth = torch.from_numpy(np.ascontiguousarray(logits)), torch.from_numpy(np.ascontiguousarray(labels))
    numbers = np.unique(folds).tolist()
    parts = [_figures(scores[folds == fold], truth[folds == fold], len(classes)) for fold in numbers]
    counts = np.bincount(labels, minlength=len(classes))
    there = [index for index in range(len(classes)) if counts[index]]
    mean = {key: float(np.mean([part[key] for part in parts])) for key in ("top1", "top5", "ece", "nll")}
    each = {key: np.nanmean([part[key][there] for part in parts], axis=0) for key in ("each1", "each5")}
    class_mean = {key: float(np.mean([np.nanmean(part[key]) for part in parts])) for key in ("each1", "each5")}
    by_class = of == "windows"
    confusion = confusion_matrix(scores.argmax(dim=1), truth, len(classes))
    headline = ("each1", "each5") if by_class else ("top1", "top5")
    return RecognitionResult(
        protocol=protocol,
        label=label,
        of=of,
        top1=class_mean["each1"] if by_class else mean["top1"],
        top5=class_mean["each5"] if by_class else mean["top5"],
        pooled_top1=mean["top1"],
        pooled_top5=mean["top5"],
        class_top1=class_mean["each1"],
        class_top5=class_mean["each5"],
        per_class={classes[index]: float(value) for index, value in zip(there, each["each1"], strict=True)},
        per_class_top5={classes[index]: float(value) for index, value in zip(there, each["each5"], strict=True)},
        ece=mean["ece"],
        nll=mean["nll"],
        classes=tuple(classes),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        counts={classes[index]: int(counts[index]) for index in there},
        missing=tuple(name for index, name in enumerate(classes) if not counts[index])
        if missing is None
        else tuple(missing),
        data=dict(data),
        info=dict(info or {}),
        notes=tuple(notes),
        logits=np.asarray(logits, dtype=np.float64),
        labels=np.asarray(labels, dtype=np.int64),
        names=tuple(names),
        fold_of=folds,
        folds=tuple(
            {
                "fold": fold,
                of: int((folds == fold).sum()),
                "top1": float(np.nanmean(part[headline[0]])),
                "top5": float(np.nanmean(part[headline[1]])),
            }
            for fold, part in zip(numbers, parts, strict=True)
        )
        if len(numbers) > 1
        else (),
    )


def _figures(scores: torch.Tensor, truth: torch.Tensor, classes: int) -> dict[str, Any]:
    """Percent, and nats, of one fold."""
    found: dict[str, Any] = {}
    for k in (1, 5):
        right = top_k(scores, truth, k)
        found[f"top{k}"] = 100.0 * float(right.to(torch.float64).mean())
        found[f"each{k}"] = 100.0 * class_accuracy(right, truth, classes).numpy()
    found["ece"] = 100.0 * expected_calibration_error(scores, truth)
    found["nll"] = negative_log_likelihood(scores, truth)
    return found


def fused_label(weights: Sequence[float], labels: Sequence[str]) -> str:
    """``0.6 x joint + 0.4 x motion``."""
    return " + ".join(f"{weight:g} x {label}" for weight, label in zip(weights, labels, strict=True))


def fuse(
    results: Sequence[RecognitionResult], weights: Sequence[float], *, of: Literal["logits", "softmax"] = "logits"
) -> RecognitionResult:
    """The weighted mean of several networks' scores, measured on the same windows or clips.

    Sym-GNN (5.5) adds joints and bones; the four streams of CTR-GCN and PYSKL are joint, bone, joint motion and bone
    motion with 0.6, 0.6, 0.4 and 0.4. Divided by the sum of the weights, which changes no answer, the scores keep their
    scale: calibration does not depend on whether the weights are 1 and 1 or 0.5 and 0.5.

    Args:
        results: of the networks.
        weights: one for each.
        of: what is averaged: logits, or their softmax (the mean's logarithm then stands for the scores).

    Raises:
        ConfigError: not one finite non-negative weight for each, or none above 0.
        DataError: other protocols, classes, data, windows or clips.
    """
    if len(weights) != len(results) or len(results) < 2:
        raise ConfigError(f"{len(weights)} weights for {len(results)} models; expected one each, of two models or more")
    if not all(np.isfinite(w) and w >= 0 for w in weights) or not any(w > 0 for w in weights):
        raise ConfigError(f"weights {list(weights)}: expected numbers of 0 or more, one of them above 0")
    first = results[0]
    shares = np.array(weights, dtype=np.float64) / sum(weights)
    total: Array = np.tensordot(shares, scores_together(results, of), axes=1)
    if of == "softmax":
        total = np.log(np.maximum(total, 1e-300))
    stated = fused_label(weights, [result.label for result in results])
    conditions = dict.fromkeys(note for result in results for note in result.notes)
    return count_scores(
        total,
        first.labels,
        first.classes,
        protocol=first.protocol,
        label=stated,
        of=first.of,
        data=first.data,
        info={
            "fused": [{"weight": w, "label": r.label, "info": r.info} for w, r in zip(weights, results, strict=True)]
        },
        missing=first.missing,
        notes=(*conditions, f"{of} fused by weighted mean: {stated}"),
        names=first.names,
        fold_of=first.fold_of,
    )


def scores_together(results: Sequence[RecognitionResult], of: Literal["logits", "softmax"] = "logits") -> Array:
    """``(results, N, classes)`` in the order of the first one's windows or clips.

    Raises:
        DataError: other protocols, classes, data, windows or clips.
    """
    first = results[0]
    order = [np.arange(len(first.labels)), *(_rows_as(first, other) for other in results[1:])]
    scores = [result.logits[rows] for result, rows in zip(results, order, strict=True)]
    return np.stack([_softmax(one) for one in scores] if of == "softmax" else scores)


def _rows_as(first: RecognitionResult, other: RecognitionResult) -> NDArray[np.int64]:
    """Rows of `other` in the order of `first`. Raises DataError where the two are not of the same."""
    pair = f"{first.label} and {other.label}"
    for what, one, two in (
        ("protocol", first.protocol, other.protocol),
        ("split", first.data.get("split"), other.data.get("split")),
        ("number of classes", len(first.classes), len(other.classes)),
        ("classes", first.classes, other.classes),
        ("clips or windows", first.of, other.of),
        ("data (fingerprint)", str(first.data.get("fingerprint"))[:12], str(other.data.get("fingerprint"))[:12]),
        ("what is shown of the clips", what_is_shown(first), what_is_shown(other)),
        ("number of rows", len(first.labels), len(other.labels)),
    ):
        if one != two:
            shown = "" if what == "classes" else f" ({one}, {two})"
            raise DataError(f"{pair} differ in {what}{shown}; they do not fuse")
    if first.names:
        place = {key: row for row, key in enumerate(zip(other.fold_of.tolist(), other.names, strict=True))}
        rows = np.array([place.get(key, -1) for key in zip(first.fold_of.tolist(), first.names, strict=True)])
        if (rows < 0).any():
            lost = first.names[int(np.argmax(rows < 0))]
            raise DataError(
                f"{pair} were measured on other clips ('{lost}' is missing in the second); they do not fuse"
            )
    else:
        rows = np.arange(len(first.labels))
    if not np.array_equal(first.labels, other.labels[rows]):
        raise DataError(f"{pair} differ in the labels of the same {first.of}; they do not fuse")
    return rows


def what_is_shown(result: RecognitionResult) -> str:
    """Joints missing and frames seen, in words; further looks and mirrors may differ."""
    view = result.data.get("view") or {}
    missing = f"{view.get('missing_joints', 0.0):g} of the joints missing by {view.get('missing_by', 'clip')}"
    return f"{missing}, {view.get('observed', 1.0):g} of the frames"


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
