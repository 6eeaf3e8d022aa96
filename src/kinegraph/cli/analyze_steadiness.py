"""`analyze steadiness`: how steadily lifters do on recordings without a truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinegraph.cli.analyze import AnalyzeCommand
from kinegraph.cli.analyze_report import add_report_arguments, write_json

__all__ = ["ANALYSES"]

_DESCRIPTION = """\
Which network suits your own videos, of which you have no 3D truth?

Lifts each recording with each network, and looks at what a body cannot do: limbs that change their length, bones that
turn by more than 90 degrees between two frames (flips), leaps from one frame to the next. 'network' is its own answer,
'lifted' what 'kinegraph lift' makes of it. What is steady need not be right, but what is not cannot be.
With --out also draws the largest step of a joint over time: a peak says where to look."""

_EXAMPLES = """\
examples:
  kinegraph analyze steadiness lift lift-temporal --recordings squats/ throw.json --fps 30
  kinegraph analyze steadiness lift runs/mine/best --recordings walk.csv --layout coco17 --out pictures/"""


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    from kinegraph.cli.options import add_recording_arguments

    parser.add_argument("models", nargs="+", metavar="M", help="weights folders or networks of the package")
    parser.add_argument(
        "--recordings", nargs="+", type=Path, required=True, metavar="IN", help="2D keypoints: files, OpenPose folders"
    )
    add_recording_arguments(parser)
    add_report_arguments(parser)


def _run(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from kinegraph.cli.recordings import read_recording, title
    from kinegraph.errors import ConfigError
    from kinegraph.evaluation.provenance import run_label
    from kinegraph.evaluation.steadiness import draw_steps, measure_steadiness, steadiness_report
    from kinegraph.inference.lifter import Lifter

    names = [title(place) for place in args.recordings]
    twice = {name for name in names if names.count(name) > 1}
    recordings = []
    for place, name in zip(args.recordings, names, strict=True):
        keypoints = read_recording(place, args, dims=2)
        recordings.append((str(place) if name in twice else name, keypoints))
    loaded = [Lifter.from_pretrained(name) for name in args.models]
    lifters = [(run_label(lifter.folder), lifter) for lifter in loaded]
    if len({label for label, _ in lifters}) < len(lifters):
        raise ConfigError(f"a network is named twice: {' '.join(args.models)}; name each once")
    with tqdm(total=len(recordings) * len(lifters), desc="recordings x networks", disable=None, leave=False) as bar:
        results = measure_steadiness(recordings, lifters, progress=bar.update)
    print(steadiness_report(results, markdown=args.markdown))
    assumed = [name for name, keypoints in recordings if keypoints.fps is None]
    if assumed:
        print(f"note: frame rate unknown and assumed: {', '.join(assumed)}; --fps states it")
    write_json(args.json, {"analysis": "steadiness", "results": [result.to_json() for result in results]})
    if args.out:
        for path in draw_steps(results, Path(args.out)):
            print(f"wrote {path}")
    return 0


ANALYSES = {
    "steadiness": AnalyzeCommand(
        help="lifting: flips, leaps and limbs that stretch in your own videos, without a truth",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        add_arguments=_add_arguments,
        run=_run,
    )
}
