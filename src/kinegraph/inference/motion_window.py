"""What forecasting and recognition share: a motion network with its transform, and a person's recording at its rate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.hub import locate
from kinegraph.inference.answers import finite
from kinegraph.inference.clip_window import ClipNetwork
from kinegraph.inference.last_look import last_look
from kinegraph.models import REGISTRY, MotionModel, baselines, build
from kinegraph.sequence import SkeletonSequence
from kinegraph.shipped import default_weights
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.contraction import TRAJECTORY, contract
from kinegraph.transforms.between_frames import resample_smoothly
from kinegraph.transforms.gaps import LONGEST_GAP_S, fill_gaps
from kinegraph.transforms.heading import heading_absolute, heading_relative
from kinegraph.transforms.motion import MotionTransform
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import at_rate, check_motion, posed_body
from kinegraph.transforms.position_features import PositionFeatures
from kinegraph.weights import LoadedWeights, load_weights

__all__ = [
    "HISTORY_S",
    "MotionNetwork",
    "PersonWindow",
    "baseline_of",
    "last_stay",
    "left_out",
    "load_motion_network",
    "motion_network",
    "notes_that_hold",
]

Array = NDArray[np.float64]

#: of a long past, what is looked at for bones, pace and ground
HISTORY_S = 10.0
_OF_THE_RECORDING = ("uncertainty: ", "contact: ")
_BEFORE = 4  # observed frames that say how the motion goes into the forecast
_SLOWEST = 0.2  # of the network's rate: under it, the motion between two frames is not in the recording


@dataclass(frozen=True)
class MotionNetwork:
    """A network ready for use; `metadata` is what its training left."""

    model: MotionModel
    name: str
    skeleton: Skeleton
    transform: MotionTransform
    metadata: dict[str, Any]
    folder: Path | None
    weights: LoadedWeights | None = None

    @property
    def observed_s(self) -> float:
        """Seconds that it looks back, first to last frame."""
        return (self.transform.observed - 1) / self.transform.fps

    def run(self, features: Array, horizon: int) -> tuple[Array | None, Array | None]:
        """Future features (horizon, joints, 3) and class scores (classes,) of observed world features.

        Args:
            features: (observed, joints, 3); in the world if they have a trajectory.
            horizon: frames to forecast, 0 for scores alone.
        """
        window, frame = features[None], None
        if self.transform.root == "heading":
            window, frame = heading_relative(window, -1, self.skeleton, self.transform.representation)
        x = torch.from_numpy(self.transform.encode(window))
        with torch.inference_mode():
            output = self.model(x, horizon)
        scores = None if output.logits is None else torch.softmax(output.logits[0].double(), dim=-1).numpy()
        if output.motion is None or not horizon:
            return None, scores
        future = self.transform.decode(output.motion.double().numpy(), window[:, -1])
        self.check(future)
        if frame is not None:
            future = heading_absolute(future, frame, self.skeleton, self.transform.representation)
        return future[0], scores

    def check(self, values: Array) -> None:
        """Refuse values, of any shape, that are not finite."""
        finite(values, self.folder or self.name)


def load_motion_network(
    folder: Path | str | None, revision: str | None = None, others: Collection[str] = ()
) -> MotionNetwork:
    """Read a weights folder, a network of the package or one of the hub; without any, the package's `forecast`.

    Args:
        folder, revision, others: as of :func:`kinegraph.hub.locate`.

    Raises:
        FormatError: the folder is missing or damaged, or holds a lifting network.
        KinegraphError: no folder is given and this installation ships none.
    """
    chosen = default_weights("forecast") if folder is None else folder
    if chosen is None:
        raise KinegraphError(
            "this installation ships no weights to forecast and recognise with; train some ('kinegraph train "
            "symgnn_cmu_cpu') and name their folder with --model, or forecast with --model constant-velocity"
        )
    return motion_network(load_weights(locate(chosen, revision, others)))


def motion_network(weights: LoadedWeights) -> MotionNetwork:
    """The network of weights that forecast or recognise in short windows.

    Raises:
        FormatError: they are for something else.
    """
    transform: object = weights.transform
    if not isinstance(transform, MotionTransform) or not isinstance(weights.model, MotionModel):
        does, command = ("lifts", "lift") if weights.task == "lift" else ("recognises actions in clips", "recognize")
        raise FormatError(
            weights.folder,
            f"holds a network that {does} ({weights.model_name}), expected one that forecasts or recognises motion; "
            f"use it with 'kinegraph {command}'",
        )
    return MotionNetwork(
        weights.model.eval(),
        weights.model_name,
        weights.skeleton,
        transform,
        dict(weights.metadata),
        weights.folder,
        weights,
    )


def baseline_of(name: str) -> str | None:
    """The registry's name of a forecaster that needs no weights (``zero-velocity``); None if `name` is none."""
    return baselines().get(name.replace("_", "-"))


def untrained(name: str, sequence: SkeletonSequence, person: int) -> MotionNetwork:
    """A forecaster without weights on a person's own joints and at their rate, path and heading included.

    It works on rotations where the recording has them, else on places.
    """
    body = posed_body(sequence, person)
    rig = body.rig if body.own else sequence.skeleton
    skeleton = contract(rig, rig.joints, trajectory=True, name=rig.name)
    config = REGISTRY[name].config(observed=2, horizon=25)
    transform = MotionTransform(
        representation="expmap" if body.own else "positions",
        root="heading",
        fps=body.fps,
        observed=config.observed,
        horizon=config.horizon,
        mean=((0.0, 0.0, 0.0),) * skeleton.num_joints,
        scale=((1.0, 1.0, 1.0),) * skeleton.num_joints,
    )
    model = build(name, skeleton, config)
    assert isinstance(model, MotionModel)
    return MotionNetwork(model.eval(), name.replace("_", "-"), skeleton, transform, {}, None)


# ---- a person's recording ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PersonWindow:
    """One person's recording at the network's rate, its last frame the recording's last.

    Attributes:
        features: (frames, joints, 3) world features.
        codec: turns features back to motion.
    """

    features: Array
    codec: RotationFeatures | PositionFeatures


def ready(sequence: SkeletonSequence) -> SkeletonSequence:
    """Checked, and short gaps filled; rotations stay where nothing is missing.

    Raises:
        DataError: see :func:`kinegraph.transforms.posed_body.check_motion`.
    """
    check_motion(sequence)
    return sequence if sequence.seen.all() else fill_gaps(sequence, LONGEST_GAP_S)


def last_stay(sequence: SkeletonSequence, person: int) -> tuple[int, int] | None:
    """First frame of somebody's root since it was last away for longer than live gaps last, and the last look at them.

    None if it is still away: motion is told over half a second without it, as live, and begins anew after more.
    """
    assert sequence.fps is not None
    there = np.flatnonzero(sequence.seen[person, :, sequence.skeleton.root])
    last = last_look(sequence.seen[person], sequence.skeleton.root, sequence.fps)
    if last is None:
        return None
    away = LONGEST_GAP_S * sequence.fps + 1e-6
    # the frames of a slow recording follow each other, however far apart they are
    began = np.flatnonzero(np.diff(there) > max(away, 1.5))
    return int(there[began[-1] + 1 if len(began) else 0]), last


def check_rate(sequence: SkeletonSequence, network: MotionNetwork | ClipNetwork) -> None:
    """Refuse a recording so slow that the network's motion is not in it; a network without a rate takes any.

    Raises:
        DataError: it is.
    """
    assert sequence.fps is not None
    rate = network.transform.fps
    if rate is not None and sequence.fps < _SLOWEST * rate:
        raise DataError(
            f"{sequence.source or 'the sequence'} has {sequence.fps:g} frames a second; {network.name} works at "
            f"{rate:g} and needs at least {_SLOWEST * rate:g}. State the right rate (--fps), if this is wrong"
        )


def person_window(sequence: SkeletonSequence, person: int, network: MotionNetwork, floor: float) -> PersonWindow:
    """One person's features on the network's joints and at its rate.

    Args:
        sequence: from :func:`ready`.
        person: which one.
        network: whose features.
        floor: height of the ground under them.

    Raises:
        DataError: the body cannot be made of what is seen.
        SkeletonError: too few of the network's joints.
    """
    one = sequence.select_people([person])
    # posed first: places between two frames are on no rig's bones
    body = posed_body(one).at_rate(network.transform.fps)
    mean = np.array(network.transform.mean)
    codec: RotationFeatures | PositionFeatures
    if network.transform.representation == "expmap":
        codec = RotationFeatures(body, network.skeleton, mean, floor)
    else:
        codec = PositionFeatures(at_rate(one, network.transform.fps), body, network.skeleton, mean, floor)
    if codec.has_trajectory and network.transform.root != "heading":
        raise DataError(f"{network.name}: its skeleton has a '{TRAJECTORY}' and its transform no heading")
    return PersonWindow(codec.encode(), codec)


def what_follows(
    window: PersonWindow, features: Array, rate: float, fps: float, frames: slice
) -> tuple[Array, Array | None]:
    """A network's features as the person's motion, at the recording's rate.

    Args:
        window: the person's.
        features: (1 + frames, joints, 3) the last observed frame and what follows, at the network's rate.
        rate: that rate, Hz.
        fps: the recording's.
        frames: which of the frames at `fps` are asked for; 0 is the last observed one.

    Returns:
        Places (frames, joints, 3) and, where the recording has them, rotations (frames, joints, 4).
    """
    codec, before = window.codec, slice(-1 - _BEFORE, -1)
    if isinstance(codec, RotationFeatures):
        turned = codec.body.rotations[before]
        finer = resample_smoothly(
            codec.pose(features, rate), fps, codec.body.positions(turned, codec.body.root[before]), turned
        )
    else:
        finer = resample_smoothly(codec.pose(features, rate), fps, codec.points[before])
    return codec.finish(finer.slice_frames(frames.start, frames.stop))


def notes_that_hold(notes: tuple[str, ...]) -> list[str]:
    """A recording's notes that are true of what is made of it too: not those about its own estimates and contacts."""
    return [note for note in notes if not note.startswith(_OF_THE_RECORDING)]


def who(sequence: SkeletonSequence, person: int) -> str:
    """``walk.bvh`` or ``walk.bvh, person 2``."""
    name = sequence.source or "the sequence"
    return name if sequence.people == 1 else f"{name}, person {person + 1}"


def left_out(sequence: SkeletonSequence, person: int, error: KinegraphError) -> str:
    """A note on somebody of a recording of whom too little is seen, which is no reason to refuse the others."""
    said = str(error).removeprefix(f"{sequence.source or 'the sequence'}: ")
    return f"{who(sequence, person)} was left out: {said}"
