"""The errors a user can meet.

Every message is one line and says what was found, what was expected and what to do. The command line prints it
and exits with status 2; in Python they are ordinary exceptions under one base class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType


class KinegraphError(Exception):
    """Base of every error the package raises on purpose."""


class FormatError(KinegraphError):
    """A file cannot be read or written as the format it claims to be.

    ``str()`` is ``"<path>: <message>"``; the message names the line or field, the value found and the one expected.
    """

    def __init__(self, path: Path | str, message: str) -> None:
        self.path = Path(path)
        self.message = " ".join(message.splitlines())  # names and values from a damaged file may hold line breaks
        super().__init__(f"{path}: {self.message}")


class SkeletonError(KinegraphError):
    """A skeleton is malformed, unknown, or does not fit the data or model it meets."""


class ConfigError(KinegraphError):
    """A configuration has an unknown key, a wrong type or an impossible value."""


class DataError(KinegraphError):
    """Values are wrong: non-finite, of the wrong shape, unit, space or number of dimensions."""


class MissingExtraError(KinegraphError):
    """An optional dependency is needed and not there; the message names the extra that brings it.

    Or it is there and fails to import (``reason``): something that it needs itself is missing or does not fit it.
    """

    def __init__(self, extra: str, package: str, purpose: str, reason: ImportError | None = None) -> None:
        self.extra = extra
        found = "which is not installed"
        remedy = f"pip install 'kinegraph[{extra}]'"
        if reason is not None:
            found = f"which is installed but fails to import ({' '.join(str(reason).split()) or type(reason).__name__})"
            other = (reason.name or package).partition(".")[0]
            if isinstance(reason, ModuleNotFoundError) and other != package:
                found += f"; '{other}' is what is missing"
            else:
                remedy = f"pip install --force-reinstall --no-deps {_distribution(package)}"
        super().__init__(f"{purpose} needs the package '{package}', {found}: {remedy}")


def as_path(value: object, what: str) -> Path:
    """A path, or a name in place of one.

    Args:
        value: what was given.
        what: what it is the path of, for the message.

    Raises:
        ConfigError: neither of them.
    """
    if not isinstance(value, str | Path):
        raise ConfigError(f"{what}: found {type(value).__name__} {value!r:.60}; expected a path or a name")
    return Path(value)


def nearest(name: str, choices: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the choice closest to ``name``, or ``""`` when none is close."""
    found = difflib.get_close_matches(name, list(choices), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import ``module`` or raise :class:`MissingExtraError` naming the extra that installs it, or what is broken."""
    package = module.partition(".")[0]
    try:
        import_module(package)  # by itself first: whether it is there at all
        return import_module(module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == package
        raise MissingExtraError(extra, package, purpose, None if missing else error) from error


def _distribution(package: str) -> str:
    """The name that pip knows a package by: ``scikit-learn`` for ``sklearn``."""
    from importlib.metadata import packages_distributions

    return next(iter(packages_distributions().get(package, ())), package)
