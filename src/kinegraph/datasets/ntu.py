"""NTU RGB+D 60 and 120 for recognition: ``.skeleton`` files, their four splits, and the lists of missing samples.

A file's name ``SsssCcccPpppRrrrAaaa`` tells setup, camera, performer, replication and action. Coordinates are the
Kinect's, metres, 30 fps. A joint that is not tracked (state 0) is missing, as it is to :func:`kinegraph.load`. At most
two people are kept, those that move most (as 2s-AGCN: the sum over axes of the standard deviation of all their joints),
the liveliest first. The published lists name 302 (60) and 535 (120) samples with missing or broken skeletons; without
them 56,578 and 113,945 samples remain.

Source: Shahroudy et al., CVPR 2016; Liu et al., TPAMI 2020.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kinegraph.errors import DataError
from kinegraph.formats.motion.ntu_skeleton import FPS, parse_name, read_bodies
from kinegraph.formats.walk import recordings_in
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, liveliest, stamp

__all__ = ["ACTIONS", "PERFORMERS", "NtuSource", "name_fault", "read_missing", "trains"]

XSUB_60 = frozenset((1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38))
XSUB_120 = XSUB_60 | {
    *(45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87)),
    *(89, *range(91, 96), 97, 98, 100, 103),
}
ACTIONS = {"ntu60": 60, "ntu120": 120}
PERFORMERS = {"ntu60": 40, "ntu120": 106}

_RULES: Mapping[str, tuple[str, Callable[[int], bool]]] = {
    "ntu60-xsub": ("performer", XSUB_60.__contains__),
    "ntu60-xview": ("camera", (2, 3).__contains__),
    "ntu120-xsub": ("performer", XSUB_120.__contains__),
    "ntu120-xset": ("setup", lambda setup: setup % 2 == 0),
}
"""Protocol -> what it asks of a sample, and whether a sample of that number is of its training part."""

_STEM = re.compile(r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}")
_MOST_LIST_BYTES = 2**24
_MOST = {"setup": 32, "camera": 3, "performer": PERFORMERS["ntu120"], "replication": 2, "action": ACTIONS["ntu120"]}


def trains(protocol: str, *, performer: int = 0, camera: int = 0, setup: int = 0) -> bool | None:
    """Whether a sample is of the training part; None where the number that decides it is not known (0).

    Args:
        protocol: ``"ntu60-xsub"``, ``"ntu60-xview"``, ``"ntu120-xsub"`` or ``"ntu120-xset"``.
        performer, camera, setup: of the sample, from 1; what a protocol does not ask for may be left out.
    """
    asked, rule = _RULES[protocol]
    number = {"performer": performer, "camera": camera, "setup": setup}[asked]
    return rule(number) if number > 0 else None


def read_missing(path: Path | str) -> frozenset[str]:
    """Names of the samples that a list of missing skeletons holds: one a line, after lines of prose.

    Raises:
        DataError: unreadable, or no name in it.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_LIST_BYTES:
            raise DataError(f"{path}: too large for a list of names; expected e.g. S001C002P005R002A008 on each line")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    stems = frozenset(
        word.upper() for line in text.splitlines() if _STEM.fullmatch(word := line.strip().removesuffix(".skeleton"))
    )
    if not stems:
        raise DataError(f"{path}: no sample names; expected e.g. S001C002P005R002A008 on each line")
    return stems


class NtuSource(ClipSource):
    """A folder of ``.skeleton`` files at any depth.

    A file whose name is none of NTU RGB+D, or says an action, camera or performer that there is not, is a clip that
    cannot be read: so it is listed with the others that are damaged, and stops nothing.

    Args:
        source: the folder.
        dataset: ``"ntu60"`` (actions 1-60) or ``"ntu120"``.
        missing: lists of samples to leave out.
        people: keep at most so many in a clip.

    Raises:
        DataError: no such folder or data set, no sample in it, or a sample that is there twice.
    """

    unit = "m"
    space = "world"

    def __init__(
        self, source: Path | str, dataset: str = "ntu60", missing: tuple[Path | str, ...] = (), people: int = 2
    ) -> None:
        if dataset not in ACTIONS:
            raise DataError(f"no data set '{dataset}' of NTU RGB+D; there are {', '.join(ACTIONS)}")
        root = Path(source)
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; expected one of .skeleton files")
        left_out = frozenset[str]().union(*(read_missing(path) for path in missing))
        found: dict[str, Path] = {}
        odd: dict[str, Path] = {}
        others = skipped = 0
        for path in sorted(recordings_in(root, [".skeleton"]), key=lambda p: (p.stem, str(p))):
            if name_fault(path.stem) is not None:
                odd[path.relative_to(root).as_posix()] = path
            elif path.stem.upper() in left_out:
                skipped += 1
            elif int(path.stem[-3:]) > ACTIONS[dataset]:
                others += 1
            else:
                if path.stem.upper() in found:
                    raise DataError(f"{path}: the sample is there twice, also as {found[path.stem.upper()]}")
                found[path.stem.upper()] = path
        if not found:
            raise DataError(
                f"{root}: no samples of {dataset} ({len(odd)} .skeleton files have other names); expected files like "
                "S001C001P001R001A001.skeleton"
            )
        found |= odd
        self.dataset, self.people = dataset, people
        self.skeleton = get_skeleton("ntu25")
        self.fps = FPS
        self.classes = tuple(f"A{number:03d}" for number in range(1, ACTIONS[dataset] + 1))
        self.paths = tuple(found.values())
        self.names = tuple(found)
        notes = [f"{skipped} samples left out by the lists of missing skeletons"] if missing else []
        notes += [f"{others} samples left out: their actions are beyond the {ACTIONS[dataset]} of {dataset}"] * (
            others > 0
        )
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        return self.names[index]

    def stamp(self, index: int) -> str:
        return f"{stamp(self.paths[index])} tracked"  # shards in which all joints count are made anew

    def read(self, index: int) -> ActionClip:
        """One clip, see :meth:`ClipSource.read`.

        Raises:
            DataError: its name is none of a sample, or nobody is in it.
        """
        name, fault = parse_name(self.paths[index].stem), name_fault(self.paths[index].stem)
        if name is None or fault is not None:
            raise DataError(f"{self.paths[index]}: mislabelled, {fault}; rename it or leave it out")
        bodies = read_bodies(self.paths[index])
        if not bodies.identities:
            raise DataError(f"{self.paths[index]}: no body in any frame; leave the recording out")
        seen = bodies.seen
        positions = seen[liveliest(seen, self.people)]
        return ActionClip(
            name=self.names[index],
            label=name.action - 1,
            positions=positions.astype(np.float32),
            subject=f"P{name.performer:03d}",
            camera=name.camera,
            setup=name.setup,
        ).check()


def name_fault(stem: str) -> str | None:
    """What is wrong with the name of a file, without its suffix; None of a sample of NTU RGB+D, 60 or 120."""
    name = parse_name(stem)
    if name is None or not _STEM.fullmatch(stem.upper()):
        return "its name is not SsssCcccPpppRrrrAaaa"
    for (field, most), number in zip(_MOST.items(), name, strict=True):
        if not 1 <= number <= most:
            return f"{field} {number} in its name; expected 1 to {most}"
    return None
