"""Clips of a user's own labelled files (`labelled_files`), in any format the library reads.

All clips are on one skeleton at one rate: those stated, or those of the first file that can be read, and states a rate.
Joints are matched by name; of Acclaim clips those are read that the skeleton has more of. A world is turned to y up; at
most two people are kept, those that move most. 2D keypoints become fractions of the image where its size is known, from
the files or from the user; otherwise they stay as they are.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from kinegraph.axes import turned_y_up
from kinegraph.datasets.class_counts import alike
from kinegraph.datasets.evenly import evenly_spaced
from kinegraph.datasets.labelled_files import LabelledFile, files_by_class, indexed_files
from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.formats import read
from kinegraph.formats.any_source import acclaim_joints_of, read_source
from kinegraph.formats.keypoints.frame_folder import label_files
from kinegraph.formats.keypoints.openpose import frame_files
from kinegraph.formats.motion.asf_amc import find_asf
from kinegraph.sequence import UNIT_NAMES, SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.store.clip import ActionClip, ClipSource, clip_of, liveliest, stamp
from kinegraph.transforms.image_units import image_scale

__all__ = ["FolderSource", "recording_stamp"]

_LOOKED_AT = 60  # files, for their image size
_TRIED, _TRIED_EACH = 20, 3  # files at the head, and of every class, before all others


class FolderSource(ClipSource):
    """Labelled files.

    Args:
        source: the folder of class folders, one with an ``index.csv`` in it, or a CSV index itself.
        skeleton: layout of the clips; that of the first readable file if not given.
        fps: frames a second of the clips; if not given, those of the first readable file that states any, of the first
            twenty and three of every class. Files of unknown rate are taken as they are.
        people: keep at most so many people.
        image_size: width and height of the image in px, for 2D files that do not state it.

    Raises:
        DataError: no folder, no labelled files, folders beside the parts that belong to none, a malformed index, or
            nothing readable.
    """

    dataset = "folder"

    def __init__(
        self,
        source: Path | str,
        skeleton: Skeleton | None = None,
        fps: float | None = None,
        people: int = 2,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        root = Path(source)
        index = root if root.suffix.lower() == ".csv" else root / "index.csv"
        if not (root.is_dir() or index.is_file()):
            raise DataError(f"{root}: no such folder or index; expected one folder for each class, or a CSV index")
        items, self.notes = (indexed_files(index), ()) if index.is_file() else files_by_class(root)
        self.items = tuple(items)
        self.classes = tuple(sorted({item.label for item in self.items}))
        self.people = people
        first = self._example(root)
        self.skeleton = skeleton or first.skeleton
        self._acclaim_joints = acclaim_joints_of(self.skeleton)
        self.fps = fps if fps is not None else first.fps or self._rate()
        self.dims, self.unit = first.dims, first.unit
        self.space = first.space if first.space == "image" else "world"
        self.image_size = image_size
        if image_size is not None and self.space != "image":
            raise DataError(f"{root}: an image size is stated, and the files hold {self.dims}D motion; leave it out")
        if self.unit == "px" and (image_size or first.image_size):
            self.unit = "normalized"
        without = sum(not item.splits for item in self.items)
        if 0 < without < len(self.items):
            self.notes += (
                f"{without} of {len(self.items)} clips name no split and are in no part, as others name one",
            )
        for names in alike(self.classes):
            self.notes += (
                f"{' and '.join(names)} are {len(names)} classes, which differ in capitals, spaces or accents alone; "
                "where one is meant, give them one name",
            )
        if self.unit == "px":
            self.notes += (
                f"2D keypoints in px, and the image size is not stated{self._unsized()}: all stay px; --image-size "
                "1280x720 makes them fractions of the image, which the pre-normalisation pyskl needs",
            )

    def _example(self, root: Path) -> SkeletonSequence:
        """The first file that can be read: what must be known of all is known from it."""
        reason = ""
        for item in dict.fromkeys([*self._tried(), *self.items]):
            try:
                return read(item.path)
            except KinegraphError as error:
                reason = reason or str(error)
            except Exception as error:  # as while preparing: a reader does not know every way in which a file is broken
                reason = reason or f"{item.path}: {type(error).__name__}: {error}".replace("\n", " ")[:300]
        raise DataError(f"{root}: none of {len(self.items)} files can be read; {reason}")

    def _tried(self) -> list[LabelledFile]:
        """Those at the head, and some of every class."""
        seen: Counter[str] = Counter()
        few: list[LabelledFile] = []
        for item in self.items:
            seen[item.label] += 1
            if seen[item.label] <= _TRIED_EACH:
                few.append(item)
        return list(dict.fromkeys([*self.items[:_TRIED], *few]))

    def _rate(self) -> float | None:
        """Frames a second of the first file that states them, where the first of all does not."""
        for item in self._tried():
            try:
                fps = read(item.path).fps
            except Exception:  # what cannot be read is said when it is prepared
                continue
            if fps is not None:
                return fps
        return None

    def _unsized(self) -> str:
        """Which of the files do not state the size, where others do; of many, some are looked at."""
        files = [item for item in self.items if not item.path.is_dir()]  # folders of frames never state it
        looked = [files[row] for row in evenly_spaced(np.arange(len(files)), _LOOKED_AT)]
        without, stated = [], 0
        for item in looked:
            try:
                size = read(item.path).image_size
            except Exception:  # what cannot be read is said when it is prepared
                continue
            stated += size is not None
            without += [item.name] * (size is None)
        if not stated:
            return ""
        names = ", ".join(without[:3]) + (f" and {len(without) - 3} more" if len(without) > 3 else "")
        of = "files" if len(looked) == len(self.items) else f"files looked at (of {len(self.items)})"
        return f" by {len(without)} of {len(without) + stated} {of} ({names})"

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        return self.items[index].name

    def stamp(self, index: int) -> str:
        item = self.items[index]
        size = "" if self.image_size is None else f" {self.image_size}"
        joints = " starts" if self._acclaim_joints == "starts" and item.path.suffix.lower() == ".amc" else ""
        return (
            f"{recording_stamp(item.path)} {item.label} {item.splits} {item.subject} {item.camera} {item.setup}{size}"
            f"{joints}"
        )

    def read(self, index: int) -> ActionClip:
        """One clip, see :meth:`ClipSource.read`.

        Raises:
            DataError: other dimensions or another unit than the others, or nobody is seen.
        """
        item = self.items[index]
        sequence = read_source(item.path, acclaim_joints=self._acclaim_joints)
        if self.space == "image" and sequence.space == "image" and sequence.unit != self.unit:
            sequence = self._in_unit(sequence, item.path)
        if sequence.dims != self.dims or sequence.unit != self.unit:
            raise DataError(
                f"{item.path}: {sequence.dims}D in {sequence.unit}; expected {self.dims}D in {self.unit}, as the others"
            )
        sequence = sequence.to_skeleton(self.skeleton)
        if self.fps is not None and sequence.fps is not None:
            sequence = sequence.resample(self.fps)
        if self.dims == 3:
            sequence = turned_y_up(sequence)
        present = [person for person in liveliest(sequence.positions, self.people) if sequence.seen[person].any()]
        if not present:
            raise DataError(f"{item.path}: nobody is seen")
        return clip_of(
            sequence.select_people(present),
            name=item.name,
            label=self.classes.index(item.label),
            keep_confidence=self.dims == 2,
            subject=item.subject,
            camera=item.camera,
            setup=item.setup,
            splits=item.splits,
        )

    def _in_unit(self, sequence: SkeletonSequence, path: Path) -> SkeletonSequence:
        """In the unit of the others."""
        scale = image_scale(sequence, self.unit, self.image_size)
        if scale is None:
            raise DataError(
                f"{path}: keypoints in {UNIT_NAMES[sequence.unit]} without an image size; the others are in "
                f"{UNIT_NAMES[self.unit]}. State the size (--image-size 1280x720)"
            )
        return sequence.replace(positions=sequence.positions * scale, unit=self.unit)


def recording_stamp(path: Path) -> str:
    """Of all that a recording is read from: its file and the skeleton of an AMC, or the frames in a folder.

    Raises:
        DataError: it is gone, or a folder without frames.
    """
    if path.is_dir():
        frames = [file.stat() for file in frame_files(path) or label_files(path)]
        if not frames:
            raise DataError(f"{path}: no frames in this folder; expected OpenPose's *_keypoints.json or YOLO's *.txt")
        return f"{len(frames)} frames {sum(f.st_size for f in frames)}:{max(f.st_mtime_ns for f in frames)}"
    if path.suffix.lower() != ".amc":
        return stamp(path)
    try:
        return f"{stamp(path)} {stamp(find_asf(path))}"
    except FormatError:
        return f"{stamp(path)} without a skeleton"
