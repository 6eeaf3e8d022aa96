"""The discrete cosine transform against SciPy's and against its own definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import torch

from kinegraph.errors import ConfigError
from kinegraph.layers.dct import dct_matrix


@pytest.mark.parametrize("size", [1, 2, 7, 10, 50, 333])
def test_equals_scipy(size: int) -> None:
    x = np.random.default_rng(size).normal(size=(size, 4))
    matrix = dct_matrix(size)
    assert matrix.dtype == torch.float64
    np.testing.assert_allclose(matrix.numpy() @ x, scipy.fft.dct(x, type=2, norm="ortho", axis=0), atol=1e-12)
    np.testing.assert_allclose(matrix.T.numpy() @ x, scipy.fft.idct(x, type=2, norm="ortho", axis=0), atol=1e-12)


def test_is_the_sum_that_defines_it() -> None:
    size = 6
    expected = np.zeros((size, size))
    for k in range(size):
        for t in range(size):
            scale = math.sqrt((1 if k == 0 else 2) / size)
            expected[k, t] = scale * math.cos(math.pi * k * (2 * t + 1) / (2 * size))
    np.testing.assert_allclose(dct_matrix(size).numpy(), expected, atol=1e-15)


@pytest.mark.parametrize("size", [1, 3, 50, 1000])
def test_is_orthonormal_to_rounding_whatever_its_size(size: int) -> None:
    product = dct_matrix(size) @ dct_matrix(size).T
    assert float((product - torch.eye(size)).abs().max()) < 1e-13


def test_a_still_pose_has_one_coefficient() -> None:
    coefficients = dct_matrix(10) @ torch.full((10, 1), 3.0, dtype=torch.float64)
    assert float(coefficients[0, 0]) == pytest.approx(3 * math.sqrt(10))
    assert float(coefficients[1:].abs().max()) < 1e-14


def test_no_frames() -> None:
    with pytest.raises(ConfigError, match="DCT of 0 frames"):
        dct_matrix(0)
