"""Let a recording go on: AMC, BVH, TRC, C3D, npz, CSV or the output of 'lift' in, the future as a motion file out.

2D keypoints are lifted first, as 'lift' does it where nothing is stated. The recording is brought to the network's rate
and the forecast back to the recording's; joints, bones, axes and the path are the recording's own. Every person is
forecast. Past the horizon that the network was trained for, the forecast goes on from itself. --model takes a weights
folder, or a baseline that needs none: zero-velocity, constant-velocity.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.cli.options import add_lifter_argument, add_recording_arguments, check_place, keep_input
from kinegraph.cli.recordings import lifted, read_recording, title
from kinegraph.cli.threads import one_thread
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.inference.forecaster import Forecast
    from kinegraph.sequence import SkeletonSequence

HELP = "let a recording go on"

EXAMPLES = """\
examples:
  kinegraph forecast walk.amc --seconds 1 --out next.bvh
  kinegraph forecast walk.bvh --seconds 0.5 --out both.bvh --with-history
  kinegraph forecast walk.bvh --from 2 --seconds 1 --out next.npz --picture next.png  # truth pale behind it
  kinegraph forecast walk.trc --seconds 1 --out next.csv --model constant-velocity
  kinegraph forecast keypoints/ --seconds 1 --out next.npz                               # lifted first
  kinegraph lift keypoints/ --height 1.8 --out walk.npz && kinegraph forecast walk.npz --seconds 1 --out next.npz

Formats of one person a file (BVH, TRC) get further files OUT_person2, OUT_person3, ... beside OUT; in BVH, who is not
seen at the end gets none."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.shipped import default_help, model_help

    parser.add_argument("input", type=Path, metavar="IN", help="a motion file, or 2D keypoints")
    parser.add_argument("--seconds", type=float, required=True, metavar="S", help="how far; above 0, at most 60")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="OUT", help="what to write; the suffix tells the format"
    )
    parser.add_argument("--model", metavar="M", help=model_help("or a baseline's name", default_help("forecast")))
    add_lifter_argument(parser)
    parser.add_argument(
        "--from",
        dest="until",
        type=float,
        metavar="S",
        help="where the observed part ends, seconds into IN; default: its end",
    )
    parser.add_argument(
        "--smooth",
        type=_smooth,
        default="auto",
        metavar="S",
        help="'auto' (default): who trembles more than optical recordings do is smoothed, by what is measured; or "
        "seconds, 0 for none",
    )
    parser.add_argument("--with-history", action="store_true", help="write the observed part too, before the forecast")
    parser.add_argument(
        "--picture",
        "--view",
        type=Path,
        metavar="FILE",
        help="also a picture (two names for one option): .png, .jpg, .webp, .gif, .mp4 or .html",
    )
    parser.add_argument("--step", type=float, metavar="S", help="seconds from pose to pose in a still (default 0.1)")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON with stable keys")
    add_recording_arguments(parser)


def _smooth(text: str) -> str | float:
    """``auto`` as it is, else the number of seconds."""
    try:
        return text if text == "auto" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}': expected 'auto', 0 for none, or seconds") from None


def run(args: argparse.Namespace) -> int:
    """Read, forecast, write; say what was assumed."""
    from kinegraph.cli.render import PICTURES, Progress, check_picture
    from kinegraph.formats import write, write_format
    from kinegraph.formats.export import shown_otherwise
    from kinegraph.transforms.jitter import check_smooth

    source, target = args.input, args.out
    one_thread()
    check_smooth(args.smooth)
    # What can be wrong about OUT is found before the network runs.
    to = write_format(target)
    check_place("--out", target)
    keep_input(source, target)
    if args.picture is not None:
        check_picture(args.picture, "--picture")
    if args.step is not None:
        still = args.picture is not None and args.picture.suffix.lower() in PICTURES
        if not still:
            raise ConfigError(f"--step {args.step:g} is of stills ({', '.join(PICTURES)}) in --picture; leave it out")
        if not 0 < args.step < math.inf:
            raise ConfigError(f"--step {args.step:g}: expected seconds, above 0")
    recording = read_recording(source, args)
    from kinegraph.inference.forecaster import Forecaster

    forecaster = Forecaster.from_pretrained(args.model)
    recording = lifted(recording, args)
    if args.until is not None and args.lifted:
        recording = recording.with_note(
            f"lifted as a whole: smoothing, limbs and gravity know what follows the {args.until:g} s observed"
        )
    with Progress("forecasting") as progress:
        forecast = forecaster.predict(
            recording, args.seconds, observed_until=args.until, smooth=args.smooth, progress=progress
        )
    result = forecast.whole if args.with_history else forecast.future
    written = write(result, target)
    # The forecaster's own notes say who was left out.
    notes = [*forecast.future.notes, *shown_otherwise(result, to)]
    if args.picture is not None:
        from kinegraph.visualize import write_forecast

        with Progress("drawing") as progress:
            write_forecast(
                args.picture,
                forecast.history,
                forecast.future,
                _truth(recording, forecast),
                title=f"{title(source)}: {args.seconds:g} s by {forecaster.name}",
                progress=progress,
                **({} if args.step is None else {"step_s": args.step}),
            )
    if args.json:
        names = [str(path) for path in written]
        report = _summary(args, forecast, names, forecaster.name, str(forecaster.folder or ""), to, notes)
        print(json.dumps(report, indent=2, allow_nan=False))
        return 0
    for file in written:
        print(f"{file}: {result.frames} frames at {result.fps:g} fps, {result.skeleton.name}, {to}")
    if args.picture is not None:
        print(f"{args.picture}: the last observed poses and the forecast")
    for person, scores in enumerate(forecast.actions):
        if scores:
            best = max(scores, key=scores.__getitem__)
            taken = f"of its {len(scores)} actions the forecaster takes it for {best} ({scores[best]:.0%})"
            print(f"person {person + 1}: {taken}")
    for note in notes:
        print(f"  note: {note}")
    return 0


def _truth(recording: SkeletonSequence, forecast: Forecast) -> SkeletonSequence | None:
    """What the recording holds of the time that was forecast."""
    start = forecast.history.frames
    if start >= recording.frames:
        return None
    return recording.slice_frames(start, min(recording.frames, start + forecast.future.frames))


def _summary(
    args: argparse.Namespace,
    forecast: Forecast,
    written: list[str],
    model: str,
    weights: str,
    to: str,
    notes: list[str],
) -> dict[str, Any]:
    """What ``--json`` prints."""
    future = forecast.future
    return {
        "input": str(args.input),
        "output": written,
        "format": to,
        "picture": None if args.picture is None else str(args.picture),
        "model": model,
        "weights": weights,
        "people": future.people,
        "observed_frames": forecast.history.frames,
        "frames": future.frames,
        "seconds": future.frames / (future.fps or 1.0),
        "fps": future.fps,
        "layout": future.skeleton.name,
        "with_history": args.with_history,
        "actions": list(forecast.actions),
        "notes": notes,
    }
