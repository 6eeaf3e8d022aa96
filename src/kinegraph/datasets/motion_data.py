"""Motion clips as arrays of joint features, and the windows that recognition and forecasting cut from them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.skeleton import Skeleton

__all__ = ["MotionClip", "MotionData"]


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionClip:
    """One recording.

    Attributes:
        features: ``(frames, joints, 3)`` float64, radians or metres.
        action: index into the data's `actions`; -1 when unknown.
        name: unique, e.g. ``"walking/walking_1"``.
        subject: who moves, where known.
        file: what it was read from, by its name in its folder; several people of one recording have the same. Empty
            where every clip is a recording of its own.
    """

    features: NDArray[np.float64]
    action: int
    name: str
    subject: str = ""
    file: str = ""

    @property
    def recording(self) -> str:
        """What trains or is held out as a whole: the file, or the clip itself where there is none."""
        return self.file or self.name


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionData:
    """Clips on one skeleton at one frame rate: a split of a benchmark, or a person's own recordings.

    Attributes:
        name: of the split, e.g. ``"cmu-8 train"``.
        skeleton: the joints of the features, in order (see :func:`kinegraph.skeleton.contract`).
        fps: frame rate.
        representation: ``"expmap"`` or ``"positions"``.
        actions: class names.
        clips: the recordings.
        mirror: features ``(..., joints, 3)`` -> features of the mirrored motion; None where it has no meaning.

    Raises:
        DataError: no clips, or features of another shape, not finite, or of an unknown action.
    """

    name: str
    skeleton: Skeleton
    fps: float
    representation: str
    actions: tuple[str, ...]
    clips: tuple[MotionClip, ...]
    mirror: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None

    def __post_init__(self) -> None:
        joints = self.skeleton.num_joints
        if not self.clips:
            raise DataError(f"{self.name} has no clips; check the source folder")
        for clip in self.clips:
            if clip.features.ndim != 3 or clip.features.shape[1:] != (joints, 3):
                raise DataError(f"{clip.name}: features {clip.features.shape}, expected (frames, {joints}, 3)")
            if not np.isfinite(clip.features).all():
                raise DataError(f"{clip.name}: NaN or infinite values; repair the file or leave it out")
            if not -1 <= clip.action < len(self.actions):
                raise DataError(f"{clip.name}: action {clip.action} is not among 0..{len(self.actions) - 1} or -1")

    @property
    def frames(self) -> int:
        """Frames of all clips together."""
        return sum(len(clip.features) for clip in self.clips)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything a network could learn from."""
        digest = hashlib.sha256(repr((self.skeleton.joints, self.fps, self.representation, self.actions)).encode())
        for clip in self.clips:
            digest.update(f"{clip.name}|{clip.action}|{clip.features.shape}".encode())
            digest.update(np.ascontiguousarray(clip.features).tobytes())
        return digest.hexdigest()

    def windows(self, length: int, stride: int = 1) -> NDArray[np.int64]:
        """``(windows, 2)``: clip and first frame of every stretch of `length` frames within a clip."""
        rows = [
            (index, start)
            for index, clip in enumerate(self.clips)
            for start in range(0, len(clip.features) - length + 1, stride)
        ]
        return np.array(rows, dtype=np.int64).reshape(-1, 2)

    def choose(self, keep: Callable[[MotionClip], bool] | Sequence[bool], name: str | None = None) -> MotionData:
        """The clips for which `keep` holds.

        Raises:
            DataError: none is left.
        """
        flags = [keep(clip) for clip in self.clips] if callable(keep) else list(keep)
        clips = tuple(clip for clip, flag in zip(self.clips, flags, strict=True) if flag)
        return dataclasses.replace(self, clips=clips, name=name or self.name)
