"""Clips small enough to train on in a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from action_files import ListSource

from kinegraph.skeleton import Skeleton, contract, get_skeleton
from kinegraph.store.clip import ActionClip
from kinegraph.store.memory import MemoryClips
from kinegraph.training.clip_data_module import ClipSplits

JOINTS = ("pelvis", "spine", "left_shoulder", "right_shoulder", "left_hand", "right_hand")
ACTIONS = ("still", "wave", "turn")


def small_skeleton() -> Skeleton:
    """Some joints of the NTU skeleton, and those between them: enough for every pre-normalisation."""
    return contract(get_skeleton("ntu25"), JOINTS, name="small")


class SmallClips(ListSource):
    """Clips of one or two people and of different lengths; the tempo tells the action.

    Args:
        labels: of each clip.
        seed: of the motion.
        splits: of each clip; () where its file says nothing.
        lengths: of each clip, frames; None: 9 to 20.
    """

    def __init__(
        self,
        labels: Sequence[int],
        seed: int = 0,
        splits: Sequence[tuple[str, ...]] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        skeleton = small_skeleton()
        rng, joints = np.random.default_rng(seed), skeleton.num_joints
        clips = []
        for index, label in enumerate(labels):
            frames = int(rng.integers(9, 21)) if lengths is None else lengths[index]
            people = 1 + index % 2
            rest = rng.normal(0, 0.3, (people, 1, joints, 3))
            t = np.arange(frames)[None, :, None, None]
            motion = rest + 0.3 * np.sin(0.4 * label * t + rng.uniform(0, 1, (people, 1, joints, 3)))
            if people == 2:
                motion[1, frames - 3 :] = np.nan  # the second person leaves
            clips.append(
                ActionClip(
                    name=f"clip{index}",
                    label=label,
                    positions=motion.astype(np.float32),
                    subject=f"P{index:03d}",
                    splits=() if splits is None else splits[index],
                )
            )
        super().__init__(clips, len(ACTIONS), skeleton, "small")
        self.classes = ACTIONS


def make_clips(labels: Sequence[int] = (0, 1, 2, 0, 1, 2, 1, 1, 1, 0, 1, 2), **options: object) -> MemoryClips:
    """Twelve clips of three actions, six of one of them."""
    return MemoryClips(SmallClips(labels, **options), Path("small"))  # type: ignore[arg-type]


def make_clip_splits(**options: object) -> ClipSplits:
    """Eight clips train, four validate."""
    clips = make_clips(**options)  # type: ignore[arg-type]
    return ClipSplits(clips, np.arange(8), np.arange(8, 12))
