"""Dropout that does not cost more than the layer before it on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Dropout(nn.Dropout):
    """`torch.nn.Dropout`, with its mask drawn from random bytes on a CPU.

    PyTorch draws one Bernoulli number per element, which on a CPU takes up to a third of a lifter's training step. A
    byte below ``256 p`` has probability p exactly where ``256 p`` is whole (p = 0.5, 0.25, 0.125, ...), and eight of
    them come from one 64-bit random number: about four times faster. Any other p, and any other device, takes
    PyTorch's own way. Randomness comes from torch's generator in both.

    Shapes: any shape, unchanged.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Zero each element with probability p and scale the rest by 1 / (1 - p), in training; nothing in eval."""
        threshold = 256 * self.p
        whole = threshold in range(1, 256)
        # A compiler fuses torch's own mask into the kernels around it, and cannot trace random_.
        if (
            not (self.training and whole and input.device.type == "cpu")
            or self.inplace
            or torch.compiler.is_compiling()
        ):
            return super().forward(input)
        count = input.numel()
        words = torch.empty((count + 7) // 8, dtype=torch.int64)
        words.random_(torch.iinfo(torch.int64).min, None)  # all 64 bits; the default range leaves the sign bit 0
        kept = words.view(torch.uint8)[:count].view(input.shape) >= int(threshold)
        return input * (kept.to(input.dtype) * (1 / (1 - self.p)))
