"""What every analysis does with its results: a table on the screen, JSON, pictures in a folder."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kinegraph.errors import KinegraphError

__all__ = ["add_report_arguments", "made_folder", "write_json"]


def add_report_arguments(parser: argparse.ArgumentParser, *, out: bool = True) -> None:
    """``--out DIR`` for pictures, ``--json FILE`` and ``--markdown``."""
    if out:
        parser.add_argument("--out", metavar="DIR", help="draw the pictures into this folder")
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON, unrounded")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


@contextlib.contextmanager
def made_folder(name: str) -> Iterator[None]:
    """The folder is there within, made if missing; after an error it goes again if it is new and still empty.

    Raises:
        KinegraphError: it cannot be made.
    """
    path = Path(name)
    new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinegraphError(f"cannot make the folder {name}: {error.strerror}; choose another") from error
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # it is not empty
            if new:
                path.rmdir()
        raise


def write_json(name: str | None, content: Any) -> None:
    """Write the numbers, where a file was named."""
    from kinegraph.atomic import write_text

    if name:
        write_text(Path(name), json.dumps(content, indent=2) + "\n")
