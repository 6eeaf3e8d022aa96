"""The viewer inside another ASGI application: under any path, without a lifespan of its own, and leaving nothing."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'serve' is not installed")

from starlette.applications import Starlette
from starlette.routing import Mount

from kinegraph.sequence import SkeletonSequence
from kinegraph.serve.app import application
from kinegraph.visualize.analysis import Analysis, Analyst


class Shower(Analyst):
    """Shows a recording as it is, without any network."""

    def prepare(self) -> None:
        return

    def analyse(self, sequence: SkeletonSequence, name: str) -> Analysis:
        return Analysis(name=name, solid=sequence)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def ask(app: Starlette, method: str, path: str, query: str = "", body: bytes = b"") -> tuple[int, bytes]:
    """One request."""
    status, parts = 0, []
    sent = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return sent.pop() if sent else await asyncio.sleep(3600, {})

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        parts.append(message.get("body", b""))

    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"}
    scope |= {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": query.encode()}
    scope |= {"headers": [(b"host", b"127.0.0.1")], "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1)}
    await app(scope, receive, send)
    return status, b"".join(parts)


async def with_lifespan(app: Starlette, work: Callable[[Starlette], Coroutine[Any, Any, None]]) -> None:
    """As a server runs an application."""
    asked: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, asked.get, told.put))
    await asked.put({"type": "lifespan.startup"})
    assert (await told.get())["type"] == "lifespan.startup.complete"
    await work(app)
    await asked.put({"type": "lifespan.shutdown"})
    await running


@pytest.mark.parametrize("prefix", ["", "/tools/viewer"])
def test_mounted_it_takes_files_and_leaves_nothing(prefix: str, walk_bvh: Path, temporary: Path) -> None:
    viewer = application(analyst=Shower())

    async def work(outer: Starlette) -> None:
        assert (await ask(outer, "GET", f"{prefix}/"))[0] == 200
        status, told = await ask(outer, "POST", f"{prefix}/api/files", "name=walk.bvh", walk_bvh.read_bytes())
        assert status == 201, told
        result = f"{prefix}/api/results/{json.loads(told)['id']}"
        assert (await ask(outer, "GET", result))[0] == 200
        status, data = await ask(outer, "GET", f"{result}/download/bvh")
        assert (status, data[:9]) == (200, b"HIERARCHY")

    asyncio.run(with_lifespan(Starlette(routes=[Mount(prefix or "/", viewer)]), work))
    (folder,) = temporary.glob("kinegraph-serve-*")
    assert list(folder.iterdir()) == []
    process: subprocess.Popen[str] = viewer.state.viewer.reader._process
    assert process.poll() is None
    del viewer
    gc.collect()
    assert not folder.exists()
    assert process.poll() is not None


def test_by_itself_it_ends_with_the_server(walk_bvh: Path, temporary: Path) -> None:
    viewer = application(analyst=Shower())

    async def work(app: Starlette) -> None:
        assert (await ask(app, "POST", "/api/files", "name=walk.bvh", walk_bvh.read_bytes()))[0] == 201
        assert list(temporary.glob("kinegraph-serve-*"))

    asyncio.run(with_lifespan(viewer, work))
    assert not list(temporary.glob("kinegraph-serve-*"))
    assert viewer.state.viewer.reader._process is None


def test_a_path_without_its_last_slash_leads_to_the_page() -> None:
    outer = Starlette(routes=[Mount("/viewer", application(analyst=Shower()))])
    assert asyncio.run(ask(outer, "GET", "/viewer"))[0] == 307


@pytest.mark.parametrize(
    ("path", "root"),
    [("/", "/"), ("/viewer/", "/viewer/"), ("/viewer", "/viewer/"), ("//evil.example/", "//evil.example/")],
)
def test_the_page_asks_under_its_own_path(path: str, root: str) -> None:
    """Whatever it asks for begins with where it was opened, with or without a last slash."""
    _, body = asyncio.run(ask(application(analyst=Shower()), "GET", "/"))
    page = body.decode()
    assert len(re.findall(r"api/(?:files|results|sample)", page)) == len(re.findall(r"`\$\{root\}api/", page)) == 8
    found = re.search(r"const root = (.*?);", page)
    assert found is not None
    if not shutil.which("node"):
        pytest.skip("no node to run the page's script with")
    line = f'const location = {{origin: "http://here", pathname: {json.dumps(path)}}}; console.log({found.group(1)})'
    told = subprocess.run(["node", "-e", line], capture_output=True, text=True, check=True).stdout
    assert told.strip() == f"http://here{root}"
