"""From a recognition recipe to a run that can begin."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch

from kinegraph.datasets.action_splits import OWN, PROTOCOLS, hold_out, split
from kinegraph.datasets.class_counts import never_trained, untrained
from kinegraph.datasets.evenly import evenly_spaced
from kinegraph.datasets.open_clips import SYNTHETIC, open_clips
from kinegraph.datasets.seen_clips import marks_of
from kinegraph.errors import ConfigError, DataError, nearest
from kinegraph.models import build
from kinegraph.models.recognition_model import RecognitionModel
from kinegraph.store.clip import Clips
from kinegraph.training.clip_data_module import ClipDataModule, ClipSplits, encode_clip
from kinegraph.training.launch import is_leader
from kinegraph.training.prepared import PreparedRun, least_share, model_config, network_entry
from kinegraph.training.recognition_recipe import ClipDataRecipe, RecognitionRecipe
from kinegraph.training.recognition_task import RecognitionTask
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.prenormalise import PreNormalise

__all__ = ["load_clip_splits", "prepare"]

_PEOPLE = 2


def load_clip_splits(recipe: ClipDataRecipe, seed: int = 0, clips: Clips | None = None) -> ClipSplits:
    """The clips a recipe names, and which of them train and validate.

    Args:
        recipe: the data.
        seed: of the choice of those that are held out.
        clips: the recipe's, where they are open already.

    Raises:
        ConfigError: no such protocol or fold.
        DataError: the source does not hold what is expected.
    """
    if clips is None and recipe.source is None and recipe.protocol != SYNTHETIC:
        unknown = "" if recipe.protocol in PROTOCOLS else nearest(recipe.protocol, PROTOCOLS)
        raise ConfigError(
            f"data.source: missing; give the folder of the clips of {recipe.protocol}{unknown}, as `kinegraph data "
            "prepare` wrote it"
        )
    clips = open_clips(recipe.source, recipe.protocol, progress=is_leader()) if clips is None else clips
    train = split(clips, recipe.protocol, "train", recipe.fold)
    if recipe.held_out == 0:
        return ClipSplits(clips, train, np.zeros(0, dtype=np.int64))
    try:
        return ClipSplits(clips, train, split(clips, recipe.protocol, "val", recipe.fold))
    except DataError:  # no validation part of its own
        train, validation = hold_out(clips.labels, train, recipe.held_out, seed)
    if not len(validation):
        most = int(np.unique(clips.labels[train], return_counts=True)[1].max())
        # Rounded: half a clip of the largest class is one. A hundredth more, for a share that is easy to type.
        enough = f"give at least --data.held_out {math.ceil(50 / most + 1) / 100:g}, or " if most > 1 else ""
        raise ConfigError(
            f"data.held_out {recipe.held_out} of {len(train)} training clips is no clip of any class, the largest of "
            f"which has {most}; {enough}train on all of them with --data.held_out 0 --trainer.keep last"
        )
    return ClipSplits(clips, train, validation)


def prepare(recipe: RecognitionRecipe, splits: ClipSplits | None = None) -> PreparedRun:
    """Open the clips, or take `splits`, and build the network.

    Raises:
        ConfigError: the recipe is wrong.
        DataError: the clips are.
    """
    name = recipe.model["name"]
    entry, trainer = network_entry(recipe), recipe.trainer
    _check_objective(recipe, entry.model)
    splits = load_clip_splits(recipe.data, recipe.seed) if splits is None else splits
    clips = splits.clips
    least_share(recipe, min(trainer.batch, len(splits.train)), "clips")
    transform = _transform(recipe, splits)
    encode_clip(clips[int(splits.train[0])], transform, clips.skeleton)  # its mistakes come before anything is written
    given = {"channels": transform.channels, "classes": len(clips.classes), "people": transform.people}
    if any(field.name == "frames" for field in dataclasses.fields(entry.config)) and transform.sampling != "all":
        given["frames"] = transform.frames
    torch.manual_seed(recipe.seed)
    model = build(name, clips.skeleton, model_config(recipe, given, "the data and the recipe's transform"))
    assert isinstance(model, RecognitionModel)
    if not len(splits.validation) and trainer.keep != "last":
        raise ConfigError(
            f"trainer.keep: found {trainer.keep}, but nothing is held out to choose weights by; expected last "
            "(--trainer.keep last), or a share for validation (--data.held_out 0.1)"
        )
    data = ClipDataModule(
        splits,
        transform,
        batch=trainer.batch,
        augment=recipe.augment,
        class_weights=recipe.objective.class_weights,
        workers=trainer.workers,
        seed=recipe.seed,
    )
    steps = trainer.steps or (trainer.epochs or (1 if model.trains == "fit" else 80)) * data.steps_per_epoch
    validated_on = "validation" if len(splits.validation) else "training"
    task = RecognitionTask(
        model,
        transform,
        optim=recipe.optim,
        schedule=recipe.schedule,
        label_smoothing=recipe.objective.label_smoothing,
        steps=steps,
        steps_per_epoch=data.steps_per_epoch,
        seed=recipe.seed,
        monitor=trainer.monitor,
        validated_on=validated_on,
        compile_model=trainer.compile,
    )
    parts = {"train": splits.train, "validation": splits.validation}
    watched = splits.validation if len(splits.validation) else splits.train
    return PreparedRun(
        model=model,
        task=task,
        data=data,
        steps=steps,
        transform=transform,
        weights_task="recognition",
        splits={role: _facts(recipe, splits, rows) for role, rows in parts.items()},
        protocol=recipe.data.protocol,
        validated={validated_on: recipe.data.protocol, "clips": len(evenly_spaced(watched, trainer.validate_poses))},
        warnings=tuple(_odd_classes(splits)),
    )


def _check_objective(recipe: RecognitionRecipe, model: type) -> None:
    """ConfigError where a field of the loss is set and the recogniser is fitted without one."""
    if getattr(model, "trains", "gradient") != "fit":
        return
    for field in dataclasses.fields(recipe.objective):
        found = getattr(recipe.objective, field.name)
        if found != field.default:
            raise ConfigError(
                f"objective.{field.name}: found {found}, but {recipe.model['name']} is fitted in closed form and takes "
                f"no account of it; leave it out ({field.default})"
            )


def _odd_classes(splits: ClipSplits) -> list[str]:
    """What is wrong with the classes that train."""
    clips, missing = splits.clips, untrained(splits.clips, splits.train)
    if len(clips.classes) - len(missing) == 1:
        only = next(name for name in clips.classes if name not in missing)
        return [
            f"all {len(splits.train)} training clips are of class {only}, and whatever is shown will be called so; "
            "expected clips of two classes or more"
        ]
    return [never_trained(missing)] if missing else []


def _facts(recipe: RecognitionRecipe, splits: ClipSplits, rows: Any) -> dict[str, Any]:
    clips = splits.clips
    found = {
        "name": f"{recipe.data.protocol} fold {recipe.data.fold}",
        "clips": len(rows),
        "frames": int(clips.frames[rows].sum()),
        "fingerprint": clips.fingerprint,
        "fps": clips.fps,
    }
    if recipe.data.protocol == OWN:  # a folder grows, and what is held out of it with it
        found["names"] = marks_of(clips.names[row] for row in rows)
    return found


def _transform(recipe: RecognitionRecipe, splits: ClipSplits) -> ClipTransform:
    wanted, clips = recipe.transform, splits.clips
    if wanted.prenormalise == "pyskl" and clips.dims == 2 and clips.unit == "px":
        raise ConfigError(
            "transform.prenormalise: pyskl takes 2D for fractions of the image, and these clips are in px; set ctr-gcn "
            "or state the size (kinegraph data prepare folder --image-size 1280x720)"
        )
    if wanted.confidence and clips.dims == 3:
        raise ConfigError(
            "transform.confidence: found true, but these clips are 3D and hold no confidence; leave it out (it goes "
            "with 2D keypoints)"
        )
    if recipe.augment.mirror and not clips.skeleton.pairs:
        raise ConfigError(
            f"augment.mirror: found {recipe.augment.mirror:g}, but skeleton '{clips.skeleton.name}' has no left and "
            "right joints to exchange; set 0, or name them left_... and right_..."
        )
    people = wanted.people or min(_PEOPLE, int(clips.people[splits.train].max()))
    transform = ClipTransform(
        prenormalise=PreNormalise(convention=wanted.prenormalise),
        sampling=wanted.sampling,
        frames=wanted.frames,
        stream=wanted.stream,
        people=people,
        dims=clips.dims,
        confidence=wanted.confidence,
        fps=clips.fps,
        unit=clips.unit,
        clip_frames=round(float(np.median(clips.frames[splits.train]))),
        actions=clips.classes,
    )
    if recipe.augment.mirror:
        transform.check_mirror(clips.unit, "augment.mirror")
    return transform
