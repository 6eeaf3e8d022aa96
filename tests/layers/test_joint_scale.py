"""Joint-scale convolution and block against loops written from Eq. 3 to 6."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kinegraph.errors import ConfigError
from kinegraph.layers.graph_temporal import ChannelNorm, GraphTemporalBlock
from kinegraph.layers.joint_scale import JointGraphConv, joint_block
from kinegraph.skeleton import Skeleton

Array = NDArray[np.float64]
BODY = Skeleton(name="body", joints=("hip", "chest", "head", "arm", "leg"), parents=(-1, 0, 1, 1, 0))
NODES, BATCH, FRAMES = 5, 2, 6


def powers(orders: int) -> list[Array]:
    """(D^-1 A)^g by definition, A with self-loops."""
    matrix = np.eye(NODES)
    for child, parent in enumerate(BODY.parents):
        if parent >= 0:
            matrix[child, parent] = matrix[parent, child] = 1
    matrix = np.diag(1 / matrix.sum(axis=1)) @ matrix
    return [np.linalg.matrix_power(matrix, order) for order in range(1, orders + 1)]


def shake(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) if "var" in name else 0.5 * torch.randn_like(tensor))


def convolution(module: JointGraphConv, x: Array, graph: Array, orders: int, lambda_act: float | None) -> Array:
    """Eq. 5 over x (batch, nodes, frames, in), one frame after another."""
    weights = list(module.weight.detach().numpy())
    y = np.zeros((*x.shape[:3], weights[0].shape[1]))
    for b in range(x.shape[0]):
        for t in range(x.shape[2]):
            frame = x[b, :, t]
            for order in range(orders):
                assert module.edges is not None
                structural = powers(orders)[order] * module.edges.detach().numpy()[order]
                y[b, :, t] += structural @ frame @ weights[order]
            if lambda_act is not None:
                y[b, :, t] += lambda_act * graph[b] @ frame @ weights[-1]
    return y


def inputs(channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(channels)
    x = torch.randn(BATCH, NODES, FRAMES, channels, dtype=torch.float64)
    return x, torch.softmax(torch.randn(BATCH, NODES, NODES, dtype=torch.float64), dim=-1)


@pytest.mark.parametrize(("orders", "lambda_act"), [(3, 0.7), (1, 1.0), (4, None), (0, 0.5)])
@pytest.mark.parametrize(("channels", "out"), [(2, 4), (4, 2), (3, 3)])
def test_convolution_against_loops(orders: int, lambda_act: float | None, channels: int, out: int) -> None:
    module = JointGraphConv(BODY.polynomials(orders) if orders else None, channels, out, lambda_act=lambda_act)
    module = module.double()
    if orders:
        module.get_buffer("polynomials").copy_(torch.from_numpy(BODY.polynomials(orders)))  # unrounded
    shake(module)
    if orders:
        module.get_buffer("polynomials").copy_(torch.from_numpy(np.stack(powers(orders))))
    x, graph = inputs(channels)
    given = None if lambda_act is None else graph
    expected = convolution(module, x.numpy(), graph.numpy(), orders, lambda_act)
    np.testing.assert_allclose(module(x, given).detach().numpy(), expected, rtol=1e-10, atol=1e-12)
    stacked = module.stacked_graphs(BATCH, given)
    frame = module.of_frame(x[:, :, 0].contiguous(), stacked)
    np.testing.assert_allclose(frame.detach().numpy(), expected[:, :, 0], rtol=1e-10, atol=1e-12)


def test_edge_weights_start_at_one_and_stay_on_the_graph() -> None:
    module = JointGraphConv(BODY.polynomials(2), 3, 3, lambda_act=None)
    assert module.edges is not None
    assert bool((module.edges == 1).all())
    torch.testing.assert_close(module.structural_graphs(), torch.from_numpy(np.stack(powers(2))).float())
    torch.nn.init.normal_(module.edges)
    outside = np.stack(powers(2)) == 0
    assert bool((module.structural_graphs()[torch.from_numpy(outside)] == 0).all())


def test_a_convolution_without_its_graphs_is_refused() -> None:
    with pytest.raises(ConfigError, match="structural graphs, actional graphs or both"):
        JointGraphConv(None, 3, 3, lambda_act=None)
    with pytest.raises(ConfigError, match="give it the inferred graph"):
        JointGraphConv(None, 3, 3, lambda_act=1.0)(torch.zeros(1, NODES, 1, 3), None)
    with pytest.raises(ConfigError, match="no structural graphs"):
        JointGraphConv(None, 3, 3, lambda_act=1.0).structural_graphs()


def norm(layer: ChannelNorm, x: Array) -> Array:
    assert layer.running_mean is not None
    assert layer.running_var is not None
    scaled = (x - layer.running_mean.numpy()) / np.sqrt(layer.running_var.numpy() + layer.eps)
    result: Array = scaled * layer.weight.detach().numpy() + layer.bias.detach().numpy()
    return result


def block_reference(block: GraphTemporalBlock, convolved: Array, x: Array, kernel: int, stride: int) -> Array:
    """Fig. 4 in eval mode, given the graph convolution's result."""
    y = np.maximum(norm(block.graph_norm, convolved), 0)
    weight = block.temporal.weight.detach().numpy()[:, :, 0]  # (out, in, kernel)
    frames = x.shape[2]
    centres = range(0, frames, stride)
    z = np.zeros((*y.shape[:2], len(centres), weight.shape[0]))
    for place, centre in enumerate(centres):
        for tap in range(kernel):
            t = centre + tap - kernel // 2
            if 0 <= t < frames:
                z[:, :, place] += y[:, :, t] @ weight[:, :, tap].T
    z = np.maximum(norm(block.temporal_norm, z), 0)
    if isinstance(block.residual, torch.nn.Identity):
        return z + x
    linear, bn = block.residual[0], block.residual[1]  # type: ignore[index]
    result: Array = z + norm(bn, x[:, :, ::stride] @ linear.weight.detach().numpy().T)
    return result


@pytest.mark.parametrize(("channels", "spatial", "out", "kernel", "stride"), [(3, 4, 5, 3, 2), (4, 2, 4, 5, 1)])
def test_block_against_loops(channels: int, spatial: int, out: int, kernel: int, stride: int) -> None:
    block = joint_block(
        BODY.polynomials(2), channels, spatial, out, lambda_act=0.5, kernel=kernel, stride=stride, dropout=0.3
    )
    block = block.double().eval()
    shake(block)
    assert isinstance(block.graph, JointGraphConv)
    block.graph.get_buffer("polynomials").copy_(torch.from_numpy(np.stack(powers(2))))
    x, graph = inputs(channels)
    convolved = convolution(block.graph, x.numpy(), graph.numpy(), 2, 0.5)
    expected = block_reference(block, convolved, x.numpy(), kernel, stride)
    np.testing.assert_allclose(block(x, graph).detach().numpy(), expected, rtol=1e-9, atol=1e-12)
    with torch.no_grad():
        np.testing.assert_allclose(block(x, graph).numpy(), expected, rtol=1e-9, atol=1e-12)


def test_block_in_training_normalises_by_the_batch_and_drops() -> None:
    block = joint_block(BODY.polynomials(1), 3, 4, 4, lambda_act=1.0, kernel=3, stride=1, dropout=0.0)
    seen: list[torch.Tensor] = []
    block.temporal_norm.register_forward_hook(lambda _m, _i, out: seen.append(out.detach().clone()))
    x, graph = (tensor.float() for tensor in inputs(3))
    block(x, graph)
    assert float(seen[0].mean(dim=(0, 1, 2)).abs().max()) < 1e-3
    dropping = joint_block(BODY.polynomials(1), 3, 4, 4, lambda_act=1.0, kernel=3, stride=1, dropout=0.5)
    assert not torch.equal(dropping(x, graph), dropping(x, graph))


def test_gradients_by_finite_differences() -> None:
    block = joint_block(BODY.polynomials(2), 3, 2, 4, lambda_act=0.5, kernel=3, stride=2, dropout=0.0).double().eval()
    shake(block)
    x, graph = (tensor.requires_grad_() for tensor in inputs(3))
    assert torch.autograd.gradcheck(block, (x, graph), fast_mode=True)


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ConfigError, match="temporal kernel 4"):
        joint_block(BODY.polynomials(1), 3, 2, 4, lambda_act=None, kernel=4, stride=1, dropout=0.0)
