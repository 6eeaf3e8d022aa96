"""Models of other packages: entry points of the group ``kinegraph.models``, looked at when a name is not built in."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from kinegraph.errors import ConfigError

__all__ = ["GROUP", "installed_names", "load_installed"]

GROUP = "kinegraph.models"


def installed_names() -> list[str]:
    """Names of the models that installed packages offer, sorted; nothing is imported."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def load_installed(name: str, kind: type[Any]) -> Any:
    """What an installed package offers under that name, or None.

    Args:
        name: of the entry point.
        kind: the type it must be of.

    Raises:
        ConfigError: it cannot be imported, is something else, or two packages offer it.
    """
    found = {point.value: point for point in entry_points(group=GROUP, name=name)}  # a package may be listed twice
    if not found:
        return None
    if len(found) > 1:
        offers = ", ".join(sorted(f"{point.value} of {_package(point)}" for point in found.values()))
        raise ConfigError(f"model '{name}' is offered by several packages ({offers}); uninstall all but one")
    (point,) = found.values()
    where = f"model '{name}' of the package {_package(point)} (entry point {point.value})"
    try:
        entry = point.load()
    except Exception as error:  # whatever a foreign module does when it is imported
        words = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"{where} cannot be loaded ({words}); mend or uninstall it") from error
    if not isinstance(entry, kind):
        raise ConfigError(f"{where} is a {type(entry).__name__}; expected a {kind.__name__}")
    return entry


def _package(point: EntryPoint) -> str:
    return "unknown" if point.dist is None else str(point.dist.name)
