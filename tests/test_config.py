"""Dataclasses to and from plain data: every type, every mistake, and YAML by the rules of 1.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph.config import apply_overrides, from_dict, parse_value, read_yaml, to_dict, write_yaml
from kinegraph.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int
    ratio: float = 0.5

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError(f"size: found {self.size}, expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    kind: Literal["round", "square", 3] = "round"
    on: bool = False
    inner: Inner = field(default_factory=lambda: Inner(size=1))
    maybe: int | None = None
    several: tuple[int, ...] = ()
    pair: tuple[float, str] = (1.0, "x")
    table: Mapping[str, int] = field(default_factory=dict)
    either: int | str = 0
    place: Path = Path()
    anything: Any = None


FULL: dict[str, Any] = {
    "name": "a",
    "kind": 3,
    "on": True,
    "inner": {"size": 2, "ratio": 1.5},
    "maybe": 4,
    "several": [1, 2],
    "pair": [0.5, "y"],
    "table": {"k": 1},
    "either": "text",
    "place": "some/where",
    "anything": {"deep": [1, [2]]},
}


def test_every_type_there_and_back() -> None:
    made = from_dict(Outer, FULL)
    assert made.inner == Inner(size=2, ratio=1.5)
    assert made.several == (1, 2)
    assert made.pair == (0.5, "y")
    assert made.place == Path("some/where")
    assert made.anything == {"deep": (1, (2,))}
    assert to_dict(made) == FULL
    assert from_dict(Outer, to_dict(made)) == made


def test_defaults() -> None:
    assert from_dict(Outer, {"name": "a"}) == Outer(name="a")


def test_whole_floats_are_whole_numbers_and_the_other_way_round() -> None:
    made = from_dict(Inner, {"size": 1e5, "ratio": 2})
    assert (made.size, made.ratio) == (100000, 2.0)
    assert isinstance(made.size, int)
    assert isinstance(made.ratio, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": 1}, r"^nmae: unknown key; did you mean 'name'\? \(known: name, kind, "),
        ({"inner": {"size": 1, "ratoi": 2}}, r"^inner.ratoi: unknown key; did you mean 'ratio'\?"),
        ({"inner": {}}, r"^inner.size: missing; give it a value \(a whole number\)"),
        ({"inner": 3}, r"^inner: found int 3, expected a mapping of field: value"),
        ({"inner": {"size": -1}}, r"^inner.size: found -1, expected 0 or more"),
        ({"inner": {"size": 1.5}}, r"^inner.size: found float 1.5, expected a whole number"),
        ({"inner": {"size": True}}, r"^inner.size: found bool True, expected a whole number"),
        ({"inner": {"size": float("inf")}}, r"^inner.size: found float inf"),
        ({"inner": {"size": 1, "ratio": float("nan")}}, r"^inner.ratio: found float nan, expected a number"),
        ({"inner": {"size": 1, "ratio": False}}, r"^inner.ratio: found bool False"),
        ({"name": 3}, r"^name: found int 3, expected text; put it in quotes"),
        ({"name": None}, r"^name: found nothing, expected text"),
        ({"kind": "sqare"}, r"^kind: found str 'sqare', expected one of 'round', 'square', 3; did you mean 'square'\?"),
        ({"kind": 3.0}, r"^kind: found float 3.0"),
        ({"on": 1}, r"^on: found int 1, expected true or false"),
        ({"maybe": "x"}, r"^maybe: found str 'x', expected a whole number"),
        ({"several": 1}, r"^several: found int 1, expected a list of a whole number"),
        ({"several": [1, "x"]}, r"^several\[1\]: found str 'x'"),
        ({"pair": [1]}, r"^pair: found list \[1\], expected a list of 2: a number, text"),
        ({"table": {"k": "x"}}, r"^table.k: found str 'x'"),
        ({"table": {3: 1}}, r"^table: found the key 3, expected text"),
        ({"either": []}, r"^either: found list \[\], expected a whole number or text"),
        ({"place": 3}, r"^place: found int 3, expected a path"),
    ],
)
def test_mistakes(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        from_dict(Outer, {"name": "a", **change})
    assert "\n" not in str(caught.value)


def test_where_comes_first() -> None:
    with pytest.raises(ConfigError, match=r"^model.config.x: unknown key"):
        from_dict(Inner, {"size": 1, "x": 1}, "model.config")
    with pytest.raises(ConfigError, match=r"^Inner: found list \[\]"):
        from_dict(Inner, [])  # type: ignore[arg-type]


def test_long_values_are_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Inner, {"size": "x" * 1000})
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("3E4", 30000.0),
        ("-2", -2),
        ("007", 7),
        (".5", 0.5),
        ("no", "no"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("[1, a]", [1, "a"]),
        ("{a: 1}", {"a": 1}),
        ("'1'", "1"),
        ("1_000", "1_000"),
        (".inf", float("inf")),
        ("e5", "e5"),
    ],
)
def test_yaml_values(text: str, value: Any) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", r"f.yaml: line 2, column 1: not valid YAML \('a' is given twice\)"),
        ("a: [1\n", r"f.yaml: line 2, column 1: not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", r"f.yaml: line 1, column 4: not valid YAML"),
        ("3\n", r"f.yaml: found int 3, expected a mapping"),
        ("", r"f.yaml: found nothing, expected a mapping"),
        ("[" * 2000, r"f.yaml: not valid YAML"),
        ("\x00", r"f.yaml: not valid YAML"),
    ],
)
def test_files_that_are_no_recipe(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(tmp_path / "f.yaml")
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none.yaml: cannot be read \(No such file"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match=r"bytes.yaml: not a UTF-8 text file \(byte 3\)"):
        read_yaml(tmp_path / "bytes.yaml")


@given(st.text(max_size=200))
def test_no_text_escapes_as_another_error(text: str) -> None:
    message = ""
    try:
        parse_value(text)
    except ConfigError as error:
        message = str(error)
    assert "\n" not in message


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=5), _PLAIN | st.sampled_from(["1e3", "no", "1_0", "~"]), max_size=4)
)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("yaml") / "f.yaml"
    write_yaml(data, path)
    assert read_yaml(path) == data


@given(_PLAIN)
def test_no_value_escapes_as_another_error(value: Any) -> None:
    for key in FULL:
        try:
            from_dict(Outer, {"name": "a", key: value})
        except ConfigError:
            continue


def test_overrides() -> None:
    data = {"a": {"b": 1, "c": 2}, "d": 3}
    found = apply_overrides(data, ["--a.b", "1e-2", "--d=[4]", "--new.deep.value", "-1", "--a.some-name", "x"])
    assert found == {"a": {"b": 0.01, "c": 2, "some_name": "x"}, "d": [4], "new": {"deep": {"value": -1}}}
    assert data == {"a": {"b": 1, "c": 2}, "d": 3}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "1"], r"found 'a', expected an override such as --optim.lr 3e-4"),
        (["--a"], r"--a: a value is missing; write --a VALUE"),
        (["--a", "--b", "1"], r"--a: a value is missing"),
        (["--d.x", "1"], r"--d.x: 'd' is int 3, it has no fields of its own"),
        (["--d", "runs/w\udce4lk"], r"--d: runs/w\\udce4lk is no UTF-8, .* choose another name"),
        (["--d", "[1"], r"--d: line 1, column 3: not valid YAML"),
        (["--", "1"], r"found '--', expected an override"),
    ],
)
def test_wrong_overrides(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_overrides({"d": 3}, arguments)
