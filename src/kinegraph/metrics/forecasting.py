"""Errors of forecast motion, frame by frame: Euler angles and normalised positions.

Position errors in millimetres are :func:`kinegraph.metrics.pose.mpjpe`, applied to every frame.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kinegraph.errors import DataError
from kinegraph.metrics.pose import joint_errors
from kinegraph.metrics.values import Values, as_floats, as_pair, as_values

__all__ = ["euler_error", "normalised_pck", "wrap_angle"]


def wrap_angle(angle: Values) -> Tensor:
    """The same angles, of any shape, radians, in [-pi, pi).

    Raises:
        DataError: no numbers.
    """
    return torch.remainder(as_floats(angle, "angles") + math.pi, 2 * math.pi) - math.pi


def euler_error(predicted: Values, target: Values, used: Values | None = None, *, wrapped: bool = False) -> Tensor:
    """L2 norm, over the angles of a frame, of their difference.

    This is the "MAE" of the forecasting literature (Jain et al. 2016, Martinez et al. 2017), despite its name.

    Args:
        predicted: ``(..., frames, angles)`` radians.
        target: the same.
        used: ``(..., angles)`` bool, or what broadcasts to it: which angles count, the same in all frames; None
            counts all.
        wrapped: take each difference on the circle. The protocols do not: there an angle that passes from pi to -pi
            counts as 2 pi wrong.

    Returns:
        ``(..., frames)`` radians.

    Raises:
        DataError: the shapes disagree.
    """
    p, t = as_pair(predicted, target, "angles", ("frames", "angles"))
    difference = p - t
    if wrapped:
        difference = wrap_angle(difference)
    if used is not None:
        angles = (*t.shape[:-2], t.shape[-1])
        given = as_values(used, "used").to(t.device)
        try:
            mask = given.broadcast_to(angles).unsqueeze(-2)
        except RuntimeError:
            mask = None
        if mask is None or given.dtype != torch.bool:
            raise DataError(f"used is {given.dtype} {tuple(given.shape)}; expected bool {angles}, or of its last sizes")
        difference = torch.where(mask, difference, 0.0)  # what is not used may be NaN
    norm: Tensor = torch.linalg.vector_norm(difference, dim=-1)
    return norm


def normalised_pck(predicted: Values, target: Values, size: Values, threshold: float = 0.05) -> Tensor:
    """Percentage of joints nearer to the truth than ``threshold`` of a body or picture size.

    Args:
        predicted: ``(..., frames, joints, dims)``.
        target: the same.
        size: ``(...)`` or ``(..., frames)``, positive, in the unit of the positions.
        threshold: share of the size; *strictly* below counts, NaN does not.

    Returns:
        ``(..., frames)`` in 0..100.

    Raises:
        DataError: a size that is not positive, or shapes that disagree.
    """
    p, t = as_pair(predicted, target, "clips", ("frames", "joints", "dims"))
    errors = joint_errors(p, t)
    whole = as_floats(size, "size").to(errors.device)
    if whole.dim() == errors.dim() - 2:
        whole = whole.unsqueeze(-1)
    fits = whole.dim() == errors.dim() - 1 and all(
        a in (1, b) for a, b in zip(whole.shape, errors.shape[:-1], strict=True)
    )
    if not fits or not bool((whole > 0).all()):
        raise DataError(f"size {tuple(whole.shape)} must be positive, one for each sequence or each of its frames")
    return 100.0 * (errors < threshold * whole.unsqueeze(-1)).to(errors.dtype).mean(dim=-1)
