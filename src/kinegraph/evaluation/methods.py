"""From a name to the weights that are measured: a folder, a network of the package, or an id of the hub."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from kinegraph.errors import ConfigError
from kinegraph.evaluation.provenance import run_label
from kinegraph.hub import is_hub_id, locate
from kinegraph.inference.motion_window import baseline_of
from kinegraph.models import REGISTRY
from kinegraph.shipped import find_folder, named
from kinegraph.weights import LoadedWeights, load_weights, task_of

__all__ = ["named_weights", "task_named"]

Measured = Literal["lifting", "forecasting", "recognition", "recognition of clips"]
_WANTED: dict[Measured, tuple[str, str]] = {
    "lifting": ("lift", "weights of a lifting recipe, or a protocol of forecasting or recognition"),
    "forecasting": ("motion", "weights of a motion recipe, or a lifting protocol"),
    "recognition": ("motion", "weights of a motion recipe"),
    "recognition of clips": ("recognition", "weights of a recipe with task: recognition"),
}
"""What is measured -> the task of weights that do it, and what to give in place of others."""


def named_weights(
    name: Path | str, measured: Measured, label: str | None = None, baselines: Collection[str] = ()
) -> tuple[LoadedWeights, str]:
    """The weights that a name stands for, and what to call them in tables.

    Args:
        name: a folder, a network of the package, or an id ``owner/name`` on the hub.
        measured: what the protocol measures.
        label: in tables; None: the run's name, or the id.
        baselines: names that the protocol takes without weights; for the message.

    Raises:
        ConfigError: weights of another task, or a model that has none.
        FormatError: nothing of that name, or no usable weights.
        KinegraphError: the hub does not have it or is not reached.
    """
    text = str(name)
    here = find_folder(name)
    if here is None and baseline_of(text) is not None:
        raise ConfigError(
            f"{text} is a baseline of forecasting and no weights folder; this protocol measures {measured}"
        )
    if here is None and text.replace("-", "_") in REGISTRY:
        raise ConfigError(
            f"{text} is a kind of model and no weights folder; it is trained first: give a folder of kinegraph train, "
            f"or one {named()}"
        )
    weights = load_weights(locate(name, others=baselines))
    task, remedy = _WANTED[measured]
    if weights.task != task:
        raise ConfigError(
            f"{name} holds {weights.kind} ({weights.model_name}); this protocol measures {measured}: give {remedy}"
        )
    return weights, label or (text if here is None else run_label(here))


def task_named(name: Path | str) -> str | None:
    """The task of the weights that a name stands for, read without them; None where it stands for none.

    Raises:
        FormatError, KinegraphError: as of :func:`named_weights`.
    """
    if find_folder(name) is None and not is_hub_id(str(name)):
        return None
    return task_of(locate(name))
