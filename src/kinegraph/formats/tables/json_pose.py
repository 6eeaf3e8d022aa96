"""Our own readable JSON: one line a frame, every field of a sequence, missing joints as null.

``{"format": "kinegraph-motion", "version": 1, "skeleton": "h36m17", "joints": [names], "fps": 50, "unit": "m",
"space": "camera", ..., "people": [{"positions": [frame, ...], "confidence": [frame, ...], "rotations": [...]}]}`` where
a frame of positions is a list of ``[x, y, z]`` or null, one per joint. ``confidence`` is left out where every joint
that is there has confidence 1; ``rotations`` (xyzw) and ``offsets`` where the sequence has none, and so
``uncertainty`` (a frame is a list of ``[error50, error90]``, null: no estimate) and ``contact`` (0 or 1 a joint).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.errors import FormatError
from kinegraph.formats.json_file import coordinates, load_json, members, rows
from kinegraph.formats.keypoints.detections import Floats
from kinegraph.formats.tables.fields import build, describe, read_fields
from kinegraph.sequence import SkeletonSequence

__all__ = ["FORMAT", "from_json", "read", "write"]

FORMAT = "kinegraph-motion"
_VERSION = 1


def read(path: Path, *, fps: float | None = None) -> SkeletonSequence:
    """Read our JSON; `fps` replaces the frame rate in the file. Raises FormatError for anything else."""
    path = Path(path)
    return from_json(load_json(path), path, fps=fps)


def from_json(data: object, path: Path, *, fps: float | None = None) -> SkeletonSequence:
    """As :func:`read`, from the JSON value that `path` holds.

    Raises:
        FormatError: another format or version, or fields that contradict each other.
    """
    content = members(data, dict, path, "the file")
    if content.get("format") != FORMAT:
        raise FormatError(path, f"'format' is {str(content.get('format'))[:40]!r}; expected {FORMAT!r}")
    if content.get("version") != _VERSION:
        raise FormatError(path, f"version {str(content.get('version'))[:20]}; expected {_VERSION}. Write it again")
    fields = read_fields(content, path)
    joints = fields["skeleton"].joints
    if "joints" in content and content["joints"] != list(joints):
        raise FormatError(
            path, f"'joints' are not those of skeleton '{fields['skeleton'].name}' in its order; write the file again"
        )
    people = members(content.get("people"), list, path, "'people'")
    shown = [_points(_get(p, i, path).get("positions"), len(joints), path, i) for i, p in enumerate(people)]
    # Of somebody who is never seen, and that may be everybody, no point tells it.
    flat = 2 if fields.get("space") == "image" else 3
    dims = next((len(p) for person in shown for frame in person for p in frame if isinstance(p, list)), flat)
    positions = [_positions(frames, len(joints), dims, path, i) for i, frames in enumerate(shown)]
    if len({p.shape for p in positions}) > 1:
        raise FormatError(
            path,
            f"people have {sorted({p.shape[0] for p in positions})} frames in "
            f"{sorted({p.shape[-1] for p in positions})} dimensions; expected as many for each",
        )
    if not positions or not len(positions[0]):
        raise FormatError(path, "holds no people or no frames; nothing to read")
    fields["positions"] = np.stack(positions)
    shape = (len(positions), len(positions[0]), len(joints))
    seen = ~np.isnan(fields["positions"]).any(axis=-1)
    confidence = [_optional(p, "confidence", shape[1:], path, i) for i, p in enumerate(people)]
    fields["confidence"] = np.stack(
        [seen[i].astype(np.float64) if c is None else np.where(seen[i], c, 0.0) for i, c in enumerate(confidence)]
    )
    rotations = [_optional(p, "rotations", (*shape[1:], 4), path, i) for i, p in enumerate(people)]
    given = [r for r in rotations if r is not None]
    if given and len(given) != len(people):
        raise FormatError(path, f"{len(given)} of {len(people)} people have rotations; expected all or none")
    fields["rotations"] = np.stack(given) if given else None
    uncertainty = [_optional(p, "uncertainty", (*shape[1:], 2), path, i) for i, p in enumerate(people)]
    contact = [_optional(p, "contact", shape[1:], path, i) for i, p in enumerate(people)]
    if any(u is not None for u in uncertainty):
        empty = np.full((*shape[1:], 2), np.nan)
        fields["uncertainty"] = np.stack([empty if u is None else u for u in uncertainty])
    if any(c is not None for c in contact):
        fields["contact"] = np.stack([np.zeros(shape[1:], bool) if c is None else c == 1 for c in contact])
    if content.get("offsets") is not None:
        fields["offsets"] = rows(content["offsets"], (3,), path, "'offsets'")
    if fps is not None:
        fields["fps"] = fps
    return build(path, **fields)


def _get(person: object, index: int, path: Path) -> dict[str, Any]:
    value: dict[str, Any] = members(person, dict, path, f"person {index}")
    return value


def _points(value: object, joints: int, path: Path, person: int) -> list[list[Any]]:
    """Of each frame its joints, each a list or, where nothing is seen, None."""
    frames = members(value, list, path, f"person {person}, 'positions'")
    return [_frame(frame, joints, path, f"person {person}, frame {f}") for f, frame in enumerate(frames)]


def _positions(frames: list[list[Any]], joints: int, dims: int, path: Path, person: int) -> Floats:
    """(frames, joints, dims), NaN where null."""
    gap = [None] * dims
    points = [gap if p is None else p for frame in frames for p in frame]
    flat = rows(points, (2, 3), path, f"person {person}, 'positions'")
    array = flat.reshape(len(frames), joints, -1) if len(flat) else np.empty((0, joints, dims))
    return np.where(np.isnan(array).any(axis=-1, keepdims=True), np.nan, array)


def _frame(frame: object, joints: int, path: Path, where: str) -> list[Any]:
    points: list[Any] = members(frame, list, path, where)
    if len(points) != joints:
        raise FormatError(path, f"{where} has {len(points)} joints; expected {joints}")
    return points


def _optional(person: dict[str, Any], key: str, shape: tuple[int, ...], path: Path, index: int) -> Floats | None:
    """A nested list of the given shape, or None where it is absent."""
    if person.get(key) is None:
        return None
    where = f"person {index}, '{key}'"
    level = [person[key]]
    for size in shape:
        if any(len(members(part, list, path, where)) != size for part in level):
            raise FormatError(path, f"{where} is not of shape {shape}; expected one entry for each frame and joint")
        level = [item for part in level for item in part]
    return coordinates(level, path, where).reshape(shape)


def write(sequence: SkeletonSequence, path: Path) -> None:
    """Write every field of a sequence. Raises KinegraphError when the file cannot be written."""
    assert sequence.confidence is not None
    head = {"format": FORMAT, "version": _VERSION, **describe(sequence), "joints": list(sequence.skeleton.joints)}
    if sequence.offsets is not None:
        head["offsets"] = sequence.offsets.tolist()
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
    people = []
    for person in range(sequence.people):
        seen = sequence.seen[person]
        # NaN is not JSON: null stands for a missing joint.
        positions = [
            [point if there else None for point, there in zip(points, mask, strict=True)]
            for points, mask in zip(sequence.positions[person].tolist(), seen.tolist(), strict=True)
        ]
        parts = {"positions": positions}
        if not np.array_equal(sequence.confidence[person], seen):
            parts["confidence"] = sequence.confidence[person].tolist()
        if sequence.rotations is not None:
            parts["rotations"] = sequence.rotations[person].tolist()
        if sequence.uncertainty is not None:
            known = sequence.uncertainty[person].astype(object)
            known[np.isnan(sequence.uncertainty[person])] = None
            parts["uncertainty"] = known.tolist()
        if sequence.contact is not None:
            parts["contact"] = sequence.contact[person].astype(int).tolist()
        people.append("{" + ",\n".join(f'"{k}": [\n{_lines(v)}\n]' for k, v in parts.items()) + "}")
    lines.append('"people": [\n' + ",\n".join(people) + "\n]")
    with atomic_path(path) as temporary:
        temporary.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


def _lines(frames: list[Any]) -> str:
    return ",\n".join(json.dumps(frame, separators=(",", ":"), allow_nan=False) for frame in frames)
