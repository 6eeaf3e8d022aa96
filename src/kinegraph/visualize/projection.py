"""From a sequence's own coordinates to a picture: one display space, and a camera that looks into it.

Display space is right-handed with y up, whatever the sequence says of itself:

- world, y up: unchanged;
- world, z up: (x, z, -y);
- camera (x right, y down, z forward): (x, -y, -z), so that the first view is the one the camera had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence

Array = NDArray[np.float64]

_MOST_CELLS = 20
"""Of the ground from the middle of a scene to its edge: pictures and the player draw all their lines, every frame."""


def to_display(sequence: SkeletonSequence) -> Array:
    """Positions ``(people, frames, joints, 3)`` of a 3D sequence in display space; NaN stays NaN.

    Raises:
        DataError: the sequence is 2D.
    """
    if sequence.dims != 3:
        raise DataError(f"a 3D picture needs 3D joints; this sequence has {sequence.dims} dimensions")
    points = np.asarray(sequence.positions, dtype=np.float64)
    return np.stack([sign * points[..., axis] for axis, sign in shown_axes(sequence)], axis=-1)


def shown_axes(sequence: SkeletonSequence) -> tuple[tuple[int, int], ...]:
    """For each axis of what is shown, which of the sequence's own axes it is and its sign; an image stays as it is."""
    if sequence.dims == 3 and sequence.space == "camera":
        return (0, 1), (1, -1), (2, -1)
    if sequence.dims == 3 and sequence.up == "z":
        return (0, 1), (2, 1), (1, -1)
    return tuple((axis, 1) for axis in range(sequence.dims))


@dataclass(frozen=True, kw_only=True)
class View:
    """A perspective camera in display space.

    ``azimuth`` turns the viewer about the vertical (0 looks along -z, from +z), ``elevation`` lifts it (radians);
    ``centre`` (3,) is the point in the middle of the picture and ``radius`` the distance round it that fits.
    """

    azimuth: float
    elevation: float
    centre: tuple[float, float, float]
    radius: float

    def project(self, points: Array, width: float, height: float) -> tuple[Array, Array, Array]:
        """Pixel positions ``(..., 2)``, depth ``(...)`` and pixels per unit ``(...)`` of points ``(..., 3)``."""
        ca, sa = math.cos(self.azimuth), math.sin(self.azimuth)
        ce, se = math.cos(self.elevation), math.sin(self.elevation)
        x, y, z = np.moveaxis(points - np.asarray(self.centre), -1, 0)
        right, back = ca * x - sa * z, sa * x + ca * z
        up, depth = ce * y - se * back, 3.1 * self.radius - (se * y + ce * back)
        scale = 1.42 * min(width, height) / np.maximum(depth, 0.05 * self.radius)
        return np.stack([width / 2 + right * scale, height / 2 - up * scale], axis=-1), depth, scale


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a 3D sequence needs to be framed: all in display space, lengths in its own unit."""

    view: View
    #: height of the ground plane
    ground: float
    #: size of one person (diagonal of the median box of one pose)
    size: float
    #: side of a ground cell: 0.5 m, or a round number where the unit is unknown or that would make too many
    cell: float
    #: True where the people walk further than a fixed view shows well
    follow: bool


def facing(points: Array, sequence: SkeletonSequence) -> float | None:
    """Azimuth (radians) of a viewer in front of the first person, from hips and shoulders; None if they are unseen.

    ``points``, ``(people, frames, joints, 3)``, are in display space.
    """
    total = np.zeros(2)
    for left, right in (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")):
        lw, rw = sequence.skeleton.landmark(left), sequence.skeleton.landmark(right)
        if lw is None or rw is None:
            continue
        across = np.einsum("j,fjd->fd", lw - rw, np.nan_to_num(points[0]))
        seen = np.isfinite(points[0][:, (lw != 0) | (rw != 0)]).all(axis=(1, 2))
        if seen.any():
            # left x up: facing +z, one's left is +x.
            total += np.array([-across[seen][0, 2], across[seen][0, 0]])
    return math.atan2(total[0], total[1]) if np.linalg.norm(total) > 1e-9 else None


def stage(sequence: SkeletonSequence, azimuth: float | None = None, elevation: float = 0.21) -> Stage:
    """Frame a 3D sequence: the view, the ground and the scale.

    Without ``azimuth`` a world sequence is seen from in front and to one side (35 degrees), a camera-space one from
    30 degrees beside the camera, where depth shows.

    Raises:
        DataError: no joint is present in any frame.
    """
    points = to_display(sequence)
    seen = np.isfinite(points).all(axis=-1)
    if not seen.any():
        raise DataError("nothing to draw: no joint is present in any frame")
    flat = points[seen]
    low, high = np.percentile(flat, 0.5, axis=0), np.percentile(flat, 99.5, axis=0)
    whole = points[seen.any(axis=-1)]
    box = np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1)
    size = max(float(np.median(np.linalg.norm(box, axis=1))), 1e-9)
    lowest = np.nanmin(whole[..., 1], axis=1)
    ground = float(np.percentile(lowest, 2))
    # Ankles stand above a floor that the sequence may already put at zero.
    if sequence.space == "world" and sequence.unit == "m" and 0 <= ground < 0.15:
        ground = 0.0
    spread = np.linalg.norm((high - low)[[0, 2]])
    follow = bool(spread > size and sequence.people == 1)
    middle = (low + high) / 2
    radius = 0.58 * size if follow else max(0.58 * size, 0.5 * float(np.linalg.norm(high - low)))
    if azimuth is None:
        front = facing(points, sequence) if sequence.space != "camera" else None
        azimuth = 0.52 if front is None else front + 0.61
    cell = _cell(0.5 if sequence.unit == "m" else 10.0 ** math.floor(math.log10(size)), radius)
    centre = (float(middle[0]), float(middle[1]), float(middle[2]))
    return Stage(
        view=View(azimuth=azimuth, elevation=elevation, centre=centre, radius=radius),
        ground=ground,
        size=size,
        cell=cell,
        follow=follow,
    )


def _cell(usual: float, radius: float) -> float:
    """Side of a ground cell: the usual one, or in a large scene the next of 1, 2, 5, 10, ... that keeps cells few."""
    least = radius / _MOST_CELLS
    if usual >= least:
        return usual
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least)


Rectangle = tuple[float, float, float, float]
"""Left, top, right and bottom."""


def image_box(sequence: SkeletonSequence) -> Rectangle:
    """The outline of a 2D sequence's picture: the image if its size is known, else the joints' own box.

    Joints further outside the image than half of it are not of that image, and have a box of their own.

    Raises:
        DataError: no joint is present in any frame.
    """
    return _boxes(sequence)[0]


def image_view(sequence: SkeletonSequence) -> tuple[Rectangle, Rectangle]:
    """The outline (:func:`image_box`), and what must be seen for no joint to be cut off: it, and who is beside it.

    Raises:
        DataError: no joint is present in any frame.
    """
    outline, joints = _boxes(sequence)
    inside = joints[0] >= outline[0] and joints[1] >= outline[1] and joints[2] <= outline[2] and joints[3] <= outline[3]
    if inside:
        return outline, outline
    margin = 0.02 * max(outline[2] - outline[0], outline[3] - outline[1])
    left, top = (min(outline[side], joints[side] - margin) for side in (0, 1))
    right, bottom = (max(outline[side], joints[side] + margin) for side in (2, 3))
    return outline, (left, top, right, bottom)


def _boxes(sequence: SkeletonSequence) -> tuple[Rectangle, Rectangle]:
    """The outline of the picture, and the box of the joints."""
    flat = np.asarray(sequence.positions)[..., :2].reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(axis=1)]
    if not len(flat):
        raise DataError("nothing to draw: no joint is present in any frame")
    low, high = flat.min(axis=0), flat.max(axis=0)
    joints = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    # A sequence in normalised coordinates may carry the image's size without being measured in its pixels.
    if sequence.image_size is not None and sequence.unit == "px":
        size = np.array(sequence.image_size, dtype=np.float64)
        if (low >= -0.5 * size).all() and (high <= 1.5 * size).all():
            return (0.0, 0.0, float(size[0]), float(size[1])), joints
    margin = 0.06 * max(float((high - low).max()), 1e-9)
    return (joints[0] - margin, joints[1] - margin, joints[2] + margin, joints[3] + margin), joints


def pose_size(sequence: SkeletonSequence) -> float:
    """Median diagonal of one person's box, in the sequence's unit: the scale for line widths."""
    points = np.asarray(sequence.positions)
    whole = points[np.isfinite(points).all(axis=-1).any(axis=-1)]
    if not len(whole):
        return 1.0
    return max(float(np.median(np.linalg.norm(np.nanmax(whole, axis=1) - np.nanmin(whole, axis=1), axis=1))), 1e-9)
