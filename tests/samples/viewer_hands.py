"""What a person does with the viewer's page, and what it says."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

Until = Callable[[Any, str], None]


def drop(page: Any, *paths: Path) -> None:
    """Let files go over the page, as a person does."""
    files = [[p.name, base64.b64encode(p.read_bytes()).decode()] for p in paths]
    page.evaluate(
        """(files) => { const carried = new DataTransfer();
        for (const [name, data] of files)
          carried.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
        for (const kind of ['dragenter', 'dragover', 'drop'])
          document.body.dispatchEvent(
            new DragEvent(kind, {dataTransfer: carried, bubbles: true, cancelable: true})); }""",
        files,
    )


def shown(page: Any, until: Until, count: int = 1) -> None:
    until(page, f"document.querySelectorAll('#results li').length === {count} && document.body.dataset.drawn > 0")


def data(page: Any, key: str) -> str:
    page.wait_for_timeout(80)
    return str(page.evaluate(f"document.body.dataset.{key}"))
