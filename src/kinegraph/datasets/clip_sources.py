"""Every data set for recognition by name: opened with the options that it has, refusing those that it has not."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kinegraph.datasets.cmu_clips import CmuSource
from kinegraph.datasets.ctrgcn import CtrGcnSource
from kinegraph.datasets.everyday import EverydaySource
from kinegraph.datasets.folder import FolderSource
from kinegraph.datasets.hdm05 import Hdm05Source
from kinegraph.datasets.kinetics_skeleton import KineticsSource
from kinegraph.datasets.ntu import NtuSource
from kinegraph.datasets.pyskl import PysklSource
from kinegraph.datasets.stgcn import StGcnSource
from kinegraph.errors import ConfigError, nearest
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.store.clip import ClipSource

__all__ = ["LIVELIER_FIRST", "SOURCES", "SourceOptions", "open_source"]

_PEOPLE = 2


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What a user may say about a source; None, or nothing, leaves it to the source.

    Attributes:
        missing: lists of samples to leave out (NTU).
        skeleton: name or file of the layout of the clips (folder, pyskl).
        fps: frame rate of the clips (folder).
        people: at most so many in a clip; two by default (folder, NTU, Kinetics).
        image_size: width and height of the image in px, where files of 2D keypoints do not state it (folder).

    Raises:
        ConfigError: a value outside its range.
    """

    missing: tuple[str, ...] = ()
    skeleton: str | None = None
    fps: float | None = None
    people: int | None = None
    image_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.people is not None and self.people < 1:
            raise ConfigError(f"people is {self.people}; expected at least 1")
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise ConfigError(f"fps is {self.fps}; expected a positive number")
        if self.image_size is not None and min(self.image_size) < 1:
            raise ConfigError(f"image_size is {self.image_size}; expected width and height in px, at least 1 each")

    @property
    def layout(self) -> Skeleton | None:
        """The skeleton."""
        return None if self.skeleton is None else get_skeleton(self.skeleton)


@dataclass(frozen=True)
class _Entry:
    make: Callable[[Path, SourceOptions], ClipSource]
    options: tuple[str, ...] = ()


SOURCES: Mapping[str, _Entry] = {
    "hdm05-11": _Entry(lambda path, given: Hdm05Source(path)),
    "cmu-8": _Entry(lambda path, given: CmuSource(path)),
    "everyday": _Entry(lambda path, given: EverydaySource(path)),
    "ntu60": _Entry(lambda p, o: NtuSource(p, "ntu60", o.missing, o.people or _PEOPLE), ("missing", "people")),
    "ntu120": _Entry(lambda p, o: NtuSource(p, "ntu120", o.missing, o.people or _PEOPLE), ("missing", "people")),
    "kinetics-skeleton": _Entry(lambda path, given: KineticsSource(path, given.people or _PEOPLE), ("people",)),
    "pyskl": _Entry(lambda path, given: PysklSource(path, given.layout), ("skeleton",)),
    "ctrgcn": _Entry(lambda path, given: CtrGcnSource(path)),
    "stgcn": _Entry(lambda path, given: StGcnSource(path)),
    "folder": _Entry(
        lambda path, given: FolderSource(path, given.layout, given.fps, given.people or _PEOPLE, given.image_size),
        ("skeleton", "fps", "people", "image_size"),
    ),
}
"""Name of the data set -> how it is opened."""
LIVELIER_FIRST = ("ntu60", "ntu120", "folder")
"""Data sets in whose clips people stand in the order of how much they move; in the others as their files have them."""


def open_source(name: str, path: Path | str, options: SourceOptions | None = None) -> ClipSource:
    """The clips of a data set.

    Args:
        name: one of :data:`SOURCES`.
        path: folder or file.
        options: what is said about it.

    Raises:
        ConfigError: no such data set, or an option that it has not.
        KinegraphError: nothing usable is there.
    """
    if name not in SOURCES:
        raise ConfigError(f"no clips of '{name}'{nearest(name, SOURCES)}; there are {', '.join(SOURCES)}")
    entry, given = SOURCES[name], options or SourceOptions()
    for field in dataclasses.fields(given):
        if getattr(given, field.name) not in (None, ()) and field.name not in entry.options:
            known = ", ".join(entry.options).replace("_", "-") or "none"
            option = field.name.replace("_", "-")
            raise ConfigError(f"--{option} says nothing about {name}; leave it out (options: {known})")
    return entry.make(Path(path), given)
