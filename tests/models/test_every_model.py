"""One suite over every registered lifter and its main variants."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinegraph import models
from kinegraph.errors import ConfigError, DataError
from kinegraph.layers import Aggregation, NodeBatchNorm, NodeLinear
from kinegraph.layers.dynamic_graph import DynamicGraph
from kinegraph.layers.semantic_graph import SemanticGraphConv
from kinegraph.models import LiftingModel
from kinegraph.skeleton import Skeleton, get_skeleton


@dataclass(frozen=True)
class Case:
    """A model and options that make it small."""

    name: str
    options: dict[str, Any]

    def build(self, skeleton: Skeleton, **more: Any) -> LiftingModel:
        torch.manual_seed(5)
        return models.build(self.name, skeleton, {**self.options, **more})


_SMALL = {"channels": 8}
CASES = {
    "fcn": Case("fcn", {"width": 16}),
    "gcn": Case("gcn", _SMALL),
    "gcn-row": Case("gcn", {**_SMALL, "adjacency": "row", "decouple_self": True, "norm": "node_channel"}),
    "pre_agg_gcn": Case("pre_agg_gcn", _SMALL),
    "post_agg_gcn": Case("post_agg_gcn", _SMALL),
    "semgcn": Case("semgcn", {**_SMALL, "blocks": 2}),
    "semgcn-local": Case("semgcn", {**_SMALL, "blocks": 1, "non_local": False}),
    "lcn": Case("lcn", {**_SMALL, "blocks": 2}),
    "hcsf": Case("hcsf", _SMALL),
    "hcsf-channel-norm": Case("hcsf", {**_SMALL, "norm": "channel", "range_fusion": "add"}),
    "hcsf-shared": Case("hcsf", {**_SMALL, "sharing": "shared", "norm": "channel"}),
    "hcsf-pre": Case("hcsf", {**_SMALL, "sharing": "pre_aggregation", "long_hops": 3, "hop_fusion": "multiply"}),
    "hcsf-post": Case("hcsf", {**_SMALL, "sharing": "post_aggregation"}),
    "hcsf-m-dense": Case("hcsf", {**_SMALL, "dynamic": "m", "dynamic_init": "random", "dynamic_support": "dense"}),
    "hcsf-a": Case("hcsf", {**_SMALL, "dynamic": "m+alpha_o"}),
    "hcsf-9": Case("hcsf", {**_SMALL, "frames": 9}),
    "hcsf-9-a": Case("hcsf", {**_SMALL, "frames": 9, "dynamic": "m+alpha_o", "dynamic_kernel": 3}),
    "hcsf-15": Case(
        "hcsf", {**_SMALL, "frames": 15, "kernels": (3, 5), "dynamic": "m+o", "dynamic_kernel": 3, "dynamic_stride": 2}
    ),
    "videopose3d": Case("videopose3d", {"channels": 16}),
}
every_model = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@pytest.fixture(scope="module")
def h36m() -> Skeleton:
    return get_skeleton("h36m17")


@pytest.fixture(scope="module")
def tiny() -> Skeleton:
    """Seven joints, diameter 4: small enough for finite differences."""
    return Skeleton(
        name="tiny",
        joints=("hip", "chest", "head", "left_arm", "right_arm", "left_hand", "right_hand"),
        parents=(-1, 0, 1, 1, 1, 3, 4),
        pairs=(("left_arm", "right_arm"), ("left_hand", "right_hand")),
    )


def inputs(model: LiftingModel, batch: int = 6, dtype: torch.dtype = torch.float32) -> Tensor:
    frames = (model.frames,) if model.frames > 1 else ()
    generator = torch.Generator().manual_seed(1)
    return torch.randn((batch, *frames, model.skeleton.num_joints, model.in_channels), generator=generator, dtype=dtype)


def shake(model: nn.Module) -> None:
    """Give every parameter and running statistic a value of its own, also those that start at 0 or 1."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator).to(tensor))


@every_model
@pytest.mark.parametrize("channels", [2, 3])
def test_shapes_and_gradients(case: Case, channels: int, h36m: Skeleton) -> None:
    model = case.build(h36m, in_channels=channels)
    x = inputs(model)
    out = model(x)
    assert out.shape == (6, 17, 3)
    assert out.dtype == torch.float32
    out.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no part in the output"
        assert bool(parameter.grad.isfinite().all()), name
    assert model.num_parameters == sum(p.numel() for p in model.parameters())


@every_model
def test_gradients_by_finite_differences(case: Case, tiny: Skeleton) -> None:
    model = case.build(tiny, channels=2) if case.name != "fcn" else case.build(tiny, width=4)
    model = model.double().eval()  # eval: dropout is random, and BN of a batch couples the samples
    shake(model)
    x = inputs(model, batch=2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(model, (x,), fast_mode=True)
    parameters = dict(model.named_parameters())

    def loss(*values: Tensor) -> Tensor:
        given = dict(zip(parameters, values, strict=True))
        result: Tensor = torch.func.functional_call(model, given, (x.detach(),)).square().sum()
        return result

    assert torch.autograd.gradcheck(loss, tuple(parameters.values()), fast_mode=True)


@every_model
def test_state_survives_saving_and_eval_is_deterministic(case: Case, h36m: Skeleton) -> None:
    model = case.build(h36m).eval()
    shake(model)
    torch.manual_seed(99)
    other = models.build(case.name, h36m, case.options).eval()
    other.load_state_dict(model.state_dict())
    x = inputs(model)
    assert torch.equal(model(x), other(x))
    assert torch.equal(model(x), model(x))
    with torch.no_grad():
        assert torch.allclose(model(x), other(x))
        assert torch.equal(model(x), model(x))
    assert type(model.config)(**asdict(model.config)) == model.config


@every_model
def test_no_samples_give_no_poses(case: Case, h36m: Skeleton) -> None:
    model = case.build(h36m).eval()
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients):
            assert model(inputs(model)[:0]).shape == (0, *model(inputs(model)).shape[1:])


@every_model
def test_samples_do_not_see_each_other_in_eval(case: Case, h36m: Skeleton) -> None:
    model = case.build(h36m).eval()
    shake(model)
    x = inputs(model)
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]), rtol=1e-4, atol=1e-5)


@every_model
def test_wrong_shapes_are_refused_with_both_shapes(case: Case, h36m: Skeleton) -> None:
    model = case.build(h36m)
    x = inputs(model)
    for wrong in (x[..., :16, :], x[..., :1], x.unsqueeze(1), x[0]):
        with pytest.raises(DataError, match=r"17, 2\); found \("):
            model(wrong)


# ---- the order of the joints is a name, nothing more --------------------------------------------------------------


def relabel(skeleton: Skeleton, order: list[int]) -> Skeleton:
    """The same skeleton with its joints in another order: new joint n is old joint ``order[n]``."""
    where = {old: new for new, old in enumerate(order)}
    return Skeleton(
        name=skeleton.name,
        joints=tuple(skeleton.joints[old] for old in order),
        parents=tuple(-1 if skeleton.parents[old] == -1 else where[skeleton.parents[old]] for old in order),
        pairs=skeleton.pairs,
        links=skeleton.links,
    )


def copy_relabelled(source: nn.Module, target: nn.Module, order: list[int]) -> None:
    """Copy weights, moving those that belong to joints or pairs of joints."""
    nodes = len(order)
    for old, new in zip(source.modules(), target.modules(), strict=True):
        own = {**dict(old.named_parameters(recurse=False)), **dict(old.named_buffers(recurse=False))}
        for name, value in own.items():
            goal = getattr(new, name)
            if name in dict(old.named_buffers(recurse=False)) and name not in old.state_dict():
                continue  # derived from the skeleton
            moved = value
            if isinstance(old, Aggregation) and name == "weight":
                if old.sharing == "pairwise":
                    assert isinstance(new, Aggregation)
                    at = {(int(i), int(j)): p for p, (i, j) in enumerate(zip(old.targets, old.sources, strict=True))}
                    pairs = zip(new.targets.tolist(), new.sources.tolist(), strict=True)
                    moved = value[[at[order[i], order[j]] for i, j in pairs]]
                elif old.sharing != "shared":
                    moved = value[order]
            elif isinstance(old, DynamicGraph) and name == "matrix":
                moved = value[order][:, order]
            elif isinstance(old, SemanticGraphConv) and name == "edges":
                full = torch.zeros(nodes, nodes)
                full[~old.outside] = value
                moved = full[order][:, order][~new.outside]  # type: ignore[index]
            elif (isinstance(old, NodeLinear) and old.per_node) or (name == "bias" and goal.shape[:1] == (nodes,)):
                moved = value[order]
            elif isinstance(old, NodeBatchNorm) and value.dim() and value.shape[0] % nodes == 0:
                moved = value.reshape(nodes, -1)[order].flatten()
            goal.data.copy_(moved.data)


@pytest.mark.parametrize("key", [key for key in CASES if CASES[key].name not in ("fcn", "videopose3d")])
def test_relabelled_joints_give_relabelled_poses(key: str, h36m: Skeleton) -> None:
    """Graph networks know joints by the graph: another order of joints, with the weights moved along, is the same."""
    case = CASES[key]
    model = case.build(h36m).eval()
    shake(model)
    order = np.random.default_rng(4).permutation(17).tolist()
    other = models.build(case.name, relabel(h36m, order), case.options).eval()
    copy_relabelled(model, other, order)
    x = inputs(model)
    torch.testing.assert_close(other(x[..., order, :]), model(x)[:, order], rtol=1e-4, atol=1e-4)


# ---- compilers ----------------------------------------------------------------------------------------------------


# Tracing takes seconds per model: one of each kind, with one block.
_TRACED = ("semgcn", "hcsf-a", "hcsf-9-a", "videopose3d")


def small(case: Case, skeleton: Skeleton) -> LiftingModel:
    one_block: dict[str, Any] = {"blocks": 1} if case.name != "videopose3d" else {}
    if case.options.get("frames") == 9:
        one_block["frames"] = 3
    return case.build(skeleton, **one_block)


@pytest.mark.parametrize("key", _TRACED)
def test_forward_is_one_graph(key: str, h36m: Skeleton) -> None:
    """No graph break under torch.compile, in training, where nothing is folded and dropout is at work."""
    model = small(CASES[key], h36m)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert bool(compiled(inputs(model)).isfinite().all())


def test_compiled_gradients(h36m: Skeleton) -> None:
    model = CASES["hcsf"].build(h36m, blocks=1, dropout=0.0)
    x = inputs(model)
    model(x).square().sum().backward()
    plain = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    torch._dynamo.reset()
    torch.compile(model, fullgraph=True, backend="aot_eager")(x).square().sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, plain[name], rtol=1e-3, atol=1e-3, msg=name)


@pytest.mark.parametrize("key", ["lcn", "hcsf-a", "videopose3d"])
def test_exported_program_gives_the_same_poses(key: str, h36m: Skeleton) -> None:
    model = small(CASES[key], h36m).eval()
    shake(model)
    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(model, (inputs(model),), dynamic_shapes=({0: batch},))
    x = inputs(model, batch=7)
    torch.testing.assert_close(program.module()(x), model(x), rtol=1e-4, atol=1e-4)


@every_model
def test_bfloat16_autocast(case: Case, h36m: Skeleton) -> None:
    model = case.build(h36m)
    x = inputs(model, batch=32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x)
    out.float().square().mean().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)
    model.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        low = model(x).float()
    torch.testing.assert_close(low, model(x), rtol=0.1, atol=0.1 * model(x).std().item())


# ---- registry -----------------------------------------------------------------------------------------------------


def test_every_entry_builds_at_its_defaults(h36m: Skeleton) -> None:
    for name, entry in models.REGISTRY.items():
        if entry.task != "lift":
            continue
        model = models.build(name, h36m)
        assert isinstance(model, entry.model)
        assert model.config == entry.config()
        assert model.skeleton == h36m


def test_errors_name_the_remedy(h36m: Skeleton) -> None:
    with pytest.raises(ConfigError, match="did you mean 'hcsf'"):
        models.build("hscf", h36m)
    with pytest.raises(ConfigError, match="did you mean 'channels'"):
        models.build("hcsf", h36m, {"chanels": 3})
    with pytest.raises(ConfigError, match="takes a LCNConfig; found a FCNConfig"):
        models.build("lcn", h36m, models.FCNConfig())
    with pytest.raises(ConfigError, match="in_channels 4"):
        models.build("gcn", h36m, {"in_channels": 4})
