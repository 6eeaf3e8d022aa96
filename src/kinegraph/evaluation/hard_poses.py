"""Hard poses (HCSF 4.1.2, Fig. 6, 7, supplement Fig. 1): where methods fail, and whether they fail together.

Given each method's error on every pose of one test set: the share of poses above thresholds, the histogram, the
mean error of the hardest 5 %, and, for each method, its *own* hardest 50, 35, 20, 10 and 5 % with every other
method's error on those same poses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.evaluation.lifting import LiftingResult
from kinegraph.evaluation.tables import text_table

Array = NDArray[np.float64]

THRESHOLDS_MM = (40.0, 60.0)
SHARES = (50.0, 35.0, 20.0, 10.0, 5.0)
HISTOGRAM_MM = tuple(float(edge) for edge in range(0, 205, 5))
"""Bin edges; the last bin is open, so that no pose is left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HardPoses:
    """The analysis of a set of methods on the same N poses.

    Attributes:
        methods: labels, M of them.
        errors_mm: (M, N).
        thresholds_mm: T thresholds.
        above: (M, T) percent of poses with an error above each threshold.
        shares: S shares in percent.
        cross_mm: (S, M, M): ``[s, i, j]`` is the mean error of method j on the hardest ``shares[s]`` % of method i.
        hardest_5_mm: (M,) mean error of each method's own hardest 5 %.
        histogram: (M, B) percent of poses in each bin of :data:`HISTOGRAM_MM`; the last bin is open.
        overlap: (M, M) percent of method i's hardest 5 % that are among method j's hardest 5 %.
    """

    methods: tuple[str, ...]
    errors_mm: Array
    thresholds_mm: tuple[float, ...]
    above: Array
    shares: tuple[float, ...]
    cross_mm: Array
    hardest_5_mm: Array
    histogram: Array
    overlap: Array

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        return {
            "poses": int(self.errors_mm.shape[1]),
            "methods": list(self.methods),
            "mean_mm": dict(zip(self.methods, self.errors_mm.mean(axis=1).tolist(), strict=True)),
            "hardest_5_percent_mm": dict(zip(self.methods, self.hardest_5_mm.tolist(), strict=True)),
            "percent_above": {
                f"{threshold:g}mm": dict(zip(self.methods, self.above[:, index].tolist(), strict=True))
                for index, threshold in enumerate(self.thresholds_mm)
            },
            "histogram": {
                "edges_mm": list(HISTOGRAM_MM),
                "percent": dict(zip(self.methods, self.histogram.tolist(), strict=True)),
            },
            "cross_mm": {
                f"{share:g}": {
                    own: dict(zip(self.methods, self.cross_mm[s, i].tolist(), strict=True))
                    for i, own in enumerate(self.methods)
                }
                for s, share in enumerate(self.shares)
            },
            "hardest_5_percent_overlap": {
                own: dict(zip(self.methods, self.overlap[i].tolist(), strict=True))
                for i, own in enumerate(self.methods)
            },
        }


def hardest(errors_mm: Array, percent: float) -> NDArray[np.int64]:
    """Indices (n,) of the hardest ``percent`` of poses (at least one) by errors (N,), worst first; ties by position.

    Raises:
        DataError: a percentage that is not above 0, up to 100.
    """
    if not 0 < percent <= 100:
        raise DataError(f"a share of {percent} %; expected above 0, up to 100")
    count = max(1, int(np.floor(len(errors_mm) * percent / 100 + 0.5)))
    return np.argsort(-errors_mm, kind="stable")[:count]


def analyse(
    errors_mm: Mapping[str, Array],
    *,
    thresholds_mm: Sequence[float] = THRESHOLDS_MM,
    shares: Sequence[float] = SHARES,
) -> HardPoses:
    """Analyse errors per pose.

    Args:
        errors_mm: method -> (N,) error of each pose, the same poses in the same order for all.
        thresholds_mm: for the shares above.
        shares: percent of hardest poses for the cross-method tables.

    Raises:
        DataError: no methods, unequal numbers of poses, or errors that are not finite.
    """
    methods = tuple(errors_mm)
    if not methods:
        raise DataError("no methods to analyse")
    lengths = {label: len(np.asarray(values)) for label, values in errors_mm.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise DataError(f"methods have different numbers of poses ({lengths}); measure them on the same data")
    errors = np.stack([np.asarray(errors_mm[label], dtype=np.float64) for label in methods])
    if not np.isfinite(errors).all():
        raise DataError("an error is not finite; a method has failed on some pose")
    cross = np.array([[[row[hardest(own, share)].mean() for row in errors] for own in errors] for share in shares])
    five = [set(hardest(own, 5.0).tolist()) for own in errors]
    bins = np.minimum((errors / (HISTOGRAM_MM[1] - HISTOGRAM_MM[0])).astype(int), len(HISTOGRAM_MM) - 1)
    counts = np.stack([np.bincount(row, minlength=len(HISTOGRAM_MM)) for row in bins])
    return HardPoses(
        methods=methods,
        errors_mm=errors,
        thresholds_mm=tuple(thresholds_mm),
        above=100.0 * np.stack([(errors > threshold).mean(axis=1) for threshold in thresholds_mm], axis=1),
        shares=tuple(shares),
        cross_mm=cross,
        hardest_5_mm=np.array([own[hardest(own, 5.0)].mean() for own in errors]),
        histogram=100.0 * counts / errors.shape[1],
        overlap=np.array([[100.0 * len(a & b) / len(a) for b in five] for a in five]),
    )


def from_results(results: Sequence[LiftingResult]) -> HardPoses:
    """Analyse evaluated methods.

    Raises:
        DataError: two methods share a label, or they were measured under different conditions.
    """
    from kinegraph.evaluation.tables import lifting_comparison

    lifting_comparison(results)  # refuses results that do not belong together
    labels = [result.label for result in results]
    if len(set(labels)) != len(labels):
        raise DataError(f"two methods are called the same ({', '.join(labels)}); rename a folder")
    return analyse({result.label: result.errors_mm for result in results})


def report(hard: HardPoses, *, markdown: bool = False) -> str:
    """The analysis as tables."""
    header = ["method", "mean", *(f"> {t:g} mm" for t in hard.thresholds_mm), "hardest 5 %"]
    rows = [
        [
            label,
            f"{hard.errors_mm[i].mean():.1f}",
            *(f"{value:.1f} %" for value in hard.above[i]),
            f"{hard.hardest_5_mm[i]:.1f}",
        ]
        for i, label in enumerate(hard.methods)
    ]
    parts = ["errors in mm, mean over poses", text_table(header, rows, markdown=markdown)]
    for i, own in enumerate(hard.methods):
        parts.append(f"\non the hardest poses of {own}: mean error (mm) of each method")
        table = [
            [label, *(f"{hard.cross_mm[s, i, j]:.1f}" for s in range(len(hard.shares)))]
            for j, label in enumerate(hard.methods)
        ]
        parts.append(text_table(["method", *(f"{s:g} %" for s in hard.shares)], table, markdown=markdown))
    if len(hard.methods) > 1:
        parts.append("\nof the hardest 5 % of the row's method, the percentage shared with the column's")
        shared = [[own, *(f"{value:.0f}" for value in hard.overlap[i])] for i, own in enumerate(hard.methods)]
        parts.append(text_table(["method", *hard.methods], shared, markdown=markdown))
    return "\n".join(parts)
