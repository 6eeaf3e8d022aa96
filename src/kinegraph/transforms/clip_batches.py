"""Clips of any length to one array: what training, evaluation and prediction put through a network at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["pad_clips"]

Encoded = tuple[NDArray[np.float32], NDArray[np.bool_]]


def pad_clips(clips: Sequence[Encoded], frames: int | None = None) -> Encoded:
    """Encoded clips, each ``(people, frames, joints, channels)`` with its mask, as one batch.

    Args:
        clips: of :meth:`kinegraph.transforms.clips.ClipTransform.encode`; the numbers of frames may differ.
        frames: of the batch; None takes the longest clip's.

    Returns:
        ``(batch, people, frames, joints, channels)``, zero where a clip has ended, and the mask
        ``(batch, people, frames)``, false there.
    """
    length = max(x.shape[1] for x, _ in clips) if frames is None else frames
    if all(x.shape[1] == length for x, _ in clips):
        return np.stack([x for x, _ in clips]), np.stack([mask for _, mask in clips])
    people, _, joints, channels = clips[0][0].shape
    batch = np.zeros((len(clips), people, length, joints, channels), dtype=np.float32)
    there = np.zeros((len(clips), people, length), dtype=bool)
    for place, (x, mask) in enumerate(clips):
        batch[place, :, : x.shape[1]] = x
        there[place, :, : x.shape[1]] = mask
    return batch, there
