"""Calibrate a lifter: its whole way from noisy keypoints to 3D on recordings it did not learn from.

Subjects are few and bodies many: the clips are used as if other people had moved so, with other limbs and with joints a
little elsewhere, so that the estimate holds for people and joint conventions unlike those on which it was fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.errors import DataError
from kinegraph.geometry.cameras import project
from kinegraph.inference.error_model import QUANTILES, Calibration, ErrorTable
from kinegraph.inference.lift_features import LIFT_FEATURES
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.options import LiftOptions
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.transforms.body_variation import trunk_frames, with_bones
from kinegraph.transforms.detector_noise import DetectorNoise

__all__ = ["STILL_EVERY", "MeasuredErrors", "calibrate_lifter", "coverage", "lift_errors"]

Floats = NDArray[np.float64]

#: what detectors do to keypoints, from nothing to half of the joints gone; each clip meets one of them
NOISES = (
    DetectorNoise(sigma_px=0.0, drop=0.0),
    DetectorNoise(sigma_px=5.0, drop=0.05),
    DetectorNoise(sigma_px=4.0, drop=0.03, outlier=0.02, swap=0.01, correlation=0.8, fading=0.1),
    DetectorNoise(sigma_px=5.0, drop=0.2, correlation=0.9),
    DetectorNoise(sigma_px=8.0, drop=0.4, correlation=0.95),
    DetectorNoise(sigma_px=5.0, drop=0.05, cut=0.6, correlation=0.9),
)
_SPAN_S = 1.5
STILL_EVERY = 10
"""Of single pictures a sixth of a second apart one is as good as ten."""
_BODY = 0.08  # standard deviation of the logarithm of limb lengths, and of the whole body's
#: standard deviation per axis of where rigs and annotators put a joint, metres
_RIG_TRUNK_M, _RIG_LIMB_M = 0.035, 0.016


@dataclass(frozen=True, kw_only=True)
class MeasuredErrors:
    """What a network did on recordings with the truth. N poses, J joints.

    Attributes:
        features: ``(N, J, features)``.
        errors: ``(N, J)`` metres, NaN where there is none.
        subject: ``(N,)`` names.
        joints: J names.
    """

    features: Floats
    errors: Floats
    subject: NDArray[np.str_]
    joints: tuple[str, ...]


def lift_errors(
    lifter: Lifter,
    data: LiftingData,
    *,
    flip: bool = True,
    poses: int = 8000,
    bodies: bool = False,
    stills: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> MeasuredErrors:
    """Lift parts of clips, evenly taken from all subjects, under all kinds of detector noise.

    Args:
        lifter: what is measured.
        data: recordings with the truth.
        flip: with the flip test.
        poses: about how many in all.
        bodies: every part as if by another body.
        stills: every pose as a single picture; of each part, one pose in :data:`STILL_EVERY`.
        seed: of noise and bodies.
        progress: called with (parts done, parts in all).

    Raises:
        DataError: data on another skeleton than the network, or of which nothing could be lifted.
    """
    if data.skeleton.joints != lifter.skeleton.joints:
        raise DataError(f"{data.name} is on {data.skeleton.name}, the network on {lifter.skeleton.name}; expected one")
    options = LiftOptions(flip=flip, root="relative")
    parts = list(_parts(data, poses))
    found: list[tuple[Floats, Floats, str]] = []
    root = data.root
    for index, rows in enumerate(parts):
        rng = np.random.default_rng([seed, index])
        truth = data.camera_m[rows].astype(np.float64)
        keypoints, seen = data.keypoints_px[rows].astype(np.float64), data.confidence[rows].astype(np.float64)
        if bodies:
            truth = another_body(truth, data.skeleton, rng)
            keypoints, seen = project(truth, data.intrinsics[rows[0]].astype(np.float64)), np.ones(truth.shape[:2])
        noisy, confidence = NOISES[index % len(NOISES)].apply(keypoints, seen, rng, skeleton=data.skeleton)
        width, height = (int(v) for v in data.image_size[rows[0]])
        recording = SkeletonSequence(
            positions=noisy,
            skeleton=data.skeleton,
            fps=data.fps,
            unit="px",
            space="image",
            confidence=confidence,
            image_size=(width, height),
            source=data.clip_names[data.clip[rows[0]]],
        )
        pictures = range(0, len(rows), STILL_EVERY)
        for start, stop in [(t, t + 1) for t in pictures] if stills else [(0, len(rows))]:
            try:
                lifted, features = lifter.lift_with_features(recording.slice_frames(start, stop), options)
            except DataError:
                continue  # too little of the body was left
            exact = truth[start:stop]
            error = np.linalg.norm(lifted.positions[0] - (exact - exact[:, root, None]), axis=-1)
            error[:, root] = np.nan  # zero by definition
            found.append((features[0], error, data.subject_names[data.subject[rows[0]]]))
        if progress is not None:
            progress(index + 1, len(parts))
    if not found:
        raise DataError(f"{data.name}: nothing could be lifted")
    return MeasuredErrors(
        features=np.concatenate([part[0] for part in found]),
        errors=np.concatenate([part[1] for part in found]),
        subject=np.concatenate([np.full(len(part[1]), part[2]) for part in found]),
        joints=data.skeleton.joints,
    )


def _parts(data: LiftingData, poses: int) -> Iterator[NDArray[np.int64]]:
    """Rows of parts of clips, as many of every subject."""
    span = max(8, round(_SPAN_S * data.fps))
    by_subject: dict[int, list[NDArray[np.int64]]] = {}
    edges = np.flatnonzero(np.diff(data.clip, prepend=-1))
    for start, stop in zip(edges, [*edges[1:], len(data)], strict=True):
        for first in range(int(start), max(int(start) + 1, int(stop) - span // 2), span):
            rows = np.arange(first, min(first + span, int(stop)))
            by_subject.setdefault(int(data.subject[start]), []).append(rows)
    each = max(1, round(poses / span / len(by_subject)))
    for parts in by_subject.values():
        # Strides through all clips: neighbouring parts and the cameras of one clip are much alike.
        chosen = np.unique(np.linspace(0, len(parts) - 1, min(each, len(parts))).astype(int))
        for place in chosen:
            yield parts[place]


def another_body(camera_m: Floats, skeleton: Skeleton, rng: np.random.Generator) -> Floats:
    """The same motion ``(frames, joints, 3)`` by somebody else, the root unmoved.

    Limbs are longer or shorter, left and right alike, and every joint but the root lies a little elsewhere in the
    body, where another rig or another annotator would put it: fixed in a frame of hips and trunk.
    """
    factor = np.exp(rng.normal(0, _BODY, skeleton.num_joints) + rng.normal(0, _BODY))
    shift = rng.normal(0, 1, (skeleton.num_joints, 3))
    trunk = {name for part in ("head", "torso") for name in skeleton.parts.get(part, ())}
    trunk |= {name for name in skeleton.joints if "shoulder" in name}
    shift *= np.array([_RIG_TRUNK_M if name in trunk else _RIG_LIMB_M for name in skeleton.joints])[:, None]
    shift[skeleton.root] = 0.0
    for left, right in skeleton.pairs:
        a, b = skeleton.index(left), skeleton.index(right)
        factor[a], shift[a] = factor[b], shift[b] * [-1, 1, 1]
    result = with_bones(camera_m, factor, skeleton)
    result += np.einsum("fki,jk->fji", trunk_frames(camera_m, skeleton), shift)
    return result


def coverage(table: ErrorTable, measured: MeasuredErrors) -> dict[str, Any]:
    """How many errors lie below the stated quantiles: of all joints, by joint and by subject, 0..1.

    Also the mean error and the mean stated quantiles, in mm, and the rank correlation of statement and error.
    """
    stated = table.quantiles(measured.features, table.rows(measured.joints))
    known = np.isfinite(measured.errors)
    below = measured.errors[..., None] <= stated

    def share(mask: NDArray[np.bool_]) -> list[float]:
        return [float(below[..., q][mask].mean()) for q in range(len(QUANTILES))]

    joints = {
        name: share(known & (np.arange(known.shape[1]) == j))
        for j, name in enumerate(measured.joints)
        if known[:, j].any()
    }
    people = {str(name): share(known & (measured.subject == name)[:, None]) for name in np.unique(measured.subject)}
    a, b = (np.argsort(np.argsort(values[known])) for values in (measured.errors, stated[..., 0]))
    return {
        "quantiles": list(QUANTILES),
        "below": share(known),
        "by_subject": people,
        "by_joint": joints,
        "poses": len(known),
        "mean_error_mm": float(measured.errors[known].mean() * 1000),
        "mean_stated_mm": [float(stated[..., q][known].mean() * 1000) for q in range(len(QUANTILES))],
        "rank_correlation": float(np.corrcoef(a, b)[0, 1]),
    }


def calibrate_lifter(
    lifter: Lifter, data: LiftingData, *, poses: int = 8000, progress: Callable[[int, int], None] | None = None
) -> Calibration:
    """Fit the tables with and without the flip test on recordings that the network did not learn from.

    Raises:
        DataError: a lifter without weights; and as :func:`lift_errors`.
    """
    if lifter.weights is None:
        raise DataError("a lifter without weights cannot be calibrated")
    tables = {}
    subjects: list[str] = []
    for name, flip in (("flip", True), ("plain", False)):
        found = lift_errors(lifter, data, flip=flip, poses=poses, bodies=True, progress=progress)
        tables[name] = ErrorTable.fit(found.joints, LIFT_FEATURES, found.features, found.errors, found.subject)
        subjects = sorted(set(found.subject.tolist()))
    about = {"fitted_on": data.name, "fingerprint": data.fingerprint, "subjects": subjects, "poses": poses}
    return Calibration(task="lift", sha256=lifter.weights.sha256, tables=tables, about=about)
