"""Bones as limbs: how thick each is on a body, and the closed surface of one, for viewers and mesh formats."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.skeleton import Skeleton

Array = NDArray[np.float64]

__all__ = ["anatomy", "bone_radii", "limb_mesh"]

# Radius at the parent's and at the child's end of the bone that ends in an anatomical point, as a share of stature:
# a slim mannequin, made to be read and not to be measured.
_RADII: Mapping[str, tuple[float, float]] = {
    "head": (0.045, 0.046),
    "head_top": (0.046, 0.044),
    "nose": (0.030, 0.030),
    "neck": (0.034, 0.028),
    "neck_base": (0.040, 0.030),
    "eye": (0.014, 0.012),
    "ear": (0.014, 0.012),
    "hip": (0.048, 0.044),
    "clavicle": (0.036, 0.034),
    "shoulder": (0.040, 0.034),
    "lower_back": (0.054, 0.054),
    "spine": (0.054, 0.056),
    "thorax": (0.056, 0.058),
    "knee": (0.043, 0.030),
    "ankle": (0.031, 0.019),
    "heel": (0.019, 0.016),
    "foot": (0.020, 0.016),
    "toe": (0.018, 0.013),
    "toe_base": (0.020, 0.014),
    "big_toe": (0.018, 0.012),
    "small_toe": (0.016, 0.010),
    "elbow": (0.032, 0.024),
    "wrist": (0.024, 0.016),
    "hand": (0.018, 0.015),
    "hand_tip": (0.014, 0.009),
    "thumb": (0.011, 0.008),
}
_OTHER = (0.022, 0.020)
_LONGEST_SHARE = 0.5  # of its own length: a short bone is no disc


def anatomy(skeleton: Skeleton) -> tuple[str, ...]:
    """What each joint is on a body, without its side: its own name where that is anatomical, else its landmark's."""
    points = skeleton.meanings
    return tuple(_plain(name if _plain(name) in _RADII else points.get(name, name)) for name in skeleton.joints)


def bone_radii(child: str, stature: float, length: float) -> tuple[float, float]:
    """Radius at the parent's end and at the child's end of a bone, in the unit of `stature`.

    Args:
        child: the anatomical name of the joint that the bone ends in, e.g. ``left_knee`` or ``knee``.
        stature: how tall the body is.
        length: of the bone; radii are at most half of it.
    """
    near, far = _RADII.get(_plain(child), _OTHER)
    most = _LONGEST_SHARE * max(length, 0.0)
    return min(near * stature, most), min(far * stature, most)


def limb_mesh(
    start: ArrayLike, end: ArrayLike, near: float, far: float, *, segments: int = 12, rings: int = 3
) -> tuple[Array, Array, NDArray[np.int64]]:
    """A tapered capsule between two points, closed, its faces counter-clockwise from outside.

    Args:
        start: (3,) centre of the first round end.
        end: (3,) centre of the other, elsewhere.
        near: radius at the start, above 0.
        far: radius at the end, above 0.
        segments: sides round the axis, 3 or more.
        rings: circles of each round end, the rim included.

    Returns:
        Vertices (n, 3), unit normals (n, 3) outward, triangles (m, 3) of vertex indices.
    """
    start, end = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis = axis / length
    # Any direction that is not along the axis spans the circle with it.
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    other = np.cross(axis, side)
    turns = np.arange(segments) * (2 * np.pi / segments)
    circle = np.cos(turns)[:, None] * side + np.sin(turns)[:, None] * other
    # The flank leans by the taper; the round ends take over where it touches them.
    lean = float(np.arcsin(np.clip((near - far) / length, -0.999, 0.999)))
    tilts = [(start, near, t) for t in np.linspace(-np.pi / 2, lean, rings + 1)[1:]]
    tilts += [(end, far, t) for t in np.linspace(lean, np.pi / 2, rings + 1)[:-1]]
    points, normals = [start - near * axis], [-axis]
    for centre, radius, tilt in tilts:
        normal = np.cos(tilt) * circle + np.sin(tilt) * axis
        points += list(centre + radius * normal)
        normals += list(normal)
    points.append(end + far * axis)
    normals.append(axis)
    faces = []
    last = len(points) - 1
    for s in range(segments):
        t = (s + 1) % segments
        faces.append((0, 1 + t, 1 + s))
        for ring in range(len(tilts) - 1):
            a, b = 1 + ring * segments, 1 + (ring + 1) * segments
            faces += [(a + s, a + t, b + s), (a + t, b + t, b + s)]
        top = 1 + (len(tilts) - 1) * segments
        faces.append((last, top + s, top + t))
    return np.array(points), np.array(normals), np.array(faces, dtype=np.int64)


def _plain(name: str) -> str:
    """A joint's name without its side: ``left_knee`` and ``leftKnee`` are knees."""
    rest = name.removeprefix("left").removeprefix("right")
    if rest == name or not (rest.startswith("_") or rest[:1].isupper()):
        return name
    return rest.removeprefix("_") if rest.startswith("_") else rest[:1].lower() + rest[1:]
