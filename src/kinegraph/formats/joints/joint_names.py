"""Joint names as programs spell them, and the layout that the names of a table are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from kinegraph.errors import FormatError
from kinegraph.formats.joints.rig import MAX_JOINTS, marker_skeleton
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names

__all__ = ["joints_by_name", "layouts_in_order", "plain_name", "table_layout"]

_USUAL = ("coco17", "openpose18", "body25", "halpe26", "mediapipe33")
"""Searched first: coco17 rather than another layout that happens to have the same joints."""
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_WORD = re.compile(r"[A-Z]+(?![^\W\dA-Z_])|[A-Z]?[^\W\dA-Z_]+|\d+")
_ALSO = {
    "spine_base": "pelvis",  # Kinect v2
    "spine_mid": "spine",
    "spine_shoulder": "thorax",
    "hip_center": "pelvis",  # Kinect v1
    "shoulder_center": "thorax",
    "mid_hip": "pelvis",  # OpenPose
}
_NUMBERED = re.compile(r"(\D*)(\d{1,4})")
_NEARLY_ALL = 0.9
"""Share of names with a beginning in common: boxes and the like may stand among joints."""
_ENOUGH_POINTS = 4
"""Points of known anatomy at which names that are no layout's are those of a body."""


def plain_name(name: str) -> str:
    """A joint name in the spelling of our layouts: ``Left Hip``, ``LHip`` and ``hip_left`` are ``left_hip``.

    Words are parted at capitals and signs; a side stands first. What has no letters or digits comes back as it is.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    sides = [word for word in words if word in _SIDES]
    if len(sides) == 1 and len(words) > 1:
        words.remove(sides[0])
        words = [_SIDES[sides[0]], *words]
    return "_".join(words) or name.strip().lower()


def layouts_in_order() -> list[Skeleton]:
    """Every layout of ours, the usual ones first."""
    return [get_skeleton(name) for name in (*_USUAL, *(n for n in skeleton_names() if n not in _USUAL))]


def joints_by_name(names: Sequence[str], layout: Skeleton) -> dict[str, int]:
    """Which joint of `layout` each of `names` is, of those that are one; no joint is given to two names."""
    exact = {joint: i for i, joint in enumerate(layout.joints)}
    plain = {plain_name(joint): i for i, joint in enumerate(layout.joints)}
    found: dict[str, int] = {}
    for spelled in (exact.get, lambda name: _place(plain_name(name), plain)):
        taken = set(found.values())
        for name in names:
            place = spelled(name)
            if name not in found and place is not None and place not in taken:
                found[name] = place
                taken.add(place)
    return found


def _place(name: str, plain: dict[str, int]) -> int | None:
    """Where `name` stands among plain names: as it is, by another name, or with a side glued to it (``leye``)."""
    place = plain.get(name, plain.get(_ALSO.get(name, "")))
    if place is None and name[:1] in ("l", "r"):
        place = plain.get(f"{_SIDES[name[0]]}_{name[1:]}")
    return place


def table_layout(
    names: Sequence[str], path: Path, where: str, skeleton: str | Skeleton | None = None
) -> tuple[Skeleton, dict[str, int], tuple[str, ...]]:
    """The skeleton of a table's joints, which joint each name is, and what there is to say of it.

    Names of a layout may be spelled in other ways (:func:`plain_name`) and have a beginning in common
    (``body_nose``). A table with all joints of a layout and more is read as that layout; one whose names are no
    layout's, but a body's, as loose points. Of a layout that is named, joints may be absent, and names that are only
    numbers are taken in its order.

    Args:
        names: the joints of the table, each once.
        path: file they are in, for the message.
        where: place in the file, for the message.
        skeleton: layout the user names, by name, file or object.

    Raises:
        FormatError: no layout has these joints, or not the one named.
    """
    if len(names) > MAX_JOINTS:
        raise FormatError(
            path, f"{where} names {len(names)} joints ({', '.join(names[:3])[:60]}, ...); expected at most {MAX_JOINTS}"
        )
    named = get_skeleton(skeleton) if skeleton is not None else None
    candidates = layouts_in_order() if named is None else [named]
    spelled = _without_common_beginning(names)
    whole: list[tuple[Skeleton, dict[str, int]]] = []
    for candidate in candidates:
        for variant in (list(names), spelled):
            found = joints_by_name(variant, candidate)
            if len(found) == candidate.num_joints:
                places = {name: found[own] for name, own in zip(names, variant, strict=True) if own in found}
                if len(places) == len(names):
                    return candidate, places, ()
                whole.append((candidate, places))
    if whole:
        layout, places = max(whole, key=lambda one: one[0].num_joints)
        return layout, places, (_left_out([n for n in names if n not in places], f"no joints of '{layout.name}'"),)
    if named is not None:
        return _of_named(names, spelled, named, path, where)
    shown = ", ".join(names[:5])[:120] + (", ..." if len(names) > 5 else "")
    remedy = "pass --read skeleton=NAME (skeleton= in Python), or in place of NAME a TOML or JSON file"
    if _numbers(names) is not None:
        fitting = ", ".join(c.name for c in candidates if c.num_joints == len(names)) or "none of ours"
        remedy += f"; numbers are taken in its order (with {len(names)} joints: {fitting})"
    else:
        markers: list[str] = []
        loose = marker_skeleton(path, names, markers)
        known = set(loose.landmarks) | (set(loose.joints) & set(get_skeleton("halpe26").joints))
        if len(known) >= _ENOUGH_POINTS:
            note = f"{where} names {len(names)} points ({shown}) that are no layout's: taken as points without bones"
            return loose, {n: i for i, n in enumerate(names)}, (f"{note}; skeleton=NAME names a layout", *markers)
    raise FormatError(path, f"{where} names {len(names)} joints ({shown}) that are no known layout's; {remedy}")


def _of_named(
    names: Sequence[str], spelled: Sequence[str], layout: Skeleton, path: Path, where: str
) -> tuple[Skeleton, dict[str, int], tuple[str, ...]]:
    """As :func:`table_layout`, of a layout that is named and not wholly there."""
    numbers = _numbers(names)
    if numbers is not None and len(numbers) == layout.num_joints:
        order = sorted(range(len(names)), key=numbers.__getitem__)
        note = f"joints {names[order[0]]} to {names[order[-1]]} taken in the order of '{layout.name}'"
        return layout, {names[i]: place for place, i in enumerate(order)}, (note,)
    for variant in (names, spelled):
        found = joints_by_name(variant, layout)
        if len(found) == len(names):
            missing = [joint for i, joint in enumerate(layout.joints) if i not in found.values()]
            return layout, {name: found[v] for name, v in zip(names, variant, strict=True)}, (_absent(missing),)
    found = joints_by_name(spelled, layout)
    strange = [name for name, own in zip(names, spelled, strict=True) if own not in found]
    raise FormatError(
        path,
        f"{where} names {len(names)} joints that are not those of '{layout.name}' (none of it: "
        f"{', '.join(strange[:5])[:120]}); name the layout the file is in",
    )


def _numbers(names: Sequence[str]) -> list[int] | None:
    """The numbers that names are, or all end in after the same letters (kp0, kp1, ...); else None."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    matches = [match for match in found if match is not None]
    if len(matches) != len(names) or len({match[1] for match in matches}) != 1:
        return None
    numbers = [int(match[2]) for match in matches]
    return numbers if sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers))) else None


def _without_common_beginning(names: Sequence[str]) -> list[str]:
    """Names without the words that nearly all of them begin with: ``body_nose`` is ``nose``, and ``bbox`` stays."""
    parts = [re.split(r"(?<=[_ .:/-])", name) for name in names]
    while True:
        begin, count = max(Counter(p[0] for p in parts if len(p) > 1).items(), key=lambda one: one[1], default=("", 0))
        if count < max(_NEARLY_ALL * len(parts), 2):
            return ["".join(part) for part in parts]
        parts = [part[1:] if part[0] == begin and len(part) > 1 else part for part in parts]


def _left_out(names: Sequence[str], why: str) -> str:
    return f"left out, as {why}: {', '.join(names[:6])[:120]}{', ...' * (len(names) > 6)} ({len(names)} in all)"


def _absent(joints: Sequence[str]) -> str:
    shown = ", ".join(joints[:6]) + ", ..." * (len(joints) > 6)
    return f"{len(joints)} joints of the layout are not in the table: missing ({shown})"
