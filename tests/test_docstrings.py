"""Who calls a public function reads in its docstring what it raises, and of what shape its arrays are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc
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


ARRAYS = {"ArrayLike", "NDArray", "Tensor", "ndarray"}
AXES = (
    "batch|bins|bones|channels|classes|clips|dims|edges|features|frames|groups|h|hops|horizon|instants|joints|kernel|m|n|"
    "nodes|observed|orders|out|pairs|parts|people|points|products|quantiles|results|rows|sigmas|size|sources|step|targets|"
    "terms|windows|[A-Z](?:_[a-z])?"
)
_AXIS = re.compile(rf"\b(?:{AXES})\b|^(?:[2-9]|\d\d\d?|\.\.\.)$")
_PART = re.compile(r"\.\.\.|\w+(?: \w+){0,2}(?: (?:[-+*/x]|of) \w+(?: \w+)?)*")  # more words make a sentence
_BRACKETS = re.compile(r"(?<![\w)\]])\(([^()]*)\)")  # not those of a call
_WORDS = re.compile(r"\b(?:any shape|same shapes?|shapes? of|the shape stays|a scalar|scalars)\b", re.IGNORECASE)
_RAISES = re.compile(r"^Raises:.*?(?=^\S|\Z)", re.DOTALL | re.MULTILINE)
_CALLED = (*_MADE, "__call__", "forward")  # its class says what it takes and gives


def _is_shape(inside: str) -> bool:
    """Whether what stands in round brackets is one: ``frames, joints, 3``, ``..., 4``, ``N,``, ``...`` or nothing."""
    parts = [part.strip() for part in inside.replace("`", "").split(",")]
    if len(parts) == 1:
        return inside in ("", "...")
    parts = parts if parts[-1] else parts[:-1]
    return all(_PART.fullmatch(part) for part in parts) and any(_AXIS.search(part) for part in parts)


def _names_a_shape(docstring: str) -> bool:
    docstring = _RAISES.sub("", docstring)  # "two different shapes" says nothing of what is right
    return bool(_WORDS.search(docstring)) or any(_is_shape(inside) for inside in _BRACKETS.findall(docstring))


def _names(annotation: ast.AST) -> Iterator[str]:
    """Names in an annotation; what a callable takes and gives is its own affair."""
    if isinstance(annotation, ast.Name):
        yield annotation.id
    elif isinstance(annotation, ast.Attribute):
        yield annotation.attr
    elif not (isinstance(annotation, ast.Subscript) and "Callable" in _names(annotation.value)):
        for inner in ast.iter_child_nodes(annotation):
            yield from _names(inner)


def _aliases(body: list[ast.stmt]) -> set[str]:
    """What a module calls its array types: ``Array = NDArray[np.float64]``."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            of_arrays = not (ARRAYS | found).isdisjoint(_names(node.value))
            found |= {ast.unparse(target) for target in node.targets if of_arrays}
    return found


@cache
def _aliases_anywhere() -> set[str]:
    return {name for path in FILES for name in _aliases(ast.parse(path.read_text(encoding="utf-8")).body)}


def _array_names(body: list[ast.stmt]) -> set[str]:
    """What arrays are called in a module: the aliases of its own, and those it takes from others of the package."""
    taken = [node for node in body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kinegraph.")]
    return ARRAYS | _aliases(body) | (_aliases_anywhere() & {one.name for node in taken for one in node.names})


def _typed(
    body: list[ast.stmt], owner: str = "", of_class: str = ""
) -> Iterator[tuple[str, list[ast.expr | None], str]]:
    """Name, annotations and docstring of every public function, method, and class with its fields."""
    for node in body:
        if isinstance(node, Function):
            called = bool(owner) and node.name in _CALLED
            if called or not node.name.startswith("_"):
                annotations = [one.annotation for one in ast.walk(node.args) if isinstance(one, ast.arg)]
                docstring = ast.get_docstring(node) or ""
                yield f"{owner}{node.name}", [*annotations, node.returns], docstring + "\n" + of_class * called
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            shown: list[ast.expr | None] = [
                one.annotation for one in fields if not ast.unparse(one.target).startswith("_")
            ]
            values = [one.value for one in node.body if isinstance(one, ast.Expr)]
            texts = [one.value for one in values if isinstance(one, ast.Constant) and isinstance(one.value, str)]
            docstring = "\n".join(cleandoc(text) for text in texts)
            yield f"{owner}{node.name}", shown, docstring
            yield from _typed(node.body, f"{owner}{node.name}.", docstring)


def shapeless(source: str) -> list[str]:
    """Names of the public functions, methods and classes with arrays whose docstrings name no shape."""
    body = ast.parse(source).body
    arrays = _array_names(body)
    return [
        name
        for name, annotations, docstring in _typed(body)
        if any(one is not None and not arrays.isdisjoint(_names(one)) for one in annotations)
        and not _names_a_shape(docstring)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_shape_of_every_array_is_named(path: Path) -> None:
    missing = shapeless(path.read_text(encoding="utf-8"))
    assert not missing, f"{path}: say of what shape, such as (frames, joints, 3), arrays are in {', '.join(missing)}"


def test_shapes_that_are_looked_for_are_found() -> None:
    source = '''
Array = NDArray[np.float64]
Run = Callable[[Array], Array]
def told(x: Array) -> Tensor:
    """``(..., joints, 3)`` of anything."""
def told_in_words(x: Tensor, y: np.ndarray) -> float:
    """The same shape twice."""
def a_number() -> Tensor:
    """Lambda, ()."""
def silent(x: Array | None, *, run: Run) -> None:
    """As in Nobody (2017, section 3), and f(joints, 3)."""
def refuses(x: dict[str, Tensor]) -> None:
    """Does.

    Raises:
        DataError: two different shapes, (N, 3) say.
    """
def returns() -> tuple[Array, int]:
    """Left and right (joints, where there are joints)."""
def without(run: Run, path: Path, model: Callable[[Tensor], Tensor]) -> float:
    """Does."""
class Fields:
    """Is."""
    told: Array
    """(N,)."""
class Silent:
    """Is."""
    silent: Array
    _private: Array
class Layer:
    """Does.

    Shapes: (batch, nodes, in) -> (batch, nodes, out).
    """
    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
    def fold(self, scale: Tensor) -> Tensor:
        """Fold."""
    def _private(self, x: Tensor) -> Tensor:
        """Nothing."""
'''
    assert shapeless(source) == ["silent", "refuses", "returns", "Silent", "Layer.fold"]
    assert {"Array", "Floats", "Encoded"} <= _aliases_anywhere()
