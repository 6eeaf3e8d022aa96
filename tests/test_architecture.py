"""Imports point one way, and what must be light stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from kinegraph.cli import COMMANDS

SOURCE = Path(__file__).parents[1] / "src" / "kinegraph"

# A module may import those to its left (and its own package). Order is the data's way through the house.
ORDER = (
    "errors",
    "ranges",
    "naming",
    "fonts",
    "atomic",
    "folder_lock",
    "config",
    "seeds",
    "shipped",
    "skeleton",
    "geometry",
    "sequence",
    "axes",
    "formats",
    "transforms",
    "store",
    "datasets",
    "layers",
    "models",
    "metrics",
    "weights",
    "hub",
    "training",
    "inference",
    "evaluation",
    "calibration",
    "sweeps",
    "export",
    "visualize",
    "serve",
    "cli",
    "__main__",
)
# Networks and measures stand apart from files, data and training.
ISOLATED = {
    "layers": {"errors", "ranges", "skeleton"},
    "models": {"errors", "ranges", "config", "skeleton", "layers"},
    "metrics": {"errors"},
}


def _imports(path: Path) -> set[str]:
    """Top-level parts of the package that a file imports, anywhere in it."""
    package = ("kinegraph", *path.relative_to(SOURCE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(x for x in (base, node.module) if x)
            names = [module] + [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {n.split(".")[1] for n in names if n.startswith("kinegraph.") and n.count(".") >= 1}
    return found & set(ORDER)


FILES = sorted(p for p in SOURCE.rglob("*.py") if p != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    assert own in ORDER, f"{own} has no place in the order of imports"
    allowed = set(ORDER[: ORDER.index(own)]) | {own}
    if own in ISOLATED:
        allowed = ISOLATED[own] | {own}
    assert _imports(path) <= allowed, f"{path} imports {sorted(_imports(path) - allowed)}, which stand after it"


COMMAND_FILES = sorted((SOURCE / "cli").glob("*.py"))


def _command_of(name: str) -> str | None:
    """The command that a module of cli belongs to, ``analyze`` for analyze_people; None for what commands share."""
    return next((command for command in COMMANDS if name == command or name.startswith(f"{command}_")), None)


@pytest.mark.parametrize("path", COMMAND_FILES, ids=lambda p: p.name)
def test_commands_share_modules_and_not_each_other(path: Path) -> None:
    own = _command_of(path.stem)
    tree = ast.parse(path.read_text())
    names = {f"{n.module}.{alias.name}" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names}
    found = {name.split(".")[2] for name in names if name.startswith("kinegraph.cli.")}
    others = sorted(m for m in found if _command_of(m) not in (None, own))
    assert not others, f"{path.name} imports from the commands {others}; move what they share to a module of neither"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.parts[-2] in ISOLATED], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_networks_and_metrics_know_no_lightning_files_or_plots(path: Path) -> None:
    tree = ast.parse(path.read_text())
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    heavy = {n for n in names if n.split(".")[0] in {"lightning", "matplotlib", "scipy", "yaml", "safetensors"}}
    assert not heavy


def _modules_after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return {line.split(".")[0] for line in done.stdout.splitlines()}


HEAVY = {"torch", "matplotlib", "scipy", "lightning", "yaml", "PIL"}


def test_import_is_light() -> None:
    assert not _modules_after("import kinegraph; kinegraph.KinegraphError") & HEAVY


def test_help_is_light() -> None:
    code = "import kinegraph.cli\ntry:\n    kinegraph.cli.main(['--help'])\nexcept SystemExit:\n    pass"
    assert not _modules_after(code) & HEAVY


@pytest.mark.parametrize("name", ["skeleton", "sequence", "formats", "transforms.lifting", "visualize"])
def test_numpy_side_imports_no_torch(name: str) -> None:
    assert not _modules_after(f"import kinegraph.{name}") & {"torch", "lightning"}


def test_data_is_made_ready_without_torch() -> None:
    ready = [p for p in FILES if p.relative_to(SOURCE).parts[0] in {"formats", "transforms", "store", "datasets"}]
    names = [".".join(p.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__") for p in ready]
    assert not _modules_after("\n".join(f"import {name}" for name in names)) & {"torch", "lightning"}


def test_no_file_is_long_and_none_is_called_utils() -> None:
    long = {str(p.relative_to(SOURCE)): n for p in FILES if (n := len(p.read_text().splitlines())) > 500}
    assert not long
    assert not [p for p in FILES if p.name in {"utils.py", "helpers.py", "misc.py"}]
