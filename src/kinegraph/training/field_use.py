"""Which fields of a recipe have no effect beside the kind of schedule, optimiser, sampling or network that it names.

A recipe holds them all the same, a resolved one every field there is. What somebody asks for on the command line and
would not get is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kinegraph.config import apply_overrides, to_dict
from kinegraph.errors import ConfigError
from kinegraph.training.recipe_parts import RunRecipe, flat_fields

__all__ = ["OF_DESCENT", "USED", "check_used", "given_fields"]

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

OF_DESCENT = (
    *("optim.", "schedule.", "objective."),
    *(f"trainer.{name}" for name in ("validate_every", "patience", "checkpoint_every", "checkpoint_minutes")),
    *(f"trainer.{name}" for name in ("log_every", "precision", "compile")),
)
"""Fields, or their beginnings, that only networks trained by gradients use; those fitted in closed form have none of
it."""
_LENGTH = ("trainer.epochs", "trainer.steps", "trainer.batch")
"""How often a network fitted on clips sees each of them: without augmentation once, whatever these say."""


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
    for field in sorted(given):
        fitted = [_fitted(recipe, field) for recipe in recipes]
        other = [fit or _other_kind(one, field) for fit, one in zip(fitted, plain, strict=True)]
        if None not in other:
            under = " or ".join(dict.fromkeys(one for one in other if one is not None))
            remedy = ""
            if None in fitted:
                named_by, users = USED[field]
                remedy = f", or set --{named_by} {' or '.join(users)}"
            raise ConfigError(f"{field}: it has no effect under {under}; leave it out{remedy}")


def _other_kind(recipe: Mapping[str, Any], field: str) -> str | None:
    """The kind that a recipe names, where it makes no use of a field; None too where its task has not both fields."""
    named_by, users = USED.get(field, ("", ()))
    kind = recipe.get(named_by) if field in recipe else None
    return None if kind is None or kind in users else f"{named_by} {kind}"


def _fitted(recipe: RunRecipe, field: str) -> str | None:
    """The recipe's network, where it is fitted in closed form and a field would only have served its descent."""
    once = recipe.task == "recognition" and recipe.augment == type(recipe.augment)()
    if not (field.startswith(OF_DESCENT) or (once and field in _LENGTH)):
        return None
    from kinegraph.models import model_entry  # torch: not for every recipe that is only read

    name = str(recipe.model["name"])
    try:
        trains = getattr(model_entry(name).model, "trains", "gradient")
    except ConfigError:  # no such network: said where it is built
        return None
    return f"model.name {name}, which is fitted in closed form" if trains == "fit" else None
