"""The rig: joint-angle and contact channels of a clip -> joint positions in the world.

The body faces +y, its right is +x, and z is up. A limb is posed by joint angles (forward kinematics) and, as far as
its ``hold`` weight says, drawn to a target in the world by two-bone inverse kinematics; knees and elbows are hinges
that bend one way only, whatever the target. Bones never change length.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.synthetic.body import Body
from kinegraph.datasets.synthetic.channels import SIDES, Motion

Array = NDArray[np.float64]

# Radius of the flesh round each point that can touch the floor, metres at a stature of 1.75 m.
CONTACT_RADII: Mapping[str, float] = {
    "pelvis": 0.10,
    "spine": 0.10,
    "thorax": 0.10,
    "head_centre": 0.09,
    **{f"{side}_{point}": radius for side in SIDES for point, radius in (
        ("hip", 0.09), ("knee", 0.05), ("heel", 0.0), ("toe", 0.0), ("shoulder", 0.06),
        ("elbow", 0.04), ("wrist", 0.03), ("hand", 0.01),
    )},
}  # fmt: skip

# Where ball and heel of the foot lie, as a share of its length before and behind the ankle.
BALL, HEEL, TOE = 0.48, 0.25, 0.75


def standing_height(lengths: Mapping[str, float]) -> float:
    """Height of the pelvis when somebody stands with relaxed knees, metres."""
    return lengths["ankle_height"] + 1.002 * (lengths["thigh"] + lengths["shank"])


def pose(body: Body, motion: Motion) -> dict[str, Array]:
    """Joint positions.

    Args:
        body: segment lengths.
        motion: channels of T frames.

    Returns:
        point -> ``(T, 3)`` metres, world z-up: the joints of ``h36m17`` and also hands, toes and heels.
    """
    lengths = body.lengths()
    scale, fps = body.stature / 1.75, motion.fps
    if motion.level:
        _tilt_to_floor(lengths, motion, scale, fps)
    if motion.rest_on_floor:
        points = _solve(lengths, motion, motion.root * 0)
        return _lift(_solve(lengths, motion, _roll_on_floor(points, scale, fps)), scale, fps)
    root = _within_reach(lengths, motion)
    return _lift(_solve(lengths, motion, root), scale, fps)


def _solve(lengths: Mapping[str, float], motion: Motion, root: Array) -> dict[str, Array]:
    m = motion
    pelvis = pelvis_frame(m)
    lumbar = pelvis @ _trunk(m, "lumbar")
    chest = lumbar @ _trunk(m, "chest")
    neck = chest @ _trunk(m, "neck")
    skull = neck @ rotation("x", -m.limited("head_flex")) @ rotation("y", m.limited("head_side"))
    points = {"pelvis": root}
    points["spine"] = root + lumbar[..., 2] * (lengths["trunk"] / 2)
    points["thorax"] = points["spine"] + chest[..., 2] * (lengths["trunk"] / 2)
    # The cervical spine leans forward out of the chest, and the skull sits upright on it.
    points["nose"] = points["thorax"] + neck @ (lengths["neck"] * np.array([0, 0.26, 0.9656]))
    points["head"] = points["nose"] + skull[..., 2] * lengths["head"]
    points["head_centre"] = (points["nose"] + points["head"]) / 2
    for side, out in zip(SIDES, (1.0, -1.0), strict=True):
        _leg(points, lengths, m, pelvis, side, out)
        _arm(points, lengths, m, chest, side, out)
    return points


def _leg(
    points: dict[str, Array], lengths: Mapping[str, float], m: Motion, pelvis: Array, side: str, out: float
) -> None:
    hip = points["pelvis"] + pelvis[..., 0] * (out * lengths["hip_width"] / 2)
    thigh = (
        pelvis
        @ rotation("x", m.limited(f"{side}_hip_flex"))
        @ rotation("y", -out * m.limited(f"{side}_hip_abd"))
        @ rotation("z", -out * m.limited(f"{side}_hip_out"))
    )
    shank = thigh @ rotation("x", -m.limited(f"{side}_knee"))
    foot = shank @ rotation("x", m.limited(f"{side}_ankle"))
    free = hip - thigh[..., 2] * lengths["thigh"] - shank[..., 2] * lengths["shank"]
    hold = m.foot_hold[side][:, None]
    planted = rotation("z", m.foot_yaw[side]) @ rotation("x", -m.foot_pitch[side])
    held = m.foot_ball[side] + planted @ np.array([0, -BALL * lengths["foot"], lengths["ankle_height"]])
    # A held foot points where the knee should: the hinge follows the foot's heading, not the pelvis alone.
    level = rotation("z", m.foot_yaw[side])[..., 0]
    hinge = thigh[..., 0] * (1 - 0.6 * hold) + level * (0.6 * hold)
    target = free * (1 - hold) + held * hold
    knee, ankle = two_bones(hip, target, hinge, lengths["thigh"], lengths["shank"], m.fps, knee=True)
    forward = _unit(foot[..., 1] * (1 - hold) + planted[..., 1] * hold)
    upward = foot[..., 2] * (1 - hold) + planted[..., 2] * hold
    upward = _unit(upward - np.sum(upward * forward, axis=-1, keepdims=True) * forward)
    sole = ankle - upward * lengths["ankle_height"]
    points[f"{side}_hip"], points[f"{side}_knee"], points[f"{side}_ankle"] = hip, knee, ankle
    # Toes bend up when the heel rises: the foot stands on its ball, and they stay level with the floor.
    flat = _unit(forward * np.array([1.0, 1.0, 0.0]) + np.maximum(forward * np.array([0.0, 0.0, 1.0]), 0.0))
    points[f"{side}_toe"] = sole + lengths["foot"] * (BALL * forward + (TOE - BALL) * flat)
    points[f"{side}_heel"] = sole - forward * (HEEL * lengths["foot"])


def _arm(
    points: dict[str, Array], lengths: Mapping[str, float], m: Motion, chest: Array, side: str, out: float
) -> None:
    clavicle = (
        chest
        @ rotation("z", out * m.limited(f"{side}_clavicle_forward"))
        @ rotation("y", -out * m.limited(f"{side}_clavicle_lift"))
    )
    shoulder = points["thorax"] + clavicle[..., 0] * (out * lengths["shoulder_width"] / 2)
    upper = (
        chest
        @ rotation("x", m.limited(f"{side}_shoulder_flex"))
        @ rotation("y", -out * m.limited(f"{side}_shoulder_abd"))
        @ rotation("z", -out * m.limited(f"{side}_shoulder_out"))
    )
    fore = upper @ rotation("x", m.limited(f"{side}_elbow"))
    free = shoulder - upper[..., 2] * lengths["upper_arm"] - fore[..., 2] * lengths["forearm"]
    hold = m.hand_hold[side][:, None]
    target = free * (1 - hold) + m.hand_target[side] * hold
    elbow, wrist = two_bones(
        shoulder, target, upper[..., 0], lengths["upper_arm"], lengths["forearm"], m.fps, knee=False
    )
    hand = fore @ rotation("x", m.limited(f"{side}_wrist"))
    # A hand drawn to a target goes on in the direction of its forearm, bent by the wrist as far as free.
    along = _unit(-hand[..., 2] * (1 - hold) + _unit(wrist - elbow) * hold)
    points[f"{side}_shoulder"], points[f"{side}_elbow"], points[f"{side}_wrist"] = shoulder, elbow, wrist
    points[f"{side}_hand"] = wrist + along * lengths["hand"]


def two_bones(
    start: Array, target: Array, hinge: Array, first: float, second: float, fps: float, *, knee: bool
) -> tuple[Array, Array]:
    """Analytic inverse kinematics of a hinge between two bones.

    Args:
        start, target: ``(T, 3)`` metres.
        hinge: ``(T, 3)`` direction of the hinge's axis, the body's right at rest; made perpendicular to the limb.
        first, second: bone lengths, metres.
        fps: frames per second; the direction of the bend cannot change faster than muscles move a limb.
        knee: whether the middle joint points forward as a knee does, or backward as an elbow.

    Returns:
        middle joint and end ``(T, 3)``. Where the target is out of reach the limb stretches towards it, short of
        straight; where it is too near, the limb folds to its limit.
    """
    reach = target - start
    distance = np.linalg.norm(reach, axis=-1, keepdims=True)
    along = reach / np.maximum(distance, 1e-9)
    straight, folded = np.deg2rad([2.0, 155.0])
    longest = np.sqrt(first**2 + second**2 + 2 * first * second * np.cos(straight))
    shortest = np.sqrt(first**2 + second**2 + 2 * first * second * np.cos(folded))
    # A smooth minimum: the middle joint of a limb that stretches to a hard stop would jerk as it gets there.
    soft = 0.003 * (first + second)
    slack = (longest - distance) / soft
    distance = np.maximum(longest - soft * np.logaddexp(0.0, slack), shortest)
    axis = _unit(hinge - np.sum(hinge * along, axis=-1, keepdims=True) * along)
    bend = smooth(np.cross(axis, along) * (1.0 if knee else -1.0), 0.05, fps)
    bend = _unit(bend - np.sum(bend * along, axis=-1, keepdims=True) * along)
    cosine = np.clip((first**2 + distance**2 - second**2) / (2 * first * distance), -1, 1)
    middle = start + first * (cosine * along + np.sqrt(1 - cosine**2) * bend)
    return middle, start + distance * along


def pelvis_frame(motion: Motion) -> Array:
    """Orientation of the pelvis ``(T, 3, 3)``: columns are its right, front and up in the world."""
    turn = rotation("z", motion.yaw) @ rotation("x", -motion.pitch) @ rotation("y", motion.roll)
    return np.asarray(turn @ rotation("z", motion.spin))


def rotation(axis: str, angle: Array) -> Array:
    """Rotation matrices ``(T, 3, 3)`` by ``angle`` ``(T,)`` radians about x, y or z."""
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix = np.zeros((*angle.shape, 3, 3))
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[..., i, i] = 1
    matrix[..., j, j] = matrix[..., k, k] = cosine
    matrix[..., k, j], matrix[..., j, k] = sine, -sine
    return matrix


def smooth(values: Array, seconds: float, fps: float) -> Array:
    """Gaussian smoothing of ``(T, ...)`` along time; ends are continued by reflection through the end value."""
    width = seconds * fps
    reach = min(int(np.ceil(3 * width)), len(values) - 1)
    if width < 0.2 or reach < 1:
        return values
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    kernel /= kernel.sum()
    head, tail = 2 * values[:1] - values[reach:0:-1], 2 * values[-1:] - values[-2 : -reach - 2 : -1]
    padded = np.concatenate([head, values, tail])
    flat = padded.reshape(len(padded), -1)
    result = np.stack([np.convolve(column, kernel, mode="valid") for column in flat.T], axis=-1)
    return result.reshape(values.shape)


def _trunk(m: Motion, part: str) -> Array:
    return (
        rotation("z", m.limited(f"{part}_twist"))
        @ rotation("x", -m.limited(f"{part}_flex"))
        @ rotation("y", m.limited(f"{part}_side"))
    )


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


def _within_reach(lengths: Mapping[str, float], m: Motion) -> Array:
    """The root, lowered where a held foot could not be reached: what a person does, rather than let it slide."""
    leg = 0.9985 * (lengths["thigh"] + lengths["shank"])
    pelvis = pelvis_frame(m)
    tightness = 0.003
    bounds = [m.root[:, 2]]
    for side, out in zip(SIDES, (1.0, -1.0), strict=True):
        offset = pelvis[..., 0] * (out * lengths["hip_width"] / 2)
        planted = rotation("z", m.foot_yaw[side]) @ rotation("x", -m.foot_pitch[side])
        ankle = m.foot_ball[side] + planted @ np.array([0, -BALL * lengths["foot"], lengths["ankle_height"]])
        away = np.linalg.norm((ankle - m.root - offset)[:, :2], axis=-1)
        top = ankle[:, 2] - offset[:, 2] + np.sqrt(np.maximum(leg**2 - away**2, (0.3 * leg) ** 2))
        bounds.append(top + 2.0 * (1 - m.foot_hold[side]))
    stacked = np.stack(bounds)
    lowest = stacked.min(axis=0)
    # A smooth minimum: a hard one would jerk the pelvis each time another leg becomes the tight one.
    height = lowest - tightness * np.log(np.exp(-(stacked - lowest) / tightness).sum(axis=0))
    root = m.root.copy()
    root[:, 2] = smooth(height, 0.02, m.fps)
    return root


def _clearance(points: Mapping[str, Array], scale: float) -> tuple[Array, Array]:
    """Contact points ``(P, T, 3)`` and how far the flesh round each is above the floor ``(P, T)``, metres."""
    stacked = np.stack([points[name] for name in CONTACT_RADII])
    radii = scale * np.array(list(CONTACT_RADII.values()))
    return stacked, stacked[..., 2] - radii[:, None]


def _tilt_to_floor(lengths: Mapping[str, float], motion: Motion, scale: float, fps: float) -> None:
    """Lean the pelvis so that the hands are as near to the floor as the knees or toes (Newton's method)."""
    names = list(CONTACT_RADII)
    front = [names.index(f"{side}_{point}") for side in SIDES for point in ("hand", "wrist")]
    rear = [names.index(f"{side}_{point}") for side in SIDES for point in ("knee", "toe")]
    for _ in range(3):
        stacked, gap = _clearance(_solve(lengths, motion, motion.root), scale)
        apart = np.linalg.norm((stacked[front].mean(axis=0) - stacked[rear].mean(axis=0))[:, :2], axis=-1)
        excess = gap[front].min(axis=0) - gap[rear].min(axis=0)
        motion.pitch = motion.pitch + smooth(excess / np.maximum(apart, 0.3), 0.03, fps)


def _roll_on_floor(points: Mapping[str, Array], scale: float, fps: float) -> Array:
    """Root displacement ``(T, 3)`` that puts the lowest point on the floor and keeps what touches it from slipping."""
    stacked, gap = _clearance(points, scale)
    height = smooth(-gap.min(axis=0), 0.05, fps)
    weight = np.exp(-(gap - gap.min(axis=0)) / (0.012 * scale))
    weight /= weight.sum(axis=0)
    between = (weight[:, 1:] + weight[:, :-1]) / 2
    step = -(between[..., None] * np.diff(stacked[..., :2], axis=1)).sum(axis=0)
    travel = np.concatenate([np.zeros((1, 2)), np.cumsum(step, axis=0)])
    return np.concatenate([smooth(travel, 0.03, fps), height[:, None]], axis=-1)


def _lift(points: dict[str, Array], scale: float, fps: float) -> dict[str, Array]:
    """Raise the whole body, smoothly, where any of its flesh would be under the floor."""
    _, gap = _clearance(points, scale)
    depth = np.maximum(-gap.min(axis=0), 0.0)
    if depth.max() < 1e-9:
        return points
    frames = len(depth)
    spread = max(1, round(0.06 * fps))
    # A running maximum before the smoothing keeps the result at or above what is needed everywhere.
    padded = np.pad(depth, 2 * spread, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * spread + 1).max(axis=-1)
    kernel = np.hanning(2 * spread + 3)[1:-1]
    raised = np.convolve(highest, kernel / kernel.sum(), mode="valid")[:frames]
    return {name: point + np.stack([0 * raised, 0 * raised, raised], axis=-1) for name, point in points.items()}
