"""Arguments shared by the commands that read motion files."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from kinegraph.errors import ConfigError, nearest

__all__ = [
    "add_lifter_argument",
    "add_network_arguments",
    "add_read_arguments",
    "add_recording_arguments",
    "check_place",
    "is_given",
    "keep_input",
    "key_values",
    "read_options",
    "size",
]

_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")


def add_recording_arguments(parser: argparse.ArgumentParser) -> None:
    """What may have to be said of the recording IN: ``--layout``, ``--fps``, and as :func:`add_read_arguments`."""
    parser.add_argument(
        "--layout",
        metavar="NAME",
        help="layout of IN (name or TOML/JSON file), if it is not told by IN; of BVH, TRC and C3D a TOML file with "
        "[landmarks] that says what its joints stand for",
    )
    parser.add_argument(
        "--fps", type=float, metavar="N", help="frame rate of IN where it does not say; else resample to it"
    )
    add_read_arguments(parser)


def add_read_arguments(parser: argparse.ArgumentParser) -> None:
    """``--format`` and ``--read KEY=VALUE``, for whatever a format's reader can be told."""
    parser.add_argument("--format", metavar="NAME", help="format of the input, if name and content do not tell it")
    parser.add_argument(
        "--read",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the input's format, e.g. skeleton=halpe26, people=1, image_size=1280x720, asf=09.asf, or "
        "fps=25: the rate that it has itself",
    )


def add_lifter_argument(parser: argparse.ArgumentParser) -> None:
    """``--lifter``, for commands that lift what is 2D."""
    from kinegraph.shipped import default_help

    parser.add_argument(
        "--lifter",
        metavar="M",
        help=f"network that lifts 2D keypoints first, named as --model is; {default_help('lift')}",
    )


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    """``--lifter``, ``--recognizer`` and ``--forecaster``, for what uses all three."""
    from kinegraph.shipped import default_help, model_help

    parser.add_argument("--lifter", metavar="M", help=f"network that lifts: {model_help(default_help('lift'))}")
    parser.add_argument(
        "--recognizer", metavar="M", help=f"network that recognises, named likewise; {default_help('recognize')}"
    )
    parser.add_argument(
        "--forecaster", metavar="M", help=f"network that forecasts, or a baseline; {default_help('forecast')}"
    )


def read_options(args: argparse.Namespace, known: Mapping[str, Any]) -> dict[str, Any]:
    """The options given with ``--read``, as values of the types that the reader's options have."""
    return key_values(args.read, "--read", known)


def key_values(items: Sequence[str], flag: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """``["people=1", "image_size=640x480"]`` as a dictionary of values.

    Args:
        items: what was given.
        flag: the flag it was given with, for messages.
        known: name -> type of the options there are.

    Raises:
        ConfigError: an item without ``=``, a name given twice or unknown, or a value that is not of its type.
    """
    result: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise ConfigError(f"{flag} {item!r} is no option; expected KEY=VALUE, e.g. people=1")
        if key in result:
            raise ConfigError(f"{flag} gives '{key}' twice; give it once")
        if key not in known:
            there = ", ".join(known) or "none"
            raise ConfigError(f"{flag} {item}: there is no option '{key}'{nearest(key, known)} (options: {there})")
        result[key] = _value(text, known[key], f"{flag} {item}")
    return result


def check_place(flag: str, name: Path | str | None) -> None:
    """Raises ConfigError where no file of this name can be written; None is no file."""
    if name is None:
        return
    if not Path(name).parent.is_dir():
        raise ConfigError(f"{flag} {name}: the folder {Path(name).parent} does not exist; create it first")
    if Path(name).is_dir():
        raise ConfigError(f"{flag} {name}: it is a folder; give the name of a file")
    if not os.access(Path(name).parent, os.W_OK):
        raise ConfigError(f"{flag} {name}: the folder {Path(name).parent} is not writable; choose another one")


def is_given(value: Any) -> bool:
    """Whether an option was given: 0 is a value too."""
    return value is not None and value is not False and value != []


def keep_input(source: Path, target: Path, flag: str = "OUT") -> None:
    """Raises ConfigError where what is to be written would take the place of what is read."""
    if target.exists() and source.exists() and target.resolve() == source.resolve():
        raise ConfigError(f"IN and {flag} are both {target}; the input is never overwritten. Name another file")


def size(text: str, where: str) -> tuple[int, int]:
    """``"1280x720"`` as two numbers. Raises ConfigError, which begins with `where`, when it is none."""
    found = _SIZE.fullmatch(text)
    if not found:
        raise ConfigError(f"{where} is {text!r}; expected WIDTHxHEIGHT, e.g. 1280x720")
    return int(found[1]), int(found[2])


def _value(text: str, kind: Any, where: str) -> Any:
    """`text` as the first of the types in `kind` (a type or a union) that it can be; text comes last."""
    kinds = get_args(kind) if isinstance(kind, UnionType) or get_origin(kind) is Union else (kind,)
    if type(None) in kinds and text.lower() in ("none", "null", ""):
        return None
    if bool in kinds and text.lower() in ("true", "false", "yes", "no"):
        return text.lower() in ("true", "yes")
    if _SIZE.fullmatch(text) and any(get_origin(k) is tuple for k in kinds):
        return size(text, where)
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                continue
    choices = [choice for k in kinds if get_origin(k) is Literal for choice in get_args(k)]
    if text in choices or str in kinds:
        return text
    if choices:
        raise ConfigError(f"{where}: expected one of {', '.join(map(str, choices))}{nearest(text, choices)}")
    wanted = {int: "a whole number", float: "a number", bool: "true or false"}
    names = [wanted.get(k, "WIDTHxHEIGHT") for k in kinds if k is not type(None)]
    raise ConfigError(f"{where}: expected {' or '.join(names)}")
