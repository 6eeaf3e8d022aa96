"""`analyze hard-poses`: where lifting methods fail, and whether they fail together."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json
from kinegraph.cli.protocols import add_protocol_arguments, results_of

__all__ = ["ANALYSES"]

_DESCRIPTION = """\
Where do methods fail, and do they fail together? The hard-pose analysis of the HCSF paper.

Prints the share of poses above 40 and 60 mm, the mean error of the hardest 5 %, and every method's error on each
method's own hardest 50, 35, 20, 10 and 5 %; with --out also draws the error histogram and one panel per method."""

_EXAMPLES = """\
examples:
  kinegraph analyze hard-poses runs/hcsf/best runs/lcn/best --protocol mocap-lifting --data prepared/ --out hard/
  kinegraph analyze hard-poses runs/*/best --protocol synthetic-lifting --json hard.json"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="M", help="weights folders (or 'flat'), all of one target")
    add_protocol_arguments(parser)
    add_report_arguments(parser)


def _run(args: argparse.Namespace) -> int:
    from kinegraph.evaluation.hard_pose_pictures import draw
    from kinegraph.evaluation.hard_poses import from_results, report
    from kinegraph.evaluation.tables import headline

    results = results_of(args)
    hard = from_results(results)
    print(headline(results[0]))
    print(report(hard, markdown=args.markdown))
    folder = Path(args.out) if args.out else None
    shared = results[0].to_json()
    conditions = {key: shared[key] for key in ("protocol", "target", "input", "split", "data", "notes")}
    write_json(args.json, {**conditions, **hard.to_json()})
    if folder is not None:
        for path in draw(hard, folder, title=headline(results[0])):
            print(f"wrote {path}")
    return 0


ANALYSES = {
    "hard-poses": AnalyzeCommand(
        help="lifting: where several methods fail, and whether together",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        add_arguments=_add_arguments,
        run=_run,
    )
}
