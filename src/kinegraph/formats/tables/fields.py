"""A sequence as plain fields and arrays, the common ground of our npz, JSON and CSV containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinegraph.errors import FormatError, KinegraphError
from kinegraph.formats.json_file import members, number
from kinegraph.naming import as_text
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names

__all__ = ["build", "check_dims", "describe", "read_fields", "skeleton_field", "skeleton_from_field"]

_MAX_JOINTS = 1000
"""More is no body; a skeleton's hop distances take memory that grows with the square of its joints."""


def describe(sequence: SkeletonSequence) -> dict[str, Any]:
    """Everything about a sequence but its arrays, as plain data; fields that are unset are left out."""
    fields: dict[str, Any] = {
        "skeleton": skeleton_field(sequence.skeleton),
        "fps": sequence.fps,
        "unit": sequence.unit,
        "space": sequence.space,
        "up": sequence.up,
        "image_size": list(sequence.image_size) if sequence.image_size else None,
        "label": sequence.label,
        # The name alone: in which folder it lay is its owner's affair.
        "source": sequence.origin or Path(sequence.source).name or None,
        "notes": list(sequence.notes) or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def skeleton_field(skeleton: Skeleton) -> str | dict[str, Any]:
    """The name of a layout of ours, or a whole description of somebody's own."""
    if skeleton.name in skeleton_names() and get_skeleton(skeleton.name) == skeleton:
        return skeleton.name
    return skeleton.to_dict()


def skeleton_from_field(value: object, path: Path) -> Skeleton:
    """Inverse of :func:`skeleton_field`. Raises FormatError; a path in a file is never followed."""
    try:
        if isinstance(value, str):
            if value not in skeleton_names():
                raise FormatError(path, f"skeleton {value[:40]!r} is none of {', '.join(skeleton_names())}")
            return get_skeleton(value)
        data = members(value, dict, path, "'skeleton'")
        if isinstance(data.get("joints"), dict) and len(data["joints"]) > _MAX_JOINTS:
            raise FormatError(path, f"the skeleton has {len(data['joints'])} joints; expected at most {_MAX_JOINTS}")
        return Skeleton.from_dict(data)
    except FormatError:
        raise
    except KinegraphError as error:
        raise FormatError(path, str(error)) from None
    except (TypeError, ValueError, OverflowError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(path, f"the skeleton is malformed ({error}); expected what Skeleton.save writes") from None


def read_fields(data: Mapping[str, Any], path: Path, skeleton: Skeleton | None = None) -> dict[str, Any]:
    """Inverse of :func:`describe`: keyword arguments for SkeletonSequence. Raises FormatError; other keys are left.

    `skeleton` takes the place of the one in the data, which may then be absent.
    """
    if skeleton is None:
        if "skeleton" not in data:
            raise FormatError(path, "names no skeleton; expected 'skeleton' with a layout")
        skeleton = skeleton_from_field(data["skeleton"], path)
    fields: dict[str, Any] = {"skeleton": skeleton}
    if data.get("fps") is not None:
        fields["fps"] = number(data["fps"], path, "'fps'")
    for key, name in (*((key, key) for key in ("unit", "space", "up", "label")), ("source", "origin")):
        if data.get(key) is not None:
            fields[name] = members(data[key], str, path, f"'{key}'")
    if data.get("image_size") is not None:
        size = members(data["image_size"], list, path, "'image_size'")
        if len(size) != 2:
            raise FormatError(path, f"'image_size' has {len(size)} numbers; expected width and height")
        fields["image_size"] = tuple(int(number(v, path, "'image_size'")) for v in size)
    if data.get("notes") is not None:
        notes = members(data["notes"], list, path, "'notes'")
        fields["notes"] = tuple(members(note, str, path, "a note") for note in notes)
    return fields


def build(path: Path, **fields: Any) -> SkeletonSequence:
    """A SkeletonSequence whose complaints name the file. Raises FormatError."""
    fields["source"] = str(path)
    try:
        sequence = SkeletonSequence(**fields)
    except FormatError:
        raise
    except KinegraphError as error:
        raise FormatError(path, str(error).removeprefix(f"{as_text(str(path))}: ")) from None
    if not sequence.people or not sequence.frames:
        raise FormatError(path, f"holds {sequence.people} people and {sequence.frames} frames; expected one of each")
    return sequence


def check_dims(path: Path, found: int, expected: int | None) -> None:
    """Raises FormatError where a file of `found` coordinates a joint is asked for another number."""
    if expected not in (None, found):
        hint = "; what is 3D needs no lifting: use 'kinegraph convert' or 'view'" if found == 3 else ""
        raise FormatError(path, f"found {found}D joints, expected {expected}D{hint}")
