"""From a motion recipe to a run that can begin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch

from kinegraph.datasets.motion_data import MotionData
from kinegraph.datasets.seen_clips import marks_of
from kinegraph.errors import ConfigError
from kinegraph.models import build
from kinegraph.models.motion_model import MotionModel
from kinegraph.training.folder import BAD
from kinegraph.training.launch import is_leader
from kinegraph.training.motion_data_module import MotionDataModule
from kinegraph.training.motion_recipe import MotionRecipe
from kinegraph.training.motion_splits import MotionSplits, load_motion_splits
from kinegraph.training.motion_task import MotionTask
from kinegraph.training.motion_view import fit_transform
from kinegraph.training.prepared import PreparedRun, least_share, model_config, network_entry

__all__ = ["prepare"]


def prepare(recipe: MotionRecipe, splits: MotionSplits | None = None) -> PreparedRun:
    """Read the data, or take `splits`, and build the network. What cannot be used is said on stderr.

    Raises:
        ConfigError: the recipe is wrong.
        DataError: the data are.
    """
    name = recipe.model["name"]
    entry = network_entry(recipe)
    how = getattr(entry.model, "trains", "gradient")
    if how == "nothing":
        raise ConfigError(f"model.name: {name} has nothing to learn; evaluate it by its name")
    given = {"channels": 3, "observed": recipe.transform.observed, "horizon": recipe.transform.horizon}
    # Its mistakes come before minutes of reading data; how many classes there are is known after it.
    model_config(recipe, {**given, "classes": int(recipe.transform.recognise)}, "the recipe's transform")
    splits = load_motion_splits(recipe.data, recipe.transform) if splits is None else splits
    note = splits.left_out(str(Path(recipe.out) / BAD))
    if note is not None and is_leader():  # also in a quiet run: less is trained on than was given
        print(note, file=sys.stderr, flush=True)
    transform = fit_transform(
        splits.train,
        observed=recipe.transform.observed,
        horizon=recipe.transform.horizon,
        root=recipe.transform.root,
        recognise=recipe.transform.recognise,
        per_channel=_per_channel(recipe, splits.train.representation),
        mirror=recipe.augment.mirror > 0,
    )
    given["classes"] = len(transform.actions)
    torch.manual_seed(recipe.seed)
    model = build(name, splits.train.skeleton, model_config(recipe, given, "the recipe's transform"))
    assert isinstance(model, MotionModel)
    data = MotionDataModule(
        splits,
        transform,
        sampling=recipe.data.sampling,
        batch=recipe.trainer.batch,
        augment=recipe.augment,
        validation_stride=recipe.data.validation_stride,
        seed=recipe.seed,
        workers=recipe.trainer.workers,
        folder=Path(recipe.out),
    )
    least_share(recipe, data.sampler.batch, "windows")
    epochs = recipe.trainer.epochs or (1 if how == "fit" else 80)
    steps = recipe.trainer.steps or epochs * data.steps_per_epoch
    task = MotionTask(
        model,
        transform,
        optim=recipe.optim,
        objective=recipe.objective,
        schedule=recipe.schedule,
        steps=steps,
        steps_per_epoch=data.steps_per_epoch,
        seed=recipe.seed,
        monitor=recipe.trainer.monitor,
        compile_model=recipe.trainer.compile,
    )
    return PreparedRun(
        model=model,
        task=task,
        data=data,
        steps=steps,
        transform=transform,
        weights_task="motion",
        splits={
            role: _facts(recipe, part) for role, part in (("train", splits.train), ("validation", splits.validation))
        },
        protocol=f"{recipe.data.name} {transform.representation}",
        validated={
            "validation": splits.validation.name,
            "windows": len(data.validation.rows(recipe.trainer.validate_poses)),
        },
    )


def _per_channel(recipe: MotionRecipe, representation: str) -> bool:
    """Whether every channel has a scale of its own.

    Raises:
        ConfigError: the recipe wants it, and the network sees bones of positions: a child in one unit minus its parent
            in another is no bone.
    """
    stated = recipe.transform.per_channel
    stream = recipe.model.get("stream", "joint")
    bones = representation == "positions" and stream in ("bone", "dual")
    if bones and stated:
        raise ConfigError(
            f"transform.per_channel: true goes with joints; model.stream '{stream}' sees bones, child minus parent in "
            "one unit: set it to false, or leave it out"
        )
    return not bones if stated is None else stated


def _facts(recipe: MotionRecipe, part: MotionData) -> dict[str, Any]:
    found = {
        "name": part.name,
        "clips": len(part.clips),
        "frames": part.frames,
        "fingerprint": part.fingerprint,
        "fps": part.fps,
    }
    if recipe.data.name == "recordings":  # a folder grows, and what is held out of it with it
        found["names"] = marks_of({clip.recording for clip in part.clips})
    return found
