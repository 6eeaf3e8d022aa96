"""Actions in which legs and trunk work together while the feet stand: squats, jumps, chairs, stooping, balance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicHermiteSpline

from kinegraph.datasets.synthetic.channels import SIDES
from kinegraph.datasets.synthetic.gestures import idle_arms
from kinegraph.datasets.synthetic.rig import smooth, standing_height
from kinegraph.datasets.synthetic.stage import Keys, Stage

Array = NDArray[np.float64]
_GRAVITY = 9.81


def squatting(stage: Stage) -> None:
    """Squat, half or deep, arms forward, at the sides or behind the head."""
    rng = stage.rng
    u = stage.cycles(rng.uniform(2.0, 3.0), start=rng.uniform(0, 0.2))
    depth = rng.uniform(0.26, 0.47)
    lean = 34 * depth / 0.42
    stage.stand(rng.uniform(1.1, 1.6))
    arms: Keys = {"both_shoulder_flex": [4, 86 + lean, 90 + lean, 4], "both_elbow": [14, 10, 10, 14]}
    if rng.uniform() < 0.3:
        arms = {"both_shoulder_abd": [92] * 4, "both_shoulder_out": [90] * 4, "both_elbow": [132] * 4}
    times = [0.0, 0.42, 0.52, 0.94]
    stage.keys(u, times, {
        "root_z": [0, -depth, -depth, 0], "root_y": [0, -0.30 * depth, -0.30 * depth, 0],
        "pitch": [2, lean, lean, 2], "lumbar_flex": [0, 0.5 * lean, 0.5 * lean, 0],
        "neck_flex": [2, -0.7 * lean, -0.7 * lean, 2], "both_hip_abd": [4, 18, 18, 4], "both_hip_out": [6, 18, 18, 6],
        **arms,
    })  # fmt: skip
    stage.sway(0.8, 0.004)


def jumping(stage: Stage) -> None:
    """Jump again and again: crouch, fly, land softly; straight up, or as a jumping jack."""
    rng, scale, m = stage.rng, stage.scale, stage.motion
    flight = rng.uniform(0.34, 0.52)
    jack = bool(rng.uniform() < 0.3)
    crouch = 0.12 if jack else rng.uniform(0.22, 0.36)
    # Seconds: go down, push off, fly, absorb, rise. The push ends with the speed the flight begins with.
    speed = _GRAVITY * flight / 2
    down, push = (0.22, 0.16) if jack else (0.55, 0.27)
    marks = np.cumsum([0.0, down, push, flight, 0.22, 0.45 if not jack else 0.14, 0.3 if not jack else 0.0])
    toes = 0.055 * scale
    heights = np.array([0, -crouch * scale, toes, toes, -0.6 * crouch * scale, 0.0, 0.0])
    slopes = np.array([0, 0, speed, -speed, 0, 0, 0])
    if jack:
        marks, heights, slopes = marks[:-1], heights[:-1], slopes[:-1]
    # Time is that of gravity: a jump's flight does not follow anybody's tempo.
    clock = (stage.t + rng.uniform(0, 0.3)) % marks[-1]
    rise = CubicHermiteSpline(marks, heights, slopes)(clock)
    fly = clock - marks[2]
    aloft = (fly > 0) & (fly < flight)
    rise = np.where(aloft, toes + speed * fly - _GRAVITY / 2 * fly**2, rise)
    m.root[:, 2] += rise
    u = clock / marks[-1]
    d, p, f, a = marks[1:5] / marks[-1]
    times = [0.0, d, p, (p + f) / 2, f, a, 0.5 + a / 2]
    if jack:
        wide = np.where(np.floor((stage.t + 1e-9) / marks[-1]).astype(int) % 2 == 0, 1.0, 0.0)
        _jack(stage, clock, marks, wide)
    else:
        lean = 90 * crouch
        stage.keys(u, times, {
            "pitch": [2, lean, 4, 0, 4, 0.6 * lean, 4], "lumbar_flex": [0, 0.5 * lean, 0, -4, 0, 8, 0],
            "neck_flex": [2, -0.6 * lean, -6, 4, 8, -6, 2], "both_shoulder_flex": [4, -44, 84, 128, 84, 30, 6],
            "both_shoulder_abd": [8, 14, 16, 18, 24, 18, 8], "both_elbow": [14, 20, 34, 26, 34, 36, 16],
            "both_clavicle_lift": [0, 0, 12, 18, 5, 0, 0], "root_y": [0, -0.05, 0.0, 0, 0, -0.04, 0],
        }, variation=0.0)  # fmt: skip
    airborne = np.log1p(np.exp(np.clip((m.root[:, 2] - standing_height(stage.lengths) - 0.8 * toes) / 0.006, -50, 50)))
    tuck = rng.uniform(0, 0.14) * scale * np.where(aloft, np.sin(np.pi * np.clip(fly / flight, 0, 1)) ** 2, 0)
    # Heels leave the floor before the toes do, and come down after them.
    heels = _ramp(clock - marks[2] + 0.11, 0.11) * (1 - _ramp(clock - marks[3], 0.10))
    for side in SIDES:
        m.foot_ball[side][:, 2] += 0.006 * airborne + tuck
        m.foot_pitch[side] += np.deg2rad(34) * heels
    stage.sway(0.7, 0.003)


def _ramp(seconds: Array, length: float) -> Array:
    """From 0 to 1, smoothly, over the first ``length`` seconds."""
    part = np.clip(seconds / length, 0, 1)
    return np.asarray(part**2 * (3 - 2 * part))


def _jack(stage: Stage, clock: Array, marks: Array, wide: Array) -> None:
    """Legs and arms fly apart in one jump and together in the next."""
    m, scale = stage.motion, stage.scale
    share = np.clip((clock - marks[2] + 0.04) / (marks[3] - marks[2] + 0.02), 0, 1)
    share = share**2 * (3 - 2 * share)
    spread = np.where(wide > 0, share, 1 - share)
    for side, out in zip(SIDES, (1.0, -1.0), strict=True):
        m.foot_ball[side][:, 0] += out * 0.24 * scale * spread
    m.root[:, 2] -= 0.045 * scale * spread
    for name, closed, opened in (("shoulder_abd", 10, 158), ("elbow", 14, 22), ("clavicle_lift", 0, 22)):
        stage.hold({f"both_{name}": closed})
        stage.add(f"both_{name}", (opened - closed) * spread)


def sitting_down(stage: Stage) -> None:
    """Sit down on a chair, stay a while, and stand up again."""
    rng = stage.rng
    u = stage.cycles(rng.uniform(4.4, 5.6), start=rng.uniform(0, 0.1))
    seat = rng.uniform(0.42, 0.50) + 0.10 - standing_height(stage.lengths) / stage.scale
    back = -rng.uniform(0.38, 0.44)
    lap = rng.uniform(30, 48)
    rest = rng.uniform(-12, 6)
    times = [0.0, 0.06, 0.18, 0.28, 0.36, 0.60, 0.68, 0.76, 0.90]
    stage.keys(u, times, {
        "root_z": [0, 0, 0.55 * seat, seat, seat, seat, seat, 0.6 * seat, 0],
        "root_y": [0, 0, 0.75 * back, back, back, back, 0.97 * back, 0.65 * back, 0],
        "pitch": [2, 6, 40, 20, rest, rest, 34, 40, 2], "lumbar_flex": [0, 2, 16, 12, 6, 6, 18, 16, 0],
        "neck_flex": [2, 14, -16, -6, 0, 0, -18, -18, 2], "chest_flex": [4, 4, 8, 8, 6, 6, 8, 8, 4],
        "both_shoulder_flex": [2, 2, 22, 26, lap, lap, 44, 26, 2], "both_elbow": [14, 14, 34, 50, 62, 62, 34, 24, 14],
        "both_shoulder_out": [0, 0, -8, -14, -16, -16, -8, 0, 0],
    }, variation=0.0)  # fmt: skip
    stage.sway(0.8, 0.003)


def sitting(stage: Stage) -> None:
    """Sit on a chair and talk, write or lean back, legs side by side or one thigh across the other."""
    rng, m = stage.rng, stage.motion
    m.root[:, 2] += stage.scale * (rng.uniform(0.44, 0.50) + 0.09) - standing_height(stage.lengths)
    m.root[:, 1] -= stage.scale * rng.uniform(0.34, 0.48)
    pitch = rng.uniform(-14, 18)
    m.pitch += np.deg2rad(pitch + stage.drift(3, 1.8))
    stage.add("lumbar_flex", rng.uniform(2, 14))
    stage.add("neck_flex", -pitch * 0.6 + stage.drift(5, 1.2))
    stage.add("neck_twist", stage.drift(16, 1.4))
    stage.add("chest_twist", stage.drift(7, 1.8))
    if rng.uniform() < 0.5:
        # The right leg leaves the floor and lies over the left knee.
        m.foot_hold["right"][:] = 0.0
        over = {"right_hip_flex": 90 + pitch + 14, "right_hip_abd": -15.0, "right_hip_out": 12.0, "right_knee": 76.0,
                "right_ankle": -22.0}  # fmt: skip
        stage.hold(over)
        stage.add("right_knee", stage.drift(6, 0.8))
        stage.add("both_hip_out", stage.drift(2, 1.5))
    lap = {"both_shoulder_flex": 30.0, "both_shoulder_out": -18.0, "both_elbow": 56.0}
    idle_arms(stage, lap, without=("hips", "behind"))
    stage.sway(0.8, 0.002)


def picking_up(stage: Stage) -> None:
    """Pick something up from the floor, from the back or from the knees, and put it down again."""
    rng = stage.rng
    u = stage.cycles(rng.uniform(2.6, 3.4), start=rng.uniform(0, 0.15))
    knees = rng.uniform(0.1, 0.42)
    stoop = 1 - knees / 0.55
    x, y = rng.uniform(-0.05, 0.30), rng.uniform(0.32, 0.5)
    lean = 42 + 24 * stoop
    other = float(rng.uniform() < 0.35)
    times = [0.0, 0.2, 0.40, 0.50, 0.72, 0.92]
    hands: dict[str, list[float]] = {
        "right_hand_hold": [0, 0.2, 1, 1, 0.2, 0],
        "left_hand_hold": [0, 0, other, other, 0, 0],
    }
    for side, place in (("right", x), ("left", x - 0.3)):
        hands |= {f"{side}_hand_x": [place] * 6, f"{side}_hand_y": [y] * 6, f"{side}_hand_z": [0.215] * 6}
    stage.keys(u, times, {
        "root_z": [0, -0.5 * knees, -knees, -knees, -0.4 * knees, 0],
        "root_y": [0, -0.06, -0.11, -0.11, -0.05, 0], "pitch": [2, 0.5 * lean, lean, lean, 0.5 * lean, 2],
        "lumbar_flex": [0, 14, 28, 28, 14, 0], "chest_flex": [4, 8, 14, 14, 8, 4],
        "chest_twist": [0, 4, 8, 8, 4, 0], "neck_flex": [2, 4, -14, -14, 2, 2],
        "right_shoulder_flex": [2, 40, 78, 78, 46, 2], "left_shoulder_flex": [2, 34, 70, 70, 36, 2],
        "both_elbow": [14, 20, 16, 16, 40, 14], "both_hip_out": [6, 10, 14, 14, 8, 6], **hands,
    }, variation=0.03)  # fmt: skip
    stage.sway(0.8, 0.004)


# Held poses: channel -> value; a pose's feet are offsets from a stand.
_BALANCES: dict[str, dict[str, float]] = {
    "tree": {"right_foot_hold": 0, "right_hip_flex": 52, "right_hip_abd": 52, "right_hip_out": 60, "right_knee": 128,
             "both_shoulder_flex": 168, "both_shoulder_abd": 12, "both_elbow": 24, "both_clavicle_lift": 24,
             "root_x": -0.075, "roll": 3, "lumbar_side": -3},
    "warrior": {"right_foot_x": 0.52, "left_foot_x": -0.46, "right_foot_yaw": -80, "left_foot_yaw": -10,
                "root_x": 0.16, "root_z": -0.26, "both_shoulder_abd": 90, "both_elbow": 5, "neck_twist": -62,
                "both_clavicle_lift": 6},
    "triangle": {"right_foot_x": 0.44, "left_foot_x": -0.44, "right_foot_yaw": -70, "root_z": -0.13, "root_x": -0.08,
                 "roll": 38, "lumbar_side": 20, "chest_side": 16, "right_shoulder_abd": 85, "left_shoulder_abd": 95,
                 "both_elbow": 4, "neck_side": -10},
    "scale": {"left_foot_hold": 0, "left_hip_flex": -8, "left_knee": 6, "left_ankle": -40, "pitch": 72,
              "lumbar_flex": -8, "neck_flex": -34, "both_shoulder_abd": 88, "both_elbow": 5, "root_x": 0.075,
              "root_y": -0.04},
    "fold": {"pitch": 84, "lumbar_flex": 44, "chest_flex": 28, "neck_flex": 20, "both_shoulder_flex": 150,
             "both_elbow": 12, "root_y": -0.13, "root_z": -0.02},
    "lunge": {"right_foot_y": 0.58, "left_foot_y": -0.42, "left_foot_pitch": 42, "root_y": 0.12, "root_z": -0.34,
              "both_shoulder_flex": 172, "both_elbow": 8, "both_clavicle_lift": 22, "pitch": 6, "lumbar_flex": -8},
    "eagle": {"right_foot_hold": 0, "right_hip_flex": 74, "right_hip_abd": -22, "right_hip_out": -8, "right_knee": 96,
              "root_x": -0.07, "root_z": -0.14, "pitch": 16, "both_shoulder_flex": 78, "both_shoulder_abd": -28,
              "both_elbow": 112, "both_shoulder_out": 12},
    "dancer": {"right_foot_hold": 0, "right_hip_flex": -28, "right_knee": 98, "right_ankle": -40, "pitch": 30,
               "lumbar_flex": -20, "chest_flex": -12, "left_shoulder_flex": 152, "right_shoulder_flex": -46,
               "right_shoulder_abd": 18, "both_elbow": 6, "root_x": -0.075, "neck_flex": -14},
}  # fmt: skip
_STAND = {"foot_hold": 1.0, "shoulder_abd": 8.0, "shoulder_flex": 2.0, "elbow": 14.0, "knee": 4.0, "hip_flex": 2.0}


def balancing(stage: Stage) -> None:
    """Hold rare poses, on one leg or on wide feet: yoga's tree, warrior, triangle, eagle and their like."""
    rng = stage.rng
    u = stage.cycles(rng.uniform(6.5, 8.5), start=rng.uniform(0.0, 0.1))
    chosen = [_sided(_BALANCES[str(name)]) for name in rng.choice(sorted(_BALANCES), size=2, replace=False)]
    # Feet move one after the other, the right one first: somebody stands on each step of the way.
    course = {
        "right_foot": [0.0, 0.08, 0.22, 0.40, 0.47, 0.58, 0.88, 0.95],
        "left_foot": [0.07, 0.16, 0.24, 0.33, 0.40, 0.50, 0.57, 0.66, 0.80, 0.88],
        "": [0.0, 0.14, 0.22, 0.38, 0.46, 0.60, 0.86, 0.97],
    }
    for name in sorted({key for pose in chosen for key in pose}):
        neutral = _neutral(name)
        first, second = (pose.get(name, neutral) for pose in chosen)
        start = 0.93 * first + 0.07 * neutral
        row = [neutral, start, first, first, neutral, second, second, neutral]
        group = next(key for key in course if name.startswith(key))
        if group == "left_foot" and not name.endswith("hold"):
            stage.keys(
                u,
                [0.0, *course[group]],
                {name: [neutral, neutral, start, first, first, neutral, neutral, neutral, second, second, neutral]},
                variation=0.0,
            )
        else:
            stage.keys(u, course["" if group == "left_foot" else group], {name: row}, variation=0.0)
    for side in SIDES:
        # A foot that moves to another place is lifted on its way.
        ball = stage.motion.foot_ball[side]
        speed = np.linalg.norm(np.diff(ball, axis=0, prepend=ball[:1]), axis=-1) * stage.fps
        stage.motion.foot_ball[side][:, 2] += smooth(np.minimum(0.12 * speed, 0.12), 0.05, stage.fps)
    stage.sway(1.2, 0.004)


def _sided(pose: dict[str, float]) -> dict[str, float]:
    """A pose with every limb named by its side, so that two poses name the same channels alike."""
    both = {name.removeprefix("both_"): value for name, value in pose.items() if name.startswith("both_")}
    sides = {f"{side}_{name}": value for name, value in both.items() for side in SIDES}
    return sides | {name: value for name, value in pose.items() if not name.startswith("both_")}


def _neutral(name: str) -> float:
    for ending, value in _STAND.items():
        if name.endswith(ending):
            return value
    return 0.0
