"""What is asked of whoever gives keypoints that do not look as stated, and that nothing is asked of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifting_people import BODY, flat_person, keypoints, lifter, motion

import kinegraph as kg
from kinegraph.inference import LiftOptions
from kinegraph.inference.doubts import doubts
from kinegraph.sequence import NO_VIDEO, SkeletonSequence
from kinegraph.skeleton import get_skeleton

COCO = get_skeleton("coco17")


def coco(frames: int = 60) -> SkeletonSequence:
    """Somebody on COCO's joints, face and all."""
    body = keypoints(motion(frames))
    seen = body.to_skeleton(COCO, minimum=0.4)
    points = seen.positions.copy()
    for index, joint in enumerate(COCO.joints):
        if any(part in joint for part in ("eye", "ear")):
            side = 1 if joint.startswith("left") else -1
            points[:, :, index] = body.positions[:, :, BODY.index("nose")] + [side * (5 if "eye" in joint else 15), -5]
    return seen.replace(positions=points, confidence=np.ones(points.shape[:3]))


def as_layout(sequence: SkeletonSequence, name: str) -> SkeletonSequence:
    return sequence.replace(skeleton=get_skeleton(name), rotations=None)


def test_nothing_is_asked_of_people_who_stand() -> None:
    for sequence in (keypoints(motion(60)), coco(), keypoints(motion(5)), coco().slice_frames(0, 1)):
        assert doubts(sequence) == ()


def test_nothing_is_asked_of_detectors_recordings(shared_data: Path) -> None:
    clips = sorted((shared_data / "openpose_json").glob("clip_*"))
    files = sorted((shared_data / "coco_json").glob("*.json"))
    assert clips
    assert files
    for clip in clips:
        found = kg.load(clip).replace(fps=30.0)
        assert doubts(found) == ()
        assert doubts(found.to_skeleton(COCO, minimum=0.4)) == ()
    for file in files:
        assert doubts(kg.load(file)) == ()


@pytest.mark.parametrize(("given", "named"), [("h36m17", "coco17"), ("coco17", "h36m17")])
def test_keypoints_of_another_layout_are_doubted(given: str, named: str) -> None:
    true = coco() if named == "coco17" else keypoints(motion(60))
    (note,) = doubts(as_layout(true, given))
    assert note.startswith(f"these do not look like {given} keypoints")
    assert f"--layout {named}" in note
    lifted = lifter(flat_person).lift(as_layout(true, given))
    assert lifted.notes[0] == note


def test_openpose_keypoints_taken_for_kinect_s_are_doubted(shared_data: Path) -> None:
    real = kg.load(shared_data / "openpose_json" / "clip_1").replace(fps=30.0)
    (note,) = doubts(as_layout(real, "ntu25"))
    assert "as body25 they look like a person" in note


def test_people_and_frames_that_changed_places_are_doubted() -> None:
    pair = np.concatenate([coco(90).positions, coco(90).positions + np.array([200.0, 0.0])])
    turned = SkeletonSequence(positions=pair.swapaxes(0, 1), skeleton=COCO, fps=30, unit="px", space="image")
    (note,) = doubts(turned)
    assert note.startswith("90 people in 2 frames, each where the next one is")
    (note,) = doubts(turned.slice_frames(0, 1))
    assert note.startswith("90 people in 1 frame, each")
    lifted = lifter(flat_person).lift(turned.slice_frames(0, 1), LiftOptions(stills=True))
    assert lifted.notes[0] == note
    crowd = coco(1).positions + np.arange(40)[:, None, None, None] * [90.0, 0.0]  # a crowd, one beside the other
    assert doubts(SkeletonSequence(positions=crowd, skeleton=COCO, fps=30, unit="px", space="image")) == ()


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (
            [[0, 1], [-1, 0]],
            "lies throughout, the head to the right: is the image rotated? if so, turn it, or give (y, w",
        ),
        (
            [[0, -1], [1, 0]],
            "lies throughout, the head to the left: is the image rotated? if so, turn it, or give (hei",
        ),
        ([[1, 0], [0, -1]], "hangs head down throughout: does y point up"),
    ],
)
@pytest.mark.parametrize("unit", ["px", "normalized"])
def test_turned_images_are_doubted(turn: list[list[int]], said: str, unit: str) -> None:
    upright = coco(60)
    positions = (upright.positions - 500) @ np.array(turn) + 500
    given = upright.replace(positions=positions / (1000 if unit == "normalized" else 1), unit=unit)
    (note,) = doubts(given.replace(image_size=(1000, 1000)))
    assert said in note
    # the remedy that it names stands them up again
    x, y = positions[..., 0], positions[..., 1]
    mended = {"(y, w": [y, 1000 - x], "(hei": [1000 - y, x], "nt up": [x, 1000 - y]}[said[-5:].strip()]
    np.testing.assert_allclose(np.stack(mended, axis=-1), upright.positions)


def test_nothing_is_asked_of_who_lies_down_and_gets_up() -> None:
    upright = coco(100)
    positions = upright.positions.copy()
    positions[:, 3:] = (positions[:, 3:] - 500) @ np.array([[0, 1], [-1, 0]]) + 500
    assert doubts(upright.replace(positions=positions)) == ()
    assert doubts(upright.replace(positions=positions[:, ::-1])) == ()
    assert doubts(upright.replace(positions=positions, notes=(NO_VIDEO,))) == ()


def test_a_square_image_is_said_first_with_what_states_another() -> None:
    given = keypoints(motion(30))
    flat = given.replace(positions=given.positions / 1000, unit="normalized", image_size=None)
    lifted = lifter(flat_person).lift(flat)
    assert lifted.notes[0].startswith("the image is taken to be square")
    assert "--read image_size=1280x720" in lifted.notes[0]
    assert doubts(flat.replace(image_size=(1000, 1000))) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["coco17", "h36m17", "body25", "openpose18", "cmu31"]),
    st.integers(1, 12),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, 1e6]),
    st.integers(0, 2**32 - 1),
)
def test_any_keypoints_can_be_asked_about(
    name: str, people: int, frames: int, missing: float, spread: float, seed: int
) -> None:
    rng, joints = np.random.default_rng(seed), get_skeleton(name).num_joints
    positions = rng.normal(0, 1, (people, frames, joints, 2)) * spread
    positions[rng.random((people, frames, joints)) < missing] = np.nan
    confidence = np.isfinite(positions[..., 0]).astype(float)
    notes = doubts(
        SkeletonSequence(
            positions=positions, skeleton=get_skeleton(name), confidence=confidence, unit="px", space="image"
        )
    )
    assert all(isinstance(note, str) and "\n" not in note for note in notes)
