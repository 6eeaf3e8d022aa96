"""From a lifting recipe to a run that can begin."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.mocap_folder import recording_names
from kinegraph.datasets.seen_clips import marks_of
from kinegraph.errors import ConfigError
from kinegraph.models import build
from kinegraph.training.lifting_data_module import LiftingDataModule
from kinegraph.training.lifting_recipe import LiftingRecipe
from kinegraph.training.lifting_splits import LiftingSplits, load_lifting_splits
from kinegraph.training.lifting_task import LiftingTask
from kinegraph.training.prepared import PreparedRun, least_share, model_config, network_entry
from kinegraph.transforms.lifting import LiftingTransform

__all__ = ["prepare"]


def prepare(recipe: LiftingRecipe, splits: LiftingSplits | None = None) -> PreparedRun:
    """Read the data, or take `splits`, and build the network.

    Raises:
        ConfigError: the recipe is wrong.
        DataError: the data are.
    """
    transform = LiftingTransform(
        target=recipe.transform.target,
        normalise=recipe.transform.normalise,
        confidence=recipe.transform.confidence,
    )
    name = recipe.model["name"]
    network_entry(recipe)
    # Its mistakes come before minutes of reading data.
    config = model_config(recipe, {"in_channels": transform.channels}, "the transform")
    splits = load_lifting_splits(recipe.data) if splits is None else splits
    skeleton = splits.train.skeleton
    transform = replace(transform, root=skeleton.root)
    torch.manual_seed(recipe.seed)
    model = build(name, skeleton, config)
    frames = int(getattr(model, "frames", 1))
    if frames == 1 and recipe.data.step != 1:
        raise ConfigError(f"data.step: found {recipe.data.step}, but {name} sees one frame; leave it out")
    data = LiftingDataModule(
        splits,
        transform,
        frames=frames,
        target=getattr(model, "target", None),
        step=recipe.data.step,
        batch=recipe.trainer.batch,
        augment=recipe.augment,
        balance=recipe.data.balance,
        seed=recipe.seed,
        workers=recipe.trainer.workers,
    )
    if recipe.data.balance == "bodies" and data.bodies == 1:
        raise ConfigError(f"data.balance: all subjects of {splits.train.name} are one body; leave it out")
    if least_share(recipe, data.batch, "poses") == 1:
        _check_alone(recipe, model, data)
    steps = recipe.trainer.steps or (recipe.trainer.epochs or 80) * data.steps_per_epoch
    task = LiftingTask(
        model,
        transform,
        skeleton,
        optim=recipe.optim,
        schedule=recipe.schedule,
        steps=steps,
        steps_per_epoch=data.steps_per_epoch,
        seed=recipe.seed,
        flip_test=recipe.augment.flip_test,
        compile_model=recipe.trainer.compile,
    )
    return PreparedRun(
        model=model,
        task=task,
        data=data,
        steps=steps,
        transform=transform,
        weights_task="lift",
        splits={
            "train": _facts(recipe, splits.train) | ({} if data.bodies is None else {"bodies": data.bodies}),
            "validation": _facts(recipe, splits.validation),
        },
        protocol=f"{recipe.data.name} {recipe.transform.target} {recipe.data.input}",
        validated={
            "validation": splits.validation.name,
            "poses": min(recipe.trainer.validate_poses or len(splits.validation), len(splits.validation)),
        },
    )


def _check_alone(recipe: LiftingRecipe, model: nn.Module, data: LiftingDataModule) -> None:
    """ConfigError where a network cannot learn from one pose at a time: its batch norm takes the mean over poses."""
    tried = copy.deepcopy(model).train()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            tried(data.train.gather_inputs(torch.zeros(1, dtype=torch.int64)))
    except ValueError as error:
        poses = f"{len(data.train)} training pose{'s' if len(data.train) > 1 else ''}"
        raise ConfigError(
            f"trainer.batch: one pose at a time for each of {recipe.trainer.processes} processes (of a batch of "
            f"{recipe.trainer.batch}, {poses} in all), but the batch norm of {recipe.model['name']} needs two or more; "
            "give a larger batch, or more poses"
        ) from error


def _facts(recipe: LiftingRecipe, part: LiftingData) -> dict[str, Any]:
    found = {"name": part.name, "poses": len(part), "fingerprint": part.fingerprint, "fps": part.fps}
    if recipe.data.name == "mocap-folder":  # a folder grows, and its splits with it
        found["names"] = marks_of(recording_names(part))
    return found
