"""The recipe of a network that forecasts motion, recognises actions, or both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kinegraph.ranges import at_least, positive
from kinegraph.training.recipe_parts import OptimRecipe, RunRecipe, TrainerRecipe

__all__ = [
    "MotionAugmentRecipe",
    "MotionDataRecipe",
    "MotionRecipe",
    "MotionTrainerRecipe",
    "MotionTransformRecipe",
    "ObjectiveRecipe",
]


_HELD_OUT = 0.1
_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class MotionDataRecipe:
    """What to train on."""

    name: Literal["synthetic", "cmu-8", "h36m-angles", "ntu", "recordings"] = "synthetic"
    """The benchmark: `synthetic` makes its own small set, the others need a source; `recordings` reads any motion
    files, one folder an action."""
    source: str | None = None
    """Folder with the benchmark's files, or with a user's own recordings."""
    representation: Literal["expmap", "positions"] | None = None
    """Joint rotations as exponential maps (radians), or joint positions (metres); null takes exponential maps where
    the data has them."""
    fps: float | None = None
    """Frame rate of `recordings`, to which each is resampled; null takes 60. The benchmarks have their own."""
    phases: Literal[1, 2] | None = None
    """`cmu-8` keeps every second frame: 2 trains on a further copy of every clip, of the other frames; null takes 2."""
    benchmark: Literal["xsub", "xview"] | None = None
    """Which split of `ntu`: by subject or by camera; null takes xsub."""
    held_out: float = _HELD_OUT
    """Share of the training data that the checkpoint is chosen on: whole subjects of `ntu`, files of every action of
    `recordings`. The others have their own validation split, and take no share."""
    held_out_by: Literal["name", "place"] = "name"
    """Which files of `recordings` are held out. `name`: those whose names have the lowest hashes, so that one file more
    moves one at most; `place`: every n-th clip in the order of their names, n the share's reciprocal, rounded, as the
    network in the package was trained."""
    sampling: Literal["windows", "actions", "clips"] = "windows"
    """Which windows a step sees. `windows`: each once an epoch, so that long clips count for more; `actions`: every
    action equally often; `clips`: every clip equally often."""
    validation_stride: int = 5
    """Frames between the validation windows of a clip."""

    def __post_init__(self) -> None:
        positive(self, "fps", "validation_stride")
        for option, owner in (("fps", "recordings"), ("phases", "cmu-8"), ("benchmark", "ntu")):
            if getattr(self, option) is not None and self.name != owner:
                raise ValueError(f"{option}: it goes with {owner} and means nothing for {self.name}; remove it")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out: found {self.held_out}, expected a share between 0 and 1")
        # not null, as the others are: the recipes of runs hold the number whatever their data
        if self.held_out != _HELD_OUT and self.name not in ("ntu", "recordings"):
            raise ValueError(
                f"held_out: it goes with ntu and recordings; {self.name} has a validation split of its own; remove it"
            )
        if self.held_out_by != "name" and self.name != "recordings":
            raise ValueError(f"held_out_by: it goes with recordings and means nothing for {self.name}; remove it")
        if self.name == "synthetic" and self.source is not None:
            raise ValueError("source: the synthetic data makes itself; remove it")
        only = {"h36m-angles": "expmap", "ntu": "positions", "synthetic": "positions"}.get(self.name)
        if only is not None and self.representation not in (None, only):
            raise ValueError(f"representation: {self.name} holds {only} only; found {self.representation}")


@dataclass(frozen=True, kw_only=True)
class MotionTransformRecipe:
    """What the network sees and answers; stored with the weights."""

    observed: int = 50
    """Frames the network looks at."""
    horizon: int = 25
    """Frames it forecasts; 0 for a recogniser alone."""
    recognise: bool = False
    """Recognise the action too, of which some clips must have one; the others are forecast only."""
    per_channel: bool | None = None
    """Scale every channel by its own deviation, or (false) all by one, which leaves the joints' units comparable; null:
    all by one where the network sees bones (`model.stream` bone or dual) of positions, which have to be child minus
    parent in one unit, else each by its own."""
    root: Literal["none", "heading"] = "none"
    """`none`: the body's own path is left out (the protocols); `heading`: it is forecast, seen from place and heading
    of the last observed frame."""

    def __post_init__(self) -> None:
        if self.observed < 2 or self.horizon < 0:
            raise ValueError(
                f"observed {self.observed}, horizon {self.horizon}: expected at least 2 and at least 0 frames"
            )
        if not (self.horizon or self.recognise):
            raise ValueError("horizon 0 and recognise false: there is nothing to learn; set one of them")


@dataclass(frozen=True, kw_only=True)
class MotionAugmentRecipe:
    """Changes to the training windows, drawn anew at every step but for the two that shuffle."""

    mirror: float = 0.0
    """Share of the windows that are mirrored."""
    speed: tuple[float, float] | None = None
    """Range of a random change of tempo, [0.8, 1.25] say; frames in between are interpolated."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise on the input, in units of the network's channels."""
    shuffle_targets: float = 0.0
    """Share of the windows, the same ones throughout, whose future is that of another window (the paper's Table 9)."""
    shuffle_labels: float = 0.0
    """Share of the windows, the same ones throughout, that carry the action of another window (the paper's Table 10).
    """

    def __post_init__(self) -> None:
        for name in ("mirror", "shuffle_targets", "shuffle_labels"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, expected a share between 0 and 1")
        at_least(self, 0, "noise")
        if self.speed is not None and not 0.1 <= self.speed[0] <= self.speed[1] <= 10:
            raise ValueError(f"speed: found {list(self.speed)}, expected a range such as [0.8, 1.25]")


@dataclass(frozen=True, kw_only=True)
class ObjectiveRecipe:
    """How the forecasting error (`optim.loss`) and the recognition loss (cross entropy) become one objective."""

    balance: Literal["mgda", "mgda-ub", "fixed"] = "mgda"
    """Weight of recognition against forecasting: chosen at every step from both gradients of the shared backbone (the
    paper's), from those of the backbone's output (Sener and Koltun's cheaper upper bound), or `weight`."""
    normalise: Literal["none", "loss", "loss+"] = "none"
    """Gradients from which MGDA chooses: as they are (the paper's); divided by their loss; or by loss and length
    (Sener and Koltun's code). As it is, MGDA leans towards the shorter gradient, so a task that is learned (actions
    often are, soon) takes the weight from the other; with `loss+` the one with the larger loss has it."""
    weight: float = _WEIGHT
    """The weight of recognition, lambda, under `fixed`; forecasting has 1 - lambda."""
    velocity: float = 0.0
    """Weight of a second forecasting loss on the differences between neighbouring frames (siMLPe has 1)."""
    space: Literal["normalised", "raw"] = "normalised"
    """Measure the forecasting loss on the network's channels, or on radians or metres."""
    forecasting_scale: float = 1.0
    """Factor on the forecasting loss before it is balanced with recognition. MGDA leans towards the task with the
    smaller gradient; the losses are means over frames and channels, where the paper's Eq. 12 is a sum."""
    label_smoothing: float = 0.0
    """Share of the label spread evenly over all actions."""

    def __post_init__(self) -> None:
        for name in ("weight", "label_smoothing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, expected a number between 0 and 1")
        positive(self, "forecasting_scale")
        if self.balance == "fixed" and self.normalise != "none":
            raise ValueError("normalise: nothing is chosen from gradients under balance fixed; set none")
        if self.balance != "fixed" and self.weight != _WEIGHT:
            raise ValueError(f"weight: found {self.weight}, but balance {self.balance} chooses it; set balance fixed")
        at_least(self, 0, "velocity")


@dataclass(frozen=True, kw_only=True)
class MotionTrainerRecipe(TrainerRecipe):
    """How long and how the run goes."""

    batch: int = 64
    """Windows per step, over all processes together."""
    monitor: Literal["forecasting", "recognition"] | None = None
    """The error the checkpoint is chosen by; null takes forecasting where the network forecasts."""


@dataclass(frozen=True, kw_only=True)
class MotionRecipe(RunRecipe):
    """Everything that decides the training of a motion network."""

    task: Literal["motion"] = "motion"
    """What is learned."""
    data: MotionDataRecipe = field(default_factory=MotionDataRecipe)
    """What to train on."""
    transform: MotionTransformRecipe = field(default_factory=MotionTransformRecipe)
    """What the network sees and answers."""
    augment: MotionAugmentRecipe = field(default_factory=MotionAugmentRecipe)
    """Changes to the training windows."""
    optim: OptimRecipe = field(default_factory=OptimRecipe)
    """Loss and optimiser."""
    objective: ObjectiveRecipe = field(default_factory=ObjectiveRecipe)
    """How the losses become one."""
    trainer: MotionTrainerRecipe = field(default_factory=MotionTrainerRecipe)
    """How long and how the run goes."""
    out: str = "runs/motion"
    """Run folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.trainer.monitor == "recognition" and not self.transform.recognise:
            raise ValueError("trainer.monitor: recognition is not learned; set transform.recognise, or monitor to null")
        if self.trainer.monitor == "forecasting" and not self.transform.horizon:
            raise ValueError("trainer.monitor: forecasting is not learned; set transform.horizon, or monitor to null")
        if self.objective.velocity and self.transform.horizon < 2:
            raise ValueError("objective.velocity: differences between future frames need a horizon of 2 or more")
        if self.augment.shuffle_labels and not self.transform.recognise:
            raise ValueError("augment.shuffle_labels: there are no labels to learn; set transform.recognise")
        if self.augment.shuffle_targets and not self.transform.horizon:
            raise ValueError("augment.shuffle_targets: there is no future to learn; set transform.horizon")
        if self.augment.shuffle_targets and self.transform.root == "heading":
            raise ValueError("augment.shuffle_targets: another's future lies at another place; set transform.root none")
