"""``mocap-folder``: anybody's own 3D recordings, filmed with sampled cameras, to train and test lifters on.

The cameras are those of ``mocap-lifting`` (four round every clip, placed by the clip's name). ``train/``, ``val/`` and
``test/`` directly under the folder are the splits; without a ``test/`` every fifth usable recording tests, without a
``val/`` every fifth of the others validates, always the same ones, in the order of their names. The folder directly
above a file (below the split's) names its action. Keep one person's recordings in one split: a network knows bodies.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinegraph.atomic import write_text
from kinegraph.datasets.assemble import Clip, assemble
from kinegraph.datasets.lifting_data import LiftingData, concatenate
from kinegraph.datasets.recordings import CMU_BVH_LEAD_IN, find_files
from kinegraph.errors import DataError, KinegraphError
from kinegraph.formats import detect, read
from kinegraph.geometry.cameras import CameraSampling
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import fill_gaps

__all__ = ["NAME", "SPLITS", "MocapFolder", "load", "prepare", "split_names"]

NAME = "mocap-folder"
SPLITS = ("train", "val", "test")
SEED = 1
_FPS = 60.0  # near which recordings are thinned
_EVERY = 5
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class MocapFolder:
    """The three splits, and what was left out: (file, reason)."""

    train: LiftingData
    val: LiftingData
    test: LiftingData
    bad: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, split: str) -> LiftingData:
        if split not in SPLITS:
            raise DataError(f"no split '{split}'; there are {', '.join(SPLITS)}")
        data: LiftingData = getattr(self, split)
        return data


@dataclass(frozen=True)
class _Recording:
    path: Path
    stated: str | None
    action: str


def _find(source: Path | str) -> list[_Recording]:
    """Every recording under a folder, by name, with the split that its folder states and its action.

    Raises:
        DataError: no such folder, or no motion in it.
    """
    root = Path(source)
    found = []
    for path in find_files(root):
        parts = path.relative_to(root).parts[:-1]
        stated = parts[0] if parts and parts[0] in SPLITS else None
        below = parts[1:] if stated else parts
        found.append(_Recording(path, stated, below[-1] if below else "motion"))
    return found


def split_names(stated: Sequence[str | None]) -> list[str]:
    """The split of each of some recordings in the order of their names, from those that are stated.

    Raises:
        DataError: a split would stay empty.
    """
    given = [split or "train" for split in stated]
    for split in ("test", "val"):
        if split not in stated:
            rest = [index for index, name in enumerate(given) if name == "train"]
            for index in rest[_EVERY - 1 :: _EVERY]:
                given[index] = split
    for split in SPLITS:
        if split not in given:
            raise DataError(
                f"{len(given)} usable recordings leave none for {split}; expected {_EVERY + 1} or more, "
                "or the folders train/, val/ and test/"
            )
    return given


def prepare(source: Path | str, out: Path | str) -> MocapFolder:
    """Film every recording: write ``train.npz``, ``val.npz``, ``test.npz``, ``bad.csv``, ``mocap-folder.json``.

    A recording that cannot be used (2D, no frame rate, joints missing throughout) stands in ``bad.csv`` with the
    reason, and stops nothing. The manifest is written last: a folder that has one is complete.

    Raises:
        DataError: a split would have no usable recording.
        KinegraphError: the folder cannot be written.
    """
    root, folder = Path(source), Path(out)
    bad: list[tuple[str, str]] = []
    filmed: list[tuple[_Recording, LiftingData]] = []
    fps: float | None = None
    for recording in _find(root):
        place = recording.path.relative_to(root)
        name = place.with_suffix("").as_posix()
        try:
            sequence = _whole(recording.path)
            rate = sequence.fps or _FPS
            fps = fps or rate / max(1, round(rate / _FPS))
            clip = Clip(sequence=sequence, name=name, action=recording.action, subject=recording.path.parent.name)
            filmed.append((recording, assemble([clip], name=name, cameras=CameraSampling(), seed=SEED, fps=fps)))
        except KinegraphError as error:
            bad.append((place.as_posix(), " ".join(str(error).split())))
    try:
        splits = split_names([recording.stated for recording, _ in filmed])
    except DataError as error:
        first = f"; {': '.join(bad[0])}" if bad else ""
        raise DataError(f"{root}: {error}{first}") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinegraphError(f"cannot make the folder {folder}: {error.strerror}; choose another") from error
    parts: dict[str, LiftingData] = {}
    for split in SPLITS:
        mine = [data for (_, data), name in zip(filmed, splits, strict=True) if name == split]
        parts[split] = concatenate(mine, f"{NAME}/{split}")
        parts[split].save(folder / f"{split}.npz")
    write_text(folder / "bad.csv", _table(bad))
    manifest = {
        "name": NAME,
        "version": _VERSION,
        "fps": fps,
        "recordings": {
            r.path.relative_to(root).as_posix(): split for (r, _), split in zip(filmed, splits, strict=True)
        },
        "poses": {split: len(parts[split]) for split in SPLITS},
        "fingerprints": {split: parts[split].fingerprint for split in SPLITS},
    }
    write_text(folder / f"{NAME}.json", json.dumps(manifest, indent=2) + "\n")
    return MocapFolder(**parts, bad=tuple(bad))


def load(source: Path | str) -> MocapFolder:
    """Read what :func:`prepare` wrote.

    Raises:
        DataError: it is no such folder.
    """
    folder = Path(source)
    if not (folder / f"{NAME}.json").is_file():
        raise DataError(f"{folder}: not prepared; run: kinegraph data prepare {NAME} --source {folder} --out DIR")
    train, val, test = (LiftingData.load(folder / f"{split}.npz") for split in SPLITS)
    return MocapFolder(train=train, val=val, test=test)


def _whole(path: Path) -> SkeletonSequence:
    """A recording in world metres, from the first to the last frame in which every joint is seen."""
    name = detect(path)
    sequence = read(path, format=name)
    if name == "bvh" and path.parent.parent.name == "cmu_bvh":
        sequence = sequence.slice_frames(CMU_BVH_LEAD_IN)
    if sequence.dims != 3 or sequence.unit != "m" or sequence.space != "world":
        found = f"{sequence.dims}D in {sequence.space} {sequence.unit}"
        raise DataError(f"{path.name}: {found}; filming needs 3D in world metres")
    if sequence.fps is None:
        raise DataError(f"{path.name}: no frame rate; convert it with --fps, and take the result")
    if sequence.up is None:
        sequence = sequence.replace(up="y")
    if not sequence.seen.all():
        sequence = fill_gaps(sequence)
    complete = np.flatnonzero(sequence.seen.all(axis=(0, 2)))
    if not len(complete):
        raise DataError(f"{path.name}: no frame in which every joint is seen; the truth must be complete")
    return sequence.slice_frames(int(complete[0]), int(complete[-1]) + 1)


def _table(bad: Sequence[tuple[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("file", "reason"))
    writer.writerows(bad)
    return stream.getvalue()
