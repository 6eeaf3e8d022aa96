"""Places for work: who sends nothing keeps none, and all that takes work needs one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'serve' is not installed")

from kinegraph.serve import app
from kinegraph.serve.settings import ServeSettings


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
