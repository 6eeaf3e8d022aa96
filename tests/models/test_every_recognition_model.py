"""One suite over every registered recogniser of clips, and the main variants of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
import torch
from newer_torch import needs_newer_torch
from torch import Tensor, nn

from kinegraph import models
from kinegraph.errors import ConfigError, DataError
from kinegraph.layers.clip_block import ClipBlock, ClipNorm
from kinegraph.models import RecognitionModel
from kinegraph.models.graph_recognizer import GraphRecognizer
from kinegraph.skeleton import Skeleton, get_skeleton

BODY = Skeleton(
    name="body",
    joints=("hip", "chest", "head", "left_arm", "right_arm", "left_hand", "right_hand"),
    parents=(-1, 0, 1, 1, 1, 3, 4),
    pairs=(("left_arm", "right_arm"), ("left_hand", "right_hand")),
    parts={"torso": ("hip", "chest"), "left_upper_arm": ("left_arm",), "right_upper_arm": ("right_arm",)},
)
FRAMES, CLASSES, PEOPLE = 13, 4, 2


@dataclass(frozen=True)
class Case:
    """A model and options that make it small."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, skeleton: Skeleton = BODY, **more: Any) -> RecognitionModel:
        torch.manual_seed(5)
        model = models.build(self.name, skeleton, {"classes": CLASSES, "people": PEOPLE, **self.options, **more})
        assert isinstance(model, RecognitionModel)
        return model


_TINY = {"width": 0.05}
_HCSF = {"width": 0.125, "short_hops": 1, "long_hops": 3, "squeeze": 0.5}
_SYM = {"width": 0.05, "agim_width": 8, "iterations": 1, "frames": 12, "differences": (0, 1), "backbone": "light"}
CASES = {
    "hcsf": Case("hcsf_recognizer", _HCSF),
    "hcsf-static": Case("hcsf_recognizer", {**_HCSF, "dynamic": "none"}),
    "hcsf-eighth": Case("hcsf_recognizer", {**_HCSF, "squeeze": 0.125}),
    "hcsf-dynamic-a": Case("hcsf_recognizer", {**_HCSF, "dynamic": "m+alpha_o", "dynamic_kernel": 3}),
    "hcsf-inner": Case("hcsf_recognizer", {**_HCSF, "dynamic_support": "dense", "inner_residual": True}),
    "hcsf-multiply": Case("hcsf_recognizer", {**_HCSF, "hop_fusion": "multiply", "range_fusion": "add"}),
    "hcsf-add": Case("hcsf_recognizer", {**_HCSF, "hop_fusion": "add", "range_fusion": "add"}),
    "khop": Case("khop", {**_TINY, "hops": (2,)}),
    "mixhop": Case("mixhop", {**_TINY, "hops": (1, 2, 3), "dynamic": "none"}),
    "mixhop-dynamic-a": Case("mixhop", {**_TINY, "hops": (1, 2), "dynamic": "m+alpha_o", "dynamic_kernel": 3}),
    "mshop": Case("mshop", {**_TINY, "hops": (1, 2, 3)}),
    "mshop-dynamic-a": Case("mshop", {**_TINY, "hops": (1, 2), "dynamic": "m+alpha_o"}),
    "stgcn": Case("stgcn", _TINY),
    "agcn": Case("agcn", _TINY),
    "stgcnpp": Case("stgcnpp", {"width": 0.1}),
    "ctrgcn": Case("ctrgcn", {"width": 0.125}),
    "symgnn": Case("symgnn_recognizer", _SYM),
    "symgnn-dual": Case("symgnn_recognizer", {**_SYM, "stream": "dual", "differences": (0,)}),
    "nearest": Case("nearest", {"frames": 9}),
    "nearest-euclid": Case("nearest", {"frames": 9, "metric": "euclid"}),
    "linear": Case("linear", {"frames": 9}),
}
GRADIENT = [key for key in CASES if not key.startswith(("nearest", "linear"))]
GRAPH = [key for key in GRADIENT if not key.startswith("symgnn")]
every_model = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_network = pytest.mark.parametrize("case", [CASES[key] for key in GRADIENT], ids=GRADIENT)
every_graph_network = pytest.mark.parametrize("case", [CASES[key] for key in GRAPH], ids=GRAPH)


def inputs(batch: int = 3, dtype: torch.dtype = torch.float32, channels: int = 3, frames: int = FRAMES) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (batch, PEOPLE, frames, BODY.num_joints, channels)
    return 0.3 * torch.randn(shape, generator=generator, dtype=dtype).cumsum(dim=2)


def ready(case: Case, **more: Any) -> RecognitionModel:
    """In eval mode, with values of its own in every parameter and running statistic; fitted where it is fitted."""
    model = case.build(**more)
    if model.trains == "fit":
        data = torch.randn(20, PEOPLE, FRAMES, BODY.num_joints, model.channels)
        model.fit(data, torch.arange(20) % CLASSES)  # type: ignore[operator]
    else:
        shake(model)
        settle(model)
    return model.eval()


def settle(model: RecognitionModel) -> None:
    """Running statistics that fit the weights, so that nothing grows from block to block."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(inputs(6, channels=model.channels))
    for norm in norms:
        norm.momentum = 0.1


def shake(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(0.1 * torch.rand(tensor.shape, generator=generator).to(tensor))


def padded(x: Tensor, extra: int = 5) -> tuple[Tensor, Tensor]:
    """The same clips with junk after their last frame, and the mask that says so."""
    batch, people, frames = x.shape[:3]
    longer = torch.full((batch, people, frames + extra, *x.shape[3:]), 7.0, dtype=x.dtype)
    longer[:, :, :frames] = x
    mask = torch.zeros(longer.shape[:3], dtype=torch.bool)
    mask[:, :, :frames] = True
    return longer, mask


def test_every_registered_recogniser_is_here() -> None:
    registered = {name for name, entry in models.REGISTRY.items() if entry.task == "recognition"}
    assert {case.name for case in CASES.values()} == registered
    for name in registered:
        entry = models.REGISTRY[name]
        config = entry.config()
        assert (config.channels, config.classes, config.people) == (3, 0, 1)
        assert issubclass(entry.model, RecognitionModel)


@every_model
@pytest.mark.parametrize("channels", [2, 3])
def test_shapes_and_gradients(case: Case, channels: int) -> None:
    model = ready(case, channels=channels)
    if model.trains == "gradient":
        model.train()
    out = model(inputs(channels=channels))
    assert (out.shape, out.dtype) == ((3, CLASSES), torch.float32)
    if model.trains == "fit":
        assert not any(p.requires_grad for p in model.parameters())
        return
    out.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, f"{name} has no part in the output"
        assert bool(parameter.grad.isfinite().all()), name


@every_network
def test_gradients_by_finite_differences(case: Case) -> None:
    model = ready(case).double()
    frames = 12 if case.name == "symgnn_recognizer" else 6
    x = inputs(1, torch.float64, frames=frames).requires_grad_()
    assert torch.autograd.gradcheck(model, (x,), fast_mode=True)
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    generator = torch.Generator().manual_seed(3)
    way = {name: 0.01 * torch.randn(p.shape, generator=generator, dtype=p.dtype) for name, p in parameters.items()}
    at_rest = model(x).detach()

    def loss(step: Tensor) -> Tensor:
        """Along one random direction through all parameters at once."""
        moved = {name: p + step * way[name] for name, p in parameters.items()}
        return (torch.func.functional_call(model, moved, (x.detach(),)) / at_rest.norm()).square().sum()

    assert torch.autograd.gradcheck(loss, (torch.zeros((), dtype=torch.float64, requires_grad=True),))


@every_model
def test_state_survives_saving_and_eval_is_deterministic(case: Case) -> None:
    model = ready(case)
    torch.manual_seed(99)
    other = models.build(case.name, BODY, model.config).eval()
    other.load_state_dict(model.state_dict())
    x = inputs()
    assert torch.equal(model(x), model(x))
    assert torch.equal(model(x), other(x))
    assert type(model.config)(**asdict(model.config)) == model.config


@every_network
def test_no_grad_gives_what_grad_gives(case: Case) -> None:
    """Without gradients norms are folded, and clips go through in chunks."""
    model = ready(case)
    x = inputs()
    longer, mask = padded(x)
    mask[0, 1] = False
    for arguments in ((x,), (longer, mask)):
        with torch.no_grad():
            quick = model(*arguments)
        torch.testing.assert_close(quick, model(*arguments), rtol=1e-4, atol=1e-5)


@every_network
def test_chunks_of_one_person_give_the_same(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    model = ready(case)
    longer, mask = padded(inputs())
    mask[1, 0, 4:] = False
    with torch.no_grad():
        whole = model(longer, mask)
        monkeypatch.setattr("kinegraph.models.graph_recognizer.CHUNK", 1)
        torch.testing.assert_close(model(longer, mask), whole, rtol=1e-4, atol=1e-5)


@every_network
def test_changed_weights_show_at_once_in_eval(case: Case) -> None:
    """Nothing that was folded outlives the weights it was folded from."""
    model = ready(case)
    x = inputs()
    with torch.no_grad():
        model(x)
        for parameter in model.parameters():
            parameter.add_(0.01)
        after = model(x)
    torch.testing.assert_close(after, model(x), rtol=1e-4, atol=1e-4 * after.abs().max().item())


@every_model
def test_no_clips_give_no_answers(case: Case) -> None:
    model = ready(case)
    none = inputs()[:0]
    for mask in (None, torch.ones(none.shape[:3], dtype=torch.bool)):
        for gradients in (False, True):
            with torch.set_grad_enabled(gradients):
                assert model(none, mask).shape == (0, CLASSES)


@every_model
def test_samples_do_not_see_each_other_in_eval(case: Case) -> None:
    model = ready(case)
    x = inputs()
    torch.testing.assert_close(model(x)[1:2], model(x[1:2]), rtol=1e-4, atol=1e-5)


@every_model
def test_padded_frames_change_nothing(case: Case) -> None:
    model = ready(case)
    x = inputs()
    torch.testing.assert_close(model(*padded(x)), model(x), rtol=1e-4, atol=1e-5)
    ragged, mask = padded(x)
    mask[0, 0, 6:] = False
    ragged[0, 0, 6:] = 3.0
    other = ragged.clone()
    other[0, 0, 6:] = -50.0
    torch.testing.assert_close(model(ragged, mask), model(other, mask), rtol=1e-4, atol=1e-5)


@every_model
def test_absent_people_change_nothing(case: Case) -> None:
    model = ready(case)
    x = inputs()
    mask = torch.ones(x.shape[:3], dtype=torch.bool)
    mask[:, 1] = False
    if case.name in ("nearest", "linear"):
        x = x.clone()
        junk = x.clone()
        junk[:, 1] = 9.0
        torch.testing.assert_close(model(junk, mask), model(x, mask))
    torch.testing.assert_close(model(x, mask), model(x[:, :1]), rtol=1e-4, atol=1e-5)
    nobody = torch.zeros(x.shape[:3], dtype=torch.bool)
    assert bool(model(x, nobody).isfinite().all())


@every_graph_network
@pytest.mark.parametrize("seen", [slice(1, 4), slice(5, 6), slice(7, 8)])
def test_whoever_is_seen_between_two_strides_keeps_frames(case: Case, seen: slice) -> None:
    """Without any, they would count in the mean over people with features of 0."""
    model = ready(case)
    mask = torch.zeros(2, 9)
    mask[:, seen] = 1.0
    x = torch.randn(2, BODY.num_joints, 9, 3)
    with torch.no_grad():
        for block in model.blocks:
            x, mask = block(x, mask)
    assert x.shape[2] == mask.shape[1] == 3
    assert bool(mask.any(dim=1).all())


@every_graph_network
@pytest.mark.parametrize("seen", ["late", "away", "here and there"])
def test_training_computes_what_eval_does_where_frames_are_missing(case: Case, seen: str) -> None:
    """Once running statistics are the batch's, with norms folded and without: a missing frame is one thing."""
    model = case.build(dropout=0.0)
    shake(model)
    x = inputs(4, frames=16)
    mask = torch.ones(x.shape[:3], dtype=torch.bool)
    if seen == "late":
        mask[:, :, :5] = False
    elif seen == "away":
        mask[:, :, 6:9] = False
    else:
        mask &= torch.rand(mask.shape, generator=torch.Generator().manual_seed(4)) < 0.6
    norms = [module for module in model.modules() if isinstance(module, ClipNorm)]
    for norm in norms:
        norm.momentum = 1.0
        norm.register_forward_hook(_without_bessel)
    with torch.no_grad():
        trained = model.train()(x, mask)
        model.eval()
        folded = model(x, mask)
    torch.testing.assert_close(folded, model(x, mask), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(folded, trained, rtol=1e-3, atol=1e-3 * trained.std().item())


def _without_bessel(norm: nn.Module, arguments: tuple[Tensor, Tensor | None], _: Tensor) -> None:
    """The running variance is that of a sample; what normalises in training is divided by the number itself."""
    x, mask = arguments
    count = x[..., 0].numel() if mask is None else float(mask.sum()) * x.shape[1]
    if norm.training:
        norm.running_var.mul_((count - 1) / count)


@every_graph_network
def test_padding_changes_nothing_in_training_either(case: Case) -> None:
    """Neither batch statistics nor gradients nor running statistics know of what is not there.

    In float64: through batch statistics of so few clips float32's rounding grows to a tenth of a gradient.
    """
    model, other = case.build(dropout=0.0).double(), case.build(dropout=0.0).double()
    shake(model)
    shake(other)
    x = inputs(dtype=torch.float64)
    longer, mask = padded(x)
    plain = torch.cat((x, x.flip(0)))  # a third of the people below are not there
    ghosts, there = torch.cat((longer, longer.flip(0), longer)), torch.cat((mask, mask, torch.zeros_like(mask)))
    given, found = model.train()(plain), other.train()(ghosts, there)[:6]
    torch.testing.assert_close(found, given, rtol=1e-6, atol=1e-9 * given.abs().max().item())
    given.square().sum().backward()
    found.square().sum().backward()
    for (name, one), two in zip(model.named_parameters(), other.parameters(), strict=True):
        scale = 1e-7 * one.grad.abs().max().item() + 1e-8 * given.abs().max().item()
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-5, atol=scale, msg=lambda m, name=name: f"{name}: {m}")
    for (name, one), two in zip(model.named_buffers(), other.buffers(), strict=True):
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(two, one, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("key", ["symgnn", "symgnn-dual"])
def test_absent_people_change_nothing_in_symgnn_training_either(key: str) -> None:
    model, other = CASES[key].build(dropout=0.0), CASES[key].build(dropout=0.0)
    shake(model)
    shake(other)
    x = inputs()
    ghosts = torch.cat((x, torch.zeros_like(x)))
    there = torch.ones(ghosts.shape[:3], dtype=torch.bool)
    there[len(x) :] = False
    given, found = model.train()(x), other.train()(ghosts, there)[: len(x)]
    torch.testing.assert_close(found, given, rtol=1e-3, atol=1e-4 * given.abs().max().item())
    for (name, one), two in zip(model.named_buffers(), other.buffers(), strict=True):
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-3 * one.abs().max().item() + 1e-5)
    assert bool(other(ghosts, torch.zeros_like(there)).isfinite().all())  # nobody at all, in this process


@every_graph_network
def test_joints_in_another_order_give_the_same(case: Case) -> None:
    """Whoever lists the same body's joints differently gets the same network, but for the parameters on joints."""
    order = [1, 0, 2, 3, 4, 6, 5]  # new -> old
    new = {old: index for index, old in enumerate(order)}
    parents = tuple(new.get(BODY.parents[old], -1) for old in order)
    shuffled = Skeleton(
        name="shuffled", joints=tuple(BODY.joints[old] for old in order), parents=parents, pairs=BODY.pairs
    )
    model = ready(case)
    other = case.build(shuffled).eval()
    state = {}
    for name, tensor in model.state_dict().items():
        shape = other.state_dict()[name].shape
        assert tensor.shape == shape
        if name.startswith("norm."):
            tensor = tensor.view(7, -1)[order].flatten() if tensor.dim() else tensor
        elif tensor.shape[-2:] == (7, 7):
            tensor = tensor[..., order, :][..., order]
        state[name] = tensor
    other.load_state_dict(state)
    x = inputs()
    torch.testing.assert_close(other(x[:, :, :, order]), model(x), rtol=1e-4, atol=1e-4)


@every_model
def test_wrong_shapes_are_refused_with_both_shapes(case: Case) -> None:
    model = ready(case)
    x = inputs()
    for wrong in (x[0], x[:, :, :, 1:], x[..., :2], torch.cat((x, x), dim=1), x[:, :0]):
        with pytest.raises(DataError, match=r"\(batch, 1 to 2, frames, 7, 3\); found \("):
            model(wrong)
    with pytest.raises(DataError, match=r"mask \(batch, people, frames\) = \(3, 2, 13\); found \(3, 13\)"):
        model(x, torch.ones(3, FRAMES, dtype=torch.bool))


@every_model
def test_impossible_options_are_refused(case: Case) -> None:
    for wrong in ({"classes": 0}, {"people": 0}, {"channels": 0}):
        with pytest.raises(ConfigError, match=rf"{next(iter(wrong))}(: found)? 0"):
            case.build(**wrong)
    if "width" in case.options:
        with pytest.raises(ConfigError, match="width: found 0"):
            case.build(width=0.0)


@every_network
def test_bfloat16_autocast(case: Case) -> None:
    model = ready(case)
    x = inputs(8)
    with torch.no_grad():
        exact = model(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = model(x)
    torch.testing.assert_close(low.float(), exact, rtol=0.1, atol=0.15 * exact.std().item() + 0.02)
    model.train()
    longer, mask = padded(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(longer, mask)
    out.float().square().mean().backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)


# ---- parameters ---------------------------------------------------------------------------------------------------


def _tail(widths: list[int], classes: int) -> int:
    """Input norm of 25 x 3 channels and classifier."""
    return 2 * 75 + (widths[-1] + 1) * classes


def test_parameters_are_those_of_the_papers() -> None:
    """Counted from the equations; the published counts (with biases before norms) stand beside them."""
    ntu = get_skeleton("ntu25")
    ten, nine = [64] * 4 + [128] * 3 + [256] * 3, [64] * 3 + [128] * 3 + [256] * 3
    outer = 64 * 128 + 256 + 128 * 256 + 512  # the maps of the two residual connections that change shape, with norms
    sizes = list(zip([3, *ten], ten, strict=False))

    def count(name: str, **options: Any) -> int:
        return models.build(name, ntu, {"classes": 60, "people": 2, **options}).num_parameters

    graph = sum(3 * i * o + 3 * 625 + 2 * o for i, o in sizes)
    temporal = sum(9 * o * o + 2 * o for o in ten)
    assert count("stgcn") == graph + temporal + outer + _tail(ten, 60) == 3_092_816  # published: 3.10 M
    inner = 3 * 64 + 128 + 64 * 128 + 256 + 128 * 256 + 512
    embed = sum((i + 1) * 6 * (o // 4) for i, o in sizes)
    assert count("agcn") == graph + temporal + embed + inner + outer + _tail(ten, 60) == 3_462_896  # 3.45 M

    def branches(o: int) -> int:
        share, first = o // 6, o - 5 * (o // 6)
        convolutions = 3 * (first**2 + 3 * share**2)
        return o * (o - share) + 2 * (o - share) + convolutions + o * share + 2 * o + o * o + 2 * o

    assert count("stgcnpp") == graph + sum(map(branches, ten)) + inner + outer + _tail(ten, 60) == 1_394_322  # 1.39 M
    refined = 0
    for i, o in sizes:
        relations = 8 if i == 3 else i // 8
        refined += 3 * i * o + 6 * (i + 1) * relations + 3 * (relations + 1) * o + 3 * 625 + 1 + 2 * o
    four = sum(o * o + 2 * (3 * o // 4) + 2 * 5 * (o // 4) ** 2 + 2 * o for o in ten)
    assert count("ctrgcn") == refined + four + inner + outer + _tail(ten, 60) == 1_439_354  # 1.46 M

    hcsf = 0
    for index, (i, o) in enumerate(zip([3, *nine], nine, strict=False)):
        short = o if index == 0 else i
        widths = [short, max(1, round(short / 8)), max(1, round(short / 64))]
        hcsf += sum(i * w + w * o for w in widths) + 3 * 625 + 2 * o + 9 * o * o + 2 * o
    assert count("hcsf_recognizer") == hcsf + outer + 3 * 64 + 128 + _tail(nine, 60)


# ---- compilers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["hcsf-dynamic-a", "ctrgcn", "stgcnpp"])
def test_forward_is_one_graph(key: str) -> None:
    """No graph break under torch.compile, in training, with a mask."""
    torch._dynamo.reset()
    model = CASES[key].build()
    model.blocks = nn.ModuleList(list(model.blocks)[:1])  # tracing takes seconds
    model.classifier = nn.LazyLinear(CLASSES)
    model(inputs())
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert bool(compiled(*padded(inputs())).isfinite().all())


def shortened(model: RecognitionModel) -> RecognitionModel:
    """One block of each kind, and no more: on coordinates, on features, and to more of them; tracing takes seconds."""
    if isinstance(model, GraphRecognizer):
        first, second, *others = (block for block in model.blocks if isinstance(block, ClipBlock))
        wider = next(block for block in others if block.stride > 1)
        assert wider.outer is not None
        model.blocks = nn.ModuleList([first, second, wider])
        model.features = wider.outer.linear.out_features
        model.classifier = nn.Linear(model.features, CLASSES)
    return model


@needs_newer_torch
@pytest.mark.parametrize(
    "key",
    ["hcsf", "hcsf-dynamic-a", "mixhop", "stgcn", "agcn", "stgcnpp", "ctrgcn", "linear", "nearest", "nearest-euclid"],
)
def test_exported_program_gives_the_same(key: str) -> None:
    case = CASES[key]
    model = shortened(ready(case, frames=3) if key == "nearest" else ready(case))
    batch = torch.export.Dim("batch", min=1, max=1024)
    longer, mask = padded(inputs())
    program = torch.export.export(model, (longer, mask), dynamic_shapes=({0: batch}, {0: batch}))
    for count in (7, 40):
        longer, mask = padded(inputs(count))
        mask[2, 1] = False
        torch.testing.assert_close(program.module()(longer, mask), model(longer, mask), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("key", ["agcn", "ctrgcn", "hcsf-inner"])
def test_graph_modules_begin_as_the_residual_round_them(key: str) -> None:
    """As in the published code of 2s-AGCN and CTR-GCN: the scale of the norm that ends each graph module is 1e-6."""
    model = CASES[key].build()
    assert isinstance(model, GraphRecognizer)
    for block in model.blocks:
        assert isinstance(block, ClipBlock)
        assert block.graph.norm.weight.tolist() == pytest.approx([1e-6] * len(block.graph.norm.weight))
    model.train()
    x = inputs(4)
    before = model(x).detach()
    for block in model.blocks:
        weights = [
            weight for name, weight in block.graph.named_parameters() if name.endswith("weight") and "norm" not in name
        ]
        assert weights
        for weight in weights:
            nn.init.normal_(weight)
    torch.testing.assert_close(model(x), before, atol=1e-3, rtol=1e-3)
    for block in model.blocks:
        nn.init.ones_(block.graph.norm.weight)
    assert (model(x) - before).abs().max() > 0.01
