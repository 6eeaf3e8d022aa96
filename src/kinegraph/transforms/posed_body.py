"""One person of a recording as a rig in a world with y up, whatever the recording holds: rotations, places, markers."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kinegraph.axes import y_up
from kinegraph.errors import DataError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.posing import bridge_gaps, finished, posing_steps, rest_directions
from kinegraph.geometry.rotations import matrix_to_quaternion, quaternion_multiply
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.mapping import layouts_with_a_root
from kinegraph.skeleton.pelvis import hung_on_hips, pelvis_joint, rooted_at
from kinegraph.skeleton.rehang import rehung
from kinegraph.transforms.rig_match import trunk

__all__ = ["PosedBody", "at_rate", "carried_root", "check_motion", "check_video", "posed_body", "posed_body_steps"]

Array = NDArray[np.float64]
_NAMED = 3  # layouts named in a message
_LONGEST_M = 20.0  # that half of the poses may span; a stray marker is no matter of units


@dataclass(frozen=True)
class PosedBody:
    """One person as a rig, y up.

    Attributes:
        rig: joints, pivots of :mod:`kinegraph.geometry.posing` included.
        offsets: (joints, 3) rest offsets in metres, the root's 0.
        rotations: (frames, joints, 4) local, xyzw.
        root: (frames, 3) the root's place in metres.
        shown: index in `rig` of each joint of the recording; -1 for one that is never seen.
        upright: (4,) the rotation from the recording's axes to y up.
        own: whether the rotations are the recording's.
        fps: frames a second.
        means: joint of `rig` -> the recording's joints whose mean it is: the pelvis of a recording that has none.
    """

    rig: Skeleton
    offsets: Array
    rotations: Array
    root: Array
    shown: NDArray[np.int64]
    upright: Array
    own: bool
    fps: float
    means: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def positions(self, rotations: Array | None = None, root: Array | None = None) -> Array:
        """(frames, rig joints, 3) of these or other rotations and root places, y up."""
        rotations = self.rotations if rotations is None else rotations
        translations = np.tile(self.offsets, (len(rotations), 1, 1))
        translations[:, self.rig.root] = self.root if root is None else root
        return forward_kinematics(self.rig.parents, rotations, translations)[0]

    def at_rate(self, fps: float) -> PosedBody:
        """At another rate: rotations along the shortest arc, so that bones stay as long as they are."""
        if fps == self.fps:
            return self
        moving = SkeletonSequence(
            positions=self.positions(), skeleton=self.rig, fps=self.fps, up="y", rotations=self.rotations
        )
        moving = at_rate(moving, fps)
        assert moving.rotations is not None
        return replace(self, rotations=moving.rotations[0], root=moving.positions[0, :, self.rig.root], fps=fps)


def at_rate(sequence: SkeletonSequence, fps: float) -> SkeletonSequence:
    """Resampled so that the last frame stays a frame.

    Raises:
        DataError: the sequence's rate is unknown, or the new one is no rate.
    """

    def backwards(given: SkeletonSequence) -> SkeletonSequence:
        return given.slice_frames(None, None, -1)

    return sequence if sequence.fps == fps else backwards(backwards(sequence).resample(fps))


def check_video(sequence: SkeletonSequence) -> None:
    """Refuse unrelated pictures, which hold no motion.

    Raises:
        DataError: they are.
    """
    if not sequence.is_video:
        raise DataError(f"{sequence.source or 'the sequence'} holds single pictures; expected a video, motion in time")


def check_motion(sequence: SkeletonSequence) -> None:
    """Refuse what is no 3D motion in metres at a known rate.

    Raises:
        DataError: single pictures, 2D, no metres or poses far too large to be in metres, no frame rate, nobody, or
            nobody's root.
    """
    check_video(sequence)
    who = sequence.source or "the sequence"
    if sequence.dims != 3 or sequence.space == "image":
        raise DataError(f"{who} is 2D; expected 3D motion: lift it first (kinegraph lift)")
    if sequence.unit != "m":
        raise DataError(f"{who} is in {sequence.unit}, expected metres; state the unit when reading it")
    if sequence.fps is None:
        raise DataError(f"{who} states no frame rate; give it (--fps N, or fps= in Python)")
    if not sequence.frames or not sequence.people:
        raise DataError(f"{who} has no frames; expected a recording")
    if len(sequence.skeleton.roots) != 1:
        raise DataError(f"{who}: skeleton '{sequence.skeleton.name}' has several roots; expected one body")
    root, seen = sequence.skeleton.root, np.asarray(sequence.seen.any(axis=(0, 1)))
    if seen.any() and not seen[root]:
        fit = ", ".join(layouts_with_a_root(sequence.skeleton, seen)[:_NAMED])
        other = f"map it to a layout whose root can be had ({fit}), or " if fit else ""
        raise DataError(
            f"{who}: '{sequence.skeleton.joints[root]}', on which '{sequence.skeleton.name}' hangs, is never seen; "
            f"expected a body with its root: {other}keep its own joints if it was mapped"
        )
    extent = _extent(sequence.positions)
    if extent > _LONGEST_M:
        raise DataError(
            f"{who}: half of the poses span {extent:.0f} m or more, expected a body, at most {_LONGEST_M:g} m; is it "
            "in millimetres or centimetres? State the unit when reading, or divide the positions by 1000 or 100"
        )


def _extent(positions: Array) -> float:
    """Median over the poses (people, frames, joints, 3) of their largest side; 0 where nobody is seen."""
    there = np.isfinite(positions)
    sides = np.where(there, positions, -np.inf).max(axis=2) - np.where(there, positions, np.inf).min(axis=2)
    spans = sides.max(axis=-1)
    return float(np.median(spans[spans >= 0])) if (spans >= 0).any() else 0.0


def posed_body(sequence: SkeletonSequence, person: int = 0) -> PosedBody:
    """One person of a recording as a rig: with its own rotations where they make its positions, else from positions.

    A rig from positions hangs on the pelvis, wherever the recording's joints hang, if there are a pelvis or two hips.
    Gaps are bridged in time; fill or refuse long ones before.

    Raises:
        DataError: see :func:`check_motion`; or the root is never seen, or too few joints.
    """
    return finished(posed_body_steps(sequence, person))


def posed_body_steps(sequence: SkeletonSequence, person: int = 0) -> Generator[None, None, PosedBody]:
    """:func:`posed_body` a joint at a time; what it refuses, it refuses at the first step.

    Raises:
        DataError: see :func:`posed_body`.
    """
    check_motion(sequence)
    skeleton, turn = sequence.skeleton, y_up(sequence)
    upright = matrix_to_quaternion(turn)
    positions = sequence.positions[person] @ turn.T
    seen = np.isfinite(positions).all(axis=(-1,)).any(axis=0)
    at = skeleton.root
    who = (sequence.source or "the sequence") + (f", person {person + 1}" if sequence.people > 1 else "")
    if not seen[at] or seen.sum() < 3:
        lost = (
            f"its root '{skeleton.joints[at]}' is never seen" if not seen[at] else f"{int(seen.sum())} joints are seen"
        )
        raise DataError(f"{who}: {lost}; expected a body with its root and limbs")
    posable = pelvis_joint(skeleton) is not None or not hung_on_hips(skeleton)[1]  # no rotations turn a new pelvis
    if posable and sequence.rotations is not None and sequence.offsets is not None and sequence.is_posed(person):
        rotations = sequence.rotations[person].copy()
        rotations[:, at] = quaternion_multiply(upright, rotations[:, at])
        offsets = sequence.offsets.copy()
        offsets[at] = 0.0
        return PosedBody(
            rig=skeleton,
            offsets=offsets,
            rotations=rotations,
            root=bridge_gaps(positions[:, [at]])[:, 0],
            shown=np.arange(sequence.joints),
            upright=upright,
            own=True,
            fps=sequence.fps or 0.0,
        )
    skeleton, positions, means = _on_pelvis(rehung(skeleton, positions), positions, seen)
    seen = np.asarray(np.isfinite(positions).all(axis=-1).any(axis=0))
    kept = np.flatnonzero(seen)
    parents = []
    for joint in kept:
        above = skeleton.parents[joint]
        while above >= 0 and not seen[above]:
            above = skeleton.parents[above]
        parents.append(int(np.searchsorted(kept, above)) if above >= 0 else -1)
    names = [skeleton.joints[j] for j in kept]
    rest = rest_directions(names, parents, skeleton.meanings)
    for central in (member for chain in trunk(skeleton) for member in chain):
        # Hips alone lie in one line and leave open which way is up: a rig's own names for its spine must not.
        row = int(np.searchsorted(kept, central))
        if seen[central] and np.isnan(rest[row]).any():
            rest[row] = [0.0, 1.0, 0.0]
    posed = yield from posing_steps(
        bridge_gaps(positions[:, kept]),
        names,
        parents,
        rest=rest,
        fps=sequence.fps or 0.0,
    )
    rig = Skeleton(
        name=skeleton.name,
        joints=posed.joints,
        parents=posed.parents,
        pairs=tuple(pair for pair in skeleton.pairs if set(pair) <= set(names)),
        landmarks={k: w for k, w in skeleton.landmarks.items() if set(w) <= set(names)},
    )
    shown = np.full(sequence.joints, -1)
    for index, source in enumerate(posed.source):
        if source >= 0 and kept[source] < sequence.joints:
            shown[kept[source]] = index
    offsets = posed.offsets.copy()
    offsets[rig.root] = 0.0
    return PosedBody(
        rig=rig,
        offsets=offsets,
        rotations=posed.rotations,
        root=posed.root_positions[:, 0],
        shown=shown,
        upright=upright,
        own=False,
        fps=sequence.fps or 0.0,
        means={i: means[int(kept[s])] for i, s in enumerate(posed.source) if s >= 0 and int(kept[s]) in means},
    )


def _on_pelvis(
    skeleton: Skeleton, positions: Array, seen: NDArray[np.bool_]
) -> tuple[Skeleton, Array, dict[int, tuple[int, ...]]]:
    """Skeleton and positions (frames, joints, 3) hung on the pelvis, new joints last; and whose mean each of those is.

    As they are where neither a pelvis nor both hips are `seen` (joints,).
    """
    pelvis = pelvis_joint(skeleton)
    if pelvis is not None and seen[pelvis]:
        return rooted_at(skeleton, pelvis), positions, {}
    hung, means = hung_on_hips(skeleton)
    if not means or not all(seen[list(of)].all() for of in means.values()):
        return skeleton, positions, {}
    added = [positions[:, of].mean(axis=1) for of in map(list, means.values())]
    return hung, np.concatenate([positions, np.stack(added, axis=1)], axis=1), means


def carried_root(body: PosedBody, frames: int, fps: float, path: Array | None = None) -> Array:
    """Places (frames, 3) of a root that goes on over the ground as it did, from the last observed one (the first).

    The speed is the mean over the last quarter of a second; the height stays. `path` (observed frames, 3) is that of
    another joint than the body's root.
    """
    root = body.root if path is None else path
    span = max(1, min(len(root) - 1, round(0.25 * body.fps)))
    velocity = (root[-1] - root[-1 - span]) / span * body.fps if len(root) > 1 else np.zeros(3)
    velocity = velocity * np.array([1.0, 0.0, 1.0])
    carried: Array = root[-1] + velocity * (np.arange(frames) / fps)[:, None]
    return carried
