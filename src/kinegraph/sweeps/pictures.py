"""Pictures of sweeps: a curve per group over numbers, bars over anything else, with the spread of the seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.evaluation.figure_files import save_figure
from kinegraph.sweeps.sweep import Fusion, SweepResult, Variant

__all__ = ["draw_sweep"]

_COLOURS = ("#3478d8", "#de6216", "#229458", "#9e58c4", "#b66e2a", "#1490a0")


def draw_sweep(result: SweepResult, folder: Path | str, *, suffix: str = "png") -> list[Path]:
    """Write ``<sweep>.<suffix>`` to an existing folder; return its path in a list.

    Errors are drawn at the last instant up to 400 ms, and over the short term where that is known; accuracies as
    top-1. A sweep that measured speed has the frames in 20 ms below its errors (the paper's Fig. 8).
    """
    from matplotlib.figure import Figure

    panels = _panels(result)
    if not panels:
        return []
    numeric = any(getattr(variant, "x", None) is not None for variant, _ in result.rows)
    width = 5.2 if numeric else max(4.2, 1.0 + 0.75 * len(result.rows))
    height = 4.0
    compared = any(isinstance(row, Variant) and row.recipe for row, _ in result.rows)
    if compared:
        width, height = 6.4, 1.5 + 0.22 * len(result.rows)
    figure = Figure(figsize=(width * len(panels), height), layout="constrained")
    for axes, column in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x" if compared else "y", color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
        if compared:
            _groups(axes, result, column)
            continue
        axes.set_ylabel(_title(result, column), fontsize=9)
        if result.sweep.speed and "frames in 20 ms" in result.columns:
            _trade_off(axes, result, column)
        elif numeric:
            _curves(axes, result, column)
        else:
            _bars(axes, result, column)
        if result.units[column] == "%":  # two points of spread are not to look like a cliff
            low, high = axes.get_ylim()
            missing = max(0.0, 2.0 - (high - low)) / 2
            axes.set_ylim(low - missing, high + missing)
    conditions = result.conditions
    seeds = len(conditions["seeds"])
    figure.suptitle(
        f"{result.sweep.title} - {conditions['protocol']}, {result.part} split, {seeds} seed{'s' if seeds > 1 else ''}",
        fontsize=9,
    )
    path = Path(folder) / f"{result.sweep.name}.{suffix}"
    return [save_figure(figure, path, dpi=150)]


def _panels(result: SweepResult) -> list[str]:
    times = [column for column in result.columns if column.endswith(" ms") and not column.startswith("frames")]
    short = [column for column in times if int(column.split()[0]) <= 400] or times
    found = short[-1:] if result.sweep.speed else ["short"] if "short" in result.columns else short[-1:]
    if "top-1" in result.columns and not result.sweep.speed:
        found = ["top-1"] if result.sweep.early else [*found, "top-1"]
    return found


def _title(result: SweepResult, column: str) -> str:
    unit = result.units[column]
    if column == "short":
        return f"error up to 400 ms, mean ({unit})"
    return f"{result.label(column)} ({unit})" if column.startswith("top") else f"error at {column} ({unit})"


def _values(result: SweepResult, column: str) -> list[tuple[Any, float, float]]:
    """(variant, mean, spread or 0) where the column has a value."""
    found = []
    for variant, runs in result.rows:
        value = result.summary(runs, column)
        if value is not None:
            found.append((variant, value[0], 0.0 if np.isnan(value[1]) else value[1]))
    return found


def _curves(axes: Any, result: SweepResult, column: str) -> None:
    groups: dict[str, list[tuple[float, float, float]]] = {}
    levels = []
    for variant, mean, spread in _values(result, column):
        if isinstance(variant, Fusion) or variant.x is None:
            levels.append((variant.label, mean, spread))
        else:
            groups.setdefault(variant.curve, []).append((variant.x, mean, spread))
    for index, (curve, points) in enumerate(groups.items()):
        x, mean, spread = np.array(sorted(points)).T
        colour = _COLOURS[index % len(_COLOURS)]
        axes.plot(x, mean, marker="o", markersize=4, linewidth=1.6, color=colour, label=curve or None)
        if spread.any():
            axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)
    for index, (label, mean, spread) in enumerate(levels):
        colour = _COLOURS[(len(groups) + index) % len(_COLOURS)]
        axes.axhline(mean, linestyle="--", linewidth=1.4, color=colour, label=label)
        if spread:
            axes.axhspan(mean - spread, mean + spread, color=colour, alpha=0.12, linewidth=0)
    axes.set_xlabel(result.sweep.x_label)
    places = sorted({point[0] for points in groups.values() for point in points})
    if len(places) <= 12:
        axes.set_xticks(places)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)


def _bars(axes: Any, result: SweepResult, column: str) -> None:
    found = _values(result, column)
    place = np.arange(len(found))
    mean = np.array([value for _, value, _ in found])
    spread = np.array([value for _, _, value in found])
    axes.bar(place, mean, width=0.62, color=_COLOURS[0], yerr=spread if spread.any() else None, capsize=3)
    for x, value, more in zip(place, mean, spread, strict=True):
        digits = 1 if result.units[column] == "%" else 3
        axes.annotate(
            f"{value:.{digits}f}", (x, value + more), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_xticks(place, [variant.label.replace(", ", "\n") for variant, _, _ in found], fontsize=8)
    if len(found) > 4:
        axes.tick_params(axis="x", labelrotation=45)
    axes.margins(y=0.12)


def _groups(axes: Any, result: SweepResult, column: str) -> None:
    """Recipes below each other, a bar for each stream and one for their sum."""
    found = [(*variant.label.rsplit(", ", 1), mean, spread) for variant, mean, spread in _values(result, column)]
    names, kinds = list(dict.fromkeys(row[0] for row in found)), list(dict.fromkeys(row[1] for row in found))
    height = 0.8 / len(kinds)
    for index, kind in enumerate(kinds):
        rows = [row for row in found if row[1] == kind]
        place = np.array([names.index(row[0]) for row in rows]) + (index - (len(kinds) - 1) / 2) * height
        mean, spread = np.array([row[2:] for row in rows]).T
        error = spread if spread.any() else None
        axes.barh(place, mean, height=0.92 * height, color=_COLOURS[index], xerr=error, label=kind, capsize=2)
        for y, value, more in zip(place, mean, spread, strict=True):
            axes.annotate(
                f"{value:.1f}", (value + more, y), (3, 0), textcoords="offset points", va="center", fontsize=7
            )
    axes.set_yticks(range(len(names)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel(_title(result, column), fontsize=9)
    low = min(row[2] - row[3] for row in found)
    axes.set_xlim(max(0.0, low - 10), 100 if max(row[2] for row in found) < 97 else 104)  # bars do not start at 0
    axes.legend(frameon=False, fontsize=8, ncols=len(kinds), loc="lower left", bbox_to_anchor=(0, 1))


def _trade_off(axes: Any, result: SweepResult, column: str) -> None:
    """Fig. 8: error against the frames generated in 20 ms; down and to the right is better."""
    for variant, mean, spread in _values(result, column):
        runs = next(runs for other, runs in result.rows if other is variant)
        speed = result.summary(runs, "frames in 20 ms")
        if speed is None:
            continue
        across = None if np.isnan(speed[1]) else speed[1]
        axes.errorbar(
            speed[0], mean, yerr=spread or None, xerr=across, marker="o", markersize=7, capsize=3, color=_COLOURS[0]
        )
        axes.annotate(variant.label, (speed[0], mean), (6, 5), textcoords="offset points", fontsize=9)
    axes.set_xlabel("frames generated in 20 ms (batch of 1)")
    axes.margins(0.15)
