"""`evaluate` for protocols of clips: options, and grouping by recipe."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from kinegraph.cli.clip_results import check_files, write_results

if TYPE_CHECKING:
    from kinegraph.evaluation.clip_views import ClipView
    from kinegraph.evaluation.recognition_merge import SeedResults

__all__ = [
    "CLIP_ONLY",
    "add_clip_arguments",
    "clip_results",
    "clip_view",
    "evaluate_clip_models",
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
