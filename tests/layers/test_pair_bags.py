"""Sums over neighbours for one sample or two: against loops, and as what the layers answer without gradients."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinegraph.layers import Aggregation
from kinegraph.layers.neighbours import Neighbours
from kinegraph.layers.pair_bags import PairBags
from kinegraph.models import build
from kinegraph.skeleton import get_skeleton


def random_mask(seed: int, nodes: int = 7) -> np.ndarray:
    """Of every degree, one node without neighbours and one that is nobody's among them."""
    rng = np.random.default_rng(seed)
    mask = rng.uniform(size=(nodes, nodes)) < rng.uniform(0.1, 0.9, size=(nodes, 1))
    mask[2] = False
    mask[:, 4] = False
    mask[0, 1] = True
    return mask


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("gated", [False, True])
def test_the_sum_is_that_of_loops(seed: int, batch: int, gated: bool) -> None:
    pairs, generator = Neighbours(random_mask(seed)), torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 7, 5, generator=generator)
    weight = torch.randn(len(pairs), 5, 3, generator=generator)
    gate = torch.randn(batch, len(pairs), generator=generator) if gated else None
    expected = np.zeros((batch, 7, 3))
    for sample in range(batch):
        for pair, (i, j) in enumerate(zip(pairs.targets, pairs.sources, strict=True)):
            factor = 1.0 if gate is None else float(gate[sample, pair])
            expected[sample, i] += factor * (x[sample, j].double().numpy() @ weight[pair].double().numpy())
    with torch.no_grad():
        found = PairBags(pairs, 5).sum(x, weight, gate)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


class Spy:
    """Counts the sums that are made by bags."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Spy:
        real = PairBags.sum

        def counted(bags: PairBags, x: Tensor, weight: Tensor, gate: Tensor | None = None) -> Tensor:
            self.calls += 1
            return real(bags, x, weight, gate)

        self._patch = patch.object(PairBags, "sum", counted)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("gate", ["none", "static", "each"])
def test_aggregation_answers_alike_with_gradients_and_without(batch: int, gate: str) -> None:
    torch.manual_seed(0)
    mask = random_mask(1)
    layer = Aggregation(mask, 5, 3)
    x = torch.randn(batch, 7, 5)
    gates = {"none": None, "static": torch.randn(7, 7), "each": torch.randn(batch, 7, 7)}[gate]
    expected = layer(x, gates)
    with Spy() as spy, torch.no_grad():
        torch.testing.assert_close(layer(x, gates), expected, rtol=1e-5, atol=1e-5)
    assert spy.calls == (batch <= 2)


@pytest.mark.parametrize("options", [{}, {"dynamic": "m+alpha_o"}], ids=str)
@pytest.mark.parametrize("batch", [1, 2])
def test_a_lifter_answers_alike_with_gradients_and_without(options: dict[str, str], batch: int) -> None:
    torch.manual_seed(0)
    model: nn.Module = build("hcsf", get_skeleton("h36m17"), {"channels": 16, **options})
    model(torch.randn(64, 17, 2))  # moves the running statistics
    x = torch.randn(batch, 17, 2)
    expected = model.eval()(x)
    with Spy() as spy, torch.inference_mode():
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)
    assert spy.calls >= 8  # two sets of hops in each of four layers at least


def test_where_matrices_are_quicker_or_something_else_is_wanted_bags_do_not_suit() -> None:
    weight, x = torch.randn(4, 5, 3), torch.randn(2, 7, 5)
    assert not PairBags.suits(x, weight)  # gradients are wanted
    with torch.no_grad():
        assert PairBags.suits(x, weight)
        assert not PairBags.suits(torch.randn(3, 7, 5), weight)
        assert not PairBags.suits(x.double(), weight.double())
        assert not PairBags.suits(x.to("meta"), weight.to("meta"))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not PairBags.suits(x, weight)
