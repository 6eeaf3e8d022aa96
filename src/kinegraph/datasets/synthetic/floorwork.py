"""Actions on hands, knees, seat and back: joint angles alone pose the body, and what touches the floor carries it."""

from __future__ import annotations

import numpy as np

from kinegraph.datasets.synthetic.gestures import idle_arms
from kinegraph.datasets.synthetic.stage import Stage


def lying_down(stage: Stage) -> None:
    """From standing to the floor by way of a squat and a seat, lie on the back, roll over, and get up again."""
    rng = stage.rng
    stage.on_the_floor()
    u = stage.cycles(max(7.0, min(10.0, stage.t[-1])), start=rng.uniform(0.0, 0.12), unevenness=0.03)
    side = rng.choice([-1.0, 1.0]) * rng.uniform(60, 100)
    bent = rng.uniform(0, 60)
    times = [0.0, 0.06, 0.15, 0.24, 0.33, 0.42, 0.52, 0.62, 0.70, 0.79, 0.87, 0.96]
    stage.keys(u, times, {
        #            stand      squat   seat  half  back   bent         side        back  half  seat squat stand
        "pitch": [0, 0, 28, -22, -56, -90, -90, -90, -90, -24, 30, 0],
        "spin": [0, 0, 0, 0, 0, 0, 0, side, 0, 0, 0, 0],
        "lumbar_flex": [0, 0, 20, 24, 20, 0, 0, 10, 4, 26, 22, 0],
        "chest_flex": [4, 4, 12, 14, 16, 2, 2, 8, 6, 16, 12, 4],
        "neck_flex": [2, 6, -10, 4, 26, 0, 4, 8, 14, 8, -12, 2],
        "both_hip_flex": [2, 2, 116, 108, 66, 6, bent, 62, 30, 108, 118, 2],
        "both_knee": [4, 4, 138, 92, 76, 6, 1.6 * bent, 84, 44, 92, 138, 4],
        "both_ankle": [0, 0, 22, 0, -10, -30, -10, -20, -20, 0, 22, 0],
        "both_hip_abd": [4, 4, 12, 10, 8, 6, 6, -8, 6, 10, 12, 4],
        "both_shoulder_flex": [2, 2, 60, -40, -34, 4, 8, 34, 10, -34, 60, 2],
        "both_shoulder_abd": [8, 8, 14, 18, 26, 24, 30, 14, 24, 18, 14, 8],
        "both_elbow": [14, 14, 20, 12, 46, 14, 20, 62, 34, 14, 20, 14],
    }, variation=0.0)  # fmt: skip
    stage.sway(0.8, 0.0)


def sitting_floor(stage: Stage) -> None:
    """Sit on the floor: legs crossed, stretched out or hugged; or kneel."""
    rng = stage.rng
    stage.on_the_floor()
    manner = rng.choice(["crossed", "stretched", "hugged", "kneeling"])
    trunk = rng.uniform(-8, 10)
    if manner == "crossed":
        legs = {"both_hip_flex": 96.0 + trunk, "both_hip_abd": 46.0, "both_hip_out": 76.0, "right_knee": 122.0,
                "left_knee": 132.0, "both_ankle": -20.0}  # fmt: skip
        arms = {"both_shoulder_flex": 32.0, "both_shoulder_abd": 16.0, "both_shoulder_out": -14.0, "both_elbow": 50.0}
    elif manner == "stretched":
        trunk -= 16
        legs = {"both_hip_flex": 88.0 + trunk, "both_knee": 5.0, "both_hip_abd": 9.0, "both_ankle": -15.0}
        arms = {"both_shoulder_flex": -38.0, "both_shoulder_abd": 16.0, "both_elbow": 8.0, "both_shoulder_out": 0.0}
    elif manner == "hugged":
        legs = {"both_hip_flex": 124.0 + trunk * 0.5, "both_knee": 118.0, "both_hip_abd": 5.0, "both_ankle": 0.0}
        arms = {"both_shoulder_flex": 62.0, "both_shoulder_abd": 8.0, "both_elbow": 62.0, "both_shoulder_out": -42.0}
    else:
        legs = {"both_hip_flex": 62.0 + trunk, "both_knee": 152.0, "both_hip_abd": 7.0, "both_ankle": -56.0}
        if rng.uniform() < 0.4:
            # Up on the knees.
            legs |= {"both_hip_flex": 2.0 + trunk, "both_knee": 92.0}
        arms = {"both_shoulder_flex": 24.0, "both_shoulder_abd": 8.0, "both_shoulder_out": -12.0, "both_elbow": 48.0}
    stage.hold({**legs, **arms, "pitch": trunk})
    stage.add("lumbar_flex", rng.uniform(10, 26))
    stage.add("neck_flex", -10 - 0.5 * trunk + stage.drift(6, 1.2))
    stage.add("neck_twist", stage.drift(18, 1.4))
    stage.add("chest_twist", stage.drift(8, 1.8))
    if manner in ("crossed", "kneeling"):
        idle_arms(stage, arms, without=("hips", "behind"))
    stage.sway(0.6, 0.0)


def crawling(stage: Stage) -> None:
    """Crawl on hands and knees, opposite limbs together."""
    rng = stage.rng
    stage.on_the_floor()
    u = stage.cycles(rng.uniform(1.0, 1.5), start=None)
    stage.motion.level = True
    step = rng.uniform(16, 25)
    stage.hold({"pitch": 78, "both_shoulder_abd": 4, "both_elbow": 6, "both_ankle": -52, "both_wrist": -70})
    for side, phase in (("right", 0.0), ("left", 0.5)):
        stage.oscillate(u, {f"{side}_hip_flex": (76.0, step, phase), f"{side}_knee": (102.0, step, phase)})
        stage.oscillate(u, {f"{side}_shoulder_flex": (82.0, 0.5 * step, phase + 0.5)})
        # A limb on its way forward is lifted: the arm bends, the thigh is drawn in.
        forward = np.maximum(0, np.sin(2 * np.pi * (phase + 1.0 - u))) ** 2
        stage.add(f"{side}_hip_flex", 8 * forward)
        stage.add(f"{side}_knee", 8 * forward)
        reaching = np.maximum(0, np.sin(2 * np.pi * (phase + 0.5 - u))) ** 2
        stage.add(f"{side}_elbow", 38 * reaching)
        stage.add(f"{side}_shoulder_flex", 8 * reaching)
    # Pelvis and chest roll against each other, each lifting the side whose limb swings.
    stage.oscillate(u, {"spin": (0.0, 8.0, 0.25), "chest_twist": (0.0, -15.0, 0.25)})
    stage.add("lumbar_side", 5 * np.cos(2 * np.pi * (u - 0.25)))
    stage.add("neck_flex", rng.uniform(-40, -18))
    stage.add("head_flex", -10)
    stage.sway(0.8, 0.0)


def pushing_up(stage: Stage) -> None:
    """Press-ups, and the plank between them."""
    rng = stage.rng
    stage.on_the_floor()
    u = stage.cycles(rng.uniform(1.6, 2.4), start=None)
    stage.motion.level = True
    deep = rng.uniform(60, 96)
    times = [0.0, 0.3, 0.42, 0.75]
    low = 68 + 17 * deep / 90
    stage.keys(u, times, {
        "pitch": [68, low, low, 68], "both_shoulder_flex": [78, 52, 52, 78], "both_elbow": [6, deep, deep, 6],
        "both_shoulder_abd": [8, 26, 26, 8], "both_ankle": [24, 20, 20, 24],
    })  # fmt: skip
    stage.hold({"both_hip_flex": 4, "both_knee": 3, "both_wrist": -70})
    stage.add("neck_flex", rng.uniform(-24, 0))
    stage.sway(0.5, 0.0)


def handstand(stage: Stage) -> None:
    """Put the hands down, kick up, stand on them with the legs together or apart, and come down."""
    rng = stage.rng
    stage.on_the_floor()
    u = stage.cycles(rng.uniform(4.6, 5.6), start=rng.uniform(0.0, 0.08), unevenness=0.03)
    split = rng.uniform(0, 40)
    times = [0.0, 0.12, 0.23, 0.33, 0.42, 0.62, 0.71, 0.80, 0.95]
    stage.keys(u, times, {
        "pitch": [0, 6, 84, 130, 178, 180, 132, 84, 0], "lumbar_flex": [0, -6, 14, 4, -4, -4, 4, 16, 0],
        "both_shoulder_flex": [4, 160, 150, 172, 182, 182, 172, 148, 4], "both_elbow": [14, 8, 6, 5, 4, 4, 5, 8, 14],
        "both_shoulder_abd": [8, 12, 8, 6, 5, 5, 6, 8, 8], "both_clavicle_lift": [0, 20, 14, 24, 30, 30, 24, 14, 0],
        "both_wrist": [0, 0, -50, -76, -78, -78, -76, -50, 0],
        "right_hip_flex": [2, 10, 76, 30, split, split, 30, 76, 2],
        "left_hip_flex": [2, 0, 70, 92, -split / 2, -split / 2, 92, 70, 2],
        "right_knee": [4, 8, 24, 10, 4, 4, 10, 24, 4], "left_knee": [4, 8, 30, 34, 5, 5, 34, 30, 4],
        "both_ankle": [0, 0, 8, -20, -40, -40, -20, 8, 0], "neck_flex": [2, -8, -16, -24, -20, -20, -24, -16, 2],
    }, variation=0.0)  # fmt: skip
    stage.sway(1.2, 0.0)


def cartwheel(stage: Stage) -> None:
    """Cartwheels to the leading side, and a moment on the feet between them."""
    rng = stage.rng
    stage.on_the_floor()
    u = stage.cycles(rng.uniform(2.6, 3.2), start=rng.uniform(0.0, 0.08), unevenness=0.03)
    straddle = rng.uniform(36, 52)
    times = [0.0, 0.16, 0.30, 0.42, 0.50, 0.62, 0.76, 0.94]
    # The body folds sideways towards the first hand, opens upside down, and folds again over the last foot.
    stage.keys(u, times, {
        "both_shoulder_abd": [10, 150, 150, 164, 164, 152, 140, 10], "both_elbow": [14, 6, 6, 5, 5, 6, 6, 14],
        "both_clavicle_lift": [0, 18, 26, 28, 28, 26, 18, 0], "both_knee": [4, 8, 8, 4, 4, 8, 14, 4],
        "right_hip_abd": [4, 20, 72, straddle, straddle, 30, 18, 4],
        "left_hip_abd": [4, 24, 30, straddle, straddle, 72, 20, 4],
        "lumbar_side": [0, 6, 24, 4, -4, -24, -6, 0], "chest_side": [0, 4, 18, 2, -2, -18, -4, 0],
        "both_wrist": [0, 0, -20, -40, -40, -20, 0, 0], "neck_flex": [2, 0, -10, -14, -14, -10, 0, 2],
    }, variation=0.0)  # fmt: skip
    # One whole turn of the body as a wheel each time, at rest between.
    part = np.clip((u - np.floor(u) - 0.14) / 0.66, 0, 1)
    eased = part**3 * (10 - 15 * part + 6 * part**2)
    stage.motion.roll[:] = 2 * np.pi * (0.35 * part * (part > 0) + 0.65 * eased) * (part < 1)
    stage.motion.roll[:] += 2 * np.pi * (part >= 1)
    stage.sway(0.7, 0.0)
