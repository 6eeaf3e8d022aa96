"""The nearest neighbour: a clip gets the action of the training clip that it is most like. The floor of recognition."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from kinegraph.errors import ConfigError, DataError
from kinegraph.layers.resample import resample_clips
from kinegraph.models.recognition_model import RecognitionModel, RecognizerConfig
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["Nearest", "NearestConfig", "dynamic_time_warping"]

_PAIRS = 2048
"""Pairs of clips that are warped at a time: 32 MiB of distances at 64 frames."""


@dataclass(frozen=True, kw_only=True)
class NearestConfig(RecognizerConfig):
    """Configuration of :class:`Nearest`."""

    frames: int = 64
    """Clips are resampled to so many frames."""
    metric: Literal["dtw", "euclid"] = "dtw"
    """Distance of two clips: along the best alignment of their frames in time (dynamic time warping), or frame by
    frame."""
    examples: int = 0
    """Training clips it holds; fitting sets it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(self, 1, "frames")
        at_least(self, 0, "examples")


class Nearest(RecognitionModel):
    """The score of an action is minus the distance to its nearest training clip.

    The distance of two frames is the Euclidean distance over all joints of all people; that of two clips is its sum
    along the alignment (``dtw``), or the Euclidean distance over all frames (``euclid``). Clips compare as they
    are given: which normalisation they went through is the data's affair. An action without examples scores minus
    infinity.

    Shapes: (batch, people, frames, joints, channels) -> (batch, classes); any number of frames.

    Attributes:
        clips: (examples, frames, features) the training clips.
        labels: (examples,) their actions.

    Raises:
        ConfigError: no such metric.
    """

    trains = "fit"
    clips: Tensor
    labels: Tensor

    def __init__(self, skeleton: Skeleton, config: NearestConfig | None = None) -> None:
        config = config or NearestConfig()
        super().__init__(skeleton, config)
        if config.metric not in ("dtw", "euclid"):
            raise ConfigError(f"metric '{config.metric}': expected dtw or euclid")
        features = self.people * skeleton.num_joints * self.channels
        self.register_buffer("clips", torch.zeros(config.examples, config.frames, features))
        self.register_buffer("labels", torch.zeros(config.examples, dtype=torch.long))

    @property
    def fitted(self) -> bool:
        """Whether it has training clips."""
        return len(self.labels) > 0

    @property
    def num_parameters(self) -> int:
        """Number of values it remembers."""
        return self.clips.numel()

    def fit(self, x: Tensor, labels: Tensor, mask: Tensor | None = None) -> None:
        """Remember the training clips.

        Args:
            x: (clips, people, frames, joints, channels).
            labels: (clips,) actions, 0 to classes - 1.
            mask: (clips, people, frames) bool.

        Raises:
            DataError: wrong shapes, no clips, or labels that are no actions.
        """
        self.check_training(x, labels, mask)
        with torch.no_grad():
            self.clips = self._features(x, mask).to(self.clips)
        self.labels = labels.to(self.labels)
        self.config = replace(self.config, examples=len(labels))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Recognise; see :meth:`RecognitionModel.forward`.

        Raises:
            DataError: it has no training clips yet.
        """
        self.check_input(x, mask)
        if not self.fitted:
            raise DataError("Nearest has no training clips; call fit first")
        distances = self.distances(self._features(x, mask))
        # x.shape[0], not len(x): an exported program keeps the batch free only where nobody asks for a plain number
        scores = distances.new_full((x.shape[0], self.classes), float("-inf"))
        return scores.scatter_reduce(1, self.labels.expand(x.shape[0], -1), -distances, "amax")

    def distances(self, clips: Tensor) -> Tensor:
        """(batch, frames, features) to every training clip, (batch, examples)."""
        compiling = torch.compiler.is_compiling()  # a compiled graph serves every batch
        if self.config.metric == "euclid":
            # left to itself torch.cdist goes by the number of clips
            way = "use_mm_for_euclid_dist" if compiling else "use_mm_for_euclid_dist_if_necessary"
            return torch.cdist(clips.flatten(1), self.clips.flatten(1), compute_mode=way)
        chunk = len(self.clips) if compiling else max(1, _PAIRS // max(1, clips.shape[0]))
        parts = []
        for examples in torch.split(self.clips, chunk):
            costs = torch.cdist(clips.unsqueeze(1), examples.unsqueeze(0))  # (batch, chunk, frames, frames)
            parts.append(torch.unflatten(dynamic_time_warping(costs.flatten(0, 1)), 0, costs.shape[:2]))
        return torch.cat(parts, dim=1)

    def _features(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(clips, frames, people x joints x channels), zero where there are fewer people than there may be."""
        found = resample_clips(x, mask, self.config.frames).transpose(1, 2).flatten(2)
        return torch.nn.functional.pad(found, (0, self.clips.shape[2] - found.shape[2]))


def dynamic_time_warping(costs: Tensor) -> Tensor:
    """Least sum of costs over monotonous alignments from (0, 0) to the last of both (Sakoe and Chiba 1978).

    Steps go one frame on in the first clip, in the second, or in both, each at the cost of the pair it reaches.

    Args:
        costs: (pairs, first, second) of every frame of one clip to every frame of the other.

    Returns:
        (pairs,)
    """
    pairs, first, second = costs.shape
    flipped = costs.flip(2)
    infinity = costs.new_full((pairs, 1), float("inf"))
    # Totals of the two antidiagonals before, by frame of the first clip, shifted by one: entry 0 is outside.
    before = costs.new_full((pairs, first + 1), float("inf"))
    last = before
    for diagonal in range(first + second - 1):
        low, high = max(0, diagonal - second + 1), min(diagonal, first - 1)
        cost = torch.diagonal(flipped, second - 1 - diagonal, 1, 2)
        if diagonal == 0:
            total = cost
        else:
            best = torch.minimum(last[:, low : high + 1], last[:, low + 1 : high + 2])
            total = cost + torch.minimum(best, before[:, low : high + 1])
        parts = [infinity.expand(-1, low + 1), total, infinity.expand(-1, first - 1 - high)]
        before, last = last, torch.cat(parts, dim=1)
    return last[:, -1]
