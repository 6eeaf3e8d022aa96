"""`analyze hard-poses`, of two networks as they begin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch

from kinegraph.models import build
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.weights import save_weights


def test_each_networks_hardest_poses_are_asked_of_both(analyze: Callable[..., int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    for name in ("a", "b"):
        network = build("fcn", get_skeleton("h36m17"), {"width": 8})
        save_weights(tmp_path / name, network, "fcn", {}, transform=LiftingTransform(target="metric"))
    pictures = tmp_path / "new" / "pictures"
    numbers = pictures / "h.json"
    given = ("--protocol", "synthetic-lifting", "--no-flip", "--json", numbers, "--out", pictures)
    assert analyze("hard-poses", tmp_path / "a", tmp_path / "b", *given) == 0
    assert {path.name for path in pictures.iterdir()} == {"error_histogram.png", "hardest_poses.png", "h.json"}
    content = json.loads(numbers.read_text())
    assert content["target"] == "metric"
    cross = content["cross_mm"]["5"]
    assert set(cross) == {"a", "b"}
    for name, other in (("a", "b"), ("b", "a")):  # nobody's hardest poses are harder for somebody else
        assert cross[name][name] >= cross[other][name]
