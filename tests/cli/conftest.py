"""Recordings and networks that several commands are tried on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from clip_methods import linear_weights
from motion_files import write_recordings, write_weights


@pytest.fixture(scope="session")
def analyze() -> Callable[..., int]:
    """`kinegraph analyze` with these words; its exit status."""
    from kinegraph.cli import main

    return lambda *words: main(["analyze", *map(str, words)])


@pytest.fixture(scope="session")
def cmu_recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("cmu"))


@pytest.fixture(scope="session")
def motion_net(tmp_path_factory: pytest.TempPathFactory, cmu_recordings: Path) -> str:
    """Weights of a Sym-GNN as it begins, called `net`."""
    return str(write_weights(tmp_path_factory.mktemp("runs"), cmu_recordings, "net"))


@pytest.fixture(scope="session")
def clip_nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Weights of a recogniser of the synthetic clips for each of two streams."""
    place = tmp_path_factory.mktemp("streams")
    return {stream: str(linear_weights(place / f"lin_{stream}", stream)) for stream in ("joint", "bone")}
