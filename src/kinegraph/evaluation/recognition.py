"""Recognition on windows: protocol ``cmu-8``, and the fusion of several networks' scores.

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
from kinegraph.evaluation.forecasting import run_label, weights_info
from kinegraph.metrics import class_accuracy, confusion_matrix, top_k
from kinegraph.models.motion_model import MotionModel
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import load_weights

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


@dataclass(frozen=True, kw_only=True, eq=False)
class RecognitionResult:
    """One method under one protocol; percent.

    Attributes:
        top1, top5: unweighted mean over actions of the share of right windows.
        pooled_top1, pooled_top5: over all windows.
        per_class, per_class_top5: action -> share of right windows.
        classes: names of the rows and columns of `confusion`.
        confusion: windows; row the true class, column the predicted one.
        windows: action -> number of windows.
        logits: ``(N, classes)`` of all windows, for fusion and further analysis.
        labels: ``(N,)`` index of the true class.
    """

    protocol: str
    label: str
    top1: float
    top5: float
    pooled_top1: float
    pooled_top5: float
    per_class: dict[str, float]
    per_class_top5: dict[str, float]
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    windows: dict[str, int]
    missing: tuple[str, ...]
    data: dict[str, Any]
    info: dict[str, Any]
    notes: tuple[str, ...]
    logits: Array
    labels: NDArray[np.int64]

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys: the numbers of the printed table, unrounded."""
        return {
            "protocol": self.protocol,
            "model": self.label,
            "unit": "%",
            "top1": self.top1,
            "top5": self.top5,
            "per_class": self.per_class,
            "per_class_top5": self.per_class_top5,
            "pooled_top1": self.pooled_top1,
            "pooled_top5": self.pooled_top5,
            "classes": list(self.classes),
            "confusion": [list(row) for row in self.confusion],
            "windows": self.windows,
            "missing": list(self.missing),
            "data": self.data,
            "info": self.info,
            "notes": list(self.notes),
        }


def load_recognition_method(
    folder: Path | str, label: str | None = None, *, batch: int = 256, device: str = "cpu"
) -> RecognitionMethod:
    """A method from a weights folder.

    Raises:
        FormatError: the folder holds no usable weights.
        ConfigError: weights that lift, or that only forecast.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ConfigError(f"'{folder}' is no weights folder; recognition is learned: give one of kinegraph train")
    weights = load_weights(folder)
    transform, model = weights.transform, weights.model
    if not isinstance(transform, MotionTransform) or not isinstance(model, MotionModel):
        raise ConfigError(
            f"{folder} holds a lifting model ({weights.model_name}); this protocol measures recognition: give weights "
            "of a motion recipe"
        )
    if not transform.actions or not model.classes:
        raise ConfigError(f"{folder} ({weights.model_name}) only forecasts; this protocol measures recognition")
    model.eval().to(device)

    @torch.no_grad()
    def logits(features: Array) -> Array:
        encoded = torch.from_numpy(transform.encode(features))
        parts = [model(encoded[at : at + batch].to(device), 0).logits for at in range(0, len(encoded), batch)]
        return np.asarray(torch.cat(parts).to("cpu", torch.float64).numpy())

    return RecognitionMethod(
        label=label or run_label(folder),
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
        frames = starts[:, None] + np.arange(first, first + method.observed)
        answer = method.logits(np.ascontiguousarray(clip.features[frames][:, :, places]))
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
    return _count(
        protocol,
        method.label,
        np.concatenate(logits),
        np.concatenate(labels).astype(np.int64),
        method.actions,
        counts,
        missing,
        {"name": data.name, "split": split, "fingerprint": data.fingerprint},
        method.info,
        tuple(remarks),
    )


def fuse(results: Sequence[RecognitionResult], weights: Sequence[float]) -> RecognitionResult:
    """The weighted sum of several networks' logits (Sym-GNN 5.5: joints and bones), measured on the same windows.

    Raises:
        ConfigError: not one finite non-negative weight for each, or none above 0.
        DataError: other protocols, classes or windows.
    """
    if len(weights) != len(results) or len(results) < 2:
        raise ConfigError(f"{len(weights)} weights for {len(results)} models; expected one each, of two models or more")
    if not all(np.isfinite(w) and w >= 0 for w in weights) or not any(w > 0 for w in weights):
        raise ConfigError(f"weights {list(weights)}: expected numbers of 0 or more, one of them above 0")
    first = results[0]
    for other in results[1:]:
        same = (
            other.protocol == first.protocol
            and other.classes == first.classes
            and np.array_equal(other.labels, first.labels)
            and other.data.get("split") == first.data.get("split")
        )
        if not same:
            raise DataError(f"{first.label} and {other.label} differ in protocol, classes or windows; they do not fuse")
    total = np.sum([w * r.logits for w, r in zip(weights, results, strict=True)], axis=0)
    stated = " + ".join(f"{w:g} x {r.label}" for w, r in zip(weights, results, strict=True))
    return _count(
        first.protocol,
        stated,
        total,
        first.labels,
        first.classes,
        first.windows,
        first.missing,
        first.data,
        {"fused": [{"weight": w, "label": r.label, "info": r.info} for w, r in zip(weights, results, strict=True)]},
        (*first.notes, f"logits fused by weighted sum: {stated}"),
    )


def _count(
    protocol: str,
    label: str,
    logits: Array,
    labels: NDArray[np.int64],
    classes: tuple[str, ...],
    windows: dict[str, int],
    missing: tuple[str, ...],
    data: dict[str, Any],
    info: dict[str, Any],
    notes: tuple[str, ...],
) -> RecognitionResult:
    scores, truth = torch.from_numpy(logits), torch.from_numpy(labels)
    shares, pooled = [], []
    for k in (1, 5):
        right = top_k(scores, truth, k)
        each = 100.0 * class_accuracy(right, truth, len(classes))
        shares.append({action: float(each[classes.index(action)]) for action in windows})
        pooled.append(100.0 * float(right.to(torch.float64).mean()))
    confusion = confusion_matrix(scores.argmax(dim=1), truth, len(classes))
    return RecognitionResult(
        protocol=protocol,
        label=label,
        top1=sum(shares[0].values()) / len(shares[0]),
        top5=sum(shares[1].values()) / len(shares[1]),
        pooled_top1=pooled[0],
        pooled_top5=pooled[1],
        per_class=shares[0],
        per_class_top5=shares[1],
        classes=classes,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        windows=windows,
        missing=missing,
        data=data,
        info=info,
        notes=notes,
        logits=logits,
        labels=labels,
    )
