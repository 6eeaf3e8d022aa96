"""Losses of motion networks: how far a forecast is from the truth, and how wrong the scores are."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ForecastingLoss", "recognition_loss"]


class ForecastingLoss(nn.Module):
    """Distance of two motions ``(B, H, J, C)`` in the network's channels.

    `l1` is the mean over frames and used channels of the absolute difference (Sym-GNN, Eq. 12, per channel instead of
    summed), `mse` of its square; `mpjpe` the mean over frames and used joints of the length of a joint's difference;
    `pose` the mean over frames of the length of the whole pose's difference, which is what the Euler protocols measure,
    divided by the square root of the number of channels so that it is of the size of the others.
    With `velocity` the same distance between the two motions' frame-to-frame differences is added, times that weight
    (siMLPe). Channels that never move count nowhere.

    Args:
        name: `l1`, `mse`, `mpjpe` or `pose`.
        scale: ``(J, C)`` what one unit of a channel stands for; 0 where it never moves.
        raw: measure in the units of `scale` instead of the network's.
        velocity: see above.
    """

    weight: Tensor

    def __init__(
        self,
        name: Literal["l1", "mse", "mpjpe", "pose"],
        scale: NDArray[np.float64],
        *,
        raw: bool = False,
        velocity: float = 0.0,
    ) -> None:
        super().__init__()
        self.name, self.velocity = name, velocity
        used = scale > 0
        self.channels = int(used.sum())
        self.joints = int(used.any(axis=1).sum())
        weight = torch.from_numpy(np.where(used, scale if raw else 1.0, 0.0)).float()
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, forecast: Tensor, truth: Tensor) -> Tensor:
        """The loss, a float32 scalar."""
        difference = (forecast.float() - truth) * self.weight
        loss = self._distance(difference)
        if self.velocity:
            loss = loss + self.velocity * self._distance(difference.diff(dim=1))
        return loss

    def _distance(self, difference: Tensor) -> Tensor:
        frames = difference.shape[0] * difference.shape[1]
        if self.name == "l1":
            return difference.abs().sum() / (frames * self.channels)
        if self.name == "mse":
            return difference.square().sum() / (frames * self.channels)
        lengths: Tensor
        if self.name == "pose":
            lengths = difference.square().sum(dim=(-2, -1)).add(1e-12).sqrt()
            return lengths.sum() / (frames * math.sqrt(self.channels))
        # The small constant keeps the gradient finite where a joint is exactly right; joints that never move lose it.
        lengths = difference.square().sum(dim=-1).add(1e-12).sqrt() * self.weight.any(dim=-1)
        return lengths.sum() / (frames * self.joints)


def recognition_loss(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross entropy (Eq. 11), mean over the batch, of ``(B, classes)`` against ``(B,)``; float32.

    A window without an action (label -1) adds nothing but counts in the mean, so that the share of one process does not
    depend on what the others drew.
    """
    total = functional.cross_entropy(
        logits.float(), labels, label_smoothing=smoothing, ignore_index=-1, reduction="sum"
    )
    return total / len(labels)
