"""What callers hand to a metric, as tensors: NumPy arrays, lists and tensors of any number type, or words why not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from kinegraph.errors import DataError

__all__ = ["Values", "as_classes", "as_floats", "as_pair", "as_values", "as_weights"]

Values = Tensor | ArrayLike
"""What metrics take: a tensor, a NumPy array or nested lists."""


def as_values(values: Values, what: str) -> Tensor:
    """A tensor of any shape of these numbers; a tensor comes back as it is, and what is none goes by way of NumPy.

    Args:
        values: of any shape.
        what: what they are, for the message.

    Raises:
        DataError: not an array of real numbers, or one with masked entries.
    """
    if not isinstance(values, Tensor):
        if isinstance(values, np.ma.MaskedArray) and values.mask.any():
            raise DataError(f"{what}: found a masked array; fill it with NaN, or give the mask as weights")
        try:
            array = np.asarray(values)
        except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors that need a gradient
            raise DataError(f"{what}: found {type(values).__name__} that is no array ({error})") from error
        if array.dtype.kind not in "biuf":
            raise DataError(
                f"{what}: found {type(values).__name__} of {array.dtype}; expected an array or tensor of numbers, such "
                "as the positions of a sequence"
            )
        # What torch cannot share: read-only memory, steps backwards, foreign byte order, its missing types.
        wide = np.float64 if array.dtype.itemsize > 8 else array.dtype.newbyteorder("=")
        plain = array.flags.writeable and array.dtype == wide and all(step >= 0 for step in array.strides)
        values = torch.as_tensor(array if plain else np.array(array, dtype=wide, order="C"))
    if values.is_complex():
        raise DataError(f"{what}: found {values.dtype}; expected real numbers")
    return values


def as_floats(values: Values, what: str) -> Tensor:
    """:func:`as_values`, of any shape, in floating point: whole numbers become torch's default type.

    Raises:
        DataError: as of :func:`as_values`.
    """
    tensor = as_values(values, what)
    return tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())


def as_pair(predicted: Values, target: Values, what: str, axes: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Prediction and truth, both ``(..., axes)``, in the wider of their two types.

    Args:
        predicted: see above.
        target: the same shape; NumPy arrays and lists follow a tensor to its device.
        what: "poses", say, for the message.
        axes: names of the last axes that there must be.

    Raises:
        DataError: no numbers, too few axes, two shapes or two devices.
    """
    given = (predicted, target)
    p, t = as_floats(predicted, f"predicted {what}"), as_floats(target, f"true {what}")
    if p.shape != t.shape:
        raise DataError(f"predicted {what} are {tuple(p.shape)}, the truth {tuple(t.shape)}; they must agree")
    if p.dim() < len(axes):
        raise DataError(f"{what} are {tuple(p.shape)}; expected (..., {', '.join(axes)})")
    if p.device != t.device:
        if all(isinstance(one, Tensor) for one in given):
            raise DataError(f"predicted {what} are on {p.device}, the truth on {t.device}; move one with .to()")
        device = p.device if isinstance(predicted, Tensor) else t.device
        p, t = p.to(device), t.to(device)
    dtype = torch.promote_types(p.dtype, t.dtype)
    return p.to(dtype), t.to(dtype)


def as_weights(weight: Values, like: Tensor) -> Tensor:
    """Weights of joints, spread to the shape of ``like``, ``(..., J)``; the values are looked at, so a GPU waits.

    Args:
        weight: ``(..., J)`` or what broadcasts to it.
        like: one number for each joint of each pose.

    Raises:
        DataError: another shape, or a weight that is negative or not finite.
    """
    tensor = as_values(weight, "weights")
    if not isinstance(weight, Tensor):
        tensor = tensor.to(like.device)
    try:
        spread = tensor.broadcast_to(like.shape)
    except RuntimeError as error:
        raise DataError(
            f"weights are {tuple(tensor.shape)}; expected one for each joint, {tuple(like.shape)}, or what broadcasts "
            "to it"
        ) from error
    if tensor.device != like.device:
        raise DataError(f"weights are on {tensor.device}, the poses on {like.device}; move one with .to()")
    if not bool((torch.isfinite(tensor) & (tensor >= 0)).all()):
        raise DataError("weights are negative or not finite; expected 0 (does not count) or more")
    return spread if spread.is_floating_point() else spread.to(like.dtype)


def as_classes(values: Values, what: str) -> Tensor:
    """Whole numbers as int64, of the same shape.

    Raises:
        DataError: no numbers, or some between two whole ones.
    """
    tensor = as_values(values, what)
    whole = tensor.to(torch.int64)
    if tensor.is_floating_point() and not bool((whole == tensor).all()):
        raise DataError(f"{what}: found numbers that are not whole; expected 0, 1, 2, ...")
    return whole
