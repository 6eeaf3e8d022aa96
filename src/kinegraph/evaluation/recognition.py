"""Recognition on windows: protocol ``cmu-8`` with networks that look at windows of motion.

Every stride-1 window of 50 frames (at 60 fps) of each complete action's test clip is classified. The accuracy of an
action is over its windows; the headline is the unweighted mean over actions, since the clips differ tenfold in
length. The pooled accuracy, over all windows, stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError, DataError, SkeletonError, nearest
from kinegraph.evaluation.methods import named_weights
from kinegraph.evaluation.provenance import weights_info
from kinegraph.evaluation.recognition_result import RecognitionResult, count_scores, fuse
from kinegraph.models.motion_model import MotionModel
from kinegraph.transforms.motion import MotionTransform

__all__ = [
    "RECOGNITION_PROTOCOLS",
    "RecognitionMethod",
    "RecognitionResult",
    "evaluate_recognition",
    "fuse",
    "load_recognition_method",
]

Array = NDArray[np.float64]

RECOGNITION_PROTOCOLS = {"cmu-8": "CMU Mocap actions, windows of the complete actions' test clips"}
"""Name -> what it is."""
LENGTH = 50


@dataclass(frozen=True, kw_only=True)
class RecognitionMethod:
    """Something that tells actions apart, and what is known about it.

    Attributes:
        label: its name in tables.
        logits: raw features ``(N, observed, J, 3)`` -> ``(N, classes)``.
        joints: names of the features' joints.
        representation: ``"expmap"`` or ``"positions"``.
        observed: frames it looks at.
        fps: frame rate it was trained at.
        actions: the classes, in the order of the logits.
        info: seed, checkpoint choice, parameters, ...: printed and saved with every number.
    """

    label: str
    logits: Callable[[Array], Array]
    joints: tuple[str, ...]
    representation: str
    observed: int
    fps: float
    actions: tuple[str, ...]
    info: dict[str, Any] = field(default_factory=dict)


def load_recognition_method(
    folder: Path | str, label: str | None = None, *, batch: int = 256, device: str = "cpu"
) -> RecognitionMethod:
    """A method from weights by name.

    Raises:
        ConfigError: weights that only forecast.
        KinegraphError: as of :func:`kinegraph.evaluation.methods.named_weights`.
    """
    weights, label = named_weights(folder, "recognition", label)
    transform, model = weights.transform, weights.model
    assert isinstance(transform, MotionTransform)  # of the task, and so the model
    assert isinstance(model, MotionModel)
    if not transform.actions or not model.classes:
        raise ConfigError(f"{folder} ({weights.model_name}) only forecasts; this protocol measures recognition")
    model.eval().to(device)

    @torch.no_grad()
    def logits(features: Array) -> Array:
        encoded = torch.from_numpy(transform.encode(features))
        parts = [model(encoded[at : at + batch].to(device), 0).logits for at in range(0, len(encoded), batch)]
        return np.asarray(torch.cat(parts).to("cpu", torch.float64).numpy())

    return RecognitionMethod(
        label=label,
        logits=logits,
        joints=weights.skeleton.joints,
        representation=transform.representation,
        observed=transform.observed,
        fps=transform.fps,
        actions=transform.actions,
        info=weights_info(weights),
    )


def evaluate_recognition(
    method: RecognitionMethod,
    protocol: str,
    source: Path | str | None,
    *,
    split: str = "test",
    early: bool = False,
    stride: int = 1,
    disturb: Callable[[Array], Array] | None = None,
    notes: Sequence[str] = (),
) -> RecognitionResult:
    """Classify every window and count.

    Args:
        method: from :func:`load_recognition_method`.
        protocol: one of :data:`RECOGNITION_PROTOCOLS`.
        source: folder of its files.
        split: ``"test"``, or ``"val"``: the clips held out of train.
        early: a method of shorter windows sees the beginning of the protocol's, in place of their end.
        stride: 1 is the protocol; more measures on every so many-th window of a clip, and the result says so.
        disturb: what is done to a clip's windows ``(N, 50, J, 3)``, whole and on the protocol's joints, before the
            method's share of them is taken.
        notes: added to the result's own.

    Raises:
        ConfigError: unknown protocol or split, a stride below 1, another frame rate, windows longer than there are.
        SkeletonError: the method has a joint that the protocol does not have.
        DataError: the files are not there; an action the method has no class for; logits that are not finite.
    """
    if protocol not in RECOGNITION_PROTOCOLS:
        raise ConfigError(f"unknown protocol '{protocol}'{nearest(protocol, RECOGNITION_PROTOCOLS)}")
    if source is None:
        raise ConfigError(f"protocol {protocol} needs the folder of its files: --data DIR")
    if split not in ("test", "val"):
        raise ConfigError(f"{protocol} is measured on split test or val, not '{split}'")
    if stride < 1:
        raise ConfigError(f"stride {stride}: expected 1 or more windows")
    if method.observed > LENGTH:
        raise ConfigError(f"{method.label} looks at {method.observed} frames, {protocol} gives {LENGTH}")
    if abs(method.fps - cmu_actions.FPS) > 1e-6:
        raise ConfigError(f"{method.label} was trained at {method.fps:g} fps, {protocol} is at {cmu_actions.FPS:g}")
    representation: cmu_actions.Representation = "positions" if method.representation == "positions" else "expmap"
    data = cmu_actions.load(source, split, representation, actions=cmu_actions.COMPLETE)
    unknown = [joint for joint in method.joints if joint not in data.skeleton.joints]
    if unknown:
        raise SkeletonError(
            f"{method.label} needs joint '{unknown[0]}', which {protocol} does not give; choose weights trained on it"
        )
    places = [data.skeleton.index(joint) for joint in method.joints]
    logits, labels, counts = [], [], {}
    for clip in data.clips:
        action = data.actions[clip.action]
        if action not in method.actions:
            raise DataError(f"{method.label} has no class '{action}' (it knows {', '.join(method.actions)})")
        starts = np.arange(0, len(clip.features) - LENGTH + 1, stride)
        if not len(starts):
            continue
        first = 0 if early else LENGTH - method.observed
        windows = clip.features[starts[:, None] + np.arange(LENGTH)]
        if disturb is not None:
            windows = disturb(windows)
        answer = method.logits(np.ascontiguousarray(windows[:, first : first + method.observed, places]))
        if answer.shape != (len(starts), len(method.actions)) or not np.isfinite(answer).all():
            raise DataError(f"{method.label} answered {answer.shape} or values that are not finite")
        logits.append(answer)
        labels.append(np.full(len(starts), method.actions.index(action)))
        counts[action] = len(starts)
    if not logits:
        raise DataError(f"{source}: no clip of {LENGTH} frames or more")
    missing = tuple(action for action in cmu_actions.ACTIONS if action not in counts)
    remarks = [f"the complete actions only; left out: {', '.join(missing)}", *notes]
    if split == "val":
        remarks.append("validation clips (number 4 of each action of train), not the test set")
    if stride > 1:
        remarks.append(f"every {stride}th window only, for speed: not the protocol's number")
    if method.observed < LENGTH:
        remarks.append(f"{method.label} sees the {'first' if early else 'last'} {method.observed} of {LENGTH} frames")
    return count_scores(
        np.concatenate(logits),
        np.concatenate(labels).astype(np.int64),
        method.actions,
        protocol=protocol,
        label=method.label,
        of="windows",
        data={"name": data.name, "split": split, "fingerprint": data.fingerprint},
        info=method.info,
        missing=missing,
        notes=remarks,
    )
