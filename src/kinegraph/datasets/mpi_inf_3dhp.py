"""MPI-INF-3DHP's test set: six sequences in studio (with and without green screen) and outdoors.

Read from the npz that circulates with lifting code: key ``data`` holds TS1..TS6, each with ``data_2d (T, 17, 2)``
px, ``data_3d (T, 17, 3)`` mm in camera space and ``valid (T,)``. The protocol: frames marked valid, errors relative
to joint 14 (the pelvis), PCK at 150 mm and AUC over 14 joints (Mehta et al., 3DV 2017).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.lifting_data import FilmedClip, LiftingData, from_clips
from kinegraph.errors import DataError, FormatError
from kinegraph.formats.restricted_pickle import load_npz
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints
from kinegraph.transforms.gaps import runs

SEQUENCES = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
FILE = "data_test_3dhp.npz"
NOT_SCORED = ("pelvis", "spine", "head")
"""Joints of layout ``h36m17`` that PCK leaves out; its ``head`` is the top of the head. 14 remain."""

LAYOUT = Skeleton.from_dict(
    {
        "name": "mpi_inf_3dhp17",
        "title": "MPI-INF-3DHP, 17 joints of the test annotation",
        "source": "Mehta et al., 3DV 2017; order as in the circulating test npz, root 14",
        "joints": {
            "head_top": "neck",
            "neck": "spine",
            "right_shoulder": "neck",
            "right_elbow": "right_shoulder",
            "right_wrist": "right_elbow",
            "left_shoulder": "neck",
            "left_elbow": "left_shoulder",
            "left_wrist": "left_elbow",
            "right_hip": "pelvis",
            "right_knee": "right_hip",
            "right_ankle": "right_knee",
            "left_hip": "pelvis",
            "left_knee": "left_hip",
            "left_ankle": "left_knee",
            "pelvis": "",
            "spine": "pelvis",
            "head_centre": "neck",
        },
        # The dataset's neck is level with the shoulders and its head point at the face: Human3.6M's thorax and nose.
        "landmarks": {"thorax": ["neck"], "nose": ["head_centre"], "head": ["head_top"]},
    }
)


def image_size(sequence: str) -> tuple[int, int]:
    """Width and height of a test sequence in px."""
    return (1920, 1080) if sequence in ("TS5", "TS6") else (2048, 2048)


def scored_joints(skeleton: Skeleton) -> list[int]:
    """Indices of the 14 joints PCK and AUC count, in a layout that names them as ``h36m17`` does."""
    return [index for index, joint in enumerate(skeleton.joints) if joint not in NOT_SCORED]


def load(source: Path | str, *, fps: float = 25.0) -> LiftingData:
    """The valid frames of the six sequences, on layout ``h36m17``.

    Valid frames that follow each other form one clip, so temporal windows never bridge frames left out. Intrinsics
    are fitted to each sequence's own 2D and 3D (least squares): the file holds none, and only the pixel-space
    target, which is not part of this protocol, would read them.

    Args:
        source: the npz file, or a folder with ``data_test_3dhp.npz``.
        fps: the file states none, so this is a guess until you know better. Windows of temporal lifters are cut at
            the pace of their training by it; nothing else depends on it.

    Raises:
        FormatError: missing, damaged, or not laid out as above.
    """
    path = Path(source)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise FormatError(path, f"no such file; expected MPI-INF-3DHP's test set as {FILE}")
    table = load_npz(path).get("data")
    if not isinstance(table, dict):
        raise FormatError(path, "key 'data' is missing or not a table of sequences TS1..TS6")
    target = get_skeleton("h36m17")
    mapping = map_joints(LAYOUT, target, minimum=1.0)
    clips: list[FilmedClip] = []
    for name in SEQUENCES:
        if name not in table:
            raise FormatError(path, f"sequence {name} is missing; found {', '.join(map(str, table))}")
        uv, xyz, valid = _sequence(path, name, table[name])
        # Shared by a camera's every frame: u Z = fx X + cx Z, v Z = fy Y + cy Z.
        lens = np.array([*_fit(uv[valid, :, 0], xyz[valid], 0), *_fit(uv[valid, :, 1], xyz[valid], 1)])[[0, 2, 1, 3]]
        for start, stop in runs(valid):
            pixels, points = mapping.apply(uv[start:stop])[0], mapping.apply(xyz[start:stop])[0]
            clips.append(FilmedClip(f"{name}/{start}", name, name, pixels, points, lens, image_size(name)))
    return from_clips(
        clips, name="3dhp/test", skeleton=target, fps=fps, action_names=SEQUENCES, subject_names=SEQUENCES
    )


def _sequence(
    path: Path, name: str, entry: object
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """2D (T, 17, 2) px, 3D (T, 17, 3) metres and validity (T,)."""
    if not isinstance(entry, dict):
        raise FormatError(path, f"{name} is no table; expected data_2d, data_3d and valid")
    uv, xyz, valid = (np.asarray(entry.get(key, ())) for key in ("data_2d", "data_3d", "valid"))
    frames = len(xyz) if xyz.ndim else 0
    for key, array, shape in (("data_2d", uv, (frames, 17, 2)), ("data_3d", xyz, (frames, 17, 3))):
        if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise FormatError(path, f"{name}: {key} is {array.dtype} {array.shape}; expected {shape}, all finite")
    if valid.shape[:1] != (frames,) or valid.size != frames:
        raise FormatError(path, f"{name}: valid has shape {valid.shape}; expected ({frames},)")
    mask = np.asarray(valid.reshape(frames) > 0)
    if not mask.any():
        raise DataError(f"{path}: {name} has no valid frame")
    return uv.astype(np.float64), xyz.astype(np.float64) / 1000.0, mask


def _fit(pixels: NDArray[np.float64], points: NDArray[np.float64], axis: int) -> tuple[float, float]:
    """(focal length, centre) along one image axis; pixels (T, J), points (T, J, 3) metres."""
    design = np.stack([points[..., axis].ravel(), points[..., 2].ravel()], axis=-1)
    focal, centre = np.linalg.lstsq(design, (pixels * points[..., 2]).ravel(), rcond=None)[0]
    return float(focal), float(centre)
