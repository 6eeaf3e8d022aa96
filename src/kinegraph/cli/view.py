"""Draw a motion file, 2D or 3D: a strip of stills (.png, .jpg, .webp), an animation (.gif, .mp4) or a player (.html).

The player is one file that any browser opens from disk: drag to orbit, wheel to zoom, space to play.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from kinegraph.cli.options import add_network_arguments, add_recording_arguments, keep_input
from kinegraph.cli.recordings import read_recording, title
from kinegraph.cli.threads import one_thread
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.formats.any_source import AcclaimJoints
    from kinegraph.sequence import SkeletonSequence

HELP = "draw a motion file: stills, animation, or a player in one HTML file"

_LONGEST_S = 1e6
"""Seconds that may be asked for: more than any recording lasts."""
_NETWORKS = ("lifter", "recognizer", "forecaster")
EXAMPLES = """\
examples:
  kinegraph view walk.bvh                         # writes walk.html here
  kinegraph view walk.bvh --out walk.png --frames 8
  kinegraph view keypoints/ --out walk.gif --theme dark
  kinegraph view keypoints/ --out all.html --full     # with the 3D, the actions and the forecast
  kinegraph view truth.bvh lifted.bvh --out both.html  # side by side on one clock"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("input", type=Path, nargs="+", metavar="IN", help="motion files or folders of OpenPose frames")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="OUT",
        help=".png, .jpg, .webp, .gif, .mp4 or .html; default: IN's name with .html, here",
    )
    parser.add_argument(
        "--start", type=float, default=0.0, metavar="S", help="begin so many seconds into the recording"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="show no more than so many seconds")
    parser.add_argument("--frames", type=int, metavar="N", help="pictures in a strip (default 6)")
    parser.add_argument(
        "--theme", choices=("light", "dark"), default="light", help="of pictures; the player follows the browser"
    )
    parser.add_argument("--spin", type=float, metavar="DEG", help="turn the view of an animation, degrees a second")
    parser.add_argument(
        "--full",
        action="store_true",
        help="in .html: also lift 2D to 3D, name the actions and forecast the next second, as 'kinegraph serve' does",
    )
    add_network_arguments(parser)
    add_recording_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, draw, say where."""
    sources: list[Path] = args.input
    out: Path = args.out or Path(f"{sources[0].resolve().stem}.html")
    _check(args, out)
    if args.full:
        one_thread()
        done = _write_everything(args, out)
    else:
        done = _write_recordings(args, out)
    print(f"{out.resolve()}: {done}")
    return 0


def _check(args: argparse.Namespace, out: Path) -> None:
    """What can be wrong whatever the recordings are.

    Raises:
        ConfigError: an option without sense, a network that nothing uses, or a place that nothing can be written to.
    """
    from kinegraph.cli.render import ANIMATIONS, PICTURES, check_picture

    check_picture(out, "--out")
    for source in args.input:
        keep_input(source, out)
    suffix = out.suffix.lower()
    if args.frames is not None and suffix not in PICTURES:
        raise ConfigError(
            f"--frames {args.frames} is of strips ({', '.join(PICTURES)}); {out.name} is none: leave it out"
        )
    if args.spin is not None and suffix not in ANIMATIONS:
        raise ConfigError(
            f"--spin {args.spin:g} is of animations ({', '.join(ANIMATIONS)}); {out.name} is none: leave it out"
        )
    if args.frames is not None and args.frames < 1:
        raise ConfigError(f"--frames {args.frames}: expected at least 1")
    if not 0 <= args.start <= _LONGEST_S:
        raise ConfigError(f"--start {args.start:g}: expected seconds, 0 to {_LONGEST_S:g}")
    if args.seconds is not None and not 0 < args.seconds <= _LONGEST_S:
        raise ConfigError(f"--seconds {args.seconds:g}: expected seconds, above 0, up to {_LONGEST_S:g}")
    if args.spin is not None and not math.isfinite(args.spin):
        raise ConfigError(f"--spin {args.spin:g}: expected degrees a second, a finite number")
    if args.full and (len(args.input) != 1 or out.suffix.lower() != ".html"):
        raise ConfigError("--full makes one IN into a page: give one file, and an OUT that ends in .html")
    named = [name for name in _NETWORKS if getattr(args, name) is not None]
    if named and not args.full:
        raise ConfigError(f"--{named[0]} {getattr(args, named[0])} names a network, which only --full uses")


def _shown(source: Path, args: argparse.Namespace, acclaim_joints: AcclaimJoints) -> SkeletonSequence:
    """The part of a recording between ``--start`` and ``--seconds`` later.

    Raises:
        ConfigError: it ends before.
    """
    from kinegraph.visualize.motion import DEFAULT_FPS, first_frame

    sequence = read_recording(source, args, acclaim_joints=acclaim_joints)
    rate = sequence.fps or DEFAULT_FPS
    first = first_frame(sequence, args.start)
    if first >= sequence.frames:
        raise ConfigError(f"{source}: --start {args.start:g} is after its end, {sequence.frames / rate:.2f} s")
    last = None if args.seconds is None else first + max(1, round(args.seconds * rate))
    return sequence.slice_frames(first, last) if first or last is not None else sequence


def _write_recordings(args: argparse.Namespace, out: Path) -> str:
    """Draw the recordings as they are, side by side; what was drawn."""
    from kinegraph.cli.render import draw

    # A picture shows the ends of limbs.
    shown = [(title(source), _shown(source, args, "ends")) for source in args.input]
    captioned = [(f"{name} ({sequence.skeleton.name})", sequence) for name, sequence in shown]
    asked = {"frames": args.frames, "spin_deg_s": args.spin}
    draw(
        out,
        captioned,
        title=shown[0][0] if len(shown) == 1 else f"{len(shown)} recordings",
        theme=args.theme,
        start_s=args.start,
        **{name: value for name, value in asked.items() if value is not None},
    )
    return "; ".join(f"{caption}, {sequence.frames} frames" for caption, sequence in captioned)


def _write_everything(args: argparse.Namespace, out: Path) -> str:
    """A page of a recording and what the networks make of it; what it holds."""
    from kinegraph.visualize import write_player
    from kinegraph.visualize.analysis import Analyst

    (source,) = args.input
    sequence = _shown(source, args, "starts")  # a forecast needs the joints that turn
    found = Analyst(**{name: getattr(args, name) for name in _NETWORKS}).analyse(sequence, title(source))
    write_player(
        out,
        found.panels,
        title=found.name,
        notes=found.notes,
        ghosts=found.ghosts,
        bands=found.bands,
        start_s=args.start,
    )
    held = (
        [caption for caption, _ in found.panels] + ["actions"] * bool(found.bands) + ["forecast"] * bool(found.ghosts)
    )
    return ", ".join(held)
