"""Clips of any length to a fixed number of frames."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["resample_clips"]


def resample_clips(x: Tensor, mask: Tensor | None, frames: int) -> Tensor:
    """Interpolate linearly between each person's real frames, from the first to the last.

    Args:
        x: (batch, people, any frames, joints, channels).
        mask: (batch, people, any frames) bool, what is real; None: everything.
        frames: how many come out.

    Returns:
        (batch, people, frames, joints, channels); zero for people who are not there.
    """
    batch, people, length = x.shape[:3]
    if mask is None:
        if length == frames:
            return x
        mask = torch.ones(x.shape[:3], dtype=torch.bool, device=x.device)
    count = mask.sum(dim=2, keepdim=True)
    # where in time the n-th real frame stands: real frames first, in their order. The places make the keys differ: a
    # stable sort, which ONNX lacks, is not needed.
    order = torch.argsort((~mask) * length + torch.arange(length, device=x.device), dim=2)
    steps = torch.linspace(0, 1, frames, dtype=torch.float64, device=x.device)
    at = steps * (count - 1).clamp(min=0)
    before = at.floor().long()
    share = (at - before).to(x.dtype)[..., None, None]
    after = torch.minimum(before + 1, (count - 1).clamp(min=0))
    tail = (batch, people, frames, *x.shape[3:])
    left, right = (x.gather(2, order.gather(2, index)[..., None, None].expand(tail)) for index in (before, after))
    return torch.lerp(left, right, share) * (count > 0)[..., None, None].to(x.dtype)
