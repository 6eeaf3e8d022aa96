"""HDM05, eleven classes: AMC clips of five subjects (protocols ``hdm05-11`` and ``hdm05-11-one``).

``train/<class 1-11>/`` holds subjects bd, bk, dg (189 clips), ``test/<class>/`` mm and tr (99); each subject's skeleton
is ``HDM_<subject>.asf`` beside them. 31 joints in metres, y up, 120 fps.

Data: Mueller et al., Documentation Mocap Database HDM05, Bonn 2007; CC BY-SA 3.0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from kinegraph.errors import DataError
from kinegraph.formats.motion import asf_amc
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, clip_of, stamp

__all__ = ["CLASSES", "SUBJECTS", "Hdm05File", "Hdm05Source", "hdm05_files", "named_subject"]

CLASSES = (
    "deposit on the floor",
    "elbow to knee",
    "grab",
    "hop",
    "jog",
    "kick",
    "lie down",
    "rotate arms",
    "sneak",
    "squat",
    "throw",
)
SUBJECTS = {"train": ("bd", "bk", "dg"), "test": ("mm", "tr")}
COUNTS = {"train": 189, "test": 99}
FPS = 120.0
_NAME = re.compile(r"HDM_(?P<subject>[A-Za-z]+)_.+")


def named_subject(path: Path) -> str | None:
    """The subject that a name like HDM05's tells, "bd" of HDM_bd_clap.amc; None of any other name."""
    match = _NAME.fullmatch(path.stem)
    return match["subject"].lower() if match else None


class Hdm05File(NamedTuple):
    """One clip of HDM05."""

    path: Path
    asf: Path
    """Its subject's skeleton."""
    label: int
    """Index of its class."""
    subject: str
    part: str
    """``train`` or ``test``."""


def hdm05_files(root: Path) -> list[Hdm05File]:
    """The clips under the folder with ``train/`` and ``test/``: train before test, class by class, by name.

    Raises:
        DataError: a clip of an unknown subject or in the wrong part, or a missing skeleton.
    """
    found: list[Hdm05File] = []
    for part, subjects in SUBJECTS.items():
        for label in range(len(CLASSES)):
            paths = (p for p in (root / part / str(label + 1)).glob("*") if p.suffix.lower() == ".amc")
            for path in sorted(paths, key=lambda p: p.name.lower()):
                subject = named_subject(path) or ""
                if subject not in subjects:
                    raise DataError(
                        f"{path}: '{subject or path.stem}' is no subject of {part}; expected "
                        f"HDM_<subject>_... with {', '.join(subjects)}"
                    )
                asf = root / f"HDM_{subject}.asf"
                if not asf.is_file():
                    raise DataError(f"{path}: its skeleton {asf} is missing")
                found.append(Hdm05File(path, asf, label, subject, part))
    return found


class Hdm05Source(ClipSource):
    """The clips of HDM05-11, train before test, class by class.

    Args:
        source: the folder with ``train/`` and ``test/``, or the one with ``hdm05/`` in it.

    Raises:
        DataError: not there, a clip of an unknown subject or in the wrong part, or a missing skeleton.
    """

    dataset = "hdm05-11"
    fps = FPS
    unit = "m"
    space = "world"
    classes = CLASSES

    def __init__(self, source: Path | str) -> None:
        root = next((p for p in (Path(source), Path(source) / "hdm05") if (p / "train").is_dir()), None)
        if root is None:
            raise DataError(
                f"{source}: no HDM05 here; expected train/1-11/*.amc, test/1-11/*.amc and HDM_<subject>.asf"
            )
        self.skeleton = get_skeleton("hdm05_31")
        self.items = tuple(hdm05_files(root))
        if not self.items:
            raise DataError(f"{root}: no AMC files; expected train/1-11/*.amc and test/1-11/*.amc")
        there = {part: sum(item.part == part for item in self.items) for part in COUNTS}
        if there != COUNTS:
            self.notes = (f"{there['train']} train and {there['test']} test clips; the published set has 189 and 99",)

    def __len__(self) -> int:
        return len(self.items)

    def name(self, index: int) -> str:
        path, _, label, _, part = self.items[index]
        return f"{part}/{label + 1}/{path.stem}"

    def stamp(self, index: int) -> str:
        path, asf, *_ = self.items[index]
        return f"{stamp(path)} {stamp(asf)}"

    def read(self, index: int) -> ActionClip:
        path, asf, label, subject, part = self.items[index]
        sequence = asf_amc.read(path, asf=asf, fps=FPS).to_skeleton(self.skeleton, minimum=1.0)
        return clip_of(sequence, name=self.name(index), label=label, subject=subject, splits=(part,))
