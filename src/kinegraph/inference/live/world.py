"""Which way is up, and where the floor is, learnt while people are seen: :func:`upright` without the future."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError
from kinegraph.inference.placement import STEEPEST, joint_heights
from kinegraph.skeleton import Skeleton

__all__ = ["LiveWorld"]

Floats = NDArray[np.float64]
_MARKS = ("left_ankle", "right_ankle", "left_hip", "right_hip", "thorax")
_STRAIGHT, _UPWARD = np.cos(np.deg2rad(25)), np.cos(np.deg2rad(45))
_SETTLE_S = 4.0  # over which the estimate of up is averaged
#: the floor is under the lowest joints of so many seconds, one moment in each of these steps: as in recordings, an
#: error of the depth that drifts would else lift it or sink it
_FLOOR_S, _STEP_S = 2.0, 0.02
_LOWEST = 40  # percent of these moments in which a foot is on the floor
_GIVES_S = 0.2  # in which a floor comes back that gave way under a foot


class LiveWorld:
    """Camera space to a world with y up and the floor at 0.

    The camera is level from side to side. How far it looks up or down is the running mean of where standing people
    point, at most 35 degrees, if it is not given. x stays the camera's right, z points back at it; the first person
    starts at x = z = 0. The floor is where the lowest joints of the last two seconds are, and never above one.

    Args:
        skeleton: of the people.
        pitch_deg: how far the camera looks down, degrees; None learns it.
        camera_height_m: of the camera over the floor; None puts the floor under the feet.

    Raises:
        ConfigError: a value outside its range.
    """

    def __init__(
        self, skeleton: Skeleton, *, pitch_deg: float | None = None, camera_height_m: float | None = None
    ) -> None:
        if pitch_deg is not None and not abs(pitch_deg) <= 90:
            raise ConfigError(f"live: pitch_deg is {pitch_deg}; expected -90 to 90, positive where it looks down")
        if camera_height_m is not None and not np.isfinite(camera_height_m):
            raise ConfigError(f"live: camera_height_m is {camera_height_m}; expected metres")
        self.skeleton, self.pitch_deg, self.camera_height_m = skeleton, pitch_deg, camera_height_m
        marks = [skeleton.landmark(name) for name in _MARKS]
        self._marks = None if any(m is None for m in marks) else np.stack([m for m in marks if m is not None])
        self._over = joint_heights(skeleton)
        self.reset()

    def reset(self) -> None:
        """Forget the floor, the way up and the start."""
        self._sum: Floats = np.zeros(3)
        self._weight = 0.0
        # In camera axes: what is learnt of the way up turns the past with the present.
        self._lowest: deque[tuple[float, Floats, float]] = deque()
        self._start: Floats | None = None
        self._given, self._floor_time = 0.0, -np.inf
        self.floor = 0.0 if self.camera_height_m is None else -self.camera_height_m
        self._time: float | None = None
        self._turned()

    def _turned(self) -> None:
        """The turn to the world for what is known."""
        pitch = 0.0
        if self.pitch_deg is not None:
            pitch = -float(np.deg2rad(self.pitch_deg))
        elif self._weight > 0:
            pitch = float(np.arctan2(self._sum[2], -self._sum[1]))
            pitch = pitch if abs(pitch) <= STEEPEST else 0.0
        up = np.array([0.0, -np.cos(pitch), np.sin(pitch)])
        right = np.array([1.0, 0.0, 0.0])
        self.pitch, self.turn = pitch, np.stack([right, up, np.cross(right, up)])

    def push(self, time: float, positions: Floats) -> Floats:
        """Positions (people, joints, 3) of one moment in the world, metres; NaN stays."""
        if not len(positions):
            return positions
        if self.pitch_deg is None and self._marks is not None:
            self._learn_up(time, positions)
        world = positions @ self.turn.T
        if self.camera_height_m is None:
            self._learn_floor(time, positions, world[..., 1] - self._over)
        if self._start is None:
            root = positions[0, self.skeleton.root]
            seen = positions[0][np.isfinite(positions[0]).all(axis=-1)]
            self._start = root.copy() if np.isfinite(root).all() else seen.mean(axis=0) if len(seen) else np.zeros(3)
        start = self.turn @ self._start
        placed: Floats = world - np.array([start[0], self.floor, start[2]])
        return placed

    def _learn_floor(self, time: float, positions: Floats, heights: Floats) -> None:
        """The floor of a moment, from joints (people, joints, 3) and how high they are over where they would touch."""
        if not np.isfinite(heights).any():
            return
        person, joint = np.unravel_index(int(np.nanargmin(heights)), heights.shape)
        if not self._lowest or time - self._lowest[-1][0] > _STEP_S - 1e-6:
            self._lowest.append((time, positions[person, joint].copy(), float(self._over[joint])))
        while len(self._lowest) > 1 and self._lowest[0][0] < time - _FLOOR_S - 1e-6:
            self._lowest.popleft()
        past = np.stack([place for _, place, _ in self._lowest]) @ self.turn[1]
        floor = float(np.percentile(past - [over for *_, over in self._lowest], _LOWEST))
        # Nobody stands in the floor: where a foot is under it, the floor gives way, and comes back softly.
        under = max(floor - float(heights[person, joint]), 0.0)
        self._given = max(under, self._given * float(np.exp((self._floor_time - time) / _GIVES_S)))
        self._floor_time, self.floor = time, floor - self._given

    def _learn_up(self, time: float, positions: Floats) -> None:
        assert self._marks is not None
        seen = np.isfinite(positions[..., 0])
        used = self._marks != 0
        points = np.einsum("mj,pjd->pmd", self._marks, np.nan_to_num(positions))
        there = ~((~seen)[:, None] & used[None]).any(axis=(1, 2))
        feet, hips, thorax = points[:, :2].mean(axis=1), points[:, 2:4].mean(axis=1), points[:, 4]
        legs, torso, whole = (_unit(v) for v in (hips - feet, thorax - hips, thorax - feet))
        standing = there & ((legs * torso).sum(-1) > _STRAIGHT) & (whole[:, 1] < -_UPWARD)
        step = 0.0 if self._time is None else time - self._time
        self._time = time
        if standing.any():
            share = np.exp(-step / _SETTLE_S)
            self._sum = share * self._sum + whole[standing].mean(axis=0)
            self._weight = share * self._weight + 1.0
            self._turned()


def _unit(vectors: Floats) -> Floats:
    result: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return result
