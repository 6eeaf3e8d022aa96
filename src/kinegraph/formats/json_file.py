"""Reading JSON that others wrote: every way it can be broken becomes one line that names the file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError

__all__ = ["coordinates", "describe", "load_json", "members", "number", "path_text"]

MAX_BYTES = 2 * 2**30
MAX_MAGNITUDE = 1e9
"""Beyond this no pixel and no metre is meant; such values overflow float32 later, far from their cause."""


def path_text(path: Path, max_bytes: int = MAX_BYTES) -> str:
    """The UTF-8 text of a file (a byte order mark is dropped). Raises FormatError when unreadable or empty."""
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise FormatError(path, f"{size:,} bytes; expected at most {max_bytes:,}. Split the file")
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror}); check the path and its permissions") from None
    if not data.strip():
        raise FormatError(path, "the file is empty; write it again")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            path, f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8 text; expected a text file in UTF-8"
        ) from None


def load_json(path: Path) -> Any:
    """The JSON value in `path`; of JSON Lines (a list or object on each line) the list of their values.

    Raises:
        FormatError: an unreadable, empty, cut-short or bottomless file.
    """
    text = path_text(path)
    try:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            lines = _json_lines(text, error)
            if lines is None:
                raise
            return [_json_line(line, index, path) for index, line in lines]
    except json.JSONDecodeError as error:
        raise FormatError(
            path,
            f"not valid JSON: {error.msg.lower()} at line {error.lineno} column {error.colno}; "
            "the file is damaged or cut short. Write it again",
        ) from None
    except RecursionError:
        raise FormatError(
            path, "JSON nested too deeply; expected keypoints, which need no more than ten levels"
        ) from None
    except ValueError:  # Python refuses integers of more than 4300 digits
        raise FormatError(path, "holds an integer of thousands of digits; expected ordinary numbers") from None


def _json_lines(text: str, error: json.JSONDecodeError) -> list[tuple[int, str]] | None:
    """The lines that are not blank, with their numbers from 1, where the first is a whole list or object of its own."""
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    alone = error.msg == "Extra data" and len(lines) > 1 and error.lineno == lines[1][0]
    return lines if alone and all(line.lstrip()[0] in "[{" for _, line in lines[:2]) else None


def _json_line(line: str, index: int, path: Path) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise FormatError(
            path,
            f"line {index} is not valid JSON: {error.msg.lower()} at column {error.colno}; expected JSON Lines, "
            "a whole value on each line, as those before. Write it again",
        ) from None


def members(value: object, kind: type, path: Path, where: str) -> Any:
    """`value` if it is a `kind` (list or dict), else a FormatError that says what was found at `where`."""
    if isinstance(value, kind):
        return value
    names: Mapping[type, str] = {list: "a list", dict: "an object", str: "a text"}
    raise FormatError(path, f"{where} is {describe(value)}; expected {names.get(kind, kind.__name__)}")


def describe(value: object) -> str:
    """A JSON value in a few words, for messages: ``a list of 17``."""
    if value is None:
        return "null"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object with " + (", ".join(repr(str(k)[:20]) for k in list(value)[:4]) or "no keys")
    return repr(value)[:40]


def number(value: object, path: Path, where: str) -> float:
    """`value` as a finite float. Raises FormatError for text, booleans, NaN and numbers that mean nothing."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(path, f"{where} is {describe(value)}; expected a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise FormatError(path, f"{where} is {value}; expected a finite number")
    if abs(value) > MAX_MAGNITUDE:
        raise FormatError(path, f"{where} is beyond {MAX_MAGNITUDE:.0e}; expected pixels or metres")
    return float(value)


def coordinates(values: object, path: Path, where: str) -> NDArray[np.float64]:
    """A flat JSON list of numbers as float64 (n,); null becomes NaN.

    NaN is let through because detectors write it for joints they did not see; whoever knows the confidences
    refuses it where the joint claims to be there. Raises FormatError for text, nesting and absurd numbers.
    """
    items = members(values, list, path, where)
    # One pass over the types is several times faster than checking and converting item by item.
    if not all(kind in (int, float, type(None)) for kind in set(map(type, items))):
        bad = next(i for i, v in enumerate(items) if type(v) not in (int, float, type(None)))
        raise FormatError(path, f"{where}, value {bad} is {describe(items[bad])}; expected a number")
    try:
        array = np.array([math.nan if v is None else v for v in items], dtype=np.float64)
    except OverflowError:
        array = np.array([math.inf])
    # Comparisons with NaN are false, so that NaN passes and infinity does not.
    if bool((np.abs(array) > MAX_MAGNITUDE).any()):
        raise FormatError(path, f"{where} holds a number beyond {MAX_MAGNITUDE:.0e}; expected pixels or metres")
    return array


def rows(values: object, width: Sequence[int], path: Path, where: str) -> NDArray[np.float64]:
    """A JSON list of equally long lists of numbers as float64 (n, w), w one of `width`. Raises FormatError."""
    items = members(values, list, path, where)
    if any(type(item) is not list for item in items):  # a fast check, before the one that says which
        for i, item in enumerate(items):
            members(item, list, path, f"{where}, item {i}")
    lengths = {len(item) for item in items}
    if len(lengths) > 1 or (lengths and lengths.pop() not in width):
        expected = " or ".join(map(str, width))
        raise FormatError(
            path, f"{where} has points of {sorted({len(item) for item in items})} numbers; expected {expected} each"
        )
    flat = coordinates([v for item in items for v in item], path, where)
    return flat.reshape(len(items), -1) if len(items) else np.empty((0, width[0]))
