"""``mocap-lifting``: the free lifting benchmark. HDM05 and CMU motion seen through sampled cameras.

Test: HDM05 subjects mm and tr (11 actions), neither of whom is in training. Train: HDM05 bd, bk, dg and CMU.
Validation is carved out of train *by clip* with no randomness: every sixth HDM05 clip of each class in the
order of their names (bodies and actions also trained on), and all of CMU subjects 02 and 12 (bodies and styles
that are not). A clip found both as ASF/AMC and as BVH is used once, as ASF/AMC, which keeps the true body size.

Recordings are 120 fps; the benchmark is 60 fps, near Human3.6M's 50. Each clip gets four cameras from
:func:`kinegraph.geometry.cameras.sample_cameras`, seeded by its name. The CMU BVH files begin with a
calibration pose and swing into the motion over five frames (hands at 20 m/s): those six frames are dropped.
The BVH files all share one body, whose shoulders are narrower (23 cm) and shins longer than those of the ASF rigs.

Data: HDM05 (Mueller et al., 2007, CC BY-SA 3.0); mocap.cs.cmu.edu (funded by NSF EIA-0196217).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from kinegraph.atomic import made_folder
from kinegraph.datasets.assemble import Clip, assemble
from kinegraph.datasets.cmu_files import named_subject, without_lead_in
from kinegraph.datasets.hdm05 import hdm05_files
from kinegraph.datasets.prepared_splits import (
    SPLITS,
    PreparedSplits,
    is_prepared,
    read_splits,
    refuse_other,
    write_splits,
)
from kinegraph.errors import DataError, FormatError
from kinegraph.folder_lock import folder_lock
from kinegraph.formats.motion import asf_amc, bvh
from kinegraph.geometry.cameras import CameraSampling
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

NAME = "mocap-lifting"
FPS = 60.0
SEED = 1
VERSION = 2  # raise when the same files would give other poses: it is part of the cache key

ACTIONS = (
    "deposit_floor",
    "elbow_to_knee",
    "grab_high",
    "hop",
    "jog_circle",
    "kick",
    "lie_down",
    "rotate_arms",
    "sneak",
    "squat",
    "throw_basketball",
    "cmu",
)
"""HDM05 classes 1-11 in folder order; all of CMU is one "action", which only train and validation contain."""

VALIDATION_CMU_SUBJECTS = ("02", "12")
VALIDATION_EVERY = 6


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One file of the benchmark: where it is and what it counts as."""

    name: str
    path: Path
    asf: Path | None
    action: str
    subject: str
    split: str


def benchmark_recordings(source: Path | str, extra: Sequence[Path | str] = ()) -> list[Recording]:
    """Every recording of the benchmark under ``source`` and further CMU folders ``extra``, ordered by name.

    Args:
        source: a folder holding ``hdm05/``, ``cmu_asfamc/`` and ``cmu_bvh/``.
        extra: folders holding more of ``cmu_asfamc/`` and ``cmu_bvh/`` (the unpacked ``cmu_more.tar.xz``).

    Raises:
        DataError: no HDM05 there, a skeleton file is missing, or a file is not named after a subject of its part.
    """
    roots = [Path(source), *(Path(folder) for folder in extra)]
    for root in roots:
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; give the one holding hdm05/, cmu_asfamc/, cmu_bvh/")
    found = _hdm05(roots[0])
    skeletons: dict[str, Path] = {}
    for root in roots:
        for asf in sorted((root / "cmu_asfamc").glob("*/*.asf")):
            skeletons.setdefault(asf.stem, asf)
    cmu: dict[str, Recording] = {}
    for folder, suffix in (("cmu_asfamc", ".amc"), ("cmu_bvh", ".bvh")):
        for root in roots:
            for path in sorted((root / folder).glob(f"*/*{suffix}")):
                subject = named_subject(path)
                if subject is None:
                    raise DataError(f"{path}: the name is not SUBJECT_CLIP{suffix}, as CMU's are")
                if suffix == ".amc" and subject not in skeletons:
                    raise DataError(f"{path}: its skeleton {subject}.asf is in none of the folders")
                split = "val" if subject in VALIDATION_CMU_SUBJECTS else "train"
                asf_path = skeletons[subject] if suffix == ".amc" else None
                recording = Recording(
                    name=f"cmu/{path.stem}",
                    path=path,
                    asf=asf_path,
                    action="cmu",
                    subject=f"cmu{subject}",
                    split=split,
                )
                cmu.setdefault(path.stem, recording)  # ASF/AMC comes first and wins
    return found + [cmu[stem] for stem in sorted(cmu)]


def _hdm05(root: Path) -> list[Recording]:
    found: list[Recording] = []
    for (part, label), clips in groupby(hdm05_files(root / "hdm05"), key=lambda file: (file.part, file.label)):
        for order, clip in enumerate(clips):
            held_out = part == "train" and order % VALIDATION_EVERY == VALIDATION_EVERY - 1
            found.append(
                Recording(
                    name=f"hdm05/{clip.path.stem}",
                    path=clip.path,
                    asf=clip.asf,
                    action=ACTIONS[label],
                    subject=clip.subject,
                    split="val" if held_out else part,
                )
            )
    for split in SPLITS:
        if not any(item.split == split for item in found):
            raise DataError(
                f"{root}: no HDM05 recordings for {split}; expected hdm05/train/1-11/*.amc, hdm05/test/1-11/*.amc"
            )
    return found


def read_recording(recording: Recording) -> SkeletonSequence:
    """The motion of one recording, in world metres, without a BVH file's lead-in."""
    if recording.asf is not None:
        sequence = asf_amc.read(recording.path, asf=recording.asf)
        return sequence if sequence.fps is not None else sequence.replace(fps=120.0)
    return without_lead_in(bvh.read(recording.path), recording.path)


def prepare(source: Path | str, out: Path | str, extra: Sequence[Path | str] = ()) -> PreparedSplits:
    """Build the benchmark: write ``train.npz``, ``val.npz``, ``test.npz``, ``mocap-lifting.json`` to ``out``.

    Raises:
        DataError: recordings are missing.
        KinegraphError: the folder cannot be written, holds another benchmark, or another process prepares data there.
    """
    recordings = benchmark_recordings(source, extra)
    refuse_other(Path(out), NAME)
    with folder_lock(out) as folder:
        return _built(recordings, folder)


def _built(recordings: Sequence[Recording], folder: Path) -> PreparedSplits:
    parts = {
        split: assemble(
            _clips(recordings, split),
            name=f"{NAME}/{split}",
            cameras=CameraSampling(),
            seed=SEED,
            fps=FPS,
            action_names=ACTIONS,
        )
        for split in SPLITS
    }
    facts = {
        "version": VERSION,
        "key": cache_key(recordings),
        "recordings": {split: sum(item.split == split for item in recordings) for split in SPLITS},
        "licence": "HDM05: CC BY-SA 3.0 (Mueller et al. 2007); CMU: mocap.cs.cmu.edu, NSF EIA-0196217",
    }
    splits = PreparedSplits(**parts)
    write_splits(splits, folder, NAME, facts)
    return splits


def _clips(recordings: Sequence[Recording], split: str) -> Iterator[Clip]:
    for item in recordings:
        if item.split == split:
            yield Clip(sequence=read_recording(item), name=item.name, action=item.action, subject=item.subject)


def cache_key(recordings: Sequence[Recording]) -> str:
    """16 hex digits that change with the files (name, size), their skeleton files (name, content: they are small),
    layouts, cameras, seed and the code's version."""
    rigs = {r.asf for r in recordings if r.asf is not None}
    content = {
        "version": VERSION,
        "fps": FPS,
        "seed": SEED,
        "cameras": asdict(CameraSampling()),
        "skeletons": [get_skeleton(name).to_dict() for name in ("h36m17", "cmu31", "hdm05_31")],
        "rigs": sorted([rig.name, hashlib.sha256(rig.read_bytes()).hexdigest()] for rig in rigs),
        "files": [[r.name, r.path.suffix.lower(), r.path.stat().st_size, r.split] for r in recordings],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def default_cache() -> Path:
    """``$XDG_CACHE_HOME/kinegraph``, or ``~/.cache/kinegraph``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kinegraph"


def load(source: Path | str, extra: Sequence[Path | str] = (), cache: Path | str | None = None) -> PreparedSplits:
    """The benchmark's splits from a prepared folder, or from recordings (prepared once, then read from the cache).

    Args:
        source: a folder :func:`prepare` wrote, or one that holds ``hdm05/``, ``cmu_asfamc/``, ``cmu_bvh/``.
        extra: further CMU folders, for recordings only.
        cache: where prepared files are kept; :func:`default_cache` by default.

    Raises:
        DataError: no recordings there, or `extra` folders beside a prepared one.
        FormatError: a prepared file of `source` that is damaged.
    """
    if is_prepared(source, NAME):
        if extra:
            raise DataError(f"{source} is already prepared: extra folders can only be added to recordings")
        return read_splits(source, NAME)
    recordings = benchmark_recordings(source, extra)
    folder = Path(cache) if cache is not None else default_cache()
    folder = folder / f"{NAME}-{cache_key(recordings)}"
    if is_prepared(folder, NAME):
        with suppress(FormatError):  # the cache is damaged: it is made again
            return read_splits(folder, NAME)
    with made_folder(folder):  # no lock: of two runs that begin together each may write the same
        return _built(recordings, folder)
