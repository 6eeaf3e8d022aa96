"""Where do methods fail, and do they fail together? The hard-pose analysis of the HCSF paper.

Prints the share of poses above 40 and 60 mm, the mean error of the hardest 5 %, and every method's error on each
method's own hardest 50, 35, 20, 10 and 5 %; with --out also draws the error histogram and one panel per method.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from kinegraph.cli.evaluate import add_protocol_arguments, results_of

HELP = "hard poses: where several methods fail"

EXAMPLES = """\
examples:
  kinegraph analyze runs/hcsf/best runs/lcn/best runs/fcn/best --protocol mocap-lifting --data prepared/ --out hard/
  kinegraph analyze runs/*/best --protocol synthetic-lifting --json hard.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    parser.add_argument("models", nargs="+", metavar="M", help="weights folders (or 'flat'), all of one target")
    add_protocol_arguments(parser)
    parser.add_argument("--out", metavar="DIR", help="draw the pictures into this folder")
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON, unrounded")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def run(args: argparse.Namespace) -> int:
    """Evaluate every model, print the hard-pose tables and draw the pictures."""
    from kinegraph.atomic import write_text
    from kinegraph.errors import KinegraphError
    from kinegraph.evaluation.hard_pose_pictures import draw
    from kinegraph.evaluation.hard_poses import from_results, report
    from kinegraph.evaluation.tables import headline

    results = results_of(args)
    hard = from_results(results)
    print(headline(results[0]))
    print(report(hard, markdown=args.markdown))
    if args.out:
        try:
            Path(args.out).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KinegraphError(f"cannot make the folder {args.out}: {error.strerror}; choose another") from error
    if args.json:
        shared = results[0].to_json()
        conditions = {key: shared[key] for key in ("protocol", "target", "input", "split", "data", "notes")}
        write_text(Path(args.json), json.dumps({**conditions, **hard.to_json()}, indent=2) + "\n")
    if args.out:
        for path in draw(hard, args.out, title=headline(results[0])):
            print(f"wrote {path}")
    return 0
