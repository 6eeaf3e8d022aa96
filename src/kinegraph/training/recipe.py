"""A training run as data: one frozen dataclass, written as one YAML file.

    task: lift
    model: {name: hcsf, channels: 128}
    data: {name: mocap-lifting, source: ../shared/data, input: exact}
    transform: {target: pixel}
    trainer: {epochs: 30}
    out: runs/hcsf

Every field that is not given has the default stated here; the resolved recipe is written into the run folder. Model
options are those of the model's own configuration (`kinegraph.models`), and are checked against it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from kinegraph.config import apply_overrides, from_dict, read_yaml
from kinegraph.errors import ConfigError, nearest
from kinegraph.transforms.detector_noise import DetectorNoise

__all__ = [
    "AugmentRecipe",
    "DataRecipe",
    "OptimRecipe",
    "ScheduleRecipe",
    "TrainRecipe",
    "TrainerRecipe",
    "TransformRecipe",
    "find_recipe",
    "load_recipe",
    "recipe_names",
]


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """What to train on."""

    name: Literal["synthetic", "mocap-lifting", "h36m"] = "synthetic"
    """The benchmark: `synthetic` makes its own data, `mocap-lifting` and `h36m` need a source."""
    source: str | None = None
    """Folder with the recordings or where `kinegraph data prepare` wrote them (`mocap-lifting`), or with the npz files
    (`h36m`)."""
    extra: tuple[str, ...] = ()
    """Further folders with recordings (`mocap-lifting`)."""
    input: str = "exact"
    """2D input: `exact` projections, `noisy` ones with detector-like noise, or (`h36m`) the detector's name in
    data_2d_h36m_<name>.npz."""
    validation: tuple[str, ...] = ("S8",)
    """Training subjects of `h36m` that are held out to choose the checkpoint on; the other data have their own."""
    step: int = 1
    """Distance in frames between the neighbours of a temporal window."""
    clips: str | None = None
    """Train and validate only on clips whose name matches this pattern (`cmu/*`: the recordings free for any use)."""
    add_synthetic: bool = False
    """Add the embedded synthetic motion to the training poses of `mocap-lifting`, at its frame rate."""
    max_poses: int | None = None
    """Use at most this many training poses (whole clips, spread evenly); null uses all."""

    def __post_init__(self) -> None:
        _positive(self, "step", "max_poses")
        if self.add_synthetic and self.name != "mocap-lifting":
            raise ValueError(f"add_synthetic: there is nothing to add to {self.name}; it goes with mocap-lifting")
        if self.name != "h36m" and self.input not in ("exact", "noisy"):
            raise ValueError(f"input: found {self.input!r}, expected 'exact' or 'noisy' for {self.name}")


@dataclass(frozen=True, kw_only=True)
class TransformRecipe:
    """What the network sees and predicts; stored with the weights."""

    target: Literal["pixel", "metric"] = "pixel"
    """`pixel`: image-space pose and relative depth (LCN, HCSF); `metric`: root-relative metres."""
    normalise: Literal["screen", "box"] = "screen"
    """Input coordinates relative to the image, or to the person's box."""
    confidence: bool = False
    """Feed the keypoints' confidence as a third channel."""


@dataclass(frozen=True, kw_only=True)
class AugmentRecipe:
    """Changes to the training inputs, drawn anew at every step."""

    flip: bool = True
    """Mirror half of the poses."""
    flip_test: bool = True
    """Validate with the average over a pose and its mirror image, as the final evaluation does."""
    noise: DetectorNoise | None = None
    """Detector-like noise on the 2D input, by its fields (`noise: {sigma_px: 5, drop: 0.05, cut: 0.1}`)."""
    noise_share: float = 1.0
    """Share of the poses that get the noise; the others stay as the data has them."""

    def __post_init__(self) -> None:
        if not 0 < self.noise_share <= 1:
            raise ValueError(f"noise_share: found {self.noise_share}, expected a share above 0, up to 1")


@dataclass(frozen=True, kw_only=True)
class OptimRecipe:
    """Loss and optimiser."""

    name: Literal["adam", "adamw"] = "adam"
    """Optimiser; adamw decouples its weight decay from the gradient."""
    loss: Literal["l1", "mse", "mpjpe"] = "l1"
    """Mean absolute difference (the paper's), mean square, or mean joint distance in target units."""
    lr: float = 1e-3
    """Peak learning rate."""
    weight_decay: float = 0.0
    """Pull of the weights towards 0."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's moving-average factors."""
    clip: float | None = None
    """Largest norm of the gradient; null does not clip."""
    ema: float | None = None
    """Decay of an exponential moving average of the weights, which is then what is validated and kept."""

    def __post_init__(self) -> None:
        _positive(self, "lr", "clip")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema: found {self.ema}, expected a decay between 0 and 1, such as 0.999")


@dataclass(frozen=True, kw_only=True)
class ScheduleRecipe:
    """Learning rate as a function of the step, so that a resumed run needs to remember nothing."""

    name: Literal["exponential", "cosine", "one-cycle", "constant"] = "exponential"
    """`exponential`: times `gamma` every epoch (the paper's); `cosine`: to `final` of the peak;
    `one-cycle`: up for `warmup` of the run, then cosine down."""
    gamma: float = 0.95
    """Factor per epoch of `exponential`."""
    warmup: float = 0.0
    """Share of the run over which the rate rises linearly from 0."""
    final: float = 0.0
    """Last rate of `cosine` and `one-cycle` as a share of the peak."""

    def __post_init__(self) -> None:
        _positive(self, "gamma")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"warmup: found {self.warmup}, expected a share of the run, 0 <= warmup < 1")
        if not 0 <= self.final <= 1:
            raise ValueError(f"final: found {self.final}, expected a share of the peak between 0 and 1")
        if self.name == "one-cycle" and self.warmup == 0:
            raise ValueError("warmup: one-cycle needs a rise; give a share of the run such as 0.3")


@dataclass(frozen=True, kw_only=True)
class TrainerRecipe:
    """How long and how the run goes."""

    epochs: int | None = None
    """Length of the run in passes over the data; give this or `steps` (neither: 80 epochs, as the paper)."""
    steps: int | None = None
    """Length of the run in optimiser steps."""
    batch: int = 256
    """Poses per step, over all processes together."""
    validate_every: int | None = None
    """Steps between validations; null validates once an epoch."""
    validate_poses: int | None = 8192
    """Validate on at most this many poses, evenly spaced over the validation split; null takes all."""
    patience: int | None = None
    """Stop after this many validations without a new best; null never stops early."""
    checkpoint_every: int = 1000
    """Steps between checkpoints to resume from."""
    checkpoint_minutes: float = 5.0
    """Write one at the latest after this many minutes."""
    log_every: int = 50
    """Steps between entries of the training loss."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """bf16: automatic mixed precision."""
    compile: bool = False
    """Compile the network with torch.compile."""
    threads: int | None = None
    """CPU threads; null leaves torch's choice."""
    accelerator: Literal["cpu", "gpu", "auto"] = "auto"
    """Where to train."""
    devices: int = 1
    """Processes (data-parallel), one per device; batch norm sees the poses of its own process."""
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
            "checkpoint_minutes",
        )
        _positive(self, *names, "log_every", "threads", "devices")
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps are both given; a run has one length, so set the other to null")
        if self.batch % self.devices:
            raise ValueError(f"batch: {self.batch} poses cannot be shared equally by {self.devices} devices")


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """Everything that decides a training run."""

    task: Literal["lift"] = "lift"
    """What is learned."""
    model: Mapping[str, Any]
    """`name` of the model and the fields of its configuration."""
    data: DataRecipe = field(default_factory=DataRecipe)
    """What to train on."""
    transform: TransformRecipe = field(default_factory=TransformRecipe)
    """What the network sees and predicts."""
    augment: AugmentRecipe = field(default_factory=AugmentRecipe)
    """Changes to the training inputs."""
    optim: OptimRecipe = field(default_factory=OptimRecipe)
    """Loss and optimiser."""
    schedule: ScheduleRecipe = field(default_factory=ScheduleRecipe)
    """Learning rate over time."""
    trainer: TrainerRecipe = field(default_factory=TrainerRecipe)
    """How long and how the run goes."""
    seed: int = 0
    """The one seed: initial weights, order of the data, augmentation and dropout follow from it."""
    out: str = "runs/lift"
    """Run folder."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.get("name"), str):
            raise ValueError("model.name: missing; name the network, for example model: {name: hcsf}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed: found {self.seed}, expected 0 <= seed < 2^31")


def _positive(config: Any, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name}: found {value}, expected more than 0")


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes shipped with the package."""
    folder = files("kinegraph") / "recipes"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path, or the name of one shipped with the package.

    Raises:
        ConfigError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    shipped = recipe_names()
    if name in shipped:
        return Path(str(files("kinegraph") / "recipes" / f"{name}.yaml"))
    if path.suffix in (".yaml", ".yml", ".json") or len(path.parts) > 1:
        raise ConfigError(f"{name}: no such recipe file{nearest(path.stem, shipped)}")
    raise ConfigError(f"no recipe {name!r}{nearest(name, shipped)} (give a YAML file or one of: {', '.join(shipped)})")


def load_recipe(name: str, overrides: Sequence[str] = ()) -> TrainRecipe:
    """Read a recipe by path or shipped name and lay `--field.sub value` overrides over it."""
    path = find_recipe(name)
    data = apply_overrides(read_yaml(path), _one_length(overrides))
    try:
        return from_dict(TrainRecipe, data)
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}") from error


def _one_length(overrides: Sequence[str]) -> list[str]:
    """The overrides, where a length in one unit takes the place of the recipe's length in the other."""
    flags = {text.partition("=")[0] for text in overrides}
    result = list(overrides)
    for given, other in (("--trainer.steps", "--trainer.epochs"), ("--trainer.epochs", "--trainer.steps")):
        if given in flags and other not in flags:
            result += [other, "null"]
    return result


def field_table(cls: type = TrainRecipe, prefix: str = "") -> list[tuple[str, str, str]]:
    """Every field of the recipe as (name, default, explanation), read from the field docstrings above."""
    import ast
    import inspect
    import textwrap
    import typing

    body = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body  # type: ignore[attr-defined]
    texts = {
        ast.unparse(node.target): " ".join(ast.literal_eval(following.value).split())
        for node, following in pairwise(body)
        if isinstance(node, ast.AnnAssign) and isinstance(following, ast.Expr)
    }
    hints = typing.get_type_hints(cls)
    rows = []
    for entry in dataclasses.fields(cls):
        hint = hints[entry.name]
        if dataclasses.is_dataclass(hint):
            rows += field_table(hint, f"{prefix}{entry.name}.")  # type: ignore[arg-type]
            continue
        default = "" if entry.default is dataclasses.MISSING else str(entry.default)
        rows.append((prefix + entry.name, default, texts[entry.name]))
    return rows
