"""One labelled clip, and where clips come from. NumPy alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.naming import as_text
from kinegraph.sequence import SkeletonSequence, Space, Unit
from kinegraph.skeleton import Skeleton

__all__ = ["ActionClip", "ClipSource", "Clips", "absent", "clip_of", "liveliest", "stamp"]


_ROUNDED_M = 1e-3
"""What float32 may round a clip's places by."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionClip:
    """One recording in which somebody does something.

    Attributes:
        name: tells it apart from every other of its data set; text that can be written (:func:`naming.as_text`).
        label: index of the action; -1 unknown.
        positions: ``(people, frames, joints, dims)`` float; NaN where a joint, or a whole person, is not there.
        confidence: ``(people, frames, joints)`` in 0..1, or None where the recording has none: 1 wherever there is
            a position.
        subject: who; "" unknown.
        camera: which view, from 1; 0 unknown.
        setup: which arrangement of cameras, from 1; 0 unknown.
        splits: the parts of the data set it stands in, as its files say ("xsub_train"); most have none.

    Raises:
        DataError: shapes that do not fit, nobody in any frame, an infinite value or a confidence outside 0..1.
    """

    name: str
    label: int
    positions: NDArray[np.floating]
    confidence: NDArray[np.floating] | None = None
    subject: str = ""
    camera: int = 0
    setup: int = 0
    splits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text(self.name))
        object.__setattr__(self, "subject", as_text(self.subject))
        shape = self.positions.shape
        if len(shape) != 4 or shape[3] not in (2, 3) or 0 in shape:
            raise DataError(
                f"{self.name}: positions {shape}; expected (people, frames, joints, 2 or 3), none of them 0"
            )
        if self.confidence is not None and self.confidence.shape != shape[:3]:
            raise DataError(f"{self.name}: confidence {self.confidence.shape}; expected {shape[:3]}")

    @property
    def people(self) -> int:
        """Number of people."""
        return int(self.positions.shape[0])

    @property
    def frames(self) -> int:
        """Number of frames."""
        return int(self.positions.shape[1])

    @property
    def present(self) -> NDArray[np.bool_]:
        """``(people, frames)``: whether anything is seen of this person."""
        return np.asarray(np.isfinite(self.positions).any(axis=(2, 3)))

    def check(self) -> ActionClip:
        """Itself, with values looked at. Raises DataError: infinite values, nobody at all, or a bad confidence."""
        if np.isinf(self.positions).any():
            raise DataError(f"{self.name}: infinite coordinates; the recording is damaged")
        if not np.isfinite(self.positions).any():
            raise DataError(f"{self.name}: nobody in any frame; leave the recording out")
        if self.confidence is not None and not ((self.confidence >= 0) & (self.confidence <= 1)).all():
            raise DataError(f"{self.name}: a confidence is outside 0..1")
        return self


class ClipSource(ABC):
    """Clips in a fixed order, each read when it is asked for; sent to other processes as it is.

    Attributes:
        dataset: name of the data set, as in ``kinegraph data list``.
        skeleton: the joint axis of every clip.
        fps: frames a second; None where it is not known.
        unit, space: as in :class:`~kinegraph.sequence.SkeletonSequence`; a world has y up.
        dims: 2 or 3.
        classes: names of the labels.
        people: how many are kept in a clip; None all.
        notes: what was assumed, for people.
    """

    dataset: str
    skeleton: Skeleton
    fps: float | None
    dims: int = 3
    unit: Unit = "m"
    space: Space = "world"
    classes: tuple[str, ...] = ()
    people: int | None = None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int:
        """Number of clips, damaged ones included."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Name of a clip, without reading it."""

    @abstractmethod
    def stamp(self, index: int) -> str:
        """Changes when the clip's file does, or what is known about it beside its name."""

    @abstractmethod
    def read(self, index: int) -> ActionClip:
        """One clip.

        Raises:
            KinegraphError: it is damaged; the others are not concerned.
        """

    def __iter__(self) -> Iterator[ActionClip]:
        for index in range(len(self)):
            yield self.read(index)


class Clips(ABC):
    """Clips that can be had at random, and what is known of all of them without reading one.

    Attributes:
        folder: where they are.
        dataset, skeleton, fps, unit, space, dims, classes: as of the source they come from.
        fingerprint: SHA-256 of the content.
        names, subjects, splits: of every clip.
        labels, cameras, setups, people, frames: ``(clips,)`` integers.
    """

    folder: Path
    dataset: str
    skeleton: Skeleton
    fps: float | None
    unit: Unit
    space: Space
    dims: int
    classes: tuple[str, ...]
    fingerprint: str
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    splits: tuple[tuple[str, ...], ...]
    labels: NDArray[np.int64]
    cameras: NDArray[np.int64]
    setups: NDArray[np.int64]
    people: NDArray[np.int64]
    frames: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def __getitem__(self, index: int) -> ActionClip:
        """One clip. Raises DataError when there is none of that number."""


def stamp(path: Path) -> str:
    """Size and time of a file. Raises DataError when it is gone."""
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def clip_of(
    sequence: SkeletonSequence,
    *,
    name: str,
    label: int,
    keep_confidence: bool = False,
    **known: Any,
) -> ActionClip:
    """A sequence as a clip of float32; what is not seen is NaN.

    What stands so far from the origin that float32 would round it by more than a millimetre (from 33 km on) is brought
    there, along those axes alone and by one step for the whole clip. How people move and stand to each other is kept;
    where on earth they do, no pre-normalisation but ``none`` asks.

    Args:
        sequence: positions and confidence.
        name, label: of the clip.
        keep_confidence: for keypoints of detectors; otherwise a joint is there or not.
        known: further fields of :class:`ActionClip` (subject, camera, setup, splits).
    """
    assert sequence.confidence is not None
    positions = sequence.positions if sequence.unit != "m" else _near(sequence.positions)
    return ActionClip(
        name=name,
        label=label,
        positions=np.asarray(positions, dtype=np.float32),
        confidence=np.asarray(sequence.confidence, dtype=np.float32) if keep_confidence else None,
        **known,
    ).check()


def _near(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions ``(..., dims)`` m, along the axes on which float32 would round them badly moved to the origin."""
    flat = positions.reshape(-1, positions.shape[-1])
    flat = flat[np.isfinite(flat).all(axis=-1)]
    if not len(flat):
        return positions
    low, high = flat.min(axis=0), flat.max(axis=0)
    farthest = np.maximum(-low, high)
    rounded = np.spacing(farthest.astype(np.float32)) / 2 > _ROUNDED_M
    return positions - np.where(rounded, np.round((low + high) / 2), 0.0) if rounded.any() else positions


def liveliest(positions: NDArray[np.floating], most: int | None = None) -> list[int]:
    """Who of ``(people, frames, joints, dims)`` moves most, the liveliest first; at most `most` of them.

    The measure is that of 2s-AGCN: the standard deviation over all frames and joints, summed over the axes.
    """
    energy = []
    for one in positions:
        seen = one[np.isfinite(one).all(axis=-1)]
        energy.append(float(seen.std(axis=0, dtype=np.float64).sum()) if len(seen) else -1.0)
    return sorted(range(len(positions)), key=lambda person: (-energy[person], person))[:most]


def absent(positions: NDArray[np.floating]) -> NDArray[np.floating]:
    """Dense arrays ``(people, frames, joints, dims)`` as a clip: people who are all zeros in a frame become NaN there,
    people without any frame and the frames after the last with anybody are cut off."""
    there = (positions != 0).any(axis=(2, 3))
    last = int(np.flatnonzero(there.any(axis=0)).max(initial=-1)) + 1
    kept = np.flatnonzero(there.any(axis=1))
    shown = there[kept, :last, None, None]
    return np.where(shown, positions[kept, :last], np.nan).astype(positions.dtype)
