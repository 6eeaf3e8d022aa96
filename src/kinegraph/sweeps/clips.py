"""What a sweep measures of networks that recognise clips: accuracy over the protocol's folds, size, training time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from kinegraph.datasets.action_splits import PROTOCOLS, split
from kinegraph.datasets.open_clips import open_clips
from kinegraph.errors import ConfigError
from kinegraph.evaluation.clip_recognition import evaluate_clips, load_clip_method
from kinegraph.evaluation.clip_views import ClipView
from kinegraph.evaluation.recognition_merge import merge_folds
from kinegraph.evaluation.recognition_result import RecognitionResult, fuse
from kinegraph.store.clip import Clips
from kinegraph.sweeps.sweep import Fusion, Measured, Variant
from kinegraph.training.clip_data_module import ClipSplits
from kinegraph.training.folder import BEST
from kinegraph.training.recognition_recipe import RecognitionRecipe
from kinegraph.training.recognition_setup import load_clip_splits, prepare

__all__ = ["ClipMeasure"]

_MISSING = "top1_missing"
"""Column of what was measured with joints missing."""


class ClipMeasure:
    """Evaluates runs under the protocol, and keeps what fusions and the table need.

    Args:
        protocol: of the recognition of clips.
        data: folder of the clips.
        part: ``"test"``, ``"val"`` or ``"train"``.
        recipes: of all runs.
        missing: share of the joints that a second measurement takes away; 0 for none.

    Raises:
        ConfigError: a protocol of several folds that the recipes are not trained on.
        DataError: the clips are not there, or not those of the protocol.
    """

    def __init__(
        self, protocol: str, data: str | None, part: str, recipes: Sequence[RecognitionRecipe], missing: float = 0.0
    ) -> None:
        folds = PROTOCOLS[protocol].folds if protocol in PROTOCOLS else 1
        trained = {recipe.data.protocol for recipe in recipes}
        if folds > 1 and trained != {protocol}:
            found = ", ".join(sorted(trained))
            raise ConfigError(f"{protocol} has {folds} folds, the recipe trains on {found}: --data.protocol {protocol}")
        self.protocol, self.data, self.part = protocol, data, part
        # Wrong files are found before anything is trained.
        self.clips: Clips = open_clips(data, protocol)
        if part == "test":
            for fold in sorted({recipe.data.fold for recipe in recipes}):
                split(self.clips, protocol, "test", fold)
        self.notes: dict[str, None] = {}
        self.views: dict[str, ClipView] = {"top-1": ClipView()}
        self.labels: dict[str, str] = {}
        self.conditions: dict[str, Any] = {}
        if missing:
            self.views[_MISSING] = ClipView(missing=missing)
            self.labels[_MISSING] = f"top-1, {100 * missing:g} % of joints missing"
            self.conditions["missing_joints"] = missing
        self.units = {**dict.fromkeys(("top-1", "top-5", *self.views), "%"), "parameters": "values", "training": "min"}
        self._others: dict[tuple[str | None, str], Clips] = {}
        self._scores: dict[tuple[str, int], dict[str, RecognitionResult]] = {}

    def splits(self, recipe: RecognitionRecipe) -> ClipSplits | None:
        """The training clips, where they are those that are measured: reading recordings can take a minute."""
        return load_clip_splits(recipe.data, recipe.seed, self.clips) if self._is_open(recipe) else None

    def fingerprint(self, recipe: RecognitionRecipe) -> str | None:
        """Of the training clips, where they are those that are measured, or were opened for it."""
        clips = self.clips if self._is_open(recipe) else self._others.get(self._place(recipe))
        return None if clips is None else clips.fingerprint

    def open(self, recipe: RecognitionRecipe) -> None:
        """Open the training clips for their fingerprint.

        Raises:
            ConfigError, DataError: as its training would.
        """
        place = self._place(recipe)
        if not self._is_open(recipe) and place not in self._others:
            self._others[place] = load_clip_splits(recipe.data, recipe.seed).clips

    @staticmethod
    def _place(recipe: RecognitionRecipe) -> tuple[str | None, str]:
        return recipe.data.source, recipe.data.protocol

    def _is_open(self, recipe: RecognitionRecipe) -> bool:
        return recipe.data.source == self.data and recipe.data.protocol == self.protocol

    def check(self, recipe: RecognitionRecipe) -> None:
        """Prepare the run of a recipe with a network that takes no memory.

        Raises:
            ConfigError, DataError: as its training would.
        """
        place = self._place(recipe)
        opened = self.clips if self._is_open(recipe) else self._others.get(place)
        splits = load_clip_splits(recipe.data, recipe.seed, opened)
        self._others[place] = splits.clips
        with torch.device("meta"):
            prepare(recipe, splits)

    def place(self, column: str) -> int:
        """Where a column stands in the table."""
        return list(self.units).index(column)

    def run(self, variant: Variant, seed: int, recipes: Sequence[RecognitionRecipe]) -> Measured:
        """Evaluate the runs of a variant and a seed, one for each fold, as one."""
        methods = [load_clip_method(Path(recipe.out) / BEST, variant.label) for recipe in recipes]
        results = {}
        for name, view in self.views.items():
            found = [evaluate_clips(one, self.clips, self.protocol, part=self.part, view=view) for one in methods]
            results[name] = merge_folds(found, variant.label)
        self._scores[variant.name, seed] = results
        result = results["top-1"]
        figures = {**self._figures(results), "parameters": float(methods[0].info["parameters"])}
        seconds = [method.info["train_seconds"] for method in methods if method.info.get("train_seconds") is not None]
        if seconds:
            figures["training"] = fmean(seconds) / 60
        info = {
            "folders": [str(recipe.out) for recipe in recipes],
            "recognition": {"per_class": result.per_class, "folds": list(result.folds), "ece": result.ece},
            **{key: value for key, value in result.info.items() if key in ("parameters", "train_seconds")},
        }
        return Measured(seed=seed, figures=figures, info=info)

    def fused(self, fusion: Fusion, seed: int) -> Measured:
        """The weighted mean of variants' scores."""
        results = {
            view: fuse([self._scores[name, seed][view] for name in fusion.variants], fusion.weights, of=fusion.of)
            for view in self.views
        }
        info = {
            "fused": dict(zip(fusion.variants, fusion.weights, strict=True)),
            "of": fusion.of,
            "per_class": results["top-1"].per_class,
        }
        return Measured(seed=seed, figures=self._figures(results), info=info)

    def _figures(self, results: Mapping[str, RecognitionResult]) -> dict[str, float]:
        plain = results["top-1"]
        self.conditions["data"] = plain.data
        figures = {"top-1": plain.top1, "top-5": plain.top5}
        for column, result in results.items():
            told = [note for note in result.notes if "fused by weighted mean" not in note]
            self.notes |= dict.fromkeys(
                note if note in plain.notes else f"{self.labels.get(column, column)}: {note}" for note in told
            )
            figures[column] = result.top1
        return figures
