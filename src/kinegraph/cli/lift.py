"""Lift 2D keypoints to 3D: any 2D file or a folder of OpenPose JSON in, BVH, TRC, CSV, npz, JSON or GLB out.

Joints are matched by name, short gaps are bridged, every person is lifted, limbs keep one length over the clip. The
result is a world with y up and the floor at 0 (--space camera: the camera's own axes; --root relative: the root at
the origin of either); the notes say what was assumed on the way.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.cli.lift_folder import is_many, run_folder
from kinegraph.cli.options import add_recording_arguments, check_place, keep_input, key_values
from kinegraph.cli.recordings import read_recording, title
from kinegraph.cli.threads import one_thread
from kinegraph.errors import ConfigError, DataError

if TYPE_CHECKING:
    from kinegraph.sequence import SkeletonSequence

HELP = "lift 2D keypoints to 3D"

EXAMPLES = """\
examples:
  kinegraph lift keypoints/ --out walk.bvh                  # a folder of OpenPose JSON
  kinegraph lift keypoints/ --out walk.bvh --view walk.html  # and a player with the 2D beside the 3D
  kinegraph lift poses.json --out poses.csv --fps 25 --people main
  kinegraph lift poses.csv --layout halpe26 --out poses.npz --model runs/hcsf/best
  kinegraph lift keypoints/ --out walk.bvh --plant-feet     # feet that stand do not slide (for animation, step lengths)
  kinegraph lift detections/ --out lifted/ --to npz         # every recording in a folder

Formats of one person a file (BVH, TRC) get further files OUT_person2, OUT_person3, ... beside OUT."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.shipped import default_help, model_help

    pictures = default_help("pictures").replace("default", "of pictures")
    parser.add_argument(
        "input", type=Path, metavar="IN", help="2D keypoints: a file, a folder of OpenPose frames, or of files"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="OUT", help="what to write; the suffix tells the format; or a folder"
    )
    parser.add_argument("--to", metavar="SUFFIX", help="format of the files in the folder OUT (default bvh)")
    parser.add_argument("--model", metavar="M", help=model_help(f"{default_help('lift')}, {pictures}"))
    parser.add_argument("--json", action="store_true", help="print what was done as JSON with stable keys")
    parser.add_argument(
        "--view",
        "--picture",
        type=Path,
        metavar="FILE",
        help="also a picture (two names for one option): .png, .jpg, .webp, .gif, .mp4 or .html",
    )
    parser.add_argument("--people", choices=("all", "main"), default="all", help="everybody, or the largest person")
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument("--focal", type=float, metavar="PX", help="focal length of the camera, px")
    camera.add_argument(
        "--fov",
        type=float,
        metavar="DEG",
        help="horizontal field of view, degrees; with --read image_size=1280x720 where the file does not state it",
    )
    parser.add_argument("--height", type=float, nargs="+", metavar="M", help="how tall they are, metres: one, or each")
    parser.add_argument("--extrinsics", type=Path, metavar="FILE", help="the camera's calibration, JSON (see the docs)")
    parser.add_argument("--one-euro", action="store_true", help="smooth with the causal one-euro filter")
    parser.add_argument(
        "--smooth",
        type=float,
        default=0.05,
        metavar="S",
        help="sigma of the smoothing in seconds; 0: none (default 0.05)",
    )
    parser.add_argument(
        "--fill", type=float, default=0.5, metavar="S", help="longest gap to bridge, seconds (default 0.5)"
    )
    parser.add_argument(
        "--space", choices=("world", "camera"), default="world", help="axes of OUT (default world, y up)"
    )
    parser.add_argument(
        "--root",
        choices=("estimated", "relative"),
        default="estimated",
        help="where the body stands: estimated from the keypoints; or relative: the root at the origin, no floor",
    )
    parser.add_argument(
        "--plant-feet",
        action="store_true",
        help="feet that touch the floor keep their places: path and legs are moved for it (videos, in the world)",
    )
    parser.add_argument("--stills", action="store_true", help="the frames are single pictures, not a video")
    parser.add_argument(
        "--constant-limbs",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="one length per limb, fitted over the clip (default), or as the network gives them",
    )
    parser.add_argument("--no-flip", action="store_true", help="no averaging with the mirror image (half the time)")
    add_recording_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, lift, write; say what was assumed."""
    from kinegraph.cli.render import Progress, check_picture, draw
    from kinegraph.formats import write, write_format
    from kinegraph.formats.export import not_shown

    source: Path = args.input
    target: Path = args.out
    one_thread()
    if is_many(source, target):
        return run_folder(args, choices(args))
    if args.to is not None:
        raise ConfigError(f"--to {args.to} belongs to a folder; of one file the suffix of OUT tells the format")
    # What can be wrong about OUT is found before the network runs.
    to = write_format(target)
    check_place("--out", target)
    keep_input(source, target)
    if args.view is not None:
        check_picture(args.view, "--view")
    keypoints = read_recording(source, args, dims=2)
    if keypoints.dims != 2:
        raise DataError(
            f"{source}: found 3D joints ({keypoints.space} space), expected 2D keypoints; it needs no lifting: use "
            "'kinegraph convert' or 'kinegraph view'"
        )
    from kinegraph.inference.quick import lift, lifter_for

    given = {name: value for name, value in choices(args).items() if name not in ("skeleton", "fps", "read")}
    lifter = lifter_for(keypoints, args.model, stills=args.stills)
    with Progress("lifting") as progress:
        result = lift(keypoints, model=lifter, progress=progress, **given)
    written = write(result, target)
    for note in not_shown(result, to):
        result = result.with_note(note)
    if args.view is not None:
        draw(args.view, [("2D keypoints", keypoints), ("lifted to 3D", result)], title=title(source))
    report = summary(args, result, [str(p) for p in written], lifter.name, str(lifter.folder), to)
    report["mapping"] = mapping(lifter.report(keypoints.skeleton))
    if args.json:
        print(json.dumps(report, indent=2, allow_nan=False))
        return 0
    for file in written:
        print(f"{file}: {result.frames} frames at {result.fps:g} fps, {result.skeleton.name}, {to}")
    if args.view is not None:
        print(f"{args.view}: the 2D beside the 3D")
    print(f"{result.people} {'person' if result.people == 1 else 'people'} lifted by {lifter.name}")
    if result.uncertainty is not None:
        half, most = stated_mm(result)
        print(f"joints are off by {half:.0f} mm (half of them) to {most:.0f} mm (nine in ten), relative to the root")
    for note in result.notes:
        print(f"  note: {note}")
    return 0


def choices(args: argparse.Namespace) -> dict[str, Any]:
    """The options as :func:`kinegraph.lift` takes them."""
    read = {} if args.format is None else {"format": args.format}
    if args.read:
        from kinegraph.formats import formats, read_options

        names = [args.format] if args.format else [info.name for info in formats()]
        known = {key: kind for name in names for key, kind in read_options(name).items()}
        read |= key_values(args.read, "--read", known)
    return {
        "skeleton": args.layout,
        "fps": args.fps,
        "read": read,
        "space": args.space,
        "stills": args.stills,
        "people": args.people,
        "flip": not args.no_flip,
        "fill_s": args.fill,
        "rigid": args.constant_limbs,
        "one_euro": args.one_euro,
        "height_m": None if args.height is None else args.height[0] if len(args.height) == 1 else args.height,
        "extrinsics": args.extrinsics,
        "plant_feet": args.plant_feet,
        "smooth_s": args.smooth,
        "root": args.root,
        "focal_px": args.focal,
        "fov_deg": args.fov,
    }


def summary(
    args: argparse.Namespace, result: SkeletonSequence, written: list[str], model: str, weights: str, to: str
) -> dict[str, Any]:
    """What ``--json`` prints, without the mapping."""
    from kinegraph.evaluation.steadiness import limb_variation

    variation = limb_variation(result)
    return {
        "input": str(args.input),
        "output": written,
        "format": to,
        "view": None if args.view is None else str(args.view),
        "model": model,
        "weights": weights,
        "people": result.people,
        "frames": result.frames,
        "fps": result.fps,
        "layout": result.skeleton.name,
        "joints": list(result.skeleton.joints),
        "unit": result.unit,
        "space": result.space,
        "up": result.up,
        "root": args.root,
        "missing_share": result.missing_share,
        "limb_variation": None if math.isnan(variation) else variation,
        "uncertainty_mm": None if result.uncertainty is None else stated_mm(result),
        "contact_share": result.contact_share,
        "notes": list(result.notes),
    }


def stated_mm(sequence: SkeletonSequence) -> list[float]:
    """The stated error quantiles, averaged over joints and frames, mm."""
    import numpy as np

    assert sequence.uncertainty is not None
    return [float(v) * 1000 for v in np.nanmean(sequence.uncertainty, axis=(0, 1, 2))]


def mapping(report: str) -> dict[str, str]:
    """Joint -> exact, derived or missing, from a map's report."""
    rows = [line.split() for line in report.splitlines()[1:]]
    return {row[0]: row[1] for row in rows if len(row) > 1}
