"""Which fields of a recipe have no effect beside the kind of schedule, optimiser or sampling that it names.

A recipe holds them all the same, a resolved one every field there is. What somebody asks for on the command line and
would not get is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kinegraph.config import apply_overrides, to_dict
from kinegraph.errors import ConfigError
from kinegraph.training.recipe_parts import RunRecipe, flat_fields

__all__ = ["USED", "check_used", "given_fields"]

_ADAM = ("adam", "adamw")

USED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "schedule.gamma": ("schedule.name", ("exponential", "steps")),
    "schedule.every": ("schedule.name", ("exponential",)),
    "schedule.final": ("schedule.name", ("cosine", "one-cycle")),
    "optim.betas": ("optim.name", _ADAM),
    "optim.momentum": ("optim.name", ("sgd",)),
    "transform.frames": ("transform.sampling", ("resize", "uniform", "window", "repeat")),
}
"""Field -> the field that names a kind, and the kinds that use it; all others have an effect under every kind.
(`schedule.milestones` is not here: `ScheduleRecipe` itself refuses them under another kind, in files too.)"""


def given_fields(overrides: Sequence[str]) -> set[str]:
    """The dotted fields that ``["--field.sub", "value", ...]`` sets, also those of a mapping as a value.

    Raises:
        ConfigError: an argument that is not of that form.
    """
    return set(flat_fields(apply_overrides({}, overrides)))


def check_used(recipes: Sequence[RunRecipe], given: Collection[str]) -> None:
    """Refuse a field that somebody set and that none of the recipes uses.

    Args:
        recipes: what is trained; at least one.
        given: dotted fields that were set.

    Raises:
        ConfigError: the first of such fields.
    """
    plain = [flat_fields(to_dict(recipe)) for recipe in recipes]
    for field in sorted(USED.keys() & given):
        named_by, users = USED[field]
        kinds = list(dict.fromkeys(_kind(one, field, named_by) for one in plain))
        if all(kind is not None and kind not in users for kind in kinds):
            raise ConfigError(
                f"{field}: it has no effect under {named_by} {' or '.join(map(str, kinds))}; leave it out, or set "
                f"--{named_by} {' or '.join(users)}"
            )


def _kind(recipe: Mapping[str, Any], field: str, named_by: str) -> Any:
    """What the recipe names; None where it is of a task that has not both fields."""
    return recipe.get(named_by) if field in recipe else None
