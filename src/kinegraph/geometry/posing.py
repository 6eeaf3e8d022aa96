"""Joint rotations from joint positions: any recorded or lifted motion as a posed skeleton with constant bones.

Positions do not say how a limb is turned about its own axis, and a joint with several children need not move as
one rigid piece. The choices made here, joint by joint from the root out:

- bone lengths are the medians over time; bone directions are kept;
- the rest pose is a standing T-pose, y up, facing z, the left side towards +x, where joints have anatomical names;
- a bone whose joint has no such name rests straight on from the one before; where it joins two that rest in different
  directions (a stub between buttock and thigh), as it is carried on average;
- a joint with one child turns by the shortest rotation from rest to the bone (swing). Where that would whirl about
  the bone, near the opposite of its rest direction, the twist is held and let go slowly, so nothing flips;
- a joint with several children takes the rotation that fits all of them best (Kabsch, 1976, by singular value
  decomposition), weighted towards the children that do move as one piece; children that lie on the joint itself (hips
  on the root) are looked through to the bones that start there;
- where the bones of a root leave a turn open, it faces as the rest of the body does;
- a child that still misses its place (a shoulder against the thorax) gets a *pivot*: a joint at the same point that
  turns alone, as collar bones do in animation rigs. So bones lie as they lay, within that tolerance, and positions are
  met as far as bones keep their lengths.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import DataError
from kinegraph.geometry.bone_ends import NO_LENGTH, bone_ends, facing, has_length, leaves_a_turn
from kinegraph.geometry.kinematics import forward_kinematics, topological_order
from kinegraph.geometry.rotations import (
    make_continuous,
    matrix_to_quaternion,
    quaternion_between,
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_matrix,
)

Array = NDArray[np.float64]
T = TypeVar("T")

__all__ = [
    "HOLD",
    "HOLD_IN_LINE",
    "Posed",
    "bridge_gaps",
    "finished",
    "kabsch",
    "posing_steps",
    "rest_directions",
    "rotations_from_positions",
    "swing",
]

# Where the bone that ends in an anatomical point lies in the T-pose; x is for the left side.
_REST: Mapping[str, tuple[float, float, float]] = {
    "spine": (0, 1, 0),
    "thorax": (0, 1, 0),
    "neck": (0, 1, 0),
    "nose": (0, 1, 0),
    "head": (0, 1, 0),
    "head_top": (0, 1, 0),
    "clavicle": (1, 0, 0),
    "shoulder": (1, 0, 0),
    "elbow": (1, 0, 0),
    "wrist": (1, 0, 0),
    "hand": (1, 0, 0),
    "hand_tip": (1, 0, 0),
    "hip": (1, 0, 0),
    "knee": (0, -1, 0),
    "ankle": (0, -1, 0),
    "heel": (0, -1, -0.5),
    "foot": (0, -0.3, 1),
    "toe": (0, -0.3, 1),
    "big_toe": (0, -0.3, 1),
    "small_toe": (0.3, -0.3, 1),
}

HOLD = 1e-4
"""What the turn before counts beside bones that leave a turn open."""
HOLD_IN_LINE = 0.1
"""The same where they lie in one line, and what they stray from it is no sign of a turn."""
_STRAIGHT_ON = 0.7  # cosine between the rest directions of two bones above which one goes on from the other
_TWIST_SPEED = 10.0  # rad/s that a limb may turn about itself without being moved to


@dataclass(frozen=True)
class Posed:
    """A posed skeleton: `joints` (pivots included) with `parents`, local `rotations` (frames, joints, 4) xyzw,
    rest `offsets` (joints, 3), `root_positions` (frames, roots, 3) in joint order, and the resulting `positions`
    (frames, joints, 3), in the unit of the input. `source` gives each joint's index in the input, -1 for a pivot."""

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    rotations: Array
    offsets: Array
    root_positions: Array
    positions: Array
    source: tuple[int, ...]


def rest_directions(joints: Sequence[str], parents: Sequence[int], points: Mapping[str, str] | None = None) -> Array:
    """T-pose direction (joints, 3) of the bone that ends in each joint; NaN where its name says nothing.

    Where a nameless joint (a buttock) carries a hip, the bone to that joint is the one that lies sideways, and how the
    hip hangs from there no name tells.

    Args:
        joints: names; ``left_``/``right_`` and anatomical names are understood.
        parents: parent index per joint.
        points: joint name -> anatomical name, where the layout has names of its own.
    """
    result = np.full((len(joints), 3), np.nan)
    hips: list[int] = []
    for j, name in enumerate(joints):
        point = (points or {}).get(name, name)
        side, _, rest = point.partition("_")
        plain, sign = (rest, 1.0 if side == "left" else -1.0) if side in ("left", "right") else (point, 1.0)
        if parents[j] >= 0 and plain in _REST:
            x, y, z = _REST[plain]
            result[j] = np.array([sign * x, y, z]) / np.linalg.norm([x, y, z])
            if plain == "hip":
                hips.append(j)
    carriers = [parents[hip] for hip in hips]
    for hip, above in zip(hips, carriers, strict=True):
        # one that carries both hips is a pelvis, and lies to no side
        if parents[above] >= 0 and carriers.count(above) == 1 and np.isnan(result[above]).any():
            result[above], result[hip] = result[hip], np.nan
    return result


def rotations_from_positions(
    positions: ArrayLike,
    joints: Sequence[str],
    parents: Sequence[int],
    *,
    rest: ArrayLike | None = None,
    fps: float = 30.0,
    pivots: bool = True,
    tolerance: float = 0.002,
    largest: float = np.inf,
) -> Posed:
    """Local rotations and constant rest offsets that reproduce joint positions.

    Args:
        positions: (frames, joints, 3), finite, y up.
        joints: joint names.
        parents: parent index per joint, -1 for a root.
        rest: rest direction per joint (joints, 3), NaN where free; `rest_directions` of the names by default.
        fps: frame rate in Hz; limits how fast a limb may turn about itself.
        pivots: give children that do not move with their siblings a joint of their own. Without, the joints stay
            as they are and such children are a few centimetres off.
        tolerance: how far a child may be off, root mean square, before it gets a pivot; in the positions' unit.
        largest: the same in any one frame.

    Returns:
        `Posed`. Every bone has its median length and, within `tolerance` and `largest` of a child with siblings, the
        direction of the input. A joint is off by what it and the bones above it missed, and by what these changed
        their lengths.

    Raises:
        DataError: positions are not finite, of the wrong shape or without frames.
    """
    return finished(
        posing_steps(
            positions, joints, parents, rest=rest, fps=fps, pivots=pivots, tolerance=tolerance, largest=largest
        )
    )


def finished(steps: Generator[None, None, T]) -> T:
    """What work that comes in steps has made in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def posing_steps(
    positions: ArrayLike,
    joints: Sequence[str],
    parents: Sequence[int],
    *,
    rest: ArrayLike | None = None,
    fps: float = 30.0,
    pivots: bool = True,
    tolerance: float = 0.002,
    largest: float = np.inf,
) -> Generator[None, None, Posed]:
    """:func:`rotations_from_positions` a joint at a time, for those who may not be kept waiting (live).

    Positions (frames, joints, 3) and all else as there.

    Raises:
        DataError: positions of another shape, or that are not finite (with the first step).
    """
    points = np.asarray(positions, dtype=np.float64)
    count = len(joints)
    if points.ndim != 3 or points.shape[1:] != (count, 3) or not len(points) or len(parents) != count:
        raise DataError(f"positions must be (frames, {count}, 3) for {count} joints, found {points.shape}")
    if not np.isfinite(points).all():
        raise DataError("positions must be finite to be turned into rotations; fill the gaps first")
    wanted = rest_directions(joints, parents) if rest is None else np.array(rest, dtype=np.float64)
    order = topological_order(parents)
    lengths, directions = _bones(points, parents)
    ends, long = bone_ends(parents, lengths), has_length(lengths)
    for j in order:  # what a name says of a bone without length is meant of the one that starts there
        if not long[j] and len(ends[j]) == 1 and np.isnan(wanted[ends[j][0]]).any():
            wanted[ends[j][0]] = wanted[j]

    frames = len(points)
    identity = np.zeros((frames, 4))
    identity[:, 3] = 1.0
    turned: dict[int, Array] = {-1: identity}  # global rotation of each joint
    shape: Array = np.zeros((count, 3))  # rest direction of each bone
    own_pivot: dict[int, Array] = {}  # child -> global rotation of the pivot above it
    for j in order:
        yield
        # in the order of the tree: a pivot above j has been decided when j's parent was solved
        above = own_pivot.get(j, turned[parents[j]]) if long[j] else turned[parents[j]]
        bones, hold = ends[j], HOLD
        if parents[j] < 0 and leaves_a_turn(wanted[bones]):
            above = facing(points, parents, wanted * lengths[:, None], j)
            hold = HOLD_IN_LINE if np.isfinite(wanted[bones]).all() else HOLD
        turned[j] = above
        if len(bones) == 1:
            bone = bones[0]
            fitted = _direction(wanted[bone], shape[j])[None]
            if _turns_a_corner(bone, wanted, shape[j], ends):
                fitted = _carried(directions[:, bone], above)[None]
            turned[j] = swing(above[:, None], fitted, directions[:, bones], fps)[:, 0]
        elif bones:
            turned[j], fitted = _fit(directions[:, bones], lengths[bones], wanted[bones], above, hold)
        fixed: list[int] = []  # children that turn with the joint
        for place, c in enumerate(bones):
            if parents[c] != j:  # it starts at a joint that lies on j and turns alone: there it rests as it does here
                wanted[c] = fitted[place]
                continue
            shape[c] = fitted[place]
            if len(bones) > 1:
                fixed.append(c)
        for c in (c for c in range(count) if parents[c] == j and lengths[c] > NO_LENGTH and not long[c]):
            shape[c] = _carried(directions[:, c], turned[j])
            fixed.append(c)
        for c in fixed if pivots else ():
            missed = np.linalg.norm(quaternion_rotate(turned[j], shape[c]) - directions[:, c], axis=-1) * lengths[c]
            if np.sqrt((missed**2).mean()) > tolerance or missed.max() > largest:
                own_pivot[c] = swing(turned[j][:, None], shape[[c]], directions[:, [c]], fps)[:, 0]
    return _assemble(points, joints, parents, lengths, shape, turned, own_pivot)


def _bones(points: Array, parents: Sequence[int]) -> tuple[Array, Array]:
    """Median length (joints,) and unit direction (frames, joints, 3) of the bone that ends in each joint."""
    vectors = np.zeros_like(points)
    child = [j for j, parent in enumerate(parents) if parent >= 0]
    vectors[:, child] = points[:, child] - points[:, [parents[j] for j in child]]
    norms = np.linalg.norm(vectors, axis=-1)
    directions = vectors / np.where(norms > NO_LENGTH, norms, 1.0)[..., None]
    for j in np.flatnonzero((norms <= NO_LENGTH).any(axis=0)):
        # a bone that collapses in some frames keeps the direction it had last
        valid = np.flatnonzero(norms[:, j] > NO_LENGTH)
        if len(valid):
            last = np.searchsorted(valid, np.arange(len(points)), side="right") - 1
            directions[:, j] = directions[valid[np.maximum(last, 0)], j]
    lengths = np.median(norms, axis=0)
    return np.where(np.abs(directions).sum(axis=(0, 2)) > 0, lengths, 0.0), directions


def _carried(directions: Array, turned: Array) -> Array:
    """Mean direction (3,) of a bone (frames, 3) on a joint turned so (frames, 4)."""
    local = quaternion_rotate(quaternion_conjugate(turned), directions)
    mean = local.mean(axis=0)
    norm = float(np.linalg.norm(mean))
    shape: Array = mean / norm if norm > NO_LENGTH else local[0]
    return shape


def _direction(wanted: Array, before: Array) -> Array:
    """Rest direction of a single bone: the one asked for, else straight on from the bone before it, else up."""
    if np.isfinite(wanted).all() and np.linalg.norm(wanted) > NO_LENGTH:
        unit: Array = wanted / np.linalg.norm(wanted)
        return unit
    return before if np.linalg.norm(before) > NO_LENGTH else np.array([0.0, 1.0, 0.0])


def _turns_a_corner(bone: int, wanted: Array, before: Array, ends: Sequence[Sequence[int]]) -> bool:
    """Whether a bone that the names say nothing of joins two that rest in different directions.

    Straight on from the first it would be swung by about as much as the corner at every moment, which turns what hangs
    on it about its own axis: thighs that hang by a stub from a buttock would face sideways.

    Args:
        bone: index of the joint at its end.
        wanted: (joints, 3) rest directions; NaN where free.
        before: (3,) rest direction of the bone before it; zeros for none.
        ends: see `bone_ends`.
    """
    if not np.isnan(wanted[bone]).any():
        return False
    while len(ends[bone]) == 1 and np.isnan(wanted[bone]).any():
        bone = ends[bone][0]
    return bool(before @ wanted[bone] < _STRAIGHT_ON * np.linalg.norm(before) * np.linalg.norm(wanted[bone]))


def swing(above: Array, rest: Array, direction: Array, fps: float) -> Array:
    """Global rotations (frames, n, 4) that carry `rest` (n, 3) to `direction` (frames, n, 3), starting from `above`."""
    shortest = quaternion_multiply(quaternion_between(quaternion_rotate(above, rest), direction), above)
    if len(direction) == 1:
        return shortest
    # The turn about the bone from one frame to the next, beyond what moving the bone itself needs:
    carried = quaternion_multiply(quaternion_between(direction[:-1], direction[1:]), shortest[:-1])
    excess = quaternion_multiply(shortest[1:], quaternion_conjugate(carried))
    turn = 2 * np.arctan2((excess[..., :3] * direction[1:]).sum(axis=-1), excess[..., 3])
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    # The parent's own turning about this bone is wanted; only sudden turns are held back.
    limit = _TWIST_SPEED / fps
    for bone in np.flatnonzero((np.abs(turn) > limit).any(axis=0)):
        twist = _twist_back(turn[:, bone], direction[:, bone], limit)
        shortest[:, bone] = quaternion_multiply(twist, shortest[:, bone])
    return shortest


def _twist_back(turn: Array, direction: Array, limit: float) -> Array:
    """Rotations (frames, 4) about a bone (frames, 3) that let it turn by no more than `limit` from frame to frame.

    `turn` (frames - 1,) is how far it turns, in radians; what is held back is made up for later.
    """
    held = np.zeros(len(direction))
    lag = 0.0
    for f, step in enumerate(turn.tolist(), start=1):
        due = step - lag  # the turn that would make up for everything held back so far
        due = (due + np.pi) % (2 * np.pi) - np.pi
        taken = min(max(due, -limit), limit)
        lag = lag + taken - step
        lag = (lag + np.pi) % (2 * np.pi) - np.pi
        held[f] = lag
    return np.concatenate((direction * np.sin(held / 2)[:, None], np.cos(held / 2)[:, None]), axis=-1)


def _fit(directions: Array, lengths: Array, wanted: Array, above: Array, hold: float) -> tuple[Array, Array]:
    """Best common rotation of several bones.

    Args:
        directions: (frames, bones, 3) unit; lengths: (bones,); wanted: (bones, 3) rest directions or NaN;
        above: the parent's global rotations (frames, 4), and how much they hold: see `kabsch`.

    Returns:
        rotations (frames, 4), rest directions (bones, 3).
    """
    matrices = quaternion_to_matrix(above)
    shape = np.where(np.isfinite(wanted).all(axis=-1, keepdims=True), wanted, 0.0)
    free = np.linalg.norm(shape, axis=-1) <= NO_LENGTH
    if free.all():
        # at rest is the first frame, as the parent was turned there: whichever way the body faces
        shape, free = directions[0] @ matrices[0], np.zeros(len(lengths), dtype=bool)
    asked, known = shape.copy(), ~free
    weights = np.where(free, 0.0, 1.0)
    for _ in range(12):
        turned = kabsch(directions, shape, weights, matrices, hold)
        local = np.einsum("fji,fcj->fci", turned, directions)
        mean = local.mean(axis=0)
        norm = np.linalg.norm(mean, axis=-1, keepdims=True)
        new = np.where(norm > NO_LENGTH, mean / np.where(norm > NO_LENGTH, norm, 1.0), shape)
        if known.any():
            # the mean shape drifts with the poses it was seen in; bring it back to the T-pose as one piece
            back = kabsch(asked[None, known], new[known], weights[known], np.eye(3)[None])[0]
            new = new @ back.T
        missed = np.sqrt(((local - mean) ** 2).sum(axis=-1).mean(axis=0)) * lengths
        weights = 1.0 / (missed / lengths + 0.01)
        moved = np.abs(new - shape).max()
        shape = new
        if moved < 1e-9:
            break
    return matrix_to_quaternion(kabsch(directions, shape, weights, matrices, hold)), shape


def kabsch(directions: Array, shape: Array, weights: Array, towards: Array, hold: float = HOLD) -> Array:
    """Rotations (frames, 3, 3) that best carry `shape` (bones, 3) to `directions` (frames, bones, 3).

    Where the bones leave a turn undecided (all in one line), the one nearest to `towards` (frames, 3, 3) is taken;
    it counts `hold` of what the bones with `weights` (bones,) do.
    """
    cross = np.einsum("c,fci,cj->fij", weights, directions, shape)
    cross = cross + hold * weights.sum() * towards
    u, _, vt = np.linalg.svd(cross)
    sign = np.sign(np.linalg.det(u @ vt))
    u[..., 2] *= sign[:, None]
    rotation: Array = u @ vt
    return rotation


def _assemble(
    points: Array,
    joints: Sequence[str],
    parents: Sequence[int],
    lengths: Array,
    shape: Array,
    turned: Mapping[int, Array],
    own_pivot: Mapping[int, Array],
) -> Posed:
    names: list[str] = []
    source: list[int] = []
    place: dict[int, int] = {}
    pivot_place: dict[int, int] = {}
    for j, name in enumerate(joints):
        if j in own_pivot:
            pivot = f"{name}_pivot"
            while pivot in joints:
                pivot += "_"
            pivot_place[j] = len(names)
            names.append(pivot)
            source.append(-1)
        place[j] = len(names)
        names.append(name)
        source.append(j)
    up = [-1] * len(names)
    offsets = np.zeros((len(names), 3))
    turns = np.empty((len(names), len(points), 4))
    for j, parent in enumerate(parents):
        at = place[j]
        turns[at] = turned[j]
        offsets[at] = shape[j] * lengths[j]
        above = place[parent] if parent >= 0 else -1
        if j in own_pivot:
            turns[pivot_place[j]] = own_pivot[j]
            up[pivot_place[j]] = above
            above = pivot_place[j]
        up[at] = above
    conjugate = turns * np.array([-1.0, -1.0, -1.0, 1.0])
    local = np.stack(
        [turns[j] if p < 0 else quaternion_multiply(conjugate[p], turns[j]) for j, p in enumerate(up)], axis=1
    )
    roots = [j for j, p in enumerate(up) if p < 0]
    translations = np.tile(offsets, (len(points), 1, 1))
    translations[:, roots] = points[:, [source[j] for j in roots]]
    return Posed(
        joints=tuple(names),
        parents=tuple(up),
        rotations=make_continuous(local),
        offsets=offsets,
        root_positions=translations[:, roots],
        positions=forward_kinematics(up, local, translations)[0],
        source=tuple(source),
    )


def bridge_gaps(positions: Array) -> Array:
    """Positions (frames, joints, dims) with NaN filled: linearly in time inside, the nearest frame at the ends."""
    filled = positions.copy()
    times = np.arange(len(positions))
    for joint in np.flatnonzero(np.isnan(positions).any(axis=(0, 2))):
        seen = np.isfinite(positions[:, joint]).all(axis=-1)
        for axis in range(positions.shape[2]):
            filled[~seen, joint, axis] = np.interp(times[~seen], times[seen], positions[seen, joint, axis])
    return filled
