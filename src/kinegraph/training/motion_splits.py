"""The training and validation data that a motion recipe names."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from kinegraph.datasets.motion_data import MotionData
from kinegraph.errors import ConfigError, DataError
from kinegraph.training.motion_recipe import MotionDataRecipe, MotionTransformRecipe

__all__ = ["MotionSplits", "load_motion_splits"]


class MotionSplits(NamedTuple):
    """Train on one, choose the checkpoint on the other. The test split never comes here."""

    train: MotionData
    validation: MotionData


def load_motion_splits(recipe: MotionDataRecipe, transform: MotionTransformRecipe) -> MotionSplits:
    """The training and validation data a recipe names.

    Raises:
        ConfigError: a field is missing or means nothing for this data.
        DataError: the source does not hold what is expected.
    """
    if recipe.name == "synthetic":
        from kinegraph.datasets.synthetic import motion

        if transform.root != "none":
            raise ConfigError("transform.root: the synthetic motion leaves the root's own motion out; set none")
        return MotionSplits(motion.load("train"), motion.load("val"))
    if recipe.source is None:
        raise ConfigError(f"data.source: missing; give the folder with the data of {recipe.name}: --data.source DIR")
    if transform.root != "none" and recipe.name != "recordings":
        raise ConfigError(f"transform.root: {recipe.name} leaves the root's own motion out; set none")
    if recipe.name == "cmu-8":
        from kinegraph.datasets import cmu_actions

        kind = recipe.representation or "expmap"
        train = cmu_actions.load(recipe.source, "train", kind, phases=recipe.phases)
        return MotionSplits(*_same_actions(train, cmu_actions.load(recipe.source, "val", kind)))
    raise ConfigError(f"data.name: {recipe.name} cannot be read")


def _same_actions(train: MotionData, validation: MotionData) -> tuple[MotionData, MotionData]:
    """The splits with the actions that training has clips of, so that no network learns a class without examples.

    Raises:
        DataError: no clip of the validation split is of one of them.
    """
    there = sorted({clip.action for clip in train.clips if clip.action >= 0})
    if len(there) == len(train.actions):
        return train, validation
    place = {action: index for index, action in enumerate(there)}
    names = tuple(train.actions[action] for action in there)

    def renumbered(data: MotionData) -> MotionData:
        clips = tuple(
            dataclasses.replace(clip, action=place.get(clip.action, -1))
            for clip in data.clips
            if clip.action < 0 or clip.action in place
        )
        if not clips:
            raise DataError(f"{data.name}: no clip of the actions {', '.join(names)}")
        return dataclasses.replace(data, actions=names, clips=clips)

    return renumbered(train), renumbered(validation)
