"""HCSF against a slow float64 loop over node pairs that follows the paper's equations one by one."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from kinegraph.errors import ConfigError
from kinegraph.layers import HCSF, HCSFOptions, squeezed_channels
from kinegraph.layers.aggregation import Aggregation
from kinegraph.layers.dynamic_graph import DynamicGraph
from kinegraph.layers.hcsf import Fuse, hop_sets
from kinegraph.layers.node_linear import NodeLinear
from kinegraph.skeleton import Skeleton, get_skeleton

BATCH, FRAMES, IN, OUT = 2, 5, 6, 4


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    """Six joints: a trunk of three, two arms, a hand; nodes of degree 1, 2 and 3, diameter 3."""
    return Skeleton(name="tiny", joints=("hip", "chest", "head", "l", "r", "hand"), parents=(-1, 0, 1, 1, 1, 4))


# ---- the reference ------------------------------------------------------------------------------------------------


def array(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().numpy().astype(np.float64)


def reference_gate(graph: DynamicGraph, x: np.ndarray) -> np.ndarray:
    """A = M + alpha O for one sample x (frames, nodes, channels): (frames, nodes, nodes), Eq. 7 and 8."""
    frames, nodes, _ = x.shape
    result = np.zeros((frames, nodes, nodes))
    support = array(graph.support)
    for t in range(frames):
        gate = np.zeros((nodes, nodes))
        if graph.matrix is not None:
            gate += array(graph.matrix)
        if graph.theta is not None:
            at = t - t % graph.stride
            around = [at + (k - graph.kernel // 2) * graph.dilation for k in range(graph.kernel)]
            window = np.concatenate([x[min(max(f, 0), frames - 1)] for f in around], axis=-1)
            offsets = np.tanh((window @ array(graph.theta)) @ (window @ array(graph.phi)).T)
            gate += offsets * (1.0 if graph.alpha is None else graph.alpha.item())
        result[t] = gate * support
    return result


def reference_hop(hop: Aggregation, x: np.ndarray, gate: np.ndarray) -> np.ndarray:
    """h_i = sum_j a_ij x_j W_(ij | . | j | i) for one frame x (nodes, channels)."""
    nodes = len(x)
    weight = array(hop.weight)
    pairs = {(int(i), int(j)): p for p, (i, j) in enumerate(zip(hop.targets, hop.sources, strict=True))}
    result = np.zeros((nodes, weight.shape[-1]))
    for i in range(nodes):
        for j in range(nodes):
            if (i, j) not in pairs:
                continue
            of_scheme = {"pre_aggregation": j, "post_aggregation": i, "pairwise": pairs[i, j]}
            w = weight if hop.sharing == "shared" else weight[of_scheme[hop.sharing]]
            result[i] += gate[i, j] * (x[j] @ w)
    return result


def reference_linear(linear: NodeLinear, x: np.ndarray) -> np.ndarray:
    weight, bias = array(linear.weight), array(linear.bias)
    rows = [row @ (weight[i] if linear.per_node else weight) for i, row in enumerate(x)]
    return np.stack(rows) + (0 if bias is None else bias)


def reference_fuse(fuse: Fuse, parts: list[np.ndarray]) -> list[np.ndarray]:
    if fuse.fusion == "concat" or len(parts) < 2:
        return parts
    projected = [
        reference_linear(p, part) if isinstance(p, NodeLinear) else part
        for p, part in zip(fuse.project, parts, strict=True)
    ]
    return [np.sum(projected, axis=0) if fuse.fusion == "add" else np.prod(projected, axis=0)]


def reference(layer: HCSF, x: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The whole layer for x (batch, frames, nodes, channels)."""
    masks = hop_sets(distances, layer.options)
    result = np.zeros((*x.shape[:3], OUT))
    for b in range(x.shape[0]):
        gates = [reference_gate(graph, x[b]) for graph in layer.graphs] or [
            np.repeat(mask[None].astype(float), x.shape[1], axis=0) for mask in masks
        ]
        for t in range(x.shape[1]):
            h = [reference_hop(hop, x[b, t], gate[t]) for hop, gate in zip(layer.hops, gates, strict=True)]
            far = reference_fuse(layer.hop_fusion, h[1:])
            fused = reference_fuse(layer.range_fusion, [h[0], np.concatenate(far, axis=-1)] if far else [h[0]])
            result[b, t] = reference_linear(layer.transform, np.concatenate(fused, axis=-1))
    return result


# ---- every combination --------------------------------------------------------------------------------------------

_GRAPHS: list[dict[str, Any]] = [{"dynamic": "none"}]
for _mode in ("m", "m+o", "m+alpha_o"):
    for _init, _support in itertools.product(("physical", "dense", "random"), ("hop", "dense")):
        if (_init, _support) != ("dense", "hop"):
            _GRAPHS.append({"dynamic": _mode, "dynamic_init": _init, "dynamic_support": _support})
_GRAPHS += [{"dynamic": "o", "dynamic_support": s} for s in ("hop", "dense")]
_GRAPHS += [
    {**graph, "dynamic_kernel": 3, "dynamic_stride": stride, "dynamic_dilation": dilation}
    for graph in _GRAPHS
    if graph["dynamic"] not in ("none", "m")
    for stride, dilation in ((1, 1), (2, 2))
]


@pytest.mark.parametrize("sharing", ["pairwise", "shared", "pre_aggregation", "post_aggregation"])
@pytest.mark.parametrize("graph", _GRAPHS, ids=lambda g: "-".join(str(v) for v in g.values()))
def test_every_option_combination_against_the_loop(skeleton: Skeleton, graph: dict[str, Any], sharing: Any) -> None:
    distances = skeleton.hop_distances()
    generator = np.random.default_rng(3)
    for hop_fusion, range_fusion, hop_aware in itertools.product(
        ("concat", "add", "multiply"), ("concat", "add", "multiply"), (True, False)
    ):
        torch.manual_seed(7)
        options = HCSFOptions(
            short_hops=1,
            long_hops=3,
            squeeze=0.5,
            hop_fusion=hop_fusion,  # type: ignore[arg-type]
            range_fusion=range_fusion,  # type: ignore[arg-type]
            hop_aware=hop_aware,
            sharing=sharing,
            **graph,
        )
        layer = HCSF(distances, IN, OUT, options).double()
        with torch.no_grad():  # alpha starts at 0 and biases too: move them, or they would not be tested
            for name, parameter in layer.named_parameters():
                if name.endswith(("alpha", "bias")):
                    parameter.uniform_(0.3, 0.9)
        x = generator.normal(size=(BATCH, FRAMES, len(distances), IN))
        expected = reference(layer, x, distances)
        np.testing.assert_allclose(array(layer(torch.from_numpy(x))), expected, rtol=1e-9, atol=1e-10)
        if options.dynamic_kernel == 1:
            np.testing.assert_allclose(array(layer(torch.from_numpy(x[:, 0]))), expected[:, 0], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("short", "last"), [(0, 0), (0, 1), (0, 3), (1, 1), (2, 2), (2, 3), (3, 3)])
@pytest.mark.parametrize("squeeze", [1.0, 0.25])
def test_hop_ranges_against_the_loop(skeleton: Skeleton, short: int, last: int, squeeze: float) -> None:
    distances = skeleton.hop_distances()
    options = HCSFOptions(short_hops=short, long_hops=last, squeeze=squeeze)
    layer = HCSF(distances, IN, OUT, options, width=8).double()
    x = np.random.default_rng(0).normal(size=(BATCH, 1, len(distances), IN))
    np.testing.assert_allclose(array(layer(torch.from_numpy(x))), reference(layer, x, distances), rtol=1e-9)


# ---- what SPEC.md states ------------------------------------------------------------------------------------------


def test_squeezed_channels_of_the_specification() -> None:
    assert [squeezed_channels(64, 1 / 8, k) for k in (1, 2)] == [8, 1]
    layer = HCSF(get_skeleton("ntu25").hop_distances(), 64, 64, HCSFOptions(short_hops=5, long_hops=7))
    assert layer.widths == [64, 8, 1]
    assert squeezed_channels(128, 1 / 8, 1) == 16
    assert squeezed_channels(4, 1 / 8, 3) == 1


def test_pairs_of_each_hop_on_the_human36m_graph() -> None:
    distances = get_skeleton("h36m17").hop_distances()
    counts = [int(mask.sum()) for mask in hop_sets(distances, HCSFOptions(short_hops=0, long_hops=6))]
    assert counts == [17, 40, 54, 64, 62, 36, 16]
    layer = HCSF(distances, 4, 4, HCSFOptions(short_hops=1, long_hops=2))
    assert [hop.weight.shape[0] for hop in layer.hops] == [57, 54]
    tree = HCSF(get_skeleton("h36m17_tree").hop_distances(), 4, 4)
    assert tree.hops[0].weight.shape[0] == 49


def test_the_three_rows_of_table_4_are_options() -> None:
    distances = get_skeleton("h36m17").hop_distances()
    flat = HCSF(distances, 64, 64, HCSFOptions(short_hops=3, long_hops=3))
    unaware = HCSF(distances, 64, 64, HCSFOptions(short_hops=1, long_hops=3, hop_aware=False))
    full = HCSF(distances, 64, 64, HCSFOptions(short_hops=1, long_hops=3))
    assert [layer.widths for layer in (flat, unaware, full)] == [[64], [64, 8], [64, 8, 1]]
    assert [hop.weight.shape[0] for hop in unaware.hops] == [57, 54 + 64]


def test_lcn_is_hcsf_with_constant_channels_and_summation() -> None:
    """End of section 3.2: with C_k constant and F_k, F_a sums, the layer is LCN's (here times W_a, set to 1)."""
    distances = get_skeleton("h36m17").hop_distances()
    options = HCSFOptions(short_hops=1, long_hops=3, squeeze=1.0, hop_fusion="add", range_fusion="add")
    layer = HCSF(distances, 5, 5, options).double()
    lcn = Aggregation(distances <= 3, 5, 5, sharing="pairwise").double()
    with torch.no_grad():
        layer.transform.weight.copy_(torch.eye(5).expand_as(layer.transform.weight))
        of_pair = {
            (int(i), int(j)): w
            for hop in layer.hops
            for i, j, w in zip(hop.targets, hop.sources, hop.weight, strict=True)
        }
        for p, (i, j) in enumerate(zip(lcn.targets, lcn.sources, strict=True)):
            lcn.weight[p] = of_pair[int(i), int(j)]
    assert len(list(layer.hop_fusion.project.parameters())) == 0  # equal widths: nothing to project
    x = torch.randn(3, 17, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(x), lcn(x), rtol=1e-12, atol=1e-12)


def test_table_5_modes() -> None:
    """The rows a to g of the paper's Table 5; g is for sequences."""
    rows: dict[str, dict[str, Any]] = {
        "a": {"dynamic": "m"},
        "b": {"dynamic": "m", "dynamic_init": "dense", "dynamic_support": "dense"},
        "c": {"dynamic": "m", "dynamic_init": "random", "dynamic_support": "dense"},
        "d": {"dynamic": "o"},
        "e": {"dynamic": "m+o"},
        "f": {"dynamic": "m+alpha_o"},
        "g": {"dynamic": "m+alpha_o", "dynamic_kernel": 3},
    }
    distances = get_skeleton("h36m17").hop_distances()
    present = {}
    for row, options in rows.items():
        layer = HCSF(distances, 16, 16, HCSFOptions(**options))
        graph = layer.graphs[0]
        terms = (graph.matrix is not None, graph.theta is not None, graph.alpha is not None)
        present[row] = ("".join(n for n, there in zip("moa", terms, strict=True) if there), graph.kernel)
    expected = {"a": "m", "b": "m", "c": "m", "d": "o", "e": "mo", "f": "moa", "g": "moa"}
    assert {row: terms for row, (terms, _) in present.items()} == expected
    assert [kernel for _, kernel in present.values()] == [1] * 6 + [3]


def test_alpha_o_starts_as_the_static_graph() -> None:
    """alpha = 0 and M = the hop's pairs: at the start the dynamic layer is the static one."""
    distances = get_skeleton("h36m17").hop_distances()
    torch.manual_seed(0)
    dynamic = HCSF(distances, 8, 8, HCSFOptions(dynamic="m+alpha_o"))
    static = HCSF(distances, 8, 8)
    static.load_state_dict({k: v for k, v in dynamic.state_dict().items() if not k.startswith("graphs")})
    x = torch.randn(4, 17, 8)
    torch.testing.assert_close(dynamic(x), static(x))
    dynamic(x).square().sum().backward()
    alphas = [value.grad for name, value in dynamic.named_parameters() if name.endswith("alpha")]
    assert alphas
    assert all(float(gradient.abs()) > 0 for gradient in alphas)


@pytest.mark.parametrize("dynamic", ["none", "m", "o", "m+o"])
def test_outputs_start_with_one_variance_at_every_node(dynamic: Any) -> None:
    """h_S has variance 1 for independent inputs of unit variance, at the hands as at the well-connected spine."""
    torch.manual_seed(0)
    layer = HCSF(get_skeleton("h36m17").hop_distances(), 64, 64, HCSFOptions(dynamic=dynamic))
    x = torch.randn(4000, 17, 64)
    gate = layer.graphs[0](x.unsqueeze(1)) if len(layer.graphs) else None
    spread = layer.hops[0](x, gate).detach().std(dim=(0, 2))
    assert float(spread.min()) > 0.8, spread
    assert float(spread.max()) < 1.2, spread


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"short_hops": 3, "long_hops": 2}, "long_hops 2"),
        ({"squeeze": 0.0}, "squeeze 0.0"),
        ({"dynamic_kernel": 3}, "dynamic_kernel 3 has no effect"),
        ({"dynamic": "m", "dynamic_stride": 2}, "dynamic_stride 2 has no effect"),
        ({"dynamic": "o", "dynamic_init": "random"}, "dynamic_init 'random' has no effect"),
        ({"dynamic": "o", "dynamic_dilation": 2}, "dynamic_dilation 2 has no effect"),
    ],
)
def test_impossible_options_are_refused_by_name(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        HCSFOptions(**options)


def test_what_only_the_skeleton_can_refuse(skeleton: Skeleton) -> None:
    distances = skeleton.hop_distances()
    with pytest.raises(ConfigError, match="3 hops apart"):
        HCSF(distances, 4, 4, HCSFOptions(long_hops=4))
    with pytest.raises(ConfigError, match="dynamic_support"):
        HCSF(distances, 4, 4, HCSFOptions(dynamic="m", dynamic_init="dense"))
    with pytest.raises(ConfigError, match="odd"):
        HCSF(distances, 4, 4, HCSFOptions(dynamic="o", dynamic_kernel=2))
