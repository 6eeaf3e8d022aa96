"""Small files in the layouts of the recognition data sets, for tests and benchmarks of reading."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import get_skeleton
from kinegraph.store import ActionClip, ClipSource, ClipStore, prepare_clips


def ntu_text(bodies: Sequence[NDArray[np.float64]], absent: Sequence[int] = ()) -> str:
    """NTU .skeleton text of bodies ``(frames, 25, 3)``; nobody is in the `absent` frames."""
    frames = len(bodies[0])
    lines = [str(frames)]
    for frame in range(frames):
        lines.append("0" if frame in absent else str(len(bodies)))
        if frame in absent:
            continue
        for person, body in enumerate(bodies):
            lines += [f"{72057594037931101 + person} 0 1 1 0 0 0 0.0276 -0.0574 2", "25"]
            lines += [
                f"{x:.7g} {y:.7g} {z:.7g} 277.4196 191.8218 1036.228 519.1677 -0.2140 0.0503 0.9675 -0.1243 2"
                for x, y, z in body[frame].tolist()
            ]
    return "\n".join(lines) + "\n"


def write_ntu(folder: Path, names: Sequence[str], frames: int = 6, seed: int = 0) -> Path:
    """One ``<name>.skeleton`` for each name, whose motion depends on the action."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None]
    for name in names:
        action = int(name[-3:])
        body = rng.normal(size=(1, 25, 3)) * 0.4 + [0, 0, 3] + 0.2 * np.sin(time * action / 3) * [1, 0.5, 0]
        (folder / f"{name}.skeleton").write_text(ntu_text([body]))
    return folder


def write_amc(folder: Path, clips: Sequence[str]) -> None:
    """Tiny Acclaim clips (paths without suffix under `folder`) that any reader takes."""
    for clip in clips:
        path = folder / f"{clip}.amc"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(":FULLY-SPECIFIED\n:DEGREES\n1\nroot 0 17 0 0 0 0\n2\nroot 0 18 0 0 0 0\n")


class ListSource(ClipSource):
    """Clips from memory."""

    dataset = "list"
    fps = 30.0

    def __init__(self, clips: Sequence[ActionClip], classes: int, skeleton: str = "ntu25") -> None:
        self.clips, self.skeleton = clips, get_skeleton(skeleton)
        self.classes = tuple(f"action {n}" for n in range(classes))

    def __len__(self) -> int:
        return len(self.clips)

    def name(self, index: int) -> str:
        return self.clips[index].name

    def stamp(self, index: int) -> str:
        return "1"

    def read(self, index: int) -> ActionClip:
        return self.clips[index]


def write_store(folder: Path, known: Sequence[dict[str, Any]], classes: int = 60) -> ClipStore:
    """A prepared folder of clips of two frames, each with the fields given."""
    rng = np.random.default_rng(0)
    clips = [
        ActionClip(**{"name": f"clip{n}", "label": 0, "positions": rng.normal(size=(1, 2, 25, 3)), **fields})
        for n, fields in enumerate(known)
    ]
    return prepare_clips(ListSource(clips, classes), folder, workers=1, progress=False).store
