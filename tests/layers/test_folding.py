"""The folded form is the layer, for every batch size, and never an older one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from kinegraph.layers import HCSF, HCSFOptions
from kinegraph.layers.clip_block import Pointwise
from kinegraph.models import LCNConfig
from kinegraph.models.lcn import LCN
from kinegraph.models.lifting_model import Layer
from kinegraph.skeleton import get_skeleton

DISTANCES = get_skeleton("h36m17").hop_distances()

OPTIONS: list[dict[str, Any]] = [
    {},
    {"long_hops": 1},
    {"long_hops": 4, "squeeze": 0.5},
    {"short_hops": 0, "long_hops": 3, "squeeze": 1.0, "hop_fusion": "add", "range_fusion": "add"},
    {"long_hops": 3, "hop_fusion": "add"},
    {"long_hops": 3, "range_fusion": "add"},
    {"long_hops": 3, "hop_aware": False},
    {"dynamic": "m"},
    {"dynamic": "m", "dynamic_init": "random", "dynamic_support": "dense"},
    {"dynamic": "o"},
    {"dynamic": "m+o", "long_hops": 1},
    {"dynamic": "m+alpha_o", "long_hops": 3, "hop_fusion": "add", "range_fusion": "add"},
    {"dynamic": "m+alpha_o", "dynamic_support": "dense", "squeeze": 1.0},
    {"dynamic": "m+alpha_o", "dynamic_kernel": 3, "dynamic_stride": 2, "dynamic_dilation": 2},
]


def layer_of(options: dict[str, Any], inputs: int, outputs: int) -> Layer:
    torch.manual_seed(0)
    graph = HCSF(DISTANCES, inputs, outputs, HCSFOptions(**options), width=12)
    layer = Layer(graph, 17, outputs, norm="node_channel", slope=0.2, dropout=0.5)
    layer(torch.randn(32, 17, inputs))  # moves the running statistics
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return layer.eval()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(("inputs", "outputs"), [(2, 16), (16, 16), (40, 12), (16, 3)])
def test_folded_equals_unfolded(options: dict[str, Any], inputs: int, outputs: int) -> None:
    layer = layer_of(options, inputs, outputs)
    assert layer.folds()
    for batch in (1, 3, 7):
        x = torch.randn(batch, 17, inputs)
        for module in (layer, layer.graph):
            plain = module(x)  # gradients are on: not folded
            assert plain.requires_grad
            with torch.no_grad():
                assert module.folded_form(x) is not None
                torch.testing.assert_close(module(x), plain, rtol=1e-4, atol=1e-5)
    for leading in ((3, 4), (1, 2), (2, 3, 4)):  # frames, and people beside them
        frames = torch.randn(*leading, 17, inputs)
        for module in (layer, layer.graph):
            with torch.inference_mode():
                folded = module(frames)
            torch.testing.assert_close(folded, module(frames).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("norm", ["channel", "node_channel"])
def test_lcn_folds(norm: Any) -> None:
    torch.manual_seed(0)
    model = LCN(get_skeleton("h36m17"), LCNConfig(channels=16, blocks=1, norm=norm))
    model(torch.randn(64, 17, 2))
    model.eval()
    for batch in (1, 4, 9):
        x = torch.randn(batch, 17, 2)
        with torch.no_grad():
            folded = model(x)
        torch.testing.assert_close(folded, model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"hop_fusion": "multiply", "long_hops": 3},
        {"sharing": "shared"},
        {"range_fusion": "multiply", "dynamic": "o"},
    ],
    ids=str,
)
def test_what_is_not_a_linear_map_is_not_folded(options: dict[str, Any]) -> None:
    layer = layer_of(options, 8, 8)
    with torch.no_grad():
        assert layer.folded_form(torch.randn(1, 17, 8)) is None


def test_training_gradients_and_autocast_are_not_folded() -> None:
    layer, x = layer_of({}, 8, 8), torch.randn(2, 17, 8)
    assert layer.folded_form(x) is None
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert layer.folded_form(x) is None
        assert layer.train().folded_form(x) is None


def _step(layer: Layer) -> None:
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.1)
    with torch.enable_grad():
        layer(torch.randn(2, 17, 8)).square().sum().backward()
    optimiser.step()


def _fused_step(layer: Layer) -> None:
    """Fine-tuning in eval mode; PyTorch's fused optimisers do not count the versions of what they write."""
    optimiser = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
    with torch.enable_grad():
        layer(torch.randn(2, 17, 8)).square().sum().backward()
    optimiser.step()


def _prune(layer: Layer) -> None:
    prune.l1_unstructured(layer.norm, "weight", amount=0.5)


def _load(layer: Layer) -> None:
    layer.load_state_dict({k: v + 0.1 if v.is_floating_point() else v for k, v in layer.state_dict().items()})


def _replace(layer: Layer) -> None:
    layer.norm.bias = nn.Parameter(layer.norm.bias.detach() + 1)


def _through_data(layer: Layer) -> None:
    layer.norm.weight.data.mul_(2)  # leaves no trace on the tensor; entering eval mode covers it
    layer.eval()


def _statistics(layer: Layer) -> None:
    assert layer.norm.running_mean is not None
    layer.norm.running_mean.add_(1)


@pytest.mark.parametrize("change", [_step, _fused_step, _prune, _load, _replace, _through_data, _statistics])
def test_any_change_of_the_state_is_seen(change: Callable[[Layer], None]) -> None:
    layer, x = layer_of({}, 8, 8), torch.randn(2, 17, 8)
    with torch.no_grad():
        before = layer(x)
        change(layer)
        after = layer(x)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, layer(x).detach(), rtol=1e-4, atol=1e-5)


def test_weights_loaded_into_tensors_of_inference_mode() -> None:
    """Such tensors count no versions: loading itself has to be noticed, by a layer and by a recogniser's blocks."""
    with torch.inference_mode():
        layer, x = layer_of({}, 8, 8), torch.randn(2, 17, 8)
        assert layer.norm.weight.is_inference()
        before = layer(x)
        _load(layer)
        after, plain = layer(x), copy.deepcopy(layer)(x)
        unit = Pointwise(8, 4).eval()
        clips = torch.randn(2, 5, 6, 8)
        first = unit(clips)
        unit.load_state_dict({name: value + 1 for name, value in unit.state_dict().items()})
        assert not torch.allclose(first, unit(clips))
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, plain)


def test_copies_of_data_parallel_do_not_share_a_fold() -> None:
    layer, x = layer_of({}, 8, 8), torch.randn(2, 17, 8)
    with torch.no_grad():
        assert layer.folded_form(x) is not None
        assert layer._replicate_for_data_parallel().folded_form(x) is None


def test_an_empty_batch() -> None:
    layer = layer_of({}, 8, 8)
    assert layer(torch.zeros(0, 17, 8)).shape == (0, 17, 8)
    with torch.no_grad():
        assert layer(torch.zeros(0, 17, 8)).shape == (0, 17, 8)


def test_precision_copies_and_swapped_parameters() -> None:
    layer, x = layer_of({}, 8, 8), torch.randn(2, 17, 8)
    with torch.no_grad():
        single = layer(x)
        twin = copy.deepcopy(layer)
        again = pickle.loads(pickle.dumps(layer))
        torch.testing.assert_close(again(x), single)
        twin.norm.bias.add_(1.0)
        assert not torch.allclose(twin(x), single)
        torch.testing.assert_close(layer(x), single)
        zeros = {name: torch.zeros_like(p) for name, p in layer.named_parameters()}
        assert bool((torch.func.functional_call(layer, zeros, (x,)) == 0).all())
        torch.testing.assert_close(layer(x), single)
        double = layer.double()(x.double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=1e-4, atol=1e-5)
