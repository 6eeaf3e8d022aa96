"""Clips read into memory: for data sets so small that preparing them first is not worth while."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from kinegraph.errors import DataError, KinegraphError
from kinegraph.formats.tables.fields import skeleton_field
from kinegraph.store.clip import ActionClip, Clips, ClipSource
from kinegraph.store.shard import clip_digest

__all__ = ["MemoryClips"]


class MemoryClips(Clips):
    """All clips of a source.

    Args:
        source: the clips.
        folder: where they come from, for messages.
        progress: show a bar on standard error, and say what is left out.

    Attributes:
        bad: name and reason of each clip that could not be read.

    Raises:
        DataError: none can be read; the message gives the first reason.
    """

    def __init__(self, source: ClipSource, folder: Path | str, *, progress: bool = False) -> None:
        from tqdm import tqdm

        self.folder = Path(folder)
        self.dataset, self.skeleton, self.fps = source.dataset, source.skeleton, source.fps
        self.unit, self.space, self.dims, self.classes = source.unit, source.space, source.dims, source.classes
        bad, clips = [], []
        for index in tqdm(
            range(len(source)), desc=source.dataset, unit="clip", disable=None if progress else True, leave=False
        ):
            try:
                clips.append(source.read(index))
            except KinegraphError as error:
                bad.append((source.name(index), str(error)))
        if not clips:
            why = bad[0][1] if bad else "it is empty"
            raise DataError(f"{folder}: no clip of {source.dataset} can be read ({why})")
        if bad and progress:
            print(
                f"{folder}: {len(bad)} of {len(source)} clips left out, first {bad[0][0]}: {bad[0][1]}", file=sys.stderr
            )
        self.bad = tuple(bad)
        self._clips: tuple[ActionClip, ...] = tuple(clips)
        self.names = tuple(clip.name for clip in clips)
        self.subjects = tuple(clip.subject for clip in clips)
        self.splits = tuple(clip.splits for clip in clips)
        self.labels, self.cameras, self.setups, self.people, self.frames = (
            np.array([getattr(clip, name) for clip in clips], dtype=np.int64)
            for name in ("label", "camera", "setup", "people", "frames")
        )
        self.fingerprint = self._fingerprint()

    def __getitem__(self, index: int) -> ActionClip:
        """One clip. Raises DataError when there is none of that number."""
        if not 0 <= index < len(self):
            raise DataError(f"{self.folder}: no clip {index}; there are {len(self)}, numbered from 0")
        return self._clips[index]

    def _fingerprint(self) -> str:
        """SHA-256 of all that can be learned from and of what parts it, as prepared clips have it."""
        head = [self.dataset, skeleton_field(self.skeleton), self.fps, self.unit, self.space, self.dims, self.classes]
        digest = hashlib.sha256(json.dumps(head).encode())
        for clip in self._clips:
            digest.update(clip_digest(clip))
        return digest.hexdigest()
