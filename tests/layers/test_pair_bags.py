"""Sums over neighbours for one sample or two: against loops, and as what the layers answer without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinegraph.layers import HCSF, Aggregation
from kinegraph.layers.neighbours import Neighbours
from kinegraph.layers.pair_bags import LayerBags, PairBags
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


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-5), (True, 5e-3)])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("widths", [(), (2,), (1, 4)], ids=str)
def test_a_layer_in_one_bag_is_that_of_loops(widths: tuple[int, ...], batch: int, half: bool, tolerance: float) -> None:
    pairs, generator = Neighbours(random_mask(3)), torch.Generator().manual_seed(len(widths))
    x = torch.randn(batch, 7, 5, generator=generator)
    weight = torch.randn(len(pairs), 5, 3, generator=generator)
    terms = [torch.randn(7, width, 3, generator=generator) for width in widths]
    inner = [torch.randn(batch, 7, width, generator=generator) for width in widths]
    bias = torch.randn(7, 3, generator=generator)
    expected = np.zeros((batch, 7, 3))
    for sample in range(batch):
        for i in range(7):
            expected[sample, i] = bias[i].numpy()
            for rows, z in zip(terms, inner, strict=True):
                expected[sample, i] += z[sample, i].double().numpy() @ rows[i].double().numpy()
        for pair, (i, j) in enumerate(zip(pairs.targets, pairs.sources, strict=True)):
            expected[sample, i] += x[sample, j].double().numpy() @ weight[pair].double().numpy()
    with torch.no_grad():
        found = LayerBags(pairs, weight, terms, bias, half=half).sum(x, inner)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)


class Spy:
    """Counts the sums that are made by bags."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Spy:
        self._patches = [patch.object(kind, "sum", self._counted(kind.sum)) for kind in (PairBags, LayerBags)]
        for one in self._patches:
            one.start()
        return self

    def _counted(self, real: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def counted(*given: object) -> Tensor:
            self.calls += 1
            return real(*given)

        return counted

    def __exit__(self, *_: object) -> None:
        for one in self._patches:
            one.stop()


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


@pytest.fixture
def lower_precision() -> Iterator[None]:
    """PyTorch's precision of float32 products lowered, for one test."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_lifter_rounds_like_tf32_only_where_precision_is_lowered(batch: int, lower_precision: None) -> None:
    torch.manual_seed(0)
    model: nn.Module = build("hcsf", get_skeleton("h36m17"), {"channels": 32})
    model(torch.randn(64, 17, 2))
    x = torch.randn(batch, 17, 2)
    with torch.inference_mode():
        exact = model.eval().double()(x.double()).float()
        rounded = model.float()(x)
        torch.set_float32_matmul_precision("highest")
        full = model(x)
    torch.testing.assert_close(full, exact, rtol=1e-4, atol=1e-6)
    error = float((rounded - exact).norm() / exact.norm())
    assert 2e-5 < error < 1e-3  # 11 bits in each of four layers; float32 would be at 1e-6


@pytest.mark.parametrize("where", ["features", "weights"])
def test_what_float16_cannot_hold_is_summed_up_in_float32(where: str, lower_precision: None) -> None:
    torch.manual_seed(0)
    layer = HCSF(get_skeleton("h36m17").hop_distances(), 32, 32).eval()
    x = torch.randn(1, 17, 32)
    if where == "features":
        x *= 1e5
    else:
        with torch.no_grad():
            layer.transform.weight.mul_(1e6)
    with torch.inference_mode():
        found = layer(x)
        exact = layer.double()(x.double()).float()
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-4 * float(exact.abs().max()))


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
