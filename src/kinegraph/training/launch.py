"""Processes that were started together: by torchrun, by Slurm, or one by the other."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TypeVar

import torch

from kinegraph.errors import ConfigError
from kinegraph.training.recipe_parts import RunRecipe, TrainerRecipe

__all__ = ["as_launched", "check_devices", "is_leader"]

Recipe = TypeVar("Recipe", bound=RunRecipe)


def is_leader() -> bool:
    """Whether this process is the first of a data-parallel run, or the only one."""
    if os.environ.get("RANK"):  # torchrun
        return int(os.environ["RANK"]) == 0
    # Lightning's own launcher numbers the processes of a machine; Slurm all of them.
    return all(int(os.environ.get(name) or 0) == 0 for name in ("LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def as_launched(recipe: Recipe) -> Recipe:
    """The recipe with as many devices and machines as torchrun has started processes on; itself without torchrun.

    Raises:
        ConfigError: the recipe names another number of them, or its batch cannot be shared.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return recipe
    world, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if world % here:
        raise ConfigError(f"torchrun started {here} processes here and {world} in all; start as many on every machine")
    started = {"devices": here, "nodes": world // here}
    for name, count in started.items():
        given = getattr(recipe.trainer, name)
        if given not in (1, count):
            raise ConfigError(f"trainer.{name}: found {given}, but torchrun started {count}; leave it to torchrun")
    try:
        return replace(recipe, trainer=replace(recipe.trainer, devices=here, nodes=world // here))
    except ValueError as error:
        raise ConfigError(f"trainer.{error}") from error


def check_devices(trainer: TrainerRecipe) -> None:
    """Refuse a run that this machine has no devices for.

    Raises:
        ConfigError: GPUs are asked for and there is none, or there are more processes than GPUs.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else int(torch.backends.mps.is_available())
    if trainer.accelerator == "gpu" and not gpus:
        raise ConfigError("trainer.accelerator: found gpu, but PyTorch finds none here; expected auto or cpu")
    if trainer.accelerator != "cpu" and 0 < gpus < trainer.devices:
        raise ConfigError(
            f"trainer.devices: found {trainer.devices}, but PyTorch finds {gpus} GPU{'s' if gpus > 1 else ''} here; "
            f"expected {gpus} or fewer, or trainer.accelerator cpu"
        )
