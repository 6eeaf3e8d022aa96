"""What the joints of a file stand for, said by the user: for files that name their joints themselves (BVH, TRC, C3D).

A TOML or JSON file with ``[landmarks]`` (docs/skeletons.md) says it: anatomical point = its joint, joints whose mean it
is, or ``{ joint = weight }``. ``pairs`` may name left and right. What it leaves out stays as the joints' names say it;
``joints``, if there are any, are not taken: the recording has its own.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kinegraph.errors import FormatError, SkeletonError
from kinegraph.formats.joints.rig import parts_of
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names

__all__ = ["with_landmarks"]

_SHOWN = 30  # joints named in a message


def with_landmarks(path: Path, own: Skeleton, told: str | Path | Skeleton | None) -> Skeleton:
    """The skeleton that a recording's names make, with what the user says of its joints.

    Args:
        path: the recording, for messages.
        own: what the recording's names tell.
        told: a TOML or JSON file, or a skeleton whose landmarks are those of this recording; None leaves `own`.

    Raises:
        FormatError: `told` is a layout by name, has no landmarks, or names joints that the recording lacks.
    """
    if told is None:
        return own
    if isinstance(told, Skeleton):
        name = told.name
        pairs: Any = told.pairs
        landmarks: Any = told.landmarks
    else:
        name = str(told)
        data = {} if name in skeleton_names() else _table(path, Path(told))
        pairs, landmarks = data.get("pairs", ()), data.get("landmarks")
    if not landmarks or not isinstance(landmarks, Mapping):
        raise FormatError(
            path,
            f"names its joints itself, and the layout {name} does not say what they stand for; "
            "leave it out, or name a TOML file with [landmarks] = these joints (docs/skeletons.md)",
        )
    lost = sorted({str(joint) for joints in landmarks.values() for joint in _names(joints)} - set(own.joints))
    if lost:
        there = ", ".join(own.joints[:_SHOWN]) + (", ..." if own.num_joints > _SHOWN else "")
        raise FormatError(path, f"has no joint '{lost[0]}', which [landmarks] of {name} names; it has {there}")
    try:
        both = tuple((str(left), str(right)) for left, right in pairs) or own.pairs
        title = Path(name).stem if own.name in skeleton_names() else own.name  # no layout of that name any more
        changed = replace(own, name=title, landmarks={**own.landmarks, **landmarks}, pairs=both)
        return replace(changed, parts=parts_of(own.joints, own.parents, changed.landmarks))
    except (SkeletonError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(path, f"[landmarks] of {name} do not fit: {error}") from error


def _names(joints: Any) -> list[str]:
    if isinstance(joints, str):
        return [joints]
    return list(joints) if isinstance(joints, Mapping | list | tuple) else []


def _table(path: Path, file: Path) -> dict[str, Any]:
    if file.suffix.lower() not in (".toml", ".json"):
        get_skeleton(file)  # says that there is no such layout
    try:
        text = file.read_text(encoding="utf-8")
        data = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise SkeletonError(f"{file}: cannot be read as a skeleton (TOML or JSON): {error}") from error
    if not isinstance(data, dict):
        raise SkeletonError(f"{file}: a skeleton file holds one table with landmarks, joints, ...")
    return data
