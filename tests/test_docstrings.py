"""Who calls a public function reads in its docstring what it raises."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinegraph import errors

SOURCE = Path(__file__).parents[1] / "src" / "kinegraph"
FILES = sorted(SOURCE.rglob("*.py"))
ERRORS = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.KinegraphError)
}
Function = ast.FunctionDef | ast.AsyncFunctionDef
_MADE = ("__init__", "__post_init__")  # its class says what it takes and refuses


def _public(body: list[ast.stmt], owner: str = "", of_class: str = "") -> Iterator[tuple[str, Function, str]]:
    """Name, node and docstring of every public function, method and constructor."""
    for node in body:
        if isinstance(node, Function):
            if not node.name.startswith("_"):
                yield f"{owner}{node.name}", node, ast.get_docstring(node) or ""
            elif node.name in _MADE and owner:
                yield f"{owner}{node.name}", node, of_class
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node.body, f"{owner}{node.name}.", ast.get_docstring(node) or "")


def _raised(node: ast.AST) -> Iterator[str]:
    """Names of the errors that a function's own lines raise, those of functions inside it included."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Raise) and inner.exc is not None:
            error = inner.exc.func if isinstance(inner.exc, ast.Call) else inner.exc
            name = error.attr if isinstance(error, ast.Attribute) else getattr(error, "id", "")
            if name in ERRORS:
                yield name


def _takes_the_command_line(node: Function) -> bool:
    """Such functions of cli/ are called by `main` alone, which prints whatever they raise."""
    annotations = [argument.annotation for argument in node.args.args]
    return any(one is not None and ast.unparse(one) == "argparse.Namespace" for one in annotations)


def unnamed(source: str) -> list[str]:
    """``function raises error`` for every error of the package that a public function raises and does not name."""
    found = []
    for name, node, docstring in _public(ast.parse(source).body):
        if not _takes_the_command_line(node):
            missing = {error for error in _raised(node) if error not in docstring}
            found += [f"{name} raises {error}" for error in sorted(missing)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_error_that_is_raised_is_named(path: Path) -> None:
    assert not unnamed(path.read_text(encoding="utf-8")), f"add them under 'Raises:' in {path}"


def test_what_is_looked_for_is_found() -> None:
    source = '''
def told():
    """Does.

    Raises:
        DataError: always.
    """
    raise errors.DataError("x")
def silent():
    """Does."""
    def inside():
        raise ConfigError
    raise ValueError
def command(args: argparse.Namespace):
    raise ConfigError("x")
def _private():
    raise ConfigError("x")
class Told:
    """Is.

    Raises:
        ConfigError: always.
    """
    def __post_init__(self):
        raise ConfigError("x")
    def method(self):
        raise FormatError("p", "x")
'''
    assert unnamed(source) == ["silent raises ConfigError", "Told.method raises FormatError"]
    assert {"KinegraphError", "DataError", "MissingExtraError"} <= ERRORS
