"""Synthetic motion: every clip is a function of (seed, subject, action, take) and of nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.synthetic import floorwork, gestures, locomotion, wholebody
from kinegraph.datasets.synthetic.body import Subject, sample_subject
from kinegraph.datasets.synthetic.rig import pose
from kinegraph.datasets.synthetic.stage import Stage
from kinegraph.errors import ConfigError, nearest
from kinegraph.seeds import check_seed
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton

Array = NDArray[np.float64]

ACTIONS: Mapping[str, Callable[[Stage], None]] = MappingProxyType(
    {
        "standing": gestures.standing,
        "walking": locomotion.walking,
        "running": locomotion.running,
        "turning": locomotion.turning,
        "jumping": wholebody.jumping,
        "waving": gestures.waving,
        "clapping": gestures.clapping,
        "throwing": gestures.throwing,
        "punching": gestures.punching,
        "kicking": gestures.kicking,
        "reaching": gestures.reaching,
        "picking_up": wholebody.picking_up,
        "squatting": wholebody.squatting,
        "sitting_down": wholebody.sitting_down,
        "sitting": wholebody.sitting,
        "balancing": wholebody.balancing,
        "sitting_floor": floorwork.sitting_floor,
        "lying_down": floorwork.lying_down,
        "crawling": floorwork.crawling,
        "pushing_up": floorwork.pushing_up,
        "handstand": floorwork.handstand,
        "cartwheel": floorwork.cartwheel,
    }
)
"""Action name -> its programme."""


@dataclass(frozen=True, kw_only=True)
class SyntheticMotion:
    """What to generate.

    Attributes:
        subjects: number of people, named P00, P01...
        takes: clips of each action by each subject.
        seconds: length of a clip.
        fps: frames per second.
        seed: of everything.
        actions: a choice of :data:`ACTIONS`, in order; all by default.

    Raises:
        ConfigError: nobody, nothing or no time, or an unknown action.
    """

    subjects: int = 8
    takes: int = 2
    seconds: float = 6.0
    fps: float = 50.0
    seed: int = 0
    actions: tuple[str, ...] = tuple(ACTIONS)

    def __post_init__(self) -> None:
        if self.subjects < 1 or self.takes < 1:
            raise ConfigError(f"synthetic motion: {self.subjects} subjects, {self.takes} takes; expected at least 1")
        if not (0 < self.fps <= 1000 and self.seconds * self.fps >= 1 and self.seconds <= 3600):
            raise ConfigError(f"synthetic motion: {self.seconds} s at {self.fps} fps; expected at least one frame")
        check_seed(self.seed, "synthetic motion: seed")
        for name in self.actions:
            if name not in ACTIONS:
                raise ConfigError(f"synthetic motion: no action '{name}'{nearest(name, ACTIONS)}")

    @property
    def frames(self) -> int:
        """Frames of each clip."""
        return round(self.seconds * self.fps)

    def subject(self, index: int) -> Subject:
        """The person of that number, 0 or more. Raises ConfigError."""
        if index < 0:
            raise ConfigError(f"synthetic motion: subject {index}; give 0 or more")
        return sample_subject(index, np.random.default_rng([self.seed, index]))

    def clip(self, subject: int, action: str, take: int) -> SkeletonSequence:
        """One clip; it does not depend on which others are made.

        Raises:
            ConfigError: an unknown action, or a subject or take below 0.
        """
        if action not in ACTIONS:
            raise ConfigError(f"synthetic motion: no action '{action}'{nearest(action, ACTIONS)}")
        person = self.subject(subject)
        if take < 0:
            raise ConfigError(f"synthetic motion: take {take}; give 0 or more")
        # The action enters by name, so that adding one to the table changes no other clip.
        rng = np.random.default_rng([self.seed, subject, zlib.crc32(action.encode()), take])
        positions = generate(person, action, rng, self.frames, self.fps)
        name = f"synthetic/{self.seed}/{person.name}/{action}/{take}"
        return SkeletonSequence(
            positions=positions,
            skeleton=_skeleton(),
            fps=self.fps,
            unit="m",
            space="world",
            up="z",
            label=action,
            source=name,
            origin=name,
        )

    def __iter__(self) -> Iterator[SkeletonSequence]:
        """All clips: subjects outermost, then actions, then takes."""
        for subject in range(self.subjects):
            for action in self.actions:
                for take in range(self.takes):
                    yield self.clip(subject, action, take)

    def __len__(self) -> int:
        return self.subjects * len(self.actions) * self.takes


def generate(subject: Subject, action: str, rng: np.random.Generator, frames: int, fps: float) -> Array:
    """Joint positions ``(frames, 17, 3)`` of ``h36m17``, metres, world z-up, floor at z = 0."""
    points = generate_points(subject, action, rng, frames, fps)
    return np.stack([points[name] for name in _skeleton().joints], axis=1)


def generate_points(
    subject: Subject, action: str, rng: np.random.Generator, frames: int, fps: float
) -> dict[str, Array]:
    """As :func:`generate`, by name and with hands, heels and toes, which ``h36m17`` lacks: ``(frames, 3)`` each."""
    # The sides are drawn before anything else, so that a left-hander's clip is the mirror image of the same
    # person's with the right hand leading.
    ambidextrous = rng.uniform() < 0.12
    heading, place = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.3, 2)
    stage = Stage(subject, rng, frames, fps)
    ACTIONS[action](stage)
    points = pose(subject.body, stage.motion)
    middle = np.append((points["pelvis"].min(axis=0) + points["pelvis"].max(axis=0))[:2] / 2, 0.0)
    mirrored = (subject.handedness == "left") != ambidextrous
    flip = np.array([-1.0, 1.0, 1.0]) if mirrored else np.ones(3)
    cosine, sine = np.cos(heading), np.sin(heading)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    result = {}
    for name, point in points.items():
        side = name.partition("_")[0]
        other = {"left": "right", "right": "left"}.get(side)
        target = name.replace(side, other, 1) if mirrored and other else name
        result[target] = ((point - middle) * flip) @ turn.T + np.append(place, 0.0)
    return result


def _skeleton() -> Skeleton:
    return get_skeleton("h36m17")
