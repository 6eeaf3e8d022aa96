"""Which layout a list of keypoints is in, told by how many there are."""

from __future__ import annotations

from pathlib import Path

from kinegraph.errors import FormatError
from kinegraph.formats.joints.joint_names import joints_by_name, layouts_in_order, plain_name
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names

__all__ = ["keypoint_layout", "layout_by_names", "layouts_of", "plain_name"]

_BY_COUNT = {17: "coco17", 18: "openpose18", 25: "body25", 26: "halpe26", 33: "mediapipe33"}
_WHOLE_BODY = {136: "halpe26", 133: "coco17"}
"""Layouts with face and hands whose first keypoints are one of ours: only those are read."""
_ENOUGH = 0.7
"""Share of equal names at which a layout is recognised: mmpose's Human3.6M shares 13 of 17 with ours, COCO's none."""
_NOT_SUPPORTED = {
    14: "CrowdPose or LSP, 14",
    15: "OpenPose MPI, 15",
    16: "MPII, 16",
    19: "OpenPose BODY_19",
    20: "Halpe without feet, 20",
    21: "a hand, or OpenPose BODY_21A",
    23: "OpenPose BODY_23",
    59: "OpenPose BODY_59",
    65: "OpenPose BODY_65",
    67: "OpenPose CAR_22 or BODY_67",
    68: "a face, 68",
    70: "an OpenPose face, 70",
    94: "Halpe without hands, 94",
    95: "OpenPose BODY_95",
    135: "OpenPose BODY_135",
    543: "MediaPipe Holistic, 543",
}


def keypoint_layout(count: int, path: Path, where: str, skeleton: str | Skeleton | None = None) -> Skeleton:
    """The skeleton for `count` keypoints; where the layout has more (face, hands), its first `num_joints` are meant.

    Args:
        count: keypoints found.
        path: file they are in, for the message.
        where: place in the file, for the message.
        skeleton: layout the user names instead, by name, file or object; it must have `count` joints.

    Raises:
        FormatError: no layout, or not the named one, has so many.
    """
    if skeleton is not None:
        named = get_skeleton(skeleton)
        if named.num_joints != count and _WHOLE_BODY.get(count) != named.name:
            raise FormatError(
                path,
                f"{where} has {count} keypoints; skeleton '{named.name}' has {named.num_joints}. "
                "Name the layout the file is in",
            )
        return named
    name = _BY_COUNT.get(count) or _WHOLE_BODY.get(count)
    if name is None:
        known = f" ({_NOT_SUPPORTED[count]}: not supported)" if count in _NOT_SUPPORTED else ""
        supported = ", ".join(f"{n} ({layout})" for n, layout in sorted({**_BY_COUNT, **_WHOLE_BODY}.items()))
        raise FormatError(
            path,
            f"{where} has {count} keypoints{known}; expected {supported}. "
            "For a layout of your own pass skeleton=FILE (TOML or JSON)",
        )
    return get_skeleton(name)


def layouts_of(count: int) -> str:
    """Names of the layouts with so many joints, for messages: ``"body25, ntu25"``, or ``"no layout of ours"``."""
    return ", ".join(n for n in skeleton_names() if get_skeleton(n).num_joints == count) or "no layout of ours"


def layout_by_names(
    names: list[str], path: Path, where: str, skeleton: str | Skeleton | None = None, *, similar: bool = False
) -> tuple[Skeleton, list[int]]:
    """The skeleton whose joints are called `names`, and for each of its joints the place in `names`.

    Args:
        names: the joints of the file, in its order, which is free.
        path: file they are in, for the message.
        where: place in the file, for the message.
        skeleton: layout the user names instead, by name, file or object.
        similar: also accept a layout that most names agree with, joint by joint in the same order, since programs
            differ in a few (``hip`` for ``pelvis``); and trust a named `skeleton` of as many joints.

    Raises:
        FormatError: no layout has these joints, or not the one named.
    """
    plain = [plain_name(name) for name in names]
    if len(set(plain)) != len(plain):
        raise FormatError(path, f"{where} names a joint twice; joint names are unique")
    # The usual ones first: coco17 rather than another layout that happens to have the same joints.
    candidates = layouts_in_order() if skeleton is None else [get_skeleton(skeleton)]
    for candidate in candidates:
        if candidate.num_joints == len(names):
            found = joints_by_name(names, candidate)
            if len(found) == len(names):
                return candidate, sorted(range(len(names)), key=lambda i: found[names[i]])
    if similar:
        shares = [_agreement(plain, candidate) for candidate in candidates]
        best = max(range(len(candidates)), key=shares.__getitem__)
        if shares[best] >= _ENOUGH or (skeleton is not None and candidates[0].num_joints == len(names)):
            return candidates[best], list(range(candidates[best].num_joints))
    if skeleton is not None:
        missing = [j for j in candidates[0].joints if plain_name(j) not in plain]
        raise FormatError(
            path,
            f"{where} names {len(names)} joints that are not those of '{candidates[0].name}' "
            f"(missing: {', '.join(missing[:5]) or 'none'}); name the layout the file is in",
        )
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise FormatError(
        path,
        f"{where} names {len(names)} joints ({shown}) that are no known layout's; "
        "pass --read skeleton=NAME (skeleton= in Python), or in place of NAME a TOML or JSON file",
    )


def _agreement(names: list[str], layout: Skeleton) -> float:
    """Share of a layout's joints that bear the same name in the same place; 0 where their numbers do not fit."""
    if len(names) != layout.num_joints and _WHOLE_BODY.get(len(names)) != layout.name:
        return 0.0
    same = sum(a == plain_name(b) for a, b in zip(names, layout.joints, strict=False))
    return same / layout.num_joints
