"""Measure trained weights under a named protocol.

M is a weights folder (of `kinegraph train`: <run>/best) or a baseline's name. Several give one comparison table.
A table never mixes the targets `pixel` (absolute camera space, true root depth and intrinsics granted) and `metric`
(root-relative metres).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kinegraph.evaluation.lifting import LiftingResult

HELP = "measure weights under a named protocol"

EXAMPLES = """\
examples:
  kinegraph evaluate runs/hcsf/best --protocol synthetic-lifting
  kinegraph evaluate runs/hcsf/best --protocol mocap-lifting --data ../shared/data --input exact --json hcsf.json
  kinegraph evaluate runs/*/best --protocol mocap-lifting --data prepared/ --target metric --markdown
  kinegraph evaluate runs/lcn/best --protocol h36m-pixel --data h36m/ --input cpn_ft_h36m_dbb
  kinegraph evaluate flat --protocol synthetic-lifting        the no-depth baseline (pixel)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command\'s arguments."""
    parser.add_argument("models", nargs="+", metavar="M", help="a weights folder, or the baseline 'flat'")
    add_protocol_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON, unrounded")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` and `analyze` share."""
    protocols = "synthetic-lifting, mocap-lifting, h36m-pixel, h36m-metric, 3dhp"
    parser.add_argument("--protocol", required=True, help=protocols)
    parser.add_argument("--data", metavar="DIR", help="folder of the protocol's files, or of prepared ones")
    parser.add_argument("--extra", metavar="DIR", action="append", default=[], help="further CMU folder (repeatable)")
    parser.add_argument("--input", default="exact", help="exact (default), noisy, or a Human3.6M detector's name")
    parser.add_argument(
        "--target", choices=("pixel", "metric"), help="insist on this target; default: the weights' own"
    )
    parser.add_argument("--split", default="test", help="test (default), val or train")
    parser.add_argument("--no-flip", action="store_true", help="do not average with the mirrored input")
    parser.add_argument("--keep-s11-directions", action="store_true", help="Human3.6M: keep S11's damaged recording")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--batch", type=int, default=2048, help="poses at once")


def results_of(args: argparse.Namespace) -> list[LiftingResult]:
    """Evaluate every named model on the data of the protocol."""
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.lifting import evaluate, load_protocol
    from kinegraph.evaluation.predict import load_method

    if args.batch < 1:
        raise ConfigError(f"--batch is {args.batch}; expected 1 or more")
    check_device(args.device)
    methods = [load_method(name) for name in args.models]  # a wrong name fails before minutes of loading
    data = load_protocol(
        args.protocol,
        args.data,
        input=args.input,
        split=args.split,
        extra=args.extra,
        drop_s11_directions=not args.keep_s11_directions,
    )
    notes = []
    if args.protocol.startswith("h36m") and args.split == "test":
        notes.append(f"S11 'Directions' {'kept' if args.keep_s11_directions else 'left out, as in VideoPose3D'}")
    return [
        evaluate(
            method,
            data,
            args.protocol,
            input=args.input,
            split=args.split,
            target=args.target,
            flip_test=not args.no_flip,
            batch=args.batch,
            device=args.device,
            notes=notes,
        )
        for method in methods
    ]


def check_device(device: str) -> None:
    """Refuse a device this machine does not have."""
    import torch

    from kinegraph.errors import ConfigError

    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise ConfigError(f"--device {device} is not available here; use cpu")


def run(args: argparse.Namespace) -> int:
    """Measure the models and print a table for each target."""
    from kinegraph.atomic import write_text
    from kinegraph.evaluation.tables import comparison, report

    results = results_of(args)
    if len(results) == 1:
        text = report(results[0], markdown=args.markdown)
        content = results[0].to_json()
    else:
        text = comparison(results, markdown=args.markdown)
        content = {"protocol": args.protocol, "results": [result.to_json() for result in results]}
    print(text)
    if args.json:
        write_text(Path(args.json), json.dumps(content, indent=2) + "\n")
    return 0
