"""What a sweep measures of networks that recognise clips: accuracy over the protocol's folds, and size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinegraph.datasets.action_splits import PROTOCOLS, split
from kinegraph.datasets.open_clips import open_clips
from kinegraph.errors import ConfigError
from kinegraph.evaluation.clip_recognition import evaluate_clips, load_clip_method
from kinegraph.evaluation.recognition_merge import merge_folds
from kinegraph.evaluation.recognition_result import RecognitionResult, fuse
from kinegraph.evaluation.sweeps import Fusion, Measured, Variant
from kinegraph.store.clip import Clips
from kinegraph.training.clip_data_module import ClipSplits
from kinegraph.training.folder import BEST
from kinegraph.training.recognition_recipe import RecognitionRecipe
from kinegraph.training.recognition_setup import load_clip_splits

__all__ = ["ClipMeasure"]


class ClipMeasure:
    """Evaluates runs under the protocol, and keeps what fusions and the table need.

    Args:
        protocol: of the recognition of clips.
        data: folder of the clips.
        part: ``"test"``, ``"val"`` or ``"train"``.
        recipes: of all runs.

    Raises:
        ConfigError: a protocol of several folds that the recipes are not trained on.
        DataError: the clips are not there, or not those of the protocol.
    """

    def __init__(self, protocol: str, data: str | None, part: str, recipes: Sequence[RecognitionRecipe]) -> None:
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
        self.units: dict[str, str] = {"top-1": "%", "top-5": "%", "parameters": "values"}
        self.conditions: dict[str, Any] = {}
        self._scores: dict[tuple[str, int], RecognitionResult] = {}

    def splits(self, recipe: RecognitionRecipe) -> ClipSplits | None:
        """The training clips, where they are those that are measured: reading recordings can take a minute."""
        if recipe.data.source != self.data or recipe.data.protocol != self.protocol:
            return None
        return load_clip_splits(recipe.data, recipe.seed, self.clips)

    def place(self, column: str) -> int:
        """Where a column stands in the table."""
        return list(self.units).index(column)

    def run(self, variant: Variant, seed: int, recipes: Sequence[RecognitionRecipe]) -> Measured:
        """Evaluate the runs of a variant and a seed, one for each fold, as one."""
        methods = [load_clip_method(Path(recipe.out) / BEST, variant.label) for recipe in recipes]
        results = [evaluate_clips(method, self.clips, self.protocol, part=self.part) for method in methods]
        result = merge_folds(results, variant.label)
        self._scores[variant.name, seed] = result
        figures = {**self._figures(result), "parameters": float(methods[0].info["parameters"])}
        info = {
            "folders": [str(recipe.out) for recipe in recipes],
            "recognition": {"per_class": result.per_class, "folds": list(result.folds), "ece": result.ece},
            **{key: value for key, value in result.info.items() if key in ("parameters", "train_seconds")},
        }
        return Measured(seed=seed, figures=figures, info=info)

    def fused(self, fusion: Fusion, seed: int) -> Measured:
        """The weighted sum of variants' scores."""
        result = fuse([self._scores[name, seed] for name in fusion.variants], fusion.weights, of=fusion.of)
        info = {
            "fused": dict(zip(fusion.variants, fusion.weights, strict=True)),
            "of": fusion.of,
            "per_class": result.per_class,
        }
        return Measured(seed=seed, figures=self._figures(result), info=info)

    def _figures(self, result: RecognitionResult) -> dict[str, float]:
        self.conditions["data"] = result.data
        self.notes |= dict.fromkeys(note for note in result.notes if "fused by weighted sum" not in note)
        return {"top-1": result.top1, "top-5": result.top5}
