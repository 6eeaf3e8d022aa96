"""Say what is done in a recording: 3D motion (AMC, BVH, TRC, C3D, npz, CSV, the output of 'lift'), or 2D keypoints,
which are lifted first unless the network was trained on them.

A window slides over the recording; its length is that of the clips the network was trained with. Windows are smoothed
over time and merged to segments of one action. People are looked at one by one; where two are seen and the network was
trained with two, also as a pair. The classes are those that the network was trained with.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.cli.options import add_lifter_argument, add_recording_arguments, check_place, keep_input
from kinegraph.cli.recordings import lifted, read_recording, title
from kinegraph.cli.threads import one_thread
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.inference.recognizer import PersonActions, Recognition, Recognizer

HELP = "say what is done in a recording"

EXAMPLES = """\
examples:
  kinegraph recognize walk.amc
  kinegraph recognize keypoints/                   # a folder of OpenPose frames, lifted first
  kinegraph recognize walk.bvh --top 3 --json
  kinegraph recognize day.npz --out timeline.png --csv segments.csv --model runs/recognition/best
  kinegraph recognize day.npz --model runs/joint/best runs/bone/best --fuse 0.6 0.4

Of several people, each has a band in the picture; --person draws one alone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.shipped import default_help, model_help

    parser.add_argument("input", type=Path, nargs="?", metavar="IN", help="a motion file, or 2D keypoints")
    parser.add_argument(
        "--model",
        nargs="+",
        metavar="M",
        help=model_help("or several to fuse", default_help("recognize")),
    )
    add_lifter_argument(parser)
    parser.add_argument(
        "--fuse", nargs="+", type=float, metavar="W", help="what each of several models counts (default: all the same)"
    )
    parser.add_argument("--top", type=int, default=5, metavar="K", help="how many classes to name (default 5)")
    parser.add_argument("--json", action="store_true", help="print windows and segments as JSON with stable keys")
    parser.add_argument("--out", type=Path, metavar="OUT", help="also the timeline as a picture (.png, .jpg, .webp)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also the segments as a table (.csv)")
    parser.add_argument(
        "--person", type=int, metavar="N", help="with --out: draw this person alone, from 1 (default: everybody)"
    )
    parser.add_argument(
        "--window", type=float, metavar="S", help="seconds of a window (default: as long as a training clip)"
    )
    parser.add_argument(
        "--stride", type=float, metavar="S", help="seconds from window to window (default: a quarter of a window)"
    )
    add_recording_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, recognise, say it."""
    from dataclasses import replace

    from kinegraph.cli.render import Progress

    _check(args)
    one_thread()
    from kinegraph.inference.motion_window import notes_that_hold
    from kinegraph.inference.recognizer import Recognizer

    recognizer = Recognizer.from_pretrained(args.model, shares=args.fuse)
    recording = read_recording(args.input, args, acclaim_joints=recognizer.acclaim_joints)
    if recognizer.dims == 3:
        recording = lifted(recording, args)
    elif args.lifter is not None:
        raise ConfigError(f"--lifter {args.lifter}: {recognizer.name} looks at 2D keypoints themselves; leave it out")
    with Progress("recognising", after_s=2.0) as progress:
        result = recognizer.recognize(recording, stride_s=args.stride, window_s=args.window, progress=progress)
    result = replace(result, notes=tuple(dict.fromkeys([*notes_that_hold(recording.notes), *result.notes])))
    shown = result
    if args.person is not None:
        shown = _of_person(result, args.person)
    if args.csv is not None:
        _write_csv(args.csv, result)
    if args.out is not None:
        from kinegraph.visualize import write_timeline

        subtitle = f"{recognizer.name}, windows of {_window_s(result):.2g} s"
        write_timeline(args.out, shown, title=title(args.input), subtitle=subtitle)
    if args.json:
        print(json.dumps(_report(args, recognizer, result), indent=2, allow_nan=False))
        return 0
    for index, entry in enumerate(result.people):
        if index:
            print()
        _say(result, index, entry, args.top)
    for note in result.notes:
        print(f"  note: {note}")
    for path, what in ((args.out, "the timeline"), (args.csv, "the segments")):
        if path is not None:
            print(f"{path}: {what}")
    return 0


def _check(args: argparse.Namespace) -> None:
    """What can be wrong is found before anything is read."""
    from kinegraph.cli.render import PICTURES

    if args.input is None:
        # `--model A IN`: the option has taken the file
        if args.model is None or len(args.model) < 2:
            raise ConfigError(
                "no recording given; expected 'kinegraph recognize IN' (see 'kinegraph recognize --help')"
            )
        args.input = Path(args.model.pop())
    if args.fuse is not None and len(args.fuse) != len(args.model or [""]):
        raise ConfigError(
            f"--fuse gives {len(args.fuse)} weights for {len(args.model or [''])} models; give one for each"
        )
    if args.top < 1:
        raise ConfigError(f"--top {args.top}: expected at least 1")
    if args.person is not None and args.out is None:  # it chooses who is drawn, not who is looked at
        raise ConfigError(
            f"--person {args.person} chooses who is drawn, and nothing is; add --out timeline.png, or leave it out"
        )
    for name in ("stride", "window"):
        value = getattr(args, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"--{name} {value:g}: expected seconds, above 0")
    for flag, path, suffixes, what in (
        ("--out", args.out, PICTURES, "a timeline is a picture"),
        ("--csv", args.csv, (".csv",), "segments are a table"),
    ):
        if path is None:
            continue
        if path.suffix.lower() not in suffixes:
            raise ConfigError(f"{flag} {path}: {what}; expected {', '.join(suffixes)}")
        check_place(flag, path)
        keep_input(args.input, path, flag)


def _of_person(result: Recognition, number: int) -> Recognition:
    """One person alone."""
    from dataclasses import replace

    chosen = tuple(entry for entry in result.people if entry.person == number - 1 and entry.partner is None)
    if not chosen:
        there = ", ".join(str(entry.person + 1) for entry in result.people if entry.partner is None)
        raise ConfigError(f"--person {number}: expected one of {there}")
    return replace(result, people=chosen)


def _window_s(result: Recognition) -> float:
    return max(float((entry.times[:, 1] - entry.times[:, 0]).max()) for entry in result.people)


def _say(result: Recognition, index: int, entry: PersonActions, top: int) -> None:
    """One person's table: what they do over all, then what they do when."""
    width = max(24, *(len(action) for action, _ in result.top(top, index)), *(len(s.action) for s in entry.segments))
    windows = f"{len(entry.times)} window{'' if len(entry.times) == 1 else 's'}"
    if len(result.people) > 1:
        print(f"{entry.label}, {windows}:")
    for name, score in result.top(top, index):
        print(f"  {name:<{width}} {score:6.1%}")
    if len(entry.segments) > 1:
        print(f"\n  {'from':>8}  {'to':>8}  {'action':<{width}}  score")
        for segment in entry.segments:
            clock = f"{_clock(segment.start_s):>8}  {_clock(segment.stop_s):>8}"
            print(f"  {clock}  {segment.action:<{width}} {segment.score:6.1%}")


def _clock(seconds: float) -> str:
    """``0:02.5`` or ``1:02:05.0``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    clock = f"{minutes}:{rest // 10:02}.{rest % 10}"
    return f"{hours}:{clock:0>7}" if hours else clock


def _report(args: argparse.Namespace, recognizer: Recognizer, result: Recognition) -> dict[str, Any]:
    """What ``--json`` prints."""
    people = []
    for index, entry in enumerate(result.people):
        windows = [
            {
                "start_s": float(start),
                "stop_s": float(stop),
                "action": result.actions[scores.argmax()],
                "score": float(scores.max()),
                "top": _named(result.best(scores, args.top)),
            }
            for (start, stop), scores in zip(entry.times, entry.timeline, strict=True)
        ]
        people.append(
            {
                "person": entry.person + 1,
                "partner": None if entry.partner is None else entry.partner + 1,
                "top": _named(result.top(args.top, index)),
                "segments": [dict(vars(segment)) for segment in entry.segments],
                "windows": windows,
            }
        )
    fused = [
        {"model": network.name, "weights": str(network.folder or ""), "share": share}
        for network, share in zip(recognizer.networks, recognizer.shares, strict=True)
    ]
    return {
        "input": str(args.input),
        "model": recognizer.name,
        "weights": str(recognizer.folder or ""),
        "fused": fused,
        "window_s": _window_s(result),
        "actions": list(result.actions),
        "people": people,
        "notes": list(result.notes),
    }


def _named(scores: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [{"action": name, "score": score} for name, score in scores]


def _write_csv(path: Path, result: Recognition) -> None:
    """A row for each segment, written whole or not at all."""
    from kinegraph.atomic import atomic_path

    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("person", "partner", "start_s", "stop_s", "action", "score"))
        for entry in result.people:
            partner = "" if entry.partner is None else entry.partner + 1
            for segment in entry.segments:
                times = f"{segment.start_s:.3f}", f"{segment.stop_s:.3f}"
                writer.writerow((entry.person + 1, partner, *times, segment.action, f"{segment.score:.4f}"))
