"""Early recognition of clips: the action from the first tenth of a clip, the first two tenths, to the whole.

A trained network sees the beginning of every test clip, sampled to its usual number of frames; nothing is trained anew.
(Sym-GNN's question, whether forecasting the rest helps, is that of :mod:`kinegraph.sweeps.early_recognition`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinegraph.errors import ConfigError
from kinegraph.evaluation.clip_recognition import BATCH, evaluate_clips
from kinegraph.evaluation.clip_views import ClipView
from kinegraph.evaluation.figure_files import save_figure
from kinegraph.evaluation.recognition_merge import MethodGroup, SeedResults, merge_folds
from kinegraph.evaluation.tables import text_table
from kinegraph.store.clip import Clips

__all__ = ["RATIOS", "EarlyCurve", "draw_early", "early_curve", "early_report"]

RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_COLOURS = ("#3478d8", "#de6216", "#229458", "#9e58c4", "#b66e2a", "#1490a0", "#ce5078", "#7a828e")


@dataclass(frozen=True, kw_only=True, eq=False)
class EarlyCurve:
    """Accuracy of one recipe by the share of the clips that is seen.

    Attributes:
        label: its name.
        rows: observed share, 0 to 1 -> results.
    """

    label: str
    rows: dict[float, SeedResults]

    @property
    def area(self) -> float:
        """Mean top-1 over the observed shares, percent."""
        return sum(row.mean("top1") for row in self.rows.values()) / len(self.rows)

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        first = next(iter(self.rows.values())).first
        rows = list(self.rows.values())
        return {
            "protocol": first.protocol,
            "model": self.label,
            "unit": "%",
            "observed": list(self.rows),
            "top1": [row.mean("top1") for row in rows],
            "top5": [row.mean("top5") for row in rows],
            "top1_std": [row.std("top1") for row in rows],
            "mean_top1": self.area,
            "seeds": list(rows[0].results),
            "data": first.data | {"view": {**first.data["view"], "observed": list(self.rows)}},
            "info": first.info,
            "notes": list(rows[-1].first.notes),
        }


def early_curve(
    group: MethodGroup,
    clips: Clips,
    protocol: str,
    *,
    ratios: Sequence[float] = RATIOS,
    part: str = "test",
    view: ClipView | None = None,
    batch: int = BATCH,
    progress: bool = False,
) -> EarlyCurve:
    """Measure one recipe's networks on the beginnings of the clips.

    Args:
        group: of :func:`kinegraph.evaluation.recognition_merge.group_methods`.
        clips, protocol, part, batch, progress: as of :func:`kinegraph.evaluation.clip_recognition.evaluate_clips`.
        ratios: shares of the clips that are seen, above 0, to 1.
        view: what else is done to the clips.

    Raises:
        ConfigError: no ratios, one twice, or one outside its range; and as :func:`evaluate_clips`.
    """
    if not ratios or len(set(ratios)) != len(ratios):
        raise ConfigError(f"ratios {', '.join(f'{ratio:g}' for ratio in ratios) or 'none'}: expected each once")
    views = {ratio: replace(view or ClipView(), observed=ratio) for ratio in sorted(ratios)}  # wrong ones at once
    rows = {}
    for ratio, shown in views.items():
        results = {}
        for seed, members in group.seeds.items():
            own = [
                evaluate_clips(m, clips, protocol, part=part, view=shown, batch=batch, progress=progress)
                for m in members
            ]
            results[seed] = merge_folds(own, group.label)
        rows[float(ratio)] = SeedResults(label=group.label, results=results)
    return EarlyCurve(label=group.label, rows=rows)


def early_report(curves: Sequence[EarlyCurve], *, markdown: bool = False) -> str:
    """Top-1 by the share that is seen, a line for each recipe."""
    ratios = list(curves[0].rows)
    first = curves[0].rows[ratios[-1]].first
    rows = [
        [curve.label, *(f"{row.mean('top1'):.1f}" for row in curve.rows.values()), f"{curve.area:.1f}"]
        for curve in curves
    ]
    header = ["top-1, % of the frames seen", *(f"{100 * ratio:g}" for ratio in ratios), "mean"]
    notes = dict.fromkeys(note for curve in curves for note in curve.rows[ratios[-1]].first.notes)
    return "\n".join(
        [
            f"{first.protocol} | early recognition, percent of {sum(first.counts.values())} clips | "
            f"{first.data.get('split')} split | data {str(first.data.get('fingerprint', ''))[:12]}",
            text_table(header, rows, markdown=markdown),
            *(f"note: {note}" for note in notes if not note.startswith("the first ")),
        ]
    )


def draw_early(curves: Sequence[EarlyCurve], path: Path | str) -> None:
    """A curve for each recipe, as a picture; with seeds, the band of one standard deviation."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for index, curve in enumerate(curves):
        at = [100 * ratio for ratio in curve.rows]
        values = [row.mean("top1") for row in curve.rows.values()]
        colour = _COLOURS[index % len(_COLOURS)]
        axes.plot(at, values, marker="o", markersize=4, linewidth=1.6, color=colour, label=curve.label)
        stds = [row.std("top1") for row in curve.rows.values()]
        if None not in stds:
            spread = [(value - (std or 0), value + (std or 0)) for value, std in zip(values, stds, strict=True)]
            axes.fill_between(at, [low for low, _ in spread], [high for _, high in spread], color=colour, alpha=0.15)
    protocol = next(iter(curves[0].rows.values())).first.protocol
    axes.set_xlabel("seen of each clip (%)")
    axes.set_ylabel("top-1 (%)")
    axes.set_title(f"early recognition, {protocol}", fontsize=10, loc="left")
    axes.set_ylim(0, 100)
    axes.grid(color="#e3e8ef", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)
