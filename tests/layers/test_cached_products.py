"""One target after the other gives what all pairs at once give, and the gradients too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinegraph.layers import Aggregation, Neighbours
from kinegraph.layers.cached_products import sum_in_cache, wants_cache
from kinegraph.layers.pair_products import sum_inputs
from kinegraph.skeleton import get_skeleton


def masks() -> dict[str, np.ndarray]:
    skeleton = get_skeleton("h36m17")
    isolated = skeleton.hop_mask(1, within=True).copy()
    isolated[3] = False
    return {
        "within one hop": skeleton.hop_mask(1, within=True),
        "between any two": np.ones((17, 17), dtype=bool),
        "a joint on its own": isolated,
    }


@pytest.mark.parametrize("which", list(masks()))
@pytest.mark.parametrize("gated", [False, True])
def test_as_all_pairs_at_once(which: str, gated: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    pairs = Neighbours(masks()[which])
    sources = torch.from_numpy(pairs.sources)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    # Strides as they come out of a transposed product.
    x = drawn(17, 6, 3).transpose(0, 1).requires_grad_()
    weight = drawn(len(pairs), 3, 4).requires_grad_()
    gate = drawn(6, len(pairs)).requires_grad_() if gated else None
    error = drawn(17, 6, 4)
    inputs = [x, weight] + ([gate] if gate is not None else [])

    result = sum_in_cache(x, weight, gate, pairs, sources)
    together = torch.cat(sum_inputs(x, sources, pairs.matrices(weight), gate))  # in the order of the groups
    expected = torch.zeros_like(result)
    order = [node for group in pairs.groups if group.degree for node in group.nodes]
    expected[order] = together
    torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)
    for found, wanted in zip(
        torch.autograd.grad(result, inputs, error), torch.autograd.grad(expected, inputs, error), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_only_training_on_a_cpu_in_full_precision_takes_this_way() -> None:
    x = torch.zeros(8, 17, 4)
    many = Neighbours(masks()["between any two"])
    assert wants_cache(x, many)
    assert wants_cache(x, Neighbours(masks()["within one hop"]))
    assert not wants_cache(x, Neighbours(np.eye(17)))
    with torch.no_grad():
        assert not wants_cache(x, many)
    with torch.autocast("cpu", torch.bfloat16):
        assert not wants_cache(x, many)
    assert not wants_cache(x.to("meta"), many)


@pytest.mark.parametrize("gated", ["static", "learned", "per_sample"])
def test_gradients_of_a_layer_by_finite_differences(gated: str) -> None:
    generator = torch.Generator().manual_seed(0)
    layer = Aggregation(np.ones((7, 7), dtype=bool), 2, 2).double()

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()

    x = drawn(5, 7, 2)
    assert wants_cache(x, layer.neighbours)
    gates = {"static": [], "learned": [drawn(7, 7)], "per_sample": [drawn(5, 7, 7)]}[gated]

    def run(x: torch.Tensor, weight: torch.Tensor, *gate: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.func.functional_call(layer, {"weight": weight}, (x, *gate))
        return result

    assert torch.autograd.gradcheck(run, (x, layer.weight, *gates))


def test_a_second_derivative_is_refused_and_not_wrong() -> None:
    layer = Aggregation(np.ones((17, 17), dtype=bool), 4, 4)
    x = torch.randn(8, 17, 4, requires_grad=True)
    (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_nothing_is_kept_of_the_gathered_inputs() -> None:
    everybody = np.ones((17, 17), dtype=bool)
    layer = Aggregation(everybody, 16, 16)
    x = torch.randn(64, 17, 16, requires_grad=True)
    kept: list[int] = []

    def count(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    gate = torch.rand(64, 17, 17, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        layer(x, gate)
    assert max(kept) < 17 * x.numel() / 2  # all pairs at once keep 17 times the features, twice
