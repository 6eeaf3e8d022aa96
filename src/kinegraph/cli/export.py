"""Write a network for other programs: ONNX (OUT.onnx) or a torch.export program (OUT.pt2).

Normalisation is part of the graph: pixels, metres or radians go in and come out, as OUT.onnx.json says. Lengths of
batch and recording are free. A forecaster is two files: OUT observes, OUT_step makes one frame of the future. Before
anything is written the graph runs on real input beside PyTorch; an error of 1e-4 or more is refused.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.cli.recordings import read_recording
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.export.exporting import Exported

HELP = "write a network as ONNX or torch.export, checked against PyTorch"

EXAMPLES = """\
examples:
  kinegraph export lift lifter.onnx                        # the lifter in the package
  kinegraph export forecast walker.onnx --check walk.bvh   # checked on a recording of yours
  kinegraph export runs/x/best small.onnx --precision int8  # smaller; the cost is printed
  kinegraph export lift lifter.pt2                         # for torch.export.load"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.cli.options import add_read_arguments
    from kinegraph.shipped import model_help

    parser.add_argument("model", metavar="M", help=model_help())
    parser.add_argument("out", type=Path, metavar="OUT", help="OUT.onnx or OUT.pt2")
    parser.add_argument(
        "--precision",
        default="fp32",
        metavar="P",
        help="of the stored weights: fp32, fp16, bf16 (half the size), int8 (matrices in a quarter, integer products); "
        "the cost in accuracy is printed",
    )
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="recording to check on; default: the embedded procedural motion"
    )
    parser.add_argument("--layout", metavar="NAME", help="layout of FILE (name or TOML/JSON file), if it does not tell")
    parser.add_argument("--fps", type=float, metavar="N", help="frame rate of FILE where it does not say")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON with stable keys")
    add_read_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Export, check, say how well it agrees."""
    from kinegraph.cli.render import Progress

    given = [flag for flag in ("layout", "fps", "format") if getattr(args, flag) is not None]
    if args.check is None and (given or args.read):
        raise ConfigError(f"--{given[0] if given else 'read'} is about --check FILE, and there is none")
    from kinegraph.export.exporting import check_target, export, find_weights

    check_target(args.out, args.precision)
    weights = find_weights(args.model)
    recording = None if args.check is None else read_recording(args.check, args)
    with Progress("exporting") as progress:
        done = export(weights, args.out, precision=args.precision, recording=recording, progress=progress)
    print(json.dumps(_summary(args, done), indent=2, allow_nan=False) if args.json else _text(done))
    return 0


def _text(done: Exported) -> str:
    *graphs, sidecar = done.files
    lines = [f"{file}: {size / 1e6:.2f} MB, {done.precision}" for file, size in zip(graphs, done.sizes, strict=True)]
    lines.append(f"{sidecar}: joints, units, shapes")
    lines.append(f"checked against PyTorch on {done.checked_on}: {'; '.join(done.cases)}")
    lines.append(f"  float32 graph: largest error {done.error:.1e} (metres, radians or shares)")
    if done.precision != "fp32":
        for figure in done.figures:
            lines.append(
                f"  {done.precision} costs: {figure.label} off by {figure.mean:.3g} {figure.unit} on average, "
                f"{figure.largest:.3g} {figure.unit} at most"
            )
    return "\n".join(lines)


def _summary(args: argparse.Namespace, done: Exported) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "model": done.model,
        "task": done.task,
        "output": [str(path) for path in done.files],
        "bytes": list(done.sizes),
        "precision": done.precision,
        "checked_on": done.checked_on,
        "cases": list(done.cases),
        "largest_error": done.error,
        "errors": [vars(figure) for figure in done.figures],
    }
