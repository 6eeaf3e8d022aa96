"""What is stated for packages: floors of what they need, and what the source archive holds."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WHOLE = ("tests", "docs", "examples", "benchmarks")


def test_the_floor_of_pillow_has_a_default_font_of_any_size() -> None:
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    floor = next(text for text in needs if text.startswith("pillow")).partition(">=")[2]
    assert tuple(map(int, floor.split("."))) >= (10, 1)  # ImageFont.load_default(size)


def test_the_source_archive_has_all_tests_and_what_the_readme_links_to(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77")
    tree = tmp_path / "tree"
    (tree / "src" / "kinegraph").mkdir(parents=True)
    (tree / "src" / "kinegraph" / "__init__.py").touch()  # the package itself is not what is asked
    parts = [path for name in WHOLE for path in (ROOT / name).rglob("*")]
    top = [path for path in ROOT.iterdir() if path.suffix in {".md", ".txt", ".toml", ".in", ".yml"}]
    for path in (*parts, *top, ROOT / "Makefile", ROOT / "LICENSE"):
        if path.is_file() and not {"__pycache__", ".hypothesis"} & set(path.parts):
            (tree / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
            (tree / path.relative_to(ROOT)).write_bytes(path.read_bytes())
    expected = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    code = "from setuptools import build_meta; build_meta.build_sdist('dist')"
    subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    with tarfile.open(next((tree / "dist").glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert not expected - held
    links = re.findall(r"\]\(((?:docs|examples)/[^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert not set(links) - held
