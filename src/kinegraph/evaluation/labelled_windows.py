"""Windows of motion with their action, for analyses of what a network makes of each action; and bodies to draw on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.evenly import evenly_spaced
from kinegraph.datasets.motion_data import MotionData
from kinegraph.errors import ConfigError, DataError, SkeletonError, nearest
from kinegraph.evaluation.provenance import ntu_benchmark
from kinegraph.formats.motion.expmap_text import rest_offsets
from kinegraph.geometry.expmap_euler import file_expmap_to_quaternion
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import LoadedWeights

__all__ = ["RIGS", "LabelledWindows", "body_positions", "load_labelled_windows"]

Array = NDArray[np.float64]

RIGS = {"cmu-8": "cmu38", "h36m-angles": "h36m32", "ntu-forecasting": None}
"""Dataset -> the rig its exponential maps turn; None where it holds positions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledWindows:
    """Windows of a data set's clips as one network wants them.

    Attributes:
        features: (N, observed, joints, 3) raw, on the network's joints.
        labels: (N,) index into `actions`.
        actions: names of the actions that have windows.
        skeleton: of the features.
        representation: expmap or positions.
        rig: layout that exponential maps turn; None for positions.
        data: name, split, fingerprint.
    """

    features: Array
    labels: NDArray[np.int64]
    actions: tuple[str, ...]
    skeleton: Skeleton
    representation: str
    rig: str | None
    data: dict[str, Any]

    def of(self, action: str) -> Array:
        """The windows of one action, (windows, observed, joints, 3).

        Raises:
            ConfigError: there are none of that name.
        """
        if action not in self.actions:
            raise ConfigError(
                f"no windows of action '{action}'{nearest(action, self.actions)} (there are: {', '.join(self.actions)})"
            )
        chosen: Array = self.features[self.labels == self.actions.index(action)]
        return chosen


def load_labelled_windows(
    weights: LoadedWeights,
    dataset: str,
    source: Path | str | None,
    *,
    split: str = "test",
    most: int = 64,
) -> LabelledWindows:
    """Windows of a data set for one network: of every action up to `most`, evenly spaced over its clips.

    Args:
        weights: of a motion network.
        dataset: one of :data:`RIGS`.
        source: folder of its files.
        split: ``test``, or another split of that data set.
        most: windows per action.

    Raises:
        ConfigError: no motion network, unknown data set, or one of another rate or representation.
        SkeletonError: the network has a joint that the data do not have.
        DataError: no clip is long enough.
    """
    transform = weights.transform
    if not isinstance(transform, MotionTransform):
        raise ConfigError(f"{weights.folder} holds {weights.kind} ({weights.model_name}); give a motion network")
    if transform.root != "none":
        raise ConfigError(f"{weights.folder} was trained on recordings with the body's path; {dataset} leaves it out")
    if most < 1:
        raise ConfigError(f"{most} windows an action: expected 1 or more")
    data = _load(dataset, source, split, transform.representation, ntu_benchmark(weights))
    if data.representation != transform.representation or abs(data.fps - transform.fps) > 1e-6:
        raise ConfigError(
            f"{weights.folder} works on {transform.representation} at {transform.fps:g} fps; {dataset} has "
            f"{data.representation} at {data.fps:g}"
        )
    unknown = [joint for joint in weights.skeleton.joints if joint not in data.skeleton.joints]
    if unknown:
        raise SkeletonError(f"{weights.folder} needs joint '{unknown[0]}', which {dataset} does not have")
    joints = [data.skeleton.index(joint) for joint in weights.skeleton.joints]
    rows = data.windows(transform.observed)
    action_of = np.array([data.clips[clip].action for clip, _ in rows], dtype=np.int64)
    features: list[Array] = []
    labels: list[int] = []
    names: list[str] = []
    for action, name in enumerate(data.actions):
        own = rows[action_of == action]
        if not len(own):
            continue
        own = evenly_spaced(own, most)
        features += [data.clips[clip].features[start : start + transform.observed, joints] for clip, start in own]
        labels += [len(names)] * len(own)
        names.append(name)
    if not features:
        raise DataError(f"{source}: no clip of {dataset} ({split}) has {transform.observed} frames")
    return LabelledWindows(
        features=np.stack(features),
        labels=np.array(labels, dtype=np.int64),
        actions=tuple(names),
        skeleton=weights.skeleton,
        representation=transform.representation,
        rig=RIGS[dataset],
        data={"name": data.name, "split": split, "fingerprint": data.fingerprint},
    )


def _load(
    dataset: str, source: Path | str | None, split: str, representation: str, benchmark: str | None
) -> MotionData:
    if dataset not in RIGS:
        raise ConfigError(f"no data set '{dataset}'{nearest(dataset, RIGS)} for this (there are: {', '.join(RIGS)})")
    if source is None:
        raise ConfigError(f"{dataset} needs the folder of its files: --data DIR")
    if dataset == "cmu-8":
        from kinegraph.datasets import cmu_actions

        return cmu_actions.load(source, split, "positions" if representation == "positions" else "expmap")
    if dataset == "h36m-angles":
        from kinegraph.datasets import h36m_angles

        return h36m_angles.load(source, split)
    from kinegraph.datasets import ntu_forecasting

    return ntu_forecasting.load(source, split, benchmark=benchmark or "xsub", progress=True).data


def body_positions(features: Array, skeleton: Skeleton, rig: str | None) -> tuple[Array, Skeleton]:
    """Joint positions (..., joints, 3) in metres of raw features, and the skeleton they are on.

    Exponential maps turn the bones of their rig, joints that the network does not have stay at rest, the root stands
    at the origin, unturned; positions are positions.

    Args:
        features: (..., joints, 3) raw.
        skeleton: of the features.
        rig: layout of the rig, or None for positions.
    """
    if rig is None:
        return np.asarray(features, np.float64), skeleton
    whole = get_skeleton(rig)
    turns = np.zeros((*features.shape[:-2], whole.num_joints, 3))
    turns[..., [whole.index(joint) for joint in skeleton.joints], :] = features
    turns[..., whole.root, :] = 0.0
    flat = file_expmap_to_quaternion(turns.reshape(-1, whole.num_joints, 3))
    positions = forward_kinematics(whole.parents, flat, rest_offsets(rig))[0]
    return np.asarray(positions.reshape(turns.shape)), whole
