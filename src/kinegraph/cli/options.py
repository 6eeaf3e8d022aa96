"""Arguments shared by the commands that read motion files."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from kinegraph.errors import ConfigError

__all__ = ["add_read_arguments", "key_values", "read_options"]


def add_read_arguments(parser: argparse.ArgumentParser) -> None:
    """``--format`` and ``--read KEY=VALUE``, for whatever a format's reader can be told."""
    parser.add_argument("--format", metavar="NAME", help="format of the input, if name and content do not tell it")
    parser.add_argument(
        "--read",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the input's format, e.g. skeleton=halpe26, people=1, image_size=1280x720, asf=09.asf",
    )


def read_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options given with ``--read``."""
    return key_values(args.read, "--read")


def key_values(items: list[str], flag: str) -> dict[str, Any]:
    """``["people=1", "image_size=640x480"]`` as a dictionary: numbers, true, false, null, sizes, else text.

    Raises ConfigError for an item without ``=`` and for a key given twice.
    """
    result: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise ConfigError(f"{flag} {item!r} is no option; expected KEY=VALUE, e.g. people=1")
        if key in result:
            raise ConfigError(f"{flag} gives '{key}' twice; give it once")
        result[key] = _value(text)
    return result


def _value(text: str) -> Any:
    size = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", text)
    if size:
        return int(size[1]), int(size[2])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, list | dict) else value
