"""Which left and right joints make the arms and the legs."""

from __future__ import annotations

from kinegraph.skeleton.parts import default_parts
from kinegraph.skeleton.skeleton import Skeleton

__all__ = ["limb_pairs"]

_LIMB_OF_PART = {"upper_arm": "arms", "forearm": "arms", "thigh": "legs", "crus": "legs"}


def limb_pairs(skeleton: Skeleton) -> dict[str, list[tuple[int, int]]]:
    """``(left, right)`` joint indices of the ``"legs"`` and the ``"arms"``, from collar and hip bone to the tips.

    A joint belongs to the limb that its part says (by the names where a skeleton has no parts); one without a part, as
    fingers may be, to that of its nearest ancestor that has one. What is paired between trunk and limb, a collar bone
    say, belongs to the limb that hangs on it alone.
    """
    parts = skeleton.parts or default_parts(skeleton.joints, skeleton.parents)
    limb: dict[int, str] = {}  # "" for head and torso
    for part, members in parts.items():
        kind = _LIMB_OF_PART.get(part.partition("_")[2], "")
        for at in map(skeleton.index, members):  # shoulders and hips may stand for the torso too
            limb[at] = kind or limb.get(at, "")
    order = skeleton.topological_order()
    for joint in order:
        limb.setdefault(joint, limb.get(skeleton.parents[joint], ""))
    paired = {skeleton.index(joint) for pair in skeleton.pairs for joint in pair}
    hanging: dict[int, set[str]] = {joint: set() for joint in order}
    for joint in reversed(order):
        if not limb[joint] and joint in paired and len(hanging[joint]) == 1:
            (limb[joint],) = hanging[joint]
        if skeleton.parents[joint] >= 0:
            hanging[skeleton.parents[joint]] |= {limb[joint]} if limb[joint] else hanging[joint]
    pairs = [(skeleton.index(left), skeleton.index(right)) for left, right in skeleton.pairs]
    return {kind: [pair for pair in pairs if limb[pair[0]] == kind] for kind in ("legs", "arms")}
