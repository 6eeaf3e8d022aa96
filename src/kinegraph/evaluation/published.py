"""Printed numbers, to stand beside measured ones: which table, which conditions, and what makes them incomparable.

All of the forecasting numbers are the best over all evaluations *on the test set*, for each cell by itself; ours are
one checkpoint chosen on validation. :mod:`kinegraph.evaluation.motion_tables` therefore never puts them into the same
block as measured rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["CMU_ACTIONS", "PublishedRow", "published", "published_average"]


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One method as printed.

    Attributes:
        method: its name.
        source: where the figures stand.
        times_ms: the columns.
        per_action: action -> figures; empty where only an average is printed.
        average: the printed average; empty where it is to be computed from `per_action`.
        over: what the printed average is over.
        conditions: what differs from our protocol.
    """

    method: str
    source: str
    times_ms: tuple[int, ...]
    per_action: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    average: tuple[float, ...] = ()
    over: str = ""
    conditions: str = "best of all evaluations on the test set, per cell"


_TIMES = (80, 160, 320, 400, 1000)
CMU_ACTIONS = (
    "basketball",
    "basketball_signal",
    "directing_traffic",
    "jumping",
    "running",
    "soccer",
    "walking",
    "washwindow",
)

# Li et al., Sym-GNN, TPAMI 2021, Table 7: eight actions x (80, 160, 320, 400, 1000) "ms", action by action.
_TABLE_7 = {
    "Res-sup": (
        ".49 .77 1.26 1.45 1.77  .42 .76 1.33 1.54 2.17  .31 .58 .94 1.10 2.06  .57 .86 1.76 2.03 2.42 "
        ".32 .48 .65 .74 1.00  .29 .50 .87 .98 1.73  .35 .45 .59 .64 .88  .32 .47 .74 .93 1.37"
    ),
    "Res-uns": (
        ".53 .82 1.30 1.47 1.81  .44 .80 1.35 1.55 2.17  .35 .62 .95 1.14 2.08  .59 .90 1.82 2.05 2.46 "
        ".35 .50 .69 .76 1.04  .31 .51 .90 1.00 1.77  .36 .47 .62 .65 .93  .33 .47 .75 .95 1.40"
    ),
    "CSM": (
        ".37 .62 1.07 1.18 1.95  .32 .59 1.04 1.24 1.96  .25 .56 .89 1.00 2.04  .39 .60 1.36 1.56 2.01 "
        ".28 .41 .52 .57 .67  .26 .44 .75 .87 1.56  .35 .44 .45 .50 .78  .30 .47 .80 1.01 1.39"
    ),
    "BiHMP-GAN": (
        ".37 .62 1.02 1.11 1.83  .32 .56 1.01 1.18 1.89  .25 .51 .85 .96 1.95  .39 .57 1.32 1.51 1.94 "
        ".28 .40 .50 .53 .62  .26 .44 .72 .82 1.51  .35 .45 .44 .46 .72  .31 .46 .77 .92 1.31"
    ),
    "Skel-TNet": (
        ".35 .63 1.04 1.14 1.78  .24 .40 .69 .80 1.07  .22 .44 .78 .90 1.88  .35 .53 1.28 1.49 1.85 "
        ".38 .48 .57 .62 .71  .24 .41 .69 .79 1.44  .33 .41 .45 .48 .73  .31 .46 .79 .96 1.37"
    ),
    "Sym-GNN (No recg)": (
        ".33 .48 .95 1.09 1.47  .15 .26 .47 .56 1.04  .20 .41 .77 .89 1.95  .32 .55 1.40 1.60 1.87 "
        ".21 .33 .53 .56 .66  .22 .38 .72 .83 1.38  .26 .32 .38 .41 .54  .22 .33 .62 .83 1.07"
    ),
    "Sym-GNN": (
        ".32 .48 .91 1.06 1.47  .12 .21 .38 .49 .94  .20 .41 .75 .87 1.84  .32 .55 1.40 1.60 1.82 "
        ".21 .33 .53 .56 .65  .19 .32 .66 .78 1.32  .26 .32 .35 .39 .52  .22 .33 .55 .73 1.05"
    ),
}


def _eight_actions(text: str) -> dict[str, tuple[float, ...]]:
    figures = [float(word) for word in text.split()]
    return {action: tuple(figures[5 * place : 5 * place + 5]) for place, action in enumerate(CMU_ACTIONS)}


_CMU_EULER = tuple(
    PublishedRow(
        method=method,
        source="Li et al., Sym-GNN, TPAMI 2021, Table 7",
        times_ms=_TIMES,
        per_action=_eight_actions(text),
        conditions="best of all evaluations on the test set, per cell; the print does not name the columns",
    )
    for method, text in _TABLE_7.items()
)

_CMU_MPJPE = tuple(
    PublishedRow(
        method=method,
        source=source,
        times_ms=_TIMES,
        average=figures,
        over="all 8 actions",
        conditions="70 mm a unit (true: 56.44); best of all evaluations on the test set, per cell",
    )
    for method, source, figures in (
        ("LTD", "Mao et al., ICCV 2019", (9.9, 18.0, 33.6, 40.9, 81.9)),
        ("MSR-GCN", "Dang et al., ICCV 2021", (8.7, 15.8, 30.6, 38.1, 78.6)),
        ("PGBIG", "Ma et al., CVPR 2022", (8.2, 15.4, 30.1, 37.3, 76.7)),
    )
)

_H36M_EULER = tuple(
    PublishedRow(
        method=method,
        source="Li et al., Sym-GNN, TPAMI 2021, Table 6",
        times_ms=(80, 160, 320, 400),
        average=figures,
        over="15 actions",
    )
    for method, figures in (
        ("ZeroV", (0.39, 0.77, 1.05, 1.21)),
        ("Res-sup", (0.40, 0.69, 1.04, 1.18)),
        ("CSM", (0.38, 0.68, 1.01, 1.13)),
        ("TP-RNN", (0.37, 0.66, 0.99, 1.11)),
        ("AGED", (0.33, 0.58, 0.94, 1.01)),
        ("Skel-TNet", (0.36, 0.64, 0.99, 1.02)),
        ("Sym-GNN (No recg)", (0.26, 0.50, 0.82, 0.94)),
        ("Sym-GNN", (0.26, 0.49, 0.79, 0.92)),
    )
)

_FRAMES_MS = tuple(round(1000 * frame / 30) for frame in range(1, 11))
_NTU_PCK = tuple(
    PublishedRow(
        method=f"{method} ({split})",
        source="Li et al., Sym-GNN, TPAMI 2021, Table 4",
        times_ms=_FRAMES_MS,
        average=tuple(float(word) for word in figures.split()),
        over=split,
        conditions="the print does not say which size 0.05 refers to",
    )
    for method, split, figures in (
        ("ZeroV", "X-Sub", "70.32 52.77 32.64 23.19 18.05 14.11 11.92 9.84 8.35 6.04"),
        ("Res-sup", "X-Sub", "76.25 55.96 40.31 29.47 22.81 16.96 13.65 11.57 10.13 8.87"),
        ("CSM", "X-Sub", "82.38 68.11 56.84 45.26 38.65 30.41 26.15 22.74 17.52 15.96"),
        ("Skel-TNet", "X-Sub", "93.62 86.44 81.03 75.85 70.81 66.57 59.60 54.45 46.92 40.18"),
        ("Sym-GNN (No recg)", "X-Sub", "98.74 97.07 94.95 93.94 93.48 91.79 90.69 89.27 87.87 86.01"),
        ("Sym-GNN", "X-Sub", "99.00 97.65 95.89 95.10 93.44 92.70 91.75 90.65 89.54 89.10"),
        ("ZeroV", "X-View", "75.69 55.72 39.88 29.60 21.91 15.23 12.06 10.18 8.70 7.33"),
        ("Res-sup", "X-View", "78.85 59.91 43.82 32.37 24.32 18.51 14.86 12.29 10.38 8.85"),
        ("CSM", "X-View", "85.41 71.75 58.20 46.69 39.07 31.85 28.43 24.17 19.66 18.93"),
        ("Skel-TNet", "X-View", "94.81 89.12 83.85 79.00 72.74 69.11 62.39 66.97 48.88 42.70"),
        ("Sym-GNN (No recg)", "X-View", "98.99 96.79 95.55 94.68 93.03 92.13 90.88 89.69 88.70 87.57"),
        ("Sym-GNN", "X-View", "99.25 97.87 96.38 95.21 94.06 92.95 91.94 91.01 90.18 89.27"),
    )
)

_ROWS: dict[str, tuple[PublishedRow, ...]] = {
    "cmu-euler-64": _CMU_EULER,
    "cmu-euler-std": _CMU_EULER,
    "cmu-mpjpe": _CMU_MPJPE,
    "h36m-euler": _H36M_EULER,
    "ntu-pck": _NTU_PCK,
}

CMU_RECOGNITION = {
    "ST-GCN": (87.5, 96.9),
    "HCN": (95.4, 99.2),
    "2s-AGCN": (97.1, 99.8),
    "Sym-GNN (Only J)": (96.5, 99.4),
    "Sym-GNN (Only P)": (94.9, 98.0),
    "Sym-GNN (No bone)": (93.5, 95.8),
    "Sym-GNN (No pred)": (96.6, 99.4),
    "Sym-GNN": (98.8, 100.0),
}
"""Method -> top-1, top-5 in percent: Sym-GNN, Table 3, CMU Mocap, eight actions (windows not described)."""


def published(protocol: str) -> tuple[PublishedRow, ...]:
    """Printed rows of a forecasting protocol; none where there are none."""
    return _ROWS.get(protocol, ())


def published_average(row: PublishedRow, actions: Sequence[str]) -> tuple[tuple[float, ...], str]:
    """A printed row's average over `actions`, and over what it really is.

    Computed from the printed figures of those actions where there are any; otherwise the printed average.
    """
    chosen = [row.per_action[action] for action in actions if action in row.per_action]
    if row.per_action and len(chosen) == len(actions) and chosen:
        columns = zip(*chosen, strict=True)
        return tuple(sum(column) / len(chosen) for column in columns), f"{len(chosen)} actions"
    return row.average, row.over
