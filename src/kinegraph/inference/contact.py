"""When feet touch the floor, low and slow, for long enough; and feet that are planted there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.axes import y_up
from kinegraph.errors import DataError
from kinegraph.inference.extrinsics import Extrinsics
from kinegraph.inference.placement import WALK_M, floor_under, foot_joints, joint_heights
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.foot_lock import NOT_PLANTED, plant_feet
from kinegraph.transforms.gaps import ASSUMED_FPS, runs
from kinegraph.transforms.smoothing import gaussian_window, smooth_array

__all__ = ["floors", "foot_contacts", "with_contact", "with_planted_feet"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: a foot that touches: over its standing height by less than this (m), slower than this (m/s); it stays until it is
#: higher or faster than the second numbers
_RISE_M, _SPEED_M_S = (0.05, 0.09), (0.5, 0.9)
#: the same of speeds across the line of sight, in the image, which is steadier than an estimated depth
_ACROSS_M_S = (0.3, 0.5)
_SHORTEST_S = 0.08
_FEWEST = 3  # frames, from which there is a speed


def with_contact(
    world: SkeletonSequence,
    camera: Extrinsics | None = None,
    *,
    sized: bool = False,
    across: Floats | None = None,
) -> SkeletonSequence:
    """A video's people with the feet that touch the floor, and notes on that floor; as they are where none can be told.

    Where nobody states sizes, they are an average adult's: people on one floor then have their feet at several heights,
    a child's far under an adult's beside it. So contact is with the floor under each, unless floor or sizes are known.

    Args:
        world: 3D in the world, metres.
        camera: by whose extrinsics they came there; None: by :func:`upright`, so that the lowest feet's floor is at 0.
        sized: the people have their stated height.
        across: how fast joints move in the image (people, frames, joints), m/s, where they were lifted from one.

    Raises:
        DataError: not 3D in the world.
    """
    under = floors(world, camera, sized=sized)
    contact = foot_contacts(world, under[:, None], across)
    if contact is None:
        return world
    if camera is not None and camera.floor is None:
        places = ", ".join(sorted({f"{height:.2f}" for height in under}, key=float))
        world = world.with_note(f"floor: assumed under the feet, at {places} m; the extrinsics state none")
    apart = float(np.nanmax(under) - np.nanmin(under))
    if apart > _RISE_M[0]:
        world = world.with_note(
            f"floor: the people's are up to {apart:.2f} m apart, as their sizes are assumed (--height states them); "
            "contact is with the floor under each"
        )
    world = world.replace(contact=contact)
    far = 0.0 if contact.any() else _farthest(world)
    if far > WALK_M:
        return world.with_note(
            f"contact: no foot is found low and slow, though somebody goes {far:.1f} m: steps cannot be told here"
        )
    return world.with_note("contact: feet that are low and slow touch the floor")


def floors(world: SkeletonSequence, camera: Extrinsics | None = None, *, sized: bool = False) -> Floats:
    """Height of the floor that each person of a video stands on ``(people,)``, metres; NaN of who is never seen.

    Args:
        world: 3D in the world, metres.
        camera: by whose extrinsics they came there; None: by :func:`upright`, so that the lowest feet's floor is at 0.
        sized: the people have their stated height: there is one floor.
    """
    heights = (world.positions @ y_up(world).T)[..., 1]
    under = np.array([floor_under(h, s, world.skeleton) for h, s in zip(heights, world.seen, strict=True)])
    if camera is None:
        return np.zeros_like(under) if sized else under - np.nanmin(under)
    if camera.floor is not None:
        return np.full_like(under, camera.floor)
    return np.full_like(under, np.nanmedian(under)) if sized else under


def with_planted_feet(
    world: SkeletonSequence, camera: Extrinsics | None = None, *, sized: bool = False
) -> SkeletonSequence:
    """A video's people whose feet keep their places on the floor while they touch it (:func:`.plant_feet`).

    Args:
        world: what :func:`with_contact` gave.
        camera: as there.
        sized: as there.

    Raises:
        DataError: not 3D in metres.
    """
    if world.contact is None:
        why = "no foot is seen" if world.frames >= _FEWEST else f"{world.frames} frames tell no contact"
        return world.with_note(f"{NOT_PLANTED}{why}")
    under = np.nan_to_num(floors(world, camera, sized=sized))
    return plant_feet(world, heights=under[:, None] + joint_heights(world.skeleton))


def _farthest(world: SkeletonSequence) -> float:
    """Metres between the places where a person is in the world, of whoever goes furthest."""
    ground = (world.positions @ y_up(world).T)[..., [0, 2]]
    gone = [0.0]
    for places, seen in zip(ground, world.seen, strict=True):
        there = seen.any(axis=1)
        if there.any():
            middle = np.nanmean(np.where(seen[there][..., None], places[there], np.nan), axis=1)
            gone.append(float(np.linalg.norm(np.ptp(middle, axis=0))))
    return max(gone)


def foot_contacts(sequence: SkeletonSequence, floor: Floats | float = 0.0, across: Floats | None = None) -> Mask | None:
    """Which joints touch the floor ``(people, frames, joints)``; joints of feet alone are looked at.

    Hysteresis (Canny's, in time): a contact begins where a joint is low and slow, and goes on while it is not clearly
    high or fast; shorter ones than 80 ms do not count. Speed is that of positions smoothed over 50 ms, or the one
    given: a lifted foot that stands slides with the estimated depth, its keypoint keeps its place in the image.

    Args:
        sequence: 3D in the world, metres.
        floor: its height, metres: one number, or one a frame ``(frames,)``, or a person ``(people, 1)``.
        across: speed of every joint across the line of sight ``(people, frames, joints)``, m/s.

    Returns:
        None where contact cannot be told: no joint of a foot is there, or fewer than three frames tell no speed.

    Raises:
        DataError: not 3D in the world.
    """
    if sequence.dims != 3 or sequence.space != "world" or sequence.unit != "m":
        raise DataError(
            f"contacts are looked for in 3D in the world, metres; found {sequence.dims}D in {sequence.space} space"
        )
    feet = foot_joints(sequence.skeleton)
    if not sequence.seen[..., list(feet)].any() or sequence.frames < _FEWEST:
        return None
    fps = sequence.fps or ASSUMED_FPS
    joints = list(feet)
    positions = (sequence.positions @ y_up(sequence).T)[:, :, joints]
    kernel = gaussian_window(0.05 * fps)
    weights = np.asarray(np.isfinite(positions).all(axis=-1), dtype=np.float64)
    slow = smooth_array(np.where(np.isfinite(positions), positions, 0.0), weights, kernel, 1)
    if across is None:
        speed, limits = np.linalg.norm(np.gradient(slow, axis=1), axis=-1) * fps, _SPEED_M_S
    else:
        speed, limits = across[..., joints], _ACROSS_M_S
    over = slow[..., 1] - np.broadcast_to(np.asarray(floor), slow.shape[:2])[..., None]
    over = over - np.array([feet[j] for j in joints])
    with np.errstate(invalid="ignore"):
        begin = (over < _RISE_M[0]) & (speed < limits[0])
        stay = (over < _RISE_M[1]) & (speed < limits[1])
    shortest = max(2, round(_SHORTEST_S * fps))
    contact = np.zeros(sequence.positions.shape[:3], dtype=bool)
    for person in range(sequence.people):
        for column, joint in enumerate(joints):
            contact[person, :, joint] = _hysteresis(begin[person, :, column], stay[person, :, column], shortest)
    return contact


def _hysteresis(begin: Mask, stay: Mask, shortest: int) -> Mask:
    """Runs of `stay` that hold a frame of `begin` and last for `shortest` frames."""
    result = np.zeros(len(stay), dtype=bool)
    for start, stop in runs(stay):
        if stop - start >= shortest and begin[start:stop].any():
            result[start:stop] = True
    return result
