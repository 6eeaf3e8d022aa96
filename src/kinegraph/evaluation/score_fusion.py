"""Weights for fused scores, searched on validation clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError
from kinegraph.evaluation.recognition_result import RecognitionResult, scores_together

__all__ = ["STEP", "search_weights"]

STEP = 0.1
"""The weights of the search are multiples of this and add up to 1."""
_MOST = 6  # files; 10 steps among 6 are 3,003 combinations


def search_weights(
    results: Sequence[RecognitionResult], *, of: Literal["logits", "softmax"] = "logits"
) -> tuple[float, ...]:
    """The weights under which most clips are recognised; of equally good ones, those nearest to equal weights.

    Raises:
        ConfigError: scores of anything but validation clips (a weight chosen on test clips makes their number
            meaningless), fewer than two files or more than six.
        DataError: files that do not fuse.
    """
    for result in results:
        part = result.data.get("split")
        if part != "val":
            raise ConfigError(
                f"{result.label}: scores of the {part} clips; weights are searched on validation clips alone: save "
                "their scores with kinegraph evaluate --split val --save-scores"
            )
    if not 2 <= len(results) <= _MOST:
        raise ConfigError(f"{len(results)} files; a search is among 2 to {_MOST}")
    scores = scores_together(results, of)
    labels = results[0].labels
    best, chosen = (-1.0, -np.inf), (0,) * len(results)
    steps = round(1 / STEP)
    for weights in _sums(steps, len(results)):
        total: NDArray[np.float64] = np.tensordot(np.array(weights, dtype=np.float64), scores, axes=1)
        right = float((total.argmax(axis=1) == labels).mean())
        rank = (right, -float(np.var(weights)))
        if rank > best:
            best, chosen = rank, weights
    return tuple(round(weight * STEP, 10) for weight in chosen)


def _sums(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write `total` as a sum of so many numbers of 0 or more, in order."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _sums(total - first, parts - 1):
            yield (first, *rest)
