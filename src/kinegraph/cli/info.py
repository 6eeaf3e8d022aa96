"""What is in a motion file, or in a folder of them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError

if TYPE_CHECKING:
    from kinegraph.sequence import SkeletonSequence

HELP = "say what is in a motion file, or list a folder of them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    from kinegraph.cli.options import add_read_arguments

    parser.add_argument(
        "file", type=Path, help="a motion file, a folder of OpenPose frames, or a folder of motion files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON with stable keys instead of text")
    add_read_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Print the summary."""
    from kinegraph.cli.options import read_options
    from kinegraph.formats import detect, read
    from kinegraph.formats import read_options as known_options
    from kinegraph.formats.walk import is_frames, recording_suffixes, recordings_in

    path: Path = args.file
    if path.is_dir() and args.format is None and not is_frames(path):
        if args.read:
            raise ConfigError(f"{path} is a folder of motion files; --read is for one file")
        suffixes = recording_suffixes()
        listing = [_entry(file, path) for file in recordings_in(path, suffixes)]
        if not listing:
            known = ", ".join(sorted({*suffixes, ".asf"}))
            raise FormatError(path, f"no motion files in this folder; expected some of {known}")
        print(json.dumps({"folder": str(path), "files": listing}, indent=2) if args.json else _table(path, listing))
        return 0
    name = args.format or detect(path)
    options = read_options(args, known_options(name))
    summary = summarize(read(path, format=name, **options), str(path), name)
    print(json.dumps(summary, indent=2, allow_nan=False) if args.json else _text(summary))
    return 0


def _entry(file: Path, folder: Path) -> dict[str, Any]:
    from kinegraph.formats import detect, read

    entry: dict[str, Any] = {"file": str(file.relative_to(folder))}
    try:
        name = detect(file)
        sequence = read(file, format=name)
    except KinegraphError as error:
        return {**entry, "error": str(error)}
    return {
        **entry,
        **_sizes(sequence, name),
        "error": None,
    }


def _sizes(sequence: SkeletonSequence, format: str) -> dict[str, Any]:
    """What the listing of a folder and the summary of a file both tell."""
    return {
        "format": format,
        "people": sequence.people,
        "frames": sequence.frames,
        "fps": sequence.fps,
        "duration_s": sequence.duration,
        "layout": sequence.skeleton.name,
        "joints": sequence.joints,
        "dims": sequence.dims,
    }


def summarize(sequence: SkeletonSequence, file: str, format: str) -> dict[str, Any]:
    """What `info` tells of a sequence, as plain data.

    ``missing`` is each joint's share of missing values over the frames in which its person is there at all;
    ``extent`` the smallest and largest coordinate on each axis and ``body_size`` the median over frames of the
    diagonal of a person's bounding box, both in ``unit``; ``bones`` the mean length of each bone in metres and its
    coefficient of variation over time (3D only), of the first person.

    Raises:
        DataError: nobody is seen in it.
    """
    import numpy as np

    seen = sequence.seen  # (people, frames, joints)
    present = sequence.present
    if not present.any():
        raise DataError(f"{file}: every joint is missing in every frame; nothing to tell")
    shares = 1 - seen[present].mean(axis=0)
    points = sequence.positions[seen]
    people, frames = np.nonzero(present)
    boxes = [
        float(np.linalg.norm(np.ptp(sequence.positions[p, t][seen[p, t]], axis=0)))
        for p, t in zip(people, frames, strict=True)
    ]
    return {
        "file": file,
        **_sizes(sequence, format),
        "unit": sequence.unit,
        "space": sequence.space,
        "up": sequence.up,
        "image_size": list(sequence.image_size) if sequence.image_size else None,
        "rotations": sequence.rotations is not None,
        "label": sequence.label,
        "frames_present": present.sum(axis=1).tolist(),
        "frames_empty": int((~present.any(axis=0)).sum()),
        "missing_share": sequence.missing_share,
        "missing": dict(zip(sequence.skeleton.joints, shares.tolist(), strict=True)),
        "extent": [[float(low), float(high)] for low, high in zip(points.min(0), points.max(0), strict=True)],
        "body_size": float(np.median(boxes)),
        "bones": _bones(sequence) if sequence.dims == 3 and sequence.unit == "m" else None,
        "notes": list(sequence.notes),
    }


def _bones(sequence: SkeletonSequence) -> list[dict[str, Any]]:
    import numpy as np

    joints = sequence.skeleton.joints
    result = []
    for parent, child in sequence.skeleton.bones:
        both = sequence.seen[0, :, parent] & sequence.seen[0, :, child]
        if not both.any():
            continue
        points = sequence.positions[0][both]
        lengths = np.linalg.norm(points[:, child] - points[:, parent], axis=1)
        mean = float(lengths.mean())
        result.append(
            {
                "parent": joints[parent],
                "child": joints[child],
                "mean_m": mean,
                "cv": float(lengths.std() / mean) if mean > 1e-9 else None,
            }
        )
    return result


def _text(summary: dict[str, Any]) -> str:
    unit = {"m": "m", "px": "px", "normalized": "fractions of the image"}[summary["unit"]]
    rate = f"{summary['fps']:g} fps, {summary['duration_s']:.2f} s" if summary["fps"] else "frame rate unknown"
    space = f"{summary['space']} space" + (f", {summary['up']} up" if summary["up"] else "")
    size = summary["image_size"]
    rows = [
        ("format", summary["format"]),
        ("people", str(summary["people"])),
        ("frames", f"{summary['frames']} ({rate})"),
        ("layout", f"{summary['layout']}, {summary['joints']} joints"),
        ("values", f"{summary['dims']}D, {unit}, {space}" + (", with joint rotations" if summary["rotations"] else "")),
    ]
    if size:
        rows.append(("image", f"{size[0]} x {size[1]} px"))
    if summary["label"]:
        rows.append(("label", summary["label"]))
    digits = 3 if summary["unit"] != "px" else 0
    extent = ", ".join(
        f"{axis} {low:.{digits}f} to {high:.{digits}f}"
        for axis, (low, high) in zip("xyz", summary["extent"], strict=False)
    )
    rows += [("extent", extent), ("body size", f"{summary['body_size']:.{digits}f} (diagonal of the box, median)")]
    if summary["frames_empty"]:
        rows.append(("empty", f"{summary['frames_empty']} frames with nobody"))
    if summary["people"] > 1:
        shown = ", ".join(map(str, summary["frames_present"][:10])) + (", ..." if summary["people"] > 10 else "")
        rows.append(("seen in", f"{shown} frames, person by person"))
    rows.append(("missing", f"{summary['missing_share']:.1%} of the joints of those who are there"))
    lines = [summary["file"], *(f"  {name:<10} {value}" for name, value in rows)]

    incomplete = [(j, s) for j, s in summary["missing"].items() if s > 0]
    if incomplete:
        lines += ["", "  joint                     missing"]
        lines += [f"  {joint:<24} {share:>8.1%}" for joint, share in sorted(incomplete, key=lambda item: -item[1])]
    if summary["bones"]:
        lines += ["", f"  {'bone':<42} {'mean cm':>8} {'varies':>8}"]
        for bone in summary["bones"]:
            name = f"{bone['parent']} - {bone['child']}"
            varies = "" if bone["cv"] is None else f"{bone['cv']:.2%}"
            lines.append(f"  {name:<42} {100 * bone['mean_m']:>8.2f} {varies:>8}")
    if summary["notes"]:
        lines += ["", *(f"  note: {note}" for note in summary["notes"])]
    return "\n".join(lines)


def _table(folder: Path, listing: list[dict[str, Any]]) -> str:
    width = max(len(entry["file"]) for entry in listing)
    good = [entry for entry in listing if entry["error"] is None]
    lines = [
        str(folder),
        f"  {'file':<{width}}  {'format':<11} {'people':>6} {'frames':>7} {'fps':>7} {'seconds':>8}  layout",
    ]
    for entry in listing:
        if entry["error"] is not None:
            lines.append(f"  {entry['file']:<{width}}  cannot be read: {entry['error']}")
            continue
        fps = "-" if entry["fps"] is None else f"{entry['fps']:g}"
        seconds = "-" if entry["duration_s"] is None else f"{entry['duration_s']:.2f}"
        lines.append(
            f"  {entry['file']:<{width}}  {entry['format']:<11} {entry['people']:>6} {entry['frames']:>7} {fps:>7} "
            f"{seconds:>8}  {entry['layout']}, {entry['dims']}D"
        )
    total = sum(entry["frames"] for entry in good)
    lines.append(f"  {len(good)} of {len(listing)} files can be read, {total} frames")
    return "\n".join(lines)
