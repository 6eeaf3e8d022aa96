"""``synthetic-lifting``: the embedded benchmark. Synthetic motion through sampled cameras, tested on other people.

Subjects are split, never clips: training, validation and test share actions and cameras' ranges, but no body, no
style and no motion. It is a default that needs no files, for demos and tests; it stands for no real benchmark.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from kinegraph.datasets.assemble import Clip, assemble
from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.datasets.synthetic.generator import SyntheticMotion
from kinegraph.errors import ConfigError, nearest
from kinegraph.geometry.cameras import CameraSampling

NAME = "synthetic-lifting"
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class SyntheticLifting:
    """What is filmed, and who is held out.

    Attributes:
        motion: the clips.
        cameras: how each clip is filmed.
        validation: subjects, counted back from the test subjects, that choose checkpoints.
        test: the last subjects, on which results are reported.

    Raises:
        ConfigError: a split without a subject.
    """

    motion: SyntheticMotion = field(default_factory=lambda: SyntheticMotion(subjects=9, takes=1))
    cameras: CameraSampling = field(default_factory=CameraSampling)
    validation: int = 1
    test: int = 2

    def __post_init__(self) -> None:
        if self.validation < 1 or self.test < 1 or self.validation + self.test >= self.motion.subjects:
            raise ConfigError(
                f"synthetic lifting: {self.validation} validation and {self.test} test subjects of "
                f"{self.motion.subjects}; expected at least one each, and one left to train on"
            )

    def subjects(self, split: str) -> range:
        """Numbers of the subjects of a split.

        Raises:
            ConfigError: no such split.
        """
        if split not in SPLITS:
            raise ConfigError(f"no split '{split}'{nearest(split, SPLITS)}; there are {', '.join(SPLITS)}")
        first_test = self.motion.subjects - self.test
        first_validation = first_test - self.validation
        return {
            "train": range(first_validation),
            "val": range(first_validation, first_test),
            "test": range(first_test, self.motion.subjects),
        }[split]


def synthetic_lifting(split: str, config: SyntheticLifting | None = None) -> LiftingData:
    """Generate and film one split; see :func:`load` for a cached one.

    Args:
        split: ``"train"``, ``"val"`` or ``"test"``.
        config: the benchmark's by default.

    Returns:
        exact 2D (confidence 1 everywhere) and absolute camera-space 3D of every frame.
    """
    settings = config or SyntheticLifting()
    motion = settings.motion
    clips = (
        Clip(
            sequence=motion.clip(subject, action, take),
            name=f"synthetic/P{subject:02d}/{action}/{take}",
            action=action,
            subject=motion.subject(subject).name,
        )
        for subject in settings.subjects(split)
        for action in motion.actions
        for take in range(motion.takes)
    )
    return assemble(
        clips, name=f"{NAME}/{split}", cameras=settings.cameras, seed=motion.seed, action_names=motion.actions
    )


@lru_cache(maxsize=4)
def load(split: str, config: SyntheticLifting | None = None) -> LiftingData:
    """One split of the benchmark, made once per process; the arrays are read-only."""
    return synthetic_lifting(split, config)
