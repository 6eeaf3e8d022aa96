"""Theorem 1: the bound against slow arithmetic, the inequality itself on random layers, and what is measured."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from motion_files import TINY, write_recordings, write_weights

from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError, DataError
from kinegraph.evaluation.stability import (
    FirstLayer,
    amplify_factor,
    distortion_bound,
    first_layer,
    measure_stability,
    norm_bound,
    stability_report,
    zero_norms,
)
from kinegraph.models import build
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import load_weights


def random_layer(seed: int, joints: int, out: int, orders: int, lambda_act: float) -> FirstLayer:
    """A joint-scale convolution on a random tree, with weights of either sign."""
    rng = np.random.default_rng(seed)
    adjacency = np.eye(joints)
    for child in range(1, joints):
        parent = rng.integers(child)
        adjacency[child, parent] = adjacency[parent, child] = 1
    normalised = adjacency / adjacency.sum(axis=1, keepdims=True)
    edges = rng.normal(size=(orders, joints, joints))
    powers = [np.linalg.matrix_power(normalised, g + 1) for g in range(orders)]
    return FirstLayer(
        lambda_act=lambda_act,
        w_act=rng.normal(size=(3, out)),
        w_str=rng.normal(size=(orders, 3, out)),
        edges=edges,
        graphs=np.array([p * m for p, m in zip(powers, edges, strict=True)]).reshape(orders, joints, joints),
        adjacency=adjacency,
        order=0,
        network="joint",
    )


def slow_bound(layer: FirstLayer, epsilon: float, constant: float, q: float) -> float:
    """The theorem as it is printed, entry by entry."""
    largest = lambda matrix: max(abs(value) for row in matrix for value in row)  # noqa: E731
    structural = 0.0
    power = np.eye(len(layer.adjacency))
    for mask, weight in zip(layer.edges, layer.w_str, strict=True):
        power = power @ layer.adjacency
        count = sum(1 for row in power for value in row if value != 0)
        structural += math.sqrt(count) * largest(mask) * largest(weight)
    width = layer.w_act.shape[1]
    return math.sqrt(3 * width) * (
        epsilon**q * layer.lambda_act * largest(layer.w_act) * constant + epsilon * structural
    )


def bound_of(layer: FirstLayer, epsilon: Any, constant: float, q: float) -> Any:
    return distortion_bound(
        epsilon,
        constant=constant,
        q=q,
        lambda_act=layer.lambda_act,
        w_act=layer.w_act,
        w_str=layer.w_str,
        edges=layer.edges,
        adjacency=layer.adjacency,
    )


LAYERS = st.builds(
    random_layer,
    st.integers(0, 2**31),
    st.integers(2, 9),
    st.integers(1, 8),
    st.integers(0, 4),
    st.floats(0, 3),
)


@settings(max_examples=60, deadline=None)
@given(LAYERS, st.floats(0, 10), st.floats(0, 5), st.floats(0.5, 2))
def test_bound_is_the_printed_one(layer: FirstLayer, epsilon: float, constant: float, q: float) -> None:
    assert bound_of(layer, epsilon, constant, q) == pytest.approx(slow_bound(layer, epsilon, constant, q), rel=1e-12)


@settings(max_examples=150, deadline=None)
@given(LAYERS, st.integers(0, 2**31), st.floats(1e-3, 10), st.floats(0.5, 2))
def test_the_theorem_holds(layer: FirstLayer, seed: int, size: float, q: float) -> None:
    """For any graphs inferred from the two inputs, whatever the inference does."""
    rng = np.random.default_rng(seed)
    joints = len(layer.adjacency)
    x, noise = rng.normal(size=(2, joints, 3))
    graph, other = rng.dirichlet(np.ones(joints), size=(2, joints))
    disturbed = x + size * noise
    epsilon = np.linalg.norm(disturbed - x)
    response = np.linalg.norm(other @ disturbed - graph @ x)
    distortion = np.linalg.norm(layer.activated(disturbed, other) - layer.activated(x, graph))
    bound = bound_of(layer, epsilon, response / epsilon**q, q)
    tighter = norm_bound(
        epsilon,
        response,
        lambda_act=layer.lambda_act,
        w_act=layer.w_act,
        w_str=layer.w_str,
        graphs=layer.graphs,
    )
    assert distortion <= tighter * (1 + 1e-9) + 1e-12
    assert tighter <= bound * (1 + 1e-9) + 1e-12


def test_the_count_needs_self_loops() -> None:
    """A~ has them; the powers of A alone leave entries out that A~^g has."""
    chain = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    assert zero_norms(chain, 3) == (4, 5, 4)
    assert zero_norms(chain + np.eye(3), 3) == (7, 9, 9)


def test_amplify_factor_of_a_power_law() -> None:
    epsilon = np.geomspace(0.01, 3, 40)
    q, constant = amplify_factor(epsilon, 0.33 * epsilon**1.2)
    assert (q, constant) == pytest.approx((1.2, 0.33))
    rng = np.random.default_rng(0)
    response = 0.33 * epsilon * rng.uniform(0.5, 1.5, 40)
    q, constant = amplify_factor(epsilon, response)
    assert (response <= constant * epsilon**q * (1 + 1e-12)).all()
    with pytest.raises(DataError, match="several sigmas"):
        amplify_factor([1.0, 1.0], [0.3, 0.4])


def test_wrong_shapes_are_refused() -> None:
    layer = random_layer(0, 4, 5, 2, 1.0)
    with pytest.raises(DataError, match="not of one convolution"):
        distortion_bound(
            1.0,
            constant=1,
            q=1,
            lambda_act=1,
            w_act=layer.w_act,
            w_str=layer.w_str[:1],
            edges=layer.edges,
            adjacency=layer.adjacency,
        )
    with pytest.raises(DataError, match="0 or more"):
        bound_of(layer, -1.0, 1, 1)


# ------------------------------------------------------------------------------------------------- trained networks


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("cmu"))


def network(skeleton: Any, **options: Any) -> Any:
    torch.manual_seed(1)
    model = build("symgnn", skeleton, {**TINY, "observed": 8, "horizon": 2, "width": 0.25, **options}).eval()
    for parameter in model.parameters():  # edge weights start at one; let them differ
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("stream", ["joint", "bone"])
def test_the_layer_is_that_of_the_network(stream: str) -> None:
    skeleton = cmu_actions.network_skeleton()
    model = network(skeleton, stream=stream).double()
    layer = first_layer(model)
    convolution = model.networks[stream].backbone.branches[0].joint_blocks[0].graph
    x = torch.randn(2, 8, skeleton.num_joints, 3, dtype=torch.float64)
    with torch.no_grad():
        graph = model.actional_graph(x)
        found = convolution(x.transpose(1, 2), graph).transpose(1, 2).numpy()
    answer = layer.activated(x.numpy(), graph.numpy()[:, None])
    np.testing.assert_allclose(answer, np.maximum(found, 0), atol=1e-10)
    assert layer.network == stream
    assert zero_norms(layer.adjacency, 2)[0] == (layer.graphs[0] != 0).sum()


def test_measurement_of_one_frame_by_hand(recordings: Path) -> None:
    data = cmu_actions.load(recordings, "test")
    transform = MotionTransform.fit([c.features for c in data.clips], fps=60.0, observed=8, horizon=2)
    windows = np.stack([clip.features[:8] for clip in data.clips])
    model = network(data.skeleton)
    result = measure_stability(model, transform, windows, label="x", sigmas=(0.02, 0.1), draws=1, seed=5)
    assert result.held == 1.0
    assert (result.distortion_most <= result.bound.max()).all()
    assert (result.distortion < result.tighter).all()
    assert (result.tighter < result.bound).all()
    layer, exact = first_layer(model), model.double()
    noise = np.random.default_rng(5).normal(size=(1, *windows.shape))[0]
    scale = np.array(transform.scale)
    moving = scale > 0
    clean = np.where(moving, (windows - transform.mean) / np.where(moving, scale, 1), 0)
    eps, response, distortion = [], [], []
    noisy = clean + np.where(moving, 0.02 * noise / np.where(moving, scale, 1), 0)
    with torch.no_grad():
        before, after = (exact.actional_graph(torch.from_numpy(one)).numpy() for one in (clean, noisy))
    for w in range(len(windows)):
        for t in range(8):
            a, b = clean[w, t], noisy[w, t]
            eps.append(np.sqrt(((b - a) ** 2).sum()))
            response.append(np.linalg.norm(after[w] @ b - before[w] @ a))
            y, z = layer.activated(a, before[w]), layer.activated(b, after[w])
            distortion.append(np.linalg.norm(z - y))
    assert result.epsilon[0] == pytest.approx(np.mean(eps))
    assert result.response[0] == pytest.approx(np.mean(response))
    assert result.ratio[0] == pytest.approx(np.mean(np.array(response) / eps))
    assert result.distortion[0] == pytest.approx(np.mean(distortion))
    printed = stability_report(result)
    assert "Theorem 1 holds in 100.00 %" in printed
    assert result.to_json()["q"] == result.q


def test_what_has_no_such_layer(recordings: Path, tmp_path: Path) -> None:
    skeleton = cmu_actions.network_skeleton()
    with pytest.raises(ConfigError, match="actional"):
        first_layer(network(skeleton, actional=False))
    with pytest.raises(ConfigError, match="ZeroVelocity"):
        first_layer(build("zero_velocity", skeleton))
    alone = first_layer(network(skeleton, structural=False))
    assert len(alone.edges) == len(alone.w_str) == 0
    weights = load_weights(write_weights(tmp_path, recordings))
    for bad, message in (({"sigmas": (0.0,)}, "positive"), ({"draws": 0}, "1 draw"), ({"seed": -1}, "seed is -1")):
        with pytest.raises(ConfigError, match=message):
            measure_stability(weights.model, weights.transform, np.zeros((1, 50, 27, 3)), label="x", **bad)
