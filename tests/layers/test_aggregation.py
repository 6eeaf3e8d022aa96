"""The sparse aggregation against a masked dense weight, and its gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.errors import ConfigError
from kinegraph.layers import Aggregation, Neighbours
from kinegraph.skeleton import get_skeleton


def dense_weight(layer: Aggregation) -> torch.Tensor:
    """One ``(nodes * in, nodes * out)`` matrix with a block per pair and zeros elsewhere."""
    nodes = layer.neighbours.nodes
    full = torch.zeros(nodes, layer.in_channels, nodes, layer.out_channels, dtype=layer.weight.dtype)
    for i, j, weight in zip(layer.targets, layer.sources, layer.weight, strict=True):
        full[j, :, i] = weight
    return full.reshape(nodes * layer.in_channels, nodes * layer.out_channels)


@pytest.mark.parametrize("hop", [0, 1, 2, 6])
@pytest.mark.parametrize("out", [2, 24])
def test_pairwise_is_a_masked_dense_weight(hop: int, out: int) -> None:
    torch.manual_seed(hop)
    layer = Aggregation(get_skeleton("h36m17").hop_mask(hop), 12, out).double()
    for batch in (1, 5):
        x = torch.randn(batch, 17, 12, dtype=torch.float64)
        expected = (x.reshape(batch, -1) @ dense_weight(layer)).reshape(batch, 17, out)
        torch.testing.assert_close(layer(x), expected, rtol=1e-12, atol=1e-12)


def test_static_adjacency_values_scale_the_pairs() -> None:
    adjacency = get_skeleton("h36m17").normalised_adjacency("row")
    torch.manual_seed(0)
    layer = Aggregation(adjacency, 3, 4).double()
    plain = Aggregation(adjacency != 0, 3, 4).double()
    x = torch.randn(2, 17, 3, dtype=torch.float64)
    with torch.no_grad():
        plain.weight.copy_(layer.weight * torch.as_tensor(adjacency)[layer.targets, layer.sources].reshape(-1, 1, 1))
    torch.testing.assert_close(layer(x), plain(x), rtol=1e-6, atol=1e-7)  # the buffer is float32


@pytest.mark.parametrize("sharing", ["pairwise", "shared", "pre_aggregation", "post_aggregation"])
@pytest.mark.parametrize("gated", ["static", "learned", "per_sample"])
@pytest.mark.parametrize("batch", [2, 5])  # few samples and many take different ways
@pytest.mark.parametrize("channels", [(3, 2), (4, 1)])  # and so do narrow outputs
def test_gradients_by_finite_differences(sharing: str, gated: str, batch: int, channels: tuple[int, int]) -> None:
    torch.manual_seed(1)
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)
    layer = Aggregation(mask, *channels, sharing=sharing).double()  # type: ignore[arg-type]
    x = torch.randn(batch, 4, channels[0], dtype=torch.float64, requires_grad=True)
    shape = {"static": None, "learned": (4, 4), "per_sample": (batch, 4, 4)}[gated]
    support = torch.from_numpy(mask).double()
    gate = None if shape is None else (torch.randn(shape, dtype=torch.float64) * support).requires_grad_()

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        weights = {"weight": inputs[1]}
        on_support = inputs[2] * support if len(inputs) > 2 else None
        result: torch.Tensor = torch.func.functional_call(layer, weights, (inputs[0], on_support))
        return result

    inputs = (x, layer.weight) if gate is None else (x, layer.weight, gate)
    assert torch.autograd.gradcheck(run, inputs)


def test_a_node_without_neighbours_receives_nothing() -> None:
    layer = Aggregation(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]), 4, 4)
    out = layer(torch.randn(2, 3, 4))
    assert bool((out[:, 2] == 0).all())
    assert bool((out[:, :2] != 0).all())


def test_groups_cover_every_pair_once() -> None:
    mask = get_skeleton("ntu25").hop_mask(3)
    pairs = Neighbours(mask)
    again = np.zeros_like(mask)
    again[pairs.targets, pairs.sources] = True
    assert (again == mask).all()
    assert len(pairs) == mask.sum()
    order = [node for group in pairs.groups for node in group.nodes]
    assert sorted(order) == list(range(25))
    assert [order[p] for p in pairs.position] == list(range(25))
    assert sum(len(g.nodes) * g.degree for g in pairs.groups) == len(pairs)
    for group in pairs.groups:
        assert pairs.targets[group.pairs].tolist() == [n for n in group.nodes for _ in range(group.degree)]


@pytest.mark.parametrize("mask", [np.zeros((3, 3)), np.ones((2, 3))])
def test_impossible_masks_are_refused(mask: np.ndarray) -> None:
    with pytest.raises(ConfigError):
        Neighbours(mask)


@pytest.mark.parametrize("gated", [False, True])
def test_an_exported_graph_sums_narrow_outputs_by_a_product(gated: bool) -> None:
    """Not by sums into indexed places, which onnxruntime's threads lose some of; the values are the same."""
    torch.manual_seed(0)
    layer = Aggregation(get_skeleton("h36m17").hop_mask(2), 12, 3).double()
    x = torch.randn(5, 17, 12, dtype=torch.float64)
    inputs = (x, torch.randn(5, 17, 17, dtype=torch.float64)) if gated else (x,)
    program = torch.export.export(layer, inputs)
    assert not any("index_add" in str(node.target) or "scatter" in str(node.target) for node in program.graph.nodes)
    torch.testing.assert_close(program.module()(*inputs), layer(*inputs), rtol=1e-12, atol=1e-12)
