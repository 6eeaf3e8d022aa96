"""A training run as data: one frozen dataclass, written as one YAML file.

    task: lift
    model: {name: hcsf, channels: 128}
    data: {name: mocap-lifting, source: ../shared/data, input: exact}
    transform: {target: pixel}
    trainer: {epochs: 30}
    out: runs/hcsf

Every field that is not given has the default stated with it; the resolved recipe is written into the run folder. Model
options are those of the model's own configuration (`kinegraph.models`), and are checked against it. `task` decides
which dataclass it is: `lift` (`lifting_recipe`, the default), `motion` (`motion_recipe`) or `recognition`
(`recognition_recipe`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from kinegraph.config import apply_overrides, from_dict, read_yaml
from kinegraph.errors import ConfigError, nearest
from kinegraph.training.field_use import check_used, given_fields
from kinegraph.training.lifting_recipe import (
    LiftingAugmentRecipe,
    LiftingDataRecipe,
    LiftingRecipe,
    LiftingTransformRecipe,
)
from kinegraph.training.motion_recipe import MotionRecipe
from kinegraph.training.recipe_parts import OptimRecipe, RunRecipe, ScheduleRecipe, TrainerRecipe
from kinegraph.training.recognition_recipe import RecognitionRecipe

__all__ = [
    "TASKS",
    "LiftingAugmentRecipe",
    "LiftingDataRecipe",
    "MotionRecipe",
    "OptimRecipe",
    "RecognitionRecipe",
    "RunRecipe",
    "ScheduleRecipe",
    "LiftingRecipe",
    "TrainerRecipe",
    "LiftingTransformRecipe",
    "field_table",
    "find_recipe",
    "load_recipe",
    "read_recipe",
    "recipe_names",
    "replaced_lengths",
]

TASKS: dict[str, type[RunRecipe]] = {"lift": LiftingRecipe, "motion": MotionRecipe, "recognition": RecognitionRecipe}
"""What can be learned, and the recipe of each."""


def read_recipe(data: Mapping[str, Any]) -> RunRecipe:
    """The recipe of plain values, of the class that its `task` names.

    Raises:
        ConfigError: unknown task, or fields that are not of its recipe.
    """
    task = data.get("task", "lift")
    if not isinstance(task, str) or task not in TASKS:
        raise ConfigError(f"task: found {task!r}{nearest(str(task), TASKS)} (known: {', '.join(TASKS)})")
    return from_dict(TASKS[task], data)


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes shipped with the package."""
    folder = files("kinegraph") / "recipes"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path, or the name of one shipped with the package.

    Raises:
        ConfigError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = recipe_names()
    if name in shipped:
        return Path(str(files("kinegraph") / "recipes" / f"{name}.yaml"))
    if path.suffix in (".yaml", ".yml", ".json") or len(path.parts) > 1:
        raise ConfigError(f"{name}: no such recipe file{nearest(path.stem, shipped)}")
    raise ConfigError(
        f"no recipe {name!r}{nearest(name, shipped)} (give a YAML file, or one of the {len(shipped)} shipped recipes, "
        "which 'kinegraph train --list' names)"
    )


def load_recipe(name: str, overrides: Sequence[str] = (), *, all_used: bool = True) -> RunRecipe:
    """Read a recipe by path or shipped name and lay `--field.sub value` overrides over it.

    Args:
        name: of the recipe.
        overrides: ``["--field.sub", "value", ...]``.
        all_used: refuse overrides that have no effect under the recipe's kinds of schedule, optimiser and sampling
            (:mod:`kinegraph.training.field_use`); a recipe with variants of other kinds leaves that to them.

    Raises:
        ConfigError: no such recipe, or a field that is unknown, impossible or without effect.
    """
    path = find_recipe(name)
    data = apply_overrides(read_yaml(path), _one_length(overrides))
    try:
        recipe = read_recipe(data)
        if all_used:
            check_used([recipe], given_fields(overrides))
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}") from error
    return recipe


def _one_length(overrides: Sequence[str]) -> list[str]:
    """The overrides, where a length in one unit takes the place of the recipe's length in the other."""
    given = {text.partition("=")[0].removeprefix("--") for text in overrides if text.startswith("--")}
    return [*overrides, *(text for name in replaced_lengths(given) for text in (f"--{name}", "null"))]


def replaced_lengths(given: Collection[str]) -> list[str]:
    """The field of a run's length in one unit where, of the two, only that in the other is given."""
    pairs = (("trainer.steps", "trainer.epochs"), ("trainer.epochs", "trainer.steps"))
    return [other for one, other in pairs if one in given and other not in given]


def field_table(cls: type[Any] = LiftingRecipe, prefix: str = "") -> list[tuple[str, str, str]]:
    """Every field of the recipe as (name, default, explanation), read from the field docstrings above."""
    import ast
    import inspect
    import textwrap
    import typing

    texts: dict[str, str] = {}
    for parent in reversed(cls.__mro__):
        if not dataclasses.is_dataclass(parent):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(parent))).body[0].body  # type: ignore[attr-defined]
        texts |= {
            ast.unparse(node.target): " ".join(ast.literal_eval(following.value).split())
            for node, following in pairwise(body)
            if isinstance(node, ast.AnnAssign) and isinstance(following, ast.Expr)
        }
    hints = typing.get_type_hints(cls)
    rows = []
    for entry in dataclasses.fields(cls):
        hint = hints[entry.name]
        if dataclasses.is_dataclass(hint):
            rows += field_table(hint, f"{prefix}{entry.name}.")  # type: ignore[arg-type]
            continue
        default = "" if entry.default is dataclasses.MISSING else str(entry.default)
        rows.append((prefix + entry.name, default, texts[entry.name]))
    return rows
