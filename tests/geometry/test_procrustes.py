"""NumPy Procrustes: recovers known similarities, agrees with the metric's alignment, never mirrors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.errors import DataError
from kinegraph.geometry.procrustes import fit_similarity
from kinegraph.metrics import similarity_align


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_recovers_a_known_similarity(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(17, 3))
    rotation, scale, shift = Rotation.random(random_state=seed).as_matrix(), rng.uniform(0.1, 9), rng.normal(size=3)
    moved = np.array([scale * rotation @ p + shift for p in points])
    fit = fit_similarity(points, moved)
    np.testing.assert_allclose(fit.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(fit.scale, scale, rtol=1e-9)
    np.testing.assert_allclose(fit.translation, shift, atol=1e-8)
    np.testing.assert_allclose(fit.apply(points), moved, atol=1e-8)


@pytest.mark.parametrize("allow_scale", [True, False])
def test_agrees_with_the_metric(allow_scale):
    p, t = np.random.default_rng(0).normal(size=(2, 5, 4, 17, 3))
    t[0] *= [1, 1, -1]
    fit = fit_similarity(p, t, allow_scale=allow_scale)
    ours = fit.apply(p)
    theirs = similarity_align(torch.tensor(p), torch.tensor(t), allow_scale=allow_scale).numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(fit.rotation), 1.0, atol=1e-9)


def test_one_transform_for_a_whole_clip():
    rng = np.random.default_rng(1)
    clip = rng.normal(size=(9, 17, 3))
    turn = Rotation.from_euler("y", 40, degrees=True).as_matrix()
    other = 0.5 * clip @ turn.T + [1.0, 2.0, 3.0]
    fit = fit_similarity(clip.reshape(-1, 3), other.reshape(-1, 3))
    assert fit.scale.shape == ()
    np.testing.assert_allclose(fit.apply(clip[3]), other[3], atol=1e-9)


def test_refusals():
    with pytest.raises(DataError, match="cannot be aligned"):
        fit_similarity(np.zeros((17, 3)), np.zeros((16, 3)))
    with pytest.raises(DataError, match="finite"):
        fit_similarity(np.full((17, 3), np.nan), np.zeros((17, 3)))
