"""Recognisers of clips: so prepared as the sidecar asks, the graph answers as `Recognizer`; checks are so prepared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import PLACES, loaded

from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.errors import DataError
from kinegraph.export.checks import action_clip
from kinegraph.export.exporting import plan_export
from kinegraph.inference import Recognizer
from kinegraph.inference.clip_window import clip_network
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.weights import LoadedWeights

SIZE = (800, 600)


def network(dims: int, **transform: Any) -> LoadedWeights:
    """A recogniser trained on two seconds at 30 frames a second."""
    unit, place = ("m", PLACES[0]) if dims == 3 else ("normalized", PLACES[2])  # as it stands; pyskl
    settings = {"dims": dims, "fps": 30.0, "clip_frames": 60, "unit": unit, "prenormalise": place, "people": 1}
    return loaded("linear", transform={**settings, **transform})


def recording(kind: str) -> SkeletonSequence:
    """A walk of 1.6 s at 50 frames a second, joints in reverse, z up; or the same before a camera; or its image."""
    walk = SyntheticMotion(subjects=1, takes=1, seconds=1.6, fps=50.0, actions=("walking",)).clip(0, "walking", 0)
    assert (walk.up, walk.unit) == ("z", "m")
    known = get_skeleton("h36m17")
    last = known.num_joints - 1
    parents = tuple(-1 if parent < 0 else last - parent for parent in reversed(known.parents))
    walk = walk.to_skeleton(Skeleton(name="reversed", joints=known.joints[::-1], parents=parents))
    camera = walk.positions[..., [0, 2, 1]] * [1, -1, 1] + [0, 0, 5]
    if kind == "world":
        return walk
    if kind == "camera":
        return walk.replace(positions=camera, space="camera", up=None)
    pixels = 400 * camera[..., :2] / camera[..., 2:] + [400, 500]
    return walk.replace(positions=pixels, unit="px", space="image", up=None, image_size=SIZE)


def prepared(found: SkeletonSequence, joints: tuple[str, ...], facts: dict[str, Any]) -> np.ndarray:
    """By hand, as a user of the graph does who has read the sidecar."""
    x = found.positions[0][:, [found.skeleton.joints.index(joint) for joint in joints]]
    before = np.arange(found.frames) / found.fps
    times = np.arange(int(before[-1] * facts["fps"] + 1e-9) + 1) / facts["fps"]
    flat = x.reshape(found.frames, -1)
    x = np.stack([np.interp(times, before, column) for column in flat.T], axis=1).reshape(len(times), *x.shape[1:])
    if found.dims == 2:
        assert facts["prepare"][2] == "x / width, y / height"
        return x / SIZE
    assert facts["up"] == "y"
    assert "z up take (x, z, -y), of a camera (y down, z forward) (x, -y, -z)" in facts["prepare"][2]
    return x[..., [0, 2, 1]] * [1, 1, -1] if found.space == "world" else x * [1, -1, -1]


@pytest.mark.parametrize("kind", ["world", "camera", "image"])
def test_what_the_sidecar_asks_for_gives_what_the_package_gives(kind: str) -> None:
    found = recording(kind)
    weights = network(found.dims)
    plan = plan_export(weights)
    assert (plan.facts["window_frames"], plan.facts["window_s"]) == (60, 2.0)
    assert plan.facts["people"] == "one: a clip of each person"
    assert plan.parts[0].inputs[0].unit == plan.facts["unit"] == weights.transform.unit  # type: ignore[union-attr]

    def scores(positions: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(positions[None, None].astype(np.float32))
        with torch.inference_mode():
            return np.asarray(plan.parts[0].module(x, torch.ones(x.shape[:3], dtype=torch.bool))[0])

    mine = prepared(found, weights.skeleton.joints, plan.facts)
    expected = Recognizer(clip_network(weights)).recognize(found).people[0].scores
    np.testing.assert_allclose(scores(mine), expected, atol=1e-5)
    as_recorded = found.to_skeleton(weights.skeleton).positions[0]
    assert np.abs(scores(as_recorded) - expected).max() > 0.01  # so it matters
    clip, _ = action_clip(weights, found)  # --check FILE
    np.testing.assert_allclose(clip[0], mine, atol=1e-4)


def test_the_walk_that_is_checked_on_stands_upright() -> None:
    clip, name = action_clip(network(3), None)
    joints = network(3).skeleton.joints
    head, ankle = clip[0, :, joints.index("head")], clip[0, :, joints.index("left_ankle")]
    assert name == "a procedural walk"
    assert (head - ankle)[:, 1].min() > 1.0  # metres
    for unit, size in (("normalized", 1), ("px", 1000)):
        clip, name = action_clip(network(2, unit=unit, prenormalise=PLACES[0]), None)
        head, ankle = clip[0, :, joints.index("head")], clip[0, :, joints.index("left_ankle")]
        assert name == "a procedural walk"
        assert (ankle - head)[:, 1].min() > 0.1 * size  # images count down
        assert np.median(np.abs(clip / size - 0.5)) < 0.5


def test_clips_for_several_say_who_comes_first() -> None:
    facts = plan_export(network(3, people=2)).facts
    assert facts["people"] == "up to 2, who moves most first: the rest are not present"


def test_a_rate_that_is_not_known_is_said() -> None:
    facts = plan_export(network(3, fps=None)).facts
    assert "window_s" not in facts
    assert facts["prepare"][1] == "the rate of the training clips is not known: as recorded"


def test_recordings_that_cannot_be_prepared() -> None:
    with pytest.raises(DataError, match=r"states no image size.*image_size="):
        action_clip(network(2), recording("image").replace(image_size=None))
    with pytest.raises(DataError, match="frame rate is unknown; state it"):
        action_clip(network(3), recording("world").replace(fps=None))
    with pytest.raises(DataError, match="has 2D joints; the network takes 3D"):
        action_clip(network(3), recording("image"))
    gap = recording("world")
    gone = gap.positions.copy()
    gone[:, :, 5] = np.nan
    with pytest.raises(DataError, match="no frame shows all"):
        action_clip(network(3), replace(gap, positions=gone, confidence=None))
