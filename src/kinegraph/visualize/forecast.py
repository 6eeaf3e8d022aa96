"""Pictures of a forecast: the last observed poses, what was forecast, and what really came, where that is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.visualize.animation import write_animation
from kinegraph.visualize.motion import Ghost
from kinegraph.visualize.player import write_player
from kinegraph.visualize.projection import stage
from kinegraph.visualize.stills import Cell, write_grid

__all__ = ["write_forecast"]

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
    pale behind the forecast; in .html the forecast is the ghost.

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
    start_s = (history.frames - shown.frames) / fps
    whole = _joined(shown, future)
    ghost = _ghost(truth, shown.frames, whole) if truth is not None else None
    if suffix == ".html":
        recorded = shown
        if truth is not None:
            recorded = _joined(shown, truth.slice_frames(0, min(truth.frames, future.frames)))
        coming = Ghost(panel=0, start=shown.frames / fps, sequence=future)
        write_player(path, [("recorded", recorded)], title=title, notes=future.notes, ghosts=[coming], start_s=start_s)
        return
    if moving:
        write_animation(
            path,
            [("forecast", whole)],
            title=title,
            theme_name=theme_name,
            ghosts=[ghost],
            start_s=start_s,
            progress=progress,
        )
        return
    set_up = stage(whole)
    last = shown.frames - 1
    frames = [last - k * step for k in reversed(range(_COLUMNS)) if last - k * step >= 0]
    rows = [
        [Cell(sequence=whole, frame=f, caption="observed", note=_when(f - last, fps), stage=set_up) for f in frames]
    ]
    ahead = list(range(last + step, whole.frames, step)) or [whole.frames - 1]
    cells = [
        Cell(sequence=whole, frame=f, caption="forecast", note=_when(f - last, fps), stage=set_up, ghost=ghost)
        for f in ahead
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
