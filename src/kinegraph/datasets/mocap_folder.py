"""``mocap-folder``: anybody's own 3D recordings, filmed with sampled cameras, to train and test lifters on.

The cameras are those of ``mocap-lifting`` (four round every clip, placed by the clip's name). ``train/``, ``val/`` and
``test/`` directly under the folder are the splits; without a ``test/`` a fifth of the usable recordings tests, without
a ``val/`` a fifth of the others validates, those whose names have the lowest hashes: the same ones on every machine,
and one recording more moves one at most from one split to another. The folder directly above a file (below the
split's) names its action. Keep one person's recordings in one split: a network knows bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinegraph.atomic import write_csv
from kinegraph.datasets.assemble import Clip, assemble
from kinegraph.datasets.cmu_files import without_lead_in
from kinegraph.datasets.lifting_data import LiftingData, concatenate
from kinegraph.datasets.prepared_splits import SPLITS, PreparedSplits, read_splits, refuse_other, write_splits
from kinegraph.datasets.recordings import file_name, find_files
from kinegraph.datasets.seen_clips import name_hash
from kinegraph.errors import DataError, KinegraphError
from kinegraph.folder_lock import folder_lock
from kinegraph.formats import read
from kinegraph.geometry.cameras import CameraSampling
from kinegraph.naming import as_text, without_folder
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.gaps import fill_gaps

__all__ = ["NAME", "MocapFolder", "load", "prepare", "recording_names", "split_names"]

NAME = "mocap-folder"
SEED = 1
_FPS = 60.0  # near which recordings are thinned
_EVERY = 5
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class MocapFolder(PreparedSplits):
    """The three splits, and what was left out: (file, reason)."""

    bad: tuple[tuple[str, str], ...]


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
        found.append(_Recording(path, stated, as_text(below[-1]) if below else "motion"))
    return found


def split_names(names: Sequence[str], stated: Sequence[str | None]) -> list[str]:
    """The split of each of some recordings, from their names and the splits that are stated.

    Raises:
        DataError: a split would stay empty.
    """
    given = [split or "train" for split in stated]
    for split in ("test", "val"):
        if split not in stated:
            rest = [index for index, name in enumerate(given) if name == "train"]
            rest.sort(key=lambda index: name_hash(names[index]))
            for index in rest[: len(rest) // _EVERY]:
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
    reason, and stops nothing.

    Raises:
        DataError: a split would have no usable recording.
        KinegraphError: the folder cannot be written, or another process prepares data there.
    """
    root = Path(source)
    found = _find(root)
    refuse_other(Path(out), NAME)
    with folder_lock(out) as folder:
        filmed, bad, fps = _film(found, root)
        try:
            names = [file_name(recording.path, root) for recording, _ in filmed]
            given = split_names(names, [recording.stated for recording, _ in filmed])
        except DataError as error:
            first = f"; {': '.join(bad[0])}" if bad else ""
            raise DataError(f"{root}: {error}{first}") from None
        parts = {
            split: concatenate(
                [data for (_, data), own in zip(filmed, given, strict=True) if own == split], f"{NAME}/{split}"
            )
            for split in SPLITS
        }
        splits = MocapFolder(**parts, bad=tuple(bad))
        write_csv(folder / "bad.csv", ("file", "reason"), bad)
        places = [as_text(recording.path.relative_to(root).as_posix()) for recording, _ in filmed]
        facts = {"version": _VERSION, "fps": fps, "recordings": dict(zip(places, given, strict=True))}
        write_splits(splits, folder, NAME, facts)
    return splits


def _film(
    recordings: Sequence[_Recording], root: Path
) -> tuple[list[tuple[_Recording, LiftingData]], list[tuple[str, str]], float | None]:
    """Those that can be used, as cameras see them; file and reason of the others; the rate, Hz, of all poses."""
    filmed: list[tuple[_Recording, LiftingData]] = []
    bad: list[tuple[str, str]] = []
    fps: float | None = None
    for recording in recordings:
        place = recording.path.relative_to(root)
        name, subject = file_name(recording.path, root), as_text(recording.path.parent.name)
        try:
            sequence = _whole(recording.path)
            rate = sequence.fps or _FPS
            common = fps or rate / max(1, round(rate / _FPS))  # the first one's, thinned: it needs no resampling
            clip = Clip(sequence=sequence, name=name, action=recording.action, subject=subject)
            filmed.append((recording, assemble([clip], name=name, cameras=CameraSampling(), seed=SEED, fps=common)))
            fps = common  # no earlier: a file that cannot be filmed has no say
        except KinegraphError as error:
            bad.append((as_text(place.as_posix()), without_folder(" ".join(str(error).split()), root)))
    return filmed, bad, fps


def load(source: Path | str) -> PreparedSplits:
    """Read what :func:`prepare` wrote.

    Raises:
        DataError: it is no such folder.
    """
    return read_splits(source, NAME)


def recording_names(data: LiftingData) -> list[str]:
    """The recordings, a person of several by itself, of which a split holds poses: without their parts and cameras."""
    return sorted({data.clip_names[clip].rsplit("/", 2)[0] for clip in np.unique(data.clip).tolist()})


def _whole(path: Path) -> SkeletonSequence:
    """A recording in world metres, from the first to the last frame in which every joint is seen."""
    sequence = without_lead_in(read(path), path)
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
