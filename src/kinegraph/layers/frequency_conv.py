"""Convolution along time by way of frequencies: the same sums with a third of the multiplications.

A convolution of K frames under the kernel multiplies K channel matrices for every frame. Between the discrete Fourier
transform of a window of frames and the inverse transform of the result it is one product for each frequency instead,
three real ones where the frequency is complex (Gauss), of which there are about 1.5 for every frame of the window:
for the 9 frames of the recognisers' convolutions four to six times fewer, less what the transforms cost. Those are
matrix products as well, with constant matrices of a few dozen frames; zeros beyond the ends of a clip are columns
left out. A discrete Fourier transform is a rotation: rounding errors are no larger than those of the sums themselves.

With a stride of 2 each pair of frames is one frame of twice the channels, under a kernel of (K + 1) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = ["FixedConvolution", "WindowPlan", "convolution", "plan"]

_REUSE = 2
"""Rows that are worked on at a time, for each channel: fewer stay in a core's cache, more use each weight again."""
_TRANSFORM = 1.5
"""What a multiplication in a transform costs, in multiplications of a product of channels: its matrices are small."""
_CUT = 1.1
"""What several windows cost beside one, besides the frames that they share: copies of what they give."""
_WEIGHT, _NEW_WEIGHT = 10, 40
"""What reading a weight costs, and making it anew with its gradient."""
_WORTH = 0.8
"""Share of the convolution's own multiplications below which the way round pays."""


@dataclass(frozen=True)
class WindowPlan:
    """How clips of so many frames are cut into windows.

    Attributes:
        frames: of a clip.
        kernel: K, odd.
        windows: how many.
        step: frames that each window gives, the last one perhaps fewer.
    """

    frames: int
    kernel: int
    windows: int
    step: int

    @property
    def size(self) -> int:
        """Frames of the transform: a window and what the kernel reaches round it. One end may serve as the other's."""
        return self.step + self.kernel // 2 * (1 if self.windows == 1 else 2)

    @property
    def products(self) -> int:
        """Real products: one at frequency 0 and at the highest of an even size, three at every other."""
        return self.size // 2 + 1 + 2 * ((self.size - 1) // 2)

    def cost(self, channels: int, out: int, rows: int, weight: float) -> float:
        """Multiplications, or what takes as long as so many, for rows of frames that share their weights."""
        transforms = _TRANSFORM * (self.size * channels + self.step * out)
        each = self.windows * self.products * (transforms + channels * out) * (1 if self.windows == 1 else _CUT)
        return rows * each + weight * self.products * channels * out

    @cached_property
    def matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """B (products, size) of the window, G (products, kernel) of the weights, A (step, products) of the result.

        ``A ((G w) * (B x))`` is the correlation ``y[t] = sum_k w[k] x[t + k]``; of a whole clip in one window x[0] is
        its first frame and y[0] the result there, with the frames before it at the end of the circle.
        """
        size, centre = self.size, self.kernel // 2
        frames, taps = np.arange(size), np.arange(self.kernel)
        results = np.arange(self.step) - (centre if self.windows == 1 else 0)
        of_window, of_weights, of_result = [], [], []
        for frequency in range(size // 2 + 1):
            angle = 2 * np.pi * frequency / size
            real, imaginary = np.cos(angle * frames), -np.sin(angle * frames)
            own, other = np.cos(angle * taps), np.sin(angle * taps)
            cosine, sine = np.cos(angle * results) / size, np.sin(angle * results) / size
            if frequency in (0, size / 2):
                of_window.append(real)
                of_weights.append(own)
                of_result.append(cosine)
                continue
            # (a + ib)(c + id): k1 = (a + b) c, k2 = a (d - c), k3 = b (c + d); real k1 - k3, imaginary k1 + k2
            of_window += [real + imaginary, real, imaginary]
            of_weights += [own, other - own, own + other]
            of_result += [2 * (cosine - sine), -2 * sine, -2 * cosine]
        return np.array(of_window), np.array(of_weights), np.array(of_result).T

    @lru_cache(maxsize=8)  # noqa: B019 - plans are few and live as long as the process
    def tensors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """:attr:`matrices`, each of the same shape."""
        with torch.inference_mode(False):
            window, weights, result = (torch.from_numpy(matrix).to(dtype) for matrix in self.matrices)
        return window, weights, result

    def spans(self) -> list[tuple[slice, slice, slice]]:
        """Of each window: the clip's frames that it reads, where they lie in it, and the frames that it gives."""
        if self.windows == 1:
            return [(slice(0, self.frames), slice(0, self.frames), slice(0, self.frames))]
        reach, spans = self.kernel // 2, []
        for first in range(0, self.frames, self.step):
            start, end = first - reach, min(self.frames, first + self.step) + reach
            low, high = max(0, start), min(self.frames, end)
            spans.append((slice(low, high), slice(low - start, high - start), slice(first, end - reach)))
        return spans


@lru_cache(maxsize=256)
def plan(frames: int, kernel: int, channels: int, out: int, rows: int, *, ready: bool) -> WindowPlan | None:
    """The quickest way for so many rows of frames; None where the convolution itself is quicker.

    Args:
        ready: the weights at each frequency are at hand.
    """
    plans = []
    for count in range(1, frames // 4 + 2):
        step = -(-frames // count)
        plans.append(WindowPlan(frames, kernel, -(-frames // step), step))
    weight = _WEIGHT if ready else _NEW_WEIGHT
    best = min(plans, key=lambda one: one.cost(channels, out, rows, weight))
    itself = kernel * channels * out * (rows * frames + _WEIGHT)
    return best if best.cost(channels, out, rows, weight) < _WORTH * itself else None


class FixedConvolution:
    """A convolution along time without gradients, whose weights are transformed once for clips of one length.

    Args:
        weight: (out, channels, 1, kernel), the kernel odd.
        bias: (out,).
        stride: 1 or more.
    """

    def __init__(self, weight: Tensor, bias: Tensor, stride: int) -> None:
        self.weight, self.bias, self.stride = weight, bias, stride
        self._ready: tuple[WindowPlan, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """(rows, nodes, frames, channels) -> (rows, nodes, ceil(frames / stride), out)."""
        found = _plan_of(x, self.weight, self.stride, ready=True)
        if found is None:
            return _directly(x, self.weight, self.bias, self.stride)
        ready = self._ready
        if ready is None or ready[0] != found:
            # Both at once: threads may look at clips of different lengths.
            ready = self._ready = (found, _transformed(_in_phases(self.weight, self.stride), found))
        flat = _frames_in_phases(x, self.stride)
        return _convolve(flat, ready[1], found, self.bias).view(*x.shape[:2], found.frames, -1)


def convolution(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """A convolution of every node's frames with the same weights, zeros beyond the ends.

    Args:
        x: (rows, nodes, frames, channels).
        weight: (out, channels, 1, kernel), the kernel odd.
        stride: 1 or more.

    Returns:
        (rows, nodes, ceil(frames / stride), out).
    """
    found = _plan_of(x, weight, stride, ready=False)
    if found is None:
        return _directly(x, weight, None, stride)
    flat = _frames_in_phases(x, stride)
    result: Tensor = _Convolution.apply(flat, _in_phases(weight, stride), found)  # type: ignore[no-untyped-call]
    return result.view(*x.shape[:2], found.frames, -1)


def _directly(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    # Seen as an image of nodes x frames, this is the channels-last order that the convolution wants: no copy.
    image = x.permute(0, 3, 1, 2)
    y = functional.conv2d(image, weight, bias, stride=(1, stride), padding=(0, weight.shape[3] // 2))
    return y.permute(0, 2, 3, 1)


def _plan_of(x: Tensor, weight: Tensor, stride: int, *, ready: bool) -> WindowPlan | None:
    """For a CPU's own precisions; accelerators and compilers have better ways."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or torch.compiler.is_compiling():
        return None
    if stride > 2 or torch.is_autocast_enabled("cpu"):
        return None
    # while a network is traced, sizes come as tensors; a plan is made of numbers
    out, channels, _, kernel = (int(size) for size in weight.shape)
    rows, nodes, frames, _ = (int(size) for size in x.shape)
    if stride == 2:
        frames, kernel, channels = (frames + 1) // 2, 2 * _reach_in_pairs(kernel) + 1, 2 * channels
    return plan(frames, kernel, channels, out, rows * nodes, ready=ready)


def _frames_in_phases(x: Tensor, stride: int) -> Tensor:
    """(rows, nodes, frames, channels) -> (rows x nodes, frames / stride, stride x channels)."""
    rows, nodes, frames, channels = x.shape
    if frames % stride:
        x = functional.pad(x, (0, 0, 0, 1))
    return x.reshape(rows * nodes, -1, stride * channels)


def _in_phases(weight: Tensor, stride: int) -> Tensor:
    """(out, channels, 1, kernel) -> (out, stride x channels, smaller kernel), odd as well."""
    out, channels, _, kernel = weight.shape
    if stride == 1:
        return weight.view(out, channels, kernel)
    # Tap k meets frame 2 s + k - K // 2: of pair s + (k - K // 2) // 2 the first or the second.
    half = _reach_in_pairs(kernel)
    before = 2 * half - kernel // 2
    pairs = functional.pad(weight.view(out, channels, kernel), (before, 2 * (2 * half + 1) - kernel - before))
    return pairs.view(out, channels, -1, 2).permute(0, 3, 1, 2).reshape(out, 2 * channels, -1)


def _reach_in_pairs(kernel: int) -> int:
    """How many pairs of frames before and after its own a kernel reaches."""
    return (kernel // 2 + 1) // 2


def _transformed(weight: Tensor, plan: WindowPlan) -> Tensor:
    """(out, channels, kernel) -> (products, channels, out), out and channels swapped in memory."""
    out, channels, kernel = weight.shape
    matrix = plan.tensors(weight.dtype)[1]
    return torch.mm(matrix, weight.reshape(-1, kernel).t()).view(-1, out, channels).transpose(1, 2)


def _parts(rows: int, channels: int) -> range:
    count = -(-rows // (_REUSE * channels))
    return range(0, rows, -(-rows // count))


def _convolve(x: Tensor, weight: Tensor, plan: WindowPlan, bias: Tensor | None = None) -> Tensor:
    """(rows, frames, channels) and (products, channels, out) -> (rows, frames, out)."""
    of_window, _, of_result = plan.tensors(x.dtype)
    channels, out = weight.shape[1:]
    y = x.new_empty((*x.shape[:2], out))
    parts, spans = _parts(len(x), max(channels, out)), plan.spans()
    for first in parts:
        rows, results = x[first : first + parts.step], y[first : first + parts.step]
        for read, at, give in spans:
            found = torch.bmm(_each(of_window[:, at], rows), rows[:, read])  # (rows, products, channels)
            products = torch.bmm(found.transpose(0, 1), weight)  # (products, rows, out)
            if bias is not None:
                products[0].add_(bias, alpha=plan.size)  # at frequency 0, the same for every frame
            back = _each(of_result[: give.stop - give.start], rows)
            if len(spans) == 1:
                torch.bmm(back, products.transpose(0, 1), out=results)
            else:
                results[:, give] = torch.bmm(back, products.transpose(0, 1))
    return y


def _each(matrix: Tensor, rows: Tensor) -> Tensor:
    return matrix.expand(len(rows), *matrix.shape)


class _Convolution(torch.autograd.Function):
    """What :func:`_convolve` does, chunk by chunk, so that no frequency outlives its chunk's stay in the cache."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, plan: WindowPlan) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.plan = plan
        return _convolve(x, _transformed(weight, plan), plan)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        plan: WindowPlan = ctx.plan
        for_x, for_weight = ctx.needs_input_grad[:2]
        of_window, of_weights, of_result = plan.tensors(x.dtype)
        back = _transformed(weight, plan).transpose(1, 2)  # (products, out, channels)
        spans = plan.spans()
        dx = (torch.empty_like if len(spans) == 1 else torch.zeros_like)(x) if for_x else None
        transformed = back.new_zeros(back.shape) if for_weight else None
        parts = _parts(len(x), max(back.shape[1:]))
        for first in parts:
            rows = slice(first, first + parts.step)
            for read, at, give in spans:
                part = gradient[rows, give]
                taken = _each(of_result[: give.stop - give.start].t(), part)
                products = torch.bmm(taken, part).transpose(0, 1)  # (products, rows, out)
                if transformed is not None:
                    found = torch.bmm(_each(of_window[:, at], part), x[rows, read])
                    transformed.baddbmm_(products.transpose(1, 2), found.transpose(0, 1))
                if dx is not None:
                    found = torch.bmm(products, back)
                    window = _each(of_window[:, at].t(), part)
                    if len(spans) == 1:
                        torch.bmm(window, found.transpose(0, 1), out=dx[rows])
                    else:
                        dx[rows, read] += torch.bmm(window, found.transpose(0, 1))
        dw = None if transformed is None else torch.mm(of_weights.t(), transformed.flatten(1)).t().reshape(weight.shape)
        return dx, dw, None
