"""What of a recipe of recognition does not go with its clips."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from clip_samples import make_clip_splits

from kinegraph.errors import ConfigError
from kinegraph.skeleton import Skeleton
from kinegraph.training.clip_data_module import ClipSplits
from kinegraph.training.recipe import RecognitionRecipe, read_recipe
from kinegraph.training.recognition_setup import prepare


def recipe(**changes: Any) -> RecognitionRecipe:
    found = read_recipe({"task": "recognition", "model": {"name": "linear"}, "out": "nowhere", **changes})
    assert isinstance(found, RecognitionRecipe)
    return found


def flat(splits: ClipSplits) -> ClipSplits:
    """The same clips, of their x and y."""
    clips = splits.clips
    clips._clips = tuple(dataclasses.replace(clip, positions=clip.positions[..., :2]) for clip in clips._clips)
    clips.dims = 2
    return splits


def test_a_confidence_is_of_keypoints() -> None:
    wanted = recipe(transform={"confidence": True, "prenormalise": "none"})
    with pytest.raises(ConfigError, match="transform.confidence: found true, but these clips are 3D"):
        prepare(wanted, make_clip_splits())
    assert prepare(wanted, flat(make_clip_splits())).transform.channels == 3


def test_a_mirror_needs_left_and_right() -> None:
    splits = make_clip_splits()
    mirrored = recipe(transform={"prenormalise": "none"}, augment={"mirror": 0.5})
    prepare(mirrored, splits)
    joints = tuple(f"joint_{number}" for number in range(splits.clips.skeleton.num_joints))
    splits.clips.skeleton = Skeleton("mine", joints, splits.clips.skeleton.parents)
    with pytest.raises(ConfigError, match="augment.mirror: found 0.5, but skeleton 'mine' has no left and right"):
        prepare(mirrored, splits)
    prepare(recipe(transform={"prenormalise": "none"}), splits)


@pytest.mark.parametrize(("field", "value"), [("class_weights", "balanced"), ("label_smoothing", 0.1)])
@pytest.mark.parametrize("model", ["linear", "nearest"])
def test_a_loss_is_of_networks_that_descend(model: str, field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^objective.{field}: found {value}, but {model} is fitted in closed form"):
        prepare(recipe(model={"name": model}, objective={field: value}), make_clip_splits())
    prepare(recipe(model={"name": "stgcn", "width": 0.05}, objective={field: value}), make_clip_splits())


def test_a_mirror_needs_to_know_the_picture() -> None:
    """x became -x, and the body stood left of the picture."""
    splits = flat(make_clip_splits())
    splits.clips.unit = "px"
    changes: dict[str, Any] = {"augment": {"mirror": 0.5}}
    with pytest.raises(ConfigError, match=r"^augment.mirror: .* in px .* --image-size 1280x720\), or take ctr-gcn"):
        prepare(recipe(transform={"prenormalise": "none"}, **changes), splits)
    prepare(recipe(transform={"prenormalise": "ctr-gcn"}, **changes), splits)
    prepare(recipe(transform={"prenormalise": "none", "stream": "bone"}, **changes), splits)  # x of no picture
    prepare(recipe(transform={"prenormalise": "none"}), splits)
