"""The channels of a clip: joint angles with their ranges of motion, the root, and what hands and feet hold on to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SIDES = ("right", "left")

# Ranges of motion in degrees: American Academy of Orthopaedic Surgeons (1965) and Boone and Azen (1979), a few widened
# to what trained people reach, since yoga and handstands are among the actions. Positive is flexion, abduction,
# outward rotation, a lifted shoulder; of the trunk, a bend forward, to the right, a turn to the left.
LIMITS: Mapping[str, tuple[float, float]] = {
    "lumbar_flex": (-30, 60),
    "lumbar_side": (-25, 25),
    "lumbar_twist": (-25, 25),
    "chest_flex": (-20, 40),
    "chest_side": (-20, 20),
    "chest_twist": (-30, 30),
    "neck_flex": (-45, 50),
    "neck_side": (-35, 35),
    "neck_twist": (-70, 70),
    "head_flex": (-30, 30),
    "head_side": (-15, 15),
    "clavicle_lift": (-10, 40),
    "clavicle_forward": (-20, 30),
    "shoulder_flex": (-60, 185),
    "shoulder_abd": (-60, 180),
    "shoulder_out": (-90, 100),
    "elbow": (2, 150),
    "wrist": (-80, 80),
    "hip_flex": (-30, 135),
    "hip_abd": (-30, 75),
    "hip_out": (-45, 80),
    "knee": (2, 155),
    "ankle": (-60, 35),
}
_PAIRED = ("clavicle", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def channel_names() -> tuple[str, ...]:
    """Every angle channel: trunk names as in :data:`LIMITS`, limb names with the side in front."""
    names: list[str] = []
    for name in LIMITS:
        names += [f"{side}_{name}" for side in SIDES] if name.split("_")[0] in _PAIRED else [name]
    return tuple(names)


REST_DEG: Mapping[str, float] = {"shoulder_abd": 7.0, "shoulder_flex": 2.0, "elbow": 12.0, "knee": 4.0, "hip_flex": 2.0}


@dataclass
class Motion:
    """The channels of one clip of T frames.

    Attributes:
        frames: T; ``fps`` frames per second.
        root: pelvis position ``(T, 3)`` metres.
        yaw, pitch, roll, spin: pelvis orientation ``(T,)`` radians: heading to the left, lean forward, lean to the
            right, and innermost a turn about the body's own long axis, which is how somebody lying rolls over.
        angles: channel -> ``(T,)`` radians; a channel that is not there rests.
        foot_hold, hand_hold: side -> weight ``(T,)`` in 0..1 of the foot's or hand's target.
        foot_ball: side -> ``(T, 3)`` metres: where the ball of the foot is, its height above the floor.
        foot_yaw, foot_pitch: side -> ``(T,)`` radians: heading of a held foot, heel-up positive.
        hand_target: side -> ``(T, 3)`` metres: the wrist's target.
        rest_on_floor: the root follows whatever touches the floor, without slipping, instead of ``root``.
        level: the trunk also tilts until hands and knees or toes touch the floor at once, as on all fours.
    """

    frames: int
    fps: float
    root: Array = field(default_factory=lambda: np.zeros(0))
    yaw: Array = field(default_factory=lambda: np.zeros(0))
    pitch: Array = field(default_factory=lambda: np.zeros(0))
    roll: Array = field(default_factory=lambda: np.zeros(0))
    spin: Array = field(default_factory=lambda: np.zeros(0))
    angles: dict[str, Array] = field(default_factory=dict)
    foot_hold: dict[str, Array] = field(default_factory=dict)
    foot_ball: dict[str, Array] = field(default_factory=dict)
    foot_yaw: dict[str, Array] = field(default_factory=dict)
    foot_pitch: dict[str, Array] = field(default_factory=dict)
    hand_hold: dict[str, Array] = field(default_factory=dict)
    hand_target: dict[str, Array] = field(default_factory=dict)
    rest_on_floor: bool = False
    level: bool = False

    def __post_init__(self) -> None:
        zeros = np.zeros(self.frames)
        self.root = np.zeros((self.frames, 3))
        self.yaw, self.pitch, self.roll, self.spin = (zeros.copy() for _ in range(4))
        for name in channel_names():
            rest = REST_DEG.get(name.removeprefix("right_").removeprefix("left_"), 0.0)
            self.angles[name] = np.full(self.frames, np.deg2rad(rest))
        for side in SIDES:
            self.foot_hold[side], self.hand_hold[side] = zeros.copy(), zeros.copy()
            self.foot_yaw[side], self.foot_pitch[side] = zeros.copy(), zeros.copy()
            self.foot_ball[side], self.hand_target[side] = np.zeros((self.frames, 3)), np.zeros((self.frames, 3))

    def limited(self, name: str) -> Array:
        """A channel ``(T,)`` in radians, kept within its range of motion."""
        low, high = LIMITS[name.removeprefix("right_").removeprefix("left_")]
        return np.clip(self.angles[name], np.deg2rad(low), np.deg2rad(high))
