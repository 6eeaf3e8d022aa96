"""Our lossless container, and NumPy arrays of others.

A kinegraph npz holds ``kinegraph`` (the version), ``meta`` (JSON text: skeleton, fps, unit, space, up, image_size,
label, source, notes), ``positions`` (people, frames, joints, dims) and ``confidence`` (people, frames, joints), with
``rotations``, ``offsets``, ``uncertainty`` (people, frames, joints, 2) and ``contact`` (people, frames, joints) where
the sequence has them. ``numpy.load`` reads it without pickles.

Arrays that others saved (npz, npy, or a pickle of containers and arrays) are read when the skeleton is named, and mean
what they mean in memory (:mod:`kinegraph.formats.tables.foreign_array`). Pickles, bare or as object arrays inside an
npz, go through :mod:`kinegraph.formats.restricted_pickle`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinegraph.atomic import atomic_path
from kinegraph.errors import FormatError
from kinegraph.formats.json_file import members
from kinegraph.formats.restricted_pickle import load_npy, load_npz, load_pickle
from kinegraph.formats.scores import MOST, USUAL, told_cut
from kinegraph.formats.tables.fields import build, check_dims, describe, read_fields
from kinegraph.formats.tables.foreign_array import ArrayUnit, Floats, frames_first, from_file_array
from kinegraph.sequence import SkeletonSequence, Space, Up
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["read", "write"]


_VERSION = 1
_USUAL_KEYS = ("positions", "positions_3d", "positions_2d", "keypoints", "keypoint", "poses", "joints", "data")
_SMPL_ROTATIONS = ("poses", "pose", "smpl_poses", "smpl_pose", "body_pose", "pose_body", "fullpose")
_SMPL_ANGLES = tuple(3 * joints for joints in (21, 22, 23, 24, 51, 52, 55))
_SMPL_SIGNS = ("betas", "trans", "transl", "dmpls", "mocap_framerate", "mocap_frame_rate", "root_orient")
_CONFIDENCES = ("confidence", "confidences", "scores", "keypoint_scores", "keypoints_score", "keypoint_score")


def read(
    path: Path,
    *,
    key: str | None = None,
    skeleton: str | Skeleton | None = None,
    fps: float | None = None,
    unit: ArrayUnit | None = None,
    space: Space | None = None,
    up: Up | None = None,
    image_size: tuple[int, int] | None = None,
    dims: int | None = None,
    confidence: str | None = None,
) -> SkeletonSequence:
    """Read a kinegraph npz (then no option is needed, and none may contradict it) or an array that somebody else saved.

    Args:
        path: an ``.npz``, ``.npy`` or pickle.
        key: which array; ``"a/b/c"`` goes down nested dictionaries and lists (``"positions_2d/S1/Walking 1/0"``).
        skeleton: layout of a foreign array.
        fps: frame rate; replaces the one in the file.
        unit: "m", "cm", "mm", "px" or "normalized" of a foreign array; without it, 3D is taken as metres, and 2D as
            fractions of the image where all numbers are about 0..1, else as px, with a note.
        space: "world", "camera" or "image" of a foreign array; without it, 3D is "world" and 2D "image".
        up: "y" or "z", if an array is in world space and this is known.
        image_size: width and height in px of the image that 2D is in; replaces the one in the file.
        dims: 2 where the last axis of a foreign array is x, y and confidence; else its length tells.
        confidence: which array beside it holds the confidences, (people, frames, joints) or (frames, joints);
            without it, one of a usual name ("scores", "keypoint_scores", ...) that has this shape.

    Foreign arrays are (people, frames, joints, dims), (frames, joints, dims) or (frames, joints * dims); (frames,
    people, joints, dims) where many poses along the first axis follow one another in small steps. NaN is missing, and
    of keypoints without confidences (0, 0).

    Raises:
        FormatError: damaged, an unknown version, a pickle that wants more than arrays, no array of that name or shape,
            rotations of SMPL, or a kinegraph npz that says something else than an option.
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
            said = {"key": key, "confidence": confidence, "unit": unit, "space": space, "up": up}
            _agree(sequence, path, dims, skeleton, said)
            given: dict[str, Any] = {"fps": fps, "image_size": image_size, "up": up}
            return sequence.replace(**{name: value for name, value in given.items() if value is not None})
    array, name, beside = _find(content, key, path)
    _refuse_smpl(array, name, beside, path)
    if skeleton is None:
        raise FormatError(
            path,
            f"{name} has shape {array.shape} and no skeleton; name its layout with "
            "--read skeleton=NAME (skeleton= in Python)",
        )
    layout = get_skeleton(skeleton)
    array = _shaped(array, layout, path, name)
    scores, notes = (None, []) if array.shape[-1] > (dims or 3) else _scores(beside, confidence, array, path)
    if frames_first(array):
        array = array.swapaxes(0, 1)
        scores = None if scores is None else scores.swapaxes(0, 1)
        notes.append(
            f"the axes of {name} taken as (frames, people, joints, {array.shape[-1]}): the poses along the first "
            "follow one another in small steps"
        )
    sequence = from_file_array(
        path,
        array,
        skeleton=layout,
        fps=fps,
        confidence=scores,
        unit=unit,
        space=space,
        up=up,
        image_size=image_size,
        dims=dims,
        called=name,
    )
    return sequence.replace(notes=(*notes, *sequence.notes))


def _refuse_smpl(array: Floats, name: str, beside: Mapping[str, Any], path: Path) -> None:
    """Refuse the parameters of a body model: axis-angle rotations, which as positions are a heap of metres."""
    called = name.strip("'").rpartition("/")[2]
    signs = [str(key) for key in beside if str(key) in _SMPL_SIGNS or str(key).startswith("smpl_")]
    signs = [sign for sign in signs if sign != called]
    if called in _SMPL_ROTATIONS and signs and array.ndim > 1 and len(array) and array[0].size in _SMPL_ANGLES:
        raise FormatError(
            path,
            f"{name} {array.shape} with {', '.join(map(repr, signs[:4]))} beside it are rotations of SMPL; expected "
            "positions of joints. Run the body model (smplx in Python) and save its joints, (frames, 24, 3), as npy",
        )


def _scores(beside: Mapping[str, Any], key: str | None, array: Floats, path: Path) -> tuple[Floats | None, list[str]]:
    """Confidences that lie beside an array, and what there is to say of them."""
    names = [key] if key is not None else [name for name in _CONFIDENCES if name in beside]
    for name in names:
        if name not in beside:
            raise FormatError(path, f"no '{name}' beside the array; there are {_keys(beside)}")
        scores = _numbers(beside[name], path, f"'{name}'")
        if scores.shape == (*array.shape[:-1], 1):
            scores = scores[..., 0]
        if scores.shape == array.shape[:-1]:
            highest = float(np.nanmax(scores, initial=0))
            if highest > MOST:
                raise FormatError(
                    path, f"'{name}' holds confidences up to {highest:g}; expected 0 to 1. Divide per cent by 100"
                )
            cut = "; those above 1 cut" if 1 < highest <= USUAL else ""
            return np.clip(scores, 0, 1), [f"confidences from '{name}'{cut}", *told_cut(highest)]
        if key is not None:
            raise FormatError(path, f"'{name}' has shape {scores.shape}; expected {array.shape[:-1]}, one per joint")
    return None, []


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


def _agree(
    sequence: SkeletonSequence,
    path: Path,
    dims: int | None,
    skeleton: str | Skeleton | None,
    given: Mapping[str, str | None],
) -> None:
    """Refuse what contradicts a kinegraph npz; what it leaves open, which way is up, may be said."""
    check_dims(path, sequence.dims, dims)
    if skeleton is not None and get_skeleton(skeleton).joints != sequence.skeleton.joints:
        named = skeleton if isinstance(skeleton, str) else skeleton.name
        raise FormatError(
            path, f"its skeleton is '{sequence.skeleton.name}', not '{named}'; leave skeleton (--layout) out"
        )
    own = {
        "key": "positions",
        "confidence": "confidence",
        "unit": sequence.unit,
        "space": sequence.space,
        "up": sequence.up,
    }
    for name, value in given.items():
        if value is not None and own[name] not in (None, value):
            raise FormatError(path, f"its {name} is {own[name]}, not {value}; leave {name} out")


def _numbers(value: object, path: Path, where: str) -> Floats:
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        found = f"of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
        raise FormatError(path, f"{where} is {found}; expected an array of numbers")
    return value.astype(np.float64)


def _find(content: object, key: str | None, path: Path) -> tuple[Floats, str, Mapping[str, Any]]:
    """The array that `key` leads to, or the only sensible one; what it is called; and what lies beside it."""
    if key is not None:
        place, above = content, content
        for part in key.split("/"):
            inside = _inside(place)
            if part not in inside:
                raise FormatError(path, f"no '{part}' on the way to '{key}'; there are {_keys(place)}")
            place, above = inside[part], place
        if _inside(place):
            raise FormatError(
                path,
                f"'{key}' holds {_keys(place)}; go on, as in --read key={key}/{next(iter(_inside(place)))} "
                "(key= in Python)",
            )
        return _numbers(place, path, f"'{key}'"), f"'{key}'", above if isinstance(above, Mapping) else {}
    if isinstance(content, Mapping):
        found = next((k for k in _USUAL_KEYS if k in content), None)
        if found is None and len(content) == 1:
            found = next(iter(content))
        if found is None:
            raise FormatError(path, f"holds {_keys(content)}; name the array with --read key=NAME (key= in Python)")
        if _inside(content[found]):
            raise FormatError(
                path, f"'{found}' holds {_keys(content[found])}; name one with --read key={found}/... (key= in Python)"
            )
        return _numbers(content[found], path, f"'{found}'"), f"'{found}'", content
    return _numbers(content, path, "the array"), "the array", {}


def _inside(place: object) -> Mapping[str, object]:
    """What a path may go on to from here: the names of a dictionary, the places of a list of arrays or dictionaries."""
    if isinstance(place, Mapping):
        return place
    if isinstance(place, np.ndarray) and place.dtype == object and place.ndim == 1:
        place = list(place)
    if isinstance(place, list | tuple) and any(isinstance(value, Mapping | np.ndarray | list) for value in place):
        return {str(i): value for i, value in enumerate(place)}
    return {}


def _keys(place: object) -> str:
    inside = _inside(place)
    if not inside:
        return f"no more names but a {type(place).__name__}"
    names = [repr(str(k)[:30]) for k in list(inside)[:8]]
    return ", ".join(names) + (", ..." if len(inside) > 8 else "")


def _shaped(array: Floats, layout: Skeleton, path: Path, name: str) -> Floats:
    joints = layout.num_joints
    landmarks = layout.name == "mediapipe33"  # a fourth number is their visibility
    if array.ndim == 2 and array.shape[1] in (2 * joints, 3 * joints, 4 * joints * landmarks):
        array = array.reshape(len(array), joints, -1)
    if array.ndim == 2 and len(array) == joints:
        array = array[None]  # one pose
    if array.ndim not in (3, 4) or array.shape[-2] != joints or not 2 <= array.shape[-1] <= 3 + landmarks:
        raise FormatError(
            path,
            f"{name} has shape {array.shape}; '{layout.name}' needs (frames, {joints}, 2 or 3) with or "
            "without people in front. Name the right layout or array",
        )
    return array


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
