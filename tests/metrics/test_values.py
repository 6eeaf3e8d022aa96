"""Metrics take what people have: NumPy, lists, whole numbers, mixed and half types; what is not is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph import metrics
from kinegraph.errors import DataError

POSE_ERRORS = [metrics.mpjpe, metrics.pa_mpjpe, metrics.n_mpjpe, metrics.velocity_error]


def clips(seed: int = 0) -> tuple[Any, Any]:
    truth = np.random.default_rng(seed).normal(size=(3, 5, 17, 3))
    return truth + 0.1 * np.random.default_rng(seed + 1).normal(size=truth.shape), truth


@pytest.mark.parametrize("function", POSE_ERRORS)
def test_arrays_and_lists_are_as_good_as_tensors(function: Any) -> None:
    p, t = clips()
    want = function(torch.tensor(p), torch.tensor(t))
    frozen, backwards = p.copy(), t[::-1].copy()[::-1]
    frozen.flags.writeable = False
    for pair in ((p, t), (p.tolist(), t.tolist()), (torch.tensor(p), t), (frozen, backwards), (p.astype(">f8"), t)):
        torch.testing.assert_close(function(*pair), want, rtol=0, atol=0)


@pytest.mark.parametrize("function", POSE_ERRORS)
def test_number_types_meet(function: Any) -> None:
    p, t = clips()
    want = function(torch.tensor(p), torch.tensor(t))
    mixed = function(torch.tensor(p).float(), t)
    assert mixed.dtype == torch.float64
    torch.testing.assert_close(mixed, want, rtol=1e-5, atol=1e-6)
    for dtype, rtol in ((torch.float16, 0.01), (torch.bfloat16, 0.05)):
        half = function(torch.tensor(p).to(dtype), torch.tensor(t).to(dtype))
        assert half.dtype == dtype
        torch.testing.assert_close(half.double(), want, rtol=rtol, atol=0)
    p_mm, t_mm = np.round(1000 * p), np.round(1000 * t)
    whole = function(p_mm.astype(np.int32), t_mm.astype(np.int64))
    torch.testing.assert_close(whole.double(), function(p_mm, t_mm), rtol=1e-4, atol=1e-2)


def test_the_other_metrics_take_arrays() -> None:
    p, t = clips()
    errors = 1000 * np.linalg.norm(p - t, axis=-1)
    np.testing.assert_allclose(metrics.pck(errors), 100 * (errors < 150).mean(axis=-1))
    np.testing.assert_allclose(metrics.auc(errors.tolist()), metrics.auc(torch.tensor(errors)))
    np.testing.assert_allclose(metrics.root_relative(p, 2), p - p[..., 2:3, :])
    np.testing.assert_allclose(metrics.euler_error(p[..., 0], t[..., 0]), np.linalg.norm((p - t)[..., 0], axis=-1))
    used = np.arange(17) < 4
    np.testing.assert_allclose(
        metrics.euler_error(p[..., 0], t[..., 0], used), np.linalg.norm((p - t)[..., :4, 0], axis=-1)
    )
    assert metrics.normalised_pck(p, t, [2.0, 2.0, 2.0]).shape == (3, 5)
    assert metrics.wrap_angle([7.0]).item() == pytest.approx(7 - 2 * np.pi)
    scores, labels = np.array([[1.0, 2.0, 3.0], [3, 1, 2]]), np.array([2, 1])
    assert metrics.top_k(scores, labels).tolist() == [True, False]
    assert metrics.confusion_matrix(scores.argmax(1), labels, 3).sum() == 2
    assert metrics.class_accuracy(np.array([True, False]), labels.astype(float), 3)[2] == 1
    assert metrics.expected_calibration_error(scores, labels) > 0
    assert metrics.negative_log_likelihood(scores, labels) > 0
    assert metrics.group_means([1, 2], [0, 0], 1).tolist() == [1.5]
    assert metrics.action_mean(np.array([1.0, 3.0]), [0, 1], ["a", "b"])[0] == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.mpjpe("walk", "walk"), "predicted poses: found str"),
        (lambda: metrics.mpjpe([[1.0, 2.0], [1.0]], [[1.0, 2.0], [1.0]]), "predicted poses: found list"),
        (lambda: metrics.mpjpe(np.ones((4, 3), dtype=complex), np.ones((4, 3))), "complex"),
        (lambda: metrics.mpjpe(torch.ones(4, 3, dtype=torch.complex64), np.ones((4, 3))), "complex"),
        (lambda: metrics.mpjpe(np.ma.masked_equal(np.eye(3), 0), np.eye(3)), "masked array; fill it with NaN"),
        (lambda: metrics.mpjpe(np.ones(3), np.ones(3)), r"\(3,\); expected \(..., joints, dims\)"),
        (lambda: metrics.velocity_error(np.ones((17, 3)), np.ones((17, 3))), r"expected \(..., frames, joints, dims\)"),
        (lambda: metrics.euler_error(np.ones(3), np.ones(3)), r"expected \(..., frames, angles\)"),
        (lambda: metrics.pck(np.ones((2, 17)), joints=[20]), "found 20; the errors have 17 joints, 0 to 16"),
        (lambda: metrics.root_relative(np.ones((17, 3)), 17), "root is 17"),
        (lambda: metrics.confusion_matrix([0.5], [0], 2), "not whole"),
        (lambda: metrics.normalised_pck(np.ones((3, 5, 4, 3)), np.ones((3, 5, 4, 3)), np.ones(4)), "must be positive"),
    ],
)
def test_what_is_no_pose_is_refused_in_words(call: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        call()


WEIGHTS = (metrics.mpjpe, metrics.pa_mpjpe, metrics.n_mpjpe)


@pytest.mark.parametrize("function", WEIGHTS)
@pytest.mark.parametrize("shape", [(1,), (17,), (5, 1), (3, 1, 1), (3, 5, 1), (3, 5, 17)])
def test_equal_weights_change_nothing(function: Any, shape: tuple[int, ...]) -> None:
    p, t = clips()
    for weight in (np.full(shape, 0.5), np.ones(shape, dtype=bool), torch.ones(shape, dtype=torch.int64)):
        torch.testing.assert_close(function(p, t, weight), function(p, t), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", WEIGHTS)
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.ones(16), r"weights are \(16,\); expected one for each joint, \(3, 5, 17\)"),
        (np.ones((3, 5)), "expected one for each joint"),
        (np.ones((3, 5, 17, 1)), "expected one for each joint"),
        (np.ones((1, 3, 5, 17)), "expected one for each joint"),
        (-np.ones(17), "negative or not finite"),
        (np.full(17, np.nan), "negative or not finite"),
        (np.full(17, np.inf), "negative or not finite"),
    ],
)
def test_other_weights_are_refused(function: Any, weight: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        function(*clips(), weight)


def slow_weighted(function: Any, p: Any, t: Any, w: Any) -> float:
    """One pose, by loops: least squares with each joint's square weighted, then the weighted mean of the distances."""
    there = [j for j in range(len(w)) if w[j] > 0]
    total = sum(w[j] for j in there)
    if function is metrics.n_mpjpe:
        scale = sum(w[j] * (p[j] @ t[j]) for j in there) / sum(w[j] * (p[j] @ p[j]) for j in there)
        moved = {j: scale * p[j] for j in there}
    elif function is metrics.pa_mpjpe:
        mp, mt = (sum(w[j] * x[j] for j in there) / total for x in (p, t))
        h = sum(w[j] * np.outer(t[j] - mt, p[j] - mp) for j in there)
        u, s, vt = np.linalg.svd(h)
        d = np.diag([1.0, 1.0, np.linalg.det(u) * np.linalg.det(vt)])
        scale = np.trace(np.diag(s) @ d) / sum(w[j] * (p[j] - mp) @ (p[j] - mp) for j in there)
        moved = {j: scale * u @ d @ vt @ (p[j] - mp) + mt for j in there}
    else:
        moved = {j: p[j] for j in there}
    return float(sum(w[j] * np.linalg.norm(moved[j] - t[j]) for j in there) / total)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(WEIGHTS))
def test_weighted_errors_match_the_loop(seed: int, function: Any) -> None:
    rng = np.random.default_rng(seed)
    p, t = rng.normal(size=(2, 4, 17, 3))
    w = rng.uniform(0.1, 3, size=(4, 17)) * (rng.random((4, 17)) > 0.3)
    want = [slow_weighted(function, *pose) for pose in zip(p, t, w, strict=True)]
    p[w == 0] = rng.choice([np.nan, np.inf, 1e9])  # what has no weight is not looked at
    np.testing.assert_allclose(function(p, t, w), want, rtol=1e-8)


@pytest.mark.parametrize("function", WEIGHTS)
def test_a_missing_joint_leaves_figure_and_gradient(function: Any) -> None:
    p, t = (torch.tensor(x) for x in clips())
    weight = torch.ones(3, 5, 17)
    weight[0, 0, 3] = 0
    p[0, 0, 3] = torch.nan
    p.requires_grad_()
    errors = function(p, t, weight)
    assert torch.isfinite(errors).all()
    assert torch.isnan(function(p, t)[0, 0])
    errors.sum().backward()
    assert torch.isfinite(p.grad).all()  # type: ignore[arg-type]
    weight[1, 2] = 0
    assert torch.isnan(function(p, t, weight)[1, 2])


def test_alignment_moves_the_joints_that_do_not_count() -> None:
    t = torch.tensor(clips()[1])
    weight = torch.ones(17)
    weight[4] = 0
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    turned = t @ (turn * torch.det(turn))  # no mirror
    turned[..., 4, :] += 1  # an outlier of no weight
    aligned = metrics.similarity_align(turned, t, weight=weight)
    torch.testing.assert_close(aligned[..., :4, :], t[..., :4, :])
    torch.testing.assert_close(aligned[..., 5:, :], t[..., 5:, :])
    assert torch.isfinite(aligned).all()


def test_shells_take_weights() -> None:
    pytest.importorskip("torchmetrics")
    p, t = (torch.tensor(x) for x in clips())
    p[..., 2, :] = torch.nan
    weight = (torch.arange(17) != 2).float()
    shell = metrics.PAMPJPE(unit=1.0)
    shell.update(p, t, weight)
    assert shell.compute().item() == pytest.approx(metrics.pa_mpjpe(p, t, weight).mean().item())
