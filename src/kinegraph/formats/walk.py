"""The recordings in a folder: a file each, or a folder of frames."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from kinegraph.errors import KinegraphError
from kinegraph.formats import detect
from kinegraph.formats.openpose import frame_files

__all__ = ["recordings_in"]


def recordings_in(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Files with one of the suffixes, and folders of OpenPose frames as one each, by name; hidden ones are left out.

    The folder itself may be one, and those below it are searched; links to folders are not followed.
    """
    if _is_recording(folder):
        yield folder
        return
    for item in sorted(folder.iterdir()):
        if item.name.startswith("."):
            continue
        if item.is_dir() and not item.is_symlink():
            yield from recordings_in(item, suffixes)
        elif item.is_file() and item.suffix.lower() in suffixes:
            yield item


def _is_recording(folder: Path) -> bool:
    if not frame_files(folder):
        return False
    try:
        return detect(folder) == "openpose"
    except KinegraphError:
        return False
