"""Whose feet touch which floor, where several people's sizes are assumed, and where nothing can be told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from lifting_people import BODY, motion

import kinegraph as kg
from kinegraph.inference.contact import foot_contacts
from kinegraph.inference.extrinsics import Extrinsics
from kinegraph.inference.quick import into_world
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

FEET = [BODY.index("left_ankle"), BODY.index("right_ankle")]
LEVEL = Extrinsics(rotation=np.diag([1.0, -1.0, -1.0]), translation=np.array([0.0, 1.0, 4.0]))


def pair(drop_m: float) -> SkeletonSequence:
    """Two people who stand alike before the camera, the second so far lower."""
    first = motion(60)
    return SkeletonSequence(
        np.stack([first, first + np.array([1.0, drop_m, 0.0])]), BODY, fps=30, unit="m", space="camera", source="pair"
    )


@pytest.mark.parametrize("camera", [None, LEVEL])
@pytest.mark.parametrize("drop_m", [0.0, 0.03, 0.4])
def test_a_second_person_erases_nobody_s_contacts(camera: Extrinsics | None, drop_m: float) -> None:
    """A child whose size is assumed comes to stand under the adult beside it: both stand on a floor all the same."""
    together = into_world(pair(drop_m), camera)
    assert together.contact is not None
    assert together.contact[..., FEET].all()
    said = [note for note in together.notes if note.startswith("floor: the people's are up to 0.40 m apart")]
    assert len(said) == (drop_m == 0.4)
    if said:
        assert "--height states them" in said[0]


@pytest.mark.parametrize("camera", [None, LEVEL])
def test_with_sizes_or_the_floor_known_there_is_one_floor(camera: Extrinsics | None) -> None:
    sized = into_world(pair(0.4), camera, sized=True)
    assert sized.contact is not None
    assert sized.contact.any(axis=(1, 2)).tolist() == [False, True]  # the first is in the air
    assert not any("the people's are" in note for note in sized.notes)
    # stated, the floor is what feet touch, not whatever is under them
    known = into_world(pair(0.4), dataclasses.replace(camera or LEVEL, floor=-0.9), sized=True)
    assert known.contact is not None
    assert known.contact.any(axis=(1, 2)).tolist() == [False, False]
    assert not any(note.startswith("floor: ") for note in known.notes)


def test_the_assumed_floors_are_named() -> None:
    said = next(note for note in into_world(pair(0.4), LEVEL).notes if note.startswith("floor: assumed"))
    low, high = (float(value) for value in said.split(" at ")[1].split(" m;")[0].split(", "))
    assert high - low == pytest.approx(0.4, abs=0.011)


def test_a_moment_without_speed_and_a_body_without_feet_tell_no_contact() -> None:
    seen = pair(0.0)
    for frames in (1, 2):
        world = into_world(seen.slice_frames(0, frames))
        assert world.contact is None
        assert not any(note.startswith("contact: ") for note in world.notes)
    assert into_world(seen.slice_frames(0, 3)).contact is not None
    hand = Skeleton(name="hand", joints=("wrist", "thumb", "index"), parents=(-1, 0, 0))
    waving = SkeletonSequence(np.zeros((1, 10, 3, 3)), hand, fps=30, up="y")
    assert foot_contacts(waving) is None


def test_who_goes_far_without_a_footstep_is_told_so() -> None:
    """Feet that skate all the way: nobody is to count steps there."""
    stands = motion(90)
    skates = stands + np.linspace(0, 6.0, 90)[:, None, None] * [1.0, 0.0, 0.0]
    hops = stands + np.linspace(0, 0.4, 90)[:, None, None] * [1.0, 0.0, 0.0]
    notes = {}
    for name, frames in (("stands", stands), ("skates", skates), ("hops", hops)):
        world = into_world(SkeletonSequence(frames[None], BODY, fps=30, unit="m", space="camera"))
        notes[name] = next(note for note in world.notes if note.startswith("contact: "))
    assert notes["skates"].startswith("contact: no foot is found low and slow, though somebody goes 6.0 m")
    assert notes["stands"] == notes["hops"] == "contact: feet that are low and slow touch the floor"


def test_a_foot_that_keeps_its_place_in_the_image_stands_though_the_lifted_one_slides() -> None:
    """An estimated depth wanders; of a foot that truly moves the image tells, whatever the depth does."""
    frames = motion(60) + np.sin(np.arange(60) / 5)[:, None, None] * [0.0, 0.0, 0.3]
    seen = SkeletonSequence(frames[None], BODY, fps=30, unit="m", space="camera")
    across = np.zeros((1, 60, len(BODY.joints)))
    across[..., FEET[1]] = 0.4  # between what begins a contact and what ends it
    across[0, 30:, FEET[1]] = 1.0
    by_positions, by_image = into_world(seen).contact, into_world(seen, across=across).contact
    assert by_positions is not None
    assert by_image is not None
    assert by_positions[0, :, FEET].mean() < 0.8
    assert by_image[0, :, FEET[0]].all()
    assert not by_image[0, :, FEET[1]].any()
    across[0, 10, FEET[1]] = 0.2
    begun = into_world(seen, across=across).contact
    assert begun is not None
    assert np.flatnonzero(begun[0, :, FEET[1]]).tolist() == list(range(30))


def test_lifted_pairs_touch_the_floor_as_each_alone(shared_data: Path) -> None:
    """OpenPose's frames of somebody, and the same one at three quarters of the size on the same line."""
    walk = kg.load(shared_data / "openpose_json" / "clip_0").replace(fps=30.0).slice_frames(0, 120)
    points = walk.positions[0]
    feet = np.nanmax(np.where(walk.seen[0], points[..., 1], np.nan))
    small = np.stack([(points[..., 0] - 600) * 0.75 + 1100, feet + (points[..., 1] - feet) * 0.75], axis=-1)
    two = walk.replace(
        positions=np.stack([points, small]),
        confidence=np.repeat(np.asarray(walk.confidence), 2, axis=0),
        image_size=(1280, 720),
    )
    together = kg.lift(two)
    assert any("the people's are up to" in note for note in together.notes)
    for person in range(2):
        alone = kg.lift(two.select_people([person])).contact_share
        assert together.select_people([person]).contact_share == pytest.approx(alone, abs=0.02)
        assert alone is not None
        assert alone > 0.3  # in two fifths of the frames, as the lifter of the day has it
