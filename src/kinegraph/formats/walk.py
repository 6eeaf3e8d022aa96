"""The recordings in a folder: a file each, or a folder of frames."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from kinegraph.errors import FormatError, KinegraphError
from kinegraph.formats import detect, formats
from kinegraph.formats.keypoints.frame_folder import label_files
from kinegraph.formats.keypoints.openpose import frame_files

__all__ = ["is_frames", "recording_suffixes", "recordings_in"]


def recording_suffixes(*holds: str) -> set[str]:
    """How files end that folders are searched for: of formats that are read and hold ``2D`` or ``3D``, if given.

    An ASF is none: it is the body of its AMC files.
    """
    readable = [info for info in formats() if info.reads and any(kind in info.holds for kind in holds or ("",))]
    return {suffix for info in readable for suffix in info.suffixes} - {".asf"}


def recordings_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with one of the suffixes, and folders of frames as one each, by name; hidden ones are left out.

    Frames are files as OpenPose and other detectors leave them, one each. The folder itself may hold some, and those
    below it are searched. Links to folders are followed. Each folder is searched once, under its own name where it has
    one below `folder`; a link to one above `folder` leads round in a circle and is not followed. What cannot be looked
    into, a folder or a link that leads nowhere, counts as a recording: reading it says why.

    Raises:
        FormatError: `folder` itself cannot be listed.
    """
    searched = set(folder.resolve().parents)
    found: list[Path] = []
    folders, links = [folder], list[Path]()
    while folders or links:
        place = folders.pop() if folders else links.pop(0)
        real = place.resolve()
        if real in searched:
            continue
        searched.add(real)
        if is_frames(place):
            found.append(place)
            continue
        try:
            # Whether it is a folder is asked here too: one that may be listed and not entered refuses only then.
            items = [(item, item.is_dir()) for item in sorted(place.iterdir()) if not item.name.startswith(".")]
        except OSError as error:
            if place == folder:
                raise FormatError(folder, f"cannot be read ({error.strerror}); check its permissions") from None
            found.append(place)
            continue
        for item, is_folder in items:
            if is_folder:
                (links if item.is_symlink() else folders).append(item)
            elif item.suffix.lower() in suffixes and (item.is_file() or not item.exists()):
                found.append(item)
    return sorted(found)


def is_frames(folder: Path) -> bool:
    """Whether a folder holds a detector's frames, a file each, which are one recording."""
    try:
        return bool(frame_files(folder) or label_files(folder)) and bool(detect(folder))
    except (KinegraphError, OSError):
        return False
