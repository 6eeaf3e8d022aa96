"""A viewer that runs, and small recordings to send to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence

# Every process of the viewer notes whom it asks for a connection or an address.
WATCH = """
import pathlib, sys
def _note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with (pathlib.Path(__file__).parent / "asked").open("a") as asked:
            asked.write(f"{event} {arguments}\\n")
sys.addaudithook(_note)
"""


@dataclass
class Running:
    """A viewer in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    temporary: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=400)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def send(self, name: str, body: bytes, query: str = "") -> tuple[int, Any]:
        status, _, data = self.ask("POST", f"/api/files?name={name}{query}", body)
        return status, json.loads(data)

    def files(self) -> list[str]:
        """What lies in the viewer's temporary folder."""
        return [str(p.relative_to(self.temporary)) for p in self.temporary.glob("kinegraph*/**/*")]

    def processes(self) -> list[int]:
        """The viewer and the process that reads files for it."""
        pid = self.process.pid
        children = [child.read_text().split() for child in Path(f"/proc/{pid}/task").glob("*/children")]
        return [pid, *(int(child) for found in children for child in found)]

    def rss_mb(self) -> float:
        """Of all its processes together."""
        total = 0
        for pid in self.processes():
            found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
            assert found is not None
            total += int(found.group(1))
        return total / 1024

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """``kinegraph serve`` with a limit of 1 MB; it must end on Ctrl-C and leave nothing behind."""
    pytest.importorskip("starlette", reason="the extra 'serve' is not installed")
    pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")
    temporary = tmp_path_factory.mktemp("viewer")
    command = [sys.executable, "-m", "kinegraph", "serve", "--port", "0", "--upload-mb", "1"]
    watch = tmp_path_factory.mktemp("watch")
    (watch / "sitecustomize.py").write_text(WATCH)
    environment = {**os.environ, "TMPDIR": str(temporary), "MALLOC_ARENA_MAX": "2", "PYTHONPATH": str(watch)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
    assert found is not None, line
    yield Running(process, int(found.group(1)), temporary)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=200) == 0
    process.stdout.close()
    assert not list(temporary.glob("kinegraph*"))  # torch may have made a folder of its own
    assert not (watch / "asked").exists(), (watch / "asked").read_text()  # offline: it asked nobody for anything


def recording(seconds: float) -> SkeletonSequence:
    """The generator's walk on 17 joints, 3D."""
    from kinegraph.datasets.synthetic import SyntheticMotion
    from kinegraph.skeleton import get_skeleton

    clip = SyntheticMotion(subjects=1, takes=1, seconds=seconds).clip(0, "walking", 0)
    return clip.to_skeleton(get_skeleton("h36m17"), minimum=0.4).replace(notes=())


@pytest.fixture(scope="session")
def long_walk() -> SkeletonSequence:
    """A thousand frames."""
    return recording(20.0)


@pytest.fixture(scope="session")
def walk_bvh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "walk.bvh"
    write(recording(1.6), path)
    return path


@pytest.fixture(scope="session")
def keypoints_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from kinegraph.serve.sample import walking

    path = tmp_path_factory.mktemp("recordings") / "keypoints.npz"
    write(walking(1.6), path)
    return path


@pytest.fixture
def page(browser: Any, viewer: Any) -> Iterator[Any]:
    """The viewer's page, calm, with whatever goes wrong on it collected; nothing outside may be asked for."""
    page = browser.new_page(
        viewport={"width": 1200, "height": 760}, color_scheme="light", reduced_motion="reduce", accept_downloads=True
    )
    page.set_default_timeout(180_000)  # a machine may be busy with other work
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: None if request.url.startswith(viewer.address) else faults.append(request.url))
    page.goto(viewer.address)
    yield page
    page.close()
    # A refusal is written to the console by the browser itself.
    assert [fault for fault in faults if "status of 4" not in fault] == []
