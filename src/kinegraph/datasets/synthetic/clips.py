"""The embedded synthetic motion as clips for recognition: small, and there without files.

Other people move in each part, and clips differ in length. Metres, world; turned to y up, as all clips are.
"""

from __future__ import annotations

import numpy as np

from kinegraph.axes import turned_y_up
from kinegraph.datasets.synthetic.generator import SyntheticMotion
from kinegraph.store.clip import ActionClip, ClipSource, clip_of

__all__ = ["CLIPS", "PARTS", "SyntheticClips"]

CLIPS = SyntheticMotion(
    subjects=10,
    takes=2,
    seconds=4.0,
    fps=30.0,
    actions=(
        *("walking", "running", "jumping", "waving", "clapping", "throwing", "punching", "kicking"),
        *("picking_up", "squatting", "sitting_down", "lying_down"),
    ),
)
"""10 people, 12 actions, twice each, at most 120 frames."""
PARTS = {"train": range(6), "val": range(6, 7), "test": range(7, 10)}
"""Subjects of each part."""
_SHORTEST = 0.5


class SyntheticClips(ClipSource):
    """The clips of :data:`CLIPS`, each cut to a random length of half of it or more."""

    dataset = "synthetic-recognition"
    fps = CLIPS.fps
    classes = CLIPS.actions
    unit = "m"
    space = "world"

    def __init__(self) -> None:
        self.items = [
            (part, subject, label, take)
            for part, subjects in PARTS.items()
            for subject in subjects
            for label in range(len(CLIPS.actions))
            for take in range(CLIPS.takes)
        ]
        self.skeleton = CLIPS.clip(0, CLIPS.actions[0], 0).skeleton

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        part, subject, label, take = self.items[index]
        return f"{part}/{CLIPS.actions[label]}/P{subject:02d}_{take}"

    def stamp(self, index: int) -> str:
        return f"synthetic:{CLIPS.seed}"

    def read(self, index: int) -> ActionClip:
        part, subject, label, take = self.items[index]
        sequence = CLIPS.clip(subject, CLIPS.actions[label], take)
        length = round(CLIPS.frames * np.random.default_rng([CLIPS.seed, index]).uniform(_SHORTEST, 1.0))
        return clip_of(
            turned_y_up(sequence).slice_frames(None, length),
            name=self.name(index),
            label=label,
            subject=f"P{subject:02d}",
            splits=(part,),
        )
