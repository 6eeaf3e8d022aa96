"""Pose metrics against slow float64 references written here, one pose and one joint at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from kinegraph.errors import DataError
from kinegraph.metrics import (
    joint_errors,
    mpjpe,
    n_mpjpe,
    pa_mpjpe,
    root_relative,
    similarity_align,
    velocity_error,
)

seeds = st.integers(0, 2**32 - 1)


def poses(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def slow_mpjpe(p, t):
    return sum(math.dist(a, b) for a, b in zip(p, t, strict=True)) / len(p)


def slow_procrustes(p, t):
    """Kabsch-Umeyama on one pose, written with column vectors and explicit loops over points."""
    mp, mt = p.mean(0), t.mean(0)
    h = np.zeros((3, 3))
    spread = 0.0
    for a, b in zip(p - mp, t - mt, strict=True):
        h += np.outer(b, a)
        spread += a @ a
    u, s, vt = np.linalg.svd(h)
    d = np.diag([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    r = u @ d @ vt
    c = np.trace(np.diag(s) @ d) / spread
    return np.array([c * r @ (a - mp) + mt for a in p])


def test_mpjpe_matches_the_loop():
    p, t = poses(0, 4, 5, 17, 3), poses(1, 4, 5, 17, 3)
    got = mpjpe(torch.tensor(p), torch.tensor(t))
    assert got.shape == (4, 5)
    want = [[slow_mpjpe(p[i, j], t[i, j]) for j in range(5)] for i in range(4)]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_mpjpe_of_a_known_offset():
    t = torch.zeros(2, 17, 3)
    assert mpjpe(t + torch.tensor([3.0, 4.0, 0.0]), t).tolist() == pytest.approx([5.0, 5.0])


def test_mpjpe_weight_masks_joints():
    p, t = torch.tensor(poses(0, 17, 3)), torch.tensor(poses(1, 17, 3))
    weight = torch.zeros(17, dtype=torch.float64)
    weight[[2, 5]] = 1.0
    want = (slow_mpjpe(p[2:3].numpy(), t[2:3].numpy()) + slow_mpjpe(p[5:6].numpy(), t[5:6].numpy())) / 2
    assert mpjpe(p, t, weight).item() == pytest.approx(want)
    t[..., 7, :] = torch.nan  # a joint that is not there, and does not count
    assert mpjpe(p, t, weight).item() == pytest.approx(want)
    assert math.isnan(mpjpe(p, t, torch.zeros(17, dtype=torch.float64)).item())


@pytest.mark.parametrize("function", [mpjpe, pa_mpjpe, n_mpjpe])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_a_pose_that_is_not_finite_has_no_error_and_the_others_theirs(function, bad, which):
    pair = torch.tensor(poses(3, 2, 4, 17, 3))
    want = function(*pair)
    pair[which, 1, 3, 0] = bad
    got = function(*pair)
    assert not math.isfinite(got[1].item())
    assert math.isnan(got[1].item()) or (math.isinf(bad) and function is mpjpe)
    torch.testing.assert_close(got[[0, 2, 3]], want[[0, 2, 3]], rtol=0, atol=0)


def test_a_pose_that_is_not_finite_is_aligned_to_nothing():
    pair = torch.tensor(poses(3, 2, 4, 17, 3))
    pair[1, 2, 5, 1] = math.nan  # one number of one joint of the target
    aligned = similarity_align(*pair)
    assert torch.isnan(aligned[2]).all()
    assert torch.isfinite(aligned[[0, 1, 3]]).all()


FUNCTIONS = [joint_errors, mpjpe, pa_mpjpe, n_mpjpe, similarity_align, velocity_error]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_shapes_that_disagree_are_refused(function):
    with pytest.raises(DataError, match="must agree"):
        function(torch.zeros(2, 17, 3), torch.zeros(2, 16, 3))


def test_pa_mpjpe_matches_the_loop():
    p, t = poses(2, 30, 17, 3), poses(3, 30, 17, 3)
    want = [slow_mpjpe(slow_procrustes(a, b), b) for a, b in zip(p, t, strict=True)]
    np.testing.assert_allclose(pa_mpjpe(torch.tensor(p), torch.tensor(t)), want, rtol=1e-10)


def test_alignment_is_the_least_squares_optimum():
    """No rotation, scale and shift found by a general optimiser is better."""
    p, t = poses(4, 17, 3), poses(5, 17, 3)
    aligned = similarity_align(torch.tensor(p), torch.tensor(t)).numpy()
    ours = ((aligned - t) ** 2).sum()

    def cost(x):
        return ((np.exp(x[3]) * Rotation.from_rotvec(x[:3]).apply(p) + x[4:] - t) ** 2).sum()

    starts = np.random.default_rng(0).normal(size=(12, 7))
    best = min(minimize(cost, start, method="BFGS").fun for start in starts)
    assert ours == pytest.approx(best, rel=1e-6)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_pa_mpjpe_is_invariant_to_similarity(seed):
    rng = np.random.default_rng(seed)
    p, t = rng.normal(size=(2, 17, 3))
    moved = rng.uniform(0.2, 5.0) * Rotation.random(random_state=seed).apply(p) + rng.normal(size=3)
    np.testing.assert_allclose(
        pa_mpjpe(torch.tensor(moved), torch.tensor(t)), pa_mpjpe(torch.tensor(p), torch.tensor(t)), rtol=1e-9
    )
    assert pa_mpjpe(torch.tensor(moved), torch.tensor(p)).item() < 1e-9


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_pa_mpjpe_is_not_invariant_to_reflection(seed):
    t = poses(seed, 17, 3)
    mirrored = t * np.array([-1.0, 1.0, 1.0])
    assert pa_mpjpe(torch.tensor(mirrored), torch.tensor(t)).item() > 0.05
    got = similarity_align(torch.tensor(mirrored), torch.tensor(t)).numpy()
    np.testing.assert_allclose(got, slow_procrustes(mirrored, t), atol=1e-9)


def test_rigid_alignment_keeps_the_size():
    t = poses(6, 17, 3)
    doubled = torch.tensor(2.0 * Rotation.random(random_state=1).apply(t))
    aligned = similarity_align(doubled, torch.tensor(t), allow_scale=False).numpy()
    size = lambda x: np.linalg.norm(x - x.mean(0))  # noqa: E731
    assert size(aligned) == pytest.approx(2.0 * size(t))
    np.testing.assert_allclose(aligned - aligned.mean(0), 2.0 * (t - t.mean(0)), atol=1e-9)


def test_degenerate_poses_stay_finite():
    t = torch.tensor(poses(7, 17, 3))
    point = torch.ones(17, 3, dtype=torch.float64)
    aligned = similarity_align(point, t)
    torch.testing.assert_close(aligned, t.mean(0).expand(17, 3))
    flat = t.clone()
    flat[:, 2] = 0.0  # planar: the covariance has rank 2
    assert torch.isfinite(pa_mpjpe(flat, t))
    assert torch.isfinite(n_mpjpe(torch.zeros_like(t), t))


def test_n_mpjpe_removes_scale_and_nothing_else():
    p, t = poses(8, 9, 17, 3), poses(9, 9, 17, 3)
    want = []
    for a, b in zip(p, t, strict=True):
        scale = (a.ravel() @ b.ravel()) / (a.ravel() @ a.ravel())
        want.append(slow_mpjpe(scale * a, b))
    np.testing.assert_allclose(n_mpjpe(torch.tensor(p), torch.tensor(t)), want, rtol=1e-12)
    assert n_mpjpe(torch.tensor(0.3 * t), torch.tensor(t)).max() < 1e-12
    turned = Rotation.from_euler("y", 90, degrees=True).apply(t[0])
    assert n_mpjpe(torch.tensor(turned), torch.tensor(t[0])) > 0.1


def test_velocity_error_matches_the_loop():
    p, t = poses(10, 3, 8, 17, 3), poses(11, 3, 8, 17, 3)
    got = velocity_error(torch.tensor(p), torch.tensor(t))
    assert got.shape == (3, 7)
    for c in range(3):
        for f in range(7):
            want = slow_mpjpe(p[c, f + 1] - p[c, f], t[c, f + 1] - t[c, f])
            assert got[c, f].item() == pytest.approx(want)
    shifted = torch.tensor(t) + 5.0
    assert velocity_error(shifted, torch.tensor(t)).max() < 1e-12
    with pytest.raises(DataError, match="at least 2 frames"):
        velocity_error(torch.zeros(1, 17, 3), torch.zeros(1, 17, 3))


def test_root_relative():
    t = torch.tensor(poses(12, 4, 17, 3))
    moved = root_relative(t, 3)
    assert moved[:, 3].abs().max() == 0
    torch.testing.assert_close(moved[:, 5] - moved[:, 6], t[:, 5] - t[:, 6])
