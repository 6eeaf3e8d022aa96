"""Sym-GNN: the tables' shapes and sizes, the prediction head against loops, bones, fusion, state, memory."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kinegraph.errors import ConfigError
from kinegraph.layers.graph_temporal import GraphTemporalBlock
from kinegraph.layers.part_scale import part_table
from kinegraph.models import SymGNN, SymGNNConfig
from kinegraph.models.symgnn import SymGNNState
from kinegraph.models.symgnn_branch import Graphs
from kinegraph.models.symgnn_network import PredictionHead
from kinegraph.skeleton import Skeleton, get_skeleton

Array = NDArray[np.float64]
BODY = Skeleton(
    name="body",
    joints=("hip", "chest", "head", "arm", "leg"),
    parents=(-1, 0, 1, 1, 0),
    parts={"torso": ("hip", "chest"), "left_upper_arm": ("arm",), "left_thigh": ("leg",)},
)


def build(skeleton: Skeleton = BODY, **options: Any) -> SymGNN:
    torch.manual_seed(7)
    small = {"observed": 10, "horizon": 4, "classes": 3, "width": 0.05, "agim_width": 8, "iterations": 1}
    model = SymGNN(skeleton, SymGNNConfig(**{**small, **options})).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator))
    return model


def motion(skeleton: Skeleton = BODY, batch: int = 2, frames: int = 10) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(batch, frames, skeleton.num_joints, 3).cumsum(dim=1) * 0.3


# ---- Tables 17 and 18 -----------------------------------------------------------------------------------------------

# in, spatial, out, kernel, stride, frames out; read off the tables' joint-scale column
TABLE_18 = [(3, 32, 32, 9, 1, 50), (32, 32, 64, 9, 2, 25), (128, 128, 128, 9, 2, 13), (256, 256, 256, 7, 2, 7)]
TABLE_17 = [
    (3, 64, 64, 9, 1, 300),
    (64, 64, 64, 9, 1, 300),
    (64, 64, 128, 9, 2, 150),
    (256, 128, 128, 9, 1, 150),
    (128, 128, 128, 9, 1, 150),
    (128, 128, 256, 9, 2, 75),
    (512, 256, 256, 9, 1, 75),
    (256, 256, 256, 9, 1, 75),
    (256, 256, 256, 9, 1, 75),
]


def branch_size(table: list[tuple[int, ...]], nodes: int, parts: int, orders: int) -> int:
    """Trained values of one branch, from the tables' kernel shapes."""
    total = 0
    for index, (channels, spatial, out, kernel, stride, _) in enumerate(table):
        norms = 2 * spatial + 2 * out
        temporal = kernel * spatial * out
        residual = channels * out + 2 * out if stride > 1 or channels != out else 0
        total += (orders + 1) * channels * spatial + orders * nodes**2 + temporal + norms + residual
        if index:
            total += channels * spatial + parts**2 + temporal + norms + residual
    return total


def size_of(network: nn.Module, *names: str) -> int:
    """Trained values of some of a network's parts."""
    return sum(p.numel() for name in names for p in network.get_submodule(name).parameters())


@pytest.mark.parametrize(("backbone", "table", "observed"), [("light", TABLE_18, 50), ("deep", TABLE_17, 300)])
def test_shapes_and_sizes_of_the_tables(backbone: str, table: list[tuple[int, ...]], observed: int) -> None:
    skeleton = get_skeleton("h36m17")
    config = SymGNNConfig(observed=observed, classes=8, backbone=backbone, gamma=3, iterations=1, differences=(0, 1))  # type: ignore[arg-type]
    model = SymGNN(skeleton, config)
    network = model.networks["joint"]
    seen: dict[int, tuple[int, ...]] = {}
    for name, module in network.named_modules():
        if isinstance(module, GraphTemporalBlock) and "branches.0." in name:
            place = int(name.rsplit(".", 1)[1]) + 10 * ("part_blocks" in name)
            module.register_forward_hook(lambda _m, _i, out, place=place: seen.update({place: tuple(out.shape)}))
    model.eval()
    with torch.no_grad():
        out = model(torch.randn(1, observed, 17, 3), 1)
    assert out.logits is not None
    for index, (_, _, width, _, _, frames) in enumerate(table):
        assert seen[index] == (1, 17, frames, width)
        if index:
            assert seen[10 + index - 1] == (1, 10, frames, width)
    orders, head = 3, 256
    linear = 128 * 128 + 128
    agim = (observed * 3 * 128 + 128) + linear + 256  # first joint MLP
    agim += (256 * 128 + 128) + linear + 256 + 2 * linear + 256  # one iteration
    agim += 2 * (3 * linear + 256)  # embeddings
    assert sum(p.numel() for p in model.backbone_parameters()) == agim + 2 * branch_size(table, 17, 10, orders)
    mlp = 2 * 256 * head + head + head * head + head
    assert size_of(network, "recognition") == mlp + head * 8 + 8
    gru = 3 * head * (9 + 8) + 3 * head * head + 6 * head
    convolution = (orders + 1) * head * head + orders * 17**2
    displacement = head * head + head + head * 3 + 3
    assert size_of(network, "prediction_input", "prediction") == mlp + convolution + gru + displacement
    assert model.num_parameters == size_of(network, "backbone", "recognition", "prediction_input", "prediction")


def test_width_scales_backbone_and_heads() -> None:
    model = build(width=0.25)
    weight = model.networks["joint"].get_parameter("backbone.branches.0.joint_blocks.3.temporal.weight")
    assert weight.shape == (64, 64, 1, 7)
    assert model.encode(motion()).networks[0].hidden.shape == (2, 5, 64)


def test_heads_can_be_wider_than_the_backbone() -> None:
    narrow, wide = build(width=0.25, classes=3), build(width=0.25, head_width=0.5, classes=3)
    shapes = [[p.shape for p in model.backbone_parameters()] for model in (narrow, wide)]
    assert shapes[0] == shapes[1]
    x = motion()
    assert [model.encode(x).networks[0].hidden.shape[-1] for model in (narrow, wide)] == [64, 128]
    assert wide(x).motion.shape == narrow(x).motion.shape


# ---- the prediction head, Eq. 10 ------------------------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-x))
    return result


@pytest.mark.parametrize("labelled", [True, False])
def test_head_against_loops(labelled: bool) -> None:
    torch.manual_seed(3)
    nodes, channels, width, classes, lambda_act = 5, 3, 4, 2 if labelled else 0, 0.6
    polynomials = BODY.polynomials(2)
    head = PredictionHead(Graphs(nodes, polynomials, lambda_act, part_table(BODY)), channels, classes, width).double()
    head.graph.get_buffer("polynomials").copy_(torch.from_numpy(polynomials))
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    hidden = torch.randn(2, nodes, width, dtype=torch.float64)
    frames = torch.randn(3, 2, nodes, channels, dtype=torch.float64)  # x(-2), x(-1), x(0)
    label = torch.softmax(torch.randn(2, classes, dtype=torch.float64), dim=-1) if labelled else None
    graph = torch.softmax(torch.randn(2, nodes, nodes, dtype=torch.float64), dim=-1)
    velocity = frames[2] - frames[1]
    acceleration = frames[2] - 2 * frames[1] + frames[0]
    state = head.start(hidden, (frames[2], velocity, acceleration), label, graph)
    found = []
    for _ in range(4):
        state = head(state)
        found.append(state.frame.detach().numpy())

    value = {name: p.detach().numpy() for name, p in head.named_parameters()}
    for b in range(2):
        h, past = hidden[b].numpy(), [frames[t, b].numpy() for t in range(3)]
        for step in range(4):
            graphs = [polynomials[g] * value["graph.edges"][g] for g in range(2)] + [lambda_act * graph[b].numpy()]
            h = sum(a @ h @ w for a, w in zip(graphs, value["graph.weight"], strict=True))  # (10a)
            given = [past[-1], past[-1] - past[-2], past[-1] - 2 * past[-2] + past[-3]]
            if label is not None:
                given.append(np.tile(label[b].numpy(), (nodes, 1)))
            x = np.concatenate(given, axis=1)
            x3 = np.split(x @ value["input_weight"].T + value["input_bias"], 3, axis=1)
            h3 = np.split(h @ value["hidden_weight"].T + value["hidden_bias"], 3, axis=1)
            reset, update = sigmoid(x3[0] + h3[0]), sigmoid(x3[1] + h3[1])
            new = np.tanh(x3[2] + reset * h3[2])
            h = (1 - update) * new + update * h  # (10b)
            inner = np.maximum(h @ value["displacement.0.weight"].T + value["displacement.0.bias"], 0)
            moved = inner @ value["displacement.2.weight"].T + value["displacement.2.bias"]
            past.append(past[-1] + moved)  # (10c)
            np.testing.assert_allclose(found[step][b], past[-1], rtol=1e-9, atol=1e-11)


def test_gates_are_torchs_gru() -> None:
    """The same numbers as torch.nn.GRUCell with the same weights, on the state after the graph convolution."""
    head = PredictionHead(Graphs(5, None, None, part_table(BODY)), 3, 0, 6)
    cell = nn.GRUCell(9, 6)
    cell.load_state_dict(
        {
            "weight_ih": head.input_weight,
            "weight_hh": head.hidden_weight,
            "bias_ih": head.input_bias,
            "bias_hh": head.hidden_bias,
        }
    )
    hidden, pose, velocity, acceleration = torch.randn(2, 5, 6), *torch.randn(3, 2, 5, 3)
    after = head(head.start(hidden, (pose, velocity, acceleration), None, None))
    assert isinstance(head.graph, nn.Linear)
    given = torch.cat((pose, velocity, acceleration), dim=-1).flatten(0, 1)
    expected = cell(given, head.graph(hidden).flatten(0, 1))
    torch.testing.assert_close(after.hidden.flatten(0, 1), expected)


@pytest.mark.parametrize("stream", ["joint", "bone", "dual"])
def test_an_untrained_network_nearly_stands_still(stream: str) -> None:
    model = SymGNN(BODY, SymGNNConfig(width=0.25, stream=stream, classes=3)).eval()  # type: ignore[arg-type]
    x = motion(frames=50)
    with torch.no_grad():
        frame, _ = model.step(model.encode(x))
    assert float((frame - x[:, -1]).abs().max()) < 0.1


def test_the_soft_label_reaches_the_forecast_and_its_gradient_the_recognition_head() -> None:
    x = motion()
    for soft in (True, False):
        model = build(soft_label=soft)
        before = model(x).motion
        before.sum().backward()
        reached = [
            p.grad is not None and bool(p.grad.abs().any())
            for p in model.networks["joint"].get_submodule("recognition").parameters()
        ]
        assert any(reached) == soft
        with torch.no_grad():
            model.networks["joint"].get_parameter("recognition.last.bias").add_(torch.tensor([5.0, 0, 0]))
        assert torch.equal(before, model(x).motion) != soft


def test_label_dropout_hides_the_label_in_training_only() -> None:
    x = motion()
    model = build(label_dropout=1.0, dropout=0.0)
    equal = torch.full((2, 3), 1 / 3)
    seen: list[Tensor] = []
    head: Any = model.networks["joint"].get_submodule("prediction")
    start = head.start

    def spy(features: Tensor, frames: Any, label: Tensor, graph: Tensor) -> Any:
        seen.append(label)
        return start(features, frames, label, graph)

    head.start = spy
    logits = model(x).logits
    assert logits is not None
    torch.testing.assert_close(seen[-1], torch.softmax(logits, dim=-1))
    model.train()(x)
    torch.testing.assert_close(seen[-1], equal)
    with pytest.raises(ConfigError, match="label_dropout 1.5"):
        build(label_dropout=1.5)


# ---- bones ----------------------------------------------------------------------------------------------------------


def test_bone_nodes_and_their_neighbours() -> None:
    model = build(stream="bone")
    x = motion()
    bones = model.get_buffer("to_bones") @ x
    assert torch.equal(bones[:, :, 0], x[:, :, 0])  # the root itself
    for child, parent in ((1, 0), (2, 1), (3, 1), (4, 0)):
        torch.testing.assert_close(bones[:, :, child], x[:, :, child] - x[:, :, parent])
    torch.testing.assert_close(model.get_buffer("to_joints") @ bones, x, rtol=1e-5, atol=1e-5)
    # hip | hip-chest, chest-head, chest-arm, hip-leg: a pair is joined when they share a joint
    joined = {(0, 1), (0, 4), (1, 2), (1, 3), (1, 4), (2, 3)}
    first = model.networks["bone"].get_buffer("backbone.branches.0.joint_blocks.0.graph.polynomials")[0]
    assert {(i, j) for i, j in torch.nonzero(first).tolist() if i < j} == joined
    torch.testing.assert_close(first.sum(dim=1), torch.ones(5))


def test_forecasts_of_the_bone_network_are_joints() -> None:
    model = build(stream="bone")
    x = motion()
    state = model.encode(x)
    torch.testing.assert_close(model.get_buffer("to_joints") @ state.networks[0].frame, x[:, -1])
    frame, after = model.step(state)
    torch.testing.assert_close(model.get_buffer("to_bones") @ frame, after.networks[0].frame)


def test_dual_is_the_weighted_sum_of_scores_and_the_weighted_mean_of_motions() -> None:
    model = build(stream="dual", fusion=(0.9, 0.3), soft_label=False)
    x = motion()
    alone = {}
    for name in ("joint", "bone"):
        one = build(stream=name, soft_label=False)
        one.networks[name].load_state_dict(model.networks[name].state_dict())
        alone[name] = one(x)
    out = model(x)
    torch.testing.assert_close(out.logits, 0.9 * alone["joint"].logits + 0.3 * alone["bone"].logits)
    torch.testing.assert_close(out.motion, 0.75 * alone["joint"].motion + 0.25 * alone["bone"].motion)


# ---- state, graph, memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["joint", "dual"])
def test_encode_and_step_are_forward(stream: str) -> None:
    model = build(stream=stream)
    x = motion()
    out = model(x, 6)
    state = model.encode(x)
    assert isinstance(state, SymGNNState)
    assert torch.equal(state.logits, out.logits)
    for t in range(6):
        frame, state = model.step(state)
        torch.testing.assert_close(frame, out.motion[:, t])


def test_actional_graph_is_the_one_in_use() -> None:
    model = build(stream="dual")
    x = motion()
    graph = model.actional_graph(x)
    assert graph.shape == (2, 5, 5)
    torch.testing.assert_close(graph.sum(-1), torch.ones(2, 5))
    assert torch.equal(graph, model.actional_graph(x, "joint"))
    assert not torch.equal(graph, model.actional_graph(x, "bone"))
    with pytest.raises(ConfigError, match="no bone network"):
        build(stream="joint").actional_graph(x, "bone")
    with pytest.raises(ConfigError, match="without actional graphs"):
        build(actional=False).actional_graph(x)


def living() -> int:
    gc.collect()
    return sum(t.numel() for t in gc.get_objects() if issubclass(type(t), Tensor))


def test_memory_is_flat_over_the_horizon() -> None:
    """Without gradients, a step leaves nothing behind: as many numbers live after 40 frames as after 2."""
    model = build(stream="dual")
    x = motion()
    counts = []
    with torch.no_grad():
        state = model.encode(x)
        for t in range(40):
            _, state = model.step(state)
            if t in (1, 39):
                counts.append(living())
    assert counts[0] == counts[1]


def test_relabelled_joints_give_the_relabelled_motion() -> None:
    """Joints are known by the graph; weights of pairs of joints move with them."""
    order = [2, 0, 4, 1, 3]  # new joint n is old joint order[n]
    where = {old: new for new, old in enumerate(order)}
    parents = tuple(-1 if BODY.parents[o] == -1 else where[BODY.parents[o]] for o in order)
    other_body = Skeleton("other", tuple(BODY.joints[o] for o in order), parents, parts=BODY.parts)
    for stream in ("joint", "bone"):
        model, other = build(stream=stream), build(other_body, stream=stream)
        state = model.state_dict()
        for name, value in state.items():
            if name.endswith("graph.edges") and "part_blocks" not in name:
                state[name] = value[:, order][:, :, order]
        other.load_state_dict(state)
        x = motion()
        here, there = model(x), other(x[:, :, order])
        torch.testing.assert_close(there.motion, here.motion[:, :, order], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(there.logits, here.logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"differences": ()}, "one or more of 0, 1, 2"),
        ({"differences": (0, 0)}, "each once"),
        ({"structural": False, "actional": False, "parts": False}, "needs a graph"),
        ({"gamma": 0}, "gamma: found 0"),
        ({"width": 0.0}, "width: found 0"),
        ({"head_width": -1.0}, "head_width: found -1"),
        ({"dropout": 1.0}, "dropout: found 1"),
        ({"backbone": "heavy"}, "light or deep"),
        ({"stream": "both"}, "joint, bone, dual"),
        ({"fusion": (0.0, 0.0)}, "not both 0"),
        ({"agim_width": 0}, "agim_width: found 0"),
        ({"iterations": -1}, "iterations: found -1"),
    ],
)
def test_impossible_configurations_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**options)
