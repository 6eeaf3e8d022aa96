"""What every network for action recognition has in common: clips of one or more people in, scores of actions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from kinegraph.errors import ConfigError, DataError
from kinegraph.ranges import at_least
from kinegraph.skeleton import Skeleton

__all__ = ["RecognitionModel", "RecognizerConfig"]


@dataclass(frozen=True, kw_only=True)
class RecognizerConfig:
    """What every recogniser must be told; each has options of its own besides."""

    channels: int = 3
    """Features of a joint in a frame."""
    classes: int = 0
    """Actions."""
    people: int = 1
    """The most people in a clip."""

    def __post_init__(self) -> None:
        at_least(self, 1, "channels", "people")
        at_least(self, 0, "classes")


class RecognitionModel(nn.Module, ABC):
    """Base of the networks that recognise actions.

    Attributes:
        skeleton: whose joints, in which order.
        config: the configuration it was built from; has ``channels``, ``classes`` and ``people``.
        channels: features of a joint in a frame.
        classes: number of actions.
        people: the most people a clip may hold.
        frames: frames of a clip, where the network needs a fixed number; None where any number will do.
        trains: how it gets its weights: by ``"gradient"`` descent, or by ``"fit"``, its method
            ``fit(x, labels, mask=None)``.

    Raises:
        ConfigError: no classes.
    """

    trains: ClassVar[Literal["gradient", "fit"]] = "gradient"

    def __init__(self, skeleton: Skeleton, config: Any) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.config = config
        self.channels: int = config.channels
        self.classes: int = config.classes
        self.people: int = config.people
        self.frames: int | None = None
        if config.classes < 1:
            raise ConfigError(
                f"classes {config.classes}: a recogniser needs the number of actions; set it to 1 or more"
            )

    @property
    def num_parameters(self) -> int:
        """Number of trained values."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Recognise.

        Args:
            x: (batch, people, frames, joints, channels).
            mask: (batch, people, frames) bool, what is real; None: everything.

        Returns:
            Scores before softmax, (batch, classes).
        """

    def check_input(self, x: Tensor, mask: Tensor | None = None) -> None:
        """Refuse what is not (batch, people, frames, joints, channels), or a mask that is not (batch, people, frames).

        Raises:
            DataError: what was found and what is expected.
        """
        name = f"{type(self).__name__} on skeleton '{self.skeleton.name}'"
        for one in (x, mask):
            if one is not None and not isinstance(one, Tensor):
                raise DataError(
                    f"{name} takes tensors; found {type(one).__name__}: use torch.as_tensor(..., dtype=torch.float32), "
                    "for a mask torch.bool"
                )
        frames = "frames" if self.frames is None else str(self.frames)
        wanted = (
            f"(batch, people, frames, joints, channels) = (batch, 1 to {self.people}, {frames}, "
            f"{self.skeleton.num_joints}, {self.channels})"
        )
        tail = (self.skeleton.num_joints, self.channels)
        if x.dim() != 5 or tuple(x.shape[3:]) != tail or not 1 <= x.shape[1] <= self.people or x.shape[2] < 1:
            raise DataError(f"{name} takes {wanted}; found {tuple(x.shape)}")
        if self.frames is not None and x.shape[2] != self.frames:
            raise DataError(
                f"{name} takes {wanted}; found {tuple(x.shape)}; resample the clips to {self.frames} frames"
            )
        if mask is not None and mask.shape != x.shape[:3]:
            raise DataError(
                f"{name} takes a mask (batch, people, frames) = {tuple(x.shape[:3])}; found {tuple(mask.shape)}"
            )

    def check_training(self, x: Tensor, labels: Tensor, mask: Tensor | None = None) -> None:
        """Refuse training clips that a fitted model cannot use.

        Args:
            x: (clips, people, frames, joints, channels).
            labels: (clips,) actions, 0 to classes - 1.
            mask: (clips, people, frames) bool, what is real; None: everything.

        Raises:
            DataError: wrong shapes, no clips, values that are not finite, or labels that are no actions.
        """
        self.check_input(x, mask)
        name = type(self).__name__
        if labels.shape != (len(x),) or not len(x):
            raise DataError(f"{name}: {len(x)} training clips and labels {tuple(labels.shape)}; expected one each")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= self.classes:
            raise DataError(
                f"{name}: labels from {low} to {high}; with {self.classes} classes expected 0 and up to "
                f"{self.classes - 1}"
            )
        if not bool(x.isfinite().all()):
            raise DataError(f"{name}: the training clips hold NaN or infinite values; fill the gaps first")
