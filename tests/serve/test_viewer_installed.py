"""A wheel built with pip alone holds a working viewer: page, scripts, styles, networks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_wheel_holds_the_viewer(tmp_path: Path) -> None:
    if find_spec("setuptools") is None or find_spec("pip") is None:
        pytest.skip("no setuptools here; building a wheel without a network needs it")
    source, wheels, site = tmp_path / "source", tmp_path / "wheels", tmp_path / "site"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    build = ["wheel", str(source), "--no-deps", "--no-index", "--no-build-isolation", "-q", "-w", str(wheels)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, capture_output=True)
    with zipfile.ZipFile(next(wheels.iterdir())) as wheel:
        wheel.extractall(site)
    ours = {path.relative_to(ROOT / "src") for path in (ROOT / "src").rglob("assets/*") if path.is_file()}
    assert len(ours) >= 15
    assert [path for path in sorted(ours) if not (site / path).is_file()] == []
    # What runs is the wheel's: the page, and the process that reads files.
    program = """
import sys, pathlib
import kinegraph
from kinegraph.serve import ServeSettings
from kinegraph.serve.page import page
from kinegraph.serve.reading import Reader, ReadLimits
assert pathlib.Path(kinegraph.__file__).is_relative_to(sys.argv[1]), kinegraph.__file__
text, policy = page(ServeSettings())
assert "Drop a motion file" in text and "@" + "SCRIPT@" not in text and "unsafe" not in policy
reader = Reader(ReadLimits(memory_mb=512, seconds=20, unpacked_bytes=2**20, person_frames=1000))
pathlib.Path(sys.argv[2]).write_text("HIERARCHY\\nnothing")
try:
    reader.read(pathlib.Path(sys.argv[2]), layout=None, fps=None)
except kinegraph.KinegraphError as error:
    print(error)
reader.close()
"""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(site), str(tmp_path / "bad.bvh")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("bad.bvh: line 2")
    weights = {path.parent.name for path in site.glob("kinegraph/weights_data/*/model.safetensors")}
    assert {"lift", "forecast"} <= weights
