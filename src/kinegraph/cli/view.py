"""Draw a motion file, 2D or 3D: a strip of stills (.png, .jpg, .webp), an animation (.gif, .mp4) or a player (.html).

The player is one file that any browser opens from disk: drag to orbit, wheel to zoom, space to play.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from kinegraph.cli.options import add_network_arguments, add_recording_arguments, keep_input
from kinegraph.cli.recordings import read_recording, title
from kinegraph.errors import ConfigError

HELP = "draw a motion file: stills, animation, or a player in one HTML file"

_LONGEST_S = 1e6
"""Seconds that may be asked for: more than any recording lasts."""
EXAMPLES = """\
examples:
  kinegraph view walk.bvh                           writes walk.html here
  kinegraph view walk.bvh --out walk.png --frames 8
  kinegraph view keypoints/ --out walk.gif --theme dark
  kinegraph view keypoints/ --out all.html --full       with the 3D, the actions and the forecast
  kinegraph view truth.bvh lifted.bvh --out both.html   side by side on one clock"""


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
    parser.add_argument("--frames", type=int, default=6, metavar="N", help="pictures in a strip (default 6)")
    parser.add_argument(
        "--theme", choices=("light", "dark"), default="light", help="of pictures; the player follows the browser"
    )
    parser.add_argument(
        "--spin", type=float, default=0.0, metavar="DEG", help="turn the view of an animation, degrees a second"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="in .html: also lift 2D to 3D, name the actions and forecast the next second, as 'kinegraph serve' does",
    )
    add_network_arguments(parser)
    add_recording_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, draw, say where."""
    from kinegraph.cli.render import check_picture, draw
    from kinegraph.visualize.motion import DEFAULT_FPS, first_frame

    sources: list[Path] = args.input
    out: Path = args.out or Path(f"{sources[0].resolve().stem}.html")
    check_picture(out, "--out")
    for source in sources:
        keep_input(source, out)
    if args.frames < 1:
        raise ConfigError(f"--frames {args.frames}: expected at least 1")
    if not 0 <= args.start <= _LONGEST_S:
        raise ConfigError(f"--start {args.start:g}: expected seconds, 0 to {_LONGEST_S:g}")
    if args.seconds is not None and not 0 < args.seconds <= _LONGEST_S:
        raise ConfigError(f"--seconds {args.seconds:g}: expected seconds, above 0, up to {_LONGEST_S:g}")
    if not math.isfinite(args.spin):
        raise ConfigError(f"--spin {args.spin:g}: expected degrees a second, a finite number")
    if args.full and (len(sources) != 1 or out.suffix.lower() != ".html"):
        raise ConfigError("--full makes one IN into a page: give one file, and an OUT that ends in .html")
    networks = {name: getattr(args, name) for name in ("lifter", "recognizer", "forecaster")}
    named = [name for name, value in networks.items() if value is not None]
    if named and not args.full:
        raise ConfigError(f"--{named[0]} {networks[named[0]]} names a network, which only --full uses")
    sequences = []
    for source in sources:
        # A forecast needs the joints that turn; a picture shows the ends of limbs.
        sequence = read_recording(source, args, acclaim_joints="starts" if args.full else "ends")
        rate = sequence.fps or DEFAULT_FPS
        first = first_frame(sequence, args.start)
        last = None if args.seconds is None else first + max(1, round(args.seconds * rate))
        if first >= sequence.frames:
            raise ConfigError(f"{source}: --start {args.start:g} is after its end, {sequence.frames / rate:.2f} s")
        caption = f"{title(source)} ({sequence.skeleton.name})"
        sequences.append((caption, sequence.slice_frames(first, last) if first or last is not None else sequence))
    if args.full:
        from kinegraph.visualize import write_player
        from kinegraph.visualize.analysis import Analyst

        found = Analyst(**networks).analyse(sequences[0][1], title(sources[0]))
        write_player(
            out,
            found.panels,
            title=found.name,
            notes=found.notes,
            ghosts=found.ghosts,
            bands=found.bands,
            start_s=args.start,
        )
        done = (
            [caption for caption, _ in found.panels]
            + ["actions"] * bool(found.bands)
            + ["forecast"] * bool(found.ghosts)
        )
        print(f"{out.resolve()}: {', '.join(done)}")
        return 0
    heading = title(sources[0]) if len(sources) == 1 else f"{len(sources)} recordings"
    draw(
        out,
        sequences,
        title=heading,
        theme=args.theme,
        frames=args.frames,
        spin_deg_s=args.spin,
        start_s=args.start,
    )
    print(f"{out.resolve()}: " + "; ".join(f"{c}, {s.frames} frames" for c, s in sequences))
    return 0
