"""Pinhole cameras in NumPy: project, aim, sample, and read a Human3.6M calibration.

World points are metres in a y-up or z-up frame, as the caller states. Camera points are metres with x right,
y down and z forward. Image points are pixels, u right and v down from the top left corner.
Intrinsics travel as an array ``(..., 4)`` of fx, fy, cx, cy, so that one batch can hold many cameras.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError, DataError, FormatError

Array = NDArray[np.float64]

# Dividing by a depth smaller than this says more about rounding than about the scene.
MINIMUM_DEPTH = 1e-6
UP_AXES: Mapping[str, tuple[float, float, float]] = {"y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """A calibrated camera.

    Attributes:
        intrinsics: ``(4,)`` fx, fy, cx, cy in px.
        rotation: ``(3, 3)`` world -> camera, rows are the camera's right, down and forward axes in the world.
        translation: ``(3,)`` metres, so that ``camera = rotation @ world + translation``.
        image_size: ``(width, height)`` in px.
        distortion: ``(5,)`` Brown-Conrady k1, k2, k3, p1, p2; zeros for an ideal lens. Used only on request.
        name: an identifier for reports, such as Human3.6M's serial number.

    Raises:
        DataError: another shape, values that are not finite, no rotation, or no focal length.
    """

    intrinsics: Array
    rotation: Array
    translation: Array
    image_size: tuple[int, int]
    distortion: Array = field(default_factory=lambda: np.zeros(5))
    name: str = ""

    def __post_init__(self) -> None:
        shapes = {"intrinsics": (4,), "rotation": (3, 3), "translation": (3,), "distortion": (5,)}
        for key, shape in shapes.items():
            value = np.array(getattr(self, key), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise DataError(f"camera {key} has shape {value.shape}; expected {shape}, all finite")
            value.setflags(write=False)
            object.__setattr__(self, key, value)
        if (self.intrinsics[:2] <= 0).any():
            raise DataError(f"camera focal length is {self.intrinsics[:2]}; expected two positive px")
        orthonormal = np.allclose(self.rotation @ self.rotation.T, np.eye(3), atol=1e-5)
        if not orthonormal or np.linalg.det(self.rotation) < 0:
            raise DataError("camera rotation is no rotation; expected orthonormal rows and determinant +1")

    @property
    def position(self) -> Array:
        """Where the camera stands, ``(3,)`` metres in the world."""
        return np.asarray(-self.rotation.T @ self.translation)

    def to_camera(self, world: ArrayLike) -> Array:
        """World points ``(..., 3)`` metres -> camera points ``(..., 3)`` metres."""
        return np.asarray(world, dtype=np.float64) @ self.rotation.T + self.translation

    def to_world(self, points: ArrayLike) -> Array:
        """Camera points ``(..., 3)`` metres -> world points ``(..., 3)`` metres."""
        return (np.asarray(points, dtype=np.float64) - self.translation) @ self.rotation

    def project(self, world: ArrayLike, *, distorted: bool = False, behind: str = "raise") -> Array:
        """World points ``(..., 3)`` metres -> pixels ``(..., 2)``; see :func:`project` for ``behind``."""
        points = self.to_camera(world)
        return project(points, self.intrinsics, distortion=self.distortion if distorted else None, behind=behind)


def project(
    points: ArrayLike, intrinsics: ArrayLike, *, distortion: ArrayLike | None = None, behind: str = "raise"
) -> Array:
    """Project camera-space points: u = fx X/Z + cx, v = fy Y/Z + cy.

    Args:
        points: ``(..., joints, 3)`` metres. NaN (a missing joint) stays NaN.
        intrinsics: ``(4,)`` or ``(..., 4)`` px, one per leading index of ``points`` (no joint axis).
        distortion: ``(5,)`` k1, k2, k3, p1, p2, or None for an ideal lens.
        behind: what to do with points at or behind the camera: ``"raise"`` a DataError, or give ``"nan"``.

    Returns:
        ``(..., joints, 2)`` px.

    Raises:
        ConfigError: no such `behind`.
        DataError: a point at or behind the camera, with ``behind="raise"``.
    """
    if behind not in ("raise", "nan"):
        raise ConfigError(f"behind is {behind!r}; expected 'raise' or 'nan'")
    p = np.asarray(points, dtype=np.float64)
    z = p[..., 2]
    hidden = z < MINIMUM_DEPTH  # false for NaN: a missing joint is not behind anything
    if hidden.any():
        if behind == "raise":
            raise DataError(
                f"{int(hidden.sum())} of {hidden.size} points are at or behind the camera (smallest depth "
                f"{np.nanmin(z):.3f} m); move the camera back, or pass behind='nan'"
            )
        z = np.where(hidden, np.nan, z)
    xy = p[..., :2] / z[..., None]
    if distortion is not None:
        xy = _distort(xy, np.asarray(distortion, dtype=np.float64))
    k = _per_frame(intrinsics, p.ndim)
    return np.asarray(xy * k[..., :2] + k[..., 2:])


def look_at(position: ArrayLike, target: ArrayLike, up: str = "z") -> tuple[Array, Array]:
    """Extrinsics of a level camera that stands at ``position`` and points at ``target``.

    Args:
        position, target: ``(3,)`` world metres.
        up: the world's up axis, ``"y"`` or ``"z"``.

    Returns:
        ``(rotation (3, 3), translation (3,))``, world -> camera.

    Raises:
        DataError: the two points coincide, or the camera would look straight up or down.
    """
    eye, goal, vertical = np.asarray(position, float), np.asarray(target, float), up_vector(up)
    forward = goal - eye
    right = np.cross(forward, vertical)
    if np.linalg.norm(right) < 1e-9 * max(1.0, float(np.linalg.norm(forward))):
        raise DataError(f"a camera at {eye} looking at {goal} has no level horizon; move it off the vertical")
    forward /= np.linalg.norm(forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return rotation, -rotation @ eye


def up_vector(up: str) -> Array:
    """The unit vector ``(3,)`` of a world's up axis, ``"y"`` or ``"z"``.

    Raises:
        ConfigError: another axis.
    """
    if up not in UP_AXES:
        raise ConfigError(f"up is {up!r}; expected 'y' or 'z'")
    return np.array(UP_AXES[up])


@dataclass(frozen=True, kw_only=True)
class CameraSampling:
    """How cameras are placed round a subject; the defaults are those of the free lifting benchmark.

    Attributes:
        count: cameras, spread evenly in azimuth from a random start.
        azimuth_jitter_deg: each camera's own random deviation from its even place, plus or minus.
        focal_px: range of the focal length, px; fx and fy differ by up to 0.2 %, as in real calibrations.
        distance: range of the horizontal distance to the target, metres.
        height: range of the height above the floor, metres.
        resolution: width and height of the square image, px.
        centre_px: standard deviation of the principal point about the image centre, px.

    Raises:
        ConfigError: a value outside its range.
    """

    count: int = 4
    azimuth_jitter_deg: float = 15.0
    focal_px: tuple[float, float] = (1100.0, 1200.0)
    distance: tuple[float, float] = (4.0, 6.0)
    height: tuple[float, float] = (1.0, 2.0)
    resolution: int = 1000
    centre_px: float = 8.0

    def __post_init__(self) -> None:
        for name in ("focal_px", "distance", "height"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ConfigError(f"camera {name} is {(low, high)}; expected 0 < low <= high")
        if self.count < 1 or self.resolution < 1:
            raise ConfigError(f"camera count {self.count}, resolution {self.resolution}; expected at least 1")


def sample_cameras(
    rng: np.random.Generator,
    target: ArrayLike,
    *,
    up: str = "z",
    floor: float = 0.0,
    config: CameraSampling | None = None,
) -> tuple[Camera, ...]:
    """Level cameras round a target, each aimed at it.

    Args:
        rng: the only source of randomness; the same state gives the same cameras.
        target: ``(3,)`` world metres, usually the middle of a clip's bounding box.
        up: the world's up axis.
        floor: height of the floor along ``up``, metres.
        config: ranges; the benchmark's by default.
    """
    settings = config or CameraSampling()
    goal, vertical = np.asarray(target, float), up_vector(up)
    across = np.roll(vertical, 1)  # any axis of the ground plane
    along = np.cross(vertical, across)
    turn = np.deg2rad(settings.azimuth_jitter_deg) * rng.uniform(-1, 1, settings.count)
    azimuth = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(settings.count) / settings.count + turn
    cameras = []
    for index, angle in enumerate(azimuth):
        ground = rng.uniform(*settings.distance) * (np.cos(angle) * across + np.sin(angle) * along)
        eye = goal + ground + (floor + rng.uniform(*settings.height) - goal @ vertical) * vertical
        rotation, translation = look_at(eye, goal, up)
        focal = rng.uniform(*settings.focal_px) * (1 + rng.uniform(-1e-3, 1e-3, 2))
        centre = settings.resolution / 2 + rng.normal(0, settings.centre_px, 2)
        cameras.append(
            Camera(
                intrinsics=np.concatenate([focal, centre]),
                rotation=rotation,
                translation=translation,
                image_size=(settings.resolution, settings.resolution),
                name=f"camera{index}",
            )
        )
    return tuple(cameras)


def load_h36m_cameras(path: Path | str) -> dict[str, tuple[Camera, ...]]:
    """Read Human3.6M's calibration from JSON: subject -> its cameras, in the dataset's order.

    The file has ``intrinsics`` by camera id (px) and ``extrinsics`` by subject: a unit quaternion wxyz
    camera -> world and the camera's position in millimetres, as public loaders list them. Subjects whose
    extrinsics are empty (S2, S3, S4 are not released) are left out. The world is z-up.

    Raises:
        FormatError: the file is no such calibration.
    """
    file = Path(path)
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        lenses = [(str(name), _lens(entry)) for name, entry in table["intrinsics"].items()]
        cameras: dict[str, tuple[Camera, ...]] = {}
        for subject, entries in table["extrinsics"].items():
            if not any(entries):
                continue
            if len(entries) != len(lenses):
                raise ValueError(f"{subject} has {len(entries)} cameras; expected {len(lenses)}")
            cameras[subject] = tuple(
                Camera(name=name, **lens, **_pose(entry)) for (name, lens), entry in zip(lenses, entries, strict=True)
            )
    except OSError as error:
        raise FormatError(file, f"cannot be read ({error.strerror}); expected a JSON file") from error
    except (ValueError, TypeError, KeyError, AttributeError, DataError) as error:
        reason = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise FormatError(file, f"is not a Human3.6M calibration: {reason}") from error
    return cameras


def _lens(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "intrinsics": np.array([*entry["focal_length"], *entry["center"]], dtype=np.float64),
        "distortion": np.array([*entry["radial_distortion"], *entry["tangential_distortion"]], dtype=float),
        "image_size": (int(entry["res_w"]), int(entry["res_h"])),
    }


def _pose(entry: Mapping[str, Any]) -> dict[str, Any]:
    w, x, y, z = np.array(entry["orientation"], dtype=np.float64) / np.linalg.norm(entry["orientation"])
    to_world = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    position = np.array(entry["translation"], dtype=np.float64) / 1000.0
    return {"rotation": to_world.T, "translation": -to_world.T @ position}


def _distort(xy: Array, coefficients: Array) -> Array:
    # Brown (1966): radial and tangential terms on the normalised image plane, as OpenCV documents them.
    k, (p1, p2) = coefficients[:3], coefficients[3:]
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k[0] + r2 * (k[1] + r2 * k[2]))
    cross = 2 * x * y
    u = x * radial + p1 * cross + p2 * (r2 + 2 * x * x)
    v = y * radial + p2 * cross + p1 * (r2 + 2 * y * y)
    return np.stack([u, v], axis=-1)


def _per_frame(intrinsics: ArrayLike, ndim: int) -> Array:
    k = np.asarray(intrinsics, dtype=np.float64)
    if k.shape[-1:] != (4,) or k.ndim > max(1, ndim - 1):
        raise DataError(f"intrinsics have shape {k.shape}; expected (4,) or one row of 4 per frame")
    return k if k.ndim == 1 else k[..., None, :]
