"""Single pictures, each lifted by itself, with networks whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from clip_people import probe
from lifting_people import BODY, flat_person, lifter, motion, project

import kinegraph as kg
from kinegraph.errors import DataError
from kinegraph.inference import Forecaster, LiftOptions, Recognizer, upright
from kinegraph.sequence import SkeletonSequence


@pytest.fixture
def truth() -> np.ndarray:
    return motion()


def test_stills_know_nothing_of_each_other(truth: np.ndarray) -> None:
    other = motion(1, depth=7.0) + np.array([1.0, 0.2, 0])
    points = np.stack([project(truth[:1]), project(other), project(truth[30:31])], axis=1)  # three pictures
    confidence = np.ones((1, 3, 17))
    confidence[0, 1, 5:] = 0  # of the second, too little is seen
    given = SkeletonSequence(points, BODY, unit="px", space="image", confidence=confidence, image_size=(1000, 1000))
    own = lifter(flat_person)
    got = own.lift(given, LiftOptions(stills=True))
    assert got.seen[0, [0, 2]].all()
    assert not got.seen[0, 1].any()
    alone = own.lift(given.slice_frames(2, 3))
    np.testing.assert_allclose(got.positions[0, 2], alone.positions[0, 0])
    assert any("one by one" in note for note in got.notes)
    world = upright(got, stills=True)
    for frame in (0, 2):
        assert np.nanmin(world.positions[0, frame, :, 1]) == pytest.approx(0.08, abs=1e-9)
    with pytest.raises(DataError, match="no frame shows"):
        own.lift(given.slice_frames(1, 2), LiftOptions(stills=True))


def test_people_in_pictures_of_unknown_size_stand_apart(truth: np.ndarray) -> None:
    """In fractions of the image as in px: one camera for all, or each would be put in the middle of an image."""
    places = np.stack([project(truth[:1]), project(truth[:1] + np.array([1.5, 0, 0])), project(motion(1, depth=8.0))])
    pixels = SkeletonSequence(places, BODY, unit="px", space="image", image_size=(1000, 1000))
    given = pixels.replace(positions=places / 1000, unit="normalized", image_size=None)
    own = lifter(flat_person)
    roots = own.lift(given, LiftOptions(stills=True)).positions[:, 0, 0]
    known = own.lift(pixels, LiftOptions(stills=True, focal_px=1145)).positions[:, 0, 0]
    np.testing.assert_allclose(roots / roots[0, 2], known / known[0, 2], atol=0.03)
    notes = own.lift(given, LiftOptions(stills=True)).notes
    assert "normalised coordinates scaled to 1000 x 1000 px; people about 5 m away" in notes


@pytest.mark.parametrize("unit", ["px", "normalized"])
def test_pictures_of_unknown_size_are_shown_as_asked_for(truth: np.ndarray, unit: str) -> None:
    """The image as it is, if that is what somebody wants, as of a video; a view of the person else."""
    places = np.stack([project(truth[:1]), project(truth[:1] + np.array([1.0, 0, 0]))])
    given = SkeletonSequence(places, BODY, unit="px", space="image")
    if unit == "normalized":
        given = given.replace(positions=places / 1000, unit="normalized")
    seen = {}
    for framing in ("auto", "person", "image"):
        own = lifter(flat_person)
        own.lift(given, LiftOptions(stills=True, framing=framing, flip=False))
        seen[framing] = np.stack([np.asarray(x[0]) for x in own.model.seen])
    np.testing.assert_array_equal(seen["auto"], seen["person"])
    size = np.array([1000, 1000]) if unit == "normalized" else np.ceil(places.max(axis=(0, 1, 2)))
    shown = lifter(flat_person).transform.encode_inputs(places[:, 0], np.ones((2, 17)), size)
    np.testing.assert_allclose(seen["image"], shown, atol=1e-6)
    assert np.abs(seen["person"] - shown).max() > 0.1


@pytest.mark.parametrize("fps", [None, 25.0])
def test_pictures_keep_their_notes_and_say_whose_the_rate_is(truth: np.ndarray, fps: float | None) -> None:
    told = ("the images are no video: each is a frame", "frames: 000000000785.jpg, 000000040083.jpg")
    given = SkeletonSequence(
        project(truth[:2]), BODY, fps=fps, unit="px", space="image", image_size=(1000, 1000), notes=told
    )
    got = lifter(flat_person).lift(given, LiftOptions(stills=True))
    assert got.notes[:2] == told
    assumed = [note for note in got.notes if "30 a second" in note]
    assert (got.fps, assumed) == (
        (25.0, [])
        if fps
        else (30.0, ["pictures have no frame rate: 30 a second stated, for files of motion that need one"])
    )
    assert not any("--fps" in note for note in got.notes)


def test_the_main_person_of_each_picture(truth: np.ndarray) -> None:
    near, far = truth[:3], truth[:3] + np.array([0.5, 0, 6.0])
    points = np.stack([project(near), project(far)])
    points[:, 1] = points[::-1, 1]  # people are numbered anew in each picture
    confidence = np.ones((2, 3, 17))
    confidence[:, 2] = 0  # nobody in the third
    given = SkeletonSequence(points, BODY, unit="px", space="image", confidence=confidence, image_size=(1000, 1000))
    own = lifter(flat_person)
    got = own.lift(given, LiftOptions(stills=True, people="main"))
    assert got.people == 1
    everybody = own.lift(given, LiftOptions(stills=True))
    np.testing.assert_array_equal(got.positions[0, 0], everybody.positions[0, 0])
    np.testing.assert_array_equal(got.positions[0, 1], everybody.positions[1, 1])
    assert not got.seen[0, 2].any()
    assert any("the largest of up to 2 people" in note for note in got.notes)


@pytest.mark.parametrize(
    "asked",
    [
        lambda flat, solid: kg.forecast(solid, 0.5, model="constant-velocity"),
        lambda flat, solid: Forecaster("constant-velocity").forecast(solid, 0.5),
        lambda flat, solid: kg.recognize(solid),
        lambda flat, solid: kg.recognize(flat, model=Recognizer(probe(dims=2, unit="px"))),
    ],
)
def test_pictures_hold_no_motion_lifted_or_not(asked: Callable[[Any, Any], Any]) -> None:
    """Who is first in one is somebody else in the next."""
    notes = ("the images are no video: each is a frame",)
    flat = SkeletonSequence(
        project(motion(60)), BODY, fps=30, unit="px", space="image", image_size=(1000, 1000), notes=notes
    )
    solid = lifter(flat_person).lift(flat, LiftOptions(stills=True))
    with pytest.raises(DataError, match="holds single pictures; expected a video, motion in time"):
        asked(flat, solid)
