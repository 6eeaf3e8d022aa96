"""The recipe of a lifter: 2D keypoints to 3D poses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kinegraph.ranges import positive
from kinegraph.training.recipe_parts import OptimRecipe, RunRecipe
from kinegraph.transforms.body_variation import BodyVariation
from kinegraph.transforms.detector_noise import DetectorNoise

__all__ = ["Balance", "LiftingAugmentRecipe", "LiftingDataRecipe", "LiftingRecipe", "LiftingTransformRecipe"]


Balance = Literal["none", "bodies"]
"""Whether every pose is drawn equally often, or every body."""


@dataclass(frozen=True, kw_only=True)
class LiftingDataRecipe:
    """What to train on."""

    name: Literal["synthetic", "mocap-lifting", "mocap-folder", "h36m"] = "synthetic"
    """The benchmark: `synthetic` makes its own data, the others need a source; `mocap-folder` is yours."""
    source: str | None = None
    """Folder with the recordings or where `kinegraph data prepare` wrote them (`mocap-lifting`), where it wrote them
    (`mocap-folder`), or with the npz files (`h36m`)."""
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
    balance: Balance = "none"
    """`bodies`: learn from every body equally often, however much of each was recorded; subjects whose bones are as
    long as another's (files on one rig) are one body with it. `none`: from every pose equally often."""

    def __post_init__(self) -> None:
        positive(self, "step", "max_poses")
        if self.add_synthetic and self.name != "mocap-lifting":
            raise ValueError(f"add_synthetic: there is nothing to add to {self.name}; it goes with mocap-lifting")
        if self.name != "h36m" and self.validation != LiftingDataRecipe.validation:
            raise ValueError(f"validation: {self.name} has validation people of its own; it goes with h36m, remove it")
        if self.name != "h36m" and self.input not in ("exact", "noisy"):
            raise ValueError(f"input: found {self.input!r}, expected 'exact' or 'noisy' for {self.name}")


@dataclass(frozen=True, kw_only=True)
class LiftingTransformRecipe:
    """What the network sees and predicts; stored with the weights."""

    target: Literal["pixel", "metric"] = "pixel"
    """`pixel`: image-space pose and relative depth (LCN, HCSF); `metric`: root-relative metres."""
    normalise: Literal["screen", "box"] = "screen"
    """Input coordinates relative to the image, or to the person's box."""
    confidence: bool = False
    """Feed the keypoints' confidence as a third channel."""


@dataclass(frozen=True, kw_only=True)
class LiftingAugmentRecipe:
    """Changes to the training inputs, drawn anew at every step."""

    flip: bool = True
    """Mirror half of the poses."""
    flip_test: bool = True
    """Validate with the average over a pose and its mirror image, as the final evaluation does."""
    noise: DetectorNoise | None = None
    """Detector-like noise on the 2D input, by its fields (`noise: {sigma_px: 5, drop: 0.05, cut: 0.1}`)."""
    noise_levels: tuple[float, ...] = (1.0,)
    """How many times as strong the noise may be; each pose gets one of them by lot (`[0, 1, 2]`: a third is exact)."""
    body: BodyVariation | None = None
    """Other bodies, viewpoints and limbs together, filmed anew from the truth (`body: {size: 0.1, mix: 0.3}`)."""

    @property
    def draws_poses(self) -> bool:
        """Whether poses are made anew at every step, and not looked up."""
        return self.noise is not None or self.body is not None

    def __post_init__(self) -> None:
        if not self.noise_levels or not all(0 <= level < float("inf") for level in self.noise_levels):
            raise ValueError(f"noise_levels: found {list(self.noise_levels)}, expected factors of 0 or more, as [0, 1]")
        if self.noise is None and self.noise_levels != (1.0,):
            raise ValueError(
                f"noise_levels: found {list(self.noise_levels)} and no noise for them to scale; set noise, as "
                "{sigma_px: 5, drop: 0.05}, or leave them out"
            )


@dataclass(frozen=True, kw_only=True)
class LiftingRecipe(RunRecipe):
    """Everything that decides the training of a lifter."""

    task: Literal["lift"] = "lift"
    """What is learned."""
    data: LiftingDataRecipe = field(default_factory=LiftingDataRecipe)
    """What to train on."""
    transform: LiftingTransformRecipe = field(default_factory=LiftingTransformRecipe)
    """What the network sees and predicts."""
    augment: LiftingAugmentRecipe = field(default_factory=LiftingAugmentRecipe)
    """Changes to the training inputs."""
    optim: OptimRecipe = field(default_factory=OptimRecipe)
    """Loss and optimiser."""
    out: str = "runs/lift"
    """Run folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.augment.body is not None and self.data.input != "exact":
            raise ValueError(
                f"augment.body: films the truth anew, so data.input {self.data.input!r} would not be used; "
                "use data.input: exact, and augment.noise for a detector's errors"
            )
