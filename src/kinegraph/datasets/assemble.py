"""From 3D recordings to lifting data: map the rig by joint name, place cameras, project, check, fingerprint.

Shared by the embedded synthetic set and by the free motion-capture benchmark, so both mean the same by a
camera, a clip and a seed. Each clip's randomness is derived from the seed and the clip's own name: adding or
leaving out other clips changes nothing about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import FilmedClip, LiftingData, from_clips
from kinegraph.errors import DataError
from kinegraph.geometry.cameras import CameraSampling, project, sample_cameras, up_vector
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A recording and what tables need to know about it.

    Attributes:
        sequence: one or more people in world metres with a known up axis and frame rate.
        name: unique; seeds the cameras.
        action: what is done.
        subject: who does it.
    """

    sequence: SkeletonSequence
    name: str
    action: str
    subject: str


def clip_rng(seed: int, name: str) -> np.random.Generator:
    """A generator that depends on ``seed`` and ``name`` alone, the same on every machine."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def assemble(
    clips: Iterable[Clip],
    *,
    name: str,
    cameras: CameraSampling | None = None,
    seed: int = 0,
    fps: float | None = None,
    skeleton: str | Skeleton = "h36m17",
    extent_m: float = 3.0,
    action_names: Sequence[str] | None = None,
) -> LiftingData:
    """Film every clip with sampled cameras.

    Args:
        clips: the recordings; consumed one at a time, so a generator keeps memory low.
        name: of the result.
        cameras: how cameras are placed; the benchmark's ranges by default.
        seed: of the camera placement.
        fps: frames per second of the result; None keeps the first clip's. A whole ratio drops frames, any
            other resamples.
        skeleton: the joints of the result, by name or as an object.
        extent_m: a clip whose root wanders over more than this (diagonal on the ground) is cut into parts,
            each with cameras of its own, because a camera 4 m from the middle would see little of it.
        action_names: order of the actions in tables; None sorts them.

    Returns:
        exact 2D (confidence 1 everywhere) and the 3D truth.

    Raises:
        DataError: a clip is not in world metres, lacks a joint, or comes nearer than the camera.
    """
    target = get_skeleton(skeleton)
    settings = cameras or CameraSampling()
    filmed: list[FilmedClip] = []
    for clip in clips:
        rate = clip.sequence.fps
        if rate is None:
            raise DataError(f"{clip.name}: the frame rate is unknown; give it when reading the file")
        fps = rate if fps is None else fps
        for label, world, up in _world_positions(clip, target, fps):
            rng = clip_rng(seed, label)
            vertical = up_vector(up)
            # The lowest joint of the clip is an ankle or a toe on the floor; a percentile forgives a glitch.
            floor = float(np.percentile((world @ vertical).min(axis=-1), 1))
            for part, (start, stop) in enumerate(_parts(clip.name, world[:, target.root] * (1 - vertical), extent_m)):
                piece = world[start:stop]
                middle = (piece.min(axis=(0, 1)) + piece.max(axis=(0, 1))) / 2
                for camera in sample_cameras(rng, middle, up=up, floor=floor, config=settings):
                    points = camera.to_camera(piece)
                    try:
                        pixels = project(points, camera.intrinsics)
                    except DataError as error:
                        raise DataError(f"{clip.name}: {error}") from error
                    view = f"{label}/{part}/{camera.name}"
                    filmed.append(
                        FilmedClip(
                            view, clip.action, clip.subject, pixels, points, camera.intrinsics, camera.image_size
                        )
                    )
    if not filmed or fps is None:
        raise DataError(f"{name}: no clips; check the source folder and the split")
    return from_clips(
        filmed,
        name=name,
        skeleton=target,
        fps=fps,
        action_names=tuple(action_names) if action_names is not None else tuple(sorted({f.action for f in filmed})),
        subject_names=tuple(sorted({f.subject for f in filmed})),
    )


def _world_positions(clip: Clip, target: Skeleton, fps: float) -> Iterable[tuple[str, Array, str]]:
    """(label, positions (frames, joints, 3), up) of each person on the target's joints at the target rate."""
    sequence = clip.sequence
    if sequence.space != "world" or sequence.unit != "m" or sequence.dims != 3 or sequence.up is None:
        raise DataError(
            f"{clip.name}: {sequence.dims}D in {sequence.space} {sequence.unit}, up {sequence.up}; "
            "filming needs 3D world metres with a known up axis"
        )
    ratio = float(sequence.fps or fps) / fps
    whole = round(ratio)
    if whole >= 1 and abs(ratio - whole) < 1e-3:
        sequence = sequence.slice_frames(step=whole)
    else:
        sequence = sequence.resample(fps)
    mapping = map_joints(sequence.skeleton, target, minimum=1.0)
    for person in range(sequence.people):
        joints, confidence = mapping.apply(sequence.positions[person])
        seen = np.all(confidence > 0, axis=0)
        if not seen.all():
            lost = [joint for joint, ok in zip(target.joints, seen.tolist(), strict=True) if not ok]
            raise DataError(f"{clip.name}: no position for {', '.join(lost)}; the truth must be complete")
        label = clip.name if sequence.people == 1 else f"{clip.name}#{person}"
        yield label, np.asarray(joints, dtype=np.float64), str(sequence.up)


def _parts(name: str, ground: Array, extent_m: float) -> list[tuple[int, int]]:
    """Cut a path on the ground (frames, 3) into the fewest equal parts that each stay within ``extent_m``."""
    frames = len(ground)
    if frames > 1 and np.linalg.norm(np.diff(ground, axis=0), axis=-1).max() > extent_m:
        raise DataError(f"{name}: the root moves more than {extent_m:g} m between two frames; the recording is damaged")
    count = 1
    while True:  # ends at the latest with one frame a part
        bounds = np.linspace(0, frames, count + 1).round().astype(int).tolist()
        spans = list(pairwise(bounds))
        if all(np.linalg.norm(np.ptp(ground[start:stop], axis=0)) <= extent_m for start, stop in spans):
            return spans
        count += 1
