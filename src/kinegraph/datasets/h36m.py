"""Human3.6M from the files people have: ``data_3d_h36m.npz`` and ``data_2d_h36m_*.npz``.

The recordings are not redistributable; these are the archives that VideoPose3D's scripts make of them. They hold
pickled dicts, read through an unpickler that builds NumPy arrays and nothing else. Train S1, 5, 6, 7, 8; test S9, 11.
3D is world metres at 50 fps; exact 2D is its projection through an ideal lens of the calibrated
intrinsics (as in LCN and HCSF); other 2D comes from a detector's file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import FilmedClip, LiftingData, from_clips
from kinegraph.errors import DataError, FormatError, nearest
from kinegraph.formats.restricted_pickle import load_npz
from kinegraph.geometry.cameras import Camera, load_h36m_cameras, project
from kinegraph.skeleton import get_skeleton, map_joints

SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
FPS = 50.0

ACTIONS = (
    "Directions",
    "Discussion",
    "Eating",
    "Greeting",
    "Phoning",
    "Photo",
    "Posing",
    "Purchases",
    "Sitting",
    "SittingDown",
    "Smoking",
    "Waiting",
    "WalkDog",
    "Walking",
    "WalkTogether",
)
"""The 15 actions, in the order of the papers' tables."""

_SPELLINGS = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}


@lru_cache(maxsize=1)
def cameras() -> Mapping[str, tuple[Camera, ...]]:
    """The four calibrated cameras of each subject, from the figures that come with the package."""
    with as_file(files("kinegraph.datasets") / "h36m_cameras.json") as path:
        return load_h36m_cameras(path)


def action_of(recording: str) -> str:
    """The action of a recording's name: ``"WalkDog 1"`` -> ``"WalkDog"``.

    Raises:
        DataError: it is none of the 15.
    """
    stem = re.sub(r"\s*\d+$", "", recording.strip())
    action = _SPELLINGS.get(stem, stem)
    if action not in ACTIONS:
        raise DataError(f"'{recording}' is no Human3.6M action{nearest(action, ACTIONS)}")
    return action


def load(
    source: Path | str,
    split: Literal["train", "test"],
    *,
    keypoints: str | None = None,
    subjects: Sequence[str] | None = None,
    step: int = 1,
    drop_s11_directions: bool = True,
) -> LiftingData:
    """One split on the 17 joints.

    Args:
        source: the folder of the npz files.
        split: ``"train"`` or ``"test"``.
        keypoints: None projects the truth; a name takes ``data_2d_h36m_<name>.npz`` (``"cpn_ft_h36m_dbb"``).
        subjects: other subjects than the split's.
        step: keep every ``step``-th frame.
        drop_s11_directions: leave out the recording "Directions" of S11, whose video is damaged, as VideoPose3D
            does. State it beside a number: tables that keep it are not comparable to the last digit.

    Raises:
        FormatError: a file is missing, damaged, or not laid out as expected.
        DataError: an unknown split, subject or action.
    """
    if split not in SUBJECTS:
        raise DataError(f"no split '{split}' of Human3.6M; there are train and test")
    if step < 1:
        raise DataError(f"step is {step}; expected 1 or more")
    names = tuple(subjects) if subjects is not None else SUBJECTS[split]
    for subject in names:
        if subject not in cameras():
            raise DataError(f"no calibration of subject '{subject}'; there are {', '.join(cameras())}")
    path = Path(source) / "data_3d_h36m.npz"
    truth = _table(path, "positions_3d")
    detected_path = Path(source) / f"data_2d_h36m_{keypoints}.npz"
    detected = None if keypoints is None else _table(detected_path, "positions_2d")

    clips: list[FilmedClip] = []
    for subject in names:
        for recording, world in _recordings(path, truth, subject):
            if drop_s11_directions and subject == "S11" and recording == "Directions":
                continue
            action = action_of(recording)
            for index, camera in enumerate(cameras()[subject]):
                points = camera.to_camera(world[::step])
                if detected is None:
                    uv = project(points, camera.intrinsics)
                else:
                    uv = _detections(detected_path, detected, subject, recording, index, len(world))[::step]
                label = f"{subject}/{recording}/{camera.name}"
                clips.append(FilmedClip(label, action, subject, uv, points, camera.intrinsics, camera.image_size))
    if not clips:
        raise DataError(f"{path}: no recordings of {', '.join(names)}")
    return from_clips(
        clips,
        name=f"h36m/{split}" + (f" ({keypoints})" if keypoints else ""),
        skeleton=get_skeleton("h36m17"),
        fps=FPS / step,
        action_names=ACTIONS,
        subject_names=names,
    )


def _table(path: Path, key: str) -> Mapping[str, Mapping[str, Any]]:
    if not path.is_file():
        raise FormatError(path, "no such file; make it with VideoPose3D's data scripts from your copy of the data")
    table = load_npz(path).get(key)
    if not isinstance(table, dict) or not all(isinstance(value, dict) for value in table.values()):
        raise FormatError(path, f"'{key}' is missing or not laid out as [subject][recording]")
    return table


def _recordings(
    path: Path, table: Mapping[str, Mapping[str, Any]], subject: str
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """(name, world positions (T, 17, 3)) of one subject's recordings."""
    if subject not in table:
        raise FormatError(path, f"no subject {subject}; found {', '.join(map(str, table))}")
    for recording, value in table[subject].items():
        world = np.asarray(value)
        where = f"positions_3d[{subject}][{recording}]"
        if world.dtype.kind != "f" or world.ndim != 3 or world.shape[1] not in (17, 32) or world.shape[2] != 3:
            raise FormatError(path, f"{where} is {world.dtype} {world.shape}; expected float (T, 32, 3)")
        if len(world) == 0 or not np.isfinite(world).all():
            raise FormatError(path, f"{where} is empty or holds values that are not finite")
        if world.shape[1] == 32:
            weights = map_joints(get_skeleton("h36m32"), get_skeleton("h36m17"))
            world = weights.apply(world)[0]
        yield str(recording), np.asarray(world, dtype=np.float64)


def _detections(
    path: Path, table: Mapping[str, Mapping[str, Any]], subject: str, recording: str, camera: int, frames: int
) -> NDArray[np.float64]:
    """Detected keypoints (frames, 17, 2) of one view; files may run a few frames longer than the 3D."""
    where = f"positions_2d[{subject}][{recording}]"
    views = table.get(subject, {}).get(recording)
    lone = isinstance(views, np.ndarray) and views.ndim == 0
    # The four need not be of one length, so they are never made one array.
    if not isinstance(views, list | tuple | np.ndarray) or lone or len(views) != 4:
        raise FormatError(path, f"{where} is missing or does not hold 4 cameras; expected those of the 3D file")
    uv = np.asarray(views[camera])
    if uv.dtype.kind != "f" or uv.ndim != 3 or uv.shape[1:] != (17, 2):
        raise FormatError(path, f"{where}[{camera}] is {uv.dtype} {uv.shape}; expected float (T, 17, 2)")
    if len(uv) < frames:
        raise FormatError(path, f"{where}[{camera}] has {len(uv)} frames, the 3D has {frames}; expected no fewer")
    points = np.array(uv[:frames], dtype=np.float64)
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    return points
