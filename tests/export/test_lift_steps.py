"""What the sidecar of a lifter and the page say of the steps around its graph is what the package does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from coco_results import FPS, SIZE, write_results
from tiny_networks import loaded

from kinegraph.export import find_weights
from kinegraph.export.exporting import _facts, plan_export
from kinegraph.export.lift_steps import LAYOUTS_2D, joint_tables
from kinegraph.export.plan import ExportPlan
from kinegraph.inference.quick import lift
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints
from kinegraph.weights import LoadedWeights

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module", params=["lift", "lift-temporal"])
def network(request: pytest.FixtureRequest) -> tuple[str, LoadedWeights, ExportPlan]:
    """A lifter of the package, by name, and its graph before it is traced, which takes a minute."""
    weights = find_weights(request.param)
    return request.param, weights, plan_export(weights)


@pytest.fixture
def lifted(
    network: tuple[str, LoadedWeights, ExportPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Any]:
    """Runs the page's code beside a results.json; what it calls poses (frames, joints, 3)."""
    onnxruntime = pytest.importorskip("onnxruntime")
    _, weights, plan = network
    text = json.dumps(_facts(weights, plan, "fp32", ["lifter.onnx"]))

    class Session:
        def __init__(self, name: str) -> None:
            assert name == "lifter.onnx"

        def get_modelmeta(self) -> SimpleNamespace:
            return SimpleNamespace(custom_metadata_map={"kinegraph": text})

        def run(self, outputs: None, feed: dict[str, Any]) -> list[Any]:
            (part,) = plan.parts
            assert all(feed[port.name].dtype == np.float32 for port in part.inputs)
            with torch.no_grad():
                return [part.module(*(torch.from_numpy(feed[port.name]) for port in part.inputs)).numpy()]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.chdir(tmp_path)

    def run(code: str) -> Any:
        scope: dict[str, Any] = {}
        exec(compile(code, PAGE.name, "exec"), scope)
        return scope["poses"]

    return run


def example() -> str:
    """The page's lifter, which imports nothing of the package."""
    block: str = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)[0]
    assert "kinegraph." not in block
    assert not re.search(r"import kinegraph|from kinegraph", block)
    return block


@pytest.mark.parametrize(
    ("beside_px", "lost"), [(0.0, False), (450.0, False), (-450.0, True)], ids=["middle", "edge", "with gaps"]
)
def test_the_page_lifts_as_the_package_does(
    network: tuple[str, LoadedWeights, ExportPlan], lifted: Callable[[str], Any], beside_px: float, lost: bool
) -> None:
    write_results(Path("results.json"), beside_px=beside_px, lost=lost)
    found = lifted(example())
    raw: dict[str, Any] = {"flip": False, "smooth_s": 0, "rigid": False, "root": "relative"}
    read = {"image_size": SIZE, "video": True}
    expected = lift("results.json", fps=FPS, model=network[0], space="camera", read=read, **raw)
    assert expected.people == 1
    apart = np.linalg.norm(found - expected.positions[0], axis=-1)[expected.seen[0]]
    assert apart.size > 0.9 * expected.seen.size
    assert apart.max() < 1e-5  # metres


def test_without_the_turn_the_axes_are_others(lifted: Callable[[str], Any]) -> None:
    """So that the comparison above can fail."""
    write_results(Path("results.json"), beside_px=450.0)
    unturned = example().replace("poses[frame] @ turn.T", "poses[frame]")
    assert np.linalg.norm(lifted(example()) - lifted(unturned), axis=-1).max() > 0.05


@pytest.mark.parametrize("name", LAYOUTS_2D)
def test_joints_follow_from_each_layout(name: str) -> None:
    source, target = get_skeleton(name), get_skeleton("h36m17")
    table = joint_tables(target)[name]
    assert table["joints"] == list(source.joints)
    assert list(table["weights"]) == list(target.joints)
    found = np.array([[row.get(joint, 0) for joint in source.joints] for row in table["weights"].values()])
    np.testing.assert_array_equal(found, map_joints(source, target).weights)


def test_a_skeleton_of_another_kind_has_no_tables() -> None:
    other = Skeleton(name="other", joints=tuple(f"j{i}" for i in range(17)), parents=get_skeleton("h36m17").parents)
    assert joint_tables(other) == {}


@pytest.mark.parametrize(
    ("name", "options", "transform", "frames"),
    [
        ("fcn", {}, {}, (1, 1, 0, 0)),
        ("hcsf", {"frames": 3}, {}, (3, 3, 1, 1)),
        ("hcsf", {"frames": 3, "causal": True}, {}, (3, 3, 2, 0)),
        ("videopose3d", {}, {"normalise": "screen"}, (9, 10, 4, 4)),
        ("lcn", {}, {"normalise": "screen", "target": "pixel", "confidence": False}, (1, 1, 0, 0)),
    ],
)
def test_the_sidecar_says_how_many_frames_and_in_which_axes(
    name: str, options: dict[str, Any], transform: dict[str, Any], frames: tuple[int, ...]
) -> None:
    plan = plan_export(loaded(name, transform=transform, **options))
    facts = plan.facts
    named = ("frames_of_context", "fewest_frames", "frames_before", "frames_after")
    assert tuple(facts[key] for key in named) == frames
    keypoints, answer = plan.parts[0].inputs[0], plan.parts[0].outputs[0]
    assert (f"{frames[1]} frames or more" in keypoints.meaning) == (frames[1] > 1)
    box = transform.get("normalise") != "screen"
    assert ("a camera that looks at it" in answer.meaning) == box
    assert facts["afterwards"]["turn"].startswith("X = R x" if box else "only where the view was turned")
    assert ("place" in facts["afterwards"]) == (transform.get("target") != "pixel")
    assert "further than 0.12 pose sizes" in facts["prepare"][1]  # after doubtful keypoints, before gaps are bridged
    assert facts["prepare"][2].startswith("bridge gaps")
    assert "mirror image" in facts["afterwards"]["flip"]
    assert any("every missing joint" in step for step in facts["prepare"]) == (transform.get("confidence") is False)
