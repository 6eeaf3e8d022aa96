"""One shape for every lifting benchmark: 2D keypoints, the 3D truth in camera space, and whose pose it is.

A :class:`LiftingData` is a frozen struct of arrays, one row per pose (a frame seen by a camera). Rows of one
*clip* (one recording through one camera) are contiguous and in time order, so temporal windows are index
arithmetic and never cross from one clip into the next.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import atomic_path
from kinegraph.errors import DataError, FormatError
from kinegraph.formats.restricted_pickle import load_npz
from kinegraph.skeleton import Skeleton

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

_ARRAYS = ("keypoints_px", "confidence", "camera_m", "intrinsics", "image_size", "clip", "action", "subject")
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class LiftingData:
    """2D-3D pairs of one split. N poses, J joints, K clips.

    Attributes:
        name: what it is, for tables and logs (``"mocap-lifting/test"``).
        skeleton: the J joints.
        keypoints_px: (N, J, 2) pixels; NaN exactly where ``confidence`` is 0.
        confidence: (N, J) in 0..1; 0 is a joint the detector did not report.
        camera_m: (N, J, 3) metres, absolute camera space: x right, y down, z forward.
        intrinsics: (N, 4) fx, fy, cx, cy in pixels.
        image_size: (N, 2) width, height in pixels.
        clip: (N,) index into ``clip_names``; equal values are contiguous and in time order.
        action: (N,) index into ``action_names``.
        subject: (N,) index into ``subject_names``.
        clip_names: K names, one per recording and camera.
        action_names: the actions, in the order tables print them.
        subject_names: the subjects.
        fps: frames per second of every clip.
        fingerprint: sha256 (hex) of everything above; two equal fingerprints are the same data.

    Raises:
        DataError: no poses, or arrays of other shapes or values than these; a joint behind its camera.
    """

    name: str
    skeleton: Skeleton
    keypoints_px: FloatArray
    confidence: FloatArray
    camera_m: FloatArray
    intrinsics: FloatArray
    image_size: FloatArray
    clip: IntArray
    action: IntArray
    subject: IntArray
    clip_names: tuple[str, ...]
    action_names: tuple[str, ...]
    subject_names: tuple[str, ...]
    fps: float
    fingerprint: str = ""

    def __post_init__(self) -> None:
        poses, joints = self.camera_m.shape[0], self.skeleton.num_joints
        shapes: dict[str, tuple[int, ...]] = {
            "keypoints_px": (poses, joints, 2),
            "confidence": (poses, joints),
            "camera_m": (poses, joints, 3),
            "intrinsics": (poses, 4),
            "image_size": (poses, 2),
            "clip": (poses,),
            "action": (poses,),
            "subject": (poses,),
        }
        for key, shape in shapes.items():
            array = np.asarray(getattr(self, key))
            if array.shape != shape:
                raise DataError(f"{self.name}: {key} has shape {array.shape}, expected {shape}")
            kind = np.int32 if key in ("clip", "action", "subject") else np.float32
            array = np.ascontiguousarray(array, dtype=kind)
            array.setflags(write=False)
            object.__setattr__(self, key, array)
        if poses == 0:
            raise DataError(f"{self.name}: no poses; check the source folder and the split")
        for key in ("camera_m", "intrinsics", "image_size"):
            if not np.isfinite(getattr(self, key)).all():
                raise DataError(f"{self.name}: {key} holds values that are not finite")
        seen = np.isfinite(self.keypoints_px).all(axis=-1)
        if not np.array_equal(seen, self.confidence > 0):
            raise DataError(f"{self.name}: keypoints must be finite where confidence is above 0 and NaN where it is 0")
        if self.camera_m[..., 2].min() <= 0:
            raise DataError(f"{self.name}: a joint lies behind its camera; move the cameras further away")
        for key in ("clip", "action", "subject"):
            values, names = getattr(self, key), getattr(self, f"{key}_names")
            if values.min() < 0 or values.max() >= len(names):
                raise DataError(f"{self.name}: {key} runs to {values.max()}, but has {len(names)} names")
        starts = self.clip[np.flatnonzero(np.diff(self.clip, prepend=-1))]
        if len(np.unique(starts)) != len(starts):
            raise DataError(f"{self.name}: the frames of a clip must be contiguous")
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", self._hash())

    def __len__(self) -> int:
        return int(self.camera_m.shape[0])

    @property
    def root(self) -> int:
        """Index of the root joint, the one root-relative errors are relative to."""
        return int(self.skeleton.root)

    def _hash(self) -> str:
        digest = hashlib.sha256()
        digest.update(json.dumps(self._header(), sort_keys=True).encode())
        for key in _ARRAYS:
            digest.update(key.encode())
            digest.update(getattr(self, key).tobytes())
        return digest.hexdigest()

    def _header(self) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "name": self.name,
            "skeleton": self.skeleton.to_dict(),
            "clip_names": list(self.clip_names),
            "action_names": list(self.action_names),
            "subject_names": list(self.subject_names),
            "fps": self.fps,
        }

    def subset(self, mask: NDArray[Any], name: str | None = None) -> LiftingData:
        """The poses where ``mask``, (N,), is true (or the ascending indices it lists); names and order are kept.

        Dropping frames inside a clip leaves the rest adjacent: subset whole clips where time matters.

        Raises:
            DataError: indices that do not ascend, or no pose is left.
        """
        rows = np.asarray(mask)
        if rows.dtype != np.bool_ and rows.size and (np.diff(rows) <= 0).any():
            raise DataError(f"{self.name}: subset indices must ascend, so that clips stay in time order")
        return self.replace(name=name or self.name, **{key: getattr(self, key)[rows] for key in _ARRAYS})

    def clips(self, keep: Sequence[bool] | NDArray[np.bool_], name: str | None = None) -> LiftingData:
        """The poses of the clips for which ``keep``, (K,), is true."""
        return self.subset(np.asarray(keep, dtype=bool)[self.clip], name)

    def replace(self, **changes: Any) -> LiftingData:
        """A copy with some fields changed and the fingerprint computed anew."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return LiftingData(**{**values, "fingerprint": "", **changes})

    def save(self, path: Path | str) -> None:
        """Write one ``.npz`` (no pickles inside), atomically."""
        arrays: Mapping[str, Any] = {key: getattr(self, key) for key in _ARRAYS}
        header = json.dumps({**self._header(), "fingerprint": self.fingerprint})
        with atomic_path(path) as temporary:
            # Uncompressed: loading is a read of the disk, which is what makes a second start instant.
            np.savez(temporary, header=np.array(header), **arrays)

    @classmethod
    def load(cls, path: Path | str) -> LiftingData:
        """Read what :meth:`save` wrote.

        Raises:
            FormatError: not such a file, or written by another version.
        """
        file = Path(path)
        if not file.is_file():
            raise FormatError(file, "no such file; expected one that 'kinegraph data prepare' wrote")
        try:
            content = load_npz(file)
        except FormatError as error:
            found = error.message.partition(";")[0]
            raise FormatError(file, f"not a prepared lifting file ({found}); prepare it again") from error
        try:
            header = json.loads(str(content["header"]))
            if header["format"] != _FORMAT:
                raise FormatError(file, f"written as version {header['format']}, expected {_FORMAT}; prepare it again")
            return cls(
                name=str(header["name"]),
                skeleton=Skeleton.from_dict(header["skeleton"]),
                clip_names=tuple(map(str, header["clip_names"])),
                action_names=tuple(map(str, header["action_names"])),
                subject_names=tuple(map(str, header["subject_names"])),
                fps=float(header["fps"]),
                fingerprint=str(header["fingerprint"]),
                **{key: content[key] for key in _ARRAYS},
            )
        except DataError as error:
            raise FormatError(file, f"{error}; prepare it again") from error
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            raise FormatError(file, f"not a prepared lifting file ({error!r}); prepare it again") from error


class FilmedClip(NamedTuple):
    """One recording through one camera: what :func:`from_clips` is given. T frames, J joints."""

    name: str
    action: str
    subject: str
    keypoints_px: NDArray[np.floating]
    """(T, J, 2); NaN where the detector reported nothing."""
    camera_m: NDArray[np.floating]
    """(T, J, 3)."""
    intrinsics: NDArray[np.floating]
    """(4,) fx, fy, cx, cy."""
    image_size: tuple[float, float]
    """Width, height."""


def from_clips(
    clips: Sequence[FilmedClip],
    *,
    name: str,
    skeleton: Skeleton,
    fps: float,
    action_names: Sequence[str],
    subject_names: Sequence[str],
) -> LiftingData:
    """One data set out of clips, in their order; a keypoint's confidence is 1, or 0 where it is NaN.

    Raises:
        DataError: there is no clip, or one has an action or subject that is not among the names.
    """
    if not clips:
        raise DataError(f"{name}: no clips; check the source folder and the split")
    for clip in clips:
        if clip.action not in action_names or clip.subject not in subject_names:
            raise DataError(f"{clip.name}: action '{clip.action}' of '{clip.subject}' is not one of {name}")
    lengths = np.array([len(clip.camera_m) for clip in clips])

    def per_pose(values: Iterable[object], dtype: type) -> Any:
        return np.repeat(np.asarray(list(values), dtype=dtype), lengths, axis=0)

    keypoints = np.concatenate([clip.keypoints_px.astype(np.float32) for clip in clips])
    return LiftingData(
        name=name,
        skeleton=skeleton,
        keypoints_px=keypoints,
        confidence=np.isfinite(keypoints).all(axis=-1).astype(np.float32),
        camera_m=np.concatenate([clip.camera_m.astype(np.float32) for clip in clips]),
        intrinsics=per_pose((clip.intrinsics for clip in clips), np.float32),
        image_size=per_pose((clip.image_size for clip in clips), np.float32),
        clip=per_pose(range(len(clips)), np.int32),
        action=per_pose((action_names.index(clip.action) for clip in clips), np.int32),
        subject=per_pose((subject_names.index(clip.subject) for clip in clips), np.int32),
        clip_names=tuple(clip.name for clip in clips),
        action_names=tuple(action_names),
        subject_names=tuple(subject_names),
        fps=fps,
    )


def is_lifting_file(path: Path) -> bool:
    """Whether :meth:`LiftingData.save` wrote a file, as far as the names of its arrays tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {f"{name}.npy" for name in ("header", *_ARRAYS)} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def concatenate(parts: Sequence[LiftingData], name: str) -> LiftingData:
    """One data set out of several with the same skeleton and rate; names are merged, clips stay apart.

    Raises:
        DataError: no parts, or parts on different skeletons or at different rates.
    """
    if not parts:
        raise DataError(f"{name}: nothing to concatenate")
    first = parts[0]
    for part in parts[1:]:
        if part.skeleton != first.skeleton or part.fps != first.fps:
            raise DataError(
                f"{name}: '{part.name}' ({part.skeleton.name}, {part.fps} fps) and '{first.name}' "
                f"({first.skeleton.name}, {first.fps} fps) differ; prepare both alike"
            )
    merged: dict[str, Any] = {key: np.concatenate([getattr(part, key) for part in parts]) for key in _ARRAYS}
    for key in ("action", "subject"):
        names = tuple(dict.fromkeys(label for part in parts for label in getattr(part, f"{key}_names")))
        index = {label: number for number, label in enumerate(names)}
        merged[f"{key}_names"] = names
        merged[key] = np.concatenate(
            [np.array([index[label] for label in getattr(p, f"{key}_names")])[getattr(p, key)] for p in parts]
        )
    offsets = np.cumsum([0, *(len(part.clip_names) for part in parts)])
    merged["clip"] = np.concatenate([p.clip + offset for p, offset in zip(parts, offsets[:-1], strict=True)])
    merged["clip_names"] = tuple(label for part in parts for label in part.clip_names)
    return LiftingData(name=name, skeleton=first.skeleton, fps=first.fps, **merged)
