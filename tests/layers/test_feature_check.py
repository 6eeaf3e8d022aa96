"""Features of other sizes than a layer's are refused before a view could mix samples, and cost no generality."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph.errors import DataError
from kinegraph.layers import (
    HCSF,
    Aggregation,
    DynamicGraph,
    HCSFOptions,
    NodeBatchNorm,
    NodeLinear,
    NonLocal,
    SemanticGraphConv,
    TemporalConv,
)
from kinegraph.skeleton import get_skeleton

BODY = get_skeleton("h36m17")
HOPS = BODY.hop_distances()
EDGES = BODY.adjacency(self_loops=True)
DYNAMIC = HCSFOptions(dynamic="m+alpha_o", dynamic_kernel=3)
LAYERS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "hcsf": (lambda: HCSF(HOPS, 8, 8), (4, 17, 8)),
    "hcsf frames": (lambda: HCSF(HOPS, 8, 8), (4, 5, 17, 8)),
    "hcsf folded": (lambda: HCSF(HOPS, 8, 8).eval().requires_grad_(False), (4, 17, 8)),
    "hcsf dynamic": (lambda: HCSF(HOPS, 8, 8, DYNAMIC), (4, 5, 17, 8)),
    **{
        f"aggregation {sharing}": (lambda sharing=sharing: Aggregation(EDGES, 8, 4, sharing=sharing), (4, 17, 8))
        for sharing in ("pairwise", "shared", "pre_aggregation", "post_aggregation")
    },
    "graph": (lambda: DynamicGraph(EDGES, 8, mode="o"), (4, 5, 17, 8)),
    "linear": (lambda: NodeLinear(17, 8, 4, per_node=True), (4, 17, 8)),
    "norm": (lambda: NodeBatchNorm(17, 8, norm="node_channel"), (4, 17, 8)),
    "semantic": (lambda: SemanticGraphConv(EDGES, 8, 4), (4, 17, 8)),
    "non-local": (lambda: NonLocal(17, 8), (4, 17, 8)),
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(LAYERS)), st.data())
def test_other_nodes_or_channels_are_refused(name: str, data: st.DataObject) -> None:
    build, right = LAYERS[name]
    wrong = list(right)
    wrong[data.draw(st.sampled_from([-1, -2]))] = data.draw(st.integers(1, 40))
    wrong[0] = data.draw(st.sampled_from([1, 8, 16, 17, 34, 256]))  # some of which a view of the right size exists for
    layer = build().eval()  # in training one sample has no variance to norm by
    if wrong[-2:] == list(right[-2:]):
        assert layer(torch.randn(wrong)).shape[-2] == 17
        return
    with pytest.raises(DataError, match=r"takes \(.*17, 8\); found \(") as error, torch.no_grad():
        layer(torch.randn(wrong))
    assert str(tuple(wrong)) in str(error.value)


def test_the_samples_of_a_batch_are_not_mixed() -> None:
    with pytest.raises(DataError, match=r"HCSF takes \(batch, ..., nodes, channels\) .* found \(256, 17, 8\)"):
        HCSF(HOPS[:16, :16], 8, 8)(torch.randn(256, 17, 8))
    with pytest.raises(DataError, match=r"found \(4, 18, 8\)"):  # whose last joint was dropped
        Aggregation(EDGES, 8, 4)(torch.randn(4, 18, 8))
    with pytest.raises(DataError, match=r"HCSF takes .* found \(17, 8\)"):
        HCSF(HOPS, 8, 8)(torch.randn(17, 8))


@pytest.mark.parametrize("shape", [(4, 8, 17), (4, 17), (16, 17), (1, 3, 17, 17)])
def test_gates_of_other_sizes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="takes a gate"):
        Aggregation(EDGES, 8, 4)(torch.randn(4, 17, 8), torch.ones(shape))


@pytest.mark.parametrize("options", [HCSFOptions(), DYNAMIC])
def test_people_before_frames_are_as_so_many_samples(options: HCSFOptions) -> None:
    torch.manual_seed(0)
    layer = HCSF(HOPS, 8, 6, options)
    x = torch.randn(3, 2, 5, 17, 8)
    torch.testing.assert_close(layer(x), layer(x.flatten(0, 1)).unflatten(0, (3, 2)))


def test_channels_of_layers_without_nodes() -> None:
    for layer in (NodeLinear(17, 8, 4, per_node=False), NodeBatchNorm(17, 8, norm="channel"), TemporalConv(8, 4, 3)):
        assert layer(torch.randn(2, 9, 5, 8)).dim() == 4
        with pytest.raises(DataError, match=r"channels\) = .*8\); found \(2, 9, 5, 7\)"):
            layer(torch.randn(2, 9, 5, 7))
    convolution = TemporalConv(8, 4, 3)
    with pytest.raises(DataError, match="found 10 frames; expected a multiple of its kernel 3"):
        convolution(torch.randn(2, 10, 8))
    with pytest.raises(DataError, match="found 4 frames; a kernel of 3, 2 apart, spans 5"):
        convolution.dilated(torch.randn(2, 4, 8), 2)


@pytest.mark.parametrize("options", [HCSFOptions(), DYNAMIC])
def test_a_dynamic_batch_exports(options: HCSFOptions) -> None:
    layer = HCSF(HOPS, 8, 6, options)
    x = torch.randn(2, 5, 17, 8)
    program = torch.export.export(layer, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
    other = torch.randn(7, 5, 17, 8)
    torch.testing.assert_close(program.module()(other), layer(other))
