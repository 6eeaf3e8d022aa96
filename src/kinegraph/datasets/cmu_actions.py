"""CMU Mocap, eight actions: the motion-prediction subset of the literature (protocols cmu-euler-*, cmu-mpjpe, cmu-8).

``train/<action>/*.txt`` and ``test/<action>/*.txt`` in :mod:`kinegraph.formats.motion.expmap_text`, 120 fps; every
second frame is kept. The files call themselves 50 fps after that ("1000 ms" is 25 frames); in truth they are 60 fps.

Validation is clip 4 of every action of train, held out whole. Test files begin with one frame of calibration pose:
no window of the Euler protocols contains it, the first MPJPE window of each file does, as in the published numbers.

Data: mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.errors import DataError, FormatError, nearest
from kinegraph.formats.motion.expmap_text import read_matrix, rest_offsets
from kinegraph.geometry.expmap_euler import file_expmap_to_quaternion
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.skeleton import Skeleton, contract, get_skeleton

__all__ = [
    "ACTIONS",
    "COLUMNS",
    "COMPLETE",
    "FPS",
    "SPLITS",
    "Survey",
    "folder_of",
    "load",
    "network_skeleton",
    "positions_of",
    "read_clip",
    "statistics",
    "survey",
    "protocol_starts",
]

Array = NDArray[np.float64]
Representation = Literal["expmap", "positions"]

ACTIONS = (
    "basketball",
    "basketball_signal",
    "directing_traffic",
    "jumping",
    "running",
    "soccer",
    "walking",
    "washwindow",
)
COMPLETE = ("basketball", "jumping", "running", "soccer", "walking")
"""The actions of which the free copy has all train and test clips."""
CLIPS = {"train": (1, 2, 3, 4, 5), "test": (1,)}
"""Numbers of the clips that each action has in the published set."""
SPLITS = ("train", "val", "all-train", "test")
VALIDATION_CLIP = 4
FPS = 60.0
STEP = 2
FOLDER = "cmu_mocap_8actions"

COLUMNS = (
    *range(9, 14), *range(15, 20), *range(27, 32), *range(33, 38), *range(42, 60), *range(66, 69), *range(70, 73),
    *range(75, 78), 80, *range(84, 87), *range(93, 96), *range(97, 100), *range(102, 105), 107, *range(111, 114),
)  # fmt: skip
"""Convention A: the 64 of 117 file columns that move (standard deviation over train at least 1e-4), root left out."""

_COPIED = (0, 1, 2, 7, 8, 13, 16, 20, 24, 27, 29, 33, 36)
"""Joints the MPJPE protocol does not predict: they never move against the pelvis, or lie on another joint."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a copy of the data has: file by clip name (``"walking/walking_1"``) of each part, and what it lacks."""

    train: Mapping[str, Path]
    test: Mapping[str, Path]
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """``"train"`` and ``"test"`` -> clips of the published set that are not there."""

    def actions(self, part: str) -> tuple[str, ...]:
        """Actions with at least one clip in ``"train"`` or ``"test"``."""
        found = {name.partition("/")[0] for name in (self.train if part == "train" else self.test)}
        return tuple(action for action in ACTIONS if action in found)

    @property
    def notes(self) -> tuple[str, ...]:
        """One line for each part that is not complete."""
        return tuple(f"missing in {part}: {', '.join(_spans(clips))}" for part, clips in self.missing.items() if clips)


def _spans(clips: Sequence[str]) -> list[str]:
    """``["a/a_1", "a/a_2"]`` as ``["a (clips 1, 2)"]``."""
    grouped: dict[str, list[str]] = {}
    for clip in clips:
        action, _, name = clip.partition("/")
        grouped.setdefault(action, []).append(name.rpartition("_")[2])
    return [f"{action} (clips {', '.join(numbers)})" for action, numbers in grouped.items()]


def folder_of(source: Path | str) -> Path:
    """The folder with ``train/`` and ``test/``: `source`, or ``cmu_mocap_8actions`` in it.

    Raises:
        DataError: neither is it.
    """
    source = Path(source)
    for folder in (source, source / FOLDER):
        if (folder / "train").is_dir() or (folder / "test").is_dir():
            return folder
    raise DataError(
        f"{source}: no CMU actions here; expected {FOLDER}/, or the folder with train/<action>/*.txt and "
        "test/<action>/*.txt"
    )


def survey(source: Path | str) -> Survey:
    """Which clips are there, and which of the published ones are not.

    Raises:
        DataError: nothing is there, or a folder or file that belongs to no action.
    """
    folder = folder_of(source)
    parts: dict[str, dict[str, Path]] = {}
    for part in CLIPS:
        parts[part] = {}
        for place in sorted(item for item in (folder / part).glob("*") if item.is_dir()):
            if place.name not in ACTIONS:
                raise DataError(f"{place}: no CMU action{nearest(place.name, ACTIONS)}; expected {', '.join(ACTIONS)}")
            for path in sorted(place.glob("*.txt")):
                if path.stem.rpartition("_")[0] != place.name or not path.stem.rpartition("_")[2].isdigit():
                    raise DataError(f"{path}: expected a name like {place.name}_1.txt")
                parts[part][f"{place.name}/{path.stem}"] = path
    if not any(parts.values()):
        raise DataError(f"{folder}: no clips; expected train/<action>/*.txt and test/<action>/*.txt")
    missing = {
        part: tuple(
            name for action in ACTIONS for n in numbers if (name := f"{action}/{action}_{n}") not in parts[part]
        )
        for part, numbers in CLIPS.items()
    }
    return Survey(train=parts["train"], test=parts["test"], missing=missing)


def read_clip(path: Path | str) -> Array:
    """All 117 columns of one file at its full 120 fps, ``(frames, 117)``; read-only and kept in memory.

    Raises:
        FormatError: damaged, or not of the CMU rig.
    """
    stat = Path(path).stat()
    return _read(Path(path), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _read(path: Path, _mtime: int, _size: int) -> Array:
    values = read_matrix(path)
    if values.shape[1] != 117:
        raise FormatError(path, f"{values.shape[1]} columns; expected 117, the 38 joints of CMU")
    values.setflags(write=False)
    return values


def statistics(source: Path | str) -> tuple[Array, Array]:
    """Mean and standard deviation ``(117,)`` of all undecimated train frames: what the protocol normalises with.

    Raises:
        DataError: no train clips.
    """
    clips = survey(source).train
    if not clips:
        raise DataError(f"{source}: no train clips to take statistics of")
    frames = np.concatenate([read_clip(path) for path in clips.values()])
    return frames.mean(axis=0), frames.std(axis=0)


@lru_cache(maxsize=2)
def network_skeleton(representation: Representation = "expmap") -> Skeleton:
    """The joints a network sees: pelvis and the 26 joints that turn, or pelvis and the 25 predicted positions."""
    rig = get_skeleton("cmu38")
    if representation == "expmap":
        kept = sorted({(column - 3) // 3 for column in COLUMNS})
    else:
        kept = [joint for joint in range(rig.num_joints) if joint not in _COPIED]
    return contract(rig, [rig.joints[joint] for joint in kept])


def positions_of(values: Array) -> Array:
    """Positions ``(frames, 38, 3)`` of file rows ``(frames, 117)`` relative to the pelvis, root turn removed; metres.

    One unit is 56.44 mm. Published CMU tables take 70 mm: multiply by 70 / 56.44.
    """
    expmaps = np.array(values[:, 3:]).reshape(len(values), 38, 3)
    expmaps[:, 0] = 0.0
    offsets = rest_offsets("cmu38")
    parents = get_skeleton("cmu38").parents
    return forward_kinematics(parents, file_expmap_to_quaternion(expmaps), offsets)[0]


def features_of(values: Array, representation: Representation = "expmap") -> Array:
    """Network features ``(frames, joints, 3)`` of file rows ``(frames, 117)``, the root's own zero."""
    rig, skeleton = get_skeleton("cmu38"), network_skeleton(representation)
    places = [rig.index(joint) for joint in skeleton.joints]
    if representation == "positions":
        return np.ascontiguousarray(positions_of(values)[:, places])
    features: Array = values[:, 3:].reshape(len(values), 38, 3)[:, places].copy()
    features[:, skeleton.root] = 0.0
    return features


def mirror_of(skeleton: Skeleton, representation: Representation) -> partial[Array]:
    """The reflection across the body's plane of symmetry (x = 0: the left hip lies at +x) as a function of features.

    It takes and gives ``(..., joints, 3)``.
    """
    return partial(_mirror, order=skeleton.mirror, sign=(1, -1, -1) if representation == "expmap" else (-1, 1, 1))


def _mirror(features: Array, *, order: tuple[int, ...], sign: tuple[int, int, int]) -> Array:
    # A rotation axis is a pseudo-vector: mirrored in x it keeps x and turns y and z.
    mirrored: Array = np.asarray(features)[..., list(order), :] * np.array(sign)
    return mirrored


def load(
    source: Path | str,
    split: str,
    representation: Representation = "expmap",
    *,
    phases: int = 1,
    actions: Sequence[str] | None = None,
) -> MotionData:
    """One split at 60 fps on the network's skeleton.

    Args:
        source: the folder ``cmu_mocap_8actions``, or the one that holds it.
        split: ``"train"`` (without the validation clips), ``"val"``, ``"all-train"`` (both), ``"test"``.
        representation: ``"expmap"`` (27 joints, radians, root zero) or ``"positions"`` (26 joints, metres, relative
            to the pelvis and without its turn).
        phases: 2 adds the other half of the frames as further clips (``<name>+1``); training splits only.
        actions: the classes, and the only clips to load; by default all eight, whether or not they are there.

    Raises:
        DataError: an unknown split, action or representation, or no clip of the split.
    """
    if split not in SPLITS:
        raise DataError(f"no split '{split}' of the CMU actions{nearest(split, SPLITS)}; there are {', '.join(SPLITS)}")
    if representation != "expmap" and representation != "positions":
        raise DataError(f"no representation '{representation}' of the CMU actions; choose expmap or positions")
    if phases not in (1, STEP) or (phases == STEP and split not in ("train", "all-train")):
        raise DataError(f"phases {phases} of split {split}: expected 1, or 2 for train and all-train")
    names = tuple(actions) if actions is not None else ACTIONS
    for name in names:
        if name not in ACTIONS:
            raise DataError(f"'{name}' is no CMU action{nearest(name, ACTIONS)}; there are {', '.join(ACTIONS)}")
    there = survey(source)
    clips = []
    for name, path in (there.test if split == "test" else there.train).items():
        action, _, stem = name.partition("/")
        held_out = stem == f"{action}_{VALIDATION_CLIP}"
        if action not in names or (split in ("train", "val") and held_out != (split == "val")):
            continue
        features = features_of(read_clip(path), representation)
        for phase in range(phases):
            label = name if phase == 0 else f"{name}+{phase}"
            clips.append(MotionClip(features=features[phase::STEP].copy(), action=names.index(action), name=label))
    if not clips:
        raise DataError(f"{folder_of(source)}: no clips of split {split} and actions {', '.join(names)}")
    skeleton = network_skeleton(representation)
    return MotionData(
        name=f"cmu-8 {split}",
        skeleton=skeleton,
        fps=FPS,
        representation=representation,
        actions=names,
        clips=tuple(clips),
        mirror=mirror_of(skeleton, representation),
    )


def protocol_starts(frames: int, *, windows: int = 8, length: int = 75, seed: int = 1234567890) -> NDArray[np.int64]:
    """First frames ``(windows,)`` of the Euler protocols' test windows in a decimated clip of `frames` frames.

    Every action starts a fresh ``RandomState(seed)``: ``randint(0, frames - length)``, eight times.

    Raises:
        DataError: the clip is too short for one window.
    """
    if frames <= length:
        raise DataError(f"a clip of {frames} frames has no window to draw; expected more than {length}")
    rng = np.random.RandomState(seed)
    return np.array([rng.randint(0, frames - length) for _ in range(windows)], dtype=np.int64)
