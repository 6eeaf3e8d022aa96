"""`analyze missing-joints`: how lifting errors grow as joints go missing."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json
from kinegraph.cli.protocols import add_protocol_arguments, lifting_of

__all__ = ["ANALYSES"]

_DESCRIPTION = """\
How do lifting errors grow as joints go missing?

Every joint of every frame is lost with a stated probability (seed 7, the same joints for every method), of exact
keypoints or, with --input noisy, of keypoints with 5 px of jitter. The error is that of all joints, found or not.
Prints the MPJPE of each method at each share; with --out also draws the curves."""

_EXAMPLES = """\
examples:
  kinegraph analyze missing-joints lift --protocol mocap-lifting --data prepared/ --input noisy --out pictures/
  kinegraph analyze missing-joints runs/*/best --protocol synthetic-lifting --shares 0 0.2 --json m.json"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="M", help="weights folders or networks of the package")
    add_protocol_arguments(parser)
    parser.add_argument("--shares", nargs="+", type=float, metavar="S", help="shares (default: 0 0.1 0.2 0.3 0.4 0.5)")
    add_report_arguments(parser)


def _run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from tqdm import tqdm

    from kinegraph.datasets.noisy import BENCHMARK_NOISE
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.missing_joints import SHARES, draw_missing, missing_curve, missing_report
    from kinegraph.evaluation.tables import headline

    if args.input not in ("exact", "noisy"):
        raise ConfigError(
            f"--input {args.input}: joints are taken from exact or noisy keypoints, not from a detector's"
        )
    sigma = BENCHMARK_NOISE.sigma_px if args.input == "noisy" else 0.0
    methods, data, options = lifting_of(args, input="exact")
    shares = tuple(args.shares) if args.shares else SHARES
    with tqdm(total=len(shares) * len(methods), desc="shares x methods", disable=None, leave=False) as bar:
        curves = missing_curve(
            methods, data, args.protocol, shares=shares, sigma_px=sigma, progress=bar.update, **options
        )
    shown = replace(curves[0].results[0], data={"poses": len(data), "fingerprint": data.fingerprint})
    conditions = headline(shown, given=f"jitter {sigma:g} px")  # of the data before joints are lost
    print(conditions)
    print(missing_report(curves, markdown=args.markdown))
    content = {"protocol": args.protocol, "sigma_px": sigma, "data": data.fingerprint, "unit": "mm"}
    write_json(args.json, {**content, "methods": [curve.to_json() for curve in curves]})
    if args.out:
        for path in draw_missing(curves, Path(args.out), title=conditions):
            print(f"wrote {path}")
    return 0


ANALYSES = {
    "missing-joints": AnalyzeCommand(
        help="lifting: how errors grow as joints go missing",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        add_arguments=_add_arguments,
        run=_run,
    )
}
