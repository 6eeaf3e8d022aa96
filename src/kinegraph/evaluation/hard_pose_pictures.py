"""Pictures of the hard-pose analysis: the error histogram, and errors on each method's own hardest poses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from kinegraph.evaluation.figure_files import save_figure
from kinegraph.evaluation.hard_poses import HISTOGRAM_MM, HardPoses


def draw(hard: HardPoses, folder: Path | str, *, title: str = "", suffix: str = "png") -> list[Path]:
    """Write ``error_histogram.<suffix>`` and ``hardest_poses.<suffix>`` to an existing folder; return their paths."""
    return [_histogram(hard, Path(folder), title, suffix), _hardest(hard, Path(folder), title, suffix)]


def _colours(count: int) -> list[tuple[float, float, float, float]]:
    import matplotlib

    palette = matplotlib.colormaps["tab10"]
    return [palette(index % 10) for index in range(count)]


def _histogram(hard: HardPoses, folder: Path, title: str, suffix: str) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    edges = np.array(HISTOGRAM_MM)
    for index, (label, colour) in enumerate(zip(hard.methods, _colours(len(hard.methods)), strict=True)):
        above = ", ".join(f"{hard.above[index, k]:.0f} % > {t:g}" for k, t in enumerate(hard.thresholds_mm))
        axes.stairs(
            hard.histogram[index],
            np.append(edges, edges[-1] + edges[1] - edges[0]),
            label=f"{label} ({above} mm)",
            color=colour,
            linewidth=1.6,
        )
    for threshold in hard.thresholds_mm:
        axes.axvline(threshold, color="0.75", linewidth=0.8, zorder=0)
    axes.set_xlabel("error of a pose (mm); the last bin holds all above")
    axes.set_ylabel("poses (%)")
    axes.set_xlim(0, edges[-1] + edges[1] - edges[0])
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    axes.set_title(title, fontsize=9)
    path = folder / f"error_histogram.{suffix}"
    return save_figure(figure, path, dpi=150)


def _hardest(hard: HardPoses, folder: Path, title: str, suffix: str) -> Path:
    """One panel per method: everyone's error on that method's hardest poses, as in the paper's supplement."""
    from matplotlib.figure import Figure

    count = len(hard.methods)
    columns = min(3, count)
    lines = math.ceil(count / columns)
    figure = Figure(figsize=(3.6 * columns + 0.6, 2.9 * lines + 0.8), layout="constrained")
    panels = figure.subplots(lines, columns, sharey=True, squeeze=False)
    colours = _colours(count)
    place = np.arange(len(hard.shares))
    for index, axes in enumerate(panels.ravel()):
        if index >= count:
            axes.axis("off")
            continue
        for other in range(count):
            axes.plot(
                place,
                hard.cross_mm[:, index, other],
                marker="o",
                markersize=3.5,
                linewidth=2.4 if other == index else 1.2,
                color=colours[other],
                label=hard.methods[other],
            )
        axes.set_title(f"hardest poses of {hard.methods[index]}", fontsize=9)
        axes.set_xticks(place, [f"{share:g} %" for share in hard.shares])
        axes.spines[["top", "right"]].set_visible(False)
        if index % columns == 0:
            axes.set_ylabel("mean error (mm)")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=min(count, 5), frameon=False, fontsize=8)
    for line in legend.get_lines():
        line.set_linewidth(1.6)  # the first panel draws its own method thick
    if title:
        figure.suptitle(title, fontsize=9)
    path = folder / f"hardest_poses.{suffix}"
    return save_figure(figure, path, dpi=150)
