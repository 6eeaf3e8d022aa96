"""Pictures of the analyses of trained motion networks: robustness, stability, actional graphs and their map."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.evaluation.actional_graphs import Edge, GraphMap
from kinegraph.evaluation.figure_files import save_figure
from kinegraph.evaluation.robustness import RobustnessResult
from kinegraph.evaluation.stability import StabilityResult
from kinegraph.skeleton import Skeleton

__all__ = ["draw_actional_graphs", "draw_courses", "draw_curves", "draw_map", "draw_robustness", "draw_stability"]

Array = NDArray[np.float64]
_COLOURS = ("#3478d8", "#de6216", "#229458", "#9e58c4", "#b66e2a", "#1490a0", "#ce5078", "#7a828e")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def draw_robustness(results: Sequence[RobustnessResult], folder: Path | str) -> list[Path]:
    """Write ``robustness.png`` to an existing folder: a panel per protocol, a curve per method (Fig. 14)."""
    protocols = list(dict.fromkeys(result.protocol for result in results))
    figure, panels = _figure(len(protocols), 5.2, 3.8)
    for axes, protocol in zip(panels, protocols, strict=True):
        own = [result for result in results if result.protocol == protocol]
        for index, result in enumerate(own):
            at = result.columns.index(result.headline)
            _curve(axes, index, result.label, list(result.rows), [values[at] for values in result.rows.values()])
        first = own[0]
        axes.set_xlabel(f"standard deviation of the noise on every input channel ({first.sigma_unit})")
        unit = "%" if first.headline == "top-1" else first.figure.rpartition(", ")[2]
        what = "top-1" if first.headline == "top-1" else f"error at {first.headline}"
        axes.set_ylabel(f"{what} ({unit})")
        axes.set_title(protocol, fontsize=10)
        axes.legend(frameon=False, fontsize=8)
    return [_save(figure, Path(folder) / "robustness.png")]


def draw_curves(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], path: Path, *, across: str, up: str, title: str = ""
) -> list[Path]:
    """Write one panel with a curve per label to `path`; errors begin at 0."""
    figure, (axes,) = _figure(1, 6.0, 4.0)
    for index, (label, (x, y)) in enumerate(curves.items()):
        _curve(axes, index, label, x, y)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.set_ylim(bottom=0)
    axes.set_title(textwrap.fill(title, 80), fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    return [_save(figure, path)]


def draw_courses(
    panels: Mapping[str, Mapping[str, tuple[Array, Array]]], path: Path, *, across: str, up: str
) -> list[Path]:
    """Write a panel per title, one below the other, with a line over time per label, x and y (points,), to `path`."""
    figure, all_axes = _figure(len(panels), 8.0, 2.2, columns=1)
    for axes, (title, courses) in zip(all_axes, panels.items(), strict=True):
        for index, (label, (x, y)) in enumerate(courses.items()):
            axes.plot(x, y, linewidth=1.1, color=_COLOURS[index % 8], label=label)
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=9, loc="left")
        axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=5)  # above the lines
    all_axes[-1].set_xlabel(across)
    figure.supylabel(up, fontsize=9)
    return [_save(figure, path)]


def _curve(axes: Any, index: int, label: str, x: Sequence[float], y: Sequence[float]) -> None:
    marker, colour = _MARKERS[index % 8], _COLOURS[index % 8]
    axes.plot(x, y, marker=marker, markersize=4, linewidth=1.5, color=colour, label=label)


def draw_stability(results: Sequence[StabilityResult], folder: Path | str) -> list[Path]:
    """Write ``stability.png`` to an existing folder.

    Left the ratio of perturbations (Fig. 15), right the measured distortion below its bounds (Theorem 1), logarithmic.
    """
    figure, panels = _figure(2, 5.4, 4.0)
    left, right = panels
    for index, result in enumerate(results):
        colour = _COLOURS[index % 8]
        sigma = np.array(result.sigmas)
        left.plot(sigma, result.ratio, "o-", markersize=4, color=colour, label=f"{result.label}: q = {result.q:.2f}")
        left.fill_between(
            sigma, result.ratio - result.ratio_spread, result.ratio + result.ratio_spread, color=colour, alpha=0.13
        )
        name = f"{result.label}: " if len(results) > 1 else ""
        right.plot(sigma, result.bound, "--", color=colour, label=f"{name}bound of Theorem 1")
        right.plot(sigma, result.tighter, ":", color=colour, label=f"{name}the same with spectral norms")
        right.plot(sigma, result.distortion, "o-", markersize=4, color=colour, label=f"{name}measured, mean")
        right.plot(sigma, result.distortion_most, "^", markersize=4, color=colour, label=f"{name}measured, largest")
    unit = results[0].unit
    for axes in panels:
        axes.set_xlabel(f"standard deviation of the noise ({unit})")
    left.set_ylim(bottom=0)
    left.set_ylabel("||A*X* - AX|| / ||X* - X||, mean ± deviation")
    left.set_title("what the actional graph makes of a disturbance", fontsize=10)
    right.set_yscale("log")
    right.set_ylabel("||Y* - Y|| (normalised units)")
    right.set_title("output of the first layer, Y = ReLU(JGC(X))", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    right.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return [_save(figure, Path(folder) / "stability.png")]


def draw_map(found: GraphMap, folder: Path | str) -> list[Path]:
    """Write ``tsne.png`` to an existing folder: a point per window, a colour and marker per action (Fig. 12)."""
    figure, (axes,) = _figure(1, 6.6, 5.2)
    for index, action in enumerate(found.actions):
        points = found.points[found.labels == index]
        axes.scatter(
            *points.T,
            s=22,
            marker=_MARKERS[index % 8],
            color=_COLOURS[index % 8],
            edgecolor="white",
            linewidth=0.4,
            label=action.replace("_", " "),
        )
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[["left", "bottom"]].set_color("0.8")
    axes.set_title(
        f"{found.info['model']}: actional graphs by t-SNE, {found.info['data']['name']}; silhouette of the graphs "
        f"{found.silhouette:.2f}",
        fontsize=9,
    )
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return [_save(figure, Path(folder) / "tsne.png")]


def draw_actional_graphs(
    edges: Mapping[str, Sequence[Edge]],
    poses: Mapping[str, Array],
    skeleton: Skeleton,
    folder: Path | str,
    *,
    title: str = "",
    azimuth: float = 0.5,
    elevation: float = 0.12,
) -> list[Path]:
    """Write ``actional_graph.png`` to an existing folder: each action's strongest edges on a pose of it (Fig. 11).

    Bones are grey; an edge is an arc from the joint that is heard to the one that hears, the darker and thicker the
    heavier among those of its action. A ring marks an edge between two joints of the rig that lie on each other.

    Args:
        edges: action -> edges, strongest first.
        poses: action -> (joints, 3), y up, facing +z, metres.
        skeleton: of the poses.
        folder: existing.
        title: line at the top.
        azimuth, elevation: of the view, radians; 0 is from the front.
    """
    from matplotlib.patches import FancyArrowPatch

    count = len(edges)
    columns = math.ceil(count / math.ceil(count / 4))
    figure, panels = _figure(count, 3.2, 4.6, columns=columns)
    for axes, (action, found) in zip(panels, edges.items(), strict=True):
        flat = _projected(poses[action], azimuth, elevation)
        for parent, child in skeleton.bones:
            axes.plot(*flat[[parent, child]].T, color="0.72", linewidth=3.2, solid_capstyle="round", zorder=1)
        axes.scatter(*flat.T, s=14, color="0.5", zorder=2)
        weights = [edge.weight for edge in found]
        touched = dict.fromkeys(name for edge in found for name in (edge.to, edge.source))
        for rank, edge in enumerate(reversed(found)):
            share = (edge.weight - min(weights)) / max(max(weights) - min(weights), 1e-12)
            ends = flat[[skeleton.index(edge.source), skeleton.index(edge.to)]]
            if np.linalg.norm(ends[1] - ends[0]) < 0.01:  # joints of the rig that lie on each other
                wide = 1.2 + 1.8 * share
                axes.scatter(*ends[1], s=90, facecolor="none", edgecolor=_COLOURS[1], linewidth=wide, zorder=3)
                continue
            axes.add_patch(
                FancyArrowPatch(
                    tuple(ends[0]),
                    tuple(ends[1]),
                    connectionstyle="arc3,rad=0.18",
                    arrowstyle="-|>,head_length=4,head_width=2.2",
                    shrinkA=2,
                    shrinkB=3,
                    linewidth=1.0 + 1.8 * share,
                    alpha=0.5 + 0.45 * share,
                    color=_COLOURS[1],
                    zorder=3 + rank / len(found),
                )
            )
        places = flat[[skeleton.index(name) for name in touched]]
        axes.scatter(*places.T, s=22, color=_COLOURS[1], edgecolor="white", linewidth=0.5, zorder=5)
        axes.set_aspect("equal")
        axes.margins(0.1)
        axes.axis("off")
        axes.set_title(f"{action.replace('_', ' ')}\nweights {min(weights):.3f} to {max(weights):.3f}", fontsize=9)
    if title:
        figure.suptitle(textwrap.fill(title, width=48 * columns), fontsize=9)  # a panel is 48 letters wide
    return [_save(figure, Path(folder) / "actional_graph.png")]


def _projected(points: Array, azimuth: float, elevation: float) -> Array:
    """(joints, 2) of y-up points seen from in front and a little to the side, left of the body on the right."""
    x, y, z = points.T
    across = x * math.cos(azimuth) - z * math.sin(azimuth)
    depth = x * math.sin(azimuth) + z * math.cos(azimuth)
    return np.stack([across, y * math.cos(elevation) - depth * math.sin(elevation)], axis=1)


def _figure(count: int, width: float, height: float, *, columns: int | None = None) -> tuple[Any, list[Any]]:
    """A figure of `count` panels of that size in inches."""
    from matplotlib.figure import Figure

    columns = columns or count
    lines = math.ceil(count / columns)
    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    panels = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for axes in panels[count:]:
        axes.axis("off")
    for axes in panels[:count]:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, panels[:count]


def _save(figure: Any, path: Path) -> Path:
    return save_figure(figure, path, dpi=150)
