"""Commands whose networks are small take one thread, unless the environment says otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest

from kinegraph.cli.threads import one_thread, threads_that_help

COMMANDS = ("lift", "recognize", "forecast", "view --full", "serve")
ASK = "from kinegraph.cli.threads import one_thread; one_thread()"
SAY = """
from concurrent.futures import ThreadPoolExecutor
import torch
with ThreadPoolExecutor(1) as pool:  # the viewer works in a thread of its own
    print(torch.get_num_threads(), pool.submit(torch.get_num_threads).result())
"""


def threads(script: str, stated: str | None) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    environment |= {} if stated is None else {"OMP_NUM_THREADS": stated}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_threads_of_torch() -> None:
    assert threads(f"{ASK}{SAY}", None) == ["1", "1"]
    assert threads(f"{ASK}{SAY}", "2") == threads(SAY, "2")  # fewer on a machine of one core


def test_a_torch_that_is_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=told.append))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    one_thread()
    assert told == []
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    one_thread()
    assert (told, os.environ["OMP_NUM_THREADS"]) == ([1], "1")


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_ask_for_it(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is read or loaded."""
    from kinegraph.cli import main

    class Asked(BaseException):
        pass

    def ask() -> None:
        raise Asked

    name, *options = line.split()
    monkeypatch.setattr(import_module(f"kinegraph.cli.{name}"), "one_thread", ask)
    given = {"lift": ["a.json", "--out", "b.npz"], "recognize": ["a.bvh"], "view": ["a.bvh", "--out", "b.html"]}
    given |= {"forecast": ["a.bvh", "--seconds", "1", "--out", "b.npz"]}
    with pytest.raises(Asked):
        main([name, *given.get(name, []), *options])


@pytest.mark.parametrize(("with_all", "kept"), [(15.0, 4), (11.0, 1), (0.3, 1)])
def test_a_demo_takes_all_threads_where_they_help(with_all: float, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [4]
    torch = SimpleNamespace(get_num_threads=lambda: now[-1], set_num_threads=now.append)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads_that_help(lambda: with_all if now[-1] == 4 else 10.0) == kept
    assert (sorted(set(now[1:-1])), now[-1]) == ([1, 4], kept)


def test_threads_that_are_stated_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(get_num_threads=lambda: 3))
    assert threads_that_help(lambda: 1 / 0) == 3


def test_the_products_are_counted() -> None:
    from kinegraph.cli.threads import _products_per_second

    assert 1 < _products_per_second(0.05) < 1e6
