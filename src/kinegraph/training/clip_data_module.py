"""The data of a recognition run: clips stay where they are; a batch is read, changed and padded when its step comes.

Which clips a step sees, and how each is changed, follows from the seed and the number of the step alone, so a resumed
run needs no sampler state, and neither processes nor workers change anything.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.datasets.evenly import evenly_spaced
from kinegraph.skeleton import Skeleton
from kinegraph.store.clip import ActionClip, Clips
from kinegraph.training.read_ahead import Reader, drawn_ahead, without_trainer
from kinegraph.training.recognition_recipe import ClipAugmentRecipe
from kinegraph.transforms.clip_batches import pad_clips
from kinegraph.transforms.clips import ClipTransform

__all__ = ["ClipBatch", "ClipDataModule", "ClipSplits", "encode_clip"]

Indices = NDArray[np.int64]


class ClipSplits(NamedTuple):
    """Clips, and which of them train and which choose the checkpoint. Test clips never come here."""

    clips: Clips
    train: Indices
    """(n,) numbers of clips."""
    validation: Indices
    """(n,) numbers of clips; empty where nothing is held out."""


class ClipBatch(NamedTuple):
    """What a step learns from. B clips, P people, T frames, J joints, C channels."""

    step: int
    """Number of the step, from 0: every random choice within it follows from this and the seed."""
    inputs: Tensor
    """(B, P, T, J, C)."""
    mask: Tensor
    """(B, P, T): who is there when."""
    labels: Tensor
    """(B,)."""
    weights: Tensor
    """(B,) what each clip counts: the mean of weight times loss over this process's clips, averaged over the processes,
    is that mean over the whole batch, however it is shared."""


def encode_clip(
    clip: ActionClip,
    transform: ClipTransform,
    skeleton: Skeleton,
    rng: np.random.Generator | None = None,
    augment: ClipAugmentRecipe | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What the network sees of a clip; with a generator and an augmentation, a changed one.

    (people, frames, joints, channels) and a mask (people, frames).
    """
    changes = None
    if augment is not None and rng is not None and rng.random() < augment.share:
        changes = augment
    return transform.encode(clip.positions, skeleton, clip.confidence, rng=rng, augmentation=changes)


class ClipDataModule(pl.LightningDataModule):
    """Batches of a recognition run.

    Args:
        splits: the clips and their parts.
        transform: what the network sees.
        batch: clips per step over all ranks.
        augment: changes to the training clips.
        class_weights: `none`, `balanced` or `sqrt`; see `RecognitionObjectiveRecipe`.
        workers: processes that read ahead; None: none on a CPU; on a GPU up to 8, as many as this process has cores.
        seed: decides order and changes.
    """

    def __init__(
        self,
        splits: ClipSplits,
        transform: ClipTransform,
        *,
        batch: int = 16,
        augment: ClipAugmentRecipe | None = None,
        class_weights: str = "none",
        workers: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.splits = splits
        self.transform = transform
        self.augment = augment or ClipAugmentRecipe()
        self.workers = workers
        self.seed = seed
        self.batch = min(batch, len(splits.train))
        labels = splits.clips.labels[splits.train]
        counts = np.bincount(labels, minlength=len(splits.clips.classes)).astype(np.float64)
        power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[class_weights]
        self.class_weights = np.where(counts > 0, np.maximum(counts, 1) ** -power, 0.0)
        self.class_weights *= len(labels) / self.class_weights[labels].sum()

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in a pass over the training clips, at least 1."""
        return max(1, len(self.splits.train) // self.batch)

    def evaluate(self, task: Any, most: int | None) -> dict[str, float]:
        """What the validation clips, or `most` of them, say about the task's kept weights; where nothing is held out,
        the training clips."""
        held_out = self.splits.validation
        rows = evenly_spaced(held_out if len(held_out) else self.splits.train, most)
        found: dict[str, float] = task.evaluate(self.splits.clips, rows)
        return found

    def fit(self, model: Any, steps: int, most: int | None) -> None:
        """Fit a model that is not trained by gradients: on every clip once for each epoch, changed as in training."""
        epochs = max(1, steps // self.steps_per_epoch)
        changes = self.augment if self.augment != ClipAugmentRecipe() else None
        encoded, labels = [], []
        for epoch in range(epochs if changes is not None else 1):
            for row in self.splits.train.tolist():
                rng = None if changes is None else np.random.default_rng((self.seed, 2, epoch, row))
                clip = self.splits.clips[row]
                encoded.append(encode_clip(clip, self.transform, self.splits.clips.skeleton, rng, changes))
                labels.append(clip.label)
        x, mask = pad_clips(encoded)
        model.fit(torch.from_numpy(x), torch.tensor(labels), torch.from_numpy(mask))

    def train_dataloader(self) -> Any:
        """An endless iterable of `ClipBatch`, starting at the trainer's current step."""
        return _Steps(self)

    def batch_of(self, step: int, *, rank: int = 0, world: int = 1) -> ClipBatch:
        """The batch of a step, or the share of it that one of several ranks gets."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng((self.seed, 1, epoch)).permutation(self.splits.train)
        rows = order[place * self.batch : (place + 1) * self.batch]
        clips = self.splits.clips
        # Their mean is 1 over all training clips, not in each batch: one without the rare class counts less.
        weights = self.class_weights[clips.labels[rows]]
        shared = len(range(rank, len(rows), world)) * world / len(rows)  # 1 where all have the same number
        encoded = []
        for position in range(rank, len(rows), world):
            # By its place in the whole batch, so that the number of ranks changes nothing.
            rng = np.random.default_rng((self.seed, 2, step, position))
            encoded.append(encode_clip(clips[int(rows[position])], self.transform, clips.skeleton, rng, self.augment))
        # All ranks pad to the same length: batch normalisation is over the batch of all of them.
        frames = int(clips.frames[rows].max()) if self.transform.sampling == "all" else None
        x, mask = pad_clips(encoded, frames)
        return ClipBatch(
            step,
            torch.from_numpy(x),
            torch.from_numpy(mask),
            torch.from_numpy(clips.labels[rows][rank::world].copy()),
            torch.from_numpy((shared * weights[rank::world]).astype(np.float32)),
        )


class _Steps:
    """The batches of a run from the trainer's current step on; each rank gets its share of each."""

    def __init__(self, module: ClipDataModule) -> None:
        self.module = module

    def __iter__(self) -> Iterator[ClipBatch]:
        module = self.module
        reader = Reader.of(module.trainer)
        draw = functools.partial(without_trainer(module).batch_of, rank=reader.rank, world=reader.world)
        yield from drawn_ahead(draw, reader, reader.workers(module.workers))
