"""Sweeps: one recipe in several variants, and their numbers as one table.

What is varied, and what a paper printed about it, is a :class:`Sweep`; the papers' own are in
:mod:`kinegraph.sweeps.symgnn_presets` (Sym-GNN) and :mod:`kinegraph.sweeps.hcsf_presets` (HCSF).
:func:`kinegraph.sweeps.runs.run_sweep` trains and measures.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kinegraph.config import to_dict
from kinegraph.errors import ConfigError, nearest
from kinegraph.evaluation.tables import text_table

__all__ = [
    "Fusion",
    "Measured",
    "Sweep",
    "SweepResult",
    "Variant",
    "folder_name",
    "shown",
    "sweep_report",
    "vary",
]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a sweep."""

    name: str
    """Its folder."""
    label: str
    """Its name in tables."""
    changes: Mapping[str, Any]
    """Dotted field of the recipe -> value."""
    x: float | None = None
    """Place on the horizontal axis; None outside it ("no pred"), drawn as a level."""
    curve: str = ""
    """Variants of one curve are joined in pictures."""
    recipe: str = ""
    """What it starts from, where that is not the sweep's recipe."""


@dataclass(frozen=True, kw_only=True)
class Fusion:
    """A row without training of its own: the weighted mean of other variants' scores."""

    name: str
    label: str
    variants: tuple[str, ...]
    weights: tuple[float, ...]
    of: Literal["logits", "softmax"] = "logits"
    """What is added up."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What is varied, and what was printed about it.

    Raises:
        ConfigError: two rows would share a folder.
    """

    name: str
    title: str
    variants: tuple[Variant, ...]
    x_label: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Fields of every variant; the command line may set them differently."""
    fusions: tuple[Fusion, ...] = ()
    speed: bool = False
    """Measure the frames generated in 20 ms too."""
    early: bool = False
    """Recognise from the beginning of the protocol's windows, not from their end."""
    task: Literal["motion", "recognition", "any"] = "motion"
    """Of what networks it is: those of windows of motion, those of clips, or either."""
    missing: float = 0.0
    """Of clips: measure again with this share of the joints taken away."""
    published: Mapping[str, Any] = field(default_factory=dict)
    """The paper's own figures with the data they were measured on; for the JSON, never for the table."""

    def __post_init__(self) -> None:
        folders: dict[str, str] = {}
        rows: tuple[Variant | Fusion, ...] = (*self.variants, *self.fusions)
        for row in rows:
            if row.name in folders:
                raise ConfigError(
                    f"sweep {self.name}: '{folders[row.name]}' and '{row.label}' would share the folder '{row.name}' "
                    "(a to z, digits and .+- are kept); expected one for each: rename a file, or sweep them apart"
                )
            folders[row.name] = row.label

    def only(self, names: Sequence[str]) -> Sweep:
        """The sweep with these variants alone.

        Raises:
            ConfigError: there is no such variant.
        """
        there = [variant.name for variant in self.variants]
        for name in names:
            if name not in there:
                raise ConfigError(f"no variant '{name}'{nearest(name, there)} (there are: {', '.join(there)})")
        kept = tuple(variant for variant in self.variants if variant.name in names)
        fusions = tuple(one for one in self.fusions if set(one.variants) <= set(names))
        return Sweep(**{**self.__dict__, "variants": kept, "fusions": fusions})


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run's numbers."""

    seed: int
    figures: dict[str, float]
    """Column of the table -> value."""
    info: dict[str, Any]
    """Folder, parameters, training time, and the evaluations in full."""


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """All runs of a sweep, in the order of its variants; a fusion stands below the last of those that it sums."""

    sweep: Sweep
    conditions: dict[str, Any]
    columns: tuple[str, ...]
    units: dict[str, str]
    rows: tuple[tuple[Variant | Fusion, tuple[Measured, ...]], ...]
    notes: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Column -> what tables and pictures call it, where that is not its name."""

    @property
    def part(self) -> str:
        """On what was measured: ``test``, or ``xview test`` where the data set is divided in several ways."""
        benchmark = (self.conditions.get("data") or {}).get("benchmark")
        return " ".join(filter(None, (benchmark, self.conditions["split"])))

    def summary(self, runs: Sequence[Measured], column: str) -> tuple[float, float] | None:
        """Mean over seeds, and their sample standard deviation (nan of a single one); None where nothing is."""
        values = [run.figures[column] for run in runs if column in run.figures]
        if not values:
            return None
        return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else float("nan")

    def label(self, column: str) -> str:
        """What a column is called."""
        return self.labels.get(column, column)

    def varies(self, column: str) -> bool:
        """Whether its spread over seeds says anything: not of what is known beforehand, or hangs on the machine."""
        return self.units[column] not in ("values", "min")

    def to_json(self) -> dict[str, Any]:
        """Plain values with stable keys."""
        variants = []
        for variant, runs in self.rows:
            found = {column: self.summary(runs, column) for column in self.columns}
            variants.append(
                {
                    "name": variant.name,
                    "label": variant.label,
                    "changes": to_dict(variant.changes) if isinstance(variant, Variant) else {},
                    "mean": {column: value[0] for column, value in found.items() if value},
                    "spread": {
                        column: value[1]
                        for column, value in found.items()
                        if value and value[1] == value[1] and self.varies(column)
                    },
                    "runs": [{"seed": run.seed, **run.figures, **run.info} for run in runs],
                }
            )
        return {
            "analysis": self.sweep.name,
            "title": self.sweep.title,
            **self.conditions,
            "units": self.units,
            "labels": {column: self.label(column) for column in self.columns},
            "variants": variants,
            "notes": list(self.notes),
            "published": to_dict(dict(self.sweep.published)),
        }


def vary(name: str, values: Sequence[Any], **options: Any) -> Sweep:
    """A sweep over the values of one field.

    Raises:
        ConfigError: no values, one twice, or two that would share a folder.
    """
    if not values or len({repr(value) for value in values}) != len(values):
        raise ConfigError(f"--vary {name}: found {list(values)}, expected one value or more, each once")
    last = name.rpartition(".")[2]
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    variants = tuple(
        Variant(
            name=folder_name(f"{last}_{shown(value)}"),
            label=f"{last} {shown(value)}",
            changes={name: value},
            x=float(value) if numeric else None,
        )
        for value in values
    )
    return Sweep(**{"name": "sweep", "title": name, "variants": variants, "x_label": name, "task": "any", **options})


def shown(value: Any) -> str:
    """A value of a recipe, short."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if value in (True, False) else str(value)


def folder_name(text: str) -> str:
    """The text with nothing in it that a file system could mind."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", text).strip("_.") or "variant"


def sweep_report(result: SweepResult, *, markdown: bool = False) -> str:
    """One row per variant: the mean over seeds, and their spread behind it."""
    header = ["variant", *map(result.label, result.columns)]
    rows = []
    for variant, runs in result.rows:
        cells = []
        for column in result.columns:
            found = result.summary(runs, column)
            digits = {"%": 1, "rad": 3, "values": 0}.get(result.units[column], 1)
            bare = found is None or found[1] != found[1] or not result.varies(column)
            spread = "" if bare or found is None else f" ±{found[1]:.{digits}f}"
            cells.append("-" if found is None else f"{found[0]:.{digits}f}{spread}")
        rows.append([variant.label, *cells])
    conditions = result.conditions
    seeds = ", ".join(map(str, conditions["seeds"]))
    recipes = conditions["recipe"] if isinstance(conditions["recipe"], list) else [conditions["recipe"]]
    named = f"recipe{'s' if len(recipes) > 1 else ''} {', '.join(recipes)}"
    lines = [
        f"{result.sweep.title} | {named} | {conditions['protocol']}, {result.part} split"
        f" | seeds {seeds}" + (" (mean ±standard deviation)" if len(conditions["seeds"]) > 1 else ""),
        text_table(header, rows, markdown=markdown),
    ]
    kinds = dict.fromkeys(result.units.values())
    lines += [
        f"unit: {unit}: " + ", ".join(result.label(column) for column in result.columns if result.units[column] == unit)
        for unit in kinds
    ]
    if "metric" in conditions:
        over = ", ".join(conditions["average_over"])
        lines.append(f"errors: {conditions['metric']}, average over {over}")
    return "\n".join([*lines, *(f"note: {note}" for note in result.notes)])
