"""Results as plain text or Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kinegraph.errors import DataError
from kinegraph.evaluation.lifting import LiftingResult
from kinegraph.evaluation.provenance import told_facts

_TITLES = {
    "mpjpe_mm": "MPJPE",
    "pa_mpjpe_mm": "PA-MPJPE",
    "n_mpjpe_mm": "N-MPJPE",
    "pck": "PCK",
    "auc": "AUC",
}


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Columns aligned, the first to the left and the others to the right."""
    lines = [list(map(str, header)), *(list(map(str, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    if markdown:
        rule = [":" + "-" * max(2, widths[0] - 1), *("-" * max(2, width - 1) + ":" for width in widths[1:])]
        return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
    laid = ["  ".join([line[0].ljust(widths[0]), *_right(line[1:], widths[1:])]).rstrip() for line in lines]
    return "\n".join([laid[0], "-" * max(map(len, laid)), *laid[1:]])


def _right(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]


def cost(info: Mapping[str, Any]) -> list[str]:
    """Cells of a network's size and of how long it trained; ``-`` where one is not known."""
    parameters, seconds = info.get("parameters"), info.get("train_seconds")
    return ["-" if parameters is None else f"{parameters:,}", "-" if seconds is None else _duration(float(seconds))]


def check_comparable(results: Sequence[Any], *conditions: str) -> None:
    """Refuse (DataError) results of other data, or that differ in one of these attributes: a table would mislead."""
    for first, other in ((results[0], other) for other in results[1:]):
        for key in conditions:
            if getattr(first, key) != getattr(other, key):
                raise DataError(
                    f"{first.label} has {key} {getattr(first, key)}, {other.label} {getattr(other, key)}: "
                    "such numbers do not belong in one table"
                )
        if first.data.get("fingerprint") != other.data.get("fingerprint"):
            raise DataError(f"{first.label} and {other.label} were measured on different data")


def headline(result: LiftingResult, given: str | None = None) -> str:
    """What was measured, and on what: the line above every table.

    Args:
        result: of one method.
        given: what was done to the input, where that is more than the name of the protocol's input.
    """
    flip = "with flip test" if result.flip_test else "no flip test"
    return (
        f"{result.protocol} | target {result.target} | {given or f'input {result.input}'} | {result.split} split, "
        f"{result.data['poses']} poses, data {result.data['fingerprint'][:12]} | {flip}"
    )


def lifting_report(result: LiftingResult, *, markdown: bool = False) -> str:
    """One method, action by action."""
    keys = [key for key in _TITLES if key in result.per_action]
    header = ["action" if result.protocol != "3dhp" else "sequence", *(_TITLES[key] for key in keys)]
    rows = [
        [action, *(f"{result.per_action[key][action]:.1f}" for key in keys)] for action in result.per_action[keys[0]]
    ]
    rows.append(["average", *(f"{getattr(result, key):.1f}" for key in keys)])
    lines = [f"{result.label}: {headline(result)}", text_table(header, rows, markdown=markdown), *_facts(result)]
    if len(result.per_subject) > 1:
        bodies = ", ".join(f"{name} {error:.1f}" for name, error in result.per_subject.items())
        lines.append(f"MPJPE by subject, mean over poses: {bodies}")
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])


def lifting_comparison(results: Sequence[LiftingResult], *, markdown: bool = False) -> str:
    """Several methods, one line each.

    Raises:
        DataError: they differ in protocol, target, input, split, flip test or data, so a table would mislead.
    """
    if not results:
        raise DataError("nothing to compare")
    first = results[0]
    check_comparable(results, "protocol", "target", "input", "split", "flip_test")
    keys = [key for key in _TITLES if key in first.per_action]
    header = ["method", *(_TITLES[key] for key in keys), "MPJVE", "parameters", "training"]
    rows = []
    for result in results:
        rows.append(
            [
                result.label,
                *(f"{getattr(result, key):.1f}" for key in keys),
                "-" if result.mpjve_mm is None else f"{result.mpjve_mm:.2f}",
                *cost(result.info),
            ]
        )
    notes = tuple(dict.fromkeys(note for result in results for note in result.notes))
    return "\n".join(
        [headline(first), text_table(header, rows, markdown=markdown), *(f"note: {note}" for note in notes)]
    )


def _facts(result: LiftingResult) -> list[str]:
    facts = told_facts(result.info)
    if result.mpjve_mm is not None:
        facts.append(f"MPJVE {result.mpjve_mm:.2f} mm/frame")
    return ["; ".join(facts)] if facts else []


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
