"""Windows of clips by index arithmetic: all clips stand end to end in one array, and a batch is one gather from it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinegraph.datasets.motion_data import MotionData
from kinegraph.errors import DataError
from kinegraph.training.motion_recipe import MotionAugmentRecipe
from kinegraph.training.motion_view import WindowView
from kinegraph.training.read_ahead import on_device
from kinegraph.transforms.motion import MotionTransform

__all__ = ["Draw", "MotionFrames", "WindowSampler"]

Indices = NDArray[np.int64]
FAR = 1.5
"""Radians between neighbouring frames of an exponential map that only its jump at a full turn explains."""


class Draw(NamedTuple):
    """Where the windows of a batch lie, and what they count as. B windows of L frames."""

    positions: NDArray[np.float64]
    """(B, L) places in the array of all frames; between two frames where the tempo was changed."""
    mirrored: NDArray[np.bool_]
    """(B,)"""
    labels: Indices
    """(B,) actions."""

    def share(self, rank: int, world: int) -> Draw:
        """What one of `world` processes gets."""
        return Draw(self.positions[rank::world], self.mirrored[rank::world], self.labels[rank::world])


class WindowSampler:
    """Which windows a step sees: a function of seed and step alone.

    Args:
        data: the clips.
        length: frames of a window.
        observed: how many of them are input, where futures are shuffled.
        sampling: `windows`, `actions` or `clips`, see `MotionDataRecipe`.
        augment: mirroring, tempo and shuffling.
        batch: windows of a step.
        seed: decides everything.

    Raises:
        DataError: no clip is long enough.
    """

    def __init__(
        self,
        data: MotionData,
        length: int,
        *,
        observed: int,
        sampling: str,
        augment: MotionAugmentRecipe,
        batch: int,
        seed: int,
    ) -> None:
        table = data.windows(length)
        if not len(table):
            longest = max(len(clip.features) for clip in data.clips)
            raise DataError(
                f"{data.name}: no clip has the {length} frames of a window, the longest has {longest}; "
                "lower transform.observed or transform.horizon"
            )
        self.length, self.observed, self.augment, self.seed, self.sampling = length, observed, augment, seed, sampling
        lengths = np.array([len(clip.features) for clip in data.clips], dtype=np.int64)
        base = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.clip, self.start = table[:, 0], table[:, 1]
        self.base, self.frames = base[self.clip], lengths[self.clip]
        actions = np.array([clip.action for clip in data.clips], dtype=np.int64)
        groups = {"actions": actions[self.clip], "clips": self.clip}
        self.groups = _grouped(groups[sampling]) if sampling in groups else None
        self.batch = min(batch, len(table))
        self.epoch_windows = len(np.unique(self.clip)) if sampling == "clips" else len(table)
        # Who learns another's future or label is settled once.
        self.future = _shuffled(len(table), augment.shuffle_targets, (seed, 4))
        self.labels = actions[self.clip][_shuffled(len(table), augment.shuffle_labels, (seed, 5))]
        self._epoch, self._permutation = -1, np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.clip)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in a pass, at least 1."""
        return max(1, self.epoch_windows // self.batch)

    def rows(self, step: int, rng: np.random.Generator) -> Indices:
        """Windows of a step, (batch,)."""
        if self.groups is None:
            epoch, place = divmod(step, self.steps_per_epoch)
            if epoch != self._epoch:
                self._epoch = epoch
                self._permutation = np.random.default_rng((self.seed, 1, epoch)).permutation(len(self))
            return self._permutation[place * self.batch : (place + 1) * self.batch]
        order, first, count = self.groups
        group = rng.integers(len(first), size=self.batch)
        found: Indices = order[first[group] + rng.integers(count[group])]
        return found

    def draw(self, step: int, rng: np.random.Generator) -> Draw:
        """Everything that is drawn about a step's windows but the noise."""
        rows = self.rows(step, rng)
        count = len(rows)
        speed, shift = None, rng.random(count)
        if self.augment.speed is not None:
            low, high = np.log(self.augment.speed)
            speed = np.exp(rng.uniform(low, high, count))  # twice as fast is as likely as half as fast
        positions = self._positions(rows, speed, shift)
        other = self.future[rows]
        if (other != rows).any():
            positions[:, self.observed :] = self._positions(other, speed, shift)[:, self.observed :]
        mirrored = rng.random(count) < self.augment.mirror
        return Draw(positions, mirrored, self.labels[rows])

    def _positions(
        self, rows: Indices, speed: NDArray[np.float64] | None, shift: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        steps = np.arange(self.length, dtype=np.float64)
        if speed is None:
            return (self.base[rows] + self.start[rows])[:, None] + steps
        last = (self.frames[rows] - 1).astype(np.float64)
        speed = np.minimum(speed, last / (self.length - 1))  # a clip too short to be that fast
        # The window's share of the way through its clip stays; where it can begin depends on the tempo.
        share = (self.start[rows] + shift) / (self.frames[rows] - self.length + 1)
        begin = share * (last - (self.length - 1) * speed)
        inside = np.minimum(begin[:, None] + speed[:, None] * steps, last[:, None])
        found: NDArray[np.float64] = self.base[rows][:, None] + inside
        return found


def _grouped(group: Indices) -> tuple[Indices, Indices, Indices]:
    """Rows ordered by group, and first row and size of each group."""
    _, first, count = np.unique(np.sort(group), return_index=True, return_counts=True)
    return np.argsort(group, kind="stable"), first, count


def _shuffled(count: int, share: float, seed: tuple[int, int]) -> Indices:
    """For each row its own number, but for a random share of them that of another row of that share."""
    source = np.arange(count)
    chosen = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    source[chosen] = np.roll(chosen, 1)
    return source


class MotionFrames:
    """All frames of a split as the network takes them, the mirrored ones after the others.

    Args:
        data: the clips.
        transform: normalises.
        mirror: keep mirrored frames too.
        view: how the frames of a window stand to one another.

    Raises:
        DataError: the data has no mirror image.
    """

    def __init__(
        self, data: MotionData, transform: MotionTransform, *, mirror: bool = False, view: WindowView | None = None
    ) -> None:
        raw = np.concatenate([clip.features for clip in data.clips])
        self.transform = transform
        self.view = view if view is not None and view.moves else None
        self.count = len(raw)
        if mirror:
            if data.mirror is None:
                raise DataError(f"{data.name} has no mirror image; set augment.mirror to 0")
            raw = np.concatenate([raw, data.mirror(raw)])
        # Where every window is seen from a place of its own, it is normalised once that is known.
        self.frames = torch.from_numpy(transform.encode(raw) if self.view is None else raw.astype(np.float32))
        self.far: Tensor | None = None
        if data.representation == "expmap":
            jump = np.linalg.norm(np.diff(raw, axis=0, append=raw[-1:]), axis=-1) > FAR
            self.far = torch.from_numpy(jump)

    def to(self, device: torch.device) -> MotionFrames:
        """The frames on `device`, moved there once; on the CPU where windows have a view of their own.

        It is NumPy's, and a batch then goes to the device as one piece.
        """
        if self.view is not None:
            return self
        self.frames = self.frames.to(device)
        self.far = None if self.far is None else self.far.to(device)
        return self

    def gather(self, draw: Draw) -> Tensor:
        """(B, L, J, C) of a draw, normalised; between frames, the linear interpolation."""
        found = self._interpolate(draw)
        return found if self.view is None else torch.from_numpy(self.transform.encode(self.view(found.numpy())))

    def _interpolate(self, draw: Draw) -> Tensor:
        device = self.frames.device
        below = np.floor(draw.positions)
        part = draw.positions - below
        index = torch.from_numpy(below.astype(np.int64) + np.where(draw.mirrored, self.count, 0)[:, None])
        index = on_device(index, device)
        found = self.frames[index]
        if not part.any():
            return found
        between = on_device(torch.from_numpy(part.astype(np.float32)), device)[..., None, None]
        if self.far is not None:
            # Halfway between a rotation and the same one a full turn on lies a wrong one: take the nearer frame.
            between = torch.where(self.far[index][..., None], between.round(), between)
        # Where there is nothing left to add, the frame after may be another clip's: it has no weight, and exists.
        after = self.frames[(index + 1).clamp_max(len(self.frames) - 1)]
        return found.lerp_(after, between)
