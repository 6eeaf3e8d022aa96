"""What a network of single poses does not know: steady limbs, where the body stands, and which way is up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.gaps import ASSUMED_FPS
from kinegraph.transforms.smoothing import gaussian_window, local_polynomial

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: how the note begins that says whose size it is where nothing tells it
ASSUMED_SIZE = "size and distance are those of an average adult"
#: height over the floor, metres, of the ankle and of toe and heel joints of somebody who stands, and of any other
#: joint of somebody who lies on it
ANKLE_M, TOE_M, FLESH_M = 0.08, 0.02, 0.06
#: A network that is unsure of a direction answers the mean of several, which is too short. The third quartile of a
#: limb's lengths is nearer the truth than the median: measured on held-out synthetic people with a briefly trained
#: HCSF, the error over all limbs is 7.6 % (RMS) at the third quartile, 9.4 % at the median.
LENGTH_PERCENTILE = 75.0
#: The direction of such a short answer says little as well: below this share of the limb's length it is mixed with the
#: directions around it in time, weighted by a Gaussian of this sigma. Chosen on held-out HDM05 and CMU clips with six
#: kinds of noise: the mean error stays (90.6 mm), the largest step between two frames at 60 fps falls from 222 to
#: 120 mm, where the true motion's is 112 mm.
SURE_SHARE, BORROWED_S = 0.8, 0.2
NEAREST_M, FURTHEST_M = 0.5, 100.0
#: largest tilt of a camera that is believed, radians
STEEPEST = float(np.deg2rad(35))
#: windows of the floor at a time: all of a long recording's at once, copied, would be gigabytes
_WINDOWS = 1024
#: how far somebody must walk in depth, metres, for the floor's slope to say more than their posture
WALK_M = 1.5


def without_assumed_size(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes without the one that an average adult's size is assumed, for when something has told the size."""
    return tuple(note for note in notes if not note.startswith(ASSUMED_SIZE))


def bone_lengths(poses: Floats, weights: Floats, skeleton: Skeleton) -> Floats:
    """A length per joint's bone to its parent ``(joints,)``, metres: the third quartile over frames, sides alike.

    Args:
        poses: ``(frames, joints, 3)``, finite.
        weights: ``(frames, joints)``; bones with a weight of 0 at either end do not count, unless none is left.
        skeleton: of the poses. Roots get 0.
    """
    lengths = np.zeros(skeleton.num_joints)
    for parent, child in skeleton.bones:
        values = np.linalg.norm(poses[:, child] - poses[:, parent], axis=-1)
        good = (weights[:, child] > 0) & (weights[:, parent] > 0)
        lengths[child] = np.percentile(values[good] if good.any() else values, LENGTH_PERCENTILE)
    for left, right in skeleton.pairs:
        a, b = skeleton.index(left), skeleton.index(right)
        if skeleton.parents[a] >= 0 and skeleton.parents[b] >= 0:
            lengths[[a, b]] = (lengths[a] + lengths[b]) / 2
    return lengths


def make_rigid(poses: Floats, lengths: Floats, skeleton: Skeleton, fps: float | None = None) -> Floats:
    """Poses ``(frames, joints, 3)`` with the given bone lengths ``(joints,)``; every bone keeps its direction.

    With a frame rate the poses are consecutive frames of a video, and a bone that the network gave much too short
    turns towards where it points in the frames around it: blown up to its length it would leap.
    """
    result = poses.copy()
    for joint in skeleton.topological_order():
        parent = skeleton.parents[joint]
        if parent < 0:
            continue
        bone = poses[:, joint] - poses[:, parent]
        direction = _directions(bone)
        if fps is not None and len(poses) > 1 and lengths[joint] > 0:
            short = np.linalg.norm(bone, axis=-1, keepdims=True) / (SURE_SHARE * lengths[joint])
            direction = _borrowed(direction, np.minimum(short, 1.0), BORROWED_S * fps)
        result[:, joint] = result[:, parent] + lengths[joint] * direction
    return result


def _directions(bone: Floats) -> Floats:
    """Unit vectors of bones ``(frames, 3)``; down for those without length, which is as good as any."""
    size = np.linalg.norm(bone, axis=-1, keepdims=True)
    return np.where(size > 1e-9, bone / np.maximum(size, 1e-9), np.array([0.0, 1.0, 0.0]))


def _borrowed(direction: Floats, sure: Floats, sigma: float) -> Floats:
    """Directions ``(frames, 3)``, of which what is not ``sure (frames, 1)``, 0..1, comes from the frames around."""
    around = local_polynomial(direction, np.broadcast_to(sure, direction.shape), gaussian_window(sigma), 0)
    around = np.where(np.isfinite(around), _directions(around), direction)
    return _directions(sure * direction + (1 - sure) * around)


def place_root(poses: Floats, keypoints_px: Floats, weights: Floats, intrinsics: Floats, fps: float | None) -> Floats:
    """Where the root stands before the camera ``(frames, 3)``, metres, so that the pose falls on its keypoints.

    Least squares in closed form, frame by frame, for the depth; the depth is then smoothed (sigma 0.4 s, since it
    follows from the person's size in pixels, a noisy measure), and x, y are fitted at that depth.

    Args:
        poses: ``(frames, joints, 3)`` relative to the root, camera axes.
        keypoints_px: ``(frames, joints, 2)``.
        weights: ``(frames, joints)``, 0 = not to be trusted.
        intrinsics: ``(4,)`` fx, fy, cx, cy in px.
        fps: frames per second.
    """
    rays = (np.nan_to_num(keypoints_px) - intrinsics[2:]) / intrinsics[:2]
    depth, spread = fitted_depth(poses, rays, weights)
    valid = np.isfinite(depth)
    if not valid.any():
        return np.tile([0.0, 0.0, 5.0], (len(poses), 1))
    kernel = gaussian_window(0.4 * (fps or ASSUMED_FPS))
    # Smoothing 1/z treats near and far alike: the size in the image is what was measured.
    inverse = local_polynomial(
        np.where(valid, 1 / np.where(valid, depth, 1.0), 0.0)[:, None],
        np.where(valid, spread**2, 0.0)[:, None],
        kernel,
        1,
    )[:, 0]
    fallback = float(np.median(1 / depth[valid]))
    inverse = np.clip(np.where(np.isfinite(inverse), inverse, fallback), 1 / FURTHEST_M, 1 / NEAREST_M)
    return at_depth(poses, rays, weights, 1 / inverse)


def fitted_depth(poses: Floats, rays: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Depth of the root ``(frames,)`` by least squares in each frame alone, NaN where there is none, and how much it
    says ``(frames,)``: how far the body spreads, m^2, because somebody who crouches or bends says little of it.

    Args:
        poses: ``(frames, joints, 3)`` relative to the root, camera axes.
        rays: ``(frames, joints, 2)`` x/z and y/z of the keypoints' rays.
        weights: ``(frames, joints)``.
    """
    # x + tx = r (z + tz) at every joint: removing the means leaves one unknown, tz.
    target = poses[..., :2] - rays * poses[..., 2:]
    flat_rays = rays - _weighted_mean(rays, weights)[:, None]
    flat_target = target - _weighted_mean(target, weights)[:, None]
    top = (weights[..., None] * flat_rays * flat_target).sum(axis=(1, 2))
    bottom = (weights[..., None] * flat_rays**2).sum(axis=(1, 2))
    total = weights.sum(axis=1)
    valid = (bottom > 1e-12) & (total > 0)
    depth = np.where(valid, top / np.where(valid, bottom, 1.0), np.nan)
    with np.errstate(invalid="ignore"):
        depth = np.where((depth > NEAREST_M) & (depth < FURTHEST_M), depth, np.nan)
    apart = poses[..., :2] - _weighted_mean(poses[..., :2], weights)[:, None]
    return depth, (weights[..., None] * apart**2).sum(axis=(1, 2)) / np.maximum(total, 1e-9)


def at_depth(poses: Floats, rays: Floats, weights: Floats, depth: Floats) -> Floats:
    """Where the root stands ``(frames, 3)`` at a depth ``(frames,)``, so that the pose falls on its keypoints."""
    sideways = _weighted_mean(rays * (poses[..., 2:] + depth[:, None, None]) - poses[..., :2], weights)
    return np.concatenate([sideways, depth[:, None]], axis=1)


def _weighted_mean(values: Floats, weights: Floats) -> Floats:
    result: Floats = (weights[..., None] * values).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)[:, None]
    return result


def upright(
    sequence: SkeletonSequence, *, level_ground: bool = True, stills: bool = False, relative: bool = False
) -> SkeletonSequence:
    """Camera space to a world with y up and the floor at 0.

    A single camera does not feel gravity. The camera is taken to be level from side to side; how far it looks up or
    down follows from the direction ankles -> thorax in the frames where people stand straight (at least a fifth of a
    second of them, and at most 35 degrees), else it is taken to look straight ahead. Where somebody walks 1.5 m or
    more towards or away from the camera, the floor under their feet tells better, and is made level. The notes say
    which.

    x stays the camera's right and z points back at it. The lowest foot of the clip stands on the floor; the first
    person starts at x = z = 0.

    Args:
        sequence: 3D in camera space.
        level_ground: also take out slow drifts of the feet's height (an error of the estimated depth shows as a
            slope): over about two seconds somebody's foot touches the floor.
        stills: the frames are single pictures: everybody stands on a floor of their own.
        relative: positions are relative to the root, and stay so: the axes turn, and there is no floor.

    Raises:
        DataError: the sequence is not 3D in camera space.
    """
    if sequence.dims != 3 or sequence.space != "camera":
        raise DataError(
            f"upright() turns 3D camera space into world space; found {sequence.dims}D in {sequence.space} space"
        )
    pitch, how = _camera_pitch(sequence)
    slope = None if stills or relative else _floor_slope(sequence, pitch)
    if slope is not None and abs(pitch - slope) <= STEEPEST:
        pitch -= slope
        where = f"{abs(np.rad2deg(pitch)):.0f} degrees {'down' if pitch < 0 else 'up'}"
        how = f"from a floor that is level where people walk towards or away from the camera, which looks {where}"
    up = np.array([0.0, -np.cos(pitch), np.sin(pitch)])
    right = np.array([1.0, 0.0, 0.0])
    turn = np.stack([right, up, np.cross(right, up)])
    positions = sequence.positions @ turn.T
    seen = sequence.seen
    if seen.any() and not relative:
        floor = _lowest(positions, sequence) if stills else _floor(positions, sequence, level_ground)[None]
        positions[..., 1] -= floor[..., None]
        person, frame = (int(i[0]) for i in np.nonzero(seen.any(axis=-1)))
        start = (
            np.nanmean(positions[person, frame], axis=0)
            if not seen[person, frame, sequence.skeleton.root]
            else positions[person, frame, sequence.skeleton.root]
        )
        positions[..., [0, 2]] -= start[[0, 2]]
    feet = list(foot_joints(sequence.skeleton))
    under = (
        "floor put under the feet" if seen[..., feet].any() else "no feet are seen: floor put under the lowest joint"
    )
    where = "the root stays at the origin" if relative else under
    where += ", slow drifts of it taken out" if level_ground and not stills and not relative else ""
    note = f"up: {how}; the camera taken to be level from side to side; {where}"
    return sequence.replace(positions=positions, space="world", up="y", rotations=None, notes=(*sequence.notes, note))


def _landmark(sequence: SkeletonSequence, name: str) -> tuple[Floats, Mask] | None:
    """Positions (people, frames, 3) and presence of an anatomical point."""
    weights = sequence.skeleton.landmark(name)
    if weights is None:
        return None
    there: Mask = np.asarray(sequence.seen[..., weights != 0].all(axis=-1))
    return np.einsum("j,pfjd->pfd", weights, np.nan_to_num(sequence.positions)), there


def _camera_pitch(sequence: SkeletonSequence) -> tuple[float, str]:
    """Radians that the camera looks up (positive) or down, and how that is known."""
    level = "the camera's, taken to be level"
    points = [_landmark(sequence, n) for n in ("left_ankle", "right_ankle", "left_hip", "right_hip", "thorax")]
    if any(p is None for p in points):
        return 0.0, level
    (la, sa), (ra, sb), (lh, sc), (rh, sd), (th, se) = [p for p in points if p is not None]
    feet, hips = (la + ra) / 2, (lh + rh) / 2
    there = sa & sb & sc & sd & se
    legs, torso, whole = hips - feet, th - hips, th - feet

    def unit(v: Floats) -> Floats:
        result: Floats = v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
        return result

    straight = (unit(legs) * unit(torso)).sum(-1) > np.cos(np.deg2rad(25))
    upward = unit(whole)[..., 1] < -np.cos(np.deg2rad(45))
    standing = there & straight & upward
    if standing.sum() < max(3, 0.2 * (sequence.fps or ASSUMED_FPS)):
        return 0.0, level + " (nobody stands straight long enough to tell)"
    # Each leg's own direction, so that a stride cancels, would cost robustness; the median does as well.
    direction = np.median(unit(whole)[standing], axis=0)
    pitch = float(np.arctan2(direction[2], -direction[1]))
    if abs(pitch) > STEEPEST:
        return 0.0, level + " (people seem to lean too far to tell)"
    where = f"{abs(np.rad2deg(pitch)):.0f} degrees {'down' if pitch < 0 else 'up'}"
    return pitch, f"from {int(standing.sum())} poses that stand straight, the camera looking {where}"


def _floor_slope(sequence: SkeletonSequence, pitch: float) -> float | None:
    """Radians by which the floor rises with distance under an assumed pitch; None where nobody walks in depth.

    The floor is where the lowest ankle is, by a robust line (Theil-Sen) through all frames.
    """
    names = [n for n in ("left_ankle", "right_ankle") if sequence.skeleton.landmark(n) is not None]
    found = [_landmark(sequence, n) for n in names]
    pairs = [f for f in found if f is not None]
    if not pairs or sequence.frames < 10:
        return None
    feet = np.where(np.stack([m for _, m in pairs])[..., None], np.stack([x for x, _ in pairs]), np.nan)
    height = -np.cos(pitch) * feet[..., 1] + np.sin(pitch) * feet[..., 2]  # (feet, people, frames)
    distance = np.sin(pitch) * feet[..., 1] + np.cos(pitch) * feet[..., 2]
    slopes = []
    for person in range(sequence.people):
        frames = np.flatnonzero(np.isfinite(height[:, person]).all(axis=0))
        if len(frames) < 10:
            continue
        lower = height[:, person, frames].argmin(axis=0)
        h, d = (values[lower, person, frames] for values in (height, distance))
        if np.ptp(np.percentile(d, [5, 95])) < WALK_M:
            continue
        take = np.linspace(0, len(h) - 1, min(len(h), 150)).astype(int)
        a, b = np.triu_indices(len(take), 1)
        run = d[take][b] - d[take][a]
        far = np.abs(run) > WALK_M / 3
        if far.any():
            slopes.append(float(np.median((h[take][b] - h[take][a])[far] / run[far])))
    return float(np.arctan(np.median(slopes))) if slopes else None


def floor_under(heights: Floats, seen: Mask, skeleton: Skeleton) -> float:
    """Height of the floor under one person of a video, from the heights ``(frames, joints)`` of their joints.

    The fifth of frames with the lowest joints touches it; NaN where nobody is seen.
    """
    lowest = np.where(seen, heights - joint_heights(skeleton), np.inf).min(axis=1)
    lowest = lowest[np.isfinite(lowest)]
    return float(np.percentile(lowest, 20)) if len(lowest) else float("nan")


def joint_heights(skeleton: Skeleton) -> Floats:
    """Height of each joint ``(joints,)`` over a floor that it touches."""

    def over(name: str) -> float:
        return TOE_M if any(w in name for w in ("toe", "heel", "foot")) else ANKLE_M if "ankle" in name else FLESH_M

    return np.array([over(name) for name in skeleton.joints])


def foot_joints(skeleton: Skeleton) -> dict[int, float]:
    """Index of every joint of a foot, bone ends apart, and its height over the floor when standing, metres."""
    heights = joint_heights(skeleton)
    return {
        index: float(heights[index])
        for index, name in enumerate(skeleton.joints)
        if heights[index] != FLESH_M and (heights[index] == ANKLE_M or not name.endswith("_end"))
    }


def _lowest(positions: Floats, sequence: SkeletonSequence) -> Floats:
    """Height of the floor that the lowest joint of each pose would touch ``(people, frames)``; NaN where nobody is."""
    # Every joint counts: somebody lies with the feet in the air, or stands on the hands.
    heights = positions[..., 1] - joint_heights(sequence.skeleton)
    result: Floats = np.where(sequence.seen, heights, np.inf).min(axis=-1)
    return np.where(np.isfinite(result), result, np.nan)


def _floor(positions: Floats, sequence: SkeletonSequence, level: bool) -> Floats:
    """Height of the floor in every frame of a video ``(frames,)``."""
    lowest = np.fmin.reduce(_lowest(positions, sequence), axis=0)
    whole = float(np.nanpercentile(lowest, 20))
    if not level or sequence.frames < 3:
        return np.full(sequence.frames, whole)
    rate = sequence.fps or ASSUMED_FPS
    half = max(1, round(1.0 * rate))
    padded = np.pad(lowest, half, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    known = np.concatenate([[0], np.cumsum(np.isfinite(padded))])
    quiet = known[2 * half + 1 :] > known[: -2 * half - 1]
    envelope = np.full(sequence.frames, np.nan)
    frames = np.flatnonzero(quiet)
    for start in range(0, len(frames), _WINDOWS):
        piece = frames[start : start + _WINDOWS]
        envelope[piece] = np.nanpercentile(windows[piece], 40, axis=1)
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / (0.5 * rate)) ** 2)
    slow = local_polynomial(envelope[:, None], quiet[:, None].astype(float), kernel, 0)[:, 0]
    slow = np.where(np.isfinite(slow), slow, whole)
    # Nobody stands in the floor: where a foot is under it, the floor gives way, and softly before and after.
    under = np.maximum(slow - np.where(np.isfinite(lowest), lowest, slow), 0.0)
    short = max(1, round(0.1 * rate))
    reach = np.lib.stride_tricks.sliding_window_view(np.pad(under, short), 2 * short + 1).max(axis=1)
    soft = np.exp(-0.5 * (np.arange(-2 * short, 2 * short + 1) / short) ** 2)
    gives = local_polynomial(reach[:, None], np.ones((len(reach), 1)), soft, 0)[:, 0]
    return slow - np.maximum(gives, under)
