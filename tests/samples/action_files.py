"""Small files in the layouts of the recognition data sets, for tests and benchmarks of reading."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.formats import write
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.store import ActionClip, ClipSource, ClipStore, prepare_clips


def recordings(root: Path, *names: str) -> Path:
    """Recordings of these names under `root`, all different."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        points = np.random.default_rng(number).normal(size=(1, 4, 17, 3))
        write(SkeletonSequence(points, get_skeleton("h36m17"), 30, up="y"), root / name)
    return root


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


def write_containers(folder: Path, clips: int = 4) -> None:
    """NTU clips as other projects ship them: PYSKL's pickle, CTR-GCN's npz, ST-GCN's arrays; half train, half test."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2 * clips, 12, 2, 25, 3)).astype(np.float32)  # (clips, frames, people, joints, dims)
    names = [f"S001C{1 + n % 3:03d}P{n + 1:03d}R001A060" for n in range(2 * clips)]
    annotations = [
        {"frame_dir": name, "label": 59, "total_frames": 12, "keypoint": clip.swapaxes(0, 1).astype(np.float16)}
        for name, clip in zip(names, x, strict=True)
    ]
    split = {"xsub_train": names[:clips], "xsub_val": names[clips:]}
    (folder / "ntu60_3danno.pkl").write_bytes(pickle.dumps({"split": split, "annotations": annotations}))
    y, flat = np.eye(60)[[59] * clips], x.reshape(2 * clips, 12, 150)
    np.savez(folder / "NTU60_CS.npz", x_train=flat[:clips], y_train=y, x_test=flat[clips:], y_test=y)
    place = folder / "ntu_xsub"
    place.mkdir()
    for part, rows in (("train", slice(0, clips)), ("val", slice(clips, None))):
        np.save(place / f"{part}_data.npy", x[rows].transpose(0, 4, 1, 3, 2))
        (place / f"{part}_label.pkl").write_bytes(pickle.dumps((names[rows], [59] * clips)))


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

    def __init__(
        self, clips: Sequence[ActionClip], classes: int, skeleton: str | Skeleton = "ntu25", dataset: str = "list"
    ) -> None:
        self.clips, self.skeleton, self.dataset = clips, get_skeleton(skeleton), dataset
        self.classes = tuple(f"action {n}" for n in range(classes))

    def __len__(self) -> int:
        return len(self.clips)

    def name(self, index: int) -> str:
        return self.clips[index].name

    def stamp(self, index: int) -> str:
        return "1"

    def read(self, index: int) -> ActionClip:
        return self.clips[index]


def write_store(folder: Path, known: Sequence[dict[str, Any]], classes: int = 60, dataset: str = "list") -> ClipStore:
    """A prepared folder of clips of two frames, each with the fields given."""
    rng = np.random.default_rng(0)
    clips = [
        ActionClip(**{"name": f"clip{n}", "label": 0, "positions": rng.normal(size=(1, 2, 25, 3)), **fields})
        for n, fields in enumerate(known)
    ]
    return prepare_clips(ListSource(clips, classes, dataset=dataset), folder, workers=1, progress=False).store
