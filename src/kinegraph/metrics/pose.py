"""Pose errors as pure functions on tensors.

Poses are ``(..., joints, dims)``; errors come out in the unit that went in. Every function is per pose
(``(...)`` out), so the caller decides what to average over; :func:`kinegraph.metrics.aggregate.action_mean`
is the average the Human3.6M tables use. A pose with a joint that is NaN has the error NaN, whichever the function: no
figure leaves it out in silence. Computed in the dtype of the input: report figures from float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinegraph.errors import DataError


def joint_errors(predicted: Tensor, target: Tensor) -> Tensor:
    """Euclidean distance of every joint, in the unit of the input. ``(..., J, D)`` twice -> ``(..., J)``.

    Raises:
        DataError: two different shapes.
    """
    if predicted.shape != target.shape:
        raise DataError(
            f"predicted poses are {tuple(predicted.shape)}, the truth {tuple(target.shape)}; they must agree"
        )
    errors: Tensor = torch.linalg.vector_norm(predicted - target, dim=-1)
    return errors


def mpjpe(predicted: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean per-joint position error of each pose.

    Args:
        predicted: ``(..., J, D)``.
        target: ``(..., J, D)``.
        weight: ``(..., J)`` non-negative joint weights (a mask, say); where it is 0 the joint may be NaN. A pose with
            none above 0 gives NaN.

    Returns:
        ``(...)``, the unit of the input.
    """
    errors = joint_errors(predicted, target)
    if weight is None:
        return errors.mean(dim=-1)
    return (torch.where(weight > 0, errors, 0.0) * weight).sum(dim=-1) / weight.sum(dim=-1)


def root_relative(poses: Tensor, root: int) -> Tensor:
    """``poses`` ``(..., J, D)`` minus their joint ``root``."""
    return poses - poses[..., root : root + 1, :]


def similarity_align(predicted: Tensor, target: Tensor, allow_scale: bool = True) -> Tensor:
    """``predicted`` moved onto ``target`` by each pose's best rotation, translation and (optionally) scale.

    Least squares in closed form (Umeyama 1991); a reflection is never used, even where it would fit better.

    Args:
        predicted: ``(..., J, D)``.
        target: ``(..., J, D)``.
        allow_scale: False aligns rigidly.

    Returns:
        ``(..., J, D)`` in the frame of ``target``. A pose that is a single point lands on the target's mean; one that
        is not finite, or whose target is not, is NaN.
    """
    joint_errors(predicted, target)  # refuses shapes that disagree
    centre_p, centre_t = predicted.mean(dim=-2, keepdim=True), target.mean(dim=-2, keepdim=True)
    p, t = predicted - centre_p, target - centre_t
    covariance = p.transpose(-1, -2) @ t  # (..., D, D)
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
        spread = p.square().sum(dim=(-2, -1))
        tiny = torch.finfo(spread.dtype).tiny
        scale = (s * flip).sum(dim=-1) / spread.clamp_min(tiny)
        aligned = aligned * scale[..., None, None]
    return torch.where(finite, aligned + centre_t, torch.nan)


def pa_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """MPJPE after similarity Procrustes alignment per pose ("protocol 2"). ``(..., J, D)`` -> ``(...)``."""
    return mpjpe(similarity_align(predicted, target), target)


def n_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """MPJPE after the best scale of each pose (Rhodin et al. 2018). ``(..., J, D)`` -> ``(...)``.

    The scale is about the origin: pass root-relative poses. What is left when body size is forgiven.
    """
    joint_errors(predicted, target)
    spread = predicted.square().sum(dim=(-2, -1))
    scale = (predicted * target).sum(dim=(-2, -1)) / spread.clamp_min(torch.finfo(spread.dtype).tiny)
    return mpjpe(predicted * scale[..., None, None], target)


def velocity_error(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean per-joint velocity error (MPJVE) of one or more clips.

    Args:
        predicted: ``(..., frames, J, D)``; never stack frames of different clips along ``frames``.
        target: the same shape.

    Returns:
        ``(..., frames - 1)``, the unit of the input *per frame*; multiply by fps for a speed.

    Raises:
        DataError: two different shapes, or fewer than two frames.
    """
    joint_errors(predicted, target)
    if predicted.shape[-3] < 2:
        raise DataError("a velocity error needs at least 2 frames")
    return mpjpe(predicted.diff(dim=-3), target.diff(dim=-3))
