"""Everyday actions: what the recogniser in the package learns from, free for any use.

Recordings of CMU Mocap that show one action from end to end, by the labels of the database's index, and the embedded
procedural motion, cut into windows of 1.5 to 3 seconds of ``h36m17`` at 30 a second. Some actions have clips of both
kinds, some of one. Test and validation hold out whole recordings (a fifth of an action's each, by the order of their
names; of two or three recordings one tests and none validates) and whole procedural people.

Data: mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from kinegraph.axes import turned_y_up
from kinegraph.datasets.cmu_files import without_lead_in
from kinegraph.datasets.folder import recording_stamp
from kinegraph.datasets.recordings import find_files, preference
from kinegraph.datasets.synthetic.generator import ACTIONS, SyntheticMotion
from kinegraph.errors import DataError, KinegraphError
from kinegraph.formats import read
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, clip_of

__all__ = ["CLASSES", "CMU", "EverydaySource"]

FPS = 30.0
WINDOWS_S = (1.5, 2.0, 3.0)
_SHORTEST_S = 0.8
_MOST_WINDOWS = 4  # of one length of one recording: a long walk is still one walk
_FIFTH = 5
PEOPLE = {"train": range(18), "val": range(18, 20), "test": range(20, 24)}
"""Procedural people of each part."""
_MOTION = SyntheticMotion(subjects=24, takes=1, seconds=4.0, fps=FPS, seed=7)


def _clips(subject: int, *takes: int) -> tuple[str, ...]:
    return tuple(f"{subject:02d}_{take:02d}" for take in takes)


CMU: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "walking": (
            *_clips(2, 1, 2),
            *_clips(3, 1, 2, 3),
            *_clips(5, 1),
            *_clips(6, 1),
            *_clips(7, *range(1, 13)),
            *_clips(8, *range(1, 12)),
            *_clips(10, 4),
            *_clips(12, 1, 2, 3),
        ),
        "running": (*_clips(2, 3), *_clips(9, *range(1, 12))),
        "jumping": _clips(13, 11, 13, 19, 32, 39, 40, 41, 42),
        "kicking": (*_clips(10, 1, 2, 3, 5, 6), *_clips(11, 1)),
        "punching": (*_clips(2, 5), *_clips(13, 18)),
        "picking_up": _clips(2, 6),
        "reaching": (*_clips(13, 10), *_clips(14, 7, 8)),
        "sitting_down": (*_clips(13, 1), *_clips(14, 27, 28, 31, 32, 36)),
        "climbing_stairs": (*_clips(13, 35, 36, 37, 38), *_clips(14, 21, 22, 23)),
        "climbing_ladder": (*_clips(13, 33, 34), *_clips(14, 33, 34, 35)),
        "dancing": _clips(5, *range(2, 21)),
        "drinking": (*_clips(13, 7, 8, 9), *_clips(14, 4, 5, 37)),
    }
)
"""Action -> CMU's clips of it (SUBJECT_CLIP)."""
CLASSES = tuple(sorted({*CMU, *ACTIONS}))


@dataclass(frozen=True)
class _Window:
    """A window: of a file, or of a procedural person; the number of its first frame, and of the one after its last."""

    name: str
    action: str
    part: str
    start: int
    stop: int
    path: Path | None = None
    subject: int = 0


class EverydaySource(ClipSource):
    """Windows of CMU's recordings and of procedural motion.

    Args:
        source: folder with CMU's AMC (and ASF) or BVH files by their usual names, searched with its subfolders.

    Raises:
        DataError: no file of :data:`CMU` is there.
    """

    dataset = "everyday"
    fps = FPS
    unit = "m"
    space = "world"
    classes = CLASSES

    def __init__(self, source: Path | str) -> None:
        self.skeleton = get_skeleton("h36m17")
        files: dict[str, Path] = {}
        for path in sorted(find_files(source), key=preference):
            files.setdefault(path.stem, path)  # AMC where a take is there as BVH too
        found = {action: [files[stem] for stem in stems if stem in files] for action, stems in CMU.items()}
        if not any(found.values()):
            raise DataError(f"{source}: none of CMU's recordings is here; expected files such as 07_01.amc, 09_01.bvh")
        wanted = sum(map(len, CMU.values()))
        there = sum(map(len, found.values()))
        if there < wanted:
            self.notes = (f"{there} of {wanted} recordings of CMU are here",)
        self.items: list[_Window] = []
        for action, paths in found.items():
            for order, path in enumerate(paths):
                part = _part(order, len(paths))
                try:
                    spans = _spans(_read_cmu(path).frames)
                except KinegraphError:  # one window of nothing: whoever reads the clips says why, and goes on
                    self.items.append(_Window(f"cmu/{path.stem}", action, part, 0, 0, path))
                    continue
                for start, stop in spans:
                    self.items.append(_Window(f"cmu/{path.stem}/{start}-{stop}", action, part, start, stop, path))
        for part, people in PEOPLE.items():
            for person in people:
                for action in ACTIONS:
                    for start, stop in _spans(_MOTION.frames)[person % 2 :: 2]:
                        name = f"procedural/P{person:02d}/{action}/{start}-{stop}"
                        self.items.append(_Window(name, action, part, start, stop, None, person))

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        return self.items[index].name

    def stamp(self, index: int) -> str:
        item = self.items[index]
        made = f"procedural:{_MOTION.seed}" if item.path is None else recording_stamp(item.path)
        return f"{made} {item.action} {item.part}"  # one recording more gives others another part

    def read(self, index: int) -> ActionClip:
        item = self.items[index]
        whole = _procedural(item.subject, item.action) if item.path is None else _read_cmu(item.path)
        return clip_of(
            whole.slice_frames(item.start, item.stop),
            name=item.name,
            label=CLASSES.index(item.action),
            subject=f"P{item.subject:02d}" if item.path is None else f"cmu{item.path.stem[:2]}",
            splits=(item.part,),
        )


def _part(order: int, recordings: int) -> str:
    """Part of an action's recording by its place among them: the last of each five tests, the one before validates."""
    last = min(recordings, _FIFTH) - 1
    if last > 0 and order % _FIFTH == last:
        return "test"
    return "val" if last > 2 and order % _FIFTH == last - 1 else "train"


def _spans(frames: int) -> list[tuple[int, int]]:
    """Windows of each length, spread over the recording; the whole of it where it is shorter than all of them."""
    found = []
    for seconds in WINDOWS_S:
        window = round(seconds * FPS)
        if frames >= window:
            count = min(_MOST_WINDOWS, 1 + 2 * (frames - window) // window)  # overlapping by half at most
            starts = np.linspace(0, frames - window, count).round().astype(int).tolist()
            found += [(start, start + window) for start in starts]
    return found or ([(0, frames)] if frames >= _SHORTEST_S * FPS else [])


@lru_cache(maxsize=128)  # all of CMU: their frames are counted first, and read later
def _read_cmu(path: Path) -> SkeletonSequence:
    sequence = without_lead_in(read(path), path)
    return turned_y_up(sequence.to_skeleton(get_skeleton("h36m17"), minimum=1.0).resample(FPS))


@lru_cache(maxsize=4)
def _procedural(person: int, action: str) -> SkeletonSequence:
    return turned_y_up(_MOTION.clip(person, action, 0))
