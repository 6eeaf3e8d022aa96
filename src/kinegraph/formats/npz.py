"""Our lossless container, and NumPy arrays of others.

A kinegraph npz holds ``kinegraph`` (the version), ``meta`` (JSON text: skeleton, fps, unit, space, up, image_size,
label, source, notes), ``positions`` (people, frames, joints, dims) and ``confidence`` (people, frames, joints), with
``rotations``, ``offsets``, ``uncertainty`` (people, frames, joints, 2) and ``contact`` (people, frames, joints) where
the sequence has them. ``numpy.load`` reads it without pickles.

Arrays that others saved (npz, npy, or a pickle of containers and arrays) are read when the skeleton is named. Pickles,
bare or as object arrays inside an npz, go through :mod:`kinegraph.formats.restricted_pickle`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.errors import FormatError
from kinegraph.formats.fields import build, describe, read_fields
from kinegraph.formats.json_file import members
from kinegraph.formats.restricted_pickle import load_npy, load_npz, load_pickle
from kinegraph.sequence import SkeletonSequence, Space, Unit, Up
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["NAME", "SUFFIXES", "read", "write"]

NAME = "npz"
SUFFIXES = (".npz", ".npy", ".pkl", ".pickle")

_VERSION = 1
_USUAL_KEYS = ("positions", "positions_3d", "positions_2d", "keypoints", "poses", "joints", "data")


def read(
    path: Path,
    *,
    key: str | None = None,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    unit: Unit | None = None,
    space: Space | None = None,
    up: Up | None = None,
    image_size: tuple[int, int] | None = None,
) -> SkeletonSequence:
    """Read a kinegraph npz (then no option is needed, and none may contradict it) or an array that somebody else saved.

    Args:
        path: an ``.npz``, ``.npy`` or pickle.
        key: which array; ``"a/b/c"`` goes down nested dictionaries (``"positions_3d/S1/Walking 1"``).
        skeleton: layout of a foreign array.
        fps: frame rate; replaces the one in the file.
        unit: "m", "px" or "normalized" of a foreign array; without it, 3D is taken as metres and 2D as px, with a note.
        space: "world", "camera" or "image" of a foreign array; without it, 3D is "world" and 2D "image".
        up: "y" or "z", if an array is in world space and this is known.
        image_size: width and height in px of the image that 2D is in; replaces the one in the file.

    Foreign arrays are (people, frames, joints, dims), (frames, joints, dims) or (frames, joints * dims); NaN is
    missing.

    Raises:
        FormatError: damaged, an unknown version, a pickle that wants more than arrays, no array of that name or shape,
            or a kinegraph npz that says something else than an option.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    content: object
    if suffix in (".pkl", ".pickle"):
        content = load_pickle(path)
    elif suffix == ".npy":
        content = load_npy(path)
    else:
        content = load_npz(path)
        if isinstance(content, dict) and "kinegraph" in content:
            sequence = _own(content, path)
            _agree(sequence, path, key=key, skeleton=skeleton, unit=unit, space=space, up=up)
            given: dict[str, Any] = {"fps": fps, "image_size": image_size, "up": up}
            return sequence.replace(**{name: value for name, value in given.items() if value is not None})
    array, name = _find(content, key, path)
    if skeleton is None:
        raise FormatError(path, f"{name} has shape {array.shape} and no skeleton; name its layout with skeleton=NAME")
    layout = get_skeleton(skeleton)
    array = _shaped(array, layout, path, name)
    flat = array.shape[-1] == 2
    notes = () if unit else (f"the unit is not in the file: taken as {'px' if flat else 'metres'}",)
    fields: dict[str, Any] = {
        "positions": array,
        "skeleton": layout,
        "fps": fps,
        "unit": unit or ("px" if flat else "m"),
        "space": space or ("image" if flat else "world"),
        "up": up,
        "image_size": image_size,
        "notes": notes,
    }
    return build(path, **fields)


def _own(content: Mapping[str, Any], path: Path) -> SkeletonSequence:
    version = np.asarray(content["kinegraph"])
    if version.shape != () or version.dtype.kind not in "iu" or int(version) != _VERSION:
        raise FormatError(
            path,
            f"kinegraph npz version {str(content['kinegraph'])[:20]}; expected {_VERSION}. "
            "Write it again with this version",
        )
    for name in ("meta", "positions", "confidence"):
        if name not in content:
            raise FormatError(path, f"no array '{name}'; expected a kinegraph npz with meta, positions and confidence")
    meta = np.asarray(content["meta"])
    try:
        data = json.loads(str(meta[()])) if meta.shape == () else None
    except (ValueError, RecursionError):
        data = None
    fields = read_fields(members(data, dict, path, "'meta'"), path)
    for name in ("positions", "confidence", "rotations", "offsets", "uncertainty"):
        if name in content:
            fields[name] = _numbers(content[name], path, f"'{name}'")
    if "contact" in content:
        fields["contact"] = content["contact"]
        if not isinstance(fields["contact"], np.ndarray) or fields["contact"].dtype != np.bool_:
            raise FormatError(path, "'contact' is no array of booleans; the file was not written by kinegraph")
    if fields["positions"].ndim != 4:
        raise FormatError(path, f"'positions' has shape {fields['positions'].shape}; expected 4 axes")
    return build(path, **fields)


def _agree(sequence: SkeletonSequence, path: Path, *, skeleton: str | Skeleton | None, **given: str | None) -> None:
    """Refuse what contradicts a kinegraph npz; what it leaves open, which way is up, may be said."""
    if skeleton is not None and get_skeleton(skeleton).joints != sequence.skeleton.joints:
        named = skeleton if isinstance(skeleton, str) else skeleton.name
        raise FormatError(
            path, f"its skeleton is '{sequence.skeleton.name}', not '{named}'; leave skeleton (--layout) out"
        )
    own = {"key": "positions", "unit": sequence.unit, "space": sequence.space, "up": sequence.up}
    for name, value in given.items():
        if value is not None and own[name] not in (None, value):
            raise FormatError(path, f"its {name} is {own[name]}, not {value}; leave {name} out")


def _numbers(value: object, path: Path, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        found = f"of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise FormatError(path, f"{where} is {found}; expected an array of numbers")
    return value.astype(np.float64)


def _find(content: object, key: str | None, path: Path) -> tuple[np.ndarray[Any, np.dtype[np.float64]], str]:
    """The array that `key` leads to, or the only sensible one."""
    if key is not None:
        place = content
        for part in key.split("/"):
            if not isinstance(place, Mapping) or part not in place:
                raise FormatError(path, f"no '{part}' on the way to '{key}'; there are {_keys(place)}")
            place = place[part]
        if isinstance(place, Mapping):
            raise FormatError(path, f"'{key}' holds {_keys(place)}; go on, as in key='{key}/{next(iter(place), '')}'")
        return _numbers(place, path, f"'{key}'"), f"'{key}'"
    if isinstance(content, Mapping):
        found = next((k for k in _USUAL_KEYS if k in content), None)
        if found is None and len(content) == 1:
            found = next(iter(content))
        if found is None:
            raise FormatError(path, f"holds {_keys(content)}; name the array with key=NAME")
        if isinstance(content[found], Mapping):
            raise FormatError(path, f"'{found}' holds {_keys(content[found])}; name one with key='{found}/...'")
        return _numbers(content[found], path, f"'{found}'"), f"'{found}'"
    return _numbers(content, path, "the array"), "the array"


def _keys(place: object) -> str:
    if not isinstance(place, Mapping):
        return f"no more names but a {type(place).__name__}"
    names = [repr(str(k)[:30]) for k in list(place)[:8]]
    return (", ".join(names) or "nothing") + (", ..." if len(place) > 8 else "")


def _shaped(
    array: np.ndarray[Any, np.dtype[np.float64]], layout: Skeleton, path: Path, name: str
) -> np.ndarray[Any, np.dtype[np.float64]]:
    joints = layout.num_joints
    if array.ndim == 2 and array.shape[1] in (2 * joints, 3 * joints):
        array = array.reshape(len(array), joints, -1)
    if array.ndim not in (3, 4) or array.shape[-2] != joints or array.shape[-1] not in (2, 3):
        raise FormatError(
            path,
            f"{name} has shape {array.shape}; '{layout.name}' needs (frames, {joints}, 2 or 3) with or "
            "without people in front. Name the right layout or array",
        )
    # NaN in any coordinate is a missing joint: the others tell nothing alone.
    return np.where(np.isnan(array).any(axis=-1, keepdims=True), np.nan, array)


def write(sequence: SkeletonSequence, path: Path) -> None:
    """Write everything a sequence holds. Raises KinegraphError when the file cannot be written."""
    assert sequence.confidence is not None
    arrays: dict[str, Any] = {
        "kinegraph": np.int64(_VERSION),
        "meta": np.array(json.dumps(describe(sequence), ensure_ascii=False)),
        "positions": sequence.positions,
        "confidence": sequence.confidence,
    }
    for name in ("rotations", "offsets", "uncertainty", "contact"):
        if getattr(sequence, name) is not None:
            arrays[name] = getattr(sequence, name)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        # A stream, because savez would append .npz to a name that ends otherwise.
        np.savez_compressed(stream, **arrays)
