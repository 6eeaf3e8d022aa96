"""A prepared folder of clips: opened in milliseconds, read at random, never loaded whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError, FormatError
from kinegraph.formats.json_file import load_json, members
from kinegraph.formats.tables.fields import skeleton_from_field
from kinegraph.sequence import Space, Unit
from kinegraph.skeleton import Skeleton
from kinegraph.store.clip import ActionClip, Clips
from kinegraph.store.shard import DType, Rows, open_shard

__all__ = ["FORMAT", "MANIFEST", "ClipStore", "shard_name"]

FORMAT, VERSION = "kinegraph-clips", 1
MANIFEST = "store.json"
_SHARD = re.compile(r"shard-\d{5}\.arrow")


def shard_name(number: int) -> str:
    """File name of a shard."""
    return f"shard-{number:05d}.arrow"


@dataclass(frozen=True, eq=False)
class _Facts:
    """What the manifest states, checked."""

    dataset: str
    skeleton: Skeleton
    fps: float | None
    unit: Unit
    space: Space
    dims: int
    dtype: DType
    classes: tuple[str, ...]
    fingerprint: str
    shards: tuple[str, ...]
    clips: int


class ClipStore(Clips):
    """The clips that ``kinegraph data prepare`` wrote.

    ``store[i]`` is an :class:`~kinegraph.store.clip.ActionClip` whose arrays are read-only views of the file: nothing
    is copied. It can be sent to other processes, which map the files anew.

    Attributes:
        dtype: ``"float32"`` or ``"float16"``; the others are those of every :class:`~kinegraph.store.clip.Clips`.

    Raises:
        FormatError: no prepared clips, an unfinished preparation, or damage.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        facts = _read_manifest(self.folder)
        self.dataset, self.skeleton, self.fps = facts.dataset, facts.skeleton, facts.fps
        self.unit, self.space, self.dims, self.dtype = facts.unit, facts.space, facts.dims, facts.dtype
        self.classes, self.fingerprint = facts.classes, facts.fingerprint
        joints = self.skeleton.num_joints
        self._rows: list[Rows] = []
        for name in facts.shards:
            self._rows += open_shard(self.folder / name, joints, self.dims, self.dtype)
        sizes = [len(rows) for rows in self._rows]
        if sum(sizes) != facts.clips:
            raise FormatError(
                self.folder, f"{sum(sizes)} clips; {MANIFEST} states {facts.clips}. Prepare the data again"
            )
        self._batch = np.repeat(np.arange(len(sizes)), sizes)
        self._row = np.concatenate([np.arange(size) for size in sizes] or [np.zeros(0, np.int64)])
        self.names: tuple[str, ...] = tuple(name for rows in self._rows for name in rows.known["name"])
        self.subjects: tuple[str, ...] = tuple(name for rows in self._rows for name in rows.known["subject"])
        self.splits: tuple[tuple[str, ...], ...] = tuple(part for rows in self._rows for part in rows.known["splits"])
        self.labels, self.cameras, self.setups = self._column("label"), self._column("camera"), self._column("setup")
        self.people, self.frames = self._column("people"), self._column("frames")
        if len(self) and not -1 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise FormatError(
                self.folder, f"labels {self.labels.min()} to {self.labels.max()} for {len(self.classes)} classes"
            )

    def _column(self, name: str) -> NDArray[np.int64]:
        parts = [rows.known[name].astype(np.int64) for rows in self._rows]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self._row)

    def __getitem__(self, index: int) -> ActionClip:
        """One clip. Raises DataError when there is none of that number."""
        if not 0 <= index < len(self):
            raise DataError(f"{self.folder}: no clip {index}; there are {len(self)}, numbered from 0")
        rows: Rows = self._rows[self._batch[index]]
        return rows.clip(int(self._row[index]), self.skeleton.num_joints, self.dims)

    def __iter__(self) -> Iterator[ActionClip]:
        for index in range(len(self)):
            yield self[index]

    def __reduce__(self) -> tuple[Any, ...]:
        return ClipStore, (str(self.folder),)


def _read_manifest(folder: Path) -> _Facts:
    path = folder / MANIFEST
    if not path.is_file():
        raise FormatError(folder, f"no prepared clips ({MANIFEST} is not there); run `kinegraph data prepare` first")
    data = members(load_json(path), dict, path, "the file")
    if data.get("format") != FORMAT or data.get("version") != VERSION:
        found = f"{str(data.get('format'))[:30]!r} version {str(data.get('version'))[:10]}"
        raise FormatError(path, f"{found}; expected {FORMAT!r} version {VERSION}. Prepare the data again")
    if data.get("complete") is not True:
        raise FormatError(path, "the preparation is not finished; run the same `kinegraph data prepare` to go on")
    shards = tuple(str(name) for name in members(data.get("shards"), list, path, "'shards'"))
    for name in shards:
        if not _SHARD.fullmatch(name) or not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise FormatError(
                path, f"shard {name[:60]!r} is no file of this folder; expected names like {shard_name(0)}"
            )
    fps, dims, dtype = data.get("fps"), data.get("dims"), data.get("dtype")
    if not (fps is None or (isinstance(fps, int | float) and 0 < fps < 1e6)) or dims not in (2, 3):
        raise FormatError(path, f"fps {fps}, dims {dims}; expected a rate and 2 or 3. Prepare the data again")
    if dtype not in ("float32", "float16") or data.get("unit") not in ("m", "px", "normalized"):
        raise FormatError(path, f"dtype {dtype!r}, unit {data.get('unit')!r}; prepare the data again")
    if data.get("space") not in ("world", "camera", "image") or type(data.get("clips")) is not int:
        raise FormatError(path, f"space {data.get('space')!r}, clips {data.get('clips')!r}; prepare the data again")
    return _Facts(
        dataset=str(data.get("dataset")),
        skeleton=skeleton_from_field(data.get("skeleton"), path),
        fps=None if fps is None else float(fps),
        unit=data["unit"],
        space=data["space"],
        dims=dims,
        dtype=dtype,
        classes=tuple(str(name) for name in members(data.get("classes"), list, path, "'classes'")),
        fingerprint=str(data.get("fingerprint")),
        shards=shards,
        clips=data["clips"],
    )


def write_manifest_text(facts: dict[str, Any]) -> str:
    """The manifest of what was prepared."""
    return json.dumps({"format": FORMAT, "version": VERSION, **facts}, indent=1, ensure_ascii=False) + "\n"
