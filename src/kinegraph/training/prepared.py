"""What a task hands to the run: the network, its data and its objective, ready to train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from kinegraph.config import from_dict
from kinegraph.errors import ConfigError
from kinegraph.models import ModelEntry, model_entry
from kinegraph.training.recipe_parts import RunRecipe
from kinegraph.training.task import TrainingTask
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.motion import MotionTransform

__all__ = ["PreparedRun", "least_share", "model_config", "network_entry", "size_lines"]

_FEW = 30
"""Validation examples below which an error rate moves by more than 3 % with one of them."""


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """A run that can begin."""

    model: nn.Module
    """Fresh weights, from the recipe's seed."""
    task: TrainingTask
    """The objective."""
    data: Any
    """The Lightning data module; see `callbacks.RunData`."""
    steps: int
    """Length of the run."""
    transform: LiftingTransform | MotionTransform | ClipTransform
    """What is stored with the weights."""
    weights_task: str
    """What the weights are for (`kinegraph.weights`)."""
    splits: Mapping[str, Any]
    """Name, size, fingerprint and frame rate of the training and validation split."""
    protocol: str
    """What was trained for, in a few words."""
    validated: Mapping[str, Any]
    """What the checkpoint is chosen on: the split's name and the number of examples."""
    warnings: tuple[str, ...] = ()
    """What is odd about the data, for people."""


def network_entry(recipe: RunRecipe) -> ModelEntry:
    """The network that a recipe names, fit for its task.

    Raises:
        ConfigError: there is none of that name, it is for another task, or it cannot be compiled as the recipe asks.
    """
    name, trainer = str(recipe.model["name"]), recipe.trainer
    entry = model_entry(name)
    if entry.task != recipe.task:
        raise ConfigError(
            f"model.name: {name} is for task {entry.task} and the recipe for {recipe.task}; set task: {entry.task}, or "
            "name another model"
        )
    if recipe.task != "lift" and trainer.compile and trainer.processes > 1:  # lifters have no joint normalisation
        raise ConfigError("trainer.compile: joint batch normalisation over several devices is not compiled; set false")
    return entry


def model_config(recipe: RunRecipe, given: Mapping[str, Any], where: str) -> Any:
    """The configuration of the recipe's network, with the fields that data and transform decide.

    Args:
        recipe: its `model` has the rest.
        given: those fields; a recipe may repeat them and not change them.
        where: who decides them, for the message.

    Raises:
        ConfigError: unknown model, options that are not the model's, or that contradict `given`.
    """
    options = dict(recipe.model)
    entry = model_entry(str(options.pop("name")))
    for name, value in given.items():
        if options.setdefault(name, value) != value:
            raise ConfigError(f"model.{name}: found {options[name]}, but {where} gives {value}; leave it out")
    return from_dict(entry.config, options, "model")


def least_share(recipe: RunRecipe, batch: int, what: str) -> int:
    """How many examples of a batch each process gets at least.

    Args:
        recipe: says how many processes there are.
        batch: examples of a step, as many as the data allow.
        what: the examples are, for the message.

    Raises:
        ConfigError: one gets none.
    """
    processes = recipe.trainer.processes
    if batch < processes:
        raise ConfigError(f"trainer.devices: {batch} training {what} a step for {processes} processes; start fewer")
    return batch // processes


def size_lines(prepared: PreparedRun, recipe: RunRecipe) -> list[str]:
    """What is trained and validated on, and a warning where few examples decide which weights are kept by a rate."""
    train, validation = prepared.splits["train"], prepared.splits["validation"]
    unit = "poses" if "poses" in train else "clips"
    there = f"{validation[unit]:,} validate" if validation[unit] else "none is held out: the last weights are kept"
    alike = f" of {train['bodies']} bodies, all as often," if "bodies" in train else ""
    lines = [f"{train[unit]:,} {unit}{alike} train, {there}"]
    examples = next((value for value in prepared.validated.values() if isinstance(value, int)), 0)
    lines += [f"warning: {text}" for text in prepared.warnings]
    by_rate = recipe.trainer.keep == "best" and prepared.task.monitor.tie is not None
    if by_rate and validation[unit] and examples < _FEW:
        what = "windows" if "windows" in prepared.validated else unit
        lines.append(
            f"warning: {examples} {what} choose the weights, each of them {100 / examples:.0f} % of the error; "
            f"expected {_FEW} or more: hold out more with --data.held_out, or put more into the validation part"
        )
    return lines
