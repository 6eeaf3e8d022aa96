"""The data of a motion run: whole clips in memory, a batch gathered by index (`motion_windows`)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from kinegraph.atomic import write_csv
from kinegraph.errors import DataError
from kinegraph.training.folder import BAD
from kinegraph.training.launch import is_leader
from kinegraph.training.motion_recipe import MotionAugmentRecipe
from kinegraph.training.motion_splits import MotionSplits
from kinegraph.training.motion_validation import MotionValidation
from kinegraph.training.motion_view import WindowView
from kinegraph.training.motion_windows import MotionFrames, WindowSampler
from kinegraph.training.read_ahead import Reader, drawn_ahead, on_device, without_trainer
from kinegraph.transforms.motion import MotionTransform

__all__ = ["MotionBatch", "MotionDataModule"]


class MotionBatch(NamedTuple):
    """What a step learns from. B windows, T observed and H future frames, J joints, C channels; normalised."""

    step: int
    """Number of the step, from 0: every random choice within it follows from this and the seed."""
    inputs: Tensor
    """(B, T, J, C)."""
    targets: Tensor
    """(B, H, J, C)."""
    labels: Tensor
    """(B,) actions."""


class _Steps:
    """The batches of a run from the trainer's current step on, without end; each rank gets its share of each."""

    def __init__(self, module: MotionDataModule) -> None:
        self.module = module

    def __iter__(self) -> Iterator[MotionBatch]:
        module = self.module
        reader = Reader.of(module.trainer)
        workers = module.workers
        if workers or module.frames.view is not None:
            draw = functools.partial(without_trainer(module).batch_of, rank=reader.rank, world=reader.world)
            yield from drawn_ahead(draw, reader, reader.workers(workers))
            return
        # Windows that are looked up are gathered where the frames lie: on the device.
        for step in itertools.count(reader.first):
            yield module.batch_of(step, rank=reader.rank, world=reader.world, device=reader.device)


class MotionDataModule(pl.LightningDataModule):
    """Batches of a motion run.

    Args:
        splits: training and validation data, on one skeleton, with the same actions.
        transform: how features become tensors; says how many frames are observed and forecast.
        sampling: see `MotionDataRecipe`.
        batch: windows per step over all ranks.
        augment: changes to the training windows.
        validation_stride: frames between the validation windows of a clip.
        seed: decides order and augmentation.
        workers: processes that draw windows ahead; None: up to 8 for a GPU where windows are seen from their own place
            and heading, else none.
        folder: of the run, which gets a list of what was left out once training begins; None for no list.

    Raises:
        DataError: the splits do not go together, or no clip is long enough.
    """

    def __init__(
        self,
        splits: MotionSplits,
        transform: MotionTransform,
        *,
        sampling: str = "windows",
        batch: int = 64,
        augment: MotionAugmentRecipe | None = None,
        validation_stride: int = 5,
        seed: int = 0,
        workers: int | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__()
        train, validation = splits
        for name in ("skeleton", "actions", "fps", "representation"):
            if getattr(train, name) != getattr(validation, name):
                raise DataError(
                    f"{name}: {train.name} has {getattr(train, name)}, {validation.name} {getattr(validation, name)}"
                )
        self.splits = splits
        self.workers = workers
        self.folder = folder
        self.transform = transform
        self.augment = augment or MotionAugmentRecipe()
        self.seed = seed
        self.sampler = WindowSampler(
            train,
            transform.observed + transform.horizon,
            observed=transform.observed,
            sampling=sampling,
            augment=self.augment,
            batch=batch,
            seed=seed,
        )
        if transform.actions and (self.sampler.labels < 0).all():
            raise DataError(
                f"{train.name}: no clip has an action to learn and the {self.sampler.length} frames of a window; set "
                "transform.recognise to false"
            )
        view = WindowView(transform.root, transform.observed, train.skeleton, train.representation)
        self.frames = MotionFrames(train, transform, mirror=self.augment.mirror > 0, view=view)
        self.validation = MotionValidation(validation, transform, stride=validation_stride)
        self._used = torch.from_numpy(transform.used)

    def prepare_data(self) -> None:
        """List what was left out beside the run, whose folder is made and checked by now."""
        skipped = self.splits.skipped
        if self.folder is not None and skipped and is_leader():
            write_csv(self.folder / BAD, ("file", "reason"), [(one.path.as_posix(), one.reason) for one in skipped])

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in a pass over the training data, at least 1."""
        return self.sampler.steps_per_epoch

    def evaluate(self, task: Any, most: int | None) -> dict[str, float]:
        """What the validation split, or `most` of its windows, says about the task's kept weights."""
        found: dict[str, float] = task.evaluate(self.validation, most)
        return found

    def fit(self, model: Any, steps: int, most: int | None) -> None:
        """Fit a model that is not trained by gradients: on the windows of so many steps, with `most` of the validation
        windows to choose its settings by."""
        self.prepare_data()
        batches = [self.batch_of(step) for step in range(steps)]
        rows = self.validation.rows(most)
        model.fit(
            torch.cat([batch.inputs for batch in batches]),
            torch.cat([batch.targets for batch in batches]),
            (self.validation.inputs(rows), self.validation.targets(rows)),
        )

    def train_dataloader(self) -> Any:
        """An endless iterable of `MotionBatch`, starting at the trainer's current step."""
        return _Steps(self)

    def batch_of(self, step: int, *, device: torch.device | None = None, rank: int = 0, world: int = 1) -> MotionBatch:
        """The batch of a step, or the share of it that one of several ranks gets."""
        device = device or torch.device("cpu")
        rng = np.random.default_rng((self.seed, 2, step))
        draw = self.sampler.draw(step, rng)
        count, observed = len(draw.labels), self.transform.observed
        noise = None
        if self.augment.noise:
            # Drawn for the whole batch and then shared out, so that the number of ranks changes nothing.
            shape = (count, observed, *self._used.shape)
            noise = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)[rank::world])
        here = draw.share(rank, world)
        window = self.frames.to(device).gather(here)
        inputs, targets = window[:, :observed], window[:, observed:]
        if noise is not None:
            self._used = self._used.to(inputs.device)  # moved there once
            inputs = inputs + self.augment.noise * on_device(noise, inputs.device) * self._used
        labels = torch.from_numpy(here.labels.copy())
        return MotionBatch(
            step, *(on_device(x, device) if x.device != device else x for x in (inputs, targets, labels))
        )
