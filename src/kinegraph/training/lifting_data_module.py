"""The data of a lifting run: whole splits in memory, gathered a batch at a time by index.

A network this small leaves no time for fetching samples one by one: a batch is one `index_select`, or drawn anew as one
piece. Which poses a step sees is a function of the seed and the number of the step alone, so a resumed run needs no
sampler state, and neither ranks nor workers change anything.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.datasets.bodies import body_of_poses, even_weights
from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.window_pace import paced_windows
from kinegraph.errors import DataError
from kinegraph.geometry.cameras import project
from kinegraph.training.lifting_recipe import Balance, LiftingAugmentRecipe
from kinegraph.training.lifting_splits import LiftingSplits
from kinegraph.training.read_ahead import Reader, drawn_ahead, on_device, without_trainer
from kinegraph.transforms.lifting import LiftingTransform

if TYPE_CHECKING:
    from kinegraph.training.lifting_task import LiftingTask

__all__ = ["LiftingBatch", "LiftingDataModule", "LiftingTensors"]


class LiftingBatch(NamedTuple):
    """What a step learns from. B poses, F frames, J joints, C channels."""

    step: int
    """Number of the step, from 0: every random choice within it follows from this and the seed."""
    inputs: Tensor
    """(B, J, C), or (B, F, J, C) for a temporal network."""
    targets: Tensor
    """(B, J, 3), of the frame that is lifted."""
    flip: Tensor
    """(B,) bool: the poses to mirror."""


@dataclass(frozen=True, kw_only=True)
class LiftingTensors:
    """A split as the network takes it. N poses, J joints, C channels, F frames."""

    inputs: Tensor
    """(N, J, C) float32."""
    targets: Tensor
    """(N, J, 3) float32."""
    windows: Tensor | None
    """(N, F) int64 rows of each pose's window; None for a single frame."""

    @classmethod
    def encode(
        cls, data: LiftingData, transform: LiftingTransform, frames: int, step: int = 1, target: int | None = None
    ) -> LiftingTensors:
        """Encode every pose of `data` once."""
        inputs = transform.encode_inputs(data.keypoints_px, data.confidence, data.image_size)
        targets = transform.encode_targets(data.camera_m, data.intrinsics, data.image_size)
        rows = None if frames == 1 else torch.from_numpy(paced_windows(data.clip, frames, step, target).before)
        return cls(inputs=torch.from_numpy(inputs), targets=torch.from_numpy(targets), windows=rows)

    def __len__(self) -> int:
        return self.inputs.shape[0]

    def to(self, device: torch.device) -> LiftingTensors:
        """A copy on `device`."""
        rows = None if self.windows is None else self.windows.to(device)
        return LiftingTensors(inputs=self.inputs.to(device), targets=self.targets.to(device), windows=rows)

    def gather_inputs(self, rows: Tensor) -> Tensor:
        """Inputs (B, J, C) or (B, F, J, C) of the poses `rows` (B,)."""
        if self.windows is None:
            return self.inputs[rows]
        return self.inputs[self.windows[rows]]


class _Steps:
    """The batches of a run from the trainer's current step on, without end; each rank gets its share of each."""

    def __init__(self, module: LiftingDataModule) -> None:
        self.module = module

    def __iter__(self) -> Iterator[LiftingBatch]:
        module = self.module
        reader = Reader.of(module.trainer)
        if module.augment.draws_poses:
            draw = functools.partial(without_trainer(module).batch_of, rank=reader.rank, world=reader.world)
            yield from drawn_ahead(draw, reader, reader.workers(module.workers))
            return
        # Poses that are looked up are gathered where they lie: on the device.
        tensors = module.train.to(reader.device)
        for step in itertools.count(reader.first):
            yield module.batch_of(step, rank=reader.rank, world=reader.world, tensors=tensors)


class LiftingDataModule(pl.LightningDataModule):
    """Batches of a lifting run.

    Args:
        splits: training and validation data, on one skeleton.
        transform: how poses become tensors.
        frames: the network's window; 1 for a single frame.
        step: distance between neighbouring frames of a window.
        target: which frame of a window is lifted; the centre if None.
        batch: poses per step over all ranks.
        augment: changes to the training inputs.
        balance: `bodies` draws every body equally often (:mod:`kinegraph.datasets.bodies`), `none` every pose.
        seed: decides order, mirroring and noise.
        workers: processes that draw poses ahead; None: none on a CPU, up to 8 for a GPU.

    Attributes:
        bodies: how many there are in the training data, where each counts alike; else None.

    Raises:
        DataError: training and validation data on different skeletons.
    """

    def __init__(
        self,
        splits: LiftingSplits,
        transform: LiftingTransform,
        *,
        frames: int = 1,
        target: int | None = None,
        step: int = 1,
        batch: int = 256,
        augment: LiftingAugmentRecipe | None = None,
        balance: Balance = "none",
        seed: int = 0,
        workers: int | None = None,
    ) -> None:
        super().__init__()
        if splits.train.skeleton != splits.validation.skeleton:
            raise DataError(
                f"training data is on {splits.train.skeleton.name}, validation on {splits.validation.skeleton.name}"
            )
        self.splits = splits
        self.transform = transform
        self.augment = augment or LiftingAugmentRecipe()
        self.seed = seed
        self.workers = workers
        self.train = LiftingTensors.encode(splits.train, transform, frames, step, target)
        self.validation = LiftingTensors.encode(splits.validation, transform, frames, step, target)
        self.batch = min(batch, len(self.train))
        self.target = frames // 2 if target is None else target
        self.bodies: int | None = None
        self._weights: NDArray[np.float64] | None = None
        if balance == "bodies":
            body = body_of_poses(splits.train)
            self.bodies, self._weights = int(body.max()) + 1, even_weights(body)
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, dtype=np.int64))  # an epoch, and its order

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in a pass over the training data, at least 1."""
        return max(1, len(self.train) // self.batch)

    def evaluate(self, task: LiftingTask, most: int | None) -> dict[str, float]:
        """What the validation split, or `most` of it, says about the task's kept weights."""
        return task.evaluate(self.splits.validation, self.validation, most)

    def train_dataloader(self) -> Any:
        """An endless iterable of `Batch`, starting at the trainer's current step."""
        return _Steps(self)

    def batch_of(
        self, step: int, *, rank: int = 0, world: int = 1, tensors: LiftingTensors | None = None
    ) -> LiftingBatch:
        """The batch of a step, or the share of it that one of several ranks gets.

        Every epoch takes the poses in a new order, which follows from the seed and the epoch. The last poses that do
        not fill a batch are left out of that epoch. Where every body counts alike, an epoch is as many poses, drawn
        one by one: those of who was recorded least come several times.

        Args:
            step: number of the step.
            rank: which share.
            world: how many shares.
            tensors: `train` on the device where poses that are looked up shall be; None for the CPU.
        """
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._order[0]:
            self._order = epoch, self._epoch(np.random.default_rng((self.seed, 1, epoch)))
        rows = self._order[1][place * self.batch : (place + 1) * self.batch]
        rng = np.random.default_rng((self.seed, 2, step))
        flips = rng.random(len(rows)) < (0.5 if self.augment.flip else 0.0)
        share = slice(rank, None, world)
        flip = torch.from_numpy(flips[share].copy())
        if self.augment.draws_poses:
            inputs, targets = (torch.from_numpy(array) for array in self.drawn_poses(rows, rng, share))
            return LiftingBatch(step, inputs, targets, flip)
        tensors = tensors or self.train
        device = tensors.inputs.device
        index = on_device(torch.from_numpy(rows[share].copy()), device)
        return LiftingBatch(step, tensors.gather_inputs(index), tensors.targets[index], on_device(flip, device))

    def _epoch(self, rng: np.random.Generator) -> NDArray[np.int64]:
        poses = len(self.train)
        return rng.permutation(poses) if self._weights is None else rng.choice(poses, size=poses, p=self._weights)

    def drawn_poses(
        self, rows: NDArray[np.int64], rng: np.random.Generator, share: slice | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs (B, J, C) or (B, F, J, C) and targets (B, J, 3) of the poses `rows`, varied and with fresh noise.

        Of a `share` of them alone, as they are among all: random numbers are drawn for all, and limbs may be another's,
        so that the number of ranks changes nothing.
        """
        body, noise = self.augment.body, self.augment.noise
        data, windows = self.splits.train, self.train.windows
        share = share or slice(None)
        # A single frame is a clip of its own, so that errors correlated in time do not run from pose to pose.
        clips = rows[:, None] if windows is None else windows[torch.from_numpy(rows)].numpy()  # (B, F)
        clip, own = clips[share], rows[share]
        if body is None:
            keypoints = data.keypoints_px[clip]  # (B, F, J, 2)
            targets = self.train.targets[torch.from_numpy(own.copy())].numpy()
        else:
            points = body.apply(data.camera_m[clips], rng, skeleton=data.skeleton, share=share)
            keypoints = project(points, data.intrinsics[clip])
            target = self.target if windows is not None else 0
            targets = self.transform.encode_targets(points[:, target], data.intrinsics[own], data.image_size[own])
        confidence = data.confidence[clip]  # (B, F, J)
        if noise is not None:
            levels = self.augment.noise_levels
            lot = rng.integers(len(levels), size=len(rows))
            for number, level in enumerate(levels):
                of_all = np.flatnonzero(lot == number)
                if level > 0 and len(of_all):
                    some = np.flatnonzero(lot[share] == number)
                    among = (np.flatnonzero(np.isin(of_all, np.arange(len(rows))[share])), len(of_all))
                    keypoints[some], confidence[some] = noise.scaled(level).apply(
                        keypoints[some], confidence[some], rng, skeleton=data.skeleton, among=among
                    )
        inputs = self.transform.encode_inputs(keypoints, confidence, data.image_size[clip])
        return (inputs if windows is not None else inputs[:, 0]), targets
