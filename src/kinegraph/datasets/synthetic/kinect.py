"""What a Kinect v2 would say of the procedural motion: three sensors round a stage, 25 joints, noise, lost frames.

For tests, benchmarks and trying things out without NTU RGB+D's licence; it stands for no result on NTU RGB+D. As there,
three sensors film every performance at once, at -45, 0 and 45 degrees, and a setup is their height and distance.
Actions 1 to 22 are the programmes of :data:`~kinegraph.datasets.synthetic.ACTIONS`; two people act in 50 to 60.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.synthetic.body import Subject, sample_subject
from kinegraph.datasets.synthetic.generator import ACTIONS, generate_points
from kinegraph.errors import ConfigError
from kinegraph.formats.motion.ntu_skeleton import FPS, NtuName
from kinegraph.skeleton import get_skeleton

__all__ = ["CLASSES", "KinectBody", "KinectStage"]

Array = NDArray[np.float64]

PAIRS = (
    *(("punching", "standing"), ("kicking", "standing"), ("reaching", "standing"), ("throwing", "reaching")),
    *(("waving", "waving"), ("clapping", "clapping"), ("walking", "walking"), ("picking_up", "standing")),
    *(("squatting", "squatting"), ("running", "standing"), ("jumping", "clapping")),
)
CLASSES: dict[int, tuple[str, ...]] = {
    **{number: (action,) for number, action in enumerate(ACTIONS, 1)},
    **dict(enumerate(PAIRS, 50)),
}
"""Number of the action in a name (from 1) -> what each person does."""

SETUPS, CAMERAS, REPLICATIONS = 17, 3, 2
_FRAMES = (40, 150)
_AZIMUTHS = np.deg2rad([0.0, -45.0, 45.0])  # of cameras 1, 2 and 3, as in NTU RGB+D
_NOISE, _NOISE_INFERRED = 0.004, 0.03  # metres
_BYSTANDER, _LOST, _HIDDEN = 0.05, 0.15, 0.25  # shares of clips
_MOST_LOST = 6  # frames
_FIRST_ID = 2**56
_APART = 0.65  # metres on the floor between two people, pelvis to pelvis, at the least
_NEAREST = 1.0  # metres before a sensor, of any joint
_LIMBS = tuple(
    tuple(f"{side}_{joint}" for joint in joints)
    for side in ("left", "right")
    for joints in (("wrist", "hand", "hand_tip", "thumb"), ("knee", "ankle", "foot"))
)


@dataclass(frozen=True, kw_only=True, eq=False)
class KinectBody:
    """A body as the sensor tells it.

    Attributes:
        identity: 64-bit number.
        positions: ``(frames, 25, 3)`` metres, the Kinect's frame.
        tracking: ``(frames, 25)``: 1 inferred, 2 tracked.
        seen: ``(frames,)``: whether the sensor sees the body at all.
    """

    identity: int
    positions: Array
    tracking: NDArray[np.int8]
    seen: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class KinectStage:
    """A set of recordings; each is a function of its number and of the fields, whichever others are made.

    Attributes:
        clips: number of recordings; the three sensors' follow one another.
        subjects: performers, numbered from 1; NTU's protocol by subject needs the third for testing.
        actions: the first so many of :data:`CLASSES`.
        seed: of everything.

    Raises:
        ConfigError: a number out of range.
    """

    clips: int
    subjects: int = 40
    actions: int = len(CLASSES)
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (("subjects", 3, 40), ("actions", 1, len(CLASSES)), ("seed", 0, 2**63)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ConfigError(f"{name} is {value}; expected {least} to {most}")
        most = self.actions * self.subjects * REPLICATIONS * SETUPS * CAMERAS
        if not 1 <= self.clips <= most:
            raise ConfigError(f"clips is {self.clips}; expected 1 to {most:,} with these subjects and actions")

    def name(self, index: int) -> NtuName:
        """What the name of a recording says. Few recordings already differ in action and in performer."""
        performance, camera = divmod(index, CAMERAS)
        turn, action = divmod(performance, self.actions)
        performer = (turn + action) % self.subjects
        setup, replication = divmod(turn // self.subjects, REPLICATIONS)
        return NtuName(
            setup=1 + (performer + setup) % SETUPS,
            camera=1 + camera,
            performer=1 + performer,
            replication=1 + replication,
            action=list(CLASSES)[action],
        )

    def stem(self, index: int) -> str:
        """Name of the file."""
        return "".join(f"{letter}{number:03d}" for letter, number in zip("SCPRA", self.name(index), strict=True))

    def bodies(self, index: int, frames: int | None = None) -> list[KinectBody]:
        """Everybody in one recording.

        Args:
            index: of the recording.
            frames: its length; by default 40 to 150, drawn for each performance.
        """
        name = self.name(index)
        # the same for the three sensors
        shared = np.random.default_rng([self.seed, name.setup, name.performer, name.replication, name.action])
        drawn = round(_FRAMES[0] + (_FRAMES[1] - _FRAMES[0]) * shared.beta(2, 3))
        frames = drawn if frames is None else frames
        programmes = CLASSES[name.action]
        people = [name.performer - 1, int(shared.integers(self.subjects))][: len(programmes)]
        if len(people) == 1 and shared.uniform() < _BYSTANDER:
            programmes, people = (*programmes, "standing"), [*people, int(shared.integers(self.subjects))]
        # the first replication faces the second sensor, the second one the third
        towards = _AZIMUTHS[name.replication] + shared.normal(0, 0.15)
        scenes = [
            self._person(person, action, shared, frames, towards, place if len(people) > 1 else None)
            for place, (person, action) in enumerate(zip(people, programmes, strict=True))
        ]
        scenes = _in_sight(_apart(scenes), name.setup)
        rng = np.random.default_rng([self.seed, index])
        lost = np.zeros(frames, dtype=bool)
        if rng.uniform() < _LOST and frames > _MOST_LOST:
            begin = 0 if rng.uniform() < 0.5 else int(rng.integers(frames - _MOST_LOST))
            lost[begin : begin + int(rng.integers(1, _MOST_LOST + 1))] = True
        first = _FIRST_ID + int(rng.integers(2**16))
        return [_filmed(scene, name, rng, first + place, ~lost) for place, scene in enumerate(scenes)]

    def _person(
        self, person: int, action: str, rng: np.random.Generator, frames: int, towards: float, place: int | None
    ) -> Array:
        """Joints ``(frames, 25, 3)`` of somebody on the stage, z up, the sensors' middle towards -y."""
        subject: Subject = sample_subject(person, np.random.default_rng([self.seed, person]))
        points = generate_points(subject, action, rng, frames, FPS)
        across = points["left_hip"][0] - points["right_hip"][0]
        facing = np.arctan2(across[1], across[0])  # of the body in the first frame, from -y towards +x
        turn = towards - facing
        joints = _joints(points, subject.body.stature)
        shift = np.zeros(3)
        if place is not None:  # two people face each other, a step apart
            turn -= (0.5 - place) * np.pi
            along = np.array([np.sin(towards), -np.cos(towards)])
            shift[:2] = (0.5 - place) * 1.3 * np.array([-along[1], along[0]])
        cosine, sine = np.cos(turn), np.sin(turn)
        return np.asarray(joints @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]).T + shift)


def _joints(points: dict[str, Array], stature: float) -> Array:
    """``(frames, 25, 3)`` of ``ntu25`` from the points of the rig."""
    found = dict(points)
    found["neck"], found["head"] = points["nose"], points["head_centre"]
    across = points["left_hip"] - points["right_hip"]
    forward = np.cross(across, points["thorax"] - points["pelvis"])
    for side in ("left", "right"):
        wrist, tip = points[f"{side}_wrist"], points[f"{side}_hand"]
        along = tip - wrist
        found[f"{side}_hand"], found[f"{side}_hand_tip"] = wrist + 0.45 * along, tip
        # the thumb points ahead of a hand that hangs
        aside = forward - along * (np.sum(forward * along, -1) / np.sum(along**2, -1))[:, None]
        aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-6)
        found[f"{side}_thumb"] = wrist + 0.4 * along + aside * (0.025 * stature)
        found[f"{side}_foot"] = 0.3 * points[f"{side}_ankle"] + 0.7 * points[f"{side}_toe"]
    return np.stack([found[name] for name in get_skeleton("ntu25").joints], axis=1)


def _apart(scenes: list[Array]) -> list[Array]:
    """Two people whose ways cross or touch, moved aside by as little as keeps them `_APART` in every frame."""
    if len(scenes) < 2:
        return scenes
    between = (scenes[0] - scenes[1])[:, get_skeleton("ntu25").index("pelvis"), :2]
    if np.linalg.norm(between, axis=-1).min() >= _APART:
        return scenes
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    directions = np.stack([np.cos(angles), np.sin(angles), np.zeros(72)], axis=-1)
    moved = 0.0
    while True:
        moved += 0.02
        gaps = np.linalg.norm(between[:, None] + moved * directions[:, :2], axis=-1).min(axis=0)
        if gaps.max() >= _APART:
            half = 0.5 * moved * directions[gaps.argmax()]
            return [scenes[0] + half, scenes[1] - half]


def _in_sight(scenes: list[Array], setup: int) -> list[Array]:
    """Everybody, moved away from the sensors where a joint comes nearer than `_NEAREST` to one of them."""
    away = 0.0
    step = np.array([0.0, 1.0, 0.0])
    for camera in range(1, CAMERAS + 1):
        depth = min(_before(scene, setup, camera)[..., 2].min() for scene in scenes)
        gained = (_before(step, setup, camera) - _before(0 * step, setup, camera))[2]  # by a metre away
        away = max(away, (_NEAREST - depth) / gained)
    return [scene + away * step for scene in scenes] if away > 0 else scenes


def _before(scene: Array, setup: int, camera: int) -> Array:
    """Points ``(..., 3)`` of the stage in the frame of a sensor: x to its left, y up but for its tilt, z ahead."""
    place = np.random.default_rng(setup)  # a setup is the same whatever the seed
    height, distance = place.uniform(1.5, 2.5), place.uniform(2.8, 4.2)
    azimuth = _AZIMUTHS[camera - 1]
    forward = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    left = np.array([-forward[1], forward[0], 0.0])
    level = scene @ np.stack([left, [0.0, 0.0, 1.0], forward]).T + [0.0, -height, distance]
    tilt = np.arctan2(height - 0.9, distance)  # the sensor looks at the middle of a body
    cosine, sine = np.cos(tilt), np.sin(tilt)
    return np.asarray(level @ np.array([[1, 0, 0], [0, cosine, sine], [0, -sine, cosine]]).T)


def _filmed(
    scene: Array, name: NtuName, rng: np.random.Generator, identity: int, seen: NDArray[np.bool_]
) -> KinectBody:
    """A body before one of the sensors: its coordinates, noise, and joints that are only guessed."""
    positions = _before(scene, name.setup, name.camera)
    frames = len(positions)
    noise = np.full((frames, 25, 1), _NOISE)
    tracking = np.full((frames, 25), 2, dtype=np.int8)
    joints = get_skeleton("ntu25").joints
    for limb in _LIMBS:
        if rng.uniform() < _HIDDEN:
            begin = int(rng.integers(frames))
            hidden = slice(begin, begin + int(rng.integers(1, frames)))
            places = [joints.index(joint) for joint in limb]
            tracking[hidden, places] = 1
            noise[hidden, places] = _NOISE_INFERRED
    return KinectBody(
        identity=identity,
        positions=positions + noise * rng.normal(size=positions.shape),
        tracking=tracking,
        seen=seen,
    )
