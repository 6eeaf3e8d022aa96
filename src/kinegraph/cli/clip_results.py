"""What `evaluate` and `ensemble` write of clips: scores and confusion matrices."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinegraph.cli.options import check_place
from kinegraph.naming import free_name

if TYPE_CHECKING:
    from kinegraph.evaluation.recognition_merge import SeedResults

__all__ = ["check_files", "write_results"]


def check_files(args: argparse.Namespace) -> None:
    """Refuse names that cannot be written before minutes of work."""
    from kinegraph.errors import ConfigError

    for flag, name, suffixes in (
        ("--save-scores", args.save_scores, (".npz",)),
        ("--confusion", args.confusion, (".png", ".csv")),
    ):
        if name is not None and Path(name).suffix.lower() not in suffixes:
            raise ConfigError(f"{flag} {name}: expected a name with {' or '.join(suffixes)}")
        check_place(flag, name)
    check_place("--json", args.json)


def write_results(
    groups: list[SeedResults], scores: str | None, confusion: str | None, beside: Sequence[SeedResults] = ()
) -> list[str]:
    """Write scores and confusion matrices; lines that say so. `beside`: what was fused, where it is not written."""
    from kinegraph.evaluation.score_files import save_scores

    lines: list[str] = []
    if scores is not None:
        results, labels = [], []
        for group in groups:
            for seed, result in group.results.items():
                results.append(result)
                labels.append(group.label if len(group.results) == 1 else f"{group.label}_seed{seed}")
        for result, path in zip(results, _one_each(Path(scores), labels), strict=True):
            save_scores(result, path)
            lines.append(f"scores: {path}")
    if confusion is not None:
        from kinegraph.evaluation.confusion import write_confusion
        from kinegraph.evaluation.recognition_tables import joint_stream

        for group, path in zip(groups, _one_each(Path(confusion), [group.label for group in groups]), strict=True):
            joint = joint_stream([*groups, *beside]) if "fused" in group.first.info else None
            write_confusion({**group.to_json(), "joint": joint}, path)
            lines.append(f"confusion matrix: {path}")
    return lines


def _one_each(path: Path, labels: Sequence[str]) -> list[Path]:
    """A file for each label: the one asked for if there is one, else files with the labels in their names."""
    if len(labels) == 1:
        return [path]
    stems: list[str] = []
    for label in labels:  # they may differ in nothing that a file's name can hold
        safe = re.sub(r"[^\w.+-]+", "_", label)
        stems.append(free_name(f"{path.stem}_{safe}", stems))
    return [path.with_name(stem + path.suffix) for stem in stems]
