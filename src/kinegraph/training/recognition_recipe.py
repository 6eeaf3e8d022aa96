"""The recipe of a network that recognises actions in clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kinegraph.training.recipe_parts import RunRecipe, ScheduleRecipe, TrainerRecipe
from kinegraph.transforms.clip_augment import ClipAugmentation
from kinegraph.transforms.clip_sampling import Sampling
from kinegraph.transforms.prenormalise import Convention
from kinegraph.transforms.streams import Stream

__all__ = [
    "ClipAugmentRecipe",
    "ClipDataRecipe",
    "ClipTransformRecipe",
    "RecognitionObjectiveRecipe",
    "RecognitionRecipe",
    "RecognitionTrainerRecipe",
]


@dataclass(frozen=True, kw_only=True)
class ClipDataRecipe:
    """What to train on."""

    protocol: str = "synthetic-recognition"
    """Which clips train: the name of a protocol (`ntu60-xsub`, `hdm05-11-one`, `folder`...), or of a split that the
    container states (`xsub` of PYSKL's `xsub_train`, `train1` of its `train1`). `synthetic-recognition` makes its own
    clips."""
    source: str | None = None
    """Folder that `kinegraph data prepare` wrote; small data sets (HDM05, CMU, your own folders) may come as they
    are."""
    fold: int = 0
    """Which of the protocol's folds trains (hdm05-11-one has 0 to 4: bd, bk, dg, mm, tr)."""
    held_out: float = 0.1
    """Share of each class's training clips that the checkpoint is chosen on, where the data has no validation part of
    its own; 0 trains on all of them and goes with `trainer.keep: last`."""

    @property
    def name(self) -> str:
        """What messages call the data."""
        return self.protocol

    def __post_init__(self) -> None:
        if self.fold < 0:
            raise ValueError(f"fold: found {self.fold}, expected 0 or more")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out: found {self.held_out}, expected a share, 0 to below 1")
        if self.protocol == "synthetic-recognition" and self.source is not None:
            raise ValueError("source: the synthetic clips make themselves; remove it")


@dataclass(frozen=True, kw_only=True)
class ClipTransformRecipe:
    """What the network sees; stored with the weights."""

    prenormalise: Convention = "ctr-gcn"
    """Where a clip stands and how it is turned: `2s-agcn`, `pyskl`, `ctr-gcn`, `upright` or `none`."""
    sampling: Sampling = "resize"
    """How frames are taken: `resize` interpolates the clip to `frames` frames, `uniform` takes one of each stretch,
    `window` consecutive ones, `repeat` starts anew at the end, `all` leaves the clip as it is."""
    frames: int = 64
    """Frames the network sees; of no account with `all`."""
    stream: Stream = "joint"
    """`joint`, `bone`, `joint-motion` or `bone-motion`; train one network of each and fuse their scores with
    `kinegraph ensemble`."""
    people: int | None = None
    """How many people the network sees; null: as many as the training clips hold, at most 2."""
    confidence: bool = False
    """Give the network the keypoints' confidence as a further channel (2D keypoints)."""

    def __post_init__(self) -> None:
        if self.frames < 1 or (self.people is not None and self.people < 1):
            raise ValueError(f"frames {self.frames}, people {self.people}: expected 1 or more")


@dataclass(frozen=True, kw_only=True)
class ClipAugmentRecipe(ClipAugmentation):
    """Changes to the training clips, drawn anew at every step."""

    share: float = 1.0
    """Share of the clips that are changed at all."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: found {self.share}, expected 0 to 1")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class RecognitionObjectiveRecipe:
    """The loss: cross entropy."""

    label_smoothing: float = 0.0
    """Share of the label spread evenly over all actions."""
    class_weights: Literal["none", "balanced", "sqrt"] = "none"
    """`balanced` weighs a clip by the inverse of its class's number of training clips, so that all classes count the
    same; `sqrt` by its root."""

    def __post_init__(self) -> None:
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing: found {self.label_smoothing}, expected a number between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class RecognitionTrainerRecipe(TrainerRecipe):
    """How long and how the run goes."""

    batch: int = 16
    """Clips per step, over all processes together."""
    monitor: Literal["error", "loss"] = "error"
    """What chooses the checkpoint: the share of wrong validation clips, or their cross entropy."""


@dataclass(frozen=True, kw_only=True)
class RecognitionRecipe(RunRecipe):
    """Everything that decides the training of a recogniser."""

    task: Literal["recognition"] = "recognition"
    """What is learned."""
    data: ClipDataRecipe = field(default_factory=ClipDataRecipe)
    """What to train on."""
    transform: ClipTransformRecipe = field(default_factory=ClipTransformRecipe)
    """What the network sees."""
    augment: ClipAugmentRecipe = field(default_factory=ClipAugmentRecipe)
    """Changes to the training clips."""
    schedule: ScheduleRecipe = field(default_factory=lambda: ScheduleRecipe(name="cosine"))
    """Learning rate over time."""
    objective: RecognitionObjectiveRecipe = field(default_factory=RecognitionObjectiveRecipe)
    """The loss."""
    trainer: RecognitionTrainerRecipe = field(default_factory=RecognitionTrainerRecipe)
    """How long and how the run goes."""
    out: str = "runs/recognition"
    """Run folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data.held_out == 0 and self.trainer.patience is not None:
            raise ValueError("trainer.patience: nothing is held out to stop early by; set data.held_out or remove it")
