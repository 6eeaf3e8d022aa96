"""The discrete cosine transform over time, as a matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from kinegraph.errors import ConfigError

__all__ = ["dct_matrix"]


def dct_matrix(size: int) -> Tensor:
    """The orthonormal DCT-II: ``dct_matrix(T) @ x`` are the T coefficients of T frames, slowest first.

    Row k at frame t is ``sqrt(2 / T) cos(pi k (2t + 1) / (2T))``, row 0 is ``1 / sqrt(T)`` (Ahmed, Natarajan, Rao,
    *Discrete Cosine Transform*, IEEE Trans. Computers 1974; siMLPe, section 3.1).

    Args:
        size: number of frames T.

    Returns:
        ``(size, size)`` float64; its inverse, which gives the frames back (DCT-III), is its transpose.

    Raises:
        ConfigError: no frames.
    """
    if size < 1:
        raise ConfigError(f"a DCT of {size} frames: expected 1 or more")
    # k (2t + 1) modulo the period 4T in whole numbers: the angle of a late coefficient stays exact.
    turns = torch.outer(torch.arange(size), 2 * torch.arange(size) + 1) % (4 * size)
    matrix = torch.cos(turns.double() * (math.pi / (2 * size))) * math.sqrt(2 / size)
    matrix[0] = 1 / math.sqrt(size)
    return matrix
