"""`analyze people`: whose lifting errors, and how much of them is a joint defined elsewhere."""

from __future__ import annotations

import argparse

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json
from kinegraph.cli.protocols import add_protocol_arguments, lifting_of

__all__ = ["ANALYSES"]

_DESCRIPTION = """\
On whom do lifters err: people of the training data, or others? And is it their rig?

Data sets put hips, thorax and head in different places of the body, and a network learns those of its own. The first
table has the MPJPE of each person; the second after each joint's mean error in the frame of the person's trunk (left,
up, forward) is taken away. Where the two are alike, the poses are wrong, not the definition of the joints. The offsets
themselves are in --json."""

_EXAMPLES = """\
examples:
  kinegraph analyze people runs/hcsf/best runs/lcn/best --protocol mocap-lifting --data prepared/
  kinegraph analyze people lift lift-temporal --protocol mocap-lifting --data prepared/ --split val --json p.json"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", nargs="+", metavar="M", help="weights folders or networks of the package, of one target"
    )
    add_protocol_arguments(parser)
    add_report_arguments(parser, out=False)


def _run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.people_errors import people_errors, people_report

    methods, data, options = lifting_of(args)
    targets = {method.transform.target for method in methods}
    if len(targets) > 1:
        raise ConfigError("methods of targets pixel and metric: their errors are not of one kind; analyse them apart")
    given = {name: options[name] for name in ("target", "flip_test", "batch", "device")}
    found = [
        people_errors(method, data, args.protocol, **given)
        for method in tqdm(methods, desc="networks", disable=None, leave=False)
    ]
    flip = "with flip test" if options["flip_test"] else "no flip test"
    print(
        f"{args.protocol} | target {targets.pop()} | input {args.input} | {args.split} split, {len(data)} poses, data "
        f"{data.fingerprint[:12]} | {flip}"
    )
    print(people_report(found, markdown=args.markdown))
    content = {"protocol": args.protocol, "input": args.input, "split": args.split, "data": data.fingerprint}
    rows = [one.to_json() for errors in found for one in errors]
    write_json(args.json, {"analysis": "people", **content, "unit": "mm", "results": rows})
    return 0


ANALYSES = {
    "people": AnalyzeCommand(
        help="lifting: whose errors, and how much is a joint that other data put elsewhere",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        add_arguments=_add_arguments,
        run=_run,
    )
}
