"""Pictures of a forecast: the last observed poses, what was forecast, and what really came, where that is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.animation import write_animation
from kinegraph.visualize.player import write_player
from kinegraph.visualize.projection import stage
from kinegraph.visualize.stills import Cell, write_grid

__all__ = ["write_forecast", "write_timeline"]

_COLUMNS = 6
_MOST = 24  # poses of the future in a still
_LEAD_S = 1.0  # of what was observed, in a moving picture


def write_forecast(
    path: Path | str,
    history: SkeletonSequence,
    future: SkeletonSequence,
    truth: SkeletonSequence | None = None,
    *,
    step_s: float = 0.1,
    title: str = "",
    theme_name: str = "light",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Draw a forecast, by the suffix of `path`.

    A still (.png) has a row of the last observed poses and then the future every `step_s` seconds, or less often
    where that would be more than 24; a .gif, .mp4 or .html plays the last second and the future. The truth stands
    pale behind the forecast; in .html beside it.

    Args:
        path: what to write.
        history: the observed part, 3D.
        future: what follows, on the same joints and at the same rate.
        truth: what really followed, likewise; may be shorter. None where it is not known.
        step_s: seconds from pose to pose in a still.
        title: line at the top.
        theme_name: ``light`` or ``dark``.
        progress: called with (pictures done, in all) of an animation.

    Raises:
        DataError: the three do not fit together, or nobody is to be drawn.
        KinegraphError: the path cannot be written.
    """
    if future.fps is None or history.fps != future.fps or not (np.isfinite(step_s) and step_s > 0):
        raise DataError(f"history at {history.fps} and future at {future.fps} fps, every {step_s} s: nothing to draw")
    fps = future.fps
    suffix = Path(path).suffix.lower()
    moving = suffix in (".gif", ".mp4", ".html")
    step = max(1, round(step_s * fps))
    step *= max(1, int(np.ceil(future.frames / step / _MOST)))
    lead = round(_LEAD_S * fps) if moving else step * (_COLUMNS - 1) + 1
    shown = history.slice_frames(max(0, history.frames - lead), None)
    whole = _joined(shown, future)
    ghost = _ghost(truth, shown.frames, whole) if truth is not None else None
    if suffix == ".html":
        panels = [("observed, then forecast", whole)]
        if truth is not None:
            panels.append(("recorded", _joined(shown, truth.slice_frames(0, min(truth.frames, future.frames)))))
        write_player(path, panels, title=title)
        return
    if moving:
        write_animation(
            path, [("forecast", whole)], title=title, theme_name=theme_name, ghosts=[ghost], progress=progress
        )
        return
    set_up = stage(whole)
    last = shown.frames - 1
    frames = [last - k * step for k in reversed(range(_COLUMNS)) if last - k * step >= 0]
    rows = [
        [Cell(sequence=whole, frame=f, caption="observed", note=_when(f - last, fps), stage=set_up) for f in frames]
    ]
    coming = list(range(last + step, whole.frames, step)) or [whole.frames - 1]
    cells = [
        Cell(sequence=whole, frame=f, caption="forecast", note=_when(f - last, fps), stage=set_up, ghost=ghost)
        for f in coming
    ]
    rows += [cells[at : at + _COLUMNS] for at in range(0, len(cells), _COLUMNS)]
    known = "; pale: what was recorded" if truth is not None else ""
    write_grid(
        path,
        rows,
        title=title,
        subtitle=f"every {step / fps * 1000:.0f} ms{known}",
        theme_name=theme_name,
        cell_size=(200, 220),
    )


def _when(frames: int, fps: float) -> str:
    return f"{frames / fps * 1000:+.0f} ms" if frames else "last observed"


def _joined(first: SkeletonSequence, second: SkeletonSequence) -> SkeletonSequence:
    """One after the other, positions only."""
    if first.skeleton.joints != second.skeleton.joints or first.people != second.people:
        raise DataError("history and future have different joints or people; expected one recording going on")
    return first.replace(
        positions=np.concatenate([first.positions, second.positions], axis=1),
        confidence=np.concatenate([np.asarray(first.confidence), np.asarray(second.confidence)], axis=1),
        rotations=None,
        offsets=None,
        uncertainty=None,
        contact=None,
    )


def _ghost(truth: SkeletonSequence, before: int, whole: SkeletonSequence) -> SkeletonSequence:
    """The truth at the frames of `whole`: nobody while it is observed, and nobody after the truth ends."""
    positions = np.full(whole.positions.shape, np.nan)
    count = min(truth.frames, whole.frames - before)
    positions[:, before : before + count] = truth.positions[:, :count]
    return whole.replace(positions=positions, confidence=None)


def write_timeline(
    path: Path | str,
    actions: tuple[str, ...],
    times: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    scores: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    *,
    title: str = "",
    theme_name: str = "light",
) -> None:
    """A band for each action over time, the darker the higher its score (.png).

    Args:
        path: the picture.
        actions: class names.
        times: (windows, 2) seconds where each window begins and ends; a band is drawn round each window's middle.
        scores: (windows, classes) in 0..1.
        title: line at the top.
        theme_name: ``light`` or ``dark``.

    Raises:
        KinegraphError: the path cannot be written.
    """
    from kinegraph.visualize.canvas import Canvas
    from kinegraph.visualize.stills import fit, save_image
    from kinegraph.visualize.style import LEFT, blend, theme

    row, left, right, top = 24, 170, 70, 40
    width = 760
    canvas = Canvas(width, top + row * len(actions) + 40, theme(theme_name))
    canvas.text(10, 9, fit(canvas, title, width - 20, 16), 16)
    middles = times.mean(axis=1)
    start, stop = float(times.min()), float(times.max())
    edges = np.concatenate([[start], (middles[1:] + middles[:-1]) / 2, [stop]])
    across = left + (edges - start) / max(stop - start, 1e-9) * (width - left - right)
    mean = scores.mean(axis=0)
    for r, action in enumerate(actions):
        y = top + r * row + row / 2
        canvas.text(left - 8, y, fit(canvas, action.replace("_", " "), left - 20, 13), 13, None, "rm")
        for w in range(len(scores)):
            colour = blend(canvas.theme.card, LEFT, float(np.clip(scores[w, r], 0, 1)))
            ends = np.array([[across[w], y], [across[w + 1], y]])
            canvas.line(ends[0], ends[1], row - 6, colour, ends=False)
        canvas.text(width - right + 8, y, f"{mean[r] * 100:.0f} %", 13, canvas.theme.soft, "lm")
    y = top + row * len(actions) + 6
    for when, x, anchor in ((start, left, "la"), (stop, width - right, "ra")):
        canvas.text(x, y, f"{when:.2f} s", 13, canvas.theme.soft, anchor)
    save_image(canvas.finish(), path)
