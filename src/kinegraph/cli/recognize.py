"""Say what is done in a 3D recording: AMC, BVH, TRC, C3D, npz, CSV or the output of 'lift'.

A window slides over the recording at the network's own rate; the scores of the windows are averaged for every person.
The classes are those that the network was trained with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from kinegraph.errors import ConfigError

HELP = "say what is done in a 3D recording"

EXAMPLES = """\
examples:
  kinegraph recognize walk.amc
  kinegraph recognize walk.bvh --top 3 --json
  kinegraph recognize day.npz --out timeline.png --model runs/symgnn/best

Of several people, each has a line; --out draws the first, or the one that --person names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.cli.options import add_read_arguments

    parser.add_argument("input", type=Path, metavar="IN", help="a 3D motion file")
    parser.add_argument("--model", metavar="M", help="weights folder; default: the network in the package")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="how many classes to name (default 5)")
    parser.add_argument("--json", action="store_true", help="print scores and timeline as JSON with stable keys")
    parser.add_argument("--out", type=Path, metavar="OUT", help="also the scores over time as a picture (.png)")
    parser.add_argument("--person", type=int, default=1, metavar="N", help="whose picture, from 1 (default 1)")
    parser.add_argument(
        "--stride", type=float, metavar="S", help="seconds from window to window (default: a quarter of a window)"
    )
    parser.add_argument(
        "--layout", metavar="NAME", help="layout of IN (name or TOML/JSON file), if it is not told by IN"
    )
    parser.add_argument(
        "--fps", type=float, metavar="N", help="frame rate of IN where it does not say; else resample to it"
    )
    add_read_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, recognise, say it."""
    from kinegraph.cli.forecast import read_motion
    from kinegraph.cli.lift import title
    from kinegraph.cli.render import PICTURES, Progress

    if args.top < 1:
        raise ConfigError(f"--top {args.top}: expected at least 1")
    if args.stride is not None and not 0 < args.stride < float("inf"):
        raise ConfigError(f"--stride {args.stride:g}: expected seconds, above 0")
    if args.out is not None:
        if args.out.suffix.lower() not in PICTURES:
            raise ConfigError(f"--out {args.out}: a timeline is a picture; expected {', '.join(PICTURES)}")
        if not args.out.parent.is_dir():
            raise ConfigError(f"--out {args.out}: the folder {args.out.parent} does not exist; create it first")
    recording = read_motion(args)
    from kinegraph.inference.recognizer import Recognizer

    recognizer = Recognizer.from_pretrained(args.model)
    with Progress("recognising") as progress:
        result = recognizer.recognize(recording, stride_s=args.stride, progress=progress)
    if args.out is not None:
        from kinegraph.visualize import write_timeline

        chosen = [entry for entry in result.people if entry.person == args.person - 1]
        if not chosen:
            there = ", ".join(str(entry.person + 1) for entry in result.people)
            raise ConfigError(f"--person {args.person}: expected one of {there}")
        write_timeline(args.out, result.actions, chosen[0].times, chosen[0].timeline, title=title(args.input))
    if args.json:
        people = [
            {
                "person": entry.person + 1,
                "top": [{"action": name, "score": score} for name, score in result.top(args.top, index)],
                "windows": [
                    {"start_s": float(start), "stop_s": float(stop), "action": result.actions[row.argmax()]}
                    for (start, stop), row in zip(entry.times, entry.timeline, strict=True)
                ],
            }
            for index, entry in enumerate(result.people)
        ]
        report = {
            "input": str(args.input),
            "model": recognizer.name,
            "weights": str(recognizer.folder or ""),
            "actions": list(result.actions),
            "people": people,
            "notes": list(result.notes),
        }
        print(json.dumps(report, indent=2, allow_nan=False))
        return 0
    for index, entry in enumerate(result.people):
        if len(result.people) > 1:
            print(f"person {entry.person + 1}, {len(entry.times)} windows:")
        for name, score in result.top(args.top, index):
            print(f"  {name:<24} {score:6.1%}")
    for note in result.notes:
        print(f"  note: {note}")
    if args.out is not None:
        print(f"{args.out}: scores over time")
    return 0
