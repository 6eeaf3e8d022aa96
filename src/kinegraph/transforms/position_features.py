"""A person's recording as joint positions for a motion network, and a network's positions as that person's motion.

The counterpart of :class:`kinegraph.transforms.motion_features.RotationFeatures` for networks that work on places:
joints are matched through :func:`kinegraph.skeleton.map_joints`. Bones of what comes back have the median length that
they had in the recording; joints that the network does not know move with the nearest ones that it knows.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from kinegraph.axes import y_up
from kinegraph.errors import DataError
from kinegraph.geometry.posing import bridge_gaps
from kinegraph.geometry.rotations import quaternion_conjugate, quaternion_rotate
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, map_joints
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.skeleton.rehang import rehung
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import PosedBody, carried_root
from kinegraph.transforms.rig_match import body_skeleton

__all__ = ["PositionFeatures"]

Array = NDArray[np.float64]
_BONE = 0.1  # of its median, by which a bone's length may vary
_NEIGHBOURS = 3  # known joints whose common turn an unknown one follows


class PositionFeatures:
    """Position features of one person.

    Args:
        sequence: the recording.
        body: the same person as a rig (:func:`kinegraph.transforms.posed_body.posed_body`).
        network: the network's skeleton, with or without trajectory.
        mean: (joints, 3) features that stand for joints which the recording lacks; zeros if None.
        floor: height of the ground, metres.
        person: which one.

    Raises:
        SkeletonError: too few of the network's joints.
        DataError: the network's root cannot be had.
    """

    representation = "positions"

    def __init__(
        self,
        sequence: SkeletonSequence,
        body: PosedBody,
        network: Skeleton,
        mean: Array | None = None,
        floor: float = 0.0,
        person: int = 0,
    ) -> None:
        self.body, self.network, self.floor = body, network, floor
        self.inner = body_skeleton(network)
        self.joints = [network.index(joint) for joint in self.inner.joints]
        self.mean = np.zeros((network.num_joints, 3)) if mean is None else np.asarray(mean, dtype=np.float64)
        mapping = map_joints(sequence.skeleton, self.inner)
        points = sequence.positions[person] @ y_up(sequence).T
        seen = np.isfinite(points).all(axis=-1).any(axis=0)
        # whose bones keep their length
        self.skeleton = rehung(sequence.skeleton, points)
        self.points = points.copy()
        self.points[:, seen] = bridge_gaps(points[:, seen])
        used = mapping.weights != 0
        self.found = np.array([row.any() and seen[row].all() for row in used])
        if not self.found[self.inner.root]:
            raise DataError(
                f"{sequence.source or 'the sequence'}: the network's root '{self.inner.joints[self.inner.root]}' is "
                "not among the joints that are seen"
            )
        self.placed = np.einsum("ns,fsd->fnd", mapping.weights, np.where(seen[:, None], self.points, 0.0))
        self.known: dict[int, int] = {}  # joint of the recording -> of the network
        for joint in np.flatnonzero(self.found & (used.sum(axis=1) == 1)):
            self.known.setdefault(int(used[joint].argmax()), int(joint))
        # A network without a trajectory sees the pose in the root's own axes.
        self.orientation = None if self.has_trajectory else RotationFeatures(body, network).orientation

    @property
    def has_trajectory(self) -> bool:
        """Whether the features hold the body's path."""
        return TRAJECTORY in self.network.joints

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the network's joints that the recording lacks."""
        return tuple(joint for joint, found in zip(self.inner.joints, self.found, strict=True) if not found)

    def with_mean(self, mean: Array) -> PositionFeatures:
        """The same person, joints that are missing at another mean (joints, 3)."""
        other = copy(self)
        other.mean = np.asarray(mean, dtype=np.float64)
        return other

    def encode(self) -> Array:
        """World features (frames, network joints, 3) of the whole recording; relative to the root, whose own are 0."""
        root = self.placed[:, self.inner.root]
        features = np.tile(self.mean, (len(root), 1, 1))
        relative = self.placed - root[:, None]
        if self.orientation is not None:
            relative = quaternion_rotate(quaternion_conjugate(self.orientation)[:, None], relative)
        at = np.array(self.joints)
        features[:, at[self.found]] = relative[:, self.found]
        if self.has_trajectory:
            features[:, self.network.index(TRAJECTORY)] = root - np.array([0.0, self.floor, 0.0])
        return features

    def pose(self, features: Array, fps: float) -> SkeletonSequence:
        """Frames that follow the recording's last one, on its own joints, y up.

        Of `features` (frames, network joints, 3); see `RotationFeatures.pose`.
        """
        relative = features[:, self.joints]
        if self.has_trajectory:
            root = features[:, self.network.index(TRAJECTORY)] + np.array([0.0, self.floor, 0.0])
        else:
            assert self.orientation is not None
            relative = quaternion_rotate(self.orientation[-1], relative)
            path = carried_root(self.body, len(features), fps)
            root = self.placed[-1, self.inner.root] + path - path[:1]
        relative = relative - relative[:, self.inner.root, None]
        points = self._all_joints(relative + root[:, None])
        return SkeletonSequence(positions=points, skeleton=self.skeleton, fps=fps, up="y")

    def finish(self, posed: SkeletonSequence) -> tuple[Array, Array | None]:
        """Positions (frames, joints, 3) in the recording's axes, every bone as long as it was; no rotations."""
        skeleton = self.skeleton
        before = posed.positions[0]
        points = before.copy()
        for joint in skeleton.topological_order():
            parent = skeleton.parents[joint]
            if parent < 0:
                continue
            lengths = np.linalg.norm(self.points[:, joint] - self.points[:, parent], axis=-1)
            length = np.median(lengths)
            if not lengths.std() <= _BONE * length:  # two points that no bone joins, or never seen
                continue
            bone = before[:, joint] - before[:, parent]
            norm = np.linalg.norm(bone, axis=-1, keepdims=True)
            points[:, joint] = points[:, parent] + bone / np.maximum(norm, 1e-9) * length
        return quaternion_rotate(quaternion_conjugate(self.body.upright), points), None

    def _all_joints(self, placed: Array) -> Array:
        """Every joint of the recording (frames, joints, 3) from the network's joints (frames, inner joints, 3)."""
        result = np.full((len(placed), self.skeleton.num_joints, 3), np.nan)
        for joint, at in self.known.items():
            result[:, joint] = placed[:, at]
        hops = self.skeleton.hop_distances()
        last = self.points[-1]
        known = np.array(sorted(self.known))
        for joint in range(self.skeleton.num_joints):
            if joint in self.known or not np.isfinite(last[joint]).all():
                continue
            near = known[np.argsort(hops[joint, known], kind="stable")[:_NEIGHBOURS]]
            then, now = last[near], result[:, near]
            middle = now.mean(axis=1)
            turn = _turn_between(then - then.mean(axis=0), now - middle[:, None])
            result[:, joint] = middle + np.einsum("fij,j->fi", turn, last[joint] - then.mean(axis=0))
        return result


def _turn_between(then: Array, now: Array) -> Array:
    """Rotations (frames, 3, 3) that best carry points (n, 3) to (frames, n, 3); the least turn where undecided."""
    cross = np.einsum("fni,nj->fij", now, then)
    cross = cross + np.eye(3) * max(1e-6, 1e-3 * float((then**2).sum()))
    u, _, vt = np.linalg.svd(cross)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turn: Array = u @ vt
    return turn
