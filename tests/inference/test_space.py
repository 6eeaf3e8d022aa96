"""Gravity, scale, floor and contacts against people whose place in the world is known."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lifting_people import BODY
from scipy.spatial.transform import Rotation

import kinegraph as kg
from kinegraph.cli import main
from kinegraph.datasets.synthetic import SyntheticMotion
from kinegraph.datasets.synthetic.generator import generate_points
from kinegraph.errors import ConfigError, DataError, FormatError, KinegraphError
from kinegraph.geometry.cameras import look_at
from kinegraph.inference.contact import foot_contacts
from kinegraph.inference.extrinsics import Extrinsics, by_extrinsics, load_extrinsics, on_the_floor
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import upright
from kinegraph.inference.quick import into_world, lifter_for
from kinegraph.inference.stature import scaled_to_height, stature
from kinegraph.sequence import SkeletonSequence

MOTION = SyntheticMotion(subjects=6, takes=1, seconds=4, fps=30)


def filmed(subject: int, action: str, pitch_down: float = 10.0) -> tuple[SkeletonSequence, Extrinsics, np.ndarray]:
    """A clip as a camera 1.6 m high sees it, that camera, and the world's truth (frames, joints, 3), z up."""
    truth = MOTION.clip(subject, action, 0).positions[0]
    goal = truth[:, 0].mean(axis=0)
    away = 5.0
    eye = goal + np.array([0.0, -away, 0.0])
    eye[2] = goal[2] + away * np.tan(np.deg2rad(pitch_down))
    rotation, translation = look_at(eye, goal, "z")
    camera = Extrinsics(rotation=rotation, translation=translation, up="z", floor=0.0)
    points = truth @ rotation.T + translation
    return SkeletonSequence(points, BODY, fps=30, unit="m", space="camera"), camera, truth


# ---- gravity ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["walking", "waving", "standing"])
@pytest.mark.parametrize("pitch", [-5.0, 0.0, 12.0])
def test_gravity_is_found_within_three_degrees(action: str, pitch: float) -> None:
    seen, camera, _ = filmed(1, action, pitch)
    world = upright(seen)
    # The rotation camera -> world that was applied, from the points themselves.
    a = (seen.positions[0] - seen.positions[0].mean((0, 1))).reshape(-1, 3)
    b = world.positions[0].reshape(-1, 3)
    turn, _ = Rotation.align_vectors(b - b.mean(0), a)
    up = turn.apply(camera.rotation @ np.array([0.0, 0.0, 1.0]))
    assert np.degrees(np.arccos(np.clip(up[1], -1, 1))) < 3.0


def test_feet_stand_on_the_floor() -> None:
    seen, _, truth = filmed(2, "walking")
    world = upright(seen)
    ankles = [BODY.index("left_ankle"), BODY.index("right_ankle")]
    lowest = world.positions[0][:, ankles, 1].min(axis=1)
    assert abs(np.median(lowest) - np.median(truth[:, ankles, 2].min(axis=1))) < 0.03


# ---- scale -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", range(4))
@pytest.mark.parametrize("action", ["walking", "squatting", "sitting"])
def test_stature_is_measured_in_any_pose(subject: int, action: str) -> None:
    truth = MOTION.clip(subject, action, 0)
    found = stature(truth.positions[0], truth.seen[0], truth.skeleton)
    assert found == pytest.approx(MOTION.subject(subject).body.stature, rel=0.03)


def test_a_stated_height_gives_the_scale_and_keeps_the_keypoints() -> None:
    seen, _, _ = filmed(3, "walking")
    wrong = seen.replace(
        positions=seen.positions * 0.8,
        uncertainty=np.full((1, seen.frames, 17, 2), 0.1),
        notes=("size and distance are those of an average adult: x",),
    )
    right = scaled_to_height(wrong, MOTION.subject(3).body.stature)[0]
    ratio = right.positions / seen.positions
    assert abs(ratio.mean() - 1) < 0.03
    np.testing.assert_allclose(
        right.positions[..., :2] / right.positions[..., 2:], seen.positions[..., :2] / seen.positions[..., 2:]
    )
    assert right.uncertainty is not None
    np.testing.assert_allclose(right.uncertainty, 0.1 * ratio.mean() / 0.8, rtol=1e-6)
    assert any("to the stated height" in note for note in right.notes)
    assert not any("average adult" in note for note in right.notes)


@given(st.floats(0.45, 2.5), st.floats(0.3, 3.0))
@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_height_is_reached_whatever_the_size_before(height: float, factor: float) -> None:
    seen, _, _ = filmed(0, "standing")
    scaled = scaled_to_height(seen.replace(positions=seen.positions * factor), height)[0]
    assert stature(scaled.positions[0], scaled.seen[0], BODY) == pytest.approx(height, rel=1e-9)


@pytest.mark.parametrize("height", [np.float32(1.8), np.array(1.8), np.array([1.8])])
def test_a_height_may_be_a_number_of_numpy(height: np.ndarray) -> None:
    seen, _, _ = filmed(0, "standing")
    tall = scaled_to_height(seen, height)[0]
    assert stature(tall.positions[0], tall.seen[0], BODY) == pytest.approx(1.8, rel=1e-6)


def test_nonsense_heights_are_refused() -> None:
    seen, _, _ = filmed(0, "standing")
    for height, message in ((175.0, "expected 0.4 to 2.6"), ([1.7, 1.8], "2 heights for 1 people")):
        with pytest.raises(ConfigError, match=message):
            scaled_to_height(seen, height)
    with pytest.raises(DataError, match="camera space"):
        scaled_to_height(upright(seen), 1.7)


def pictures() -> tuple[SkeletonSequence, Extrinsics]:
    """Two pictures, of an adult and somebody else, and of somebody else alone, as :func:`filmed` sees them."""
    seen, camera, _ = filmed(1, "standing")
    one = seen.positions[0, 0]
    sizes = np.array([[1.0, 0.7], [1.2, np.nan]])  # (people, pictures); about the camera, so on the same keypoints
    positions = sizes[..., None, None] * one
    note = "size and distance are those of an average adult: x"
    return seen.replace(positions=positions, confidence=None, notes=(note,)), camera


def test_in_pictures_each_person_has_the_stated_height() -> None:
    """Who is first in one picture is somebody else than in the next."""
    several, _ = pictures()
    tall = scaled_to_height(several, 1.75, stills=True)[0]
    for person, frame in ((0, 0), (0, 1), (1, 0)):
        found = stature(tall.positions[person, [frame]], tall.seen[person, [frame]], BODY)
        assert found == pytest.approx(1.75, rel=1e-9)
    assert not tall.seen[1, 1].any()
    assert not any("average adult" in note for note in tall.notes)
    assert any(note.startswith("3 people in pictures scaled by ") for note in tall.notes)
    with pytest.raises(ConfigError, match="2 heights for 2 pictures, .* give one for all"):
        scaled_to_height(several, [1.7, 1.8], stills=True)
    one = several.slice_frames(0, 1)
    both = scaled_to_height(one, [1.7, 1.8], stills=True)[0]
    for person, height in enumerate((1.7, 1.8)):
        assert stature(both.positions[person], both.seen[person], BODY) == pytest.approx(height, rel=1e-9)


def test_in_pictures_each_person_stands_on_the_stated_floor() -> None:
    several, camera = pictures()
    world = by_extrinsics(several, camera, stills=True)[0]
    ankles = [BODY.index("left_ankle"), BODY.index("right_ankle")]
    lowest = world.positions[..., ankles, 2].min(axis=-1)
    np.testing.assert_allclose([lowest[0, 0], lowest[0, 1], lowest[1, 0]], 0.08, atol=0.05)  # of 0.5 m, unscaled
    assert not any("average adult" in note for note in world.notes)


def test_pictures_are_scaled_one_by_one_through_the_lifter() -> None:
    several, camera = pictures()
    pixels = 1145 * several.positions[..., :2] / several.positions[..., 2:] + 500
    turned = np.stack([pixels[0, 0], 500 + 0.8 * (pixels[0, 0] - 500)])  # somebody else, further away
    turned[1] = turned[1][list(BODY.mirror)]
    two_d = SkeletonSequence(turned[None], BODY, fps=30, unit="px", space="image", image_size=(1000, 1000))
    for choices in ({"height_m": 1.75}, {"extrinsics": camera}):
        together = kg.lift(two_d, stills=True, space="world", **choices)
        for frame in range(2):
            alone = kg.lift(two_d.slice_frames(frame, frame + 1), stills=True, **choices)
            a, b = together.positions[0, frame], alone.positions[0, 0]
            np.testing.assert_allclose(
                np.linalg.norm(a - a[BODY.root], axis=-1), np.linalg.norm(b - b[BODY.root], axis=-1), atol=1e-9
            )


def test_without_legs_the_height_is_not_used() -> None:
    seen, _, _ = filmed(0, "standing")
    confidence = np.ones((1, seen.frames, 17))
    confidence[..., [BODY.index("left_knee"), BODY.index("right_knee")]] = 0
    half = scaled_to_height(seen.replace(confidence=confidence), 1.9)[0]
    assert np.nanmax(np.abs(half.positions - seen.positions)) == 0
    assert any("could not be used" in note for note in half.notes)


# ---- a calibrated camera ---------------------------------------------------------------------------------------------


def test_extrinsics_give_the_world_back() -> None:
    seen, camera, truth = filmed(1, "walking")
    world = by_extrinsics(seen, camera, sized=True)[0]
    np.testing.assert_allclose(world.positions[0], truth, atol=1e-9)
    assert (world.space, world.up) == ("world", "z")


@pytest.mark.parametrize("factor", [0.8, 1.15])
def test_a_camera_over_a_known_floor_is_a_ruler(factor: float) -> None:
    seen, camera, truth = filmed(1, "walking")
    told = seen.replace(
        positions=seen.positions * factor, notes=("size and distance are those of an average adult: x",)
    )
    world = by_extrinsics(told, camera)[0]
    size = np.linalg.norm(world.positions[0, :, 10] - world.positions[0, :, 0], axis=-1)
    want = np.linalg.norm(truth[:, 10] - truth[:, 0], axis=-1)
    assert abs((size / want).mean() - 1) < 0.03
    assert any("feet stand on the floor" in note for note in world.notes)
    assert not any("average adult" in note for note in world.notes)  # the floor has told the size
    kept = by_extrinsics(told, dataclasses.replace(camera, floor=None))[0]
    assert any("average adult" in note for note in kept.notes)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.lists(st.floats(-5, 5), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_way_to_write_a_rotation_is_the_same(tmp_path: Path, vector: list[float], place: list[float]) -> None:
    turn = Rotation.from_rotvec(vector)
    ways = (
        {"R": turn.as_matrix().tolist(), "t": place},
        {"rotation": turn.as_quat().tolist(), "translation": place},
        {"rvec": vector, "tvec": [[v] for v in place]},
    )
    path = tmp_path / "camera.json"
    for content in ways:
        path.write_text(json.dumps(content))
        got = load_extrinsics(path)
        np.testing.assert_allclose(got.rotation, turn.as_matrix(), atol=1e-9)
        np.testing.assert_allclose(got.rotation @ got.position + got.translation, 0, atol=1e-9)


def test_intrinsics_come_with_it(tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    k = [[900, 0, 320], [0, 910, 240], [0, 0, 1]]
    path.write_text(json.dumps({"R": np.eye(3).tolist(), "t": [0, 0, 0], "K": k, "image_size": [640, 480]}))
    camera = load_extrinsics(path)
    assert camera.intrinsics is not None
    assert camera.intrinsics.tolist() == [900, 910, 320, 240]
    assert camera.image_size == (640, 480)


def test_intrinsics_of_another_size_are_scaled(walk_2d: tuple[SkeletonSequence, Extrinsics, float]) -> None:
    two_d, camera, _ = walk_2d
    exact = kg.lift(two_d, extrinsics=dataclasses.replace(camera, intrinsics=np.array([1145.0, 1145.0, 500.0, 500.0])))
    double = dataclasses.replace(camera, intrinsics=np.array([2290.0, 2290.0, 1000.0, 1000.0]), image_size=(2000, 2000))
    found = kg.lift(two_d, extrinsics=double)
    np.testing.assert_allclose(found.positions, exact.positions, atol=1e-9)
    assert "scaled from images of 2000 x 2000 px to those of 1000 x 1000 px" in " ".join(found.notes)
    wide = dataclasses.replace(double, image_size=(2000, 1125))
    with pytest.raises(ConfigError, match=r"of 2000 x 1125 px, the keypoints are in 1000 x 1000 px"):
        kg.lift(two_d, extrinsics=wide)
    # a stated focal length takes the place of the calibration's
    found = kg.lift(two_d, extrinsics=wide, focal_px=1145)
    assert any("intrinsics not used" in note for note in found.notes)


@pytest.mark.parametrize("unit", ["px", "normalized"])
def test_pixels_need_not_be_square(walk_2d: tuple[SkeletonSequence, Extrinsics, float], unit: str) -> None:
    """An image stretched downwards, and the calibration that says so, give the same body."""
    two_d, camera, _ = walk_2d
    exact = kg.lift(two_d, extrinsics=dataclasses.replace(camera, intrinsics=np.array([1145.0, 1145.0, 480.0, 520.0])))
    high = two_d.replace(positions=two_d.positions * [1.0, 1.3], image_size=(1000, 1300))
    if unit == "normalized":
        high = high.replace(positions=high.positions / [1000, 1300], unit="normalized")
    told = dataclasses.replace(camera, intrinsics=np.array([1145.0, 1488.5, 480.0, 676.0]), image_size=(1000, 1300))
    found = kg.lift(high, extrinsics=told)
    np.testing.assert_allclose(found.positions, exact.positions, atol=1e-6)
    assert "pixels made square: focal lengths 1145 px across and 1488.5 px down" in found.notes
    if unit == "normalized":
        assert kg.lift(high.replace(image_size=None), extrinsics=told).unit == "m"  # the calibration states the size
        with pytest.raises(
            ConfigError, match="a focal length of 1145 px and a centre in px need the size of the image"
        ):
            kg.lift(high.replace(image_size=None), extrinsics=dataclasses.replace(told, image_size=None))


def test_extrinsics_turn_relative_roots_and_leave_their_size(
    walk_2d: tuple[SkeletonSequence, Extrinsics, float],
) -> None:
    two_d, camera, _ = walk_2d
    assert camera.floor is not None
    seen = kg.lift(two_d, root="relative", space="camera", focal_px=1145)
    world = kg.lift(two_d, root="relative", extrinsics=camera, focal_px=1145)
    np.testing.assert_allclose(world.positions, seen.positions @ camera.rotation, atol=1e-12)
    np.testing.assert_array_equal(world.uncertainty, seen.uncertainty)
    assert (world.up, world.contact) == ("z", None)
    assert any("average adult" in note for note in world.notes)
    tall = kg.lift(two_d, root="relative", extrinsics=camera, focal_px=1145, height_m=1.9)
    assert stature(tall.positions[0], tall.seen[0], BODY) == pytest.approx(1.9, rel=0.01)


def test_sizes_of_whole_pixels_agree() -> None:
    camera = Extrinsics(
        rotation=np.eye(3),
        translation=np.zeros(3),
        intrinsics=np.array([1500.0, 1500, 960, 540]),
        image_size=(1920, 1080),
    )
    small = camera.with_image((854, 480))
    assert small.intrinsics is not None
    np.testing.assert_allclose(small.intrinsics, [667.2, 666.7, 427, 240], atol=0.1)
    with pytest.raises(ConfigError, match="another shape"):
        camera.with_image((640, 480))


@pytest.mark.parametrize("k", [[1500, 1490, 960, 540], [[1500, 0, 960], [0, 1490, 540], [0, 0, 1]]])
def test_a_camera_of_lists_is_one_of_arrays(k: list[object]) -> None:
    place = {"rotation": np.eye(3).tolist(), "translation": [0, 0, 0]}
    camera = Extrinsics(**place, intrinsics=k, image_size=[1920, 1080])  # type: ignore[arg-type]
    assert camera.image_size == (1920, 1080)
    assert camera.with_image((1920, 1080)) is camera
    small = camera.with_image((960, 540)).intrinsics
    assert small is not None
    assert small.tolist() == [750, 745, 480, 270]
    with pytest.raises(DataError, match="intrinsics must be fx, fy, cx, cy or a 3 x 3 matrix"):
        Extrinsics(**place, intrinsics=["wide"])  # type: ignore[arg-type]
    for size, found in (([1280], "1280"), (1280, "1280"), ((1280, 720.5), "1280 x 720.5")):
        with pytest.raises(DataError, match=f"image_size is {found}; expected width and height"):
            Extrinsics(**place, image_size=size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no camera's calibration"),
        ("[1]", "holds list"),
        ('{"t": [0,0,0]}', "states no 'rotation'"),
        ('{"R": [[1,0,0],[0,1,0],[0,0,2]], "t": [0,0,0]}', "three orthonormal rows"),
        ('{"R": [[1,0,0],[0,1,0],[0,0,-1]], "t": [0,0,0]}', "mirror image"),
        ('{"rvec": [0,0,0], "t": [0,0]}', "three finite numbers"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "up": "x"}', "choose y or z"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "flor": 0}', "did you mean 'floor'"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "tvec": [0,0,0]}', "twice"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "K": [1,2,3]}', "fx, fy, cx, cy"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "K": [0,900,500,500]}', "fx, fy, cx, cy"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "image_size": [0, 0]}', "image_size is 0 x 0; expected width and height"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "image_size": [1280]}', "image_size is 1280; expected width and height"),
        ('{"rvec": [0,0,0], "t": [0,0,0], "floor": NaN}', "floor is nan; expected its height"),
        ('{"rvec": "x", "t": [0,0,0]}', "is no camera's calibration"),
        ('{"rvec": [0,0,NaN], "t": [0,0,0]}', "not finite"),
    ],
)
def test_damaged_calibrations_are_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "camera.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=message):
        load_extrinsics(path)


# ---- contacts --------------------------------------------------------------------------------------------------------


def steps(subject: int, action: str) -> tuple[np.ndarray, np.ndarray]:
    """Ankles (frames, 2, 3) of somebody, z up, and whether any part of that foot truly rests on the floor."""
    person = MOTION.subject(subject)
    points = generate_points(person, action, np.random.default_rng([5, subject]), 150, 30.0)
    ankles, truth = [], []
    for side in ("left", "right"):
        parts = [points[name] for name in points if name.startswith(f"{side}_") and ("toe" in name or "heel" in name)]
        rests = [
            (part[:, 2] < part[:, 2].min() + 0.02) & (np.linalg.norm(np.gradient(part, axis=0), axis=-1) * 30 < 0.35)
            for part in parts
        ]
        truth.append(np.any(rests, axis=0))
        ankles.append(points[f"{side}_ankle"])
    return np.stack(ankles, axis=1), np.stack(truth, axis=1)


@pytest.mark.parametrize("noise", [0.0, 0.008])
def test_contacts_of_walkers_are_found(noise: float) -> None:
    hits = found = there = 0
    for subject in range(4):
        ankles, truth = steps(subject, "walking")
        positions = np.full((1, len(ankles), 17, 3), np.nan)
        joints = [BODY.index("left_ankle"), BODY.index("right_ankle")]
        positions[0][:, joints] = ankles + noise * np.random.default_rng(subject).normal(size=ankles.shape)
        got = foot_contacts(SkeletonSequence(positions, BODY, fps=30, up="z"))[0][:, joints]
        assert not foot_contacts(SkeletonSequence(positions, BODY, fps=30, up="z"))[0][:, 0].any()
        hits += int((got & truth).sum())
        found += int(got.sum())
        there += int(truth.sum())
    assert 2 * hits / (found + there) > 0.85


def test_somebody_in_the_air_touches_nothing() -> None:
    positions = np.tile(MOTION.clip(0, "standing", 0).positions, (1, 1, 1, 1))
    lifted = SkeletonSequence(positions + np.array([0, 0, 0.5]), BODY, fps=30, up="z")
    assert not foot_contacts(lifted).any()
    assert foot_contacts(SkeletonSequence(positions, BODY, fps=30, up="z"))[0][:, [BODY.index("left_ankle")]].all()


def test_contacts_come_with_the_world_and_not_with_the_camera() -> None:
    seen, camera, _ = filmed(0, "walking")
    for world in (into_world(seen), into_world(seen, camera)):
        assert world.contact is not None
        touched = set(np.flatnonzero(world.contact.any(axis=(0, 1))).tolist())
        assert touched == {BODY.index("left_ankle"), BODY.index("right_ankle")}
        assert 0.3 < world.contact[0][:, list(touched)].mean() < 0.9
    with pytest.raises(DataError, match="in camera space"):
        foot_contacts(seen)


@pytest.mark.parametrize("by", ["height", "floor"])
def test_contacts_are_those_of_the_size_that_was_stated(
    by: str, walk_2d: tuple[SkeletonSequence, Extrinsics, float]
) -> None:
    """Somebody half as large is half as near, and as fast across the line of sight."""
    two_d, camera, height = walk_2d
    size = 0.55
    low = dataclasses.replace(camera, translation=camera.translation * size)
    stated = {"height_m": height * size} if by == "height" else {"extrinsics": low}
    found = kg.lift(two_d, focal_px=1145, **stated).contact
    lifted, across = lifter_for(two_d).lift_and_follow(two_d, LiftOptions(focal_px=1145))
    assert across is not None
    sized, _ = scaled_to_height(lifted, height * size) if by == "height" else on_the_floor(lifted, low, 0.0)
    factor = float(np.nanmedian(sized.positions / lifted.positions))
    assert 0.5 < factor < 0.65
    place = None if by == "height" else low
    right, wrong = (into_world(sized, place, sized=True, across=speed).contact for speed in (across * factor, across))
    assert (right != wrong).any()
    np.testing.assert_array_equal(found, right)


def test_a_floor_that_nobody_stated_is_said_to_be_assumed() -> None:
    seen, camera, _ = filmed(0, "walking")
    assert camera.floor is not None
    assert not any("floor: assumed" in note for note in into_world(seen, camera).notes)
    unknown = into_world(seen, dataclasses.replace(camera, floor=None))
    said = next(note for note in unknown.notes if note.startswith("floor: assumed under the feet, at "))
    assert abs(float(said.split(" at ")[1].split(" m")[0]) - camera.floor) < 0.05
    assert any(note.startswith("up: ") and "floor put under the feet" in note for note in into_world(seen).notes)


# ---- through the shipped lifter and the command line -----------------------------------------------------------------


@pytest.fixture(scope="module")
def walk_2d() -> tuple[SkeletonSequence, Extrinsics, float]:
    seen, camera, _ = filmed(1, "walking", 8.0)
    pixels = 1145 * seen.positions[..., :2] / seen.positions[..., 2:] + 500
    two_d = SkeletonSequence(pixels, BODY, fps=30, unit="px", space="image", image_size=(1000, 1000))
    return two_d, camera, MOTION.subject(1).body.stature


def test_lift_takes_height_and_extrinsics(
    walk_2d: tuple[SkeletonSequence, Extrinsics, float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_d, camera, height = walk_2d
    tall = kg.lift(two_d, height_m=height, focal_px=1145)
    assert stature(tall.positions[0], tall.seen[0], BODY) == pytest.approx(height, rel=0.01)
    kg.save(two_d, tmp_path / "in.npz")
    calibration = {"R": camera.rotation.tolist(), "t": camera.translation.tolist(), "up": "z", "floor": 0.0}
    calibration["intrinsics"] = [1145, 1145, 500, 500]
    (tmp_path / "camera.json").write_text(json.dumps(calibration))
    out = tmp_path / "out.npz"
    argv = ["lift", str(tmp_path / "in.npz"), "--out", str(out), "--extrinsics", str(tmp_path / "camera.json")]
    assert main([*argv, "--height", f"{height}", "--one-euro", "--no-constant-limbs"]) == 0
    said = capsys.readouterr().out
    for words in ("stated height", "given extrinsics", "one-euro", "centre as given"):
        assert words in said
    world = kg.load(out)
    truth = MOTION.clip(1, "walking", 0).positions[0]
    assert world.up == "z"
    error = np.linalg.norm(world.positions[0, :, 0] - truth[:, 0], axis=-1)
    assert np.median(error) < 0.5
    assert world.contact is not None


def test_a_missing_calibration_is_refused(walk_2d: tuple[SkeletonSequence, Extrinsics, float], tmp_path: Path) -> None:
    with pytest.raises(KinegraphError, match="cannot be read"):
        kg.lift(walk_2d[0], extrinsics=tmp_path / "none.json")
