"""What `evaluate` and `analyze` share: the options of protocols, and the lifters and data that they name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from kinegraph.cli.options import is_given
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.datasets.lifting_data import LiftingData
    from kinegraph.evaluation.lifting import LiftingResult
    from kinegraph.evaluation.predict import LiftingMethod

__all__ = ["add_protocol_arguments", "batch_of", "check_device", "lifting_of", "refuse", "results_of"]

_BATCH = {"lifting": 2048, "motion": 256, "clips": 32}


def add_protocol_arguments(parser: argparse.ArgumentParser) -> None:
    """What `evaluate` and `analyze` share."""
    parser.add_argument("--protocol", required=True, help="a protocol's name, e.g. mocap-lifting, cmu-euler-64, cmu-8")
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
    parser.add_argument("--batch", type=int, help="poses (default 2048), windows (256) or clips (32) at once")


def results_of(args: argparse.Namespace) -> list[LiftingResult]:
    """Evaluate every named model on the data of the protocol."""
    from kinegraph.evaluation.lifting import evaluate_lifting

    methods, data, options = lifting_of(args)
    return [evaluate_lifting(method, data, args.protocol, input=args.input, **options) for method in methods]


def lifting_of(
    args: argparse.Namespace, input: str | None = None
) -> tuple[list[LiftingMethod], LiftingData, dict[str, Any]]:
    """The named models, the data of the protocol (its `input`, or that of the arguments) and how to evaluate."""
    from kinegraph.evaluation.lifting import load_lifting_protocol
    from kinegraph.evaluation.predict import load_lifting_method

    _refuse_of_other_lifting(args)
    batch = batch_of(args, "lifting")
    check_device(args.device)
    methods = [load_lifting_method(name) for name in args.models]  # a wrong name fails before minutes of loading
    data = load_lifting_protocol(
        args.protocol,
        args.data,
        input=input or args.input,
        split=args.split,
        extra=args.extra,
        drop_s11_directions=not args.keep_s11_directions,
    )
    notes = []
    if args.protocol.startswith("h36m") and args.split == "test":
        notes.append(f"S11 'Directions' {'kept' if args.keep_s11_directions else 'left out, as in VideoPose3D'}")
    options = {
        "split": args.split,
        "target": args.target,
        "flip_test": not args.no_flip,
        "batch": batch,
        "device": args.device,
        "notes": notes,
    }
    return methods, data, options


def _refuse_of_other_lifting(args: argparse.Namespace) -> None:
    """Options of some lifting protocols are errors with the others."""
    from kinegraph.evaluation.lifting import LIFTING_PROTOCOLS

    if args.protocol not in LIFTING_PROTOCOLS:
        return  # which is an error of its own
    if not args.protocol.startswith("h36m"):
        refuse(args, ("keep_s11_directions",), "h36m-pixel and h36m-metric")
    if args.protocol != "mocap-lifting":
        refuse(args, ("extra",), "mocap-lifting")
    if args.protocol == "synthetic-lifting":
        refuse(args, ("data",), "protocols of recordings")


def check_device(device: str) -> None:
    """Refuse a device this machine does not have.

    Raises:
        ConfigError: it is not there.
    """
    import torch

    if device != "cpu" and not (device.startswith("cuda") and torch.cuda.is_available()):
        raise ConfigError(f"--device {device} is not available here; use cpu")


def batch_of(args: argparse.Namespace, task: Literal["lifting", "motion", "clips"]) -> int:
    """How many poses, windows or clips at once.

    Raises:
        ConfigError: fewer than one.
    """
    if args.batch is not None and args.batch < 1:
        raise ConfigError(f"--batch is {args.batch}; expected 1 or more")
    return _BATCH[task] if args.batch is None else int(args.batch)


def refuse(args: argparse.Namespace, names: Sequence[str], belongs: str) -> None:
    """An option of other protocols is an error, not ignored."""
    for name in names:
        value = getattr(args, name)
        if is_given(value) and (name, value) != ("input", "exact"):
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag} belongs to {belongs}; {args.protocol} has no such choice: leave it out")
