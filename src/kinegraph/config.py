"""Configurations: frozen dataclasses to and from plain dictionaries and YAML, checked field by field.

A configuration is the same object in Python, in a YAML recipe, on the command line and in a saved `config.json`.
Nothing is ever ignored: an unknown key, a missing one or a value of the wrong type is a `ConfigError` that names
the field, what was found and what was expected.

YAML is read by the rules of YAML 1.2, so that `1e-3` is a number and `no`, `off` and `12:30` are text; PyYAML alone
follows YAML 1.1, where they are not.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kinegraph.atomic import atomic_path
from kinegraph.errors import ConfigError, nearest
from kinegraph.naming import as_text

__all__ = ["apply_overrides", "from_dict", "parse_value", "read_yaml", "to_dict", "write_yaml"]

T = TypeVar("T")


def from_dict(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass `cls` from a plain mapping, checking every key and type.

    Args:
        cls: a dataclass whose fields are int, float, bool, str, Path, Literal, Optional/Union, tuple, Mapping, Any
            or further dataclasses.
        data: plain values, as read from YAML or JSON. Lists become tuples.
        where: name of the place `data` comes from, put before every field in error messages ("model").

    Raises:
        ConfigError: unknown or missing key, wrong type or a value that `cls` itself refuses.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where or cls.__name__}: found {_shown(data)}, expected a mapping of field: value")
    hints = _hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    for key in data:
        if key not in fields:
            raise ConfigError(
                f"{_join(where, str(key))}: unknown key{nearest(str(key), fields)} (known: {', '.join(fields)})"
            )
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise ConfigError(f"{_join(where, name)}: missing; give it a value ({_expected(hints[name])})")
    values = {key: _check(value, hints[key], _join(where, key)) for key, value in data.items()}
    try:
        return cls(**values)
    except (ValueError, TypeError, ConfigError) as error:
        said = str(error)
        if re.split(r"[.:]", said)[0] in fields:  # it begins with the field
            raise ConfigError(_join(where, said)) from error
        raise ConfigError(f"{where or cls.__name__}: {said}") from error


def to_dict(config: Any) -> Any:
    """The plain value of a configuration: dataclasses and mappings become dicts, tuples lists, paths strings."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        return {field.name: to_dict(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, Mapping):
        return {str(key): to_dict(value) for key, value in config.items()}
    if isinstance(config, (tuple, list)):
        return [to_dict(value) for value in config]
    if isinstance(config, Path):
        return str(config)
    if config is None or isinstance(config, (bool, int, float, str)):
        return config
    raise TypeError(f"{type(config).__name__} is not a plain configuration value")


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read a YAML (or JSON) file whose top level is a mapping. Raises ConfigError naming the file and the line."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a UTF-8 text file (byte {error.start})") from error
    try:
        data = _parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: found {_shown(data)}, expected a mapping of field: value")
    return data


def write_yaml(data: Any, path: Path | str) -> None:
    """Write a configuration or a plain mapping as YAML, in the order of its fields, atomically."""
    import yaml

    _, dumper = _yaml_classes()
    # ASCII with escapes: PyYAML does not read back every character that it writes as itself.
    text = yaml.dump(to_dict(data), Dumper=dumper, sort_keys=False, default_flow_style=None, width=110)
    with atomic_path(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def apply_overrides(data: Mapping[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    """`data` with command-line overrides `--field.sub value` (or `--field.sub=value`) laid over it.

    Values are read as YAML: `--optim.lr 3e-4`, `--model.frames 9`, `--augment.flip false`, `--model.widths [64, 64]`.
    Whether the field exists and takes such a value is for `from_dict` to say.

    Raises:
        ConfigError: an argument that is not of that form.
    """
    result = dict(data)
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--") or len(flag) < 3:
            raise ConfigError(f"found {flag!r}, expected an override such as --optim.lr 3e-4")
        name, equals, text = flag[2:].partition("=")
        if not equals:
            if not rest or re.match(r"--[a-z]", rest[0]):
                raise ConfigError(f"{flag}: a value is missing; write {flag} VALUE")
            text = rest.pop(0)
        path = [part.replace("-", "_") for part in name.split(".")]
        try:
            value = _parse(text)
        except ConfigError as error:
            raise ConfigError(f"{flag}: {error}") from error
        result = _with_value(result, path, value, flag)
    return result


def parse_value(text: str) -> Any:
    """One YAML value from text: '3e-4' -> 0.0003, 'true' -> True, '[1, 2]' -> [1, 2]. Raises ConfigError."""
    return _parse(text)


def _with_value(data: Mapping[str, Any], path: Sequence[str], value: Any, flag: str) -> dict[str, Any]:
    head, *tail = path
    result = dict(data)
    if not tail:
        result[head] = value
        return result
    inner = result.get(head)
    if inner is None:
        inner = {}
    if not isinstance(inner, Mapping):
        raise ConfigError(f"{flag}: {head!r} is {_shown(inner)}, it has no fields of its own")
    result[head] = _with_value(inner, tail, value, flag)
    return result


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _hints(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(cls)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def _expected(hint: Any) -> str:
    """The words for a type in an error message."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return ("one of " if len(args) > 1 else "") + ", ".join(repr(arg) for arg in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_expected(arg) for arg in args)
    if hint is type(None):
        return "null"
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return f"a list of {_expected(args[0])}"
        return f"a list of {len(args)}: " + ", ".join(_expected(arg) for arg in args)
    if dataclasses.is_dataclass(hint) or origin in (Mapping, dict):
        return "a mapping of field: value"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}
    return words.get(hint, str(hint))


def _check(value: Any, hint: Any, where: str) -> Any:
    """`value` as the type `hint` holds it, or ConfigError."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return _frozen(value)
    if origin is typing.Literal:
        for choice in args:
            if value == choice and type(value) is type(choice):
                return choice
        near = nearest(value, [arg for arg in args if isinstance(arg, str)]) if isinstance(value, str) else ""
        raise _wrong(value, hint, where, near)
    if origin in (typing.Union, types.UnionType):
        return _check_union(value, hint, args, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return value if isinstance(value, hint) else from_dict(hint, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong(value, hint, where)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_check(item, args[0], f"{where}[{i}]") for i, item in enumerate(value))
        if len(value) != len(args):
            raise _wrong(value, hint, where)
        return tuple(_check(item, arg, f"{where}[{i}]") for i, (item, arg) in enumerate(zip(value, args, strict=True)))
    if origin in (Mapping, dict):
        if not isinstance(value, Mapping):
            raise _wrong(value, hint, where)
        for key in value:
            if not isinstance(key, str):
                raise ConfigError(f"{where}: found the key {key!r}, expected text")
        return {key: _check(item, args[1], _join(where, key)) for key, item in value.items()}
    return _check_plain(value, hint, where)


def _check_union(value: Any, hint: Any, args: tuple[Any, ...], where: str) -> Any:
    if value is None and type(None) in args:
        return None
    arms = [arg for arg in args if arg is not type(None)]
    if len(arms) == 1 and value is not None:
        return _check(value, arms[0], where)
    for arm in arms:
        try:
            return _check(value, arm, where)
        except ConfigError:
            continue
    raise _wrong(value, hint, where)


def _check_plain(value: Any, hint: Any, where: str) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is type(None) and value is None:
        return None
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and number and math.isfinite(value) and int(value) == value:
        return int(value)  # 1e5 is a float in YAML, and a fine number of steps
    if hint is float and number and not math.isnan(value):
        return float(value)
    if hint is str and isinstance(value, str):
        return value
    if hint is Path and isinstance(value, (str, Path)):
        return Path(value)
    if hint not in (type(None), bool, int, float, str, Path):
        raise TypeError(f"{where}: configurations cannot hold a field of type {hint}")
    raise _wrong(
        value,
        hint,
        where,
        "; put it in quotes" if hint is str and not isinstance(value, (dict, list)) else "",
    )


def _wrong(value: Any, hint: Any, where: str, more: str = "") -> ConfigError:
    return ConfigError(f"{where}: found {_shown(value)}, expected {_expected(hint)}{more}")


def _frozen(value: Any) -> Any:
    """Lists of an untyped value become tuples, so that the configuration stays immutable all the way down."""
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    return value


def _parse(text: str) -> Any:
    import yaml

    if (shown := as_text(text)) != text:  # a file's name from the command line
        raise ConfigError(f"{shown} is no UTF-8, and a recipe cannot hold it; choose another name")
    try:
        return yaml.load(text, Loader=_yaml_classes()[0])  # a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise ConfigError(f"{place}not valid YAML ({error.problem or error})".replace("\n", " ")) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"not valid YAML ({str(error).splitlines()[0]})") from error


@cache
def _yaml_classes() -> tuple[Any, Any]:
    """PyYAML's safe loader with the scalars of YAML 1.2 and no key twice, and a dumper that it understands."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own way to start without its resolvers

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen: set[str] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
                    seen.add(key.value)
            mapping: dict[Any, Any] = super().construct_mapping(node, deep)
            return mapping

    def integer(loader: Any, node: Any) -> int:
        return int(loader.construct_scalar(node))

    class Dumper(yaml.SafeDumper):
        """Quotes a text that either version of YAML would take for something else."""

    tag = "tag:yaml.org,2002:"
    Loader.add_constructor(f"{tag}int", integer)
    number = r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    for kind, pattern, starts in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
        ("null", r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
        ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
        ("float", number, "-+0123456789."),
    ):
        for cls in (Loader, Dumper):
            cls.add_implicit_resolver(f"{tag}{kind}", re.compile(pattern), list(starts))
    return Loader, Dumper
