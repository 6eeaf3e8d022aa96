"""What a lifter sees of a recording, against loops over people, frames and joints."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from lifting_people import keypoints, motion

from kinegraph.errors import ConfigError, DataError
from kinegraph.inference.framing import DISTANCE_M, scale_of_pose
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.preparation import INFERRED, main_of_each, prepare, spanned_size
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints

BODY = get_skeleton("h36m17")
_COCO = get_skeleton("coco17")
_GONE = _COCO.index("left_wrist")
#: COCO's joints but a wrist, which then is the network's guess
LAYOUT = Skeleton(
    name="one-handed",
    joints=tuple(joint for joint in _COCO.joints if joint != "left_wrist"),
    parents=tuple(p - (p > _GONE) for j, p in enumerate(_COCO.parents) if j != _GONE),
    pairs=tuple(pair for pair in _COCO.pairs if "left_wrist" not in pair),
    landmarks=_COCO.landmarks,
)
FPS, FRAMES = 20.0, 60
SLIP = (0, 30, LAYOUT.index("right_knee"))  # person, frame, joint


def _crowd(seed: int) -> SkeletonSequence:
    """Somebody with gaps, a ghost of three frames, a stray arm, and somebody who goes and comes back; px."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(100, 700, (4, 1, LAYOUT.num_joints, 2))
    positions = pose + np.linspace(0, 90, FRAMES)[:, None, None] * rng.uniform(-1, 1, (4, 1, LAYOUT.num_joints, 2))
    confidence = rng.uniform(0.15, 1, positions.shape[:3])
    for person in (0, 3):
        for _ in range(40):
            joint, first, length = rng.integers(LAYOUT.num_joints), rng.integers(-5, FRAMES), rng.integers(1, 16)
            confidence[person, max(first, 0) : max(first + length, 0), joint] = rng.choice([0.0, 0.05])
    confidence[1, 3:] = 0
    confidence[2, :, 5:] = 0
    confidence[3, 22:41] = 0
    person, frame, joint = SLIP
    confidence[person, frame - 1 : frame + 2, joint] = 0.9
    positions[SLIP] += 400
    return SkeletonSequence(
        positions, LAYOUT, fps=FPS, unit="px", space="image", confidence=confidence, image_size=(900, 800)
    )


def _bridged(points: np.ndarray, sure: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    points, filled = points.copy(), sure.copy()
    for joint in range(points.shape[1]):
        seen = [frame for frame in range(len(points)) if sure[frame, joint] > 0]
        for start, stop in pairwise(seen):
            if stop - start - 1 > longest:
                continue
            for frame in range(start + 1, stop):
                share = (frame - start) / (stop - start)
                points[frame, joint] = (1 - share) * points[start, joint] + share * points[stop, joint]
                filled[frame, joint] = 0.5 * min(sure[start, joint], sure[stop, joint])
    return points, filled


def _faced(points: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points, shared = points.copy(), sure.copy()
    for part in ("eye", "ear"):
        sides = [LAYOUT.index(f"left_{part}"), LAYOUT.index(f"right_{part}")]
        for frame in range(len(points)):
            for hidden, shown in (sides, sides[::-1]):
                if sure[frame, hidden] == 0 < sure[frame, shown]:
                    points[frame, hidden], shared[frame, hidden] = points[frame, shown], sure[frame, shown] / 2
    return points, shared


def _mapped(points: np.ndarray, sure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    weights = map_joints(LAYOUT, BODY).weights
    places, found = np.zeros((len(points), 17, 2)), np.zeros((len(points), 17))
    for frame in range(len(points)):
        for joint, row in enumerate(weights):
            used = np.flatnonzero(row)
            if len(used) and all(sure[frame, j] > 0 for j in used):
                places[frame, joint] = sum(row[j] * points[frame, j] for j in used)
                found[frame, joint] = min(sure[frame, j] for j in used)
    return places, found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fill_s", [0.0, 0.25, 0.5])
def test_a_network_sees_what_is_cleaned_bridged_and_mapped(seed: int, fill_s: float) -> None:
    given = _crowd(seed)
    ready = prepare(given, BODY, LiftOptions(fill_s=fill_s))
    assert ready.people == (0, 3)
    assert np.isfinite(ready.positions).all()
    longest = math.floor(fill_s * FPS + 1e-9)
    absent = BODY.index("left_wrist")
    assert [status == "missing" for status in map_joints(LAYOUT, BODY).status] == [j == absent for j in range(17)]
    lost = 0
    for row, person in enumerate(ready.people):
        sure = np.asarray(given.confidence)[person].copy()
        sure[sure < 0.1] = 0
        if person == SLIP[0]:
            sure[SLIP[1:]] = 0
        places, found = _mapped(*_faced(*_bridged(given.positions[person], sure, longest)))
        for frame in range(FRAMES):
            there = (found[frame] > 0).sum() >= 7  # of 17: two fifths
            assert ready.present[row, frame] == there
            if not there:
                found[frame] = 0
        np.testing.assert_allclose(ready.confidence[row], found)
        np.testing.assert_allclose(ready.positions[row][found > 0], places[found > 0])
        for frame, joint in np.ndindex(FRAMES, 17):
            seen = np.flatnonzero(found[:, joint])
            expected = found[frame, joint]
            if ready.present[row, frame] and not expected:
                # before the first sight and after the last, a short while is guessed
                first, last = (seen[0], seen[-1]) if len(seen) else (FRAMES, -1)
                opening = frame < first <= longest
                closing = frame > last >= FRAMES - 1 - longest
                guessed = joint == absent or opening or closing
                expected = INFERRED if guessed else 0.0
                lost += not guessed
            assert ready.trust[row, frame, joint] == pytest.approx(expected), (person, frame, BODY.joints[joint])
    notes = "\n".join(ready.notes)
    assert f"{lost} joints in gaps longer than {fill_s:g} s stay missing" in notes
    assert "3 of 4 people lifted (the others are seen in fewer than 5 frames)" in notes
    assert "1 people of whom no frame shows 7 joints left out" in notes
    assert "jumped away" in notes
    assert "joints the layout lacks are the network's guess, confidence 0.25" in notes
    assert "mapped one-handed -> h36m17" in notes


def test_the_main_person_alone_is_the_largest_and_longest_seen() -> None:
    small, large = motion(20, depth=8.0), motion(20, depth=4.0)
    both = keypoints(small)
    both = both.replace(
        positions=np.concatenate([both.positions, keypoints(large).positions]), confidence=np.ones((2, 20, 17))
    )
    ready = prepare(both, BODY, LiftOptions(people="main"))
    assert ready.people == (1,)
    np.testing.assert_allclose(ready.positions[0], both.positions[1])
    assert "1 of 2 people lifted (the main one)" in ready.notes
    assert prepare(both, BODY, LiftOptions()).people == (0, 1)


@pytest.mark.parametrize("stills", [False, True])
def test_the_main_person_is_one_who_can_be_lifted(stills: bool) -> None:
    """Head and shoulders close to the camera are larger than a whole body behind them, and no pose."""
    near, whole = motion(20, depth=0.8), motion(20, depth=5.0)
    confidence = np.ones((2, 20, 17))
    shown = ("thorax", "nose", "head", "left_shoulder", "right_shoulder")
    confidence[0, :, [joint not in shown for joint in BODY.joints]] = 0
    both = keypoints(whole)
    both = both.replace(positions=np.concatenate([keypoints(near).positions, both.positions]), confidence=confidence)
    if stills:
        chosen, _ = main_of_each(both, map_joints(both.skeleton, BODY))
        np.testing.assert_array_equal(chosen.positions[0], both.positions[1])
    else:
        assert prepare(both, BODY, LiftOptions(people="main")).people == (1,)
        with pytest.raises(DataError, match="no frame shows"):
            prepare(both.select_people([0]), BODY, LiftOptions(people="main"))


@pytest.mark.parametrize(
    ("options", "intrinsics"),
    [
        ({}, (1145, 1145, 500, 400)),
        ({"focal_px": 700.0}, (700, 700, 500, 400)),
        ({"fov_deg": 90.0}, (500, 500, 500, 400)),
        ({"focal_px": 700.0, "centre_px": (480.0, 390.0)}, (700, 700, 480, 390)),
    ],
)
def test_the_camera_of_an_image_of_known_size(options: dict[str, Any], intrinsics: tuple[float, ...]) -> None:
    ready = prepare(keypoints(motion(5), image_size=(1000, 800)), BODY, LiftOptions(**options))
    np.testing.assert_allclose(ready.intrinsics, intrinsics)
    assert (ready.image_size, ready.size_known) == ((1000, 800), True)


def test_the_camera_of_an_image_of_unknown_size_sees_people_as_far_away_as_in_training() -> None:
    given = keypoints(motion(12, depth=3.0), image_size=None)
    ready = prepare(given, BODY, LiftOptions())
    flat = given.positions.reshape(-1, 2)
    scale = float(np.median(scale_of_pose(given.positions[0], np.ones((12, 17), dtype=bool), BODY)))
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
    np.testing.assert_allclose(ready.intrinsics, [scale * DISTANCE_M, scale * DISTANCE_M, *middle])
    size = tuple(math.ceil(value) for value in flat.max(axis=0))
    assert (ready.image_size, ready.size_known) == (size, False)
    found, note = spanned_size(given)
    assert found == size
    assert note in ready.notes
    assert f"image size not stated: {size[0]} x {size[1]} px assumed" in note


@pytest.mark.parametrize("size", [None, (640, 480)])
def test_fractions_of_the_image_are_pixels_of_it(size: tuple[int, int] | None) -> None:
    given = keypoints(motion(5), image_size=size)
    given = given.replace(positions=given.positions / 1000, unit="normalized")
    ready = prepare(given, BODY, LiftOptions())
    np.testing.assert_allclose(ready.positions, given.positions * np.array(size or (1000, 1000)))
    assert (ready.image_size, ready.size_known) == (size or (1000, 1000), size is not None)


def test_what_cannot_be_prepared_is_refused() -> None:
    with pytest.raises(DataError, match="expected 2D keypoints"):
        prepare(SkeletonSequence(np.zeros((1, 3, 17, 3)), BODY), BODY, LiftOptions())
    with pytest.raises(DataError, match="no person is seen"):
        prepare(keypoints(motion(4), confidence=np.zeros((4, 17))), BODY, LiftOptions())
    few = np.zeros((4, 17))
    few[:, :6] = 1
    with pytest.raises(DataError, match="no frame shows the 7 of 17 joints"):
        prepare(keypoints(motion(4), confidence=few), BODY, LiftOptions())
    with pytest.raises(ConfigError, match="needs the width of the image"):
        prepare(keypoints(motion(4), image_size=None), BODY, LiftOptions(fov_deg=60.0))
