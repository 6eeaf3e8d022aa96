"""Clips of any length to the frames a network sees: which frames are taken, or interpolated between.

``resize`` interpolates the whole clip (recipes of HDM05, 32 frames, of CTR-GCN and Sym-GNN on NTU, 64); ``uniform``
takes one frame at random from each of as many equal stretches (ST-GCN++; PYSKL takes 100), their middle without a
generator; ``window`` takes consecutive frames from a random place, or the middle (HCSF on Kinetics, 150); ``repeat``
starts anew at the end until there are enough (ST-GCN, 2s-AGCN, the HCSF paper: 300), and cuts what is longer; ``all``
leaves a clip as it is.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, nearest

__all__ = ["SAMPLINGS", "Sampling", "crop_bounds", "resize", "sample_frames"]

Array = NDArray[np.floating]
Indices = NDArray[np.int64]
Sampling = Literal["resize", "uniform", "window", "repeat", "all"]
SAMPLINGS: tuple[str, ...] = get_args(Sampling)


def crop_bounds(frames: int, least: float, rng: np.random.Generator) -> tuple[int, int]:
    """First frame, and the one after the last, of a random stretch of at least the share `least` of a clip."""
    length = max(1, round(frames * rng.uniform(least, 1.0)))
    start = int(rng.integers(0, frames - length + 1))
    return start, start + length


def sample_frames(frames: int, length: int, sampling: str, rng: np.random.Generator | None = None) -> Indices:
    """Numbers ``(length,)`` of the frames to take of a clip of `frames`; ``(frames,)`` for ``all``.

    A clip with fewer frames than `length` is repeated from its start (``uniform``: from a random frame). Without a
    generator the choice is fixed.

    Raises:
        ConfigError: no such sampling, or one that does not choose frames; or a length below 1.
    """
    if sampling not in SAMPLINGS or sampling == "resize":
        raise ConfigError(f"no sampling '{sampling}'{nearest(sampling, SAMPLINGS)}; there are {', '.join(SAMPLINGS)}")
    if sampling == "all":
        return np.arange(frames)
    if length < 1 or frames < 1:
        raise ConfigError(f"{length} frames of {frames}: expected at least 1 of each")
    start = 0
    if sampling == "uniform":
        if frames >= length:
            return _stretches(frames, length, rng)
        start = int(rng.integers(0, frames)) if rng is not None else 0
    elif sampling == "window" and frames > length:
        start = int(rng.integers(0, frames - length + 1)) if rng is not None else (frames - length) // 2
    return (start + np.arange(length)) % frames


def _stretches(frames: int, length: int, rng: np.random.Generator | None) -> Indices:
    """One frame from each of `length` stretches, in order."""
    if rng is not None and frames < 2 * length:
        # stretches would hold one or two frames: leaving out frames - length gaps at random keeps all equally likely
        skipped = np.zeros(length + 1, dtype=np.int64)
        skipped[rng.choice(length + 1, frames - length, replace=False)] = 1
        return np.arange(length) + np.cumsum(skipped)[:-1]
    edges = np.arange(length + 1) * frames // length
    sizes = np.diff(edges)
    return np.asarray(edges[:-1] + (rng.integers(0, sizes) if rng is not None else sizes // 2))


def resize(positions: Array, length: int) -> Array:
    """A clip ``(people, frames, joints, dims)`` at `length` frames by linear interpolation.

    New frame i lies at ``(i + 1/2) frames / length - 1/2``, held within the clip, as images are resized. Where one of
    the two frames beside it lacks a joint, the other's is taken. A clip that has `length` frames is returned as it is,
    with its gaps.

    Raises:
        ConfigError: no frames, or a length below 1.
    """
    frames = positions.shape[1]
    if length < 1 or frames < 1:
        raise ConfigError(f"{length} frames of {frames}: expected at least 1 of each")
    if length == frames:
        return positions
    at = np.clip((np.arange(length) + 0.5) * frames / length - 0.5, 0, frames - 1)
    before = np.minimum(at.astype(np.int64), max(frames - 2, 0))
    share = (at - before).astype(positions.dtype)[:, None, None]
    a, b = positions[:, before], positions[:, np.minimum(before + 1, frames - 1)]
    mixed = a + share * (b - a)
    if np.isnan(mixed).any():
        mixed = np.where(np.isnan(mixed), np.where(np.isnan(a), b, a), mixed)
    return np.asarray(mixed, dtype=positions.dtype)
