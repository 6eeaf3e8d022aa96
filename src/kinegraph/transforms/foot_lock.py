"""Feet that stay where they stand: the body's path follows them smoothly, and the legs make up for the rest.

A lifted person's feet slide, since the depth of a body before one camera is a guess and every joint trembles a little.
Where it is known when a foot is on the ground, both can be mended: in each such stretch the foot has one place, the
path goes where the standing feet put it, and hip, knee and ankle reach what is left by inverse kinematics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.axes import y_up
from kinegraph.errors import DataError
from kinegraph.geometry.two_bone import bend_direction, two_bone
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.body_path import Stretch, standing
from kinegraph.transforms.gaps import ASSUMED_FPS, runs
from kinegraph.transforms.smoothing import gaussian_window, local_polynomial

__all__ = ["NOT_PLANTED", "plant_feet"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: how the note begins that says why no foot was planted
NOT_PLANTED = "feet not planted: "
#: seconds in which a foot comes to its place and leaves it
_BLEND_S = 0.15
#: Shares of the leg's length from which it stretches ever less, and which it never passes on the way to a place: near
#: its whole length a knee snaps by degrees for millimetres.
_SOFT, _STRAIGHT = 0.95, 0.995
#: how often, and over what time (sigma, seconds), the body is moved towards a place out of a leg's reach
_ROUNDS, _LEAN_S = 2, 0.1
#: seconds (sigma) over which the side to which a knee bends is looked for
_SIDE_S = 0.2
_SHORT_M = 0.01  # what is said of a foot that stays so far from its place


@dataclass(frozen=True, kw_only=True)
class _Leg:
    """Joints of a leg; those of the foot below the ankle in order from it."""

    hip: int
    knee: int
    ankle: int
    foot: tuple[int, ...]

    @property
    def chain(self) -> list[int]:
        return [self.hip, self.knee, self.ankle]


@dataclass
class _Told:
    """What was done to all people, for the note; frames are counted once, however many joints it is true of."""

    stretches: int = 0
    path: float = 0.0
    ankles: float = 0.0
    farthest: float = 0.0
    first: int = 0
    """Frame of the recording at which the part that is being planted begins."""
    stands: set[int] = field(default_factory=set)
    going: set[int] = field(default_factory=set)
    short: set[int] = field(default_factory=set)

    def frames(self, which: Mask) -> set[int]:
        """Numbers in the recording of the frames of this part in which any joint is so (frames, joints)."""
        return set((self.first + np.flatnonzero(which.any(axis=1))).tolist())


def plant_feet(sequence: SkeletonSequence, *, heights: ArrayLike | None = None) -> SkeletonSequence:
    """The same motion with every foot that is on the ground kept in one place, in the world, while it is there.

    Where a person has no contact at all nothing moves; else their path changes smoothly, and their pose in and within
    0.15 s of contact alone. Limbs keep their lengths, knees the side to which they bend; the foot goes with its ankle.
    A place out of the leg's reach is approached. Missing joints stay missing. Rotations are left out, which no longer
    fit.

    Args:
        sequence: 3D, metres, with ``contact``; feet of layouts whose hips, knees and ankles are joints of their own.
        heights: at which each joint is when it stands, along the axis that points up ``(joints,)`` or ``(people,
            joints)``, where the ground is known and level; None: each stretch keeps the height found.

    Returns:
        The sequence; its notes say how much was moved, or why nothing was. ``contact`` is left out where a joint goes
        on with the body.

    Raises:
        DataError: not 3D in metres, without contact, or heights of another shape or not finite.

    Example:
        >>> from kinegraph.inference.contact import foot_contacts                       # doctest: +SKIP
        >>> planted = plant_feet(walk.replace(contact=foot_contacts(walk)))             # doctest: +SKIP
    """
    level = _checked(sequence, heights)
    assert sequence.contact is not None
    legs = _legs(sequence.skeleton)
    if not legs:
        why = f"{sequence.skeleton.name} has no leg with hip, knee and ankle as joints of their own"
        return sequence.with_note(NOT_PLANTED + why)
    fps = sequence.fps or ASSUMED_FPS
    turn = y_up(sequence)
    positions, contact, told = sequence.positions @ turn.T, sequence.contact.copy(), _Told()
    feet = np.isin(np.arange(sequence.joints), [joint for leg in legs for joint in (leg.ankle, *leg.foot)])
    for person in range(sequence.people):
        for first, last in runs(sequence.present[person]):
            span = slice(first, last)
            said, told.first = contact[person, span] & feet, first
            if said.any():
                ground = None if level is None else level[person]
                body, held = _planted(positions[person, span], sequence.skeleton, legs, said, ground, fps, told)
                positions[person, span] = body
                contact[person, span] &= held | ~feet
    if not told.stretches:
        return sequence.with_note(NOT_PLANTED + "no foot is found on the ground")
    return sequence.replace(
        positions=positions @ turn, contact=contact, rotations=None, notes=(*sequence.notes, *_notes(told, fps))
    )


def _checked(sequence: SkeletonSequence, heights: ArrayLike | None) -> Floats | None:
    """Heights (people, joints) if there are any."""
    who = sequence.source or "the sequence"
    if sequence.dims != 3 or sequence.unit != "m":
        raise DataError(f"{who}: found {sequence.dims}D in {sequence.unit}; feet are planted in 3D, metres")
    if sequence.contact is None:
        raise DataError(
            f"{who} does not say which feet are on the ground; set contact first (inference.contact.foot_contacts)"
        )
    if heights is None:
        return None
    given, shape = np.array(heights, dtype=np.float64), (sequence.people, sequence.joints)
    if given.shape not in (shape, shape[1:]) or not np.isfinite(given).all():
        raise DataError(f"{who}: found heights of shape {given.shape}; expected finite numbers, {shape} or {shape[1:]}")
    return np.broadcast_to(given, shape)


def _notes(told: _Told, fps: float) -> list[str]:
    many = f"{told.stretches} stretches" if told.stretches > 1 else "1 stretch"
    notes = [
        f"feet planted: {many} on the ground, {len(told.stands) / fps:.1f} s in all; paths moved by up to "
        f"{told.path:.2f} m for it, and ankles against them by up to {told.ankles:.2f} m"
    ]
    if told.going:
        notes.append(
            f"feet planted: contact left out in {len(told.going)} of {len(told.stands | told.going)} frames with it, "
            "where a foot goes on with the body"
        )
    if told.short:
        notes.append(
            f"feet planted: in {len(told.short)} of {len(told.stands)} frames a foot is up to {told.farthest:.2f} m "
            "from its place, which the leg does not reach, or whose hip or knee is not seen"
        )
    return notes


def _legs(skeleton: Skeleton) -> list[_Leg]:
    """The legs of which hip, knee and ankle are joints of their own."""
    legs = []
    for side in ("left", "right"):
        weights = [skeleton.landmark(f"{side}_{part}") for part in ("hip", "knee", "ankle")]
        joints = [int(w.argmax()) for w in weights if w is not None and np.count_nonzero(w) == 1]
        if len(joints) < 3:
            continue
        hip, knee, ankle = joints
        foot: list[int] = []
        for joint in skeleton.topological_order():
            if skeleton.parents[joint] in (ankle, *foot):
                foot.append(joint)
        legs.append(_Leg(hip=hip, knee=knee, ankle=ankle, foot=tuple(foot)))
    return legs


# ---- one person ---------------------------------------------------------------------------------------------------


def _planted(
    body: Floats,
    skeleton: Skeleton,
    legs: Sequence[_Leg],
    contact: Mask,
    heights: Floats | None,
    fps: float,
    told: _Told,
) -> tuple[Floats, Mask]:
    """A body (frames, joints, 3), y up, with its feet planted, and when which joint stands (frames, joints)."""
    before = body
    if heights is not None:
        # what all the feet are too high or too low is the ground's height, and no reason to bend a knee
        off = (heights - body[..., 1])[contact]
        body = body + np.array([0.0, np.median(off), 0.0])
    stretches, movement, places = standing(body, skeleton.root, contact, heights, fps)
    stands = np.zeros_like(contact)
    for stretch in stretches:
        stands[stretch.start : stretch.stop, stretch.joint] = True
    told.going |= told.frames(contact & ~stands)
    told.stands |= told.frames(stands)
    if not stretches:
        return before, stands
    body = body + movement[:, None]
    held = list(zip(stretches, places, strict=True))
    for _ in range(_ROUNDS):
        lean = np.zeros((len(body), 3))
        for leg in legs:
            whole = _whole(body, leg)
            lean[whole] += _missed(body[whole], leg, _shifts(body, leg, held, fps)[leg.ankle][whole])
        body = body + local_polynomial(lean, np.ones_like(lean), gaussian_window(_LEAN_S * fps), 0)[:, None]
    there = np.asarray(np.isfinite(body).any(axis=2))
    told.stretches += len(stretches)
    told.path = max(told.path, float(np.linalg.norm((body - before)[there], axis=-1).max()))
    result = body.copy()
    for leg in legs:
        shifts = _shifts(body, leg, held, fps)
        if heights is not None:
            # a foot in the air is not to be pushed into the ground by what the path and the other foot ask for
            lowest = np.fmin(heights[leg.ankle], before[:, leg.ankle, 1])
            sunk = np.maximum(lowest - body[:, leg.ankle, 1] - shifts[leg.ankle][:, 1], 0.0)
            shifts = {joint: shift + np.nan_to_num(sunk)[:, None] * [0.0, 1.0, 0.0] for joint, shift in shifts.items()}
        _reach(result, body, skeleton, leg, shifts, fps, told)
    _tell_missed(result, held, told)
    return result, stands


def _tell_missed(result: Floats, held: Sequence[tuple[Stretch, Floats]], told: _Told) -> None:
    for stretch, place in held:
        off = np.zeros(len(result))
        off[stretch.start : stretch.stop] = np.linalg.norm(
            result[stretch.start : stretch.stop, stretch.joint] - place, axis=-1
        )
        told.short |= told.frames(off[:, None] > _SHORT_M)
        told.farthest = max(told.farthest, float(off[off > _SHORT_M].max(initial=0.0)))


def _shifts(body: Floats, leg: _Leg, held: Sequence[tuple[Stretch, Floats]], fps: float) -> dict[int, Floats]:
    """By what the ankle and what of the foot was found on the ground should move (frames, 3), each.

    A toe on the ground takes the ankle above it along, as far as that does not stand itself.
    """
    own: dict[int, tuple[Floats, Floats]] = {}
    for joint in (leg.ankle, *leg.foot):
        places = [(stretch, place) for stretch, place in held if stretch.joint == joint]
        if places:
            own[joint] = _held(body[:, joint], places, max(2, round(_BLEND_S * fps)))
    ankle, sure = own.pop(leg.ankle, (np.zeros((len(body), 3)), np.zeros((len(body), 1))))
    shifts = {joint: moved + (1 - known) * ankle for joint, (moved, known) in own.items()}
    if own:
        weight = np.maximum(np.sum([known for _, known in own.values()], axis=0), 1.0)
        ankle = ankle + (1 - sure) * np.sum([moved for moved, _ in own.values()], axis=0) / weight
    shifts[leg.ankle] = ankle
    return shifts


def _held(path: Floats, places: Sequence[tuple[Stretch, Floats]], blend: int) -> tuple[Floats, Floats]:
    """By what a joint's path (frames, 3) moves to be at its places in time, and how much it is held (frames, 1), 0..1.

    Before, between and after its stretches by cubic Hermite splines, so that neither place nor velocity jumps.
    """
    frames = len(path)
    shift, sure = np.zeros((frames, 3)), np.zeros((frames, 1))
    velocity = np.nan_to_num(np.gradient(path, axis=0)) if frames > 1 else np.zeros_like(path)
    for stretch, place in places:
        shift[stretch.start : stretch.stop] = place - path[stretch.start : stretch.stop]
        sure[stretch.start : stretch.stop] = 1
    edges = [(stretch.start, stretch.stop - 1) for stretch, _ in places]
    spans = [(edges[0][0] - blend, edges[0][0]), (edges[-1][1], edges[-1][1] + blend)]
    for (_, left), (right, _) in pairwise(edges):
        near = right - left <= 2 * blend
        spans += [(left, right)] if near else [(left, left + blend), (right - blend, right)]
    on = {frame for edge in edges for frame in edge}
    nothing = np.zeros(3)
    for left, right in spans:
        # what a held joint's shift changes by is what the joint itself would move, the other way
        (a, slope_a, sure_a), (b, slope_b, sure_b) = (
            (shift[at].copy(), -velocity[at], 1.0) if at in on else (nothing, nothing, 0.0) for at in (left, right)
        )
        inside = np.arange(max(left + 1, 0), min(right, frames))
        length = right - left
        u = ((inside - left) / length)[:, None]
        to_b = u * u * (3 - 2 * u)
        bent = u * (1 - u) * length * ((1 - u) * slope_a - u * slope_b)
        shift[inside] = (1 - to_b) * a + to_b * b + bent
        sure[inside] = (1 - to_b) * sure_a + to_b * sure_b
    return shift, sure


def _whole(body: Floats, leg: _Leg) -> Mask:
    """In which frames hip, knee and ankle are all there."""
    there: Mask = np.asarray(np.isfinite(body[:, leg.chain]).all(axis=(1, 2)))
    return there


def _missed(body: Floats, leg: _Leg, shift: Floats) -> Floats:
    """What of an ankle's shift is out of the leg's reach (n, 3), for finite legs of bodies (n, joints, 3)."""
    hip, knee, ankle = (body[:, joint] for joint in leg.chain)
    thigh, shank = (np.linalg.norm(bone, axis=-1) for bone in (knee - hip, ankle - knee))
    wanted = ankle + shift - hip
    far, was, whole = np.linalg.norm(wanted, axis=-1), np.linalg.norm(ankle - hip, axis=-1), thigh + shank
    soft, room = _SOFT * whole, (_STRAIGHT - _SOFT) * whole
    over = np.maximum(far - soft, 0.0)
    reach = np.minimum(far, soft) + room * (1 - np.exp(-over / np.maximum(room, 1e-12)))
    # a leg that was straighter may stay as straight
    reach = np.maximum(reach, np.minimum(far, was))
    missed: Floats = ((far - reach) / np.maximum(far, 1e-12))[:, None] * wanted
    return missed


def _reach(
    result: Floats, body: Floats, skeleton: Skeleton, leg: _Leg, shifts: dict[int, Floats], fps: float, told: _Told
) -> None:
    """Write a leg that reaches its places, and its foot, into the result (frames, joints, 3)."""
    shift = shifts[leg.ankle]
    whole = _whole(body, leg)
    moved = whole & np.any([part.any(axis=1) for part in shifts.values()], axis=0)
    if not moved.any():
        return
    hip, knee, ankle = (body[moved][:, joint] for joint in leg.chain)
    target = ankle + shift[moved] - _missed(body[moved], leg, shift[moved])
    side = _bend_side(body, leg, whole, fps)[moved]
    result[moved, leg.knee], result[moved, leg.ankle] = two_bone(hip, knee, ankle, target, side)
    told.ankles = max(told.ankles, float(np.linalg.norm(result[moved, leg.ankle] - ankle, axis=-1).max()))
    for joint in leg.foot:
        parent = skeleton.parents[joint]
        bone = body[moved, joint] - body[moved, parent]
        wanted = bone
        if joint in shifts:
            wanted = body[moved, joint] + shifts[joint][moved] - result[moved, parent]
        size, now = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (bone, wanted))
        turned = np.where(now > 1e-9, wanted * size / np.maximum(now, 1e-9), bone)
        result[moved, joint] = result[moved, parent] + turned


def _bend_side(body: Floats, leg: _Leg, whole: Mask, fps: float) -> Floats:
    """To where the knee bends in the frames around (frames, 3); a straight leg shows it in others, if anywhere."""
    side = np.zeros((len(body), 3))
    hip, knee, ankle = (body[whole][:, joint] for joint in leg.chain)
    line = ankle - hip
    off = np.linalg.norm(np.cross(knee - hip, line), axis=-1) / np.maximum(np.linalg.norm(line, axis=-1), 1e-9)
    side[whole] = bend_direction(hip, knee, ankle) * off[:, None]
    weights = np.broadcast_to(whole[:, None], side.shape).astype(np.float64)
    around = local_polynomial(side, weights, gaussian_window(_SIDE_S * fps), 0)
    return np.nan_to_num(around)
