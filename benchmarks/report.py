"""Markdown tables on standard output."""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Iterator

import torch


def sections(arguments: argparse.Namespace, what: str, how: str = ", medians of interleaved turns") -> Iterator[int]:
    """Say what is measured on which machine, then set each number of threads, under a heading of its own."""
    print(f"torch {torch.__version__}, {platform.processor() or platform.machine()}, {what}\n")
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        clock = "CPU time" if threads == 1 else "wall clock"
        print(f"## {threads} thread{'s' if threads > 1 else ''} ({clock}{how})\n")
        yield threads


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table, each row as soon as it is there."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def ms(seconds: float) -> str:
    """Milliseconds, three digits."""
    return f"{seconds * 1e3:.3g}"
