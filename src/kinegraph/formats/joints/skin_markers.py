"""What markers on the skin stand for, where a marker file has no joint centres: the Plug-in Gait set and the like.

A marker on the outer knee lies some 5 cm beside the joint, and no mean of markers is the hip's centre, which lies deep
in the body (regressions of it disagree by centimetres): so the pelvis is the mean of its four markers, the wrist that
of its two, hips stay missing, and what was taken for what is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kinegraph.formats.joints.aliases import aliases, first_way

__all__ = ["skin_landmarks", "skin_note"]

Landmarks = Mapping[str, Mapping[str, float]]


def skin_landmarks(
    known: Collection[str], pairs: Mapping[str, tuple[str, str]], middle: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Landmarks that markers on the skin give.

    Args:
        known: anatomical points that joints give, which are left alone.
        pairs: plain name -> left and right marker.
        middle: plain name -> marker without a side.

    Returns:
        anatomical point -> the markers whose mean it is.
    """
    found: dict[str, dict[str, float]] = {}
    tables = aliases()

    def put(point: str, markers: list[str]) -> None:
        if point not in known:
            found[point] = dict.fromkeys(markers, 1 / len(markers))

    for point, ways in tables.skin_sided.items():
        way = first_way(ways, pairs)
        for side, name in enumerate(("left", "right")) if way else ():
            put(f"{name}_{point}", [pairs[stem][side] for stem in way])
    for point, ways in tables.skin_both.items():
        if way := first_way(ways, pairs):
            put(point, [marker for stem in way for marker in pairs[stem]])
    for point, ways in tables.skin_central.items():
        if way := first_way(ways, middle):
            put(point, [middle[name] for name in way])
    return found


def skin_note(taken: Landmarks) -> str:
    """What was taken for what."""
    said = []
    for point, markers in taken.items():
        side, _, both = point.partition("_")
        if side == "left":
            said.append(f"{both} from {'+'.join(markers)}, {'+'.join(taken[f'right_{both}'])}")
        elif side != "right":
            said.append(f"{point} from {'+'.join(markers)}")
    return f"markers on the skin stand for joints, some cm beside their centres: {'; '.join(said)}"
