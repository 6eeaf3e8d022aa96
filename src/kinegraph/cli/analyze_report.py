"""What every analysis does with its results: a table on the screen, JSON, pictures in a folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

__all__ = ["add_report_arguments", "write_json"]


def add_report_arguments(parser: argparse.ArgumentParser, *, out: bool = True) -> None:
    """``--out DIR`` for pictures, ``--json FILE`` and ``--markdown``."""
    if out:
        parser.add_argument("--out", metavar="DIR", help="draw the pictures into this folder")
    parser.add_argument("--json", metavar="FILE", help="write the numbers as JSON, unrounded")
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def write_json(name: str | None, content: Any) -> None:
    """Write the numbers, where a file was named."""
    from kinegraph.atomic import write_text

    if name:
        write_text(Path(name), json.dumps(content, indent=2) + "\n")
