"""Which numbers the fields of a configuration may hold; a field that is None was not given."""

from __future__ import annotations

import math
from collections.abc import Callable

from kinegraph.errors import ConfigError

__all__ = ["at_least", "positive", "share"]


def at_least(config: object, least: int, *fields: str) -> None:
    """Finite, `least` or more. Raises ConfigError."""
    _check(config, fields, lambda value: least <= value < math.inf, f"{least} or more")


def positive(config: object, *fields: str, infinite: bool = False) -> None:
    """More than 0, and finite unless `infinite`. Raises ConfigError."""
    _check(config, fields, lambda value: value > 0 and (infinite or value < math.inf), "more than 0")


def share(config: object, *fields: str) -> None:
    """A share of which something is left: 0 or more, and below 1. Raises ConfigError."""
    _check(config, fields, lambda value: 0 <= value < 1, "0 or more, below 1")


def _check(config: object, fields: tuple[str, ...], fits: Callable[[float], bool], expected: str) -> None:
    for field in fields:
        value = getattr(config, field)
        if value is not None and not fits(value):
            raise ConfigError(f"{field}: found {value}, expected {expected}")
