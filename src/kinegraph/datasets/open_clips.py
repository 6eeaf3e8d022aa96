"""The clips of a recognition protocol, wherever they are: prepared, or as the recordings came."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from kinegraph.datasets.clip_sources import SOURCES, open_source
from kinegraph.datasets.synthetic.clips import SyntheticClips
from kinegraph.errors import DataError
from kinegraph.store.clip import Clips
from kinegraph.store.clip_store import MANIFEST, ClipStore
from kinegraph.store.memory import MemoryClips

__all__ = ["LARGEST_UNPREPARED", "SYNTHETIC", "open_clips", "synthetic_clips"]

SYNTHETIC = "synthetic-recognition"
"""The protocol whose clips need no files."""
LARGEST_UNPREPARED = 3000
"""Clips that are read without being prepared first: about a minute's work."""


def open_clips(folder: Path | str | None, protocol: str, *, progress: bool = False) -> Clips:
    """The clips to which a protocol is applied.

    Args:
        folder: what ``kinegraph data prepare`` wrote, or the recordings themselves where they are few; None for the
            synthetic ones.
        protocol: its name decides how recordings are read.
        progress: show a bar on standard error while reading recordings.

    Raises:
        DataError: nothing usable is there, or so much that it must be prepared first.
        FormatError: prepared clips that are damaged.
    """
    if protocol == SYNTHETIC:
        if folder is not None:
            raise DataError(f"{protocol} makes its own clips; leave the folder out")
        return synthetic_clips()
    if folder is None:
        raise DataError(f"{protocol} needs the folder of its clips: what `kinegraph data prepare` wrote")
    if not Path(folder).exists():
        raise DataError(f"{folder}: nothing of that name; give the folder that `kinegraph data prepare` wrote")
    if (Path(folder) / MANIFEST).is_file():
        return ClipStore(folder)
    name = next((name for name in SOURCES if protocol == name or protocol.startswith(f"{name}-")), None)
    if name is None:
        raise DataError(f"{folder}: no prepared clips here ({MANIFEST} is missing); run `kinegraph data prepare`")
    source = open_source(name, folder)
    if len(source) > LARGEST_UNPREPARED:
        raise DataError(
            f"{folder}: {len(source)} clips are too many to read each time; prepare them once: kinegraph data prepare "
            f"{name} --source {folder} --out DIR"
        )
    return MemoryClips(source, folder, progress=progress)


@lru_cache(maxsize=1)
def synthetic_clips() -> MemoryClips:
    """The synthetic clips, made once per process."""
    return MemoryClips(SyntheticClips(), "synthetic")
