"""The names that tools give joints and markers, from ``aliases.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

__all__ = ["Aliases", "Ways", "aliases", "first_way"]

Ways = Mapping[str, tuple[tuple[str, ...], ...]]
"""Anatomical point -> ways to have it, each of names whose mean it is."""


@dataclass(frozen=True)
class Aliases:
    """Points with a side, points without; and what markers on the skin give, of one side, of both, of the middle."""

    prefixes: tuple[str, ...]
    sided: Ways
    central: Ways
    skin_sided: Ways
    skin_both: Ways
    skin_central: Ways


@lru_cache(maxsize=1)
def aliases() -> Aliases:
    """The tables of ``aliases.toml``."""
    data = tomllib.loads(files("kinegraph.formats.joints").joinpath("aliases.toml").read_text(encoding="utf-8"))

    def table(names: Mapping[str, list[str | list[str]]]) -> Ways:
        return {point: tuple((a,) if isinstance(a, str) else tuple(a) for a in ways) for point, ways in names.items()}

    return Aliases(
        prefixes=tuple(data["prefixes"]),
        sided=table(data["sided"]),
        central=table(data["central"]),
        **{f"skin_{key}": table(data["skin"][key]) for key in ("sided", "both", "central")},
    )


def first_way(ways: Sequence[tuple[str, ...]], known: Container[str], taken: Container[str] = ()) -> tuple[str, ...]:
    """The first way whose names are all known and not taken, else (); "a with b" is a, where b is known too."""
    for way in ways:
        parts = [entry.partition(" with ") for entry in way]
        if all(name in known and name not in taken and (not also or also in known) for name, _, also in parts):
            return tuple(name for name, _, _ in parts)
    return ()
