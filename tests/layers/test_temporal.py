"""Temporal convolution against torch's own, and its two forms against each other."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from kinegraph.errors import ConfigError
from kinegraph.layers import TemporalConv


def as_torch(layer: TemporalConv, x: torch.Tensor, **options: int) -> torch.Tensor:
    """conv1d of ``(batch, frames, channels)``."""
    weight = layer.weight.permute(2, 1, 0)
    return functional.conv1d(x.transpose(1, 2), weight, layer.bias, **options).transpose(1, 2)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_both_forms_are_convolutions(kernel: int) -> None:
    torch.manual_seed(0)
    layer = TemporalConv(4, 6, kernel, bias=True).double()
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 15 if kernel != 1 else 7, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x), as_torch(layer, x, stride=kernel))
    for dilation in (1, 2, 3):
        torch.testing.assert_close(layer.dilated(x, dilation), as_torch(layer, x, dilation=dilation))


def test_joints_are_convolved_apart_with_the_same_weights() -> None:
    layer = TemporalConv(4, 6, 3)
    x = torch.randn(2, 9, 5, 4)
    whole = layer(x)
    assert whole.shape == (2, 3, 5, 6)
    torch.testing.assert_close(whole[:, :, 2], layer(x[:, :, 2]))


def test_taps_are_the_frames_that_remain() -> None:
    layer = TemporalConv(1, 1, 3)
    frames = torch.arange(9.0).reshape(1, 9, 1)
    assert layer.tap(frames, 1).flatten().tolist() == [1, 4, 7]
    assert layer.tap(frames, 2).flatten().tolist() == [2, 5, 8]
    assert layer.tap_dilated(frames, 1, 2).flatten().tolist() == [2, 3, 4, 5, 6]
    assert layer.tap_dilated(frames, 2, 2).flatten().tolist() == [4, 5, 6, 7, 8]


@pytest.mark.parametrize("kernel", [0, 2])
def test_even_kernels_are_refused(kernel: int) -> None:
    with pytest.raises(ConfigError, match="odd"):
        TemporalConv(1, 1, kernel)
