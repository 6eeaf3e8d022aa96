"""Pose errors as pure functions on tensors, NumPy arrays and lists.

Poses are ``(..., joints, dims)``; errors come out in the unit that went in. Every function is per pose
(``(...)`` out), so the caller decides what to average over; :func:`kinegraph.metrics.aggregate.action_mean`
is the average the Human3.6M tables use. A pose with a joint that is NaN has the error NaN, whichever the function: no
figure leaves it out in silence; a weight of 0 leaves it out aloud. Results are tensors, in the wider type of the two
inputs (whole numbers count as torch's default type): report figures from float64. The device is the tensors' own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.values import Values, as_pair, as_values, as_weights

_POSE = ("joints", "dims")


def joint_errors(predicted: Values, target: Values) -> Tensor:
    """Euclidean distance of every joint, in the unit of the input. ``(..., J, D)`` twice -> ``(..., J)``.

    Raises:
        DataError: two different shapes.
    """
    p, t = as_pair(predicted, target, "poses", ("dims",))
    errors: Tensor = torch.linalg.vector_norm(p - t, dim=-1)
    return errors


def mpjpe(predicted: Values, target: Values, weight: Values | None = None) -> Tensor:
    """Mean per-joint position error of each pose.

    Args:
        predicted: ``(..., J, D)``.
        target: ``(..., J, D)``.
        weight: ``(..., J)``, or what broadcasts to it: non-negative joint weights (a mask, say). The result is
            ``sum(weight * error) / sum(weight)`` over the joints of each pose, so only the ratios within a pose matter:
            a weight per pose ``(..., 1)`` changes nothing but where it is 0 (to weigh poses, weigh their errors).
            Where it is 0 the joint may be NaN. A pose with none above 0 gives NaN.

    Returns:
        ``(...)``, the unit of the input.

    Raises:
        DataError: shapes that do not go together, or weights that are negative or not finite.
    """
    p, t = as_pair(predicted, target, "poses", _POSE)
    if weight is None:
        errors: Tensor = torch.linalg.vector_norm(p - t, dim=-1)
        return errors.mean(dim=-1)
    return _weighted_mpjpe(p, t, as_weights(weight, p[..., 0]))


def _weighted_mpjpe(p: Tensor, t: Tensor, w: Tensor) -> Tensor:
    """Poses and ``(..., J)`` weights."""
    errors: Tensor = torch.linalg.vector_norm(_counted(p - t, w), dim=-1)
    return (errors * w).sum(dim=-1) / w.sum(dim=-1)


def _counted(poses: Tensor, w: Tensor | None) -> Tensor:
    """Zeros in place of joints that do not count: those may be NaN, which no gradient of theirs survives."""
    return poses if w is None else torch.where(w.unsqueeze(-1) > 0, poses, 0.0)


def root_relative(poses: Values, root: int) -> Tensor:
    """``poses`` ``(..., J, D)`` minus their joint ``root``.

    Raises:
        DataError: no poses, or no joint of that number.
    """
    values = as_values(poses, "poses")
    if values.dim() < 2 or not -values.shape[-2] <= root < values.shape[-2]:
        raise DataError(f"poses are {tuple(values.shape)}, root is {root}; expected (..., joints, dims) and a joint")
    return values - values.narrow(-2, root % values.shape[-2], 1)


def similarity_align(
    predicted: Values, target: Values, allow_scale: bool = True, *, weight: Values | None = None
) -> Tensor:
    """``predicted`` moved onto ``target`` by each pose's best rotation, translation and (optionally) scale.

    Least squares in closed form (Umeyama 1991), in float32 or wider; a reflection is never used, even where it would
    fit better.

    Args:
        predicted: ``(..., J, D)``.
        target: ``(..., J, D)``.
        allow_scale: False aligns rigidly.
        weight: of the squares, as for :func:`mpjpe`. Joints of weight 0 are moved along and may be NaN.

    Returns:
        ``(..., J, D)`` in the frame of ``target``. A pose that is a single point lands on the target's mean; one that
        is not finite, or whose target is not, or that has no weight above 0, is NaN.

    Raises:
        DataError: as of :func:`mpjpe`.
    """
    p, t = as_pair(predicted, target, "poses", _POSE)
    w = None if weight is None else as_weights(weight, p[..., 0])
    return _aligned(p, t, w, allow_scale)


def _aligned(predicted: Tensor, target: Tensor, w: Tensor | None, allow_scale: bool = True) -> Tensor:
    dtype = predicted.dtype
    if dtype in (torch.float16, torch.bfloat16):  # which no decomposition takes
        w = None if w is None else w.to(torch.float32)
        return _aligned(predicted.float(), target.float(), w, allow_scale).to(dtype)
    share = None if w is None else (w / w.sum(dim=-1, keepdim=True)).to(dtype).unsqueeze(-1)
    centre_p, centre_t = _centre(_counted(predicted, w), share), _centre(_counted(target, w), share)
    p, t = predicted - centre_p, target - centre_t
    counted_p, counted_t = _counted(p, w), _counted(t, w)
    weighted = counted_p if share is None else counted_p * share
    covariance = weighted.transpose(-1, -2) @ counted_t  # (..., D, D)
    finite = torch.isfinite(covariance).all(dim=-1, keepdim=True).all(dim=-2, keepdim=True)  # (..., 1, 1)
    u, s, vh = torch.linalg.svd(torch.where(finite, covariance, 0.0))  # which refuses all for one that is not
    # det = -1 means the best orthogonal map is a mirror: turn the least important axis back.
    sign = torch.det(u @ vh).sign()
    sign = torch.where(sign == 0, torch.ones_like(sign), sign)
    flip = torch.ones_like(s)
    flip[..., -1] = sign
    rotation = (u * flip.unsqueeze(-2)) @ vh  # row vectors: p @ rotation
    aligned = p @ rotation
    if allow_scale:
        spread = (weighted * counted_p).sum(dim=(-2, -1))
        tiny = torch.finfo(spread.dtype).tiny
        scale = (s * flip).sum(dim=-1) / spread.clamp_min(tiny)
        aligned = aligned * scale[..., None, None]
    return torch.where(finite, aligned + centre_t, torch.nan)


def _centre(poses: Tensor, share: Tensor | None) -> Tensor:
    """``(..., 1, D)``; ``share`` ``(..., J, 1)`` sums to 1."""
    return poses.mean(dim=-2, keepdim=True) if share is None else (poses * share).sum(dim=-2, keepdim=True)


def pa_mpjpe(predicted: Values, target: Values, weight: Values | None = None) -> Tensor:
    """MPJPE after similarity Procrustes alignment per pose ("protocol 2"). ``(..., J, D)`` -> ``(...)``.

    Args:
        predicted: see above.
        target: see above.
        weight: as for :func:`mpjpe`; it weighs the squares of the alignment and then the mean.

    Raises:
        DataError: as of :func:`mpjpe`.
    """
    p, t = as_pair(predicted, target, "poses", _POSE)
    if weight is None:
        return mpjpe(_aligned(p, t, None), t)
    w = as_weights(weight, p[..., 0])
    p, t = _counted(p, w), _counted(t, w)
    return _weighted_mpjpe(_aligned(p, t, w), t, w)


def n_mpjpe(predicted: Values, target: Values, weight: Values | None = None) -> Tensor:
    """MPJPE after the best scale of each pose (Rhodin et al. 2018). ``(..., J, D)`` -> ``(...)``.

    The scale is about the origin: pass root-relative poses. What is left when body size is forgiven.

    Args:
        predicted: see above.
        target: see above.
        weight: as for :func:`mpjpe`; it weighs the squares that the scale is fitted to and then the mean.

    Raises:
        DataError: as of :func:`mpjpe`.
    """
    p, t = as_pair(predicted, target, "poses", _POSE)
    w = None if weight is None else as_weights(weight, p[..., 0])
    p, t = _counted(p, w), _counted(t, w)
    weighted = p if w is None else p * w.unsqueeze(-1)
    spread = (weighted * p).sum(dim=(-2, -1))
    scale = (weighted * t).sum(dim=(-2, -1)) / spread.clamp_min(torch.finfo(spread.dtype).tiny)
    scaled = p * scale[..., None, None]
    return mpjpe(scaled, t) if w is None else _weighted_mpjpe(scaled, t, w)


def velocity_error(predicted: Values, target: Values) -> Tensor:
    """Mean per-joint velocity error (MPJVE) of one or more clips.

    Args:
        predicted: ``(..., frames, J, D)``; never stack frames of different clips along ``frames``.
        target: the same shape.

    Returns:
        ``(..., frames - 1)``, the unit of the input *per frame*; multiply by fps for a speed.

    Raises:
        DataError: two different shapes, or fewer than two frames.
    """
    p, t = as_pair(predicted, target, "clips", ("frames", *_POSE))
    if p.shape[-3] < 2:
        raise DataError("a velocity error needs at least 2 frames")
    return mpjpe(p.diff(dim=-3), t.diff(dim=-3))
