"""A person's recording as the features of a motion network, and a network's features as that person's motion.

The recording stays the person's own: whatever the network works on, the motion that comes back has the recording's
joints, bones, axes and place. Joints that the network does not know keep the rotation they had last; joints that the
recording does not have are the network's mean.

Features are those of :class:`kinegraph.transforms.motion.MotionTransform`: ``expmap`` are minus the rotation vectors
of local rotations (the CMU text files' sign) against the rest pose of :mod:`kinegraph.transforms.rig_match`;
``positions`` are metres from the root. With a trajectory joint they are in the world (y up, floor at 0), which
:mod:`kinegraph.transforms.heading` turns to what the network sees; without one the root's own motion is left out, and
what comes back moves on as the root moved.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.rotations import (
    expmap_to_quaternion,
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_rotate,
    quaternion_to_expmap,
)
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.transforms.heading import continuous_expmap
from kinegraph.transforms.posed_body import PosedBody, carried_root
from kinegraph.transforms.rig_match import RigMatch, body_skeleton, match_rig

__all__ = ["RotationFeatures"]

Array = NDArray[np.float64]


class RotationFeatures:
    """Exponential-map features of one person.

    Args:
        body: the person.
        network: the network's skeleton, with or without trajectory.
        mean: (joints, 3) features that stand for joints which the recording lacks; zeros if None.
        floor: height of the ground, metres.

    Raises:
        SkeletonError: too few of the network's joints.
    """

    representation = "expmap"

    def __init__(self, body: PosedBody, network: Skeleton, mean: Array | None = None, floor: float = 0.0) -> None:
        self.body, self.network, self.floor = body, network, floor
        self.match: RigMatch = match_rig(body.rig, body.offsets, body_skeleton(network))
        self.joints = [network.index(joint) for joint in self.match.body.joints]  # network index of each body joint
        self.mean = np.zeros((network.num_joints, 3)) if mean is None else np.asarray(mean, dtype=np.float64)
        self.orientation = self._network_globals(self.body.rotations)[:, self.match.body.root]
        self.path = self._path()

    @property
    def has_trajectory(self) -> bool:
        """Whether the features hold the body's path and orientation."""
        return TRAJECTORY in self.network.joints

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the network's joints that the recording lacks."""
        return tuple(j for j, s in zip(self.match.body.joints, self.match.source, strict=True) if s < 0)

    def with_mean(self, mean: Array) -> RotationFeatures:
        """The same person, joints that are missing at another mean (joints, 3)."""
        return RotationFeatures(self.body, self.network, mean, self.floor)

    def encode(self) -> Array:
        """World features (frames, network joints, 3) of the whole recording."""
        turned = self._network_globals(self.body.rotations)
        features = np.tile(self.mean, (len(turned), 1, 1))
        parents = np.array(self.match.body.parents)
        known = np.flatnonzero(self.match.source >= 0)
        local = turned.copy()
        child = parents >= 0
        local[:, child] = quaternion_multiply(quaternion_conjugate(turned[:, parents[child]]), turned[:, child])
        features[:, np.array(self.joints)[known]] = continuous_expmap(-quaternion_to_expmap(local[:, known]))
        root = self.joints[self.match.body.root]
        if self.has_trajectory:
            features[:, self.network.index(TRAJECTORY)] = self.path - [0.0, self.floor, 0.0]
        else:
            features[:, root] = 0.0
        return features

    def pose(self, features: Array, fps: float) -> SkeletonSequence:
        """Frames that follow the recording's last one, on the rig, y up.

        Args:
            features: (frames, network joints, 3), in the world if they have a trajectory. Without one, the first
                frame is taken as the recording's last, and the root goes on from there as it moved
                (:func:`carried_root`).
            fps: their rate, Hz.
        """
        rig, match = self.body.rig, self.match
        frames = len(features)
        local = expmap_to_quaternion(-features[:, self.joints])
        if self.has_trajectory:
            root = features[:, self.network.index(TRAJECTORY)] + np.array([0.0, self.floor, 0.0])
        else:
            root = carried_root(self.body, frames, fps, self.path)
            local[:, match.body.root] = self.orientation[-1]
        wanted: dict[int, Array] = {}
        turned = np.empty((frames, match.body.num_joints, 4))
        for i in match.body.topological_order():
            parent = match.body.parents[i]
            turned[:, i] = local[:, i] if parent < 0 else quaternion_multiply(turned[:, parent], local[:, i])
            if match.source[i] >= 0:
                wanted[int(match.source[i])] = quaternion_multiply(turned[:, i], quaternion_conjugate(match.align[i]))
        rotations = np.repeat(self.body.rotations[-1:], frames, axis=0)
        placed: dict[int, Array] = {}  # global rotations of the rig's joints
        for joint in rig.topological_order():
            parent = rig.parents[joint]
            if joint in wanted:
                placed[joint] = wanted[joint]
                above = None if parent < 0 else quaternion_conjugate(placed[parent])
                rotations[:, joint] = wanted[joint] if above is None else quaternion_multiply(above, wanted[joint])
            elif parent < 0:
                placed[joint] = rotations[:, joint]
            else:
                placed[joint] = quaternion_multiply(placed[parent], rotations[:, joint])
        if self._root != rig.root:  # the recording's root, so that the network's comes to its place
            ahead = self.body.positions(rotations, root)[:, self._root]
            root = 2 * root - ahead
        return SkeletonSequence(
            positions=self.body.positions(rotations, root),
            skeleton=rig,
            fps=fps,
            up="y",
            rotations=rotations,
            offsets=self.body.offsets,
        )

    def finish(self, posed: SkeletonSequence) -> tuple[Array, Array | None]:
        """Positions (frames, joints, 3) and, where the recording has them, local rotations, in the recording's axes.

        Args:
            posed: on the rig, at any rate; its rotations and root places count, bones are the recording's.
        """
        body = self.body
        assert posed.rotations is not None
        points = body.positions(posed.rotations[0], posed.positions[0, :, body.rig.root])
        back = quaternion_conjugate(body.upright)
        shown = quaternion_rotate(back, points[:, np.maximum(body.shown, 0)])
        shown[:, body.shown < 0] = np.nan
        if not body.own:
            return shown, None
        rotations = posed.rotations[0].copy()
        rotations[:, body.rig.root] = quaternion_multiply(back, rotations[:, body.rig.root])
        return shown, rotations

    @property
    def _root(self) -> int:
        """The rig's joint at the network's root."""
        return int(self.match.source[self.match.body.root])

    def _path(self) -> Array:
        """Places (frames, 3) of the network's root."""
        body = self.body
        return body.root if self._root == body.rig.root else body.positions()[:, self._root]

    def _network_globals(self, rotations: Array) -> Array:
        """Global rotations (frames, body joints, 4) of the network's joints."""
        rig, match = self.body.rig, self.match
        turned = np.empty_like(rotations)
        for joint in rig.topological_order():
            parent = rig.parents[joint]
            turned[:, joint] = (
                rotations[:, joint] if parent < 0 else quaternion_multiply(turned[:, parent], rotations[:, joint])
            )
        result = np.empty((len(rotations), match.body.num_joints, 4))
        for i in match.body.topological_order():
            if match.source[i] >= 0:
                result[:, i] = quaternion_multiply(turned[:, match.source[i]], match.align[i])
            else:
                # what the recording does not say: the mean turn against the parent
                mean = expmap_to_quaternion(-self.mean[self.joints[i]])
                result[:, i] = quaternion_multiply(
                    result[:, match.body.parents[i]], np.broadcast_to(mean, (len(rotations), 4))
                )
        return result
