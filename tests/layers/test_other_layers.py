"""Node-wise linear maps, batch norms, semantic graph convolution, non-local block and graph convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.errors import ConfigError
from kinegraph.layers import NodeBatchNorm, NodeLinear, NonLocal, SemanticGraphConv
from kinegraph.layers.dynamic_graph import DynamicGraph
from kinegraph.layers.graph_conv import GraphConv
from kinegraph.skeleton import get_skeleton


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


@pytest.mark.parametrize("per_node", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_parts_meet_the_weights_of_their_concatenation(per_node: bool, bias: bool) -> None:
    torch.manual_seed(0)
    linear = NodeLinear(3, 7, 2, per_node=per_node, bias=bias).double()
    if linear.bias is not None:
        torch.nn.init.normal_(linear.bias)
    x = torch.randn(4, 3, 7, dtype=torch.float64)
    weight = array(linear.weight) if per_node else np.repeat(array(linear.weight)[None], 3, axis=0)
    expected = np.einsum("bnc,nco->bno", array(x), weight) + (array(linear.bias) if bias else 0)
    np.testing.assert_allclose(array(linear(x)), expected, rtol=1e-10)
    parts = (x[..., :4], x[..., 4:5], x[..., 5:])
    np.testing.assert_allclose(array(linear.forward_parts(parts)), expected, rtol=1e-10)


@pytest.mark.parametrize("shape", [(64, 5, 3), (16, 4, 5, 3)])
def test_batch_norm_over_channels_or_over_node_channels(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = torch.randn(shape).double() * torch.arange(1, 6).reshape(5, 1) + torch.arange(3)
    flat = array(x).reshape(-1, 5, 3)
    per_node = array(NodeBatchNorm(5, 3, norm="node_channel").double()(x)).reshape(-1, 5, 3)
    per_channel = array(NodeBatchNorm(5, 3, norm="channel").double()(x)).reshape(-1, 5, 3)
    np.testing.assert_allclose(per_node, (flat - flat.mean(0)) / np.sqrt(flat.var(0) + 1e-5), rtol=1e-6)
    np.testing.assert_allclose(per_channel, (flat - flat.mean((0, 1))) / np.sqrt(flat.var((0, 1)) + 1e-5), rtol=1e-6)


def test_semantic_convolution_against_the_loop() -> None:
    edges = get_skeleton("h36m17").adjacency(self_loops=True)
    torch.manual_seed(0)
    layer = SemanticGraphConv(edges, 4, 3).double()
    torch.nn.init.normal_(layer.edges)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 17, 4, dtype=torch.float64)
    scores = np.full((17, 17), -np.inf)
    scores[edges > 0] = array(layer.edges)  # row by row, as numpy fills a mask
    weights = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = np.zeros((2, 17, 3))
    for i in range(17):
        for j in range(17):
            expected[:, i] += weights[i, j] * array(x)[:, j] @ array(layer.own if i == j else layer.others)
    np.testing.assert_allclose(array(layer(x)), expected + array(layer.bias), rtol=1e-9, atol=1e-12)


def test_semantic_edges_start_equal_on_the_bones_alone() -> None:
    skeleton = get_skeleton("h36m17")
    layer = SemanticGraphConv(skeleton.adjacency(self_loops=True), 4, 3)
    np.testing.assert_allclose(array(layer.edge_weights()), skeleton.normalised_adjacency("row"), rtol=1e-6)


def test_non_local_block_against_the_loop_and_starts_as_identity() -> None:
    torch.manual_seed(0)
    block = NonLocal(4, 6).double().eval()
    x = torch.randn(3, 4, 6, dtype=torch.float64)
    torch.testing.assert_close(block(x), x)
    torch.nn.init.ones_(block.norm.weight)
    theta, phi, value = (array(part(x)) for part in (block.theta, block.phi, block.value))
    pair = array(block.pair)
    mixed = np.zeros((3, 4, 3))
    for b in range(3):
        for i in range(4):
            for j in range(4):
                affinity = max(0.0, theta[b, i] @ pair[0] + phi[b, j] @ pair[1])
                mixed[b, i] += affinity * value[b, j] / 4
    out = mixed @ array(block.out.weight).T + array(block.out.bias)
    np.testing.assert_allclose(array(block(x)), array(x) + out / np.sqrt(1 + 1e-5), rtol=1e-9)


@pytest.mark.parametrize("sharing", ["shared", "pre_aggregation", "post_aggregation"])
@pytest.mark.parametrize("decouple", [True, False])
def test_graph_convolution_against_the_loop(sharing: str, decouple: bool) -> None:
    matrix = get_skeleton("h36m17").normalised_adjacency("symmetric")
    torch.manual_seed(0)
    layer = GraphConv(matrix, 4, 3, sharing=sharing, decouple_self=decouple).double()  # type: ignore[arg-type]
    x = torch.randn(2, 17, 4, dtype=torch.float64)
    weight = array(layer.neighbours.weight)
    expected = np.zeros((2, 17, 3))
    for i in range(17):
        for j in range(17):
            if decouple and i == j:
                own = array(layer.own.weight)  # type: ignore[union-attr]
                expected[:, i] += array(x)[:, i] @ (own if sharing == "shared" else own[i])
                continue
            w = {
                "shared": weight,
                "pre_aggregation": weight[j % len(weight)],
                "post_aggregation": weight[i % len(weight)],
            }
            expected[:, i] += matrix[i, j] * (array(x)[:, j] @ w[sharing])
    np.testing.assert_allclose(array(layer(x)), expected, rtol=1e-5, atol=1e-6)  # the adjacency is float32


def test_graph_follows_steady_frames_through_a_bad_one() -> None:
    """A wider temporal kernel moves the graph of the frames around one outlier less (section 3.3)."""
    torch.manual_seed(0)
    pairs = np.ones((5, 5), dtype=bool)
    x = torch.randn(1, 1, 5, 8).expand(1, 9, 5, 8).clone()
    disturbed = x.clone()
    disturbed[:, 4] += 2.0
    moved = {}
    for kernel in (1, 3):
        graph = DynamicGraph(pairs, 8, mode="o", kernel=kernel, embed_channels=4)
        with torch.no_grad():  # the same map in every tap: a moving mean of the frames
            for parameter in (graph.theta, graph.phi):
                assert parameter is not None
                parameter.copy_(torch.linspace(-1, 1, 32).reshape(8, 4).repeat(kernel, 1) / (4 * kernel))
        moved[kernel] = (graph(disturbed) - graph(x))[4].abs().mean().item()
    assert moved[3] < 0.7 * moved[1]


def test_dynamic_graph_refuses_mode_none() -> None:
    with pytest.raises(ConfigError, match="leave it out"):
        DynamicGraph(np.ones((2, 2), dtype=bool), 4, mode="none")
