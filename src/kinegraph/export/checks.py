"""Real input to check an export by: a recording of the user's, or a walk of the embedded procedural motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kinegraph.axes import ground
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.errors import ConfigError, DataError, SkeletonError
from kinegraph.export.lifting import LiftClip
from kinegraph.export.motion import CheckMotion
from kinegraph.export.plan import Array
from kinegraph.geometry.cameras import look_at, project
from kinegraph.inference.clip_window import ClipNetwork, encoded
from kinegraph.inference.framing import FOCAL_PX, SIDE_PX
from kinegraph.inference.motion_window import MotionNetwork, check_rate, person_window, ready
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.preparation import prepare
from kinegraph.models import MotionModel, RecognitionModel
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.motion import MotionTransform
from kinegraph.transforms.prenormalise import PreNormalise
from kinegraph.weights import LoadedWeights

__all__ = ["action_clip", "lift_clip", "motion_clip"]

_ENOUGH = 0.4  # share of a network's joints that the procedural body must have
_INTRINSICS = np.array([FOCAL_PX, FOCAL_PX, SIDE_PX / 2, SIDE_PX / 2])


def _walk(fps: float, seconds: float = 3.0) -> SkeletonSequence:
    motion = SyntheticMotion(subjects=1, takes=1, seconds=seconds, fps=fps, actions=("walking",))
    return motion.clip(0, "walking", 0)


def _noise(shape: tuple[int, ...]) -> Array:
    """Smooth random motion, for a skeleton that the procedural body does not have."""
    steps = np.random.default_rng(0).normal(scale=0.02, size=shape)
    pose = np.random.default_rng(1).normal(scale=0.3, size=shape[-2:])
    return np.asarray(pose + steps.cumsum(axis=-3))


def lift_clip(weights: LoadedWeights, recording: SkeletonSequence | None) -> LiftClip:
    """Keypoints on a lifter's skeleton.

    Raises:
        DataError: the recording is not 2D, or shows nobody.
        SkeletonError: it lacks too many of the network's joints.
    """
    skeleton = weights.skeleton
    if recording is not None:
        found = prepare(recording, skeleton, LiftOptions())
        name = recording.source or "the recording"
        return LiftClip(found.positions, found.confidence, found.image_size, found.intrinsics, name)
    try:
        body = _walk(25.0).to_skeleton(skeleton, minimum=_ENOUGH)
        camera, name = _before_camera(_whole(body.positions[0])), "a procedural walk"
    except SkeletonError:
        camera, name = _noise((75, skeleton.num_joints, 3)) + np.array([0.0, 0.0, 5.0]), "random motion"
    pixels = project(camera, _INTRINSICS)[None]
    return LiftClip(pixels, np.full(pixels.shape[:3], 0.9), (SIDE_PX, SIDE_PX), _INTRINSICS, name)


def motion_clip(weights: LoadedWeights, recording: SkeletonSequence | None) -> CheckMotion:
    """World features of a motion network.

    Raises:
        DataError: the recording is no 3D motion, or too slow.
        SkeletonError: it lacks too many of the network's joints.
        ConfigError: weights of another kind of network.
    """
    transform = weights.transform
    if not isinstance(transform, MotionTransform) or not isinstance(weights.model, MotionModel):
        raise ConfigError(f"{weights.folder}: {weights.model_name} is no motion network")
    network = MotionNetwork(weights.model, weights.model_name, weights.skeleton, transform, {}, weights.folder)
    if recording is not None:
        recording = ready(recording)
        check_rate(recording, network)
        features = person_window(recording, 0, network, float(ground(recording)[0])).features
        return CheckMotion(features, recording.source or "the recording")
    try:
        body = ready(_walk(transform.fps))
        features = person_window(body, 0, network, float(ground(body)[0])).features
        return CheckMotion(features, "a procedural walk")
    except (SkeletonError, DataError):
        mean, scale = np.array(transform.mean), np.array(transform.scale)
        return CheckMotion(_noise((60, len(mean), 3)) * scale + mean, "random motion")


def action_clip(weights: LoadedWeights, recording: SkeletonSequence | None) -> tuple[Array, str]:
    """Positions (people, frames, joints, dims) as a recogniser's graph takes them, and what they are.

    Raises:
        DataError: the recording has gaps, or not the dimensions of the network, or states too little to be prepared.
        SkeletonError: it lacks too many of the network's joints.
        ConfigError: weights of another kind of network.
    """
    transform, model = weights.transform, weights.model
    if not isinstance(transform, ClipTransform) or not isinstance(model, RecognitionModel):
        raise ConfigError(f"{weights.folder}: {weights.model_name} is no recogniser of clips")
    network = ClipNetwork(model, weights.model_name, weights.skeleton, transform, weights.folder, weights)
    if recording is None:
        try:
            return _prepared(network, _action_walk(weights.skeleton, transform)), "a procedural walk"
        except SkeletonError:
            return _noise((60, weights.skeleton.num_joints, transform.dims))[None], "random motion"
    name = recording.source or "the recording"
    if recording.dims != transform.dims:
        raise DataError(f"{name} has {recording.dims}D joints; the network takes {transform.dims}D")
    found = _prepared(network, recording)
    whole = np.isfinite(found).all(axis=(0, 2, 3))
    if not whole.any():
        raise DataError(f"{name}: no frame shows all of the network's joints; give another to check on")
    return found[:, whole], name


def _prepared(network: ClipNetwork, recording: SkeletonSequence) -> Array:
    """A recording as `encoded` hands it to the network's transform, NaN where a joint is missing.

    Which it does to one that leaves clips as they are: rate, axes and unit then have one place, here and in use.
    """
    transform = network.transform
    leaves = ClipTransform(
        prenormalise=PreNormalise(convention="none"),
        sampling="all",
        people=max(1, recording.people),
        dims=transform.dims,
        confidence=True,  # 0 tells a missing joint from one at the origin
        fps=transform.fps,
        unit=transform.unit,
    )
    x, _ = encoded(replace(network, transform=leaves), recording)
    return np.where(x[..., -1:] > 0, x[..., :-1], np.nan)


def _action_walk(skeleton: Skeleton, transform: ClipTransform) -> SkeletonSequence:
    """A walk without gaps, z up; filmed where the network takes 2D.

    Raises:
        SkeletonError: the procedural body has too few of the joints.
    """
    body = _walk(transform.fps or 30.0).to_skeleton(skeleton, minimum=_ENOUGH)
    points = _whole(body.positions[0])
    if transform.dims == 3:
        return body.replace(positions=points[None], confidence=None, rotations=None, offsets=None)
    pixels = project(_before_camera(points), _INTRINSICS)
    return SkeletonSequence(pixels, skeleton, body.fps, "px", "image", image_size=(SIDE_PX, SIDE_PX))


def _whole(points: Array) -> Array:
    """Of (frames, joints, 3), joints that the procedural body lacks are in the middle of those it has."""
    return np.where(np.isfinite(points), points, np.nanmean(points, axis=1, keepdims=True))


def _before_camera(points: Array) -> Array:
    """A walk (frames, joints, 3), z up, in the space of a camera 5 m away."""
    middle = points.mean(axis=(0, 1))
    rotation, translation = look_at(middle + np.array([3.0, -4.0, 0.5]), middle, "z")
    return points @ rotation.T + translation
