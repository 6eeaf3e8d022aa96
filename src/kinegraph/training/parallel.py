"""Data-parallel training that gives the weights of one process with the joined batch.

Lightning's own strategy wraps the network so that every backward pass averages its gradients as it goes. A task that
takes the gradients of two losses apart, and decides from both what to do, averages them itself, once: here is a
strategy that leaves the network alone, the averaging, and batch normalisation over the batch of all processes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from kinegraph.layers.clip_block import masked_batch_norm, masked_moments, masked_normalise, remember

__all__ = ["JointBatchNorm", "UnwrappedDDP", "average_over_ranks", "ranks"]


class UnwrappedDDP(DDPStrategy):
    """Processes, devices and collectives of data-parallel training; gradients are the task's business."""

    def configure_ddp(self) -> None:
        """Leave the network as it is. Every process built it from the same seed, so there is nothing to send."""


def ranks() -> int:
    """Number of processes that train together; 1 where there is one."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def average_over_ranks(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The mean of each tensor over all processes, in one message. Every process must give the same shapes."""
    world = ranks()
    if world == 1 or not tensors:
        return list(tensors)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= world
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    return [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]


class _GatherRows(torch.autograd.Function):
    """(C,) of each process to (processes, C) in all of them; gradients of all of them come back."""

    @staticmethod
    def forward(ctx: Any, row: Tensor) -> Tensor:
        rows = row.new_zeros((dist.get_world_size(), *row.shape))
        rows[dist.get_rank()] = row
        dist.all_reduce(rows)
        return rows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[dist.get_rank()]


_ARGUMENTS = inspect.signature(functional.batch_norm)


class JointBatchNorm(TorchFunctionMode):
    """``with JointBatchNorm():`` batch normalisation takes its statistics from the batches of all processes together.

    Holds for every module that ends in `torch.nn.functional.batch_norm` or in
    :func:`kinegraph.layers.clip_block.masked_batch_norm`, on any device and backend, and leaves their state dicts as
    they are. Processes may have batches of different sizes. With one process nothing changes.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Take over both in training; leave everything else alone."""
        kwargs = kwargs or {}
        if func is masked_batch_norm and ranks() > 1:
            return _joint_masked_batch_norm(*args, **kwargs)
        if func is functional.batch_norm and ranks() > 1:
            given = _ARGUMENTS.bind(*args, **kwargs)
            given.apply_defaults()
            if given.arguments["training"]:
                return _joint_batch_norm(**given.arguments)
        return func(*args, **kwargs)


def _join(count: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number (), mean (C,) and variance (C,) of the values of all processes, from each one's own.

    Both kinds of batch norm send the same message: one process may have padded clips where another has none.
    """
    rows: Tensor = _GatherRows.apply(torch.cat([mean, variance, count.view(1)]))  # type: ignore[no-untyped-call]
    channels = len(mean)
    means, variances, counts = torch.split(rows, [channels, channels, 1], dim=1)
    total = counts.detach().sum()
    shares = counts.detach() / total.clamp(min=1)
    joint = (shares * means).sum(dim=0)
    # Within the processes' batches and between them.
    return total, joint, (shares * (variances + (means - joint).square())).sum(dim=0)


def _joint_masked_batch_norm(
    input: Tensor,
    mask: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    momentum: float,
    eps: float,
) -> Tensor:
    """`masked_batch_norm` of the joined batch."""
    x = input.float() if input.element_size() < 4 else input
    count, mean, variance = _join(*masked_moments(x, mask))
    remember(running_mean, running_var, mean, variance, count, momentum)
    return masked_normalise(x, mask, mean, variance, weight, bias, eps).to(input.dtype)


def _joint_batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """`torch.nn.functional.batch_norm` of the joined batch: channels in axis 1."""
    others = [axis for axis in range(input.dim()) if axis != 1]
    x = input.float() if input.element_size() < 4 else input
    here, around = torch.var_mean(x, dim=others, correction=0)
    count, mean, variance = _join(here.new_tensor(float(x.numel() // x.shape[1])), around, here)
    remember(running_mean, running_var, mean, variance, count, momentum)
    shape = [1, -1] + [1] * (input.dim() - 2)
    scale = torch.rsqrt(variance + eps)
    if weight is not None:
        scale = scale * weight
    normalised = (x - mean.view(shape)) * scale.view(shape)
    if bias is not None:
        normalised = normalised + bias.view(shape)
    return normalised.to(input.dtype)
