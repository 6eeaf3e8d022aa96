"""Standing actions led by the arms or one leg, written for a right-handed person as key poses in degrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kinegraph.datasets.synthetic.stage import Keys, Stage

# What arms do when nothing asks for them, the right hand leading: channel -> degrees.
_ARMS: dict[str, dict[str, float]] = {
    "hanging": {},
    "hips": {"both_shoulder_abd": 42, "both_shoulder_flex": -18, "both_shoulder_out": -38, "both_elbow": 98},
    # Each forearm across the chest, the right one nearer to it.
    "folded": {"right_shoulder_flex": 28, "right_shoulder_abd": 4, "right_shoulder_out": -62, "right_elbow": 108,
               "left_shoulder_flex": 38, "left_shoulder_abd": 2, "left_shoulder_out": -66, "left_elbow": 100,
               "both_clavicle_forward": 8},
    "phone": {"right_shoulder_flex": 48, "right_shoulder_abd": 24, "right_shoulder_out": -8, "right_elbow": 142},
    "reading": {"both_shoulder_flex": 34, "both_shoulder_abd": 10, "both_shoulder_out": -24, "both_elbow": 92},
    "chin": {"right_shoulder_flex": 62, "right_shoulder_abd": 4, "right_shoulder_out": -26, "right_elbow": 140,
             "left_shoulder_flex": 30, "left_shoulder_out": -60, "left_elbow": 92},
    "nape": {"both_shoulder_flex": 20, "both_shoulder_abd": 122, "both_shoulder_out": 70, "both_elbow": 138},
    "behind": {"both_shoulder_flex": -28, "both_shoulder_abd": 14, "both_shoulder_out": -58, "both_elbow": 52},
    "pointing": {"right_shoulder_flex": 78, "right_shoulder_abd": 26, "right_elbow": 14},
    "drinking": {"right_shoulder_flex": 66, "right_shoulder_abd": 20, "right_shoulder_out": -16, "right_elbow": 128},
    "talking": {"both_shoulder_flex": 18, "both_shoulder_abd": 12, "both_shoulder_out": -8, "both_elbow": 74},
}  # fmt: skip


def idle_arms(stage: Stage, rest: Mapping[str, float], without: Sequence[str] = ()) -> None:
    """Arms go from one habit to another every few seconds: folded, on the hips, at the chin, talking.

    Args:
        stage: where to write; the arms are added to what they do already.
        rest: channels of the habit "hanging", degrees: what the arms do here when they do nothing.
        without: habits that make no sense here.
    """
    names = [name for name in _ARMS if name not in without]
    seconds = stage.rng.uniform(2.4, 4.0) / stage.style.tempo
    turn = stage.t / seconds + stage.rng.uniform()
    rows = [dict(rest) | (_ARMS[str(name)] if name != "hanging" else {})
            for name in stage.rng.choice(names, size=int(turn[-1]) + 2)]  # fmt: skip
    part = np.clip((turn % 1 - 0.66) / 0.34, 0, 1)
    ease = part**3 * (10 - 15 * part + 6 * part**2)
    index = turn.astype(int)
    resting = {"shoulder_flex": 2.0, "shoulder_abd": 7.0, "shoulder_out": 0.0, "clavicle_forward": 0.0}
    resting["elbow"] = stage.style.elbow
    for side in ("right", "left"):
        for joint, default in resting.items():
            level = np.array([row.get(f"{side}_{joint}", row.get(f"both_{joint}", default)) for row in rows])
            course = level[index] + (level[index + 1] - level[index]) * ease
            stage.motion.angles[f"{side}_{joint}"][:] = np.deg2rad(course)
        lively = stage.style.vigour * stage.rng.uniform(0.2, 1.0)
        stage.add(f"{side}_shoulder_flex", stage.drift(6 * lively, 0.5))
        stage.add(f"{side}_shoulder_out", stage.drift(8 * lively, 0.5))
        stage.add(f"{side}_elbow", stage.drift(10 * lively, 0.45))


def standing(stage: Stage) -> None:
    """Stand about: shift weight, look round, and hold the arms as people do, sometimes one behind the other."""
    m = stage.motion
    stage.stand(stage.rng.uniform(0.8, 1.5))
    m.root[:, 0] += stage.scale * stage.drift(0.035, 2.2)
    m.root[:, 2] -= stage.scale * 0.004
    m.yaw += np.deg2rad(stage.drift(6, 2.2))
    m.pitch += np.deg2rad(stage.drift(2.5, 2.2))
    stage.add("neck_twist", stage.drift(20, 1.4))
    stage.add("neck_flex", stage.drift(6, 1.4))
    stage.add("chest_twist", stage.drift(7, 2.0))
    idle_arms(stage, {})
    stage.sway(1.6)


def waving(stage: Stage) -> None:
    """Wave with the leading hand, shoulder high or overhead."""
    rng, vigour = stage.rng, stage.style.vigour
    lift = rng.uniform(48, 125)
    count = stage.cycles(rng.uniform(0.5, 0.75), start=None)
    u = stage.cycles(max(3.2, stage.t[-1] * 1.01), start=rng.uniform(0.05, 0.25))
    rise: Keys = {"right_shoulder_abd": [8, lift, lift, 8], "right_shoulder_out": [0, 82, 82, 0],
            "right_shoulder_flex": [2, 12, 12, 2], "right_clavicle_lift": [0, lift / 7, lift / 7, 0],
            "right_elbow": [14, 92 - lift / 3, 92 - lift / 3, 14]}  # fmt: skip
    stage.keys(u, [0, 0.16, 0.84, 0.97], rise)
    up = (stage.motion.angles["right_shoulder_abd"] / np.deg2rad(lift)) ** 2
    stage.add("right_elbow", 22 * vigour * up * np.cos(2 * np.pi * count))
    stage.add("right_shoulder_out", 16 * vigour * up * np.cos(2 * np.pi * (count - 0.1)))
    stage.add("chest_side", -lift / 30 * up)
    stage.add("neck_flex", -4 * up)
    stage.sway()


def clapping(stage: Stage) -> None:
    """Clap before the chest, sometimes overhead."""
    rng, scale, m = stage.rng, stage.scale, stage.motion
    u = stage.cycles(rng.uniform(0.42, 0.7), start=None)
    height, width = (rng.uniform(1.12, 1.3), 0.17) if rng.uniform() < 0.75 else (rng.uniform(1.75, 1.9), 0.26)
    apart = 0.035 + width * stage.style.vigour * (0.5 - 0.5 * np.cos(2 * np.pi * u)) ** 0.8
    front = 0.40 if height < 1.5 else 0.16
    lead = np.array([0.0, front * scale, height * scale])
    high = height > 1.5
    pose = {"shoulder_flex": (45, 150), "shoulder_abd": (18, 25), "elbow": (85, 60), "clavicle_lift": (0, 18)}
    stage.hold({f"both_{name}": levels[high] for name, levels in pose.items()})
    stage.hold({"both_shoulder_out": -10})
    stage.sway()
    for side, out in (("right", 1.0), ("left", -1.0)):
        m.hand_hold[side][:] = 1.0
        m.hand_target[side][:] = lead + np.stack([out * apart * scale, 0 * apart, 0.04 * np.cos(2 * np.pi * u)], -1)
        m.hand_target[side] += m.root * np.array([1.0, 1.0, 0.0])


def throwing(stage: Stage) -> None:
    """Throw overhand: turn away, step with the other foot, whip the arm through, and step back."""
    rng = stage.rng
    u = stage.cycles(rng.uniform(2.6, 3.2), start=rng.uniform(0, 0.1))
    times = [0.0, 0.12, 0.34, 0.44, 0.50, 0.60, 0.74, 0.92]
    stage.keys(u, times, {
        "yaw": [0, -8, -52, -25, 8, 30, 14, 0], "pitch": [0, 0, -3, 4, 12, 20, 8, 0],
        "lumbar_twist": [0, -3, -12, -6, 8, 14, 5, 0], "chest_twist": [0, -5, -20, -20, 8, 18, 6, 0],
        "lumbar_flex": [0, 0, -6, -4, 6, 18, 8, 0], "neck_twist": [0, 12, 60, 42, 0, -28, -10, 0],
        "right_shoulder_abd": [8, 20, 88, 96, 98, 38, 15, 8], "right_shoulder_flex": [2, 10, -8, 0, 62, 52, 15, 2],
        "right_shoulder_out": [0, 10, 55, 92, 40, -40, -10, 0], "right_elbow": [14, 60, 96, 98, 24, 34, 30, 14],
        "left_shoulder_abd": [8, 14, 62, 60, 30, 16, 12, 8], "left_shoulder_flex": [2, 30, 30, 40, 10, -12, 0, 2],
        "left_elbow": [14, 60, 20, 30, 70, 76, 40, 14], "left_shoulder_out": [0, -20, 0, 0, -10, 0, 0, 0],
        "root_y": [0, -0.03, -0.07, 0.10, 0.26, 0.32, 0.16, 0], "root_z": [0, 0, -0.03, -0.05, -0.08, -0.1, -0.03, 0],
        "left_foot_y": [0, 0, 0.15, 0.50, 0.52, 0.52, 0.40, 0], "left_foot_z": [0, 0.02, 0.22, 0.02, 0, 0, 0.05, 0],
        "left_foot_pitch": [0, 12, 20, -8, 0, 0, 15, 0],
        "right_foot_yaw": [0, -5, -40, -30, -12, 0, 0, 0], "right_foot_pitch": [0, 0, 0, 14, 42, 52, 20, 0],
    })  # fmt: skip
    stage.sway(0.8)


def punching(stage: Stage) -> None:
    """Box: a guard with the other foot in front, jabs, crosses and hooks."""
    rng = stage.rng
    m, scale = stage.motion, stage.scale
    m.foot_ball["left"][:, 1] += 0.20 * scale
    m.foot_ball["right"][:, 1] -= 0.20 * scale
    m.foot_yaw["right"] -= np.deg2rad(35)
    m.foot_pitch["right"] += np.deg2rad(10)
    m.root[:, 2] -= 0.07 * scale
    u = stage.cycles(rng.uniform(1.6, 2.2), start=None)
    times = [0.0, 0.10, 0.18, 0.30, 0.42, 0.52, 0.64, 0.82]
    guard = {"f": 42, "a": 16, "o": -18, "e": 132}
    hook = bool(rng.uniform() < 0.35)
    right_punch = (84, 86, -4, 92) if hook else (92, 10, -10, 8)
    table: dict[str, Sequence[float]] = {
        "yaw": [-28, -34, -34, -28, -22, 14, -18, -28], "chest_twist": [0, -10, -8, 0, -6, 24, 4, 0],
        "lumbar_twist": [0, -4, -3, 0, -4, 12, 0, 0], "neck_twist": [22, 32, 32, 22, 24, -26, 14, 22],
        "lumbar_flex": [8, 10, 10, 8, 6, 14, 9, 8], "neck_flex": [8] * 8,
        "root_y": [0, 0.05, 0.05, 0, -0.02, 0.09, 0.02, 0],
    }  # fmt: skip
    for side, at, strike in (("left", (1, 2), (94, 8, -8, 8)), ("right", (5, 5), right_punch)):
        for short, name, peak in zip(
            "faoe", ("shoulder_flex", "shoulder_abd", "shoulder_out", "elbow"), strike, strict=True
        ):
            row = [float(guard[short])] * 8
            for k in range(at[0], at[1] + 1):
                row[k] = peak
            table[f"{side}_{name}"] = row
    stage.keys(u, times, table)
    m.root[:, 2] += 0.012 * scale * np.cos(4 * np.pi * u)
    stage.sway(1.0)


def reaching(stage: Stage) -> None:
    """Reach for one place after another, high and low, near and far, with either hand, trunk following."""
    rng = stage.rng
    seconds = 1.9 / stage.style.tempo
    count = int(np.ceil(stage.t[-1] / seconds)) + 1
    for number in range(count):
        side, out = ("right", 1.0) if rng.uniform() < 0.7 else ("left", -1.0)
        lateral = out * rng.uniform(-0.25, 0.75)
        depth, height = rng.uniform(0.15, 0.75), rng.uniform(0.35, 2.05)
        u = np.clip((stage.t / seconds - number) * 0.999, 0.0, 0.999)
        low, far = max(0.0, 1.15 - height), max(0.0, depth - 0.4)
        ramp = np.clip(np.minimum(u, 1 - u) / 0.36, 0, 1)
        bump = ramp**3 * (10 - 15 * ramp + 6 * ramp**2)
        m = stage.motion
        m.hand_hold[side] = np.maximum(m.hand_hold[side], bump)
        target = stage.scale * np.array([lateral, depth, height])
        active = bump > 0
        m.hand_target[side][active] = target
        stage.add(f"{side}_shoulder_flex", bump * np.clip(30 + 95 * (height - 0.9), 10, 120))
        stage.add(f"{side}_shoulder_abd", bump * np.clip(40 * abs(lateral), 0, 30))
        stage.add(f"{side}_elbow", bump * 25)
        stage.add(f"{side}_clavicle_lift", bump * np.clip(30 * (height - 1.3), 0, 25))
        m.pitch += np.deg2rad(bump * (48 * low + 14 * far))
        stage.add("lumbar_flex", bump * (36 * low + 14 * far))
        stage.add("chest_flex", bump * 16 * low)
        stage.add("chest_twist", bump * 26 * (out * 0.5 - lateral))
        other = "left" if side == "right" else "right"
        stage.add(f"{other}_shoulder_flex", bump * (85 * low + 22 * far))  # it hangs, however the trunk leans
        stage.add("lumbar_side", bump * 16 * lateral)
        stage.add("neck_flex", bump * np.clip(42 * (1.35 - height), -32, 24))
        stage.add("neck_twist", -bump * 34 * lateral)
        m.root[:, 2] -= stage.scale * bump * 0.30 * low * rng.uniform(0.3, 1.4)
        m.root[:, 1] -= stage.scale * bump * 0.14 * low
        m.root[:, 0] += stage.scale * bump * 0.07 * lateral
    stage.sway()


def kicking(stage: Stage) -> None:
    """Kick forward with the leading leg, at balls and higher, arms balancing."""
    rng = stage.rng
    height = rng.uniform(42, 96)
    u = stage.cycles(rng.uniform(2.0, 2.6), start=rng.uniform(0, 0.1))
    times = [0.0, 0.14, 0.28, 0.38, 0.46, 0.62, 0.78, 0.92]
    back = height / 7
    stage.keys(u, times, {
        "right_foot_hold": [1, 0.6, 0, 0, 0, 0, 0.5, 1], "right_foot_z": [0, 0.08, 0.1, 0.1, 0.1, 0.1, 0.07, 0],
        "right_foot_pitch": [0, 34, 34, 20, 0, 0, 16, 0],
        "right_hip_flex": [2, -8, -26, 30, height, height * 0.5, 14, 2], "right_knee": [4, 40, 88, 70, 6, 40, 30, 4],
        "right_ankle": [0, -10, -25, -30, -30, -15, 0, 0], "right_hip_abd": [2, 4, 8, 8, 3, 3, 3, 2],
        "right_hip_out": [8, 10, 16, 14, 5, 5, 8, 8],
        "pitch": [0, 4, 8, -2, -back, -back / 2, 0, 0], "lumbar_flex": [0, 2, -4, 4, back, back / 2, 2, 0],
        "chest_flex": [4, 4, 0, 5, 12, 8, 4, 4], "yaw": [0, -6, -16, 0, 14, 6, 0, 0],
        "chest_twist": [0, 4, 14, 0, -16, -6, 0, 0], "neck_flex": [2, 12, 16, 12, 4, 4, 2, 2],
        "root_x": [0, -0.06, -0.085, -0.085, -0.085, -0.08, -0.05, 0],
        "root_y": [0, 0.02, 0.03, 0.02, -0.02, -0.02, 0, 0],
        "root_z": [0, -0.01, -0.03, -0.03, -0.01, -0.02, -0.01, 0],
        "right_shoulder_flex": [2, 10, 34, 10, -36, -20, 0, 2], "left_shoulder_flex": [2, -8, -32, 0, 46, 26, 5, 2],
        "both_shoulder_abd": [8, 16, 34, 38, 34, 22, 12, 8], "both_elbow": [14, 24, 34, 34, 30, 24, 18, 14],
    })  # fmt: skip
    stage.sway(0.7, 0.004)
