"""Several networks of one recipe as one row of a table: folds are merged, seeds averaged."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.action_splits import PROTOCOLS
from kinegraph.errors import ConfigError
from kinegraph.evaluation.clip_recognition import ClipMethod
from kinegraph.evaluation.provenance import run_folder
from kinegraph.evaluation.recognition_result import RecognitionResult, count_scores, fuse
from kinegraph.naming import free_name

__all__ = ["MethodGroup", "SeedResults", "fuse_seeds", "group_methods", "merge_folds"]

_HOW = {  # fields of a recipe that say where and how a run went, not what was learned
    "": ("out", "seed"),
    "data": ("fold", "source"),
    "trainer": (
        *("threads", "devices", "nodes", "accelerator", "workers", "tensorboard", "compile"),
        *("log_every", "checkpoint_every", "checkpoint_minutes"),
    ),
}
_TAIL = re.compile(r"((^|[\W_]+)(fold|seed|f|s))?[\W_]*$")
"""What leads to a number at the end of a name; a letter that nothing parts from the rest belongs to the name."""


@dataclass(frozen=True, kw_only=True)
class MethodGroup:
    """Networks of one recipe.

    Attributes:
        label: what their names have in common.
        seeds: seed -> networks, one for each fold, in the order of the folds.
    """

    label: str
    seeds: dict[int, tuple[ClipMethod, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedResults:
    """One recipe under one protocol: the results of its seeds.

    Attributes:
        label: its name in tables.
        results: seed -> result, its folds merged.
    """

    label: str
    results: dict[int, RecognitionResult]

    @property
    def first(self) -> RecognitionResult:
        """The result of the first seed."""
        return next(iter(self.results.values()))

    def mean(self, figure: str) -> float:
        """Mean over seeds of a figure of :class:`RecognitionResult`."""
        return float(np.mean([getattr(result, figure) for result in self.results.values()]))

    def std(self, figure: str) -> float | None:
        """Standard deviation (n - 1) over seeds; None of one seed."""
        values = [getattr(result, figure) for result in self.results.values()]
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def mean_of(self, figure: str) -> dict[str, float]:
        """Mean over seeds, class by class."""
        tables = [getattr(result, figure) for result in self.results.values()]
        return {name: float(np.mean([table[name] for table in tables])) for name in tables[0]}

    @property
    def confusion(self) -> NDArray[np.int64]:
        """``(classes, classes)`` row the true class, column the predicted one; the sum over seeds."""
        each = np.array([result.confusion for result in self.results.values()], dtype=np.int64)
        return np.asarray(each.sum(axis=0))

    def to_json(self) -> dict[str, Any]:
        """The keys of one result; of several seeds the means, with ``top1_std`` and every seed's own beside them."""
        content = self.first.to_json()
        if len(self.results) == 1:
            return content
        figures = {
            "top1": "top1",
            "top5": "top5",
            "pooled_top1": "pooled_top1",
            "pooled_top5": "pooled_top5",
            "mean_class_top1": "class_top1",
            "mean_class_top5": "class_top5",
            "ece": "ece",
            "nll": "nll",
        }
        folds = [{fold["fold"]: fold for fold in result.folds} for result in self.results.values()]
        content |= {key: self.mean(name) for key, name in figures.items()}
        content |= {
            "model": self.label,
            "per_class": self.mean_of("per_class"),
            "per_class_top5": self.mean_of("per_class_top5"),
            "top1_std": self.std("top1"),
            "top5_std": self.std("top5"),
            "folds": [
                {**fold, **{key: float(np.mean([each[number][key] for each in folds])) for key in ("top1", "top5")}}
                for number, fold in folds[0].items()
            ],
            "top1_std_over_folds": None,
            "confusion": self.confusion.tolist(),
            "seeds": [{"seed": seed, **result.to_json()} for seed, result in self.results.items()],
        }
        return content


def group_methods(methods: Sequence[ClipMethod], protocol: str) -> list[MethodGroup]:
    """Networks that differ in fold and seed alone, together; in the order in which they were given.

    Raises:
        ConfigError: two networks of the same recipe, seed and fold; or seeds of different folds.
    """
    several = protocol in PROTOCOLS and PROTOCOLS[protocol].folds > 1
    found: dict[str, list[ClipMethod]] = {}
    for number, method in enumerate(methods):
        # Networks of other clips are no seeds of one; of a protocol with folds the fingerprint is of all of them.
        clips = (method.info.get("trained_on") or {}).get("fingerprint")
        key = f"{_key(method.recipe)} {clips}" if method.recipe else f"unknown {number}"
        found.setdefault(key, []).append(method)
    groups: list[MethodGroup] = []
    for members in found.values():
        seeds: dict[int, dict[int, ClipMethod]] = {}
        for method in members:
            folds = seeds.setdefault(method.seed, {})
            fold = method.fold if several else 0
            if fold in folds:
                where = f" and fold {fold}" if several else ""
                raise ConfigError(
                    f"{folds[fold].label} and {method.label} have the same recipe, seed {method.seed}{where}; give one"
                )
            folds[fold] = method
        first, *others = seeds.items()
        for seed, folds in others:
            if set(folds) != set(first[1]):
                raise ConfigError(
                    f"seed {first[0]} has folds {_list(sorted(first[1]))}, seed {seed} {_list(sorted(folds))}; a mean "
                    "over seeds needs the same folds of each"
                )
        common, taken = _common(members), {group.label for group in groups}
        groups.append(
            MethodGroup(
                label=free_name(common, taken, "{name} ({number})"),
                seeds={seed: tuple(folds[fold] for fold in sorted(folds)) for seed, folds in sorted(seeds.items())},
            )
        )
    return groups


def merge_folds(results: Sequence[RecognitionResult], label: str) -> RecognitionResult:
    """Results of one recipe's folds as one: the mean over folds, with a remark on folds that are not there.

    Args:
        results: of :func:`evaluate_clips`, each of another fold.
        label: of the whole.
    """
    first = results[0]
    everything = PROTOCOLS[first.protocol].folds if first.protocol in PROTOCOLS else 1
    folds = [int(result.fold_of[0]) for result in results]
    notes = list(dict.fromkeys(note for result in results for note in result.notes))
    lost = [fold for fold in range(everything) if fold not in folds]
    if lost:
        notes.insert(
            0,
            f"folds {_list(folds)} of {first.protocol}'s {everything}; missing: {_list(lost)}: not the "
            "protocol's number",
        )
    if len(results) == 1:
        return replace(first, label=label, notes=tuple(notes))
    times = [result.info.get("train_seconds") for result in results]
    info = {
        **first.info,
        "weights": [result.info.get("weights") for result in results],
        "fold": folds,
        "train_seconds": None if None in times else float(np.mean(np.array(times, dtype=np.float64))),
    }
    return count_scores(
        np.concatenate([result.logits for result in results]),
        np.concatenate([result.labels for result in results]),
        first.classes,
        protocol=first.protocol,
        label=label,
        of=first.of,
        data=first.data,
        info=info,
        notes=notes,
        names=[name for result in results for name in result.names],
        fold_of=np.concatenate([result.fold_of for result in results]),
    )


def fuse_seeds(groups: Sequence[SeedResults], weights: Sequence[float], **how: Any) -> SeedResults:
    """The fused result of several recipes, seed by seed; see :func:`fuse`.

    Raises:
        ConfigError: not one weight for each recipe, or, where there are several seeds, others.
    """
    if len(weights) != len(groups):
        raise ConfigError(f"{len(weights)} weights for {len(groups)} recipes; expected one each")
    seeds = list(groups[0].results)
    for group in groups[1:]:
        if len(group.results) != len(seeds):
            raise ConfigError(
                f"{groups[0].label} has {len(seeds)} seeds, {group.label} {len(group.results)}; seeds are "
                "fused one by one"
            )
        if len(seeds) > 1 and set(group.results) != set(seeds):
            there, here = (", ".join(map(str, sorted(found))) for found in (seeds, group.results))
            raise ConfigError(
                f"{groups[0].label} has the seeds {there}, {group.label} {here}; each is fused with its like"
            )
    rows = [[group.results.get(seed, group.first) for seed in seeds] for group in groups]
    results = {
        seed: fuse([replace(row[at], label=g.label) for row, g in zip(rows, groups, strict=True)], weights, **how)
        for at, seed in enumerate(seeds)
    }
    return SeedResults(label=next(iter(results.values())).label, results=results)


def _key(recipe: dict[str, Any]) -> str:
    """What was learned, as text."""
    kept = copy.deepcopy(recipe)
    for part, names in _HOW.items():
        inner = kept.get(part) if part else kept
        if isinstance(inner, dict):
            for name in names:
                inner.pop(name, None)
    return json.dumps(kept, sort_keys=True, default=str)


def _common(methods: Sequence[ClipMethod]) -> str:
    """What the names of several runs begin with, without what numbers them.

    Of runs that have numbers for names, the folder that they are in; or, where that is not one, the network.
    """
    labels = [method.label for method in methods]
    if len(set(labels)) == 1:
        return labels[0]
    length = next((n for n, letters in enumerate(zip(*labels, strict=False)) if len(set(letters)) > 1), None)
    begun = labels[0][: min(map(len, labels)) if length is None else length]
    if any(label[len(begun) : len(begun) + 1].isdigit() for label in labels):  # of 10 and 11, the 1 says nothing
        begun = begun.rstrip("0123456789")
    found = _TAIL.sub("", begun)
    if found:
        return found
    parents = {run_folder(Path(method.info.get("weights", ""))).parent for method in methods}
    return (parents.pop().name if len(parents) == 1 else "") or str(methods[0].info.get("model") or labels[0])


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
