"""A user's own labelled files, in any format the library reads: a folder for each class, or a CSV index.

Folders: ``<source>/<class>/**/file``, and a folder of OpenPose frames is one clip as a file is; with
``<source>/train/<class>/`` and ``<source>/test/<class>/`` (or ``val``) the parts are kept apart, without them a fifth
of every class tests. Index: a CSV with the columns ``file`` and ``label`` and, where known, ``split`` (train, val or
test), ``subject``, ``camera``, ``setup``; files are named relative to it, inside its folder.

All clips are on one skeleton at one rate: those stated, or those of the first file that can be read. Joints are matched
by name. A world is turned to y up; at most two people are kept, those that move most. 2D keypoints become fractions of
the image where its size is known, from the files or from the user; otherwise they stay as they are.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from kinegraph.errors import DataError, FormatError, KinegraphError
from kinegraph.formats import formats, read
from kinegraph.formats.asf_amc import find_asf
from kinegraph.formats.export import turned_y_up
from kinegraph.formats.openpose import frame_files
from kinegraph.formats.walk import recordings_in
from kinegraph.sequence import UNIT_NAMES, SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.store.clip import ActionClip, ClipSource, clip_of, liveliest, stamp
from kinegraph.transforms.image_units import image_scale

__all__ = ["FolderSource", "recording_stamp"]

_PARTS = ("train", "val", "test")
_TRIED = 20
_MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class _Item:
    """One file and what is known of it."""

    name: str
    path: Path
    label: str
    splits: tuple[str, ...] = ()
    subject: str = ""
    camera: int = 0
    setup: int = 0


class FolderSource(ClipSource):
    """Labelled files.

    Args:
        source: the folder of class folders, one with an ``index.csv`` in it, or a CSV index itself.
        skeleton: layout of the clips; that of the first readable file if not given.
        fps: frames a second of the clips; those of the first readable file if not given. Files of unknown rate are
            taken as they are.
        people: keep at most so many people.
        image_size: width and height of the image in px, for 2D files that do not state it.

    Raises:
        DataError: no folder, no labelled files, a malformed index, or nothing readable among the first files.
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
        self.items = tuple(_indexed(index) if index.is_file() else _foldered(root))
        self.classes = tuple(sorted({item.label for item in self.items}))
        self.people = people
        first = self._example()
        self.skeleton = skeleton or first.skeleton
        self.fps = fps if fps is not None else first.fps
        self.dims, self.unit = first.dims, first.unit
        self.space = first.space if first.space == "image" else "world"
        self.image_size = image_size
        if image_size is not None and self.space != "image":
            raise DataError(f"{root}: an image size is stated, and the files hold {self.dims}D motion; leave it out")
        if self.unit == "px" and (image_size or first.image_size):
            self.unit = "normalized"
        without = sum(not item.splits for item in self.items)
        if 0 < without < len(self.items):
            self.notes = (f"{without} of {len(self.items)} clips name no split and are in no part, as others name one",)
        if self.unit == "px":
            self.notes += (
                "2D keypoints in px, and the image size is not stated: they stay px; --image-size 1280x720 makes them "
                "fractions of the image, which the pre-normalisation pyskl needs",
            )

    def _example(self) -> SkeletonSequence:
        reason: KinegraphError | None = None
        for item in self.items[:_TRIED]:
            try:
                return read(item.path)
            except KinegraphError as error:
                reason = reason or error
        raise DataError(f"none of the first {min(len(self.items), _TRIED)} files can be read; {reason}")

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        return self.items[index].name

    def stamp(self, index: int) -> str:
        item = self.items[index]
        size = "" if self.image_size is None else f" {self.image_size}"
        return (
            f"{recording_stamp(item.path)} {item.label} {item.splits} {item.subject} {item.camera} {item.setup}{size}"
        )

    def read(self, index: int) -> ActionClip:
        item = self.items[index]
        sequence = read(item.path)
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
    """Of all that a recording is read from: its file and the skeleton of an AMC, or the frames in a folder."""
    if path.is_dir():
        frames = [file.stat() for file in frame_files(path)]
        return f"{len(frames)} frames {sum(f.st_size for f in frames)}:{max(f.st_mtime_ns for f in frames)}"
    if path.suffix.lower() != ".amc":
        return stamp(path)
    try:
        return f"{stamp(path)} {stamp(find_asf(path))}"
    except FormatError:
        return f"{stamp(path)} without a skeleton"


def _foldered(root: Path) -> list[_Item]:
    """Files under class folders."""
    suffixes = {suffix for info in formats() if info.reads for suffix in info.suffixes} - {".asf"}
    parts = [part for part in _PARTS if (root / part).is_dir()]
    if "train" not in parts:
        parts = []  # a class may well be called "test"
    found = []
    for part in parts or [""]:
        for folder in sorted(item for item in (root / part).iterdir() if item.is_dir()):
            for path in recordings_in(folder, suffixes):
                found.append(_Item(path.relative_to(root).as_posix(), path, folder.name, (part,) if part else ()))
    if not found:
        raise DataError(f"{root}: no labelled files; expected <class>/<file>, or an index.csv with file and label")
    return found


def _indexed(path: Path) -> list[_Item]:
    """Rows of a CSV index."""
    root = path.parent.resolve()
    found: list[_Item] = []
    taken: set[Path] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            if not {"file", "label"} <= set(columns):
                raise DataError(
                    f"{path}: columns {', '.join(columns)[:80] or 'none'}; expected at least file and label"
                )
            for row in reader:
                line = reader.line_num
                name, label = (row["file"] or "").strip(), (row["label"] or "").strip()
                if not name or not label:
                    raise DataError(f"{path}: line {line} has no {'label' if name else 'file'}; fill it in")
                file = (root / name).resolve()
                if not file.is_relative_to(root):
                    raise DataError(
                        f"{path}: line {line}, '{name[:60]}' lies outside {root}; put the index above the files"
                    )
                if file in taken:  # however it is spelt: it would train and test
                    raise DataError(f"{path}: line {line}, '{name[:60]}' stands twice; expected one row for each file")
                taken.add(file)
                split = (row.get("split") or "").strip().lower()
                if split and split not in _PARTS:
                    raise DataError(
                        f"{path}: line {line}, split is '{split[:20]}'; expected {', '.join(_PARTS)}, or nothing"
                    )
                found.append(
                    _Item(
                        name,
                        file,
                        label,
                        (split,) if split else (),
                        (row.get("subject") or "").strip(),
                        _count(row.get("camera"), path, line, "camera"),
                        _count(row.get("setup"), path, line, "setup"),
                    )
                )
                if len(found) > _MOST_ROWS:
                    raise DataError(f"{path}: more than {_MOST_ROWS:,} rows; expected an index of files")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable CSV ({error}); expected UTF-8 with file,label") from None
    if not found:
        raise DataError(f"{path}: no rows; expected a file and a label on each")
    return found


def _count(text: str | None, path: Path, line: int, column: str) -> int:
    text = (text or "").strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise DataError(f"{path}: line {line}, {column} is '{text[:20]}'; expected a number from 1, or nothing")
    return int(text)
