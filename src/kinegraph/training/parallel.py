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

    Holds for every module that ends in `torch.nn.functional.batch_norm`, on any device and backend, and leaves
    their state dicts as they are. Every process must have a batch of the same size. With one process nothing changes.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Take over `batch_norm` in training; leave everything else alone."""
        kwargs = kwargs or {}
        if func is functional.batch_norm and ranks() > 1:
            given = _ARGUMENTS.bind(*args, **kwargs)
            given.apply_defaults()
            if given.arguments["training"]:
                return _joint_batch_norm(**given.arguments)
        return func(*args, **kwargs)


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
    """`torch.nn.functional.batch_norm` of the joined batch: channels in axis 1, every process's batch of one size."""
    others = [axis for axis in range(input.dim()) if axis != 1]
    x = input.float() if input.element_size() < 4 else input
    here, around = torch.var_mean(x, dim=others, correction=0)
    rows: Tensor = _GatherRows.apply(torch.cat([around, here]))  # type: ignore[no-untyped-call]
    means, variances = rows.chunk(2, dim=1)
    mean = means.mean(dim=0)
    # Within the processes' batches and between them.
    variance = variances.mean(dim=0) + (means - mean).square().mean(dim=0)
    if running_mean is not None and running_var is not None:
        count = x.numel() // x.shape[1] * ranks()
        with torch.no_grad():
            running_mean.lerp_(mean.to(running_mean.dtype), momentum)
            running_var.lerp_((variance * count / max(1, count - 1)).to(running_var.dtype), momentum)
    shape = [1, -1] + [1] * (input.dim() - 2)
    scale = torch.rsqrt(variance + eps)
    if weight is not None:
        scale = scale * weight
    normalised = (x - mean.view(shape)) * scale.view(shape)
    if bias is not None:
        normalised = normalised + bias.view(shape)
    return normalised.to(input.dtype)
