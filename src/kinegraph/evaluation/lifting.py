"""The lifting protocols, and the result that says under which of them a number was had.

``h36m-pixel``, and any protocol with target ``pixel``: LCN's and HCSF's error, in absolute camera space without
root alignment, with the *true* root depth and intrinsics granted. ``h36m-metric`` and target ``metric``:
VideoPose3D's and SemGCN's error of root-relative metres, nothing granted. ``3dhp``: PCK and AUC, metric. Numbers of
the two targets are never set side by side: :func:`kinegraph.evaluation.tables.lifting_comparison` refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.seen_clips import marks_in
from kinegraph.errors import ConfigError, DataError, nearest
from kinegraph.evaluation.predict import LiftingMethod, pace_in, predict
from kinegraph.metrics import action_mean, auc, joint_errors, mpjpe, n_mpjpe, pa_mpjpe, pck, velocity_error

Array = NDArray[np.float64]
Target = Literal["pixel", "metric"]

LIFTING_PROTOCOLS: dict[str, tuple[str, tuple[Target, ...]]] = {
    "synthetic-lifting": ("embedded synthetic data, held-out subjects", ("pixel", "metric")),
    "mocap-lifting": ("HDM05 subjects mm and tr, trained on other HDM05 subjects and CMU", ("pixel", "metric")),
    "mocap-folder": ("your own recordings, as `data prepare mocap-folder` split them", ("pixel", "metric")),
    "h36m-pixel": ("Human3.6M S9, S11 in pixel space (LCN, HCSF)", ("pixel",)),
    "h36m-metric": ("Human3.6M S9, S11 in root-relative metres (VideoPose3D, SemGCN)", ("metric",)),
    "3dhp": ("MPI-INF-3DHP test set: PCK and AUC of 14 joints", ("metric",)),
}
"""Name -> what it is, and the targets it allows."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiftingResult:
    """One method under one protocol. Errors in millimetres.

    Attributes:
        protocol: one of :data:`LIFTING_PROTOCOLS`.
        label: the method.
        target: ``"pixel"`` (absolute camera space) or ``"metric"`` (root-relative).
        input: ``"exact"``, or which noise or detector.
        split: of the data.
        data: name, fingerprint and size of the data.
        flip_test: whether the mirrored input's answer was averaged in.
        mpjpe_mm: mean over the poses of each action, then the unweighted mean over actions (3dhp: over poses).
        pa_mpjpe_mm: the same after similarity Procrustes of each pose.
        n_mpjpe_mm: the same after scaling each pose; metric only.
        mpjve_mm: velocity error, mm per frame, mean over all consecutive frames.
        pck: percent within 150 mm; 3dhp only.
        auc: area under the PCK curve, percent; 3dhp only.
        per_action: metric name -> action -> value.
        per_subject: subject -> mean MPJPE over all poses of that body, millimetres.
        errors_mm: (N,) MPJPE of each pose, for the analysis of hard poses.
        info: seed, checkpoint choice, parameters, ... of the method.
        notes: what else to know beside the number.
    """

    protocol: str
    label: str
    target: Target
    input: str
    split: str
    data: dict[str, Any]
    flip_test: bool
    mpjpe_mm: float
    pa_mpjpe_mm: float
    n_mpjpe_mm: float | None
    mpjve_mm: float | None
    pck: float | None
    auc: float | None
    per_action: dict[str, dict[str, float]]
    per_subject: dict[str, float]
    errors_mm: Array
    info: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys: the numbers of the printed table, unrounded."""
        pixel = self.target == "pixel"
        content: dict[str, Any] = {
            "protocol": self.protocol,
            "model": self.label,
            "target": self.target,
            "input": self.input,
            "split": self.split,
            "unit": "mm",
            "mpjpe_mm": self.mpjpe_mm,
            "pa_mpjpe_mm": self.pa_mpjpe_mm,
        }
        if not pixel:
            content["n_mpjpe_mm"] = self.n_mpjpe_mm
        if self.pck is not None:
            content |= {"pck": self.pck, "auc": self.auc}
        return content | {
            "mpjve_mm_per_frame": self.mpjve_mm,
            "per_action": self.per_action["mpjpe_mm"],
            "per_action_metrics": self.per_action,
            "per_subject": self.per_subject,
            "flip_test": self.flip_test,
            "uses_true_root_depth": pixel,
            "uses_true_intrinsics": pixel,
            "data": self.data,
            "info": self.info,
            "notes": list(self.notes),
        }


def load_lifting_protocol(
    protocol: str,
    source: Path | str | None = None,
    *,
    input: str = "exact",
    split: str = "test",
    extra: Sequence[Path | str] = (),
    drop_s11_directions: bool = True,
) -> LiftingData:
    """The data of a protocol.

    Args:
        protocol: one of :data:`LIFTING_PROTOCOLS`.
        source: folder of its files; not for ``synthetic-lifting``.
        input: ``"exact"``; ``"noisy"`` (synthetic and mocap); for Human3.6M also a detector's name, which reads
            ``data_2d_h36m_<name>.npz``.
        split: ``"test"``, or another of the benchmark's.
        extra: further CMU folders (``mocap-lifting``; they change train and val only).
        drop_s11_directions: see :func:`kinegraph.datasets.h36m.load`.

    Raises:
        ConfigError: unknown protocol, or a choice it does not have.
    """
    if protocol not in LIFTING_PROTOCOLS:
        raise ConfigError(
            f"unknown protocol '{protocol}'{nearest(protocol, LIFTING_PROTOCOLS)}; {', '.join(LIFTING_PROTOCOLS)}"
        )
    if protocol == "synthetic-lifting":
        from kinegraph.datasets import synthetic

        data = synthetic.load(split)
    elif source is None:
        raise ConfigError(f"protocol {protocol} needs the folder of its files: --data DIR")
    elif protocol == "mocap-lifting":
        from kinegraph.datasets import mocap_lifting

        data = mocap_lifting.load(source, extra)[split]
    elif protocol == "mocap-folder":
        from kinegraph.datasets import mocap_folder

        data = mocap_folder.load(source)[split]
    elif protocol == "3dhp":
        from kinegraph.datasets import mpi_inf_3dhp

        if split != "test" or input != "exact":
            raise ConfigError("3dhp has one split, test, and one input, exact (its annotated 2D)")
        return mpi_inf_3dhp.load(source)
    else:
        from kinegraph.datasets import h36m

        if split not in ("train", "test"):
            raise ConfigError(f"{protocol} has the splits train and test, not '{split}'")
        detector = None if input in ("exact", "noisy") else input
        data = h36m.load(
            source,
            "train" if split == "train" else "test",
            keypoints=detector,
            drop_s11_directions=drop_s11_directions,
        )
        if detector is not None:
            return data
    if input not in ("exact", "noisy"):
        raise ConfigError(f"{protocol} has the inputs exact and noisy, not '{input}'")
    if input == "noisy":
        from kinegraph.datasets.noisy import with_detector_noise

        data = with_detector_noise(data)
    return data


def evaluate_lifting(
    method: LiftingMethod,
    data: LiftingData,
    protocol: str,
    *,
    input: str = "exact",
    split: str = "test",
    target: Target | None = None,
    flip_test: bool = True,
    batch: int = 2048,
    device: str = "cpu",
    notes: Sequence[str] = (),
) -> LiftingResult:
    """Lift the data and measure.

    Args:
        method: from :func:`kinegraph.evaluation.predict.load_lifting_method`.
        data: from :func:`load_lifting_protocol`, with the same ``protocol``, ``input`` and ``split``.
        target: what the caller expects; None takes the method's own.
        flip_test, batch, device: see :func:`kinegraph.evaluation.predict.predict`.
        notes: added to the result's own.

    Raises:
        ConfigError: the method answers in another target than the protocol or the caller wants.
    """
    predicted, truth = answers(method, data, protocol, target=target, flip_test=flip_test, batch=batch, device=device)
    if method.frames > 1 and (pace := pace_in(method, data)) != method.step:
        notes = (*notes, f"windows at the pace of training: every {pace:.3g} frames of these {data.fps:g} a second")
    if method.frames > 1 and method.rate and protocol == "3dhp":
        notes = (*notes, f"the file states no frame rate: {data.fps:g} a second assumed, which the windows depend on")
    if method.input is not None and method.input != input:
        trained = f"{method.input} 2D" + " with noise added (augment.noise)" * method.noise
        notes = (*notes, f"{method.label} was trained on {trained} and is measured on {input} 2D")
    if protocol == "mocap-folder":
        notes = (*notes, *_leaks(method, data, split))
    return measure_lifting(
        predicted,
        truth,
        data,
        protocol,
        target=method.transform.target,
        label=method.label,
        input=input,
        split=split,
        flip_test=flip_test,
        info=method.info,
        notes=notes,
    )


def _leaks(method: LiftingMethod, data: LiftingData, split: str) -> list[str]:
    """A remark where recordings of one's own that test or validate were trained on, as far as it can be known."""
    from kinegraph.datasets.mocap_folder import recording_names

    trained = str((method.info.get("trained_on") or {}).get("name", ""))
    if split == "train" or not (method.seen or trained.startswith("mocap-folder/")):
        return []
    if not method.seen:
        return [f"{method.label} does not say which recordings trained it: these may be among them"]
    names = recording_names(data)
    both = sum(marks_in(method.seen if split == "test" else method.trained, names))
    if not both:
        return []
    return [f"{both} of these {len(names)} recordings trained these weights (by their names): no test of anything"]


def answers(
    method: LiftingMethod,
    data: LiftingData,
    protocol: str,
    *,
    target: Target | None = None,
    flip_test: bool = True,
    batch: int = 2048,
    device: str = "cpu",
) -> tuple[Array, Array]:
    """A method's poses and the true ones, ``(N, J, 3)`` metres each: what :func:`evaluate_lifting` compares.

    Both absolute in camera space (pixel) or root-relative (metric).

    Raises:
        ConfigError: the method answers in another target than the protocol or the caller wants.
        DataError: it answers something that is not finite.
    """
    own: Target = method.transform.target
    allowed = LIFTING_PROTOCOLS[protocol][1] if protocol in LIFTING_PROTOCOLS else ()
    if own not in allowed or (target is not None and target != own):
        wanted = target or " or ".join(allowed) or "nothing"
        raise ConfigError(
            f"{method.label} was trained for target '{own}', {protocol} is asked for '{wanted}'; the two are not "
            "comparable: choose weights of that target"
        )
    predicted = predict(method, data, flip_test=flip_test, batch=batch, device=device)
    failed = np.flatnonzero(~np.isfinite(predicted).all(axis=(1, 2)))
    if len(failed):
        action = data.action_names[data.action[failed[0]]]
        raise DataError(
            f"{method.label} answered NaN or infinite values for {len(failed)} of {len(data)} poses, the first of "
            f"'{action}'; its weights or its input are damaged"
        )
    truth = data.camera_m.astype(np.float64)
    if own == "metric":
        truth = truth - truth[:, data.root : data.root + 1]
    return predicted, truth


def measure_lifting(
    predicted: Array,
    truth: Array,
    data: LiftingData,
    protocol: str,
    *,
    target: Target,
    label: str,
    input: str = "exact",
    split: str = "test",
    flip_test: bool = False,
    info: dict[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> LiftingResult:
    """Errors of predicted poses (N, J, 3) metres against the truth, both absolute (pixel) or root-relative (metric)."""
    p, t = 1000.0 * torch.from_numpy(predicted), 1000.0 * torch.from_numpy(truth)
    action = torch.from_numpy(data.action.astype(np.int64))
    values = {"mpjpe_mm": mpjpe(p, t), "pa_mpjpe_mm": pa_mpjpe(p, t)}
    if target == "metric":
        values["n_mpjpe_mm"] = n_mpjpe(p, t)
    if protocol == "3dhp":
        from kinegraph.datasets.mpi_inf_3dhp import scored_joints

        joints = scored_joints(data.skeleton)
        errors = joint_errors(p, t)
        values |= {"pck": pck(errors, joints=joints), "auc": auc(errors, joints=joints)}
    averages: dict[str, float] = {}
    per_action: dict[str, dict[str, float]] = {}
    for key, per_pose in values.items():
        averages[key], per_action[key] = action_mean(per_pose, action, data.action_names)
        if protocol == "3dhp":  # its figures are over all valid frames, not over sequences
            averages[key] = float(per_pose.mean())
    remarks = list(notes)
    if target == "pixel":
        remarks.insert(0, "absolute camera space; uses the TRUE root depth and intrinsics of every pose")
    else:
        remarks.insert(0, "root-relative; body size and distance are not given to the method")
    return LiftingResult(
        protocol=protocol,
        label=label,
        target=target,
        input=input,
        split=split,
        data={"name": data.name, "fingerprint": data.fingerprint, "poses": len(data)},
        flip_test=flip_test,
        mpjpe_mm=averages["mpjpe_mm"],
        pa_mpjpe_mm=averages["pa_mpjpe_mm"],
        n_mpjpe_mm=averages.get("n_mpjpe_mm"),
        mpjve_mm=_velocity(p, t, data),
        pck=averages.get("pck"),
        auc=averages.get("auc"),
        per_action=per_action,
        per_subject=_by_subject(values["mpjpe_mm"], data),
        errors_mm=values["mpjpe_mm"].numpy(),
        info=dict(info or {}),
        notes=tuple(remarks),
    )


def _by_subject(per_pose: torch.Tensor, data: LiftingData) -> dict[str, float]:
    subject = torch.from_numpy(data.subject.astype(np.int64))
    present = sorted(set(data.subject.tolist()))
    return {data.subject_names[one]: float(per_pose[subject == one].mean()) for one in present}


def _velocity(p: torch.Tensor, t: torch.Tensor, data: LiftingData) -> float | None:
    """Mean velocity error over neighbouring frames of the same clip; None where every clip is one frame."""
    same = torch.from_numpy(data.clip[1:] == data.clip[:-1])
    if not bool(same.any()):
        return None
    return float(velocity_error(p, t)[same].mean())  # of neighbours that are of two clips it means nothing
