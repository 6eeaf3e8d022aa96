"""Procrustes alignment in NumPy: the rotation, translation and scale that bring one set of points onto another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """``y = scale * rotation @ x + translation``.

    Attributes:
        rotation: (..., D, D) proper rotations.
        translation: (..., D).
        scale: (...).
    """

    rotation: Array
    translation: Array
    scale: Array

    def apply(self, points: ArrayLike) -> Array:
        """Transform points (..., N, D)."""
        p = np.asarray(points, dtype=np.float64)
        turned = p @ np.swapaxes(self.rotation, -1, -2)
        return np.asarray(self.scale[..., None, None] * turned + self.translation[..., None, :])


def fit_similarity(source: ArrayLike, target: ArrayLike, *, allow_scale: bool = True) -> Similarity:
    """The least-squares similarity from ``source`` to ``target`` in closed form (Umeyama 1991).

    One transform per leading index: pass ``(frames, joints, 3)`` for one per frame, or ``(frames * joints, 3)`` for
    one that serves the whole clip. A reflection is never used, even where it would fit better.

    Args:
        source: (..., N, D) points, all finite.
        target: (..., N, D) where they should come to lie.
        allow_scale: False fixes the scale to 1.

    Raises:
        DataError: shapes differ, or a point is not finite.
    """
    p, q = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if p.shape != q.shape or p.ndim < 2:
        raise DataError(f"points of shape {p.shape} cannot be aligned with {q.shape}; expected equal (..., N, D)")
    if not (np.isfinite(p).all() and np.isfinite(q).all()):
        raise DataError("points to align must be finite; leave missing joints out")
    mean_p, mean_q = p.mean(axis=-2, keepdims=True), q.mean(axis=-2, keepdims=True)
    p, q = p - mean_p, q - mean_q
    u, s, vt = np.linalg.svd(np.swapaxes(q, -1, -2) @ p)
    flip = np.ones_like(s)
    flip[..., -1] = np.where(np.linalg.det(u @ vt) < 0, -1.0, 1.0)
    rotation = (u * flip[..., None, :]) @ vt
    spread = np.square(p).sum(axis=(-2, -1))
    scale = np.ones_like(spread)
    if allow_scale:
        scale = (s * flip).sum(axis=-1) / np.maximum(spread, np.finfo(np.float64).tiny)
    moved = scale[..., None] * np.squeeze(mean_p @ np.swapaxes(rotation, -1, -2), axis=-2)
    return Similarity(rotation=rotation, translation=np.squeeze(mean_q, axis=-2) - moved, scale=scale)
