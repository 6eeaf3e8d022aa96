"""What commands that take a recording share: reading it as the command line says, lifting it, what it is called."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from kinegraph.cli.options import read_options as given_options
from kinegraph.errors import ConfigError

if TYPE_CHECKING:
    from kinegraph.formats.any_source import AcclaimJoints
    from kinegraph.sequence import SkeletonSequence

__all__ = ["lifted", "read_recording", "title"]


def read_recording(
    source: Path, args: argparse.Namespace, *, dims: int | None = None, acclaim_joints: AcclaimJoints = "starts"
) -> SkeletonSequence:
    """Read a recording with the format, layout, frame rate and ``--read`` options stated on the command line.

    Args:
        source: the file or folder.
        args: of :func:`kinegraph.cli.options.add_recording_arguments`.
        dims: 2 where nothing else will do, so that the third number of each joint in an array is its confidence.
        acclaim_joints: of Acclaim clips the starts of bones, with their rotations, or the ends.

    Raises:
        ConfigError, FormatError, DataError: see :func:`kinegraph.formats.any_source.read_source`.
    """
    from kinegraph.formats import detect, read_options
    from kinegraph.formats.any_source import Called, read_source

    name = args.format or detect(source)
    return read_source(
        source,
        skeleton=args.layout,
        fps=args.fps,
        dims=dims,
        options={**given_options(args, read_options(name)), "format": name},
        acclaim_joints=acclaim_joints,
        called=Called(skeleton="--layout ", fps="--fps"),
    )


def lifted(recording: SkeletonSequence, args: argparse.Namespace) -> SkeletonSequence:
    """The recording in 3D; `args.lifted` says whether it was 2D.

    Raises:
        ConfigError: a lifter is named and there is nothing to lift.
    """
    from kinegraph.cli.render import Progress
    from kinegraph.inference.quick import as_motion

    args.lifted = recording.dims == 2
    if args.lifter is not None and not args.lifted:
        raise ConfigError(f"--lifter {args.lifter}: {args.input} is 3D and is not lifted; leave it out")
    with Progress("lifting") as progress:
        return as_motion(recording, args.lifter, progress=progress)


def title(source: Path) -> str:
    """What to call a file in a picture."""
    return source.resolve().name
