"""Forecasting and recognition results as plain text or Markdown, printed numbers in a block of their own."""

from __future__ import annotations

from collections.abc import Sequence

from kinegraph.errors import DataError
from kinegraph.evaluation.forecasting import ForecastResult
from kinegraph.evaluation.provenance import told_facts
from kinegraph.evaluation.published import CMU_RECOGNITION, PublishedRow, published, published_average
from kinegraph.evaluation.recognition import RecognitionResult
from kinegraph.evaluation.tables import check_comparable, cost, text_table

__all__ = ["forecast_comparison", "forecast_report", "recognition_report"]

_FIGURES = {
    "wrapped": "average, angle differences on the circle",
    "unit_70mm": "average at the published 70 mm a unit",
}


def forecast_report(result: ForecastResult, *, markdown: bool = False) -> str:
    """One method, action by action, with the printed rows of the protocol below."""
    decimals = _decimals(result)
    header = ["action", *(str(time) for time in result.times_ms)]
    rows = [[action, *_cells(values, decimals)] for action, values in result.per_action.items()]
    if len(result.average_over) > 1:
        rows.append([f"average of {len(result.average_over)}", *_cells(result.average, decimals)])
    for figure, title in _FIGURES.items():
        if figure in result.further:
            rows.append([title, *_cells(result.further[figure]["average"], decimals)])
    lines = [f"{result.label}: {_headline(result)}", text_table(header, rows, markdown=markdown)]
    facts = told_facts(result.info)
    lines += ["; ".join(facts)] if facts else []
    lines += [f"note: {note}" for note in result.notes]
    return "\n".join([*lines, *_published_block(result, markdown)])


def forecast_comparison(results: Sequence[ForecastResult], *, markdown: bool = False) -> str:
    """Several methods, one line each: the average over the same actions.

    Raises:
        DataError: they differ in protocol, data or actions, so a table would mislead.
    """
    if not results:
        raise DataError("nothing to compare")
    first = results[0]
    check_comparable(results, "protocol", "average_over", "times_ms", "metric")
    decimals = _decimals(first)
    header = ["method", *(str(time) for time in first.times_ms), "parameters", "training"]
    rows = [[r.label, *_cells(r.average, decimals), *cost(r.info)] for r in results]
    lines = [_headline(first), text_table(header, rows, markdown=markdown)]
    for figure, title in _FIGURES.items():
        if all(figure in result.further for result in results):
            short = [[r.label, *_cells(r.further[figure]["average"], decimals)] for r in results]
            lines += ["", f"{title}:", text_table(header[:-2], short, markdown=markdown)]
    notes = dict.fromkeys(note for result in results for note in result.notes)
    return "\n".join([*lines, *(f"note: {note}" for note in notes), *_published_block(first, markdown)])


def recognition_report(results: Sequence[RecognitionResult], *, markdown: bool = False) -> str:
    """One or several recognisers: top-1 and top-5, then each class of the last one, then the printed rows.

    Raises:
        DataError: no results.
    """
    if not results:
        raise DataError("nothing to report")
    last = results[-1]
    rows = [
        [r.label, f"{r.top1:.1f}", f"{r.top5:.1f}", f"{r.pooled_top1:.1f}", f"{r.pooled_top5:.1f}"] for r in results
    ]
    header = ["method", "top-1", "top-5", "pooled top-1", "pooled top-5"]
    lines = [
        f"{last.protocol} | percent of windows, mean over {len(last.per_class)} actions, pooled over "
        f"{sum(last.counts.values())} windows | data {str(last.data.get('fingerprint', ''))[:12]}",
        text_table(header, rows, markdown=markdown),
        "",
        f"{last.label}, class by class; who is taken for whom in windows:",
        text_table(
            ["action", "top-1", "top-5", *last.classes],
            [
                [
                    action,
                    f"{last.per_class[action]:.1f}",
                    f"{last.per_class_top5[action]:.1f}",
                    *(str(count) for count in last.confusion[last.classes.index(action)]),
                ]
                for action in last.per_class
            ],
            markdown=markdown,
        ),
    ]
    facts = told_facts(last.info)
    lines += ["; ".join(facts)] if facts else []
    lines += [f"note: {note}" for note in dict.fromkeys(note for result in results for note in result.notes)]
    printed = [[name, f"{one:.1f}", f"{five:.1f}"] for name, (one, five) in CMU_RECOGNITION.items()]
    lines += [
        "",
        "published (Li et al., Sym-GNN, TPAMI 2021, Table 3; all 8 actions, windows not described):",
        text_table(["method", "top-1", "top-5"], printed, markdown=markdown),
    ]
    return "\n".join(lines)


def _headline(result: ForecastResult) -> str:
    """What was measured, and on what: the line above every table."""
    truth = ", ".join(f"{time:.0f}" for time in result.elapsed_ms)
    named = tuple(round(time) for time in result.elapsed_ms) == result.times_ms
    clock = "ms" if named else f'labels in "ms"; truly {truth} ms'
    better = "higher" if result.higher_is_better else "lower"
    split = " ".join(result.data[key] for key in ("benchmark", "split") if key in result.data)
    return (
        f"{result.protocol} | {result.metric}, {result.unit}, {better} is better | {split} split, "
        f"{sum(result.windows.values())} windows, data {str(result.data.get('fingerprint', ''))[:12]} | {clock}"
    )


def _published_block(result: ForecastResult, markdown: bool) -> list[str]:
    """Printed rows, grouped by what they were measured under; nothing where the split is not the test set."""
    groups: dict[str, list[PublishedRow]] = {}
    if result.data.get("split") == "test":
        for row in published(result.protocol):
            over = published_average(row, result.average_over)[1]
            groups.setdefault(f"{row.conditions}; average over {over}", []).append(row)
    lines: list[str] = []
    decimals = _decimals(result)
    for conditions, rows in groups.items():
        cells = []
        for row in rows:
            values = dict(zip(row.times_ms, published_average(row, result.average_over)[0], strict=True))
            cells.append([row.method, *(f"{values[t]:.{decimals}f}" if t in values else "-" for t in result.times_ms)])
        sources = "; ".join(dict.fromkeys(row.source for row in rows))
        header = ["method", *(str(time) for time in result.times_ms)]
        lines += ["", f"published ({sources}) - {conditions}:", text_table(header, cells, markdown=markdown)]
    return lines


def _decimals(result: ForecastResult) -> int:
    return 2 if result.unit == "rad" else 1


def _cells(values: Sequence[float], decimals: int) -> list[str]:
    return [f"{value:.{decimals}f}" for value in values]
