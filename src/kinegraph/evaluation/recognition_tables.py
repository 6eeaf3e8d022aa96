"""Recognition of clips as plain text or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinegraph.errors import DataError
from kinegraph.evaluation.recognition_merge import SeedResults
from kinegraph.evaluation.recognition_result import what_is_shown
from kinegraph.evaluation.tables import cost, text_table
from kinegraph.metrics import CALIBRATION_BINS

__all__ = ["clip_report", "joint_stream"]


def clip_report(groups: Sequence[SeedResults], *, markdown: bool = False) -> str:
    """One line per recipe, the folds and seeds of those that have several, then each class of the last one.

    Raises:
        DataError: other protocols, data, parts or views of the clips, which do not belong in one table.
    """
    if not groups:
        raise DataError("nothing to report")
    first = groups[0].first
    for group in groups[1:]:
        for what, one, other in (
            ("protocol", first.protocol, group.first.protocol),
            ("fingerprint", first.data.get("fingerprint"), group.first.data.get("fingerprint")),
            ("split", first.data.get("split"), group.first.data.get("split")),
            ("view of the clips", what_is_shown(first), what_is_shown(group.first)),
        ):
            if one != other:
                raise DataError(f"{groups[0].label} and {group.label} were measured on another {what} ({one}; {other})")
    folds = f", mean over {len(first.folds)} folds" if first.folds else ""
    lines = [
        f"{first.protocol} | percent of {sum(first.counts.values())} {first.of}{folds}; class mean: unweighted over "
        f"{len(first.counts)} classes | {first.data.get('split')} split | data "
        f"{str(first.data.get('fingerprint', ''))[:12]}",
        _summary(groups, markdown),
    ]
    lines += _spread(groups, markdown)
    last = groups[-1]
    lines += ["", f"{last.label}, class by class:", _classes(last, markdown)]
    notes = dict.fromkeys(note for group in groups for result in group.results.values() for note in result.notes)
    lines += [_fact(group) for group in groups if _fact(group)]
    lines += [f"note: {note}" for note in notes]
    if any("fused" in group.first.info for group in groups):
        joint = joint_stream(groups)
        lines.append(
            "note: none of them is of the joint stream; its number belongs beside a fused one"
            if joint is None
            else f"joint stream alone ({joint['model']}): top-1 {joint['top1']:.1f}, top-5 {joint['top5']:.1f}"
        )
    lines.append(f"note: ECE is the expected calibration error, {CALIBRATION_BINS} bins, in percent; NLL is in nats")
    return "\n".join(lines)


def joint_stream(groups: Sequence[SeedResults]) -> dict[str, Any] | None:
    """Name and accuracy (percent) of the first that is of the joint stream, which belongs beside a fused figure."""
    for group in groups:
        if group.first.info.get("stream") == "joint":
            return {"model": group.label, "top1": group.mean("top1"), "top5": group.mean("top5")}
    return None


def _summary(groups: Sequence[SeedResults], markdown: bool) -> str:
    header = ["method", "stream", "top-1", "top-5", "class mean", "ECE", "NLL", "parameters", "training"]
    rows = []
    for group in groups:
        info = group.first.info
        rows.append(
            [
                group.label,
                str(info.get("stream") or "-"),
                _with_std(group, "top1"),
                _with_std(group, "top5"),
                f"{group.mean('class_top1'):.1f}",
                f"{group.mean('ece'):.1f}",
                f"{group.mean('nll'):.3f}",
                *cost(info),
            ]
        )
    return text_table(header, rows, markdown=markdown)


def _spread(groups: Sequence[SeedResults], markdown: bool) -> list[str]:
    """Tables of folds and of seeds."""
    lines: list[str] = []
    if any(group.first.folds for group in groups):
        numbers = list(dict.fromkeys(fold["fold"] for group in groups for fold in group.first.folds))
        rows = []
        for group in groups:
            for seed, result in group.results.items():
                found = {fold["fold"]: f"{fold['top1']:.1f}" for fold in result.folds}
                if result.folds:
                    name = group.label if len(group.results) == 1 else f"{group.label}, seed {seed}"
                    rows.append(
                        [name, *(found.get(n, "-") for n in numbers), f"{result.top1:.1f}", f"{result.spread:.1f}"]
                    )
        header = ["top-1 by fold", *map(str, numbers), "mean", "std"]
        lines += ["", text_table(header, rows, markdown=markdown)]
    elif any(len(group.results) > 1 for group in groups):
        rows = [
            [f"{group.label}, seed {seed}", f"{result.top1:.1f}", f"{result.top5:.1f}", f"{result.class_top1:.1f}"]
            for group in groups
            for seed, result in group.results.items()
        ]
        lines += ["", text_table(["seed by seed", "top-1", "top-5", "class mean"], rows, markdown=markdown)]
    return lines


def _classes(group: SeedResults, markdown: bool) -> str:
    one, five = group.mean_of("per_class"), group.mean_of("per_class_top5")
    result = group.first
    rows = [
        [action, str(result.counts[action]), f"{one[action]:.1f}", f"{five[action]:.1f}", _mistaken(group, action)]
        for action in one
    ]
    mistaken = "most taken for" + (f" ({len(group.results)} seeds)" if len(group.results) > 1 else "")
    return text_table(["action", result.of, "top-1", "top-5", mistaken], rows, markdown=markdown)


def _mistaken(group: SeedResults, action: str) -> str:
    """Whom an action's clips are most often taken for by all seeds, and how often; ``-`` where never for another."""
    classes = group.first.classes
    own = classes.index(action)
    row = group.confusion[own].tolist()
    row[own] = 0
    most = max(row)
    return f"{classes[row.index(most)]} ({most})" if most else "-"


def _with_std(group: SeedResults, figure: str) -> str:
    std = group.std(figure)
    return f"{group.mean(figure):.1f}" + ("" if std is None else f" +- {std:.1f}")


def _fact(group: SeedResults) -> str:
    info = group.first.info
    facts = [f"seeds {', '.join(map(str, group.results))}" if len(group.results) > 1 else f"seed {info.get('seed')}"]
    checkpoint = info.get("checkpoint")
    if isinstance(checkpoint, dict):
        facts.append(f"checkpoint: {checkpoint.get('chosen_by')}")
    if info.get("protocol"):
        facts.append(f"trained under {info['protocol']}")
    return f"{group.label}: {'; '.join(facts)}" if info.get("seed") is not None else ""
