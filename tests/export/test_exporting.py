"""Exports: every file agrees with PyTorch, lengths are free, fewer bits cost what is said, mistakes leave nothing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from newer_torch import needs_newer_torch
from tiny_networks import BODY, PLACES, SMALL, loaded

from kinegraph.errors import ConfigError, KinegraphError, MissingExtraError
from kinegraph.export import export, find_weights
from kinegraph.export.exporting import Exported, compare, plan_export, trace
from kinegraph.export.onnx_file import to_onnx
from kinegraph.export.plan import ExportPlan, Measure, Part, Run
from kinegraph.models import REGISTRY
from kinegraph.skeleton import Skeleton
from kinegraph.weights import LoadedWeights

onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = needs_newer_torch


def eager(part: Part) -> Run:
    """A part as it is, untraced."""

    def run(feed):  # type: ignore[no-untyped-def]
        with torch.no_grad():
            found = part.module(*(torch.from_numpy(np.ascontiguousarray(feed[port.name])) for port in part.inputs))
        found = found if isinstance(found, tuple) else (found,)
        return {port.name: value.detach().numpy() for port, value in zip(part.outputs, found, strict=True)}

    return run


def error_of(plan: ExportPlan) -> float:
    """Largest error of the graphs before they are traced."""
    return compare(plan, {part.name: eager(part) for part in plan.parts})[0]


# ---- the graphs are the package's own pre- and postprocessing -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "transform"),
    [
        ("fcn", {}, {}),
        ("fcn", {}, {"confidence": False}),
        ("lcn", {}, {"normalise": "screen", "target": "pixel"}),
        ("hcsf", {"frames": 3}, {"normalise": "screen", "target": "pixel", "confidence": False}),
        ("hcsf", {"frames": 3, "causal": True}, {}),
        ("videopose3d", {}, {"normalise": "screen"}),
        ("videopose3d", {}, {"normalise": "screen", "target": "pixel"}),
    ],
)
def test_lifters_take_pixels_and_give_metres(name: str, options: dict, transform: dict) -> None:
    assert error_of(plan_export(loaded(name, transform=transform, **options))) < 1e-5


@pytest.mark.parametrize(
    ("name", "options", "transform"),
    [
        ("symgnn", {"differences": (0, 1, 2)}, {}),
        ("symgnn", {"stream": "dual", "actional": False}, {}),
        ("symgnn", {"classes": 0, "structural": False, "actional": False}, {"root": "none"}),
        ("symgnn", {"horizon": 0}, {"horizon": 0}),
        ("simlpe", {}, {}),
        ("simlpe", {}, {"representation": "positions"}),
        ("ridge", {}, {"representation": "positions", "root": "none"}),
    ],
)
def test_motion_networks_take_the_world_and_give_it_back(name: str, options: dict, transform: dict) -> None:
    assert error_of(plan_export(loaded(name, transform=transform, **options))) < 2e-5


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.convention)
@pytest.mark.parametrize("stream", ["joint", "bone-motion"])
def test_recognisers_take_metres(place: object, stream: str) -> None:
    transform = {"prenormalise": place, "stream": stream}
    # The turn of a random body is known to so much in float32.
    assert error_of(plan_export(loaded("linear", transform=transform))) < 3e-5


@pytest.mark.parametrize("stream", ["joint", "bone-motion"])
def test_confidence_is_a_channel_of_2d_clips(stream: str) -> None:
    place = PLACES[2]  # pyskl
    transform = {"prenormalise": place, "stream": stream, "dims": 2, "confidence": True}
    plan = plan_export(loaded("linear", transform=transform))
    assert [port.name for port in plan.parts[0].inputs] == ["positions", "present", "confidence"]
    assert error_of(plan) < 1e-5


@pytest.mark.parametrize("sampling", ["resize", "window", "all"])
def test_frames_of_clips(sampling: str) -> None:
    plan = plan_export(loaded("stgcnpp", transform={"sampling": sampling}))
    assert error_of(plan) < 1e-5
    assert plan.parts[0].inputs[0].axes[2] == (12 if sampling == "window" else "frames")
    away_at_that_length = any(case.label.endswith(" 12 frames, some away") for case in plan.cases)
    assert away_at_that_length == (sampling != "all")


def test_directions_turn_to_an_axis() -> None:
    from kinegraph.export.clips import _turn_to
    from kinegraph.transforms.prenormalise import turn_between

    directions = np.random.default_rng(0).normal(size=(20, 3))
    directions[0], directions[1], directions[2] = 0, [0, 0, -2], [-3, 0, 0]
    for axis in (0, 2):
        found = _turn_to(torch.from_numpy(directions).float(), axis).numpy()
        expected = np.stack([turn_between(one, np.eye(3)[axis]) for one in directions])
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_whirling_body_keeps_its_names() -> None:
    """Rotations past half a turn: the graph's choice of names is the transform's."""
    from kinegraph.export.turning import continuous
    from kinegraph.transforms.heading import continuous_expmap

    random = np.random.default_rng(3)
    axis = random.normal(size=(4, 1, 6, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.linspace(-5, 5, 15)[None, :, None, None] + random.normal(size=(4, 1, 6, 1))
    expmap = axis * ((angle + np.pi) % (2 * np.pi) - np.pi)
    expected = continuous_expmap(expmap, axis=1, anchor=-1)
    assert np.abs(expected).max() > np.pi
    found = continuous(torch.from_numpy(expmap)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)


# ---- files ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lifter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Exported]:
    """A tiny lifter as ONNX."""
    out = tmp_path_factory.mktemp("onnx") / "lifter.onnx"
    return out, export(loaded("fcn"), out)


def test_an_integrator_needs_onnxruntime_alone(lifter: tuple[Path, Exported]) -> None:
    out, done = lifter
    session = onnxruntime.InferenceSession(str(out))
    assert [value.shape for value in session.get_inputs()] == [["batch", "frames", 17, 2], ["batch", "frames", 17]]
    assert session.get_outputs()[0].shape == ["batch", "frames", 17, 3]
    facts = json.loads(session.get_modelmeta().custom_metadata_map["kinegraph"])
    beside = json.loads(out.with_name("lifter.onnx.json").read_text())
    assert beside == facts
    assert facts["joints"] == list(BODY.joints)
    assert beside["check"]["largest_error_float32"] == done.error < 1e-5
    keypoints = np.full((1, 1, 17, 2), np.nan, dtype=np.float32)
    keypoints[..., :9, :] = np.random.default_rng(0).uniform(0, 500, (9, 2))
    confidence = np.zeros((1, 1, 17), dtype=np.float32)
    confidence[..., :9] = 1
    found = session.run(None, {"keypoints": keypoints, "confidence": confidence})[0]
    assert np.isfinite(found).all()  # a missing keypoint may be NaN


def test_names_of_a_file(lifter: tuple[Path, Exported]) -> None:
    out, done = lifter
    assert [path.name for path in done.files] == ["lifter.onnx", "lifter.onnx.json"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["lifter.onnx", "lifter.onnx.json"]


@pytest.mark.slow
def test_encoder_and_step(tmp_path: Path) -> None:
    weights = loaded("symgnn", parts=False, actional=False, differences=(0,))
    done = export(weights, tmp_path / "walker.onnx")
    assert [path.name for path in done.files] == ["walker.onnx", "walker_step.onnx", "walker.onnx.json"]
    assert done.error < 1e-5
    facts = json.loads((tmp_path / "walker.onnx.json").read_text())
    step = onnxruntime.InferenceSession(str(tmp_path / "walker_step.onnx"))
    assert [value.name for value in step.get_inputs()] == list(facts["state"])
    after = {name for name in facts["state"].values() if name.endswith("_next")}
    assert {value.name for value in step.get_outputs()} == {"frame", *after}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[LoadedWeights, Exported]:
    """A network with enough weights for their bits to count, in float32."""
    weights = loaded("fcn", width=128)
    return weights, export(weights, tmp_path_factory.mktemp("whole") / "whole.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_fewer_bits_are_smaller_and_their_cost_is_told(
    whole: tuple[LoadedWeights, Exported], tmp_path: Path, precision: str
) -> None:
    weights, full = whole
    done = export(weights, tmp_path / "small.onnx", precision=precision)  # type: ignore[arg-type]
    assert done.sizes[0] < {"fp16": 0.6, "bf16": 0.6, "int8": 0.4}[precision] * full.sizes[0]
    assert done.error == full.error < 1e-5
    model = onnxruntime.InferenceSession(str(tmp_path / "small.onnx")).get_modelmeta().custom_metadata_map
    assert json.loads(model["kinegraph"]) == json.loads((tmp_path / "small.onnx.json").read_text())
    cost = done.figures[0]
    assert cost.unit == "mm"
    assert full.figures[0].mean < cost.mean < 100


@pytest.mark.slow
def test_stacks_of_matrices_in_int8(tmp_path: Path) -> None:
    """One weight for every pair of joints: onnxruntime has no scales by channel for them."""
    done = export(loaded("lcn", channels=32), tmp_path / "small.onnx", precision="int8")
    assert done.error < 1e-5
    assert 0 < done.figures[0].mean < 100


def test_a_program_of_torch(tmp_path: Path) -> None:
    done = export(loaded("fcn"), tmp_path / "lifter.pt2")
    assert done.error < 1e-5
    inside = {"kinegraph.json": ""}
    program = torch.export.load(tmp_path / "lifter.pt2", extra_files=inside)
    facts = json.loads(inside["kinegraph.json"])
    assert facts == json.loads((tmp_path / "lifter.pt2.json").read_text())
    assert facts["check"]["largest_error_float32"] == done.error
    found = program.module()(torch.rand(1, 1, 17, 2), torch.ones(1, 1, 17))
    assert found.shape == (1, 1, 17, 3)


def test_a_program_of_a_temporal_lifter(tmp_path: Path) -> None:
    """A single answer for one person, the fewest that the sidecar names, runs where the tracer saw more of both."""
    done = export(loaded("hcsf", frames=3, causal=True), tmp_path / "lifter.pt2")
    assert done.error < 1e-5
    facts = json.loads(done.files[-1].read_text())
    assert (facts["frames_of_context"], facts["fewest_frames"]) == (3, 3)
    found = torch.export.load(tmp_path / "lifter.pt2").module()(torch.rand(1, 3, 17, 2), torch.ones(1, 3, 17))
    assert found.shape == (1, 1, 17, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in REGISTRY if name in SMALL])
def test_every_network_as_program_and_as_onnx(name: str) -> None:
    """The cases of a plan have several batches, frames and people: a length that is not free fails in them."""
    from kinegraph.export.exporting import _program_run
    from kinegraph.export.onnx_file import load_run, to_onnx

    plan = plan_export(loaded(name))
    programs = {part.name: trace(part) for part in plan.parts}
    free = {axis for part in plan.parts for port in part.inputs for axis in port.axes if isinstance(axis, str)}
    assert free, "nothing is free"
    assert len({case.label for case in plan.cases}) > 1
    as_program = {part.name: _program_run(part, programs[part.name]) for part in plan.parts}
    assert compare(plan, as_program)[0] < 1e-4
    as_onnx = {part.name: load_run(to_onnx(part, programs[part.name])) for part in plan.parts}
    assert compare(plan, as_onnx)[0] < 1e-4


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("hcsf_recognizer", {"dynamic": "m+alpha_o", "dynamic_kernel": 3, "dynamic_stride": 2}),
        ("linear", {"transform": {"prenormalise": PLACES[3]}}),  # 2s-agcn
    ],
)
def test_what_looks_back_at_the_last_real_frame_goes_into_onnx(tmp_path: Path, name: str, options: dict) -> None:
    assert export(loaded(name, **options), tmp_path / "network.onnx").error < 1e-5


def test_an_operation_that_onnx_lacks_is_named() -> None:
    from kinegraph.export import onnx_file

    class Running(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.cummax(dim=1).values

    part = plan_export(loaded("fcn")).parts[0]
    with pytest.raises(KinegraphError, match=r"cannot be written as ONNX \(No ONNX function found for .*cummax"):
        onnx_file.to_onnx(part, torch.export.export(Running(), (torch.rand(2, 3),)))


def test_of_an_old_pytorch_it_is_said_that_a_newer_one_may_help(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("Unsupported method call")

    part = plan_export(loaded("fcn")).parts[0]
    program = trace(part)
    monkeypatch.setattr(torch.export, "export", refuse)
    monkeypatch.setattr(torch.onnx, "export", refuse)
    old = "; PyTorch 2.7.1 is too old for some networks: install 2.8 or newer"
    for version, said in (("2.7.1+cu126", old), ("2.10.0", "")):
        monkeypatch.setattr(torch, "__version__", version)
        with pytest.raises(KinegraphError, match=re.escape(f"cannot be traced (Unsupported method call){said}") + "$"):
            trace(part)
        told = said or "; try OUT.pt2"
        with pytest.raises(KinegraphError, match=re.escape(f"as ONNX (Unsupported method call){told}") + "$"):
            to_onnx(part, program)


def test_sums_that_race_in_onnxruntime_are_refused() -> None:
    """Threads that add into one place at once lose sums (seen: joints 14 cm off in one run of ten)."""
    from kinegraph.export import onnx_file

    class Sums(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.new_zeros(2, 3).index_add(0, torch.tensor([0, 0]), x)

    part = plan_export(loaded("fcn")).parts[0]
    with pytest.raises(KinegraphError, match="index_add.*OUT.pt2"):
        onnx_file.to_onnx(part, torch.export.export(Sums(), (torch.rand(2, 3),)))


@pytest.mark.parametrize("where", ["graph", "branch", "function"])
@pytest.mark.parametrize("reduction", ["none", "add"])
def test_sums_are_found_wherever_a_graph_hides_them(where: str, reduction: str) -> None:
    from onnx import TensorProto, helper

    from kinegraph.export import onnx_file

    nodes = [helper.make_node("ScatterND", ["x", "where", "more"], ["y"], reduction=reduction)]
    functions = []
    if where == "branch":
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])
        branch = helper.make_graph(nodes, "then", [], [out])
        nodes = [helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]
    if where == "function":
        imports = [helper.make_opsetid("", 18)]
        functions = [helper.make_function("own", "Sum", ["x", "where", "more"], ["y"], nodes, imports)]
        nodes = [helper.make_node("Sum", ["x", "where", "more"], ["y"], domain="own")]
    model = helper.make_model(helper.make_graph(nodes, "whole", [], []), functions=functions)
    if reduction == "none":
        onnx_file._refuse_racing_sums(model)
    else:
        with pytest.raises(KinegraphError, match="sums into indexed places .ScatterND"):
            onnx_file._refuse_racing_sums(model)


def test_no_network_is_forgotten() -> None:
    assert set(REGISTRY) - set(SMALL) == {"zero_velocity", "constant_velocity", "nearest"}


# ---- mistakes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """Where nothing may be left."""
    folder = tmp_path / "out"
    folder.mkdir()
    yield folder / "x.pt2"
    assert list(folder.iterdir()) == []


def test_what_disagrees_is_not_written(out: Path) -> None:
    with pytest.raises(KinegraphError, match=r"fcn: the exported graph differs from PyTorch by .* nothing was written"):
        export(loaded("fcn"), out, limit=0.0)


def test_what_is_not_finite_is_not_written(out: Path) -> None:
    weights = loaded("fcn")
    with torch.no_grad():
        next(weights.model.parameters()).fill_(float("nan"))
    with pytest.raises(KinegraphError, match="differs from PyTorch by inf"):
        export(weights, out)


@pytest.mark.parametrize("name", ["zero_velocity", "constant_velocity", "nearest"])
def test_nothing_to_export(out: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="nothing to export"):
        export(loaded(name), out)


def test_never_fitted(out: Path) -> None:
    weights = loaded("ridge")
    weights.model.strengths.fill_(float("nan"))  # type: ignore[union-attr,operator]
    with pytest.raises(ConfigError, match="never fitted"):
        export(weights, out)


def test_a_skeleton_of_another_kind_is_checked_on_random_motion() -> None:
    weights = loaded("fcn")
    other = Skeleton(name="other", joints=tuple(f"j{i}" for i in range(17)), parents=weights.skeleton.parents)
    assert plan_export(replace(weights, skeleton=other)).checked_on == "random motion"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lfit", "did you mean 'lift'"),
        ("zero-velocity", "zero-velocity has no weights: there is nothing to export"),
        ("hcsf", "a kind of model; export a trained one"),
    ],
)
def test_names_that_are_no_weights(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_weights(name)


def test_the_missing_extra_is_named(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"exporting to ONNX needs .*kinegraph\[export\]"):
        export(loaded("fcn"), out.with_suffix(".onnx"))


def test_angles_are_compared_as_rotations() -> None:
    """A half turn has two names, and a whole turn changes nothing."""
    measure = Measure(output="x", label="", unit="rad", rotation=True)
    a = np.array([[np.pi, 0, 0], [0.1, 0, 0]])
    b = np.array([[-np.pi, 0, 0], [0.1 + 2 * np.pi, 0, 0]])
    np.testing.assert_allclose(measure.differences({"x": a}, {"x": b}), 0, atol=1e-7)
    c = np.array([[np.pi, 0, 0], [0.3, 0, 0]])
    np.testing.assert_allclose(measure.differences({"x": a}, {"x": c}), [0, 0.2], atol=1e-7)
