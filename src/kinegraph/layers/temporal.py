"""Temporal convolution as a matrix product over the frames under the kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kinegraph.errors import ConfigError, DataError
from kinegraph.layers.feature_check import check_features


class TemporalConv(nn.Module):
    """A convolution over frames without padding, in either of two forms that share the weights.

    *Strided*: windows of ``kernel`` frames that follow one another; the frames fall by the factor ``kernel``. It is
    what one output frame needs and no more. *Dilated*: windows of ``kernel`` frames ``dilation`` apart around every
    frame, for whole sequences. Stacked, the strided form of kernels k1, k2, ... gives for one window what the dilated
    form with dilations 1, k1, k1 k2, ... gives at the window's centre (Pavllo et al. 2019, appendix A.5).

    Args:
        in_channels, out_channels: widths.
        kernel: frames under the kernel; odd.
        bias: add a bias.
        gain: standard deviation of the output for independent inputs of unit variance.

    Shapes: ``(batch, frames, ..., in) -> (batch, fewer frames, ..., out)``; what stands between frames and channels
    (joints) is convolved separately with the same weights.

    Raises:
        ConfigError: an even kernel.
        DataError: features of other channels, or of frames that make no window.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, bias: bool = False, gain: float = 1.0
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f"temporal kernel {kernel}: expected an odd number of frames")
        self.kernel = kernel
        fan = kernel * in_channels
        self.weight = nn.Parameter(torch.randn(kernel, in_channels, out_channels) * (gain / math.sqrt(fan)))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Strided form.

        Raises:
            DataError: other channels, or a number of frames that is no multiple of the kernel.
        """
        check_features(self, x, None, self.weight.shape[1], ("batch", "frames", "..."))
        if x.shape[1] % self.kernel:
            raise DataError(f"TemporalConv: found {x.shape[1]} frames; expected a multiple of its kernel {self.kernel}")
        steps = x.reshape(x.shape[0], x.shape[1] // self.kernel, self.kernel, *x.shape[2:])
        return self._product([steps[:, :, k] for k in range(self.kernel)])

    def dilated(self, x: Tensor, dilation: int) -> Tensor:
        """Dilated form: ``(batch, frames, ..., in) -> (batch, frames - dilation * (kernel - 1), ..., out)``.

        Raises:
            DataError: other channels, or fewer frames than the kernel spans.
        """
        check_features(self, x, None, self.weight.shape[1], ("batch", "frames", "..."))
        frames = x.shape[1] - dilation * (self.kernel - 1)
        if frames < 1:
            raise DataError(
                f"TemporalConv: found {x.shape[1]} frames; a kernel of {self.kernel}, {dilation} apart, spans "
                f"{1 + dilation * (self.kernel - 1)}"
            )
        return self._product([x[:, k * dilation : k * dilation + frames] for k in range(self.kernel)])

    def tap(self, x: Tensor, at: int) -> Tensor:
        """Frame `at` of each strided window, ``(batch, windows, ..., in)``: what a residual adds to that form."""
        return x[:, at :: self.kernel]

    def tap_dilated(self, x: Tensor, at: int, dilation: int) -> Tensor:
        """The frames under tap `at` of the dilated form, as many as come out of it: ``(batch, frames, ..., in)``."""
        return x[:, dilation * at : x.shape[1] - dilation * (self.kernel - 1 - at)]

    def _product(self, taps: list[Tensor]) -> Tensor:
        stacked = taps[0] if len(taps) == 1 else torch.cat(taps, dim=-1)
        result = stacked @ self.weight.flatten(0, 1)
        return result if self.bias is None else result + self.bias
