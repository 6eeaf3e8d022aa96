"""How lifting errors grow as more and more joints are not found.

Every joint of every frame is lost independently with a stated probability, on top of exact keypoints or of jittered
ones; the error is over all joints, found or not. The same seed loses the same joints for every method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.noisy import BENCHMARK_NOISE, with_detector_noise
from kinegraph.errors import ConfigError
from kinegraph.evaluation.lifting import LiftingResult, evaluate_lifting
from kinegraph.evaluation.predict import LiftingMethod
from kinegraph.evaluation.tables import text_table

__all__ = ["SHARES", "MissingCurve", "draw_missing", "missing_curve", "missing_report"]

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, kw_only=True)
class MissingCurve:
    """The results of one method, in the order of the shares."""

    label: str
    shares: tuple[float, ...]
    results: tuple[LiftingResult, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, unrounded."""
        first = self.results[0]
        measures = [name for name in ("mpjpe_mm", "n_mpjpe_mm", "pa_mpjpe_mm") if getattr(first, name) is not None]
        return {
            "model": self.label,
            "target": first.target,
            "split": first.split,
            "flip_test": first.flip_test,
            "shares": list(self.shares),
            **{name: [getattr(result, name) for result in self.results] for name in measures},
            "info": first.info,
            "notes": list(first.notes),
        }


def missing_curve(
    methods: Sequence[LiftingMethod],
    data: LiftingData,
    protocol: str,
    *,
    shares: Sequence[float] = SHARES,
    sigma_px: float = 0.0,
    progress: Callable[[], object] = lambda: None,
    **options: Any,
) -> list[MissingCurve]:
    """Lift the data with each share of the joints missing.

    Args:
        methods: from :func:`kinegraph.evaluation.predict.load_lifting_method`, of one target.
        data: with exact keypoints, from :func:`kinegraph.evaluation.lifting.load_lifting_protocol`.
        shares: probabilities, 0 to below 1, that a joint is not found in a frame.
        sigma_px: standard deviation of the jitter of those that are found, px.
        progress: called after each evaluation.
        options: see :func:`kinegraph.evaluation.lifting.evaluate_lifting`, but for its input.

    Raises:
        ConfigError: no share, or one outside its range; methods of both targets.
    """
    if not shares or not all(0 <= share < 1 for share in shares):
        raise ConfigError(f"shares {list(shares)}: expected some from 0 to below 1, such as 0 0.2 0.5")
    targets = {method.transform.target for method in methods}
    if len(targets) > 1:
        raise ConfigError("methods of targets pixel and metric: their errors are not of one kind; analyse them apart")
    found: list[list[LiftingResult]] = [[] for _ in methods]
    for share in shares:
        noise = replace(BENCHMARK_NOISE, sigma_px=sigma_px, drop=float(share))
        changed = with_detector_noise(data, noise) if share or sigma_px else data
        for method, results in zip(methods, found, strict=True):
            results.append(
                evaluate_lifting(method, changed, protocol, input="noisy" if sigma_px else "exact", **options)
            )
            progress()
    return [
        MissingCurve(label=results[0].label, shares=tuple(map(float, shares)), results=tuple(results))
        for results in found
    ]


def missing_report(curves: Sequence[MissingCurve], *, markdown: bool = False) -> str:
    """A line per method and a column per share, MPJPE in mm."""
    header = ["MPJPE (mm), joints missing", *(f"{100 * share:g} %" for share in curves[0].shares)]
    rows = [[curve.label, *(f"{result.mpjpe_mm:.1f}" for result in curve.results)] for curve in curves]
    notes = dict.fromkeys(note for curve in curves for note in curve.results[0].notes)
    return "\n".join([text_table(header, rows, markdown=markdown), *(f"note: {note}" for note in notes)])


def draw_missing(curves: Sequence[MissingCurve], folder: Path | str, *, title: str = "") -> list[Path]:
    """Write ``missing_joints.png`` to an existing folder: a curve per method."""
    from kinegraph.evaluation.analysis_pictures import draw_curves

    points = {curve.label: (curve.shares, [result.mpjpe_mm for result in curve.results]) for curve in curves}
    return draw_curves(
        points,
        Path(folder) / "missing_joints.png",
        across="share of the joints missing, drawn anew in every frame",
        up="MPJPE of all joints (mm)",
        title=title,
    )
