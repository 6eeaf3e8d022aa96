"""Shared fixtures: the recordings beside the checkout, one thread, and a tiny skeleton."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Before torch is imported: small networks gain nothing from threads, and two test processes must not fight.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(os.environ.get("KINEGRAPH_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings; tests that need it are skipped on machines without it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the free recordings are not at {SHARED_DATA}; set KINEGRAPH_SHARED_DATA to run this test")
    return SHARED_DATA


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell that starts the tests in the background makes them ignore Ctrl-C; here it is what a person presses.

    Child processes inherit an ignored signal, but not a handler, so this is for them as well.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> None:
    """Torch on one thread, wherever a test has imported it."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium, driven by playwright; tests that need it are skipped on machines without either."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[browser]'")
    with api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=chromium, args=_CHROMIUM)
        yield running
        running.close()


@pytest.fixture(scope="session")
def until() -> Callable[[Any, str], None]:
    """Wait until JavaScript in a page gives true. Playwright's own way calls eval, which our pages forbid."""

    def wait(page: Any, expression: str, seconds: float = 300.0) -> None:
        end = time.monotonic() + seconds
        while not page.evaluate(expression):
            assert time.monotonic() < end, f"still not: {expression}; {page.evaluate('({...document.body.dataset})')}"
            page.wait_for_timeout(30)

    return wait
