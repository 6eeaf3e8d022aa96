"""`kinegraph lift FOLDER --out FOLDER`: every recording of a folder, one after the other."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from kinegraph.errors import ConfigError

__all__ = ["is_many", "run_folder"]


def is_many(source: Path, target: Path) -> bool:
    """Whether OUT is a folder: it is one already, or IN is a folder and OUT has no suffix."""
    return target.is_dir() or (source.is_dir() and target.suffix == "")


def run_folder(args: argparse.Namespace, options: dict[str, Any]) -> int:
    """Lift every recording under IN into the folder OUT; 2 if one of them failed."""
    from kinegraph.inference.many import lift_files

    if args.view is not None:
        raise ConfigError("--view draws one recording; leave it out for a folder")
    sources: Path | list[Path] = args.input if args.input.is_dir() else [args.input]
    lines: list[dict[str, Any]] = []
    for done in lift_files(sources, args.out, to=args.to or ".bvh", model=args.model, **options):
        frames = 0 if done.sequence is None else done.sequence.frames
        people = 0 if done.sequence is None else done.sequence.people
        lines.append(
            {
                "input": str(done.source),
                "output": [str(path) for path in done.written],
                "frames": frames,
                "people": people,
                "error": done.error,
                "notes": [] if done.sequence is None else [*done.sequence.notes, *done.notes],
            }
        )
        if done.error is not None:
            print(f"kinegraph: error: {done.error}", file=sys.stderr)
        elif not args.json:
            for path in done.written:
                print(f"{path}: {frames} frames")
            for note in done.notes:
                print(f"  note: {note}")
    good = sum(line["error"] is None for line in lines)
    if args.json:
        print(json.dumps({"lifted": good, "recordings": lines}, indent=2, allow_nan=False))
    else:
        print(f"{good} of {len(lines)} recordings lifted")
    return 0 if good == len(lines) else 2
