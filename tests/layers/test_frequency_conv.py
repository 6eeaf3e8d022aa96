"""Convolution by way of frequencies against sums over frames."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.layers import frequency_conv
from kinegraph.layers.frequency_conv import FixedConvolution, WindowPlan, convolution, plan


def summed(x: Tensor, weight: Tensor, stride: int) -> NDArray[np.float64]:
    """(rows, nodes, frames, channels) frame by frame and tap by tap."""
    frames, kernel = x.shape[2], weight.shape[3]
    result = np.zeros((*x.shape[:2], -(-frames // stride), len(weight)))
    for at in range(result.shape[2]):
        for tap in range(kernel):
            frame = at * stride + tap - kernel // 2
            if 0 <= frame < frames:
                result[:, :, at] += x[:, :, frame].detach().numpy() @ weight[:, :, 0, tap].detach().numpy().T
    return result


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small layers would not be worth it."""
    monkeypatch.setattr(frequency_conv, "_WORTH", 1e9)
    frequency_conv.plan.cache_clear()
    yield
    frequency_conv.plan.cache_clear()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("frames", "kernel"), [(1, 3), (2, 9), (7, 7), (16, 9), (25, 9), (60, 5), (61, 9), (33, 1)])
def test_against_sums(frames: int, kernel: int, stride: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frequency_conv, "_REUSE", 1)  # several parts
    torch.manual_seed(frames)
    x = torch.randn(2, 3, frames, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, 4, 1, kernel, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(5, dtype=torch.float64)
    y = convolution(x, weight, stride)
    assert y.grad_fn is not None
    assert type(y.grad_fn.next_functions[0][0]).__name__ == "_ConvolutionBackward"
    np.testing.assert_allclose(y.detach().numpy(), summed(x, weight, stride), atol=1e-12)
    fixed = FixedConvolution(weight.detach(), bias, stride)
    for again in (x.detach(), x.detach()[:, :, : frames // 2 + 1], x.detach()):
        expected = summed(again, weight, stride) + bias.numpy()
        np.testing.assert_allclose(fixed(again).numpy(), expected, atol=1e-12)
    assert torch.autograd.gradcheck(lambda a, b: convolution(a, b, stride), (x, weight), fast_mode=True)


@pytest.mark.parametrize("windows", [1, 2, 3, 5])
def test_every_cut_gives_the_same(windows: int) -> None:
    frames = 23
    step = math.ceil(frames / windows)
    cut = WindowPlan(frames, 9, windows, step)
    assert cut.windows == math.ceil(frames / cut.step)
    weight, x = torch.randn(6, 4, 9, dtype=torch.float64), torch.randn(3, frames, 4, dtype=torch.float64)
    found = frequency_conv._convolve(x, frequency_conv._transformed(weight, cut), cut)
    expected = summed(x.unsqueeze(0), weight.unsqueeze(2), 1)[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("frames", "channels"), [(64, 64), (100, 64), (50, 128), (25, 256)])
def test_rounding_is_that_of_the_sums(frames: int, channels: int) -> None:
    """In float32, where it is in use, with gradients."""
    assert plan(frames, 9, channels, channels, 400, ready=True) is not None
    assert plan(frames, 9, channels, channels, 400, ready=False) is not None
    x = torch.randn(4, 25, frames, channels, requires_grad=True)
    weight = (torch.randn(channels, channels, 1, 9) / math.sqrt(9 * channels)).requires_grad_()
    found, direct = convolution(x, weight), frequency_conv._directly(x, weight, None, 1)
    exact = frequency_conv._directly(x.double(), weight.double(), None, 1)
    upstream = torch.randn_like(found)
    got = (found, *torch.autograd.grad(found, (x, weight), upstream))
    same = (direct, *torch.autograd.grad(direct, (x, weight), upstream))
    wanted = (exact, *torch.autograd.grad(exact, (x, weight), upstream.double()))
    for one, two, three in zip(got, same, wanted, strict=True):
        error, usual = (one - three).norm().item(), (two - three).norm().item()
        assert error < 2 * usual, f"{error} against {usual}"


def test_not_where_it_does_not_pay() -> None:
    assert plan(50, 9, 8, 8, 400, ready=True) is None
    assert plan(50, 3, 64, 64, 400, ready=True) is None
    assert plan(64, 9, 256, 256, 1, ready=False) is None


@pytest.mark.usefixtures("always")
def test_a_graph_of_its_own_only_for_what_wants_gradients() -> None:
    x, weight = torch.randn(1, 2, 9, 4), torch.randn(4, 4, 1, 9, requires_grad=True)
    (alone,) = torch.autograd.grad(convolution(x, weight).sum(), weight)
    x.requires_grad_()
    both = torch.autograd.grad(convolution(x, weight).sum(), (x, weight))
    torch.testing.assert_close(both[1], alone)
    torch.testing.assert_close(torch.autograd.grad(convolution(x, weight.detach()).sum(), x)[0], both[0])


def test_threads_may_look_at_clips_of_different_lengths() -> None:
    """The plan of one length never meets the weights of another."""
    weight, bias = torch.randn(8, 8, 1, 9), torch.randn(8)
    fixed = FixedConvolution(weight, bias, 1)
    clips = [torch.randn(64, 5, frames, 8) for frames in (20, 32, 48)]
    with torch.no_grad():
        expected = [FixedConvolution(weight, bias, 1)(clip) for clip in clips]
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(3) as pool:

            def look(number: int) -> bool:
                with torch.no_grad():
                    return torch.equal(fixed(clips[number]), expected[number])

            assert all(pool.map(look, [0, 1, 2] * 40))
    finally:
        sys.setswitchinterval(switch)
