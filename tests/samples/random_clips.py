"""A source of clips that are random and always the same, some of which cannot be read."""

from __future__ import annotations

import time

import numpy as np

from kinegraph.skeleton import get_skeleton
from kinegraph.store import ActionClip, ClipSource


class RandomClips(ClipSource):
    """Clips of random shapes; those in `broken` cannot be read."""

    dataset = "made"
    fps = 30.0
    classes = ("a", "b", "c")

    def __init__(self, count: int = 40, broken: dict[int, Exception] | None = None, pause: float = 0) -> None:
        self.skeleton = get_skeleton("ntu25")
        self.count, self.broken, self.pause, self.reads = count, broken or {}, pause, 0

    def __len__(self) -> int:
        return self.count

    def name(self, index: int) -> str:
        return f"clip{index:04d}"

    def stamp(self, index: int) -> str:
        return "broken" if index in self.broken else "1"

    def read(self, index: int) -> ActionClip:
        time.sleep(self.pause)
        self.reads += 1
        if index in self.broken:
            raise self.broken[index]
        rng = np.random.default_rng(index)
        people, frames = 1 + index % 2, 1 + index % 7
        positions = rng.normal(size=(people, frames, 25, 3))
        positions[-1, -1] = np.nan
        positions[0, 0] = 1.5
        confidence = rng.random((people, frames, 25)) if index % 3 == 0 else None
        return ActionClip(
            name=self.name(index), label=index % 3, positions=positions, confidence=confidence,
            subject=f"P{index % 5}", camera=index % 4, setup=index % 6, splits=("train", "x,y") if index % 2 else (),
        )  # fmt: skip
