"""Weights folders: they come back as they went, appear whole, and a wrong or hostile one is refused in words."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinegraph import weights as weights_module
from kinegraph.errors import ConfigError, FormatError, KinegraphError
from kinegraph.hub import locate
from kinegraph.models import REGISTRY, build
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.motion import MotionTransform
from kinegraph.weights import CONFIG_FILE, TENSORS_FILE, load_weights, save_weights, task_of, transform_of

LIFTERS = [name for name, entry in REGISTRY.items() if entry.task == "lift"]
SMALL: dict[str, dict[str, Any]] = {name: {"channels": 8} for name in LIFTERS} | {"fcn": {"width": 8}}
TRANSFORM = LiftingTransform(target="metric", normalise="box", confidence=True, scale=0.25)


def small(name: str, **changes: Any) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(name, get_skeleton("h36m17"), {**SMALL[name], "in_channels": 3, **changes}).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small FCN's weights."""
    save_weights(tmp_path / "w", small("fcn"), "fcn", {"seed": 3, "note": "größer"}, transform=TRANSFORM)
    return tmp_path / "w"


@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "w"
    save_weights(path, small("fcn"), "fcn", {"seed": 3}, transform=TRANSFORM)
    return path


def edit(folder: Path, *path: str, value: Any = None, delete: bool = False) -> None:
    """Change one entry of config.json."""
    config = json.loads((folder / CONFIG_FILE).read_text())
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    if delete:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    (folder / CONFIG_FILE).write_text(json.dumps(config))


@pytest.mark.parametrize("name", LIFTERS)
def test_every_lifter_comes_back(name: str, tmp_path: Path) -> None:
    model = small(name)
    save_weights(tmp_path / "w", model, name, {"seed": 1}, transform=TRANSFORM)
    loaded = load_weights(tmp_path / "w")
    assert (loaded.model_name, loaded.task, loaded.folder) == (name, "lift", tmp_path / "w")
    assert loaded.transform == TRANSFORM
    assert loaded.skeleton == get_skeleton("h36m17")
    assert loaded.model.config == model.config
    assert loaded.metadata == {"seed": 1}
    assert not loaded.model.training
    frames = int(model.frames)  # type: ignore[arg-type]
    x = torch.randn(2, *((frames,) if frames > 1 else ()), 17, 3)
    with torch.no_grad():
        assert torch.equal(loaded.model(x), model(x))


MOTION = MotionTransform(
    mean=((0.1, 0.2, 0.3),) * 17,
    scale=((0.5, 0.0, 1.0),) * 17,
    observed=8,
    horizon=3,
    fps=30.0,
    actions=("walk", "wave"),
)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("symgnn", {"width": 0.05, "agim_width": 8, "classes": 2, "differences": (0,)}),
        ("simlpe", {"blocks": 2}),
        ("ridge", {}),
    ],
)
def test_every_motion_network_comes_back(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build(name, get_skeleton("h36m17"), {"observed": 8, "horizon": 3, **options}).eval()
    if name == "ridge":
        model.fit(torch.randn(9, 8, 17, 3), torch.randn(9, 3, 17, 3))  # type: ignore[operator]
    save_weights(tmp_path / "w", model, name, {"seed": 1}, transform=MOTION, task="motion")
    loaded = load_weights(tmp_path / "w", task="motion")
    assert (loaded.task, loaded.transform) == ("motion", MOTION)
    assert loaded.model.config == model.config
    x = torch.randn(2, 8, 17, 3)
    with torch.no_grad():
        for found, expected in zip(loaded.model(x), model(x), strict=True):
            assert (found is None and expected is None) or torch.equal(found, expected)
    with pytest.raises(KinegraphError, match="w: this network forecasts or recognises: use it with forecast"):
        load_weights(tmp_path / "w", task="lift")


RECOGNISERS: dict[str, dict[str, Any]] = {
    "hcsf_recognizer": {"width": 0.05, "dynamic": "m+alpha_o", "dynamic_kernel": 3},
    "khop": {"width": 0.05},
    "mixhop": {"width": 0.05},
    "mshop": {"width": 0.05, "dynamic": "none"},
    "stgcn": {"width": 0.05},
    "agcn": {"width": 0.05},
    "stgcnpp": {"width": 0.1},
    "ctrgcn": {"width": 0.1},
    "symgnn_recognizer": {"width": 0.05, "agim_width": 4, "frames": 5, "backbone": "light", "iterations": 1},
    "nearest": {"frames": 5},
    "linear": {"frames": 5},
}
CLIPS = ClipTransform(sampling="uniform", frames=6, stream="bone", fps=30.0, actions=("walk", "wave", "sit"))


def recogniser(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    model = build(name, get_skeleton("ntu25"), {"classes": 3, "people": 2, **RECOGNISERS[name]}).eval()
    if name in ("nearest", "linear"):
        model.fit(torch.randn(4, 1, 6, 25, 3), torch.tensor([0, 2, 1, 1]))  # type: ignore[operator]
    return model


@pytest.mark.parametrize("name", [name for name, entry in REGISTRY.items() if entry.task == "recognition"])
def test_every_recogniser_comes_back_and_is_not_believed(name: str, tmp_path: Path) -> None:
    model, place = recogniser(name), tmp_path / "w"
    save_weights(place, model, name, {"seed": 1}, transform=CLIPS, task="recognition")
    loaded = load_weights(place, task="recognition")
    assert (loaded.task, loaded.transform, loaded.model.config) == ("recognition", CLIPS, model.config)
    assert loaded.parameters == model.num_parameters > 0
    x, mask = torch.randn(2, 2, 6, 25, 3), torch.ones(2, 2, 6, dtype=torch.bool)
    mask[0, 1] = False
    with torch.no_grad():
        assert torch.equal(loaded.model(x, mask), model(x, mask))
    with pytest.raises(KinegraphError, match="this network recognises actions in clips: use it with recognize"):
        load_weights(place, task="motion")
    # No number of its configuration is taken on trust: what it would build is compared before it is built.
    good = json.loads((place / CONFIG_FILE).read_text())
    for field, value in good["model"]["config"].items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for hostile in (10**9, 2**62, -1):
                edit(place, "model", "config", field, value=hostile)
                _refused_or_harmless(place, model)
        elif isinstance(value, list):
            edit(place, "model", "config", field, value=list(range(1, 100_000)))
            _refused_or_harmless(place, model)
        edit(place, "model", "config", field, value=value)
    edit(place, "model", "config", "classes", value=10**9)
    refused(place, r"tensor .* has shape|cannot be built|names 3 actions, the nearest has 1000000000 classes")
    for wrong in (2, 4):
        edit(place, "model", "config", "classes", value=wrong)
        refused(place, rf"tensor .* has shape|names 3 actions, the nearest has {wrong} classes")


def _refused_or_harmless(place: Path, model: torch.nn.Module) -> None:
    """Refused, or of no account to what is built: the most people that a clip may hold."""
    started = time.process_time()
    try:
        loaded = load_weights(place)
    except FormatError as error:
        assert str(error).startswith(str(place))  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert {k: v.shape for k, v in loaded.model.state_dict().items()} == {
            k: v.shape for k, v in model.state_dict().items()
        }
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lcn", {"hops": 60, "channels": 8, "blocks": 1}),
        ("symgnn", {"gamma": 200, "width": 0.05, "differences": (0,), "actional": False}),
        ("symgnn", {"iterations": 250, "width": 0.05, "differences": (0,), "actional": False}),
    ],
)
def test_a_number_larger_than_the_number_of_tensors_comes_back(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    """Hops that reach every joint, graphs of many orders in one tensor, steps of a graph that is not used."""
    task, transform = ("motion", MOTION) if name == "symgnn" else ("lift", TRANSFORM)
    channels = {"observed": 8, "horizon": 3} if name == "symgnn" else {"in_channels": 3}
    model = build(name, get_skeleton("h36m17"), {**options, **channels}).eval()
    assert len(model.state_dict()) < max(value for value in options.values() if isinstance(value, int))
    save_weights(tmp_path / "w", model, name, {}, transform=transform, task=task)
    assert load_weights(tmp_path / "w").model.config == model.config
    if "gamma" in options:
        edit(tmp_path / "w", "model", "config", "gamma", value=10**9)
        refused(tmp_path / "w", r"values cannot be the gamma 1000000000 graphs of 17 joints of the symgnn")
        edit(tmp_path / "w", "model", "config", "gamma", value=201)
        refused(tmp_path / "w", r"has shape \(200, 17, 17\)")


def test_a_fitted_recogniser_cannot_claim_more_examples_than_it_holds(tmp_path: Path) -> None:
    place = tmp_path / "w"
    save_weights(place, recogniser("nearest"), "nearest", {}, transform=CLIPS, task="recognition")
    for claimed, message in ((5, "has shape"), (10**9, "not a number of clips"), (-1, "examples: found -1")):
        edit(place, "model", "config", "examples", value=claimed)
        refused(place, message)


def test_a_skeleton_of_too_many_joints_is_refused(folder: Path) -> None:
    for many in (2049, 100_000):  # the number alone, before anything is built: that would take hours
        edit(
            folder, "skeleton", value={"name": "centipede", "joints": {f"j{n}": "j0" if n else "" for n in range(many)}}
        )
        refused(folder, f"skeleton of {many} joints, more than 2048$")


def test_the_task_is_read_without_the_tensors(folder: Path, tmp_path: Path) -> None:
    (folder / TENSORS_FILE).write_bytes(b"no tensors")
    assert task_of(folder) == "lift"
    assert transform_of(folder) == TRANSFORM
    with pytest.raises(FormatError, match="no such weights folder"):
        task_of(tmp_path / "nowhere")
    edit(folder, "transform", "target", value="somewhere")
    with pytest.raises(FormatError, match="target"):
        transform_of(folder)
    (folder / TENSORS_FILE).unlink()
    with pytest.raises(FormatError, match="model.safetensors is missing"):
        task_of(folder)


def test_a_lifter_is_no_motion_network(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(KinegraphError, match="this network lifts 2D keypoints: use it with lift"):
        load_weights(folder, task="motion")
    with pytest.raises(ConfigError, match="task lift goes with a LiftingTransform; found a MotionTransform"):
        save_weights(tmp_path / "x", small("fcn"), "fcn", {}, transform=MOTION)
    with pytest.raises(ConfigError, match="task is 'motion', but the model 'fcn' is one of 'lift'"):
        save_weights(tmp_path / "x", small("fcn"), "fcn", {}, transform=MOTION, task="motion")


def test_a_skeleton_of_ones_own_comes_back(tmp_path: Path) -> None:
    from kinegraph.skeleton import Skeleton

    own = Skeleton(name="mine", joints=("a", "left_b", "right_b"), parents=(-1, 0, 0), pairs=(("left_b", "right_b"),))
    save_weights(tmp_path / "w", build("fcn", own, {"width": 4}), "fcn", {}, transform=LiftingTransform())
    assert load_weights(tmp_path / "w").skeleton == own


def test_float16_halves_the_file_and_loads_as_float32(folder: Path, tmp_path: Path) -> None:
    save_weights(tmp_path / "half", small("fcn"), "fcn", {}, transform=TRANSFORM, dtype="float16")
    sizes = [(path / TENSORS_FILE).stat().st_size for path in (folder, tmp_path / "half")]
    assert sizes[1] < 0.75 * sizes[0]  # a tiny file is mostly header
    full, half = load_weights(folder).model.state_dict(), load_weights(tmp_path / "half").model.state_dict()
    for name, value in full.items():
        assert half[name].dtype == value.dtype
        torch.testing.assert_close(half[name], value, atol=1e-3, rtol=1e-3)


def test_what_a_precision_cannot_hold_is_refused_before_anything_is_replaced(folder: Path) -> None:
    model = small("fcn")
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = -1e5
    name = next(iter(dict(model.named_parameters())))
    message = rf"^tensor {name} holds 100000, and float16 nothing above 65504; nothing was written: .* dtype float32$"
    with pytest.raises(ConfigError, match=message):
        save_weights(folder, model, "fcn", {"seed": 4}, transform=TRANSFORM, dtype="float16")
    assert load_weights(folder).metadata["seed"] == 3
    assert [path.name for path in folder.parent.iterdir()] == ["w"]
    save_weights(folder, model, "fcn", {"seed": 4}, transform=TRANSFORM)
    assert load_weights(folder).metadata["seed"] == 4


def test_a_symlink_stays_and_the_weights_that_it_points_to_are_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("w")
    save_weights(tmp_path / "link", small("fcn"), "fcn", {"seed": 4}, transform=TRANSFORM)
    assert (tmp_path / "link").is_symlink()
    assert load_weights(folder).metadata["seed"] == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "w"]


def test_other_tensors_can_be_stored_in_place_of_the_models(tmp_path: Path) -> None:
    model = small("fcn")
    state = {name: torch.zeros_like(value) for name, value in model.state_dict().items()}
    save_weights(tmp_path / "w", model, "fcn", {}, transform=TRANSFORM, state=state)
    assert all(bool((value == 0).all()) for value in load_weights(tmp_path / "w").model.state_dict().values())
    assert any(bool((value != 0).any()) for value in model.state_dict().values())


def test_saving_replaces_and_leaves_nothing_else(folder: Path) -> None:
    save_weights(folder, small("fcn"), "fcn", {"seed": 4}, transform=TRANSFORM)
    assert load_weights(folder).metadata == {"seed": 4}
    assert [path.name for path in folder.parent.iterdir()] == ["w"]
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG_FILE, TENSORS_FILE]


def test_a_crash_while_saving_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace
    calls: list[str] = []

    def fails(source: Any, target: Any) -> None:
        calls.append(str(source))
        if len(calls) == 2:  # the old folder has been moved away, the new one is not there yet
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(weights_module.os, "replace", fails)
    with pytest.raises(KinegraphError, match=r"cannot write .*w: No space left on device"):
        save_weights(folder, small("fcn"), "fcn", {"seed": 4}, transform=TRANSFORM)
    assert load_weights(folder).metadata["seed"] == 3
    assert [path.name for path in folder.parent.iterdir()] == ["w"]


@pytest.mark.parametrize("moment", [1, 2, 3])
def test_ctrl_c_while_saving_leaves_the_old_one_or_the_new(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Before the old folder is moved away, between the two, and just after the new one is in place."""
    replace = os.replace
    calls: list[str] = []

    def interrupted(source: Any, target: Any) -> None:
        calls.append(str(source))
        if len(calls) == moment:
            raise KeyboardInterrupt
        replace(source, target)
        if (len(calls), moment) == (2, 3):
            raise KeyboardInterrupt

    monkeypatch.setattr(weights_module.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_weights(folder, small("fcn"), "fcn", {"seed": 4}, transform=TRANSFORM)
    assert load_weights(folder).metadata["seed"] == {1: 3, 2: 3, 3: 4}[moment]
    assert [path.name for path in folder.parent.iterdir()] == ["w"]


def test_what_cannot_be_moved_back_is_kept_and_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = os.replace

    def fails(source: Any, target: Any) -> None:
        if Path(target) == folder:  # neither the new one nor the old one gets there again
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(weights_module.os, "replace", fails)
    with pytest.raises(KinegraphError, match=r"cannot write .*w: Input/output error; .* what was there is now .*old$"):
        save_weights(folder, small("fcn"), "fcn", {"seed": 4}, transform=TRANSFORM)
    (kept,) = folder.parent.iterdir()
    assert load_weights(kept).metadata["seed"] == 3
    refused(folder, rf"no such weights folder; a save cut short left its weights as {kept}: rename it")
    with pytest.raises(FormatError, match="a save cut short left its weights as"):
        locate(folder)


def test_nothing_but_weights_is_ever_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("dear")
    (tmp_path / "file").write_text("dear")
    for name in ("thesis", "file"):
        with pytest.raises(KinegraphError, match="something other than weights is there"):
            save_weights(tmp_path / name, small("fcn"), "fcn", {}, transform=TRANSFORM)
    assert (tmp_path / "thesis" / "chapter1.tex").read_text() == (tmp_path / "file").read_text() == "dear"
    with pytest.raises(KinegraphError, match=r"cannot write .*: No such file"):
        save_weights(tmp_path / "no" / "where", small("fcn"), "fcn", {}, transform=TRANSFORM)


def test_unknown_model_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'fcn'"):
        save_weights(tmp_path / "w", small("fcn"), "fcnn", {}, transform=TRANSFORM)


def refused(folder: Path, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        load_weights(folder)
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)


def test_missing_folder_and_files(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "none", "no such weights folder")
    (folder / TENSORS_FILE).rename(folder / "x")
    refused(folder, "not a weights folder: model.safetensors is missing")
    (folder / "x").rename(folder / TENSORS_FILE)
    (folder / CONFIG_FILE).unlink()
    refused(folder, "not a weights folder: config.json is missing")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format",), 2, "format is 2, this version reads 1; upgrade kinegraph"),
        (("task",), "recognize", "task is 'recognize', expected 'lift' or 'motion'"),
        (("task",), ["lift"], "task is"),
        (("task",), "motion", "task is 'motion', but the model 'fcn' is one of 'lift'"),
        (("model", "name"), "fcm", "no model is called 'fcm'; did you mean 'fcn'"),
        (("model", "name"), ["fcn"], "no model is called"),
        (("model", "name"), "lcn", "model.config.width: unknown key"),
        (("model", "config", "width"), "wide", "model.config.width: found str 'wide'"),
        (("model", "config", "width"), 16, r"tensor .* has shape \(8, .*, the fcn in config.json needs \(16, "),
        (("model", "config", "width"), 10**12, r"tensor .* has shape|cannot be built"),
        (("model", "config", "blocks"), 1, r"tensor .* does not belong to the fcn"),
        (("model", "config", "blocks"), 10**9, r"tensors cannot be the 1000000000 blocks"),
        (("model", "config", "blocks"), 3, r"tensor .* is missing"),
        (("model",), 3, "malformed"),
        (("transform", "target"), "pixels", "transform.target: .* did you mean 'pixel'"),
        (("transform", "scale"), -1, "expected a positive number"),
        (("skeleton", "joints"), [], "'joints' must map each joint to its parent"),
        (("skeleton",), "h36m17", "model, transform or skeleton is malformed"),
        (("metadata",), [], "metadata: found list, expected a mapping"),
        (("sha256",), "0" * 64, "SHA-256 differs"),
    ],
)
def test_wrong_configurations(folder: Path, path: tuple[str, ...], value: Any, message: str) -> None:
    edit(folder, *path, value=value)
    refused(folder, message)


@pytest.mark.parametrize(
    ("name", "options", "changes", "message"),
    [
        ("hcsf", {}, {"frames": 1_000_000_000_000_000_003}, "expected an odd number up to 9999"),
        ("hcsf", {}, {"long_hops": 10**9}, "the farthest two joints of this skeleton are"),
        ("videopose3d", {"kernels": (3,), "channels": 8}, {"kernels": [3] + [1] * 9999}, "cannot be the 10000 kernels"),
        (
            "simlpe",
            {"observed": 8, "horizon": 3, "blocks": 0},
            {"observed": 100_000},
            "asks for 10,000,000,000 constants",
        ),
    ],
)
def test_small_files_cannot_ask_for_time_or_memory(
    tmp_path: Path, name: str, options: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    model = build(name, get_skeleton("h36m17"), options)
    task, transform = ("motion", MOTION) if name == "simlpe" else ("lift", LiftingTransform())
    save_weights(tmp_path / "w", model, name, {}, transform=transform, task=task)
    for key, value in changes.items():
        edit(tmp_path / "w", "model", "config", key, value=value)
    refused(tmp_path / "w", message)


@pytest.mark.parametrize("key", ["task", "model", "skeleton", "transform", "metadata", "sha256"])
def test_missing_entries(folder: Path, key: str) -> None:
    edit(folder, key, delete=True)
    refused(folder, f"{key} missing; the file is damaged")


@pytest.mark.parametrize("text", ["", "{", "3", "[]", "{}", '{"a": 1}', "[" * 100_000])
def test_configurations_that_are_none(folder: Path, text: str) -> None:
    (folder / CONFIG_FILE).write_text(text)
    refused(folder, r"not valid JSON|there is no 'format'")


def test_a_huge_configuration_is_not_read(folder: Path) -> None:
    (folder / CONFIG_FILE).write_text(" " * (5 << 20))
    refused(folder, "too large")


def test_a_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "owned"),)

    (folder / TENSORS_FILE).write_bytes(pickle.dumps(Evil()))
    refused(folder, "not a safetensors file")
    torch.save({"a": torch.zeros(1)}, folder / TENSORS_FILE)
    refused(folder, "not a safetensors file")
    assert not (tmp_path / "owned").exists()


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    model = small("fcn")
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = float("nan")
    save_weights(tmp_path / "w", model, "fcn", {}, transform=TRANSFORM)
    refused(tmp_path / "w", "values that are not finite")


def test_truncated_tensors(folder: Path) -> None:
    content = (folder / TENSORS_FILE).read_bytes()
    for length in (0, 4, 100, len(content) - 1):
        (folder / TENSORS_FILE).write_bytes(content[:length])
        refused(folder, "not a safetensors file, or a damaged one")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_never_escape_as_another_error(module_folder: Path, tmp_path: Path, data: st.DataObject) -> None:
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(module_folder, copy)
    path = copy / data.draw(st.sampled_from([CONFIG_FILE, TENSORS_FILE]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 3000) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        load_weights(copy)
    except FormatError as error:
        assert str(copy) in str(error)  # noqa: PT017 - damage may also land in a free text, and then nothing is wrong
