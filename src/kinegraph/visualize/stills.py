"""PNG pictures: strips of a motion's frames, and grids that set poses side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.canvas import Box, Canvas, paint_image, paint_scene
from kinegraph.visualize.motion import first_frame
from kinegraph.visualize.projection import Stage, View, image_view, pose_size, stage, to_display
from kinegraph.visualize.style import LEFT, PEOPLE, RIGHT, theme

GAP = 10
_SIDES = {".png": 65_535, ".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}
"""Pixels that a side may have; of PNG, which sets no such limit, what other programs open."""
_PIXELS = 64_000_000
"""That a picture may have: while it is drawn each takes 12 bytes, and larger files are taken for attacks."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One pose in a grid.

    Args:
        sequence: 2D or 3D, any space.
        frame: which of its frames.
        caption: above the pose.
        note: below it, for instance the error in mm.
        stage: how a 3D pose is framed; cells that share one can be compared. Default: framed by itself.
        ghost: the truth, drawn pale behind: a sequence of the same space, its ``frame``.
    """

    sequence: SkeletonSequence
    frame: int = 0
    caption: str = ""
    note: str = ""
    stage: Stage | None = None
    ghost: SkeletonSequence | None = None


def draw_cell(canvas: Canvas, box: Box, cell: Cell, *, row: Sequence[Cell] = ()) -> None:
    """Draw one cell into ``box`` (left, top, width, height) of the canvas.

    Args:
        canvas: to draw on.
        box: where.
        cell: what.
        row: the cells beside it; where one of them has words, all leave room for them and draw people of one size.

    Raises:
        DataError: the frame is not in the sequence.
    """
    sequence = cell.sequence
    if not 0 <= cell.frame < sequence.frames:
        raise DataError(f"no frame {cell.frame} to draw; the sequence has {sequence.frames}, numbered from 0")
    canvas.card(box)
    left, top, width, height = box
    above, below = (22 if any(words) else 4 for words in zip(*((c.caption, c.note) for c in (cell, *row)), strict=True))
    inner = (left, top + above, width, height - above - below)
    trust = np.asarray(sequence.confidence)[:, cell.frame]
    if sequence.dims == 2:
        outline, seen = image_view(sequence)
        paint_image(
            canvas,
            inner,
            np.asarray(sequence.positions)[:, cell.frame],
            trust,
            sequence.skeleton,
            frame=outline,
            view=seen,
            size=pose_size(sequence),
        )
    elif np.isfinite(sequence.positions[:, cell.frame]).any():
        points = to_display(sequence)[:, cell.frame]
        set_up = cell.stage or stage(sequence)
        ghost = to_display(cell.ghost)[:, cell.frame] if cell.ghost is not None else None
        # The view goes with the truth, so that what is off shows; of what is observed a forecast knows none.
        view = _centred(set_up, ghost if ghost is not None and np.isfinite(ghost).any() else points)
        paint_scene(
            canvas,
            inner,
            points,
            trust,
            sequence.skeleton,
            view,
            size=set_up.size,
            ground=set_up.ground,
            cell=set_up.cell,
            ghost=ghost,
        )
    else:
        canvas.text(left + width / 2, top + height / 2, "nobody here", 13, canvas.theme.soft, "mm")
    if cell.caption:
        canvas.text(left + width / 2, top + 5, fit(canvas, cell.caption, width - 12), 14, canvas.theme.front, "ma")
    if cell.note:
        canvas.text(
            left + width / 2, top + height - 20, fit(canvas, cell.note, width - 12, 13), 13, canvas.theme.soft, "ma"
        )


def _centred(set_up: Stage, points: np.ndarray[Any, np.dtype[np.float64]]) -> View:
    """The stage's view, moved along with the people where they walk too far for a fixed one."""
    present = points[np.isfinite(points).all(axis=-1)]
    if not set_up.follow or not len(present):
        return set_up.view
    middle = (present.min(axis=0) + present.max(axis=0)) / 2
    return replace(set_up.view, centre=(float(middle[0]), set_up.view.centre[1], float(middle[2])))


def fit(canvas: Canvas, words: str, width: float, size: int = 14) -> str:
    """``words``, cut with an ellipsis to ``width`` pixels."""
    while words and canvas.text_width(words, size) > width:
        words = words[:-2].rstrip() + "…" if len(words) > 2 else ""
    return words


def write_grid(
    path: Path | str,
    rows: Sequence[Sequence[Cell]],
    *,
    title: str = "",
    subtitle: str = "",
    theme_name: str = "light",
    cell_size: tuple[int, int] = (230, 260),
) -> None:
    """A picture of cells in rows, with a title and a legend of the colours, written whole or not at all.

    Args:
        path: a ``.png`` (or another suffix Pillow writes).
        rows: cells; rows may differ in length.
        title: bold line at the top.
        subtitle: a line under it, for instance protocol, seed and data.
        theme_name: ``light`` or ``dark``.
        cell_size: width and height of a cell in px.

    Raises:
        DataError: there is no cell, a frame does not exist, or the picture would be larger than its format allows.
        KinegraphError: the path cannot be written.
    """
    columns = max((len(row) for row in rows), default=0)
    if not columns:
        raise DataError("nothing to draw: the grid has no cells")
    width, height = cell_size
    head = 34 + (20 if subtitle else 0)
    across, down = columns * (width + GAP) + GAP, head + len(rows) * (height + GAP)
    _check_size(path, len(rows), columns, across, down)
    canvas = Canvas(across, down, theme(theme_name))
    header(canvas, title, subtitle)
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            draw_cell(canvas, (GAP + c * (width + GAP), head + r * (height + GAP), width, height), cell, row=row)
    save_image(canvas.finish(), path)


def header(canvas: Canvas, title: str, subtitle: str = "") -> None:
    """Title, subtitle and the legend of sides, in the first 34 (54 with a subtitle) pixels."""
    legend = [("left", LEFT), ("right", RIGHT), ("centre", PEOPLE[0])]
    widths = [canvas.text_width(word, 13) + 30 for word, _ in legend]
    x = canvas.width - GAP - sum(widths)
    shown = x > 120
    canvas.text(GAP, 9, fit(canvas, title, (x if shown else canvas.width) - 2 * GAP, 16), 16)
    if subtitle:
        canvas.text(GAP, 32, fit(canvas, subtitle, canvas.width - 2 * GAP, 13), 13, canvas.theme.soft)
    if not shown:
        return
    for (word, colour), width in zip(legend, widths, strict=True):
        canvas.line(np.array([x, 18.0]), np.array([x + 14, 18.0]), 5, colour)
        canvas.text(x + 20, 11, word, 13, canvas.theme.soft)
        x += width


def write_filmstrip(
    path: Path | str,
    sequences: Sequence[tuple[str, SkeletonSequence]],
    *,
    frames: int = 6,
    title: str = "",
    subtitle: str = "",
    theme_name: str = "light",
    cell_size: tuple[int, int] = (230, 260),
    start_s: float = 0.0,
) -> None:
    """A row per sequence with ``frames`` moments spread evenly over its length, from the first frame to the last.

    Sequences are taken to start together; of unequal lengths, each is spread over its own.

    Args:
        path: the picture to write.
        sequences: (caption, sequence) pairs, 2D or 3D.
        frames: pictures in a row; fewer where a sequence has fewer frames.
        title: line at the top; ``subtitle`` under it.
        theme_name: ``light`` or ``dark``.
        cell_size: width and height of one picture in px.
        start_s: seconds into their recordings at which the sequences begin; the frames named are of these.

    Raises:
        DataError: no sequence, nobody in one, or more pictures than the format holds.
        KinegraphError: the path cannot be written.
    """
    if frames < 1:
        raise DataError(f"a filmstrip of {frames} frames; expected at least 1")
    rows = []
    for caption, sequence in sequences:
        chosen = np.unique(np.linspace(0, sequence.frames - 1, frames).round().astype(int))
        set_up = stage(sequence) if sequence.dims == 3 else None
        rows.append(
            [
                Cell(
                    sequence=sequence,
                    frame=int(f),
                    stage=set_up,
                    caption=caption if i == 0 else "",
                    note=moment(sequence, int(f), start_s),
                )
                for i, f in enumerate(chosen)
            ]
        )
    write_grid(path, rows, title=title, subtitle=subtitle, theme_name=theme_name, cell_size=cell_size)


def moment(sequence: SkeletonSequence, frame: int, start_s: float = 0.0) -> str:
    """``"frame 12, 0.40 s"`` of the recording from which the sequence was cut at ``start_s``."""
    frame += first_frame(sequence, start_s)
    return f"frame {frame}" + (f", {frame / sequence.fps:.2f} s" if sequence.fps else "")


def _check_size(path: Path | str, rows: int, columns: int, width: int, height: int) -> None:
    """Raises DataError where a picture of so many px is larger than its format holds, or than memory should."""
    suffix = Path(path).suffix.lower()
    side = _SIDES.get(suffix, _SIDES[".png"])
    if width > side:
        fitting = (side - GAP) // ((width - GAP) // columns)
        wider = ", or .png" if width <= _SIDES[".png"] else ""
        raise DataError(
            f"cannot write {path}: {columns} poses in a row are {width} px wide; {suffix} holds {side}: take at most "
            f"{fitting} (view: --frames, forecast: a longer --step){wider}"
        )
    if height > side or width * height > _PIXELS:
        raise DataError(
            f"cannot write {path}: {rows} rows of {columns} poses are {width} x {height} px; expected at most {side} a "
            f"side and {_PIXELS // 1_000_000} million in all. Draw fewer recordings or poses"
        )


def save_image(image: Any, path: Path | str) -> None:
    """Save a Pillow image whole or not at all; an unknown suffix is a :class:`DataError`."""
    from PIL import Image

    if Path(path).suffix.lower() not in Image.registered_extensions():
        raise DataError(f"cannot write {path}: pictures end in .png (or .jpg, .webp)")
    with atomic_path(path) as temporary:
        image.save(temporary)
