"""One motion file to another format, layout or frame rate."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinegraph.cli.options import add_read_arguments, keep_input, key_values
from kinegraph.cli.options import read_options as given_options
from kinegraph.errors import ConfigError, DataError

HELP = "convert a motion file to another format, layout, unit or frame rate"

_TIMED = ("bvh", "trc", "c3d")
"""Formats that cannot do without a frame rate."""
_TIMELESS = ("openpose", "coco")
"""Formats that have no place for a frame rate."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("input", type=Path, metavar="IN", help="a motion file, or a folder of OpenPose frames")
    parser.add_argument("output", type=Path, metavar="OUT", help="the file to write; its suffix tells the format")
    parser.add_argument(
        "--to", metavar="NAME", help="format of OUT, if the suffix does not tell it (openpose, coco, ...)"
    )
    parser.add_argument(
        "--skeleton", metavar="NAME", help="layout of OUT: a name or a TOML/JSON file; joints are mapped"
    )
    parser.add_argument("--fps", type=float, metavar="N", help="frame rate of OUT; states it where IN does not say")
    parser.add_argument("--unit", metavar="U", help="unit of the numbers in OUT (bvh, trc, c3d: m, cm, mm, ...)")
    parser.add_argument(
        "--in-unit", metavar="U", help="unit of the numbers in IN, where its format does not say (bvh, npz)"
    )
    parser.add_argument(
        "--write", metavar="KEY=VALUE", action="append", default=[], help="an option of OUT's format, e.g. wide=true"
    )
    add_read_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Read, change, write; say what was written."""
    from kinegraph.formats import (
        check_fps,
        detect,
        read_at_rate,
        read_options,
        write,
        write_format,
        write_options,
    )
    from kinegraph.formats.export import not_shown, present
    from kinegraph.skeleton import get_skeleton

    source: Path = args.input
    target: Path = args.output
    keep_input(source, target)
    check_fps(args.fps, "--fps")
    # Everything about OUT that can be wrong is found before the possibly long reading.
    to = args.to or write_format(target)
    writing = key_values(args.write, "--write", write_options(to))
    if args.unit is not None:
        if "unit" not in write_options(to):
            raise ConfigError(f"--unit {args.unit}: {to} states its own unit; leave --unit out")
        if "unit" in writing:
            raise ConfigError(
                f"--unit {args.unit} and --write unit={writing['unit']}: the unit is given twice; leave one out"
            )
        writing |= key_values([f"unit={args.unit}"], "--unit", write_options(to))
    layout = get_skeleton(args.skeleton) if args.skeleton else None

    name = args.format or detect(source)
    reading = given_options(args, read_options(name))
    if args.in_unit is not None:
        if "unit" not in read_options(name):
            raise ConfigError(f"--in-unit {args.in_unit}: {name} says its unit itself; leave --in-unit out")
        if "unit" in reading:
            raise ConfigError(
                f"--in-unit {args.in_unit} and --read unit={reading['unit']}: the unit is given twice; leave one out"
            )
        reading |= key_values([f"unit={args.in_unit}"], "--in-unit", read_options(name))
    sequence = read_at_rate(source, name, args.fps, **reading)
    if layout is not None:
        sequence = sequence.to_skeleton(layout)
    if sequence.fps is None and to in _TIMED and sequence.dims == 3:
        raise DataError(f"{source}: the frame rate is unknown and {to} needs one; state it with --fps N")
    written = write(sequence, target, format=to, **writing)
    size = f"{sequence.people} people, " if sequence.people > 1 else ""
    for file in written:
        print(f"{file}: {size}{sequence.frames} frames, {sequence.skeleton.name}, {to}")
    notes = [*sequence.notes, *not_shown(sequence, to, **writing)]
    if to in _TIMELESS and sequence.fps is not None:
        notes.append(
            f"{to} files hold no frame rate: state it again (--fps {sequence.fps:g}, in Python fps=) when reading"
        )
    if to in ("csv", "trc", "c3d") and sequence.rotations is not None:
        notes.append(f"{to} holds positions only: joint rotations stay behind")
    if to in ("bvh", "glb") and sequence.rotations is not None and not writing.get("from_positions"):
        made = [person for person in present(sequence, to) if not sequence.is_posed(person)]
        if made:
            notes.append(f"the recording's rotations do not make its positions: {to} got new ones, made from positions")
    for note in notes:
        print(f"  note: {note}")
    return 0
