"""What is printed and saved about a network beside its numbers: its run, its seed, how its checkpoint was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinegraph.weights import LoadedWeights

__all__ = ["names_seen", "ntu_benchmark", "run_folder", "run_label", "told_facts", "weights_info"]


def run_folder(weights: Path) -> Path:
    """The run whose weights lie in ``<run>/best``; other folders of weights are their own."""
    place = weights.resolve()
    return place.parent if place.name == "best" else place


def run_label(folder: Path) -> str:
    """A run's weights lie in ``<run>/best``: the run's name says more."""
    return run_folder(folder).name


def weights_info(weights: LoadedWeights) -> dict[str, Any]:
    """What is printed and saved beside a network's numbers."""
    metadata = weights.metadata
    trained_on = (metadata.get("data") or {}).get("train")
    if isinstance(trained_on, dict):  # but for the names of thousands of clips
        trained_on = {key: value for key, value in trained_on.items() if key != "names"}
    return {
        "model": weights.model_name,
        "weights": str(weights.folder),
        "parameters": weights.parameters,
        "seed": metadata.get("seed"),
        "checkpoint": metadata.get("checkpoint"),
        "trained_on": trained_on,
        "train_seconds": metadata.get("train_seconds"),
    }


def names_seen(weights: LoadedWeights) -> dict[str, str]:
    """Names of what weights were trained on, and of what they were trained and chosen on: ``trained`` and ``seen``.

    As :func:`kinegraph.datasets.seen_clips.marks_of` keeps them; empty where they are not known.
    """
    data = weights.metadata.get("data")
    parts = data if isinstance(data, dict) else {}
    names = {role: str(part.get("names", "")) for role, part in parts.items() if isinstance(part, dict)}
    return {"seen": "".join(names.values()), "trained": names.get("train", "")}


def ntu_benchmark(weights: LoadedWeights) -> str | None:
    """By which split of NTU RGB+D a motion network was trained, ``xsub`` or ``xview``; None on other data."""
    recipe = weights.metadata.get("recipe")
    data = recipe.get("data") if isinstance(recipe, dict) else None
    if not isinstance(data, dict) or data.get("name") != "ntu":
        return None
    return str(data.get("benchmark") or "xsub")


def told_facts(info: Mapping[str, Any]) -> list[str]:
    """Of :func:`weights_info`, what stands under a table, as far as it is known."""
    facts = []
    if info.get("parameters") is not None:
        facts.append(f"{info['parameters']:,} parameters")
    if info.get("seed") is not None:
        facts.append(f"seed {info['seed']}")
    checkpoint = info.get("checkpoint")
    if isinstance(checkpoint, dict):
        facts.append(f"checkpoint: {checkpoint.get('chosen_by')} on {checkpoint.get('validation')}")
    return facts
