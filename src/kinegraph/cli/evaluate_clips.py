"""`evaluate` for protocols of clips: options, grouping by recipe, and what is written."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.cli.options import check_place
from kinegraph.naming import free_name

if TYPE_CHECKING:
    from kinegraph.evaluation.clip_views import ClipView
    from kinegraph.evaluation.recognition_merge import SeedResults

__all__ = [
    "CLIP_ONLY",
    "add_clip_arguments",
    "check_files",
    "clip_results",
    "clip_view",
    "evaluate_clip_models",
    "write_results",
]

CLIP_ONLY = ("views", "missing_joints", "missing_by", "save_scores", "confusion")
"""Options of clips alone."""


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of clips."""
    group = parser.add_argument_group("recognition of clips")
    group.add_argument(
        "--views", type=int, metavar="N", help="mean scores of N looks at each clip: random frames or stretches, seed 0"
    )
    group.add_argument(
        "--missing-joints", type=float, metavar="SHARE", help="every clip loses this share of its joints, seed 0"
    )
    group.add_argument(
        "--missing-by", choices=("clip", "frame"), help="lost throughout the clip (default), or anew in every frame"
    )
    group.add_argument(
        "--save-scores",
        metavar="FILE.npz",
        help="save every clip's scores, for kinegraph ensemble; of several models and seeds each has its own file",
    )
    group.add_argument(
        "--confusion", metavar="FILE", help="who is taken for whom: .png for a picture, .csv for a table"
    )


def clip_view(args: argparse.Namespace) -> ClipView:
    """What the options say about how clips are shown."""
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.clip_views import ClipView

    if args.missing_by is not None and args.missing_joints is None:
        raise ConfigError("--missing-by says how joints are lost; give --missing-joints SHARE as well")
    return ClipView(
        looks=1 if args.views is None else args.views,
        mirror=args.mirror_test,
        missing=args.missing_joints or 0.0,
        missing_by=args.missing_by or "clip",
    )


def clip_results(args: argparse.Namespace) -> list[SeedResults]:
    """Measure every model; folds merged, seeds together."""
    from kinegraph.datasets.open_clips import open_clips
    from kinegraph.evaluation.clip_recognition import BATCH, evaluate_clips, load_clip_method
    from kinegraph.evaluation.processes import is_first
    from kinegraph.evaluation.recognition_merge import SeedResults, group_methods, merge_folds

    view = clip_view(args)
    batch = BATCH if args.batch is None else args.batch
    methods = [load_clip_method(name, device=args.device) for name in args.models]  # a wrong name fails at once
    groups = group_methods(methods, args.protocol)
    clips = open_clips(args.data, args.protocol, progress=is_first())
    found = []
    for group in groups:
        results = {}
        for seed, members in group.seeds.items():
            own = [
                evaluate_clips(m, clips, args.protocol, part=args.split, view=view, batch=batch, progress=is_first())
                for m in members
            ]
            results[seed] = merge_folds(own, group.label)
        found.append(SeedResults(label=group.label, results=results))
    return found


def evaluate_clip_models(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The text to print and the JSON to write; of several processes, the first's."""
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.processes import is_first, join_processes
    from kinegraph.evaluation.recognition_merge import fuse_seeds
    from kinegraph.evaluation.recognition_tables import clip_report, joint_stream

    check_files(args)
    join_processes()
    groups = clip_results(args)
    if args.fuse is not None and len(args.fuse) != len(groups):
        raise ConfigError(
            f"--fuse has {len(args.fuse)} weights for {len(groups)} recipes ({', '.join(g.label for g in groups)}); "
            "give one each"
        )
    contents = [group.to_json() for group in groups]
    shown = list(groups)
    content = contents[0] if len(groups) == 1 else {"protocol": args.protocol, "results": contents}
    if args.fuse is not None:
        fused = fuse_seeds(groups, args.fuse)
        shown.append(fused)
        content = {**fused.to_json(), "fuse": args.fuse, "joint": joint_stream(groups), "streams": contents}
    text = clip_report(shown, markdown=args.markdown)
    if is_first():
        text = "\n".join([text, *write_results(shown, args.save_scores, args.confusion)])
    return text, content


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
