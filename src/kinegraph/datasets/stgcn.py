"""ST-GCN's arrays (Yan et al., 2018): ``train_data.npy`` (N, 3, 300, joints, people) beside ``train_label.pkl``.

The pickle holds ``(names, labels)``. 25 joints are NTU's in metres; 18 are OpenPose's with the score as third channel,
coordinates as fractions of the image minus one half. Zeros are nobody. Arrays are mapped, never loaded whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.motion.ntu_skeleton import parse_name
from kinegraph.formats.restricted_pickle import load_pickle
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, absent, stamp

__all__ = ["StGcnSource"]

_PARTS = ("train", "val")


class StGcnSource(ClipSource):
    """The clips of a folder with ``train_data.npy``, ``train_label.pkl``, ``val_data.npy``, ``val_label.pkl``.

    One of the two parts is enough.

    Raises:
        FormatError: arrays or labels are missing, damaged, or do not fit each other.
    """

    dataset = "stgcn"
    fps = 30.0

    def __init__(self, source: Path | str) -> None:
        folder = Path(source)
        self.items: list[tuple[str, str, int, Path, int]] = []
        self._stamps: dict[str, str] = {}
        joints = set()
        for part in _PARTS:
            data, label = folder / f"{part}_data.npy", folder / f"{part}_label.pkl"
            if not data.is_file():
                continue
            if not label.is_file():
                raise FormatError(label, "no such file; expected the names and labels of the clips beside it")
            shape = _mapped(data).shape
            if len(shape) != 5 or shape[1] != 3 or shape[3] not in (18, 25):
                raise FormatError(data, f"shape {shape}; expected (clips, 3, frames, 18 or 25 joints, people)")
            joints.add(shape[3])
            names, labels = _labels(label, shape[0])
            self._stamps[part] = f"{stamp(data)} {stamp(label)}"
            self.items += [
                (name, part, int(number), data, row)
                for row, (name, number) in enumerate(zip(names, labels, strict=True))
            ]
        if not self.items:
            raise FormatError(folder, "no clips; expected train_data.npy and val_data.npy")
        if len(joints) > 1:
            raise FormatError(folder, "18 joints in one part and 25 in the other; expected one data set")
        self.flat = joints == {18}
        self.skeleton = get_skeleton("openpose18" if self.flat else "ntu25")
        self.dims = 2 if self.flat else 3
        self.unit = "normalized" if self.flat else "m"
        self.space = "image" if self.flat else "world"
        most = max(item[2] for item in self.items) + 1
        self.classes = tuple(str(n) if self.flat else f"A{n + 1:03d}" for n in range(most))

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        name, part, *_ = self.items[index]
        return f"{part}/{name}"

    def stamp(self, index: int) -> str:
        _, part, label, *_ = self.items[index]
        return f"{self._stamps[part]} {label}"

    def read(self, index: int) -> ActionClip:
        name, part, label, path, row = self.items[index]
        dense = np.array(_mapped(path)[row], dtype=np.float32).transpose(3, 1, 2, 0)  # (people, frames, joints, 3)
        confidence = None
        if self.flat:
            clip = absent(dense)
            confidence = np.clip(np.nan_to_num(clip[..., 2]), 0.0, 1.0)
            positions = np.where(confidence[..., None] > 0, clip[..., :2] + np.float32(0.5), np.float32(np.nan))
        else:
            positions = absent(dense)
        known = parse_name(name)
        return ActionClip(
            name=f"{part}/{name}",
            label=label,
            positions=positions,
            confidence=confidence,
            subject=f"P{known.performer:03d}" if known else "",
            camera=known.camera if known else 0,
            setup=known.setup if known else 0,
            splits=(part,),
        ).check()


def _mapped(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FormatError(
            path, f"not a readable array ({str(error)[:100]}); the file is damaged. Fetch it again"
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise FormatError(path, "no array of floats; expected what ST-GCN's gendata writes")
    return array


def _labels(path: Path, clips: int) -> tuple[list[str], list[int]]:
    content = load_pickle(path)
    if not (isinstance(content, tuple | list) and len(content) == 2):
        raise FormatError(path, "no pair of names and labels; expected (names, labels)")
    names, labels = (list(part) if isinstance(part, list | tuple | np.ndarray) else [] for part in content)
    if len(names) != clips or len(labels) != clips:
        raise FormatError(path, f"{len(names)} names and {len(labels)} labels; expected {clips} of each, as of clips")
    if not all(isinstance(n, int | np.integer) and 0 <= n < 100_000 for n in labels):
        raise FormatError(path, "a label is no number from 0; expected the index of the action")
    return [str(name).removesuffix(".skeleton") for name in names], [int(n) for n in labels]
