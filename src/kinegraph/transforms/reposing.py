"""A rig that is known, posed by positions: what live use needs between two fits of a person's bones.

:func:`kinegraph.transforms.posed_body.posed_body` looks at a whole recording to find lengths, rest directions and
pivots. Here these are given, and only the rotations are found, for all joints of one depth at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.bone_ends import NO_LENGTH, bone_ends, facing, leaves_a_turn
from kinegraph.geometry.posing import HOLD, HOLD_IN_LINE, kabsch, swing
from kinegraph.geometry.rotations import (
    matrix_to_quaternion,
    quaternion_conjugate,
    quaternion_multiply,
    quaternion_to_matrix,
)
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import PosedBody
from kinegraph.transforms.rig_match import RigMatch

__all__ = ["KnownRig", "PosedFeatures"]

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class _Level(NamedTuple):
    """Joints of one depth of the tree."""

    still: Indices
    """Without bones: they turn as their parents do."""
    swung: Indices
    """With one bone."""
    bones: Indices
    """The joint at the end of each."""
    fitted: list[tuple[int, Indices, Array]]
    """With several: joint, the bones' ends, and what each counts (bones,)."""


class KnownRig:
    """A person's rig, for posing by further positions.

    Args:
        body: fitted to the person, from positions.
        network: the network's skeleton, for :meth:`features`.
        mean: (joints, 3) features that stand for joints which the recording lacks.
    """

    def __init__(self, body: PosedBody, network: Skeleton, mean: Array) -> None:
        fitted = RotationFeatures(body, network, mean)
        self.body, self.network, self.mean, self.match = body, network, mean, fitted.match
        rig = body.rig
        self.parents = np.array(rig.parents)
        self.joints = np.full(rig.num_joints, -1)  # of the recording
        for joint, at in enumerate(body.shown):
            if at >= 0:
                self.joints[at] = joint
        lengths = np.linalg.norm(body.offsets, axis=-1)
        self.shape = body.offsets / np.where(lengths > NO_LENGTH, lengths, 1.0)[:, None]
        self.means = {joint: list(of) for joint, of in body.means.items()}
        pivots = self.joints < 0
        pivots[list(self.means)] = False
        # where a bone starts: pivots lie on the joint above them
        self.starts = np.array(
            [p if p < 0 or not pivots[p] else self.parents[p] for p in self.parents.tolist()], dtype=np.int64
        )
        ends = bone_ends(rig.parents, lengths)
        # where its bones leave a turn open, the root faces as the body does
        self.faces = leaves_a_turn(self.shape[ends[rig.root]])
        depth = np.zeros(rig.num_joints, dtype=np.int64)
        for joint in rig.topological_order():
            if self.parents[joint] >= 0:
                depth[joint] = depth[self.parents[joint]] + 1
        turned = global_rotations(body.rotations, rig)
        directions = self._directions(body.positions())
        self.levels: list[_Level] = []
        for at in range(int(depth.max()) + 1):
            here = [int(j) for j in np.flatnonzero(depth == at)]
            swung = [j for j in here if len(ends[j]) == 1]
            several = [(j, np.array(ends[j])) for j in here if len(ends[j]) > 1]
            self.levels.append(
                _Level(
                    still=np.array([j for j in here if not ends[j]], dtype=np.int64),
                    swung=np.array(swung, dtype=np.int64),
                    bones=np.array([ends[j][0] for j in swung], dtype=np.int64),
                    fitted=[(j, bones, _steadiness(turned[:, j], directions[:, bones])) for j, bones in several],
                )
            )

    def turns(self, points: Array, fps: float) -> Array:
        """Global rotations (frames, rig joints, 4).

        Args:
            points: (frames, rig joints, 3), y up, finite but for pivots.
            fps: of the frames.
        """
        frames = len(points)
        directions = self._directions(points)
        result = np.empty((frames, len(self.parents), 4))
        first = np.tile([0.0, 0.0, 0.0, 1.0], (frames, 1))
        root, hold = self.body.rig.root, HOLD_IN_LINE if self.faces else HOLD
        if self.faces:
            first = facing(np.nan_to_num(points), self.body.rig.parents, self.body.offsets, root)

        def above(joints: Indices) -> Array:
            over = self.parents[joints]
            found = result[:, np.maximum(over, 0)]
            found[:, over < 0] = first[:, None]
            return found

        for level in self.levels:
            if len(level.still):
                result[:, level.still] = above(level.still)
            if len(level.swung):
                result[:, level.swung] = swing(
                    above(level.swung), self.shape[level.bones], directions[:, level.bones], fps
                )
            for joint, bones, counts in level.fitted:
                towards = quaternion_to_matrix(above(np.array([joint]))[:, 0])
                result[:, joint] = matrix_to_quaternion(
                    kabsch(directions[:, bones], self.shape[bones], counts, towards, hold if joint == root else HOLD)
                )
        return result

    def features(self, points: Array, fps: float, floor: float) -> PosedFeatures:
        """Features of further positions (frames, joints of the recording, 3), y up, finite where the rig has them."""
        placed = points[:, np.maximum(self.joints, 0)]
        for joint, of in self.means.items():
            placed[:, joint] = points[:, of].mean(axis=1)
        turned = self.turns(placed, fps)
        over = np.maximum(self.parents, 0)
        local = quaternion_multiply(quaternion_conjugate(turned[:, over]), turned)
        roots = self.parents < 0
        local[:, roots] = turned[:, roots]
        body = replace(self.body, rotations=local, root=placed[:, self.body.rig.root], fps=fps)
        return PosedFeatures(body, self.network, self.mean, floor, self.match, turned)

    def _directions(self, points: Array) -> Array:
        """Unit direction (frames, rig joints, 3) of the bone that ends in each joint."""
        vectors = points - points[:, np.maximum(self.starts, 0)]
        norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
        good = np.isfinite(norms) & (norms > NO_LENGTH)
        return np.where(good, vectors / np.where(good, norms, 1.0), self.shape)


class PosedFeatures(RotationFeatures):
    """:class:`RotationFeatures` of a body whose match with the network and whose global rotations are at hand.

    Args:
        body, network, floor: as of :class:`RotationFeatures`.
        mean: (joints, 3) features that stand for joints which the recording lacks.
        match: of the body's rig and the network.
        turned: (frames, rig joints, 4) global rotations of `body`.
    """

    def __init__(
        self, body: PosedBody, network: Skeleton, mean: Array, floor: float, match: RigMatch, turned: Array
    ) -> None:
        self.body, self.network, self.floor, self.match, self.mean = body, network, floor, match, mean
        self.joints = [network.index(joint) for joint in match.body.joints]
        self._turned = self._matched(turned)
        self.orientation = self._turned[:, match.body.root]
        self.path = self._path()

    def _network_globals(self, rotations: Array) -> Array:
        return self._turned if rotations is self.body.rotations else super()._network_globals(rotations)

    def _matched(self, turned: Array) -> Array:
        source, align = self.match.source, self.match.align
        if (source < 0).any():
            return super()._network_globals(self.body.rotations)
        return quaternion_multiply(turned[:, source], align)


def global_rotations(rotations: Array, rig: Skeleton) -> Array:
    """Global rotations (frames, joints, 4) of local ones."""
    turned = np.empty_like(rotations)
    for joint in rig.topological_order():
        parent = rig.parents[joint]
        own = rotations[:, joint]
        turned[:, joint] = own if parent < 0 else quaternion_multiply(turned[:, parent], own)
    return turned


def _steadiness(turned: Array, directions: Array) -> Array:
    """What each of several bones (frames, bones, 3) of one joint counts (bones,): more, the steadier it moves along."""
    local = np.einsum("fji,fcj->fci", quaternion_to_matrix(turned), directions)
    off = np.sqrt(((local - local.mean(axis=0)) ** 2).sum(axis=-1).mean(axis=0))
    result: Array = 1.0 / (off + 0.01)
    return result
