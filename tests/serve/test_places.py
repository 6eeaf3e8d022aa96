"""Places for work: who sends nothing keeps none, and all that takes work needs one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'serve' is not installed")

from kinegraph.sequence import SkeletonSequence
from kinegraph.serve import app
from kinegraph.serve.sample import walking
from kinegraph.serve.settings import ServeSettings
from kinegraph.visualize.analysis import Analysis


def request(*pieces: bytes, then_s: float = 0.0) -> Any:
    """A request whose body comes in pieces, the last of them late."""

    async def stream() -> AsyncIterator[bytes]:
        for piece in pieces[:-1]:
            yield piece
        await asyncio.sleep(then_s)
        for piece in pieces[-1:]:
            yield piece

    return SimpleNamespace(stream=stream, headers={}, query_params={"name": "walk.bvh"}, path_params={"suffix": "bvh"})


def test_a_sender_who_says_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(app, "_SILENT_S", 0.2)
    asyncio.run(app._receive(request(b"ab", b"cd", then_s=0.01), tmp_path / "whole", 100))
    assert (tmp_path / "whole").read_bytes() == b"abcd"
    with pytest.raises(TimeoutError):
        asyncio.run(app._receive(request(b"ab", b"cd", then_s=5), tmp_path / "half", 100))


@pytest.mark.parametrize("what", ["upload", "sample", "forecast", "download"])
def test_all_that_takes_work_needs_a_place(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    viewer = app.Viewer(ServeSettings(waiting=1))
    monkeypatch.setattr(viewer, "_found", lambda _: SimpleNamespace(analysis=None))
    with viewer._place(), pytest.raises(app._RefusedError, match="1 files are in work already") as refused:
        asyncio.run(getattr(viewer, what)(request(b"x")))
    assert refused.value.status == 429
    assert viewer.busy == 0


def test_the_sample_takes_one_place_among_the_results_however_many_ask() -> None:
    analysed = []

    def analyse(sequence: SkeletonSequence, name: str) -> Analysis:
        analysed.append(name)
        return Analysis(name=name, flat=sequence)

    viewer = app.Viewer(ServeSettings(keep=2), SimpleNamespace(analyse=analyse))  # type: ignore[arg-type]
    own = viewer.results.add(Analysis(name="mine", flat=walking(0.5)))

    async def sampled() -> str:
        return str(json.loads((await viewer.sample(request(b""))).body)["id"])

    first = asyncio.run(sampled())
    asked = request()
    asked.path_params = {"id": first}
    asyncio.run(viewer.drop(asked))  # by one of many who look at it
    assert asyncio.run(sampled()) == first
    assert viewer.results.get(own.id) is own
    assert analysed == ["sample walk"]
    viewer.results.drop(first)  # it was too old
    assert asyncio.run(sampled()) != first
    assert analysed == ["sample walk"] * 2
