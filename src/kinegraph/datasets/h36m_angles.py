"""Human3.6M as exponential maps: the Euler-error benchmark of the forecasting literature (protocol h36m-euler).

``S<subject>/<action>_<1 or 2>.txt`` in :mod:`kinegraph.formats.motion.expmap_text`, 99 columns, 50 fps; every second
frame is kept (25 fps, so that here the customary instants are true). Train subjects 1, 6, 7, 8, 9, 11; test subject 5.

Test windows, per action: a fresh ``RandomState(1234567890)``, eight starts ``randint(16, T - 150)`` on the decimated
files 1 and 2 in turn, 50 frames in. Tables choose the angles that count by the spread of the *truth* in the window.
The recordings are not redistributable; the user brings the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.errors import DataError, FormatError
from kinegraph.formats.motion.expmap_text import read_matrix
from kinegraph.skeleton import Skeleton, contract, get_skeleton

__all__ = ["ACTIONS", "FPS", "SUBJECTS", "features_of", "fingerprint", "load", "network_skeleton", "protocol_windows"]

Array = NDArray[np.float64]

FPS = 25.0
STEP = 2
SUBJECTS = {"train": (1, 6, 7, 8, 9, 11), "test": (5,)}
ACTIONS = (
    "directions",
    "discussion",
    "eating",
    "greeting",
    "phoning",
    "posing",
    "purchases",
    "sitting",
    "sittingdown",
    "smoking",
    "takingphoto",
    "waiting",
    "walking",
    "walkingdog",
    "walkingtogether",
)
OBSERVED, HORIZON = 50, 25
_SEED, _WINDOWS, _RESERVED, _FIRST = 1234567890, 8, 150, 16

_STILL = ("toe", "thumb", "hand_tip", "wrist_end", "hand_base", "head")


@lru_cache(maxsize=1)
def network_skeleton() -> Skeleton:
    """The joints a network sees: those that have a bone beyond them and turn, and the pelvis."""
    rig = get_skeleton("h36m32")
    kept = [joint for joint in rig.joints if not any(joint == end or joint.endswith(f"_{end}") for end in _STILL)]
    return contract(rig, kept)


def _folder(source: Path | str) -> Path:
    source = Path(source)
    for folder in (source, source / "dataset", source / "h3.6m" / "dataset"):
        if any((folder / f"S{subject}").is_dir() for subject in (*SUBJECTS["train"], *SUBJECTS["test"])):
            return folder
    raise DataError(f"{source}: no Human3.6M exponential maps; expected folders S1, S5, ... with <action>_1.txt")


def _read(path: Path) -> Array:
    values = read_matrix(path)
    if values.shape[1] != 99:
        raise FormatError(path, f"{values.shape[1]} columns; expected 99, the 32 joints of Human3.6M")
    return values[::STEP]


def features_of(rows: Array) -> Array:
    """Network features ``(..., joints, 3)`` of file rows ``(..., 99)``, the root's own zero."""
    rig, skeleton = get_skeleton("h36m32"), network_skeleton()
    joints = rows[..., 3:].reshape(*rows.shape[:-1], rig.num_joints, 3)
    features: Array = joints[..., [rig.index(joint) for joint in skeleton.joints], :].copy()
    features[..., skeleton.root, :] = 0.0
    return features


def load(source: Path | str, split: str = "train") -> MotionData:
    """One split at 25 fps on the network's skeleton.

    Raises:
        DataError: unknown split, or nothing there.
        FormatError: a damaged file.
    """
    if split not in SUBJECTS:
        raise DataError(f"no split '{split}' of Human3.6M's angles; there are {', '.join(SUBJECTS)}")
    folder = _folder(source)
    clips = []
    for subject in SUBJECTS[split]:
        for number, action in enumerate(ACTIONS):
            for path in sorted((folder / f"S{subject}").glob(f"{action}_*.txt")):
                features = features_of(_read(path))
                name = f"S{subject}/{path.stem}"
                clips.append(MotionClip(features=features, action=number, name=name, subject=f"S{subject}"))
    if not clips:
        raise DataError(f"{folder}: no files of {', '.join(f'S{s}' for s in SUBJECTS[split])}")
    return MotionData(
        name=f"h36m angles {split}",
        skeleton=network_skeleton(),
        fps=FPS,
        representation="expmap",
        actions=ACTIONS,
        clips=tuple(clips),
    )


def protocol_windows(source: Path | str) -> dict[str, Array]:
    """Action -> the eight test windows ``(8, 75, 99)`` of file rows; actions without both files are left out.

    Raises:
        DataError: no action at all, or a file too short to draw from.
        FormatError: a damaged file.
    """
    folder = _folder(source) / "S5"
    found: dict[str, Array] = {}
    for action in ACTIONS:
        paths = [folder / f"{action}_{number}.txt" for number in (1, 2)]
        if not all(path.is_file() for path in paths):
            continue
        files = [_read(path) for path in paths]
        for path, rows in zip(paths, files, strict=True):
            if len(rows) <= _RESERVED + _FIRST:
                raise DataError(
                    f"{path}: {len(rows)} decimated frames; the protocol draws from more than {_RESERVED + _FIRST}"
                )
        rng = np.random.RandomState(_SEED)
        windows = []
        for place in range(_WINDOWS):
            rows = files[place % 2]
            start = rng.randint(_FIRST, len(rows) - _RESERVED)
            windows.append(rows[start : start + OBSERVED + HORIZON])
        found[action] = np.stack(windows)
    if not found:
        raise DataError(f"{folder}: no action with both files <action>_1.txt and <action>_2.txt")
    return found


def fingerprint(windows: Mapping[str, Array]) -> str:
    """SHA-256 (hex) of actions and their windows, ``(8, 75, 99)`` each."""
    digest = hashlib.sha256()
    for action, rows in windows.items():
        digest.update(action.encode())
        digest.update(np.ascontiguousarray(rows).tobytes())
    return digest.hexdigest()
