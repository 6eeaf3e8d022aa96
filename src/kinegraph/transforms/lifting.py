"""What a lifter sees and what it must answer: the pixel-space and the metric protocol.

The two are never mixed. ``pixel`` is HCSF's and LCN's: depth is measured in pixels of a 2 m box round the person and
evaluation uses the *true* root depth and intrinsics. ``metric`` is VideoPose3D's and SemGCN's: root-relative metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, DataError
from kinegraph.transforms.seen_box import seen_box

Array = NDArray[np.floating]
BOX_M = 2.0
"""Side of the box round the root, metres (the paper's 2000 mm)."""


@dataclass(frozen=True, kw_only=True)
class LiftingTransform:
    """Keypoints to network input, ground truth to network target, network output to camera space.

    Args:
        target: ``"pixel"`` or ``"metric"`` (see the module).
        normalise: how 2D is scaled. ``"screen"``: ``2 (u, v) / w - (1, h / w)``, as the papers do. ``"box"``: about the
            centre of the visible joints and divided by half their larger extent, for images of unknown camera.
        confidence: give the detector's confidence as a third input channel; missing joints are then (0, 0, 0).
        root: index of the root joint.
        scale: metres that one unit of a metric target stands for; about the spread of the data.

    Raises:
        ConfigError: a value outside its range or choices, or pixels that are not of the screen.
    """

    target: Literal["pixel", "metric"] = "metric"
    normalise: Literal["screen", "box"] = "screen"
    confidence: bool = False
    root: int = 0
    scale: float = 0.3

    def __post_init__(self) -> None:
        if self.target not in ("pixel", "metric"):
            raise ConfigError(f"transform.target is '{self.target}'; choose pixel or metric")
        if self.normalise not in ("screen", "box"):
            raise ConfigError(f"transform.normalise is '{self.normalise}'; choose screen or box")
        if self.target == "pixel" and self.normalise != "screen":
            raise ConfigError("transform.target 'pixel' is defined for normalise 'screen' only")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ConfigError(f"transform.scale is {self.scale}; expected a positive number of metres")

    @property
    def channels(self) -> int:
        """Input channels: 2, or 3 with confidence."""
        return 3 if self.confidence else 2

    @property
    def residual(self) -> bool:
        """Whether the network's xy is a correction added to its (centre frame) input xy, as in LCN."""
        return self.target == "pixel"

    def encode_inputs(self, keypoints_px: Array, confidence: Array, image_size: Array) -> NDArray[np.float32]:
        """Network input ``(..., joints, channels)``.

        Args:
            keypoints_px: ``(..., joints, 2)``; the value of a missing joint does not matter.
            confidence: ``(..., joints)``, 0 = missing.
            image_size: ``(..., 2)`` width and height, px.

        Raises:
            DataError: a seen joint is not finite.
        """
        keypoints = np.asarray(keypoints_px, dtype=np.float64)
        seen: NDArray[np.bool_] = np.greater(confidence, 0)
        if not np.isfinite(keypoints[seen]).all():
            raise DataError("a keypoint with positive confidence is not finite; mark it missing with confidence 0")
        keypoints = np.where(seen[..., None], keypoints, 0.0)
        if self.normalise == "screen":
            size = np.asarray(image_size, dtype=np.float64)[..., None, :]
            width = size[..., :1]
            xy = 2.0 * keypoints / width - size / width
        else:
            low, high = (corner[..., None, :] for corner in seen_box(keypoints, seen))
            empty = np.asarray(~seen.any(axis=-1))[..., None, None]
            low, high = np.where(empty, 0.0, low), np.where(empty, 0.0, high)
            size = high - low
            half = np.maximum(np.maximum(size[..., :1], size[..., 1:]) / 2.0, 1e-6)
            xy = (keypoints - (low + high) / 2.0) / half
        xy = np.where(seen[..., None], xy, 0.0)
        if self.confidence:
            xy = np.concatenate([xy, np.asarray(confidence, dtype=np.float64)[..., None]], axis=-1)
        return xy.astype(np.float32)

    def encode_targets(self, camera_m: Array, intrinsics: Array, image_size: Array) -> NDArray[np.float32]:
        """Network target ``(..., joints, 3)``.

        Args:
            camera_m: absolute camera-space joints ``(..., joints, 3)``, metres.
            intrinsics: ``(..., 4)`` = fx, fy, cx, cy in px.
            image_size: ``(..., 2)`` width and height, px.
        """
        camera = np.asarray(camera_m, dtype=np.float64)
        root = camera[..., self.root : self.root + 1, :]
        if self.target == "metric":
            return ((camera - root) / self.scale).astype(np.float32)
        fx, fy, cx, cy = (np.asarray(intrinsics, dtype=np.float64)[..., i, None] for i in range(4))
        size = np.asarray(image_size, dtype=np.float64)
        width, height = size[..., 0, None], size[..., 1, None]
        depth = camera[..., 2]
        u = fx * camera[..., 0] / depth + cx
        v = fy * camera[..., 1] / depth + cy
        rho = self._px_per_metre(root[..., 2], intrinsics)
        d = rho * (depth - root[..., 2])
        return np.stack([2 * u / width - 1, 2 * v / width - height / width, 2 * d / width], axis=-1).astype(np.float32)

    def decode(
        self,
        output: Array,
        intrinsics: Array | None = None,
        image_size: Array | None = None,
        root_depth_m: Array | None = None,
    ) -> NDArray[np.float64]:
        """Network output ``(..., joints, 3)`` (residual already added) to camera-space metres.

        ``pixel`` gives absolute positions and needs the true ``intrinsics (..., 4)``, ``image_size (..., 2)`` and
        ``root_depth_m (...)``; ``metric`` gives positions relative to the root and needs none of them.

        Raises:
            DataError: one of them is missing for ``pixel``.
        """
        output = np.asarray(output, dtype=np.float64)
        if self.target == "metric":
            return (output - output[..., self.root : self.root + 1, :]) * self.scale
        if intrinsics is None or image_size is None or root_depth_m is None:
            raise DataError("decoding a pixel-space output needs intrinsics, image size and the true root depth")
        fx, fy, cx, cy = (np.asarray(intrinsics, dtype=np.float64)[..., i, None] for i in range(4))
        size = np.asarray(image_size, dtype=np.float64)
        width, height = size[..., 0, None], size[..., 1, None]
        root_depth = np.asarray(root_depth_m, dtype=np.float64)[..., None]
        u = (output[..., 0] + 1) * width / 2
        v = (output[..., 1] + height / width) * width / 2
        z = output[..., 2] * width / 2 / self._px_per_metre(root_depth, intrinsics) + root_depth
        return np.stack([(u - cx) * z / fx, (v - cy) * z / fy, z], axis=-1)

    @staticmethod
    def _px_per_metre(root_depth: Array, intrinsics: Array) -> Array:
        """rho: width in px of the box of +-1 m round the root, per metre; the box spans ``BOX_M``."""
        fx = np.asarray(intrinsics, dtype=np.float64)[..., 0, None]
        left, right = -BOX_M / 2, BOX_M / 2  # the centre cancels, so the root's x does too
        # The papers count the box's pixels inclusively, hence the + 1 (SPEC: rho = (x2 - x1 + 1) / 2000 px/mm).
        result: Array = (fx * right / root_depth - fx * left / root_depth + 1.0) / BOX_M
        return result
