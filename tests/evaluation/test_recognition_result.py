"""The one place that counts, against loops over rows: folds, classes, the five best, calibration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.evaluation.recognition_result import Counted, RecognitionResult, count_scores

CLASSES = ("a", "b", "c", "d", "e", "f", "g", "never")
ROWS = 60


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, true classes and folds; the last fold has none of class "a", nobody has any of "never"."""
    rng = np.random.default_rng(0)
    labels, folds = rng.integers(0, 7, ROWS), rng.integers(0, 3, ROWS)
    labels[(folds == 2) & (labels == 0)] = 1
    scores = rng.normal(size=(ROWS, len(CLASSES)))
    scores[np.arange(ROWS), labels] += 1.0
    return scores, labels, folds


def counted(rows: tuple[np.ndarray, ...], of: Counted, folds: bool = True, **options: Any) -> RecognitionResult:
    scores, labels, fold_of = rows
    given = {"protocol": "p", "label": "net", "of": of, "data": {}, "fold_of": fold_of if folds else None, **options}
    return count_scores(scores, labels, CLASSES, **given)


def right(scores: np.ndarray, label: int, k: int) -> bool:
    """Fewer than k classes have a higher score than the true one."""
    return sum(score > scores[label] for score in scores) < k


def share(answers: list[bool]) -> float:
    return 100 * sum(answers) / len(answers)


def probabilities(scores: np.ndarray) -> list[float]:
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def ece(scores: np.ndarray, labels: np.ndarray) -> float:
    """Guo et al. (2017), eq. 3, with 15 bins; percent."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for row, label in zip(scores, labels, strict=True):
        found = probabilities(row)
        sure = max(found)
        bins[min(14, math.ceil(sure * 15) - 1)].append((sure, found.index(sure) == label))
    total = 0.0
    for one in bins:
        if one:
            gap = sum(sure for sure, _ in one) / len(one) - sum(good for _, good in one) / len(one)
            total += len(one) * abs(gap)
    return 100 * total / len(labels)


@pytest.mark.parametrize("folds", [True, False])
@pytest.mark.parametrize("of", ["windows", "clips"])
def test_every_figure_is_that_of_a_loop(rows: tuple[np.ndarray, ...], of: Counted, folds: bool) -> None:
    scores, labels, fold_of = rows
    result = counted(rows, of, folds)
    parts = [np.flatnonzero(fold_of == fold) for fold in range(3)] if folds else [np.arange(ROWS)]
    for k, pooled, of_class, per_class, headline in (
        (1, result.pooled_top1, result.class_top1, result.per_class, result.top1),
        (5, result.pooled_top5, result.class_top5, result.per_class_top5, result.top5),
    ):
        whole = [share([right(scores[row], labels[row], k) for row in part]) for part in parts]
        each = [
            {
                name: share([right(scores[row], labels[row], k) for row in part if labels[row] == index])
                for index, name in enumerate(CLASSES)
                if index in labels[part]
            }
            for part in parts
        ]
        assert pooled == pytest.approx(np.mean(whole))
        assert of_class == pytest.approx(np.mean([np.mean(list(one.values())) for one in each]))
        assert headline == (of_class if of == "windows" else pooled)
        assert list(per_class) == list(CLASSES[:-1])
        for name, value in per_class.items():
            assert value == pytest.approx(np.mean([one[name] for one in each if name in one])), name
        if folds:
            said = [np.mean(list(one.values())) for one in each] if of == "windows" else whole
            assert [fold[f"top{k}"] for fold in result.folds] == pytest.approx(said)
    assert result.ece == pytest.approx(np.mean([ece(scores[part], labels[part]) for part in parts]))
    surprise = [[-math.log(probabilities(scores[row])[labels[row]]) for row in part] for part in parts]
    assert result.nll == pytest.approx(np.mean([np.mean(one) for one in surprise]))
    confusion = np.zeros((len(CLASSES), len(CLASSES)), dtype=int)
    for row, label in zip(scores, labels, strict=True):
        confusion[label, max(range(len(CLASSES)), key=lambda index, row=row: row[index])] += 1
    assert [list(line) for line in result.confusion] == confusion.tolist()
    assert result.counts == {name: int((labels == index).sum()) for index, name in enumerate(CLASSES[:-1])}
    assert result.missing == ("never",)
    assert [(fold["fold"], fold[of]) for fold in result.folds] == (
        [(fold, len(part)) for fold, part in enumerate(parts)] if folds else []
    )
    if folds:
        mean = sum(fold["top1"] for fold in result.folds) / 3
        squares = sum((fold["top1"] - mean) ** 2 for fold in result.folds)
        assert result.spread == pytest.approx(math.sqrt(squares / 2))
    else:
        assert result.spread is None


def test_what_cannot_be_counted_is_refused(rows: tuple[np.ndarray, ...]) -> None:
    scores, labels, folds = rows
    names = [f"clip{index}" for index in range(ROWS)]
    assert counted(rows, "clips", names=names).names == tuple(names)
    for wrong, options, message in (
        ((scores[:, :3], labels, folds), {}, r"net answered \(60, 3\)"),
        ((np.full_like(scores, np.inf), labels, folds), {}, "not finite"),
        ((scores[:0], labels[:0], folds[:0]), {}, "net: no clips to count"),
        ((scores, labels, np.zeros_like(folds)), {"names": [names[0], *names[:-1]]}, "counted twice"),
    ):
        with pytest.raises(DataError, match=message):
            counted(wrong, "clips", **options)
    again = ["same"] * ROWS  # in another fold a clip counts anew
    assert counted((scores, labels, np.arange(ROWS)), "clips", names=again).counts
