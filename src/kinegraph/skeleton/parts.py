"""The ten parts of a body, and which joint belongs to which by its name and by what it hangs on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["PARTS", "default_parts", "part_of_name", "spread_parts"]

PARTS = (
    "head",
    "torso",
    "left_upper_arm",
    "right_upper_arm",
    "left_forearm",
    "right_forearm",
    "left_thigh",
    "right_thigh",
    "left_crus",
    "right_crus",
)
"""The ten body parts of Sym-GNN (section 4.2.1)."""

# The first that occurs decides. Parts come before points, so that a lower arm is no arm; the foot comes before the
# fingers ("foot_index" is a toe), and what is on an arm or leg before what is on the head or the trunk.
_OF_LIMBS = (
    ("upper_arm", ("upper arm", "up arm")),
    ("forearm", ("fore arm", "lower arm", "low arm")),
    ("thigh", ("thigh", "upper leg", "up leg")),
    ("crus", ("crus", "shin", "calf", "lower leg", "low leg")),
    ("crus", ("foot", "fore foot", "mid foot", "hind foot", "toe", "heel", "ankle", "tibia", "fibula")),
    ("upper_arm", ("shoulder", "humerus", "elbow")),
    ("forearm", ("wrist", "hand", "palm", "finger", "thumb", "index", "middle", "ring", "pinky", "radius", "ulna")),
    ("thigh", ("hip", "hip joint", "femur", "knee")),
    ("upper_arm", ("arm",)),
    ("crus", ("leg",)),
)
_OF_HEAD = ("head", "neck", "lower neck", "upper neck", "nose", "eye", "ear", "mouth", "jaw", "chin", "skull", "face")
# Hips and shoulders without a side are the place between the two.
_OF_TORSO = (
    "torso",
    "trunk",
    "pelvis",
    "hip",
    "spine",
    "back",
    "belly",
    "chest",
    "thorax",
    "shoulder",
    "clavicle",
    "collar",
)


def part_of_name(joint: str) -> str | None:
    """The part that a joint's name tells, or None where it tells none.

    The name is read word by word, parted at ``_``, at other signs and at capitals: ``left_fore_arm``, ``LeftForeArm``
    and ``left_forearm`` are one, and no ear. A joint with a side goes by the limb's name where that is in it; else by
    ``shoulder``, ``elbow`` to the upper arm, by ``wrist``, ``hand``, fingers to the forearm, by ``hip``, ``knee`` to
    the thigh, by ``ankle`` and the foot's parts to the crus. Any joint goes by ``head``, ``neck``, ``nose``, eyes, ears
    and mouth to the head, by ``spine``, ``clavicle`` and the like to the torso.
    """
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", joint)]
    sides = [side for side in ("left", "right") if side in words]
    if len(sides) == 1:
        for part, names in _OF_LIMBS:
            if _says(words, names):
                return f"{sides[0]}_{part}"
    if _says(words, _OF_HEAD):
        return "head"
    return "torso" if _says(words, _OF_TORSO) else None


def _says(words: Sequence[str], names: Sequence[str]) -> bool:
    """Whether one of the names stands in a joint's words, in the plural too, its own words written apart or as one."""
    told = " ".join(words)
    return any(re.search(rf"\b{name.replace(' ', ' ?')}s?\b", told) for name in names)


def spread_parts(
    joints: Sequence[str], parents: Sequence[int], part_of: Mapping[str, str]
) -> dict[str, tuple[str, ...]]:
    """Parts of all joints from those of some: a joint without one goes with its parent (fingers with the forearm).

    Args:
        joints: names.
        parents: index of each one's parent, -1 for a root; cycles are endured.
        part_of: joint -> part. What hangs on no joint that has one goes to the torso.

    Returns:
        part -> its joints, in the order of the joints.
    """
    parts: dict[str, list[str]] = {}
    for joint, start in zip(joints, parents, strict=True):
        at, steps = start, 0
        part = part_of.get(joint, "")
        while not part and at >= 0 and steps <= len(joints):
            part, at, steps = part_of.get(joints[at], ""), parents[at], steps + 1
        parts.setdefault(part or "torso", []).append(joint)
    return {part: tuple(members) for part, members in parts.items()}


def default_parts(joints: Sequence[str], parents: Sequence[int]) -> dict[str, tuple[str, ...]]:
    """The ten parts of anatomically named joints (:func:`part_of_name`); a name that tells none goes with its parent.

    What hangs on no such joint goes to the torso. A layout without torso joints (COCO) has its shoulders and hips stand
    for the torso as well.
    """
    told = {joint: part_of_name(joint) for joint in joints}
    parts = spread_parts(joints, parents, {joint: part for joint, part in told.items() if part})
    corners = tuple(joint for joint in joints if joint.endswith(("_shoulder", "_hip")))
    if "torso" not in parts and corners:
        parts["torso"] = corners
    return {part: parts[part] for part in PARTS if part in parts}
