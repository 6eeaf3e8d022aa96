"""Who is taken for whom: the confusion matrix as a table (CSV) and as a picture that can be read at 120 classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import write_csv
from kinegraph.errors import ConfigError
from kinegraph.evaluation.figure_files import save_figure

__all__ = ["write_confusion"]

_NUMBERS = 30
"""With more classes than this, cells are too small for numbers."""


def write_confusion(content: Mapping[str, Any], path: Path | str) -> None:
    """Write the confusion matrix of a result.

    Args:
        content: of ``to_json()``: classes, confusion, protocol, model, top1; with ``joint`` where it is fused, see
            :func:`kinegraph.evaluation.recognition_tables.joint_stream`.
        path: ``.csv``: counts, a row for each true class; ``.png``: a picture, rows in percent.

    Raises:
        ConfigError: another suffix.
    """
    path = Path(path)
    classes, counts = list(content["classes"]), np.array(content["confusion"], dtype=np.int64)
    if path.suffix.lower() == ".csv":
        rows = ([name, *row] for name, row in zip(classes, counts.tolist(), strict=True))
        write_csv(path, ["true \\ predicted", *classes], rows)
    elif path.suffix.lower() == ".png":
        title = f"{content['model']}: {content['protocol']}, top-1 {content['top1']:.1f} %"
        if content.get("joint"):
            title += f"\njoint stream alone: top-1 {content['joint']['top1']:.1f} %"
        _draw(classes, counts, title, path)
    else:
        raise ConfigError(f"{path}: a confusion matrix is written as .csv or .png")


def _draw(classes: Sequence[str], counts: NDArray[np.int64], title: str, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure

    number = len(classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100.0 * counts / np.maximum(totals, 1)
    names = [name if len(name) <= 28 else name[:27] + "…" for name in classes]
    cell = 0.42 if number <= _NUMBERS else 0.17  # inches: a number, or a line of small type
    type_size = 8 if number <= _NUMBERS else 6
    margin = 0.6 + 0.009 * type_size * max(map(len, names))
    side = max(3.0, cell * number)
    width, height = side + margin + 1.0, side + margin + 0.7
    figure = Figure(figsize=(width, height), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
    scaling = PowerNorm(1.0 if number <= _NUMBERS else 0.5, vmin=0, vmax=100)  # small cells need contrast
    image = axes.imshow(shares, cmap="Blues", norm=scaling, interpolation="nearest")
    axes.set_xticks(range(number), names, rotation=90, fontsize=type_size)
    axes.set_yticks(range(number), names, fontsize=type_size)
    axes.set_xticks(np.arange(number + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(number + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#e3e8ef", linewidth=0.3)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("recognised as", fontsize=type_size + 1)
    axes.set_ylabel("true action", fontsize=type_size + 1)
    axes.set_title(title, fontsize=10, loc="left")
    if number <= _NUMBERS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            share = shares[row, column]
            colour = "white" if share > 55 else "#1d2430"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=7, color=colour)
    else:  # no eye finds what is confused most among thousands of cells
        wrong = shares - np.diag(np.diag(shares))
        for place in wrong.ravel().argsort()[::-1][:10]:
            row, column = divmod(int(place), number)
            if wrong[row, column] > 0:
                axes.add_patch(_ring(column, row))
    scale = figure.add_axes(((margin + side + 0.15) / width, margin / height, 0.15 / width, side / height))
    figure.colorbar(image, cax=scale).ax.tick_params(labelsize=type_size)
    scale.set_title("%", fontsize=type_size)
    save_figure(figure, path)


def _ring(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#de6216", linewidth=1.2)
