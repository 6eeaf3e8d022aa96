"""What every training run has in common, whatever it learns: the fields of a recipe that are not of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kinegraph.ranges import at_least, positive, share
from kinegraph.seeds import SEEDS_BELOW

__all__ = ["DescentRecipe", "OptimRecipe", "RunRecipe", "ScheduleRecipe", "TrainerRecipe", "flat_fields"]


@dataclass(frozen=True, kw_only=True)
class DescentRecipe:
    """The optimiser."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    """Optimiser; adamw decouples its weight decay from the gradient, sgd goes with `momentum`."""
    lr: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 0.0
    """Pull of the weights towards 0."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's moving-average factors."""
    momentum: float = 0.9
    """Nesterov momentum of sgd; 0 for none."""
    clip: float | None = None
    """Largest norm of the gradient; null does not clip."""
    ema: float | None = None
    """Decay of an exponential moving average of the weights, which is then what is validated and kept."""

    def __post_init__(self) -> None:
        positive(self, "lr")
        positive(self, "clip", infinite=True)
        at_least(self, 0, "weight_decay")
        share(self, "momentum")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas: found {list(self.betas)}, expected two factors of 0 or more, below 1")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema: found {self.ema}, expected a decay between 0 and 1, such as 0.999")


@dataclass(frozen=True, kw_only=True)
class OptimRecipe(DescentRecipe):
    """Optimiser, and the loss of networks that answer with poses."""

    loss: Literal["l1", "mse", "mpjpe", "pose"] = "l1"
    """Mean absolute difference (the papers'), mean square, mean joint distance, or mean distance of whole poses (the
    length over all joints and channels together, as the Euler protocols measure), in target units."""


@dataclass(frozen=True, kw_only=True)
class ScheduleRecipe:
    """Learning rate as a function of the step, so that a resumed run needs to remember nothing."""

    name: Literal["exponential", "steps", "cosine", "one-cycle", "constant"] = "exponential"
    """`exponential`: times `gamma` every epoch, or every so many; `steps`: times `gamma` at `milestones`; `cosine`: to
    `final` of the peak; `one-cycle`: up for `warmup` of the run, then cosine down."""
    gamma: float = 0.95
    """Factor of `exponential` and `steps`."""
    milestones: tuple[int, ...] = ()
    """Epochs before which the rate of `steps` falls (`gamma: 0.1, milestones: [35, 45]`)."""
    every: int = 1
    """Epochs between two falls of `exponential` (`gamma: 0.1, every: 30` divides the rate by ten every 30 epochs)."""
    warmup: float = 0.0
    """Share of the run over which the rate rises linearly from 0."""
    final: float = 0.0
    """Last rate of `cosine` and `one-cycle` as a share of the peak."""

    def __post_init__(self) -> None:
        positive(self, "gamma", "every")
        share(self, "warmup")
        if not 0 <= self.final <= 1:
            raise ValueError(f"final: found {self.final}, expected a share of the peak between 0 and 1")
        if (self.name == "steps") != bool(self.milestones):
            raise ValueError("milestones: they go with the schedule `steps`, and it with them")
        if any(b <= a for a, b in zip((0, *self.milestones), self.milestones, strict=False)):
            raise ValueError(f"milestones: found {list(self.milestones)}, expected epochs above 0 in rising order")
        if self.name == "one-cycle" and self.warmup == 0:
            raise ValueError("warmup: one-cycle needs a rise; give a share of the run such as 0.3")


@dataclass(frozen=True, kw_only=True)
class TrainerRecipe:
    """How long and how the run goes."""

    epochs: int | None = None
    """Length of the run in passes over the data; give this or `steps` (neither: 80 epochs)."""
    steps: int | None = None
    """Length of the run in optimiser steps."""
    batch: int = 256
    """Examples (poses, windows of motion) per step, over all processes together."""
    validate_every: int | None = None
    """Steps between validations; null validates once an epoch."""
    validate_poses: int | None = 8192
    """Validate on at most this many examples, evenly spaced over the validation split; null takes all."""
    keep: Literal["best", "last"] = "best"
    """Which weights are kept: those of the best validation (of equal error rates the one of lower cross entropy), or
    those after the last step (and of every validation on the way, until the next)."""
    patience: int | None = None
    """Stop after this many validations without a lower error; null never stops early."""
    checkpoint_every: int = 1000
    """Steps between checkpoints to resume from."""
    checkpoint_minutes: float = 5.0
    """Write one at the latest after this many minutes."""
    log_every: int = 50
    """Steps between entries of the training loss."""
    precision: Literal["fp32", "bf16", "auto"] = "fp32"
    """bf16: automatic mixed precision; on a CPU it is faster with AMX and a wide network alone. auto: bf16 on GPUs that
    multiply matrices of it, else fp32; run.json says which it was."""
    compile: bool = False
    """Compile the network with torch.compile."""
    threads: int | None = None
    """CPU threads; null leaves torch's choice."""
    accelerator: Literal["cpu", "gpu", "auto"] = "auto"
    """Where to train."""
    devices: int = 1
    """Processes (data-parallel) on each machine, one per device. In lifting, batch norm sees the poses of its own
    process; in the other tasks, those of all. `torchrun --nproc-per-node 4 -m kinegraph train RECIPE` starts the
    processes itself and sets this."""
    nodes: int = 1
    """Machines that train together, with as many devices each. `torchrun --nnodes 2 --nproc-per-node 4 ...` on every
    machine sets this too; without torchrun (or Slurm) start the command on every machine with MASTER_ADDR,
    MASTER_PORT and NODE_RANK in its environment. Only the first machine writes the run folder; all of them read the
    data, and the run folder to resume."""
    workers: int | None = None
    """Processes that read or draw examples ahead of the network; they change no number. null: none on a CPU, up to 8
    for a GPU (in motion, where transform.root is heading)."""
    tensorboard: bool = True
    """Write TensorBoard curves into the run folder."""

    def __post_init__(self) -> None:
        names = (
            "epochs",
            "steps",
            "batch",
            "validate_every",
            "validate_poses",
            "patience",
            "checkpoint_every",
        )
        positive(self, *names, "log_every", "threads", "devices", "nodes")
        positive(self, "checkpoint_minutes", infinite=True)
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"workers: found {self.workers}, expected 0 or more")
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps are both given; a run has one length, so set the other to null")
        if self.batch % self.processes:
            shared = f"{self.processes} devices"
            raise ValueError(f"batch: {self.batch} poses cannot be shared equally by {shared}")

    @property
    def processes(self) -> int:
        """How many train together."""
        return self.devices * self.nodes


@dataclass(frozen=True, kw_only=True)
class RunRecipe:
    """Everything that decides a training run; `data`, `transform` and `augment` are of the task."""

    task: str
    """What is learned."""
    model: Mapping[str, Any]
    """`name` of the model and the fields of its configuration."""
    data: Any
    """What to train on."""
    transform: Any
    """What the network sees and predicts."""
    augment: Any
    """Changes to the training examples."""
    optim: DescentRecipe = field(default_factory=DescentRecipe)
    """The optimiser."""
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    """Learning rate over time."""
    trainer: TrainerRecipe = field(default_factory=TrainerRecipe)
    """How long and how the run goes."""
    seed: int = 0
    """The one seed: initial weights, order of the data, augmentation and dropout follow from it."""
    out: str = "runs/run"
    """Run folder."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.get("name"), str):
            raise ValueError("model.name: missing; name the network, for example model: {name: hcsf}")
        if not 0 <= self.seed < SEEDS_BELOW:
            raise ValueError(f"seed: found {self.seed}, expected 0 <= seed < 2^31")


def flat_fields(data: Any, prefix: str = "") -> dict[str, Any]:
    """A recipe's plain values by their dotted fields: ``{"optim": {"lr": 1}}`` is ``{"optim.lr": 1}``."""
    if not isinstance(data, Mapping):
        return {prefix: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flat_fields(value, f"{prefix}.{key}" if prefix else key)
    return found
