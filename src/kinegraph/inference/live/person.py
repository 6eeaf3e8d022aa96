"""What a live lifter remembers of one person: the places of lost joints, the view that follows them, their limbs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinegraph.inference.framing import scale_of_pose
from kinegraph.inference.placement import FURTHEST_M, NEAREST_M, at_depth, bone_lengths, fitted_depth
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.smoothing import OneEuro

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_CENTRE_S, _SCALE_S, _DEPTH_S = 0.1, 0.3, 0.4  # time constants of what follows slowly
_LOOK_BACK_S = 1.0  # over which the longest limbs tell the size
_LIMBS, _LIMBS_SEEN = 300, 100  # poses whose limbs are remembered; the most that are looked at, evenly taken
_LIMBS_FIRST, _LIMBS_AGAIN = 10, 45  # poses in which they are looked at each time, then only every so many
_APART = 7  # frames from one person's look to the next one's


@dataclass
class PersonState:
    """One person of a live stream; every number here is bounded.

    Args:
        skeleton: of the network.
        fps: of the stream, for the one-euro filter's first step.
        turn: who they are among those who came; people who came together have their limbs looked at in turn.
    """

    skeleton: Skeleton
    fps: float
    turn: int = 0
    time: float = field(default=-np.inf, init=False)
    """Of the last pose."""
    since: Floats = field(init=False)
    """(joints,) when each joint was last seen."""
    offsets: dict[tuple[int, int], Floats] = field(default_factory=dict, init=False)
    """How one joint stood off its neighbour when both were last seen."""
    inputs: deque[tuple[float, NDArray[np.float32]]] = field(default_factory=deque, init=False)
    """Encoded poses of the network's window."""
    _centre: Floats | None = field(default=None, init=False)
    _scales: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=512), init=False)
    _scale: float = field(default=np.nan, init=False)
    _depth: Floats = field(default_factory=lambda: np.zeros(2), init=False)
    _limbs: deque[tuple[Floats, Floats]] = field(default_factory=lambda: deque(maxlen=_LIMBS), init=False)
    _lengths: Floats | None = field(default=None, init=False)
    _looked: int = field(default=0, init=False)
    _euro: OneEuro | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.since = np.full(self.skeleton.num_joints, -np.inf)

    # ---- before the network ------------------------------------------------------------------------------------

    def complete(self, points: Floats, seen: Mask) -> Floats:
        """Keypoints (joints, 2), the missing ones guessed as :func:`complete_poses` does, from the past alone."""
        for a, b in self.skeleton.bones:
            if seen[a] and seen[b]:
                self.offsets[a, b] = points[b] - points[a]
        result = np.where(seen[:, None], points, np.nan)
        known = seen.copy()
        while not known.all():
            fresh = known.copy()
            for parent, child in self.skeleton.bones:
                held = self.offsets.get((parent, child))
                if known[parent] and not fresh[child]:
                    result[child] = result[parent] + (self._continued(result, known, parent) if held is None else held)
                    fresh[child] = True
                elif known[child] and not fresh[parent]:
                    result[parent] = result[child] - (np.zeros(2) if held is None else held)
                    fresh[parent] = True
            if (fresh == known).all():
                break
            known = fresh
        return np.nan_to_num(result, nan=0.0)

    def _continued(self, points: Floats, known: Mask, joint: int) -> Floats:
        above = self.skeleton.parents[joint]
        half: Floats = 0.5 * (points[joint] - points[above]) if above >= 0 and known[above] else np.zeros(2)
        return half

    def follow(self, time: float, points: Floats, seen: Mask) -> tuple[Floats, float]:
        """Centre (2,) px and px per metre of the view that follows the person; see :mod:`framing`."""
        step = max(time - self.time, 1e-6)
        centre = points[self.skeleton.root]
        if self._centre is None or not np.isfinite(step):
            self._centre = centre
        else:
            self._centre = self._centre + (1 - np.exp(-step / _CENTRE_S)) * (centre - self._centre)
        scale = float(scale_of_pose(points[None], seen[None], self.skeleton)[0])
        if np.isfinite(scale):
            self._scales.append((time, scale))
        while self._scales and self._scales[0][0] < time - _LOOK_BACK_S:
            self._scales.popleft()
        if self._scales:
            lately = np.sort([s for _, s in self._scales])
            upper = float(lately[-max(1, len(lately) // 6)])
            share = 1.0 if not np.isfinite(self._scale) else 1 - np.exp(-step / _SCALE_S)
            self._scale = upper if share == 1.0 else self._scale + share * (upper - self._scale)
        return self._centre, self._scale if np.isfinite(self._scale) else 1.0

    # ---- after the network -------------------------------------------------------------------------------------

    def smooth(self, time: float, pose: Floats) -> Floats:
        """The one-euro filter of poses (joints, 3), metres, at the pace of the frames."""
        step = time - self.time
        if self._euro is None:
            self._euro = OneEuro(fps=self.fps)
        elif np.isfinite(step):
            self._euro.fps = 1 / max(step, 1e-4)
        return self._euro.step(pose)

    def limbs(self, pose: Floats, trust: Floats) -> Floats:
        """Lengths (joints,) of the bones over what was seen lately."""
        self._limbs.append((pose, trust))
        self._looked += 1
        again = (self._looked + _APART * self.turn) % _LIMBS_AGAIN == 0
        if self._lengths is None or self._looked <= _LIMBS_FIRST or again:
            some = list(self._limbs)[:: -(-len(self._limbs) // _LIMBS_SEEN)]
            self._lengths = bone_lengths(np.stack([p for p, _ in some]), np.stack([t for _, t in some]), self.skeleton)
        return self._lengths

    def place(self, time: float, pose: Floats, rays: Floats, weights: Floats) -> Floats:
        """Where the root stands (3,) before the camera; the depth follows slowly."""
        depth, spread = fitted_depth(pose[None], rays[None], weights[None])
        step = time - self.time
        self._depth *= np.exp(-step / _DEPTH_S) if np.isfinite(step) else 0.0
        if np.isfinite(depth[0]):
            says = float(spread[0]) ** 2 + 1e-12
            self._depth += says * np.array([1.0 / depth[0], 1.0])
        inverse = self._depth[0] / self._depth[1] if self._depth[1] > 0 else 0.2
        held = np.array([1 / np.clip(inverse, 1 / FURTHEST_M, 1 / NEAREST_M)])
        place: Floats = at_depth(pose[None], rays[None], weights[None], held)[0]
        return place
