"""Where the camera stands, as a calibration states it: camera space to the world without guessing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError, FormatError, nearest
from kinegraph.geometry.cameras import up_vector
from kinegraph.inference.placement import floor_under
from kinegraph.inference.stature import bodies, scaled_by
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.image_units import checked_size

__all__ = ["Extrinsics", "by_extrinsics", "load_extrinsics", "on_the_floor", "square_pixels"]

Floats = NDArray[np.float64]

_NAMES = {
    "rotation": ("rotation", "R", "rvec"),
    "translation": ("translation", "t", "T", "tvec"),
    "intrinsics": ("intrinsics", "K", "camera_matrix"),
    "image_size": ("image_size",),
    "up": ("up",),
    "floor": ("floor",),
}
_LARGEST = 1 << 20  # bytes
#: how much larger or smaller than an average adult somebody may be who is measured by the floor
_SMALLEST, _LARGEST_PERSON = 0.5, 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Extrinsics:
    """``camera = rotation @ world + translation``, as OpenCV has it: x right, y down, z forward in the camera.

    Attributes:
        rotation: ``(3, 3)``.
        translation: ``(3,)`` metres.
        up: the world's axis that points up.
        floor: the floor's height on that axis, metres; None if it is not known.
        intrinsics: ``(4,)`` fx, fy, cx, cy in px, also given as a matrix ``(3, 3)``; None if they are not stated.
        image_size: width and height in px; None if it is not stated.

    Raises:
        DataError: no rotation, or values of another shape or outside their range.
    """

    rotation: Floats
    translation: Floats
    up: Literal["y", "z"] = "y"
    floor: float | None = None
    intrinsics: Floats | None = None
    image_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        rotation, translation = np.array(self.rotation, dtype=float), np.array(self.translation, dtype=float)
        if rotation.shape != (3, 3) or not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3):
            raise DataError("extrinsics: the rotation is none; expected three orthonormal rows")
        if np.linalg.det(rotation) < 0:
            raise DataError("extrinsics: the rotation is a mirror image (determinant -1); check the axes")
        if translation.shape != (3,) or not np.isfinite(translation).all():
            raise DataError("extrinsics: the translation must be three finite numbers, metres")
        if self.up not in ("y", "z"):
            raise DataError(f"extrinsics: up is '{self.up}'; choose y or z")
        if self.floor is not None and not np.isfinite(self.floor):
            raise DataError(f"extrinsics: floor is {self.floor}; expected its height, metres, or none")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)
        object.__setattr__(self, "intrinsics", None if self.intrinsics is None else _four(self.intrinsics))
        if self.image_size is not None:
            object.__setattr__(self, "image_size", checked_size(self.image_size, "extrinsics"))

    @property
    def position(self) -> Floats:
        """Where the camera stands ``(3,)`` in the world, metres."""
        return np.asarray(-self.rotation.T @ self.translation)

    def with_image(self, size: tuple[int, int]) -> Extrinsics:
        """The same camera with its image resized to `size` (width and height in px), and the intrinsics with it.

        Raises:
            DataError: a size that is none.
            ConfigError: `size` has another shape than the stated image; a cropped one's centre is not known.
        """
        width, height = size = checked_size(size, "extrinsics")
        if self.image_size is None or self.image_size == size:
            return self
        expected = self.image_size[0] * height / self.image_size[1]
        if abs(expected - width) > max(1.0, 1e-3 * width):  # whole px are rounded
            old, new = (f"{w} x {h} px" for w, h in (self.image_size, size))
            raise ConfigError(
                f"the calibration is of images of {old}, the keypoints are in {new}, another shape; state the "
                "intrinsics of these images, or leave them out of the extrinsics"
            )
        across, down = width / self.image_size[0], height / self.image_size[1]
        scaled = None if self.intrinsics is None else self.intrinsics * [across, down, across, down]
        return replace(self, intrinsics=scaled, image_size=size)


def _four(intrinsics: ArrayLike) -> Floats:
    """fx, fy, cx, cy of four numbers or a 3 x 3 matrix."""
    try:
        k = np.array(intrinsics, dtype=np.float64)
    except (TypeError, ValueError):
        k = np.zeros(0)
    if k.shape == (3, 3):
        k = np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]])
    if k.shape != (4,) or not np.isfinite(k).all() or min(k[:2]) <= 0:
        raise DataError("extrinsics: intrinsics must be fx, fy, cx, cy or a 3 x 3 matrix, px")
    return k


def square_pixels(keypoints: SkeletonSequence, intrinsics: Floats) -> tuple[SkeletonSequence, float]:
    """Keypoints as a camera of square pixels would have them, and the factor by which that changed the image's height.

    A body is as wide as it is high only there: an anamorphic lens, or an image stretched in one direction, has another
    focal length for each.

    Args:
        keypoints: 2D, px or fractions of the image.
        intrinsics: ``(4,)`` fx, fy, cx, cy in px.
    """
    fx, fy = (float(value) for value in intrinsics[:2])
    squeeze = fx / fy
    if squeeze == 1 or keypoints.dims != 2:
        return keypoints, 1.0
    size = keypoints.image_size
    if size is not None:
        size = (size[0], max(1, round(size[1] * squeeze)))
    if keypoints.unit == "px":
        keypoints = keypoints.replace(positions=keypoints.positions * [1.0, squeeze])
    keypoints = keypoints.replace(image_size=size)
    if abs(squeeze - 1) > 0.01:
        keypoints = keypoints.with_note(f"pixels made square: focal lengths {fx:g} px across and {fy:g} px down")
    return keypoints, squeeze


def load_extrinsics(path: Path | str) -> Extrinsics:
    """Read a camera's calibration from JSON.

    ``rotation`` (or ``R``: 3 x 3 rows; a quaternion xyzw; or ``rvec``, a rotation vector in radians) and
    ``translation`` (or ``t``, ``tvec``; metres) turn world points into camera points. Further: ``up`` ("y", the
    default, or "z"), ``floor`` (its height, metres), ``intrinsics`` (fx, fy, cx, cy in px, or ``K``, 3 x 3) and
    ``image_size``.

    Raises:
        FormatError: no such file, no JSON, an unknown or missing key, or values that are no camera.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _LARGEST:
            raise FormatError(file, "is too large for a camera's calibration")
        data = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise FormatError(file, f"holds {type(data).__name__}; expected an object with rotation and translation")
        known = {alias: name for name, aliases in _NAMES.items() for alias in aliases}
        for key in data:
            if key not in known:
                raise FormatError(
                    file, f"'{key}' is no part of a camera{nearest(str(key), known)} ({', '.join(known)})"
                )
        fields = {known[key]: value for key, value in data.items()}
        if len(fields) < len(data):
            raise FormatError(file, "states something twice under two names; leave one out")
        return Extrinsics(**_read(fields))
    except OSError as error:
        raise FormatError(file, f"cannot be read ({error.strerror or error}); expected a JSON file") from error
    except KeyError as error:
        raise FormatError(file, f"states no {error}; expected rotation and translation") from error
    except (ValueError, TypeError, DataError, RecursionError, OverflowError) as error:
        raise FormatError(file, f"is no camera's calibration: {error}") from error


def _read(fields: Mapping[str, Any]) -> dict[str, Any]:
    from scipy.spatial.transform import Rotation

    turn = np.array(fields["rotation"], dtype=np.float64)
    if not np.isfinite(turn).all():
        raise ValueError("the rotation is not finite")
    if turn.size == 3:
        turn = Rotation.from_rotvec(turn.reshape(3)).as_matrix()
    elif turn.size == 4:
        turn = Rotation.from_quat(turn.reshape(4)).as_matrix()
    elif turn.shape == (9,):
        turn = turn.reshape(3, 3)
    result: dict[str, Any] = {
        "rotation": turn,
        "translation": np.array(fields["translation"], dtype=np.float64).reshape(-1),
        "up": fields.get("up", "y"),
        "floor": None if fields.get("floor") is None else float(fields["floor"]),
    }
    if fields.get("intrinsics") is not None:
        result["intrinsics"] = fields["intrinsics"]
    if fields.get("image_size") is not None:
        result["image_size"] = tuple(int(side) for side in fields["image_size"])
    return result


def by_extrinsics(
    sequence: SkeletonSequence, camera: Extrinsics, *, sized: bool = False, stills: bool = False, relative: bool = False
) -> tuple[SkeletonSequence, Floats]:
    """Camera space to the calibrated world.

    Where the root is left at the origin (`relative`) only the axes turn: nobody stands anywhere, on a floor neither.
    Where the floor is known and nobody's height (`sized`), everybody (of pictures: everybody in each of them, `stills`)
    is scaled about the camera so that their feet come to stand on it: a camera of known height over the floor is a
    ruler. Their keypoints stay where they were.

    Returns:
        The sequence, and by what it was scaled ``(people, frames, 1)``.

    Raises:
        DataError: the sequence is not 3D in camera space.
    """
    if sequence.dims != 3 or sequence.space != "camera":
        raise DataError(
            f"extrinsics turn 3D camera space into the world; found {sequence.dims}D {sequence.space} space"
        )
    scale = np.ones((sequence.people, sequence.frames, 1))
    if relative:
        turned = sequence.replace(
            positions=sequence.positions @ camera.rotation,
            space="world",
            up=camera.up,
            rotations=None,
            notes=(*sequence.notes, "axes: those of the given extrinsics; the root stays at the origin"),
        )
        return turned, scale
    if camera.floor is not None and not sized:
        sequence, scale = on_the_floor(sequence, camera, camera.floor, stills)
    placed = sequence.replace(
        positions=(sequence.positions - camera.translation) @ camera.rotation,
        space="world",
        up=camera.up,
        rotations=None,
        notes=(*sequence.notes, "axes and place: those of the given extrinsics"),
    )
    return placed, scale


def on_the_floor(
    sequence: SkeletonSequence, camera: Extrinsics, floor: float, stills: bool = False
) -> tuple[SkeletonSequence, Floats]:
    """Everybody in camera space as large as makes them stand on a floor of that height.

    Args:
        sequence: 3D in camera space, metres.
        camera: where it stands in the world.
        floor: its height there, metres.
        stills: the frames are single pictures.

    Returns:
        The sequence, and by what it was scaled ``(people, frames, 1)``.
    """
    vertical = up_vector(camera.up)
    eye = float(camera.position @ vertical)
    heights = ((sequence.positions - camera.translation) @ camera.rotation) @ vertical
    everybody, factors = bodies(sequence, stills), []
    for person, frames in everybody:
        drop = eye - floor_under(heights[person, frames], sequence.seen[person, frames], sequence.skeleton)
        factor = (eye - floor) / drop if drop > 0.2 and eye - floor > 0.2 else np.nan
        factors.append(factor if _SMALLEST < factor < _LARGEST_PERSON else np.nan)
    known = [factor for factor in factors if np.isfinite(factor)]
    by = f"{min(known):.3f} to {max(known):.3f}" if len(known) > 5 else ", ".join(f"{factor:.3f}" for factor in known)
    note = (
        f"scaled by {by} so that the feet stand on the floor at {floor:g} m"
        if known
        else "the floor's height gave no sensible scale: the size is still an average adult's"
    )
    return scaled_by(sequence, everybody, factors, [note])
