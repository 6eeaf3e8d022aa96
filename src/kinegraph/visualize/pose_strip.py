"""Rows of poses at the same instants: the truth above what each model forecast (Sym-GNN, Fig. 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.visualize.projection import stage
from kinegraph.visualize.stills import Cell, write_grid

__all__ = ["write_pose_strip"]

Array = NDArray[np.float64]
_CLOSER = 0.72


def write_pose_strip(
    path: Path | str,
    skeleton: Skeleton,
    observed: Array,
    truth: Array,
    forecasts: Mapping[str, Array],
    *,
    instants: Sequence[str],
    notes: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
    subtitle: str = "",
    theme_name: str = "light",
    cell_size: tuple[int, int] = (112, 176),
) -> None:
    """A first row with the truth, then a row for each model with the truth pale behind; all from one viewpoint.

    Args:
        path: the picture (.png).
        skeleton: of all poses.
        observed: (joints, 3) the last observed pose, metres, y up.
        truth: (instants, joints, 3).
        forecasts: label -> (instants, joints, 3).
        instants: what to call each.
        notes: label -> a few words below each pose.
        title, subtitle: at the top.
        theme_name: ``light`` or ``dark``.
        cell_size: of one pose, px.

    Raises:
        DataError: nothing to draw.
        KinegraphError: the path cannot be written.
    """

    def sequence(poses: Array) -> SkeletonSequence:
        return SkeletonSequence(
            np.concatenate([observed[None], poses])[None], skeleton, unit="m", space="world", up="y"
        )

    true = sequence(truth)
    set_up = stage(true)
    words = notes or {}
    # one upright body in a narrow cell: the stage leaves room for somebody lying, which would draw it small
    set_up = replace(set_up, view=replace(set_up.view, radius=_CLOSER * set_up.view.radius))
    rows = [
        [
            Cell(sequence=true, frame=0, caption="last seen", note="truth", stage=set_up),
            *(
                Cell(sequence=true, frame=frame, caption=name, stage=set_up)
                for frame, name in enumerate(instants, start=1)
            ),
        ]
    ]
    for label, poses in forecasts.items():
        own, said = sequence(poses), words.get(label, [""] * len(poses))
        row = [Cell(sequence=own, frame=0, note=label, stage=set_up)]
        for frame, note in enumerate(said, start=1):
            row.append(Cell(sequence=own, frame=frame, note=note, stage=set_up, ghost=true))
        rows.append(row)
    write_grid(path, rows, title=title, subtitle=subtitle, theme_name=theme_name, cell_size=cell_size)
