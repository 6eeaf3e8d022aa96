"""Which poses a lifting run learns from, and which ones choose its checkpoint."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import NamedTuple

import numpy as np

from kinegraph.datasets.lifting_data import LiftingData, concatenate
from kinegraph.errors import ConfigError
from kinegraph.training.lifting_recipe import LiftingDataRecipe

__all__ = ["LiftingSplits", "limit_poses", "load_lifting_splits", "matching_clips", "procedural_people"]


class LiftingSplits(NamedTuple):
    """Train on one, choose the checkpoint on the other. The test split never comes here."""

    train: LiftingData
    validation: LiftingData


def load_lifting_splits(recipe: LiftingDataRecipe) -> LiftingSplits:
    """The training and validation data a recipe names.

    Raises:
        ConfigError: a field is missing or means nothing for this data.
        DataError: the source does not hold what is expected.
    """
    if recipe.name == "mocap-lifting":
        from kinegraph.datasets import mocap_lifting

        if recipe.source is None:
            raise ConfigError(
                "data.source: missing; give the folder that holds hdm05/ and cmu_asfamc/: --data.source DIR"
            )
        benchmark = mocap_lifting.load(recipe.source, recipe.extra)
        train, validation = benchmark["train"], benchmark["val"]
    elif recipe.name == "mocap-folder":
        from kinegraph.datasets import mocap_folder

        if recipe.source is None or recipe.extra:
            raise ConfigError("data.source: one folder that `kinegraph data prepare mocap-folder` wrote, and no extra")
        own = mocap_folder.load(recipe.source)
        train, validation = own["train"], own["val"]
    elif recipe.name == "h36m":
        train, validation = _load_h36m(recipe)
    else:
        from kinegraph.datasets import synthetic

        if recipe.source is not None or recipe.extra:
            raise ConfigError("data.source: the synthetic data makes itself; remove source and extra")
        train, validation = synthetic.load("train"), synthetic.load("val")
    if recipe.clips is not None:
        train, validation = matching_clips(train, recipe.clips), matching_clips(validation, recipe.clips)
    if recipe.add_synthetic:
        made = procedural_people("train", train.fps)
        train = concatenate([train, made], f"{train.name} + {made.name}")
    if recipe.max_poses is not None:
        train = limit_poses(train, recipe.max_poses)
    if recipe.input == "noisy":
        from kinegraph.datasets.noisy import with_detector_noise

        train, validation = with_detector_noise(train), with_detector_noise(validation)
    return LiftingSplits(train, validation)


def procedural_people(split: str, fps: float) -> LiftingData:
    """The procedural people of a split as others are recorded, at `fps` frames a second."""
    from kinegraph.datasets import synthetic

    config = synthetic.SyntheticLifting()
    return synthetic.load(split, dataclasses.replace(config, motion=dataclasses.replace(config.motion, fps=fps)))


def _load_h36m(recipe: LiftingDataRecipe) -> tuple[LiftingData, LiftingData]:
    from kinegraph.datasets import h36m

    if recipe.source is None:
        raise ConfigError("data.source: missing; give the folder that holds data_3d_h36m.npz: --data.source DIR")
    if recipe.extra:
        raise ConfigError("data.extra: h36m reads one folder; remove it")
    subjects = h36m.SUBJECTS["train"]
    for name in recipe.validation:
        if name not in subjects:  # a test subject least of all
            raise ConfigError(f"data.validation: found {name!r}, expected training subjects ({', '.join(subjects)})")
    rest = [name for name in subjects if name not in recipe.validation]
    if not recipe.validation or not rest:
        raise ConfigError("data.validation: hold out at least one training subject, and leave one to train on")
    keypoints = None if recipe.input in ("exact", "noisy") else recipe.input
    train, validation = (
        h36m.load(recipe.source, "train", keypoints=keypoints, subjects=names) for names in (rest, recipe.validation)
    )
    return train, validation


def matching_clips(data: LiftingData, pattern: str) -> LiftingData:
    """The clips whose name matches a shell pattern such as ``cmu/*``.

    Raises:
        ConfigError: none does.
    """
    keep = [fnmatch.fnmatchcase(name, pattern) for name in data.clip_names]
    if not any(keep):
        raise ConfigError(
            f"data.clips: no clip of {data.name} matches '{pattern}'; names are like {data.clip_names[0]}"
        )
    return data.clips(keep, name=f"{data.name} [{pattern}]")


def limit_poses(data: LiftingData, most: int) -> LiftingData:
    """At most `most` poses: whole clips spread evenly over the data (and the head of a clip if the first is longer)."""
    if len(data) <= most:
        return data
    counts = np.bincount(data.clip, minlength=len(data.clip_names))
    keep = np.zeros(len(counts), dtype=bool)
    total = 0
    # Visiting clips in strides (van der Corput order) keeps subjects and actions in proportion.
    for clip in sorted(range(len(counts)), key=lambda i: int(f"{i:032b}"[::-1], 2)):
        if total + counts[clip] <= most:
            keep[clip] = True
            total += int(counts[clip])
    if total == 0:
        return data.subset(np.arange(most))
    return data.clips(keep)
