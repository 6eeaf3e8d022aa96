"""Lifted videos with planted feet: they stay, in files too, and whoever cannot have them is told so."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from lifting_people import BODY, flat_person, keypoints, lifter, motion, project

import kinegraph as kg
from kinegraph.errors import ConfigError
from kinegraph.inference.contact import with_planted_feet
from kinegraph.inference.extrinsics import Extrinsics
from kinegraph.inference.quick import into_world, lift_settings
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.foot_lock import NOT_PLANTED
from kinegraph.transforms.gaps import runs

FEET = [BODY.index("left_ankle"), BODY.index("right_ankle")]
LEVEL = Extrinsics(rotation=np.diag([1.0, -1.0, -1.0]), translation=np.array([0.0, 1.0, 4.0]))


def farthest(found: SkeletonSequence, contact: np.ndarray) -> float:
    """Metres that an ankle gets from the middle of the stretch in which it stands, at most."""
    off = [0.0]
    for person in range(found.people):
        for ankle in FEET:
            for a, b in runs(contact[person, :, ankle]):
                stood = found.positions[person, a:b, ankle]
                off.append(float(np.linalg.norm(stood - np.median(stood, axis=0), axis=-1).max()))
    return max(off)


@pytest.fixture(scope="module")
def walker(shared_data: Path) -> SkeletonSequence:
    """Two seconds of a walker on whom no lifter was trained, seen from the side, with 3 px of noise."""
    body = kg.load(shared_data / "cmu_bvh/02/02_01.bvh").resample(30).to_skeleton(BODY).positions[0][:60]
    world = body - body[:, :1].mean(axis=0) * [1, 0, 1]
    camera = np.stack([world[..., 2], 1.2 - world[..., 1], 7 + world[..., 0]], axis=-1)
    pixels = project(camera) + np.random.default_rng(0).normal(0, 3, (*camera.shape[:2], 2))
    return SkeletonSequence(pixels, BODY, fps=30, unit="px", space="image", image_size=(1000, 1000))


def test_feet_of_a_lifted_walker_stay(walker: SkeletonSequence, tmp_path: Path) -> None:
    plain, planted = kg.lift(walker), kg.lift(walker, plant_feet=True)
    assert planted.contact is not None
    assert planted.contact.any()
    assert farthest(plain, planted.contact) > 0.04
    assert farthest(planted, planted.contact) < 0.02
    on = planted.contact[0][:, FEET]
    np.testing.assert_allclose(planted.positions[0][:, FEET, 1][on], 0.08, atol=0.02)
    for parent, child in BODY.bones:
        sizes = np.linalg.norm(planted.positions[0, :, child] - planted.positions[0, :, parent], axis=-1)
        assert np.ptp(sizes) < 1e-9
    bends = [np.linalg.norm(np.diff(one.positions, n=2, axis=1), axis=-1) for one in (plain, planted)]
    assert bends[1].mean() < 1.1 * bends[0].mean()
    assert bends[1].max() < 1.1 * bends[0].max()
    assert any(note.startswith("feet planted: ") for note in planted.notes)
    assert not any(note.startswith("feet planted: ") for note in plain.notes)

    kg.save(planted, tmp_path / "walk.bvh")
    played = kg.load(tmp_path / "walk.bvh").to_skeleton(BODY)
    np.testing.assert_allclose(played.positions[0][:, FEET], planted.positions[0][:, FEET], atol=2e-3)
    assert farthest(played, planted.contact) < 0.021


def test_on_a_stated_floor_feet_stand_on_it() -> None:
    seen = SkeletonSequence(motion(60)[None], BODY, fps=30, unit="m", space="camera")
    wobbles = seen.replace(positions=seen.positions + 0.02 * np.sin(np.arange(60) / 6)[:, None, None] * [1.0, 0, 1])
    camera = dataclasses.replace(LEVEL, floor=0.05)
    world = into_world(wobbles, camera, sized=True)
    found = with_planted_feet(world, camera, sized=True)
    assert found.contact is not None
    assert found.contact[..., FEET].all()
    np.testing.assert_allclose(found.positions[0][:, FEET, 1], 0.05 + 0.08, atol=0.01)
    assert farthest(world, found.contact) > 0.02
    assert farthest(found, found.contact) < 0.01


def test_each_stands_on_the_floor_under_them() -> None:
    first = motion(60)
    both = np.stack([first, first + np.array([1.0, 0.4, 0.0])])
    world = into_world(SkeletonSequence(both, BODY, fps=30, unit="m", space="camera"))
    found = with_planted_feet(world)
    heights = np.median(found.positions[:, :, FEET, 1], axis=(1, 2))
    assert heights[0] - heights[1] == pytest.approx(0.4, abs=0.011)
    assert heights.min() == pytest.approx(0.08, abs=0.01)
    assert farthest(found, np.asarray(found.contact)) < 0.01


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"space": "camera"}, r"space='camera' \(--space\) has no floor"),
        ({"root": "relative"}, r"root='relative' \(--root\) has no floor"),
        ({"stills": True}, "in a video, and stills are none"),
    ],
)
def test_where_there_is_no_floor_or_no_time_it_is_refused(choices: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kg.lift(keypoints(motion()), model=lifter(flat_person), plant_feet=True, **choices)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        lift_settings(plant_feet=True, **choices)  # type: ignore[arg-type]
    lift_settings(plant_feet=False, **choices)  # type: ignore[arg-type]


def test_where_nothing_stands_a_note_says_so() -> None:
    own = lifter(flat_person)

    def told(given: SkeletonSequence) -> str:
        found = kg.lift(given, model=own, plant_feet=True)
        plain = kg.lift(given, model=own)
        np.testing.assert_array_equal(found.positions, plain.positions)
        (note,) = [note for note in found.notes if note.startswith(NOT_PLANTED)]
        return note.removeprefix(NOT_PLANTED)

    given = keypoints(motion())
    pictures = given.slice_frames(0, 4).with_note("the images are no video: four of a set")
    assert told(pictures) == "single pictures, in which nothing slides"
    assert told(given.slice_frames(0, 2)) == "2 frames tell no contact"
    footless = np.ones((1, 60, 17))
    footless[..., FEET] = 0
    assert told(given.replace(confidence=footless)) == "no foot is seen"
    skates = motion() + np.linspace(0, 6.0, 60)[:, None, None] * [0.5, 0, 0]
    assert told(keypoints(skates)) == "no foot is found on the ground"
