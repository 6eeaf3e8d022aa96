"""Recipes side by side: each trained on the same clips, in one stream or several, fused, and measured alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kinegraph.errors import ConfigError, nearest
from kinegraph.sweeps.sweep import Fusion, Sweep, Variant, folder_name
from kinegraph.transforms.streams import STREAMS

__all__ = ["compare"]

_WEIGHTS = {"joint": 0.6, "bone": 0.6, "joint-motion": 0.4, "bone-motion": 0.4}
"""Of the four streams' logits, as CTR-GCN and PYSKL fuse them."""


def compare(recipes: Sequence[str], streams: Sequence[str] = ("joint", "bone"), missing: float = 0.0) -> Sweep:
    """A row for each recipe and stream, and for each recipe the sum of its streams' scores.

    Args:
        recipes: YAML files or names of shipped recipes, of task recognition.
        streams: what each is trained on, a network for each: joint, bone, joint-motion, bone-motion.
        missing: share of the joints that a second measurement takes from every test clip; 0 for none.

    Raises:
        ConfigError: no recipe or stream, one twice, an unknown stream, or no share.
    """
    for name, given in (("recipes", recipes), ("--streams", streams)):
        if not given or len(set(given)) != len(given):
            raise ConfigError(f"{name}: found {', '.join(given) or 'none'}; expected one or more, each once")
    for stream in streams:
        if stream not in STREAMS:
            raise ConfigError(f"no stream '{stream}'{nearest(stream, STREAMS)}; there are {', '.join(STREAMS)}")
    if not 0 <= missing < 1:
        raise ConfigError(f"--missing-joints {missing:g}: expected a share, 0 to below 1")
    labels = _short([Path(recipe).stem.removeprefix("recognize_") for recipe in recipes])
    if len(set(labels)) != len(labels):
        raise ConfigError(f"recipes: two of {', '.join(recipes)} bear one name; rename a file")
    variants, fusions = [], []
    for recipe, label in zip(recipes, labels, strict=True):
        names = {stream: folder_name(f"{Path(recipe).stem}_{stream}") for stream in streams}
        for stream, name in names.items():
            row = Variant(name=name, label=f"{label}, {stream}", changes={"transform.stream": stream}, recipe=recipe)
            variants.append(row)
        if len(streams) > 1:
            equal = not any(stream.endswith("-motion") for stream in streams)
            weights = tuple(1.0 if equal else _WEIGHTS[stream] for stream in streams)
            fused = folder_name(f"{Path(recipe).stem}_fused")
            fusions.append(Fusion(name=fused, label=f"{label}, fused", variants=tuple(names.values()), weights=weights))
    return Sweep(
        name="compare",
        title=f"{len(recipes)} recipes" if len(recipes) > 1 else labels[0],
        task="recognition",
        variants=tuple(variants),
        fusions=tuple(fusions),
        missing=missing,
    )


def _short(names: Sequence[str]) -> list[str]:
    """Without the last words that all of them share: the data set, as a rule."""
    words = [name.split("_") for name in names]
    while len(words) > 1 and all(len(one) > 1 for one in words) and len({one[-1] for one in words}) == 1:
        words = [one[:-1] for one in words]
    return ["_".join(one) for one in words]
