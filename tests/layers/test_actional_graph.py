"""The actional graph inference module against loops written from Eq. 1, 2 and Table 16."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from kinegraph.errors import ConfigError
from kinegraph.layers.actional_graph import ActionalGraph

Array = NDArray[np.float64]
NODES, FEATURES, WIDTH, BATCH = 5, 6, 4, 3


def build(iterations: int, **options: float) -> ActionalGraph:
    torch.manual_seed(iterations)
    module = ActionalGraph(NODES, FEATURES, width=WIDTH, iterations=iterations, **options).double()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.3 * torch.rand_like(tensor))
    return module


def linear(layer: nn.Module, x: Array) -> Array:
    assert isinstance(layer, nn.Linear)
    y = x @ layer.weight.detach().numpy().T
    return y if layer.bias is None else y + layer.bias.detach().numpy()


def norm(layer: nn.Module, rows: Array, *, training: bool) -> Array:
    """Batch norm of (rows, width)."""
    assert isinstance(layer, nn.BatchNorm1d)
    assert layer.running_mean is not None
    assert layer.running_var is not None
    if training:
        mean, var = rows.mean(axis=0), rows.var(axis=0)
    else:
        mean, var = layer.running_mean.numpy(), layer.running_var.numpy()
    scaled = (rows - mean) / np.sqrt(var + layer.eps)
    result: Array = scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()
    return result


def mlp(sequence: nn.Module, x: Array, *, training: bool) -> Array:
    """linear - relu - (dropout) - linear - relu - bn of (batch, nodes, in)."""
    assert isinstance(sequence, nn.Sequential)
    first, second, bn = sequence[0], sequence[3], sequence[5]
    y = np.maximum(linear(second, np.maximum(linear(first, x), 0)), 0)
    return norm(bn, y.reshape(-1, WIDTH), training=training).reshape(y.shape)


def reference(module: ActionalGraph, x: Array, *, training: bool) -> Array:
    p = mlp(module.joints[0], x, training=training)
    for edges, joints in zip(module.edges, list(module.joints)[1:], strict=True):
        # the first edge layer as the paper has it: one matrix on [p_i, p_j]
        whole = np.concatenate(
            (edges.source.weight.detach().numpy(), edges.target.weight.detach().numpy()),
            axis=1,  # type: ignore[union-attr]
        )
        bias = edges.source.bias.detach().numpy()  # type: ignore[union-attr]
        q = np.zeros((BATCH, NODES, NODES, WIDTH))
        for b in range(BATCH):
            for i in range(NODES):
                for j in range(NODES):
                    hidden = np.maximum(whole @ np.concatenate((p[b, i], p[b, j])) + bias, 0)
                    q[b, i, j] = np.maximum(linear(edges.last, hidden), 0)  # type: ignore[arg-type]
        pairs = ~np.eye(NODES, dtype=bool)
        q[:, pairs] = norm(edges.norm, q[:, pairs].reshape(-1, WIDTH), training=training).reshape(BATCH, -1, WIDTH)  # type: ignore[arg-type]
        mean = np.zeros((BATCH, NODES, WIDTH))
        for i in range(NODES):
            mean[:, i] = sum(q[:, i, j] for j in range(NODES) if j != i) / (NODES - 1)
        p = mlp(joints, mean, training=training)
    f = linear(module.f[1], mlp(module.f[0], p, training=training))
    g = linear(module.g[1], mlp(module.g[0], p, training=training))
    graph = np.zeros((BATCH, NODES, NODES))
    for b in range(BATCH):
        for i in range(NODES):
            scores = [math.exp(f[b, i] @ g[b, j]) for j in range(NODES)]
            graph[b, i] = np.array(scores) / sum(scores)
    return graph


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("iterations", [0, 1, 2, 4])
def test_against_loops(iterations: int, training: bool) -> None:
    module = build(iterations).train(training)
    x = torch.randn(BATCH, NODES, FEATURES, dtype=torch.float64)
    expected = reference(module, x.numpy(), training=training)
    graph = module(x)
    np.testing.assert_allclose(graph.detach().numpy(), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(graph.sum(dim=-1), torch.ones(BATCH, NODES, dtype=torch.float64))
    if iterations == 0:  # the two embeddings differ: incoming and outgoing relations do, too
        assert not torch.allclose(graph, graph.transpose(1, 2), atol=1e-3)


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_parameters_are_those_of_table_16(iterations: int) -> None:
    """Two layers with biases and a norm per MLP; the first edge layer takes twice the width."""
    module = ActionalGraph(21, 147, width=128, iterations=iterations)
    layer = 128 * 128 + 128
    first = (147 * 128 + 128) + layer + 256
    edge = (256 * 128 + 128) + layer + 256
    joint = 2 * layer + 256
    embedding = 3 * layer + 256
    expected = first + iterations * (edge + joint) + 2 * embedding
    assert sum(p.numel() for p in module.parameters()) == expected


def test_relabelled_joints_give_the_relabelled_graph() -> None:
    module = build(2).eval()
    x = torch.randn(BATCH, NODES, FEATURES, dtype=torch.float64)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(module(x[:, order]), module(x)[:, order][:, :, order])


def test_dropout_acts_in_training_alone() -> None:
    module = build(1, dropout=0.5)
    x = torch.randn(BATCH, NODES, FEATURES, dtype=torch.float64)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def test_gradients_by_finite_differences() -> None:
    module = build(1).eval()
    x = torch.randn(2, NODES, FEATURES, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,), fast_mode=True)


def test_impossible_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="iterations -1"):
        ActionalGraph(3, 4, iterations=-1)
    with pytest.raises(ConfigError, match="set iterations 0"):
        ActionalGraph(1, 4, iterations=1)
    assert ActionalGraph(1, 4, iterations=0)(torch.randn(2, 1, 4)).tolist() == [[[1.0]], [[1.0]]]
