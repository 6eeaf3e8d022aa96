"""The clips of the eight CMU actions as positions, for recognition (protocol ``cmu-8``).

The files of :mod:`kinegraph.datasets.cmu_actions`: every second frame (60 fps), 38 joints in metres, y up, with the
body's path. Clip 4 of every action is the validation part, as in forecasting.

Data: mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

from pathlib import Path

from kinegraph.datasets.cmu_actions import ACTIONS, FPS, STEP, VALIDATION_CLIP, survey
from kinegraph.formats.motion import expmap_text
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, clip_of, stamp

__all__ = ["CmuSource"]


class CmuSource(ClipSource):
    """Train, validation and test clips, in this library's order of actions.

    Raises:
        DataError: nothing is there, or a folder or file that belongs to no action.
    """

    dataset = "cmu-8"
    fps = FPS
    unit = "m"
    space = "world"
    classes = ACTIONS

    def __init__(self, source: Path | str) -> None:
        there = survey(source)
        self.skeleton = get_skeleton("cmu38")
        self.notes = there.notes
        self.items: list[tuple[str, Path, str]] = []
        for part, clips in (("train", there.train), ("test", there.test)):
            for name, path in clips.items():
                held_out = part == "train" and name.endswith(f"_{VALIDATION_CLIP}")
                self.items.append((f"{part}/{name}", path, "val" if held_out else part))

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        return self.items[index][0]

    def stamp(self, index: int) -> str:
        return stamp(self.items[index][1])

    def read(self, index: int) -> ActionClip:
        name, path, part = self.items[index]
        sequence = expmap_text.read(path).to_skeleton(self.skeleton, minimum=1.0).slice_frames(None, None, STEP)
        return clip_of(sequence, name=name, label=ACTIONS.index(name.split("/")[1]), splits=(part,))
