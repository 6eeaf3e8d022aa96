"""Feet planted in walks whose truth is known: they stay, nothing jumps, and what does not stand is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.foot_lock import NOT_PLANTED, plant_feet
from kinegraph.transforms.gaps import runs

BODY = get_skeleton("h36m17")
FEET = Skeleton(
    name="legs",
    joints=(
        "pelvis",
        *(f"{s}_{j}" for s in ("left", "right") for j in ("hip", "knee", "ankle", "toe_base", "toe_end", "heel")),
    ),
    parents=(-1, 0, 1, 2, 3, 4, 3, 0, 7, 8, 9, 10, 9),
)
FPS, STEP_S, STEP_M = 30.0, 0.6, 0.6
SIDES = ("left", "right")


def walk(
    skeleton: Skeleton = BODY, seconds: float = 4.0, fps: float = FPS, pelvis_m: float = 0.82
) -> tuple[np.ndarray, np.ndarray]:
    """Somebody who walks along z (frames, joints, 3), y up, and which joints are on the ground (frames, joints).

    The legs are 0.92 m long: with the pelvis at 0.82 m knees stay bent, at 0.88 m they are all but straight at times.
    """
    times = np.arange(round(seconds * fps)) / fps
    body = np.zeros((len(times), skeleton.num_joints, 3))
    contact = np.zeros(body.shape[:2], dtype=bool)
    z = STEP_M / STEP_S * times
    body[:] = np.stack([0 * z, pelvis_m + 0.01 * np.sin(2 * np.pi * times / STEP_S), z], axis=-1)[:, None]
    for joint, name in enumerate(skeleton.joints):
        height = {"spine": 0.25, "thorax": 0.5, "nose": 0.6, "head": 0.7, "shoulder": 0.45, "elbow": 0.2, "wrist": 0.0}
        part = name.split("_", 1)[-1]
        body[:, joint, 1] += height.get(part, 0.0)
        body[:, joint, 0] += {"left": 0.15, "right": -0.15}.get(name.split("_")[0], 0.0)
    for n, side in enumerate(SIDES):
        phase = times / STEP_S + n  # a step each, then the other stands
        standing = np.floor(phase / 2) * 2 - n
        swing = np.clip(phase % 2 - 1.2, 0, 0.8) / 0.8
        ease = swing * swing * (3 - 2 * swing)
        foot_z = (standing + 0.6 + 2 * ease) * STEP_M
        foot = np.stack([0 * z + (0.1 - 0.2 * n), 0.08 + 0.3 * swing * (1 - swing), foot_z], axis=-1)
        hip = body[:, 0] + [0.1 - 0.2 * n, 0, 0]
        line = foot - hip
        far = np.linalg.norm(line, axis=-1, keepdims=True)
        across = np.cross(line, [1.0, 0, 0])
        across = across * np.sign(across[:, 2:]) / np.linalg.norm(across, axis=-1, keepdims=True)
        knee = hip + line / 2 + across * np.sqrt(0.46**2 - (far / 2) ** 2)
        places = {"hip": hip, "knee": knee, "ankle": foot}
        below = {"toe_base": (0, -0.06, 0.13), "toe_end": (0, -0.06, 0.2), "heel": (0, -0.06, -0.05)}
        places |= {part: foot + np.array(place) for part, place in below.items()}
        for part, place in places.items():
            if f"{side}_{part}" in skeleton.joints:
                body[:, skeleton.index(f"{side}_{part}")] = place
        for part in ("ankle", "toe_base"):
            if f"{side}_{part}" in skeleton.joints:
                contact[:, skeleton.index(f"{side}_{part}")] = swing == 0
    return body, contact


def slid(body: np.ndarray, noise_m: float = 0.0, fps: float = FPS) -> np.ndarray:
    """The walk as a camera along z makes it: the depth wanders, and joints tremble."""
    times = np.arange(len(body)) / fps
    path = np.stack([0.01 * np.sin(3 * times), 0 * times, 0.12 * np.sin(2 * times + 1)], axis=-1)
    random = np.random.default_rng(0)
    path = path + noise_m * random.normal(size=path.shape)
    soft = np.apply_along_axis(np.convolve, 0, random.normal(size=body.shape), [0.5, 1, 0.5], "same")  # a smoothed pose
    return body + path[:, None] + noise_m * soft


def sequence(body: np.ndarray, contact: np.ndarray, **changes: object) -> SkeletonSequence:
    given = {"fps": FPS, "unit": "m", "space": "world", "up": "y", "contact": contact}
    skeleton = changes.pop("skeleton", BODY)
    return SkeletonSequence(body, skeleton, **{**given, **changes})  # type: ignore[arg-type]


def slides(found: SkeletonSequence, joint: int, person: int = 0) -> float:
    """Metres that a joint goes in the stretches in which it is on the ground, at most."""
    assert found.contact is not None
    path = found.positions[person, :, joint]
    return max(float(np.ptp(path[a:b], axis=0).max()) for a, b in runs(found.contact[person, :, joint]))


def lengths(found: SkeletonSequence) -> np.ndarray:
    return np.stack(
        [
            np.linalg.norm(found.positions[..., c, :] - found.positions[..., p, :], axis=-1)
            for p, c in found.skeleton.bones
        ]
    )


@pytest.mark.parametrize("heights", [False, True])
@pytest.mark.parametrize("fps", [25.0, 60.0])
@pytest.mark.parametrize(("pelvis_m", "exact_m"), [(0.82, 1e-9), (0.88, 0.01)])
def test_feet_stay_and_the_path_comes_back(fps: float, heights: bool, pelvis_m: float, exact_m: float) -> None:
    truth, contact = walk(fps=fps, pelvis_m=pelvis_m)
    given = sequence(slid(truth, fps=fps), contact, fps=fps)
    level = np.where([("ankle" in name) for name in BODY.joints], 0.1, 0.0)
    found = plant_feet(given, heights=level if heights else None)
    for side in SIDES:
        ankle = BODY.index(f"{side}_ankle")
        assert slides(given, ankle) > 0.1
        assert slides(found, ankle) < exact_m
        if heights:
            on = contact[:, ankle]
            np.testing.assert_allclose(found.positions[0, on, ankle, 1], 0.1, atol=exact_m)
    off = [
        np.linalg.norm((p - truth) - (p - truth).mean(axis=(0, 1)), axis=-1)
        for p in (given.positions[0], found.positions[0])
    ]
    assert off[1][:, 0].mean() < 0.85 * off[0][:, 0].mean()
    np.testing.assert_allclose(lengths(found), lengths(given), atol=1e-9)
    assert any(note.startswith("feet planted: ") for note in found.notes)


def test_no_foot_is_pushed_into_the_ground() -> None:
    """Who seems to hover is put on the ground, and a foot that nobody found there comes to stand on it, not in it."""
    truth, contact = walk()
    ankles = [BODY.index(f"{side}_ankle") for side in SIDES]
    contact[60:, ankles[0]] = False
    found = plant_feet(sequence(slid(truth), contact), heights=np.full(17, 0.05))
    heights = found.positions[0][:, ankles, 1]
    np.testing.assert_allclose(heights[contact[:, ankles]], 0.05, atol=1e-9)
    assert heights.min() > 0.05 - 1e-9
    assert heights[60:, 0].min() < 0.06


def test_nothing_jumps() -> None:
    """With trembling joints too, which a foot that is held would hand on to its knee."""
    truth, contact = walk()
    given = sequence(slid(truth, 0.004), contact)
    found = plant_feet(given)
    speed, steps = (
        [np.linalg.norm(np.diff(p, n=n, axis=1), axis=-1) for p in (given.positions, found.positions)] for n in (1, 2)
    )
    assert speed[1].max() < 1.15 * speed[0].max()
    assert steps[1].max() < 1.4 * steps[0].max()
    assert steps[1].mean() < steps[0].mean()
    np.testing.assert_allclose(lengths(found), lengths(given), atol=1e-9)


def test_poses_change_near_contact_alone_and_other_people_not_at_all() -> None:
    truth, contact = walk()
    late = contact & (np.arange(len(truth)) > 80)[:, None]
    many = np.stack([slid(truth) + np.array([x, 0, 0]) for x in (0.0, 1.0, -1.0)])
    given = sequence(many, np.stack([contact, np.zeros_like(contact), late]))
    found = plant_feet(given)
    np.testing.assert_array_equal(found.positions[1], given.positions[1])
    relative = [p.positions - p.positions[:, :, :1] for p in (given, found)]
    free = np.arange(len(truth)) < np.flatnonzero(late.any(axis=1))[0] - 0.15 * FPS - 1
    np.testing.assert_allclose(relative[1][2, free], relative[0][2, free], atol=1e-12)
    assert np.abs(relative[1][2, ~free] - relative[0][2, ~free]).max() > 0.005
    legs = [BODY.index(f"{side}_{part}") for side in SIDES for part in ("knee", "ankle")]
    rest = [j for j in range(17) if j not in legs]
    np.testing.assert_allclose(relative[1][:, :, rest], relative[0][:, :, rest], atol=1e-12)
    for person in (0, 2):
        for side in SIDES:
            assert slides(found, BODY.index(f"{side}_ankle"), person) < 1e-9


def test_knees_bend_to_the_side_to_which_they_bent() -> None:
    truth, contact = walk()
    given = sequence(slid(truth, 0.004), contact)
    found = plant_feet(given)
    for side in SIDES:
        joints = [BODY.index(f"{side}_{part}") for part in ("hip", "knee", "ankle")]
        bends = []
        for which in (given, found):
            hip, knee, ankle = (which.positions[0, :, j] for j in joints)
            line = (ankle - hip) / np.linalg.norm(ankle - hip, axis=-1, keepdims=True)
            bend = knee - hip - ((knee - hip) * line).sum(axis=-1, keepdims=True) * line
            bends.append(bend / np.linalg.norm(bend, axis=-1, keepdims=True))
        assert (bends[0] * bends[1]).sum(axis=-1).min() > np.cos(np.radians(25))


def test_a_place_out_of_reach_is_approached() -> None:
    """Somebody who glides by 6 m, with one foot said to stand all the time."""
    truth, contact = walk(seconds=8.0)
    body = np.repeat(truth[:1], len(truth), axis=0) + np.linspace(0, 6, len(truth))[:, None, None] * [0, 0, 1.0]
    ankle = BODY.index("left_ankle")
    contact[:] = np.arange(17) == ankle
    given = sequence(body, contact)
    found = plant_feet(given)
    np.testing.assert_allclose(lengths(found), lengths(given), atol=1e-9)
    reach = np.linalg.norm(found.positions[0, :, ankle] - found.positions[0, :, BODY.index("left_hip")], axis=-1)
    assert 0.88 < reach.max() < 0.92
    assert slides(found, ankle) < 0.3 * slides(given, ankle)
    said = [note for note in found.notes if note.startswith("feet planted: in ")]
    assert len(said) == 1
    assert "which the leg does not reach" in said[0]


def test_notes_count_a_frame_once_however_many_joints_stand_in_it() -> None:
    """Of two people who stand all the time, on ankles and toes: two seconds, not sixteen."""
    truth, contact = walk(FEET, seconds=2.0)
    contact[:] = [any(part in joint for part in ("ankle", "toe_base")) for joint in FEET.joints]
    body = np.repeat(truth[:1], len(truth), axis=0)
    found = plant_feet(
        SkeletonSequence(
            np.stack([body, body + np.array([1.0, 0, 0])]), FEET, fps=FPS, up="y", contact=np.stack([contact, contact])
        )
    )
    assert any("8 stretches on the ground, 2.0 s in all" in note for note in found.notes)
    glides = body + np.linspace(0, 6, len(truth))[:, None, None] * [0, 0, 1.0]
    found = plant_feet(sequence(glides, contact, skeleton=FEET))
    told = next(note for note in found.notes if note.startswith("feet planted: in "))
    missed, frames = (int(word) for word in told.split() if word.isdigit())
    assert missed <= frames <= len(truth)


def test_a_foot_that_goes_on_with_the_body_is_not_held() -> None:
    """From the front a swinging foot keeps its place in the image, and is taken for one that stands."""
    truth, contact = walk()
    ankles = [BODY.index(f"{side}_ankle") for side in SIDES]
    given = sequence(slid(truth), np.isin(np.arange(17), ankles) & np.ones_like(contact))
    found = plant_feet(given)
    assert found.contact is not None
    swung, stood = ~contact[:, ankles], contact[:, ankles]
    assert found.contact[0][:, ankles][stood].mean() > 0.95
    assert found.contact[0][:, ankles][swung].mean() < 0.4  # when it lifts off and sets down it is slow
    assert np.abs(found.positions[0] - given.positions[0]).max() < 0.3
    (said,) = [note for note in found.notes if "goes on with the body" in note]
    frames = int((given.contact & ~found.contact).any(axis=(0, 2)).sum())
    assert f"contact left out in {frames} of {len(truth)} frames with it" in said


def test_toes_stand_too_and_take_the_ankle_along() -> None:
    truth, contact = walk(FEET)
    given = sequence(slid(truth), contact, skeleton=FEET)
    both = plant_feet(given)
    toes_alone = contact & np.array(["toe" in name for name in FEET.joints])
    by_toes = plant_feet(given.replace(contact=toes_alone[None]))
    for side in SIDES:
        toe, end, ankle = (FEET.index(f"{side}_{part}") for part in ("toe_base", "toe_end", "ankle"))
        for found in (both, by_toes):
            assert slides(found, toe) < 1e-9
            np.testing.assert_allclose(lengths(found), lengths(given), atol=1e-9)
        # the foot goes as one piece: what hangs on it keeps its direction
        for child in (toe, end, FEET.index(f"{side}_heel")):
            old, new = (s.positions[0, :, child] - s.positions[0, :, ankle] for s in (given, by_toes))
            np.testing.assert_allclose(new, old, atol=1e-9)


def test_missing_joints_and_absent_people_stay_missing() -> None:
    truth, contact = walk()
    body = slid(truth)
    body[30:40, BODY.index("left_knee")] = np.nan
    body[50:55, BODY.root] = np.nan
    body[70:80] = np.nan
    given = sequence(body, contact)
    found = plant_feet(given)
    np.testing.assert_array_equal(np.isnan(found.positions), np.isnan(given.positions))
    right = BODY.index("right_ankle")
    assert slides(found, right) < 1e-9 or np.isnan(body[:, right]).any()
    steps = np.linalg.norm(np.diff(found.positions[0], axis=0), axis=-1)
    assert np.nanmax(steps[:, [0, right]]) < 1.15 * np.nanmax(np.linalg.norm(np.diff(body, axis=0), axis=-1))


@pytest.mark.parametrize(("space", "up"), [("camera", None), ("world", "z")])
def test_axes_do_not_matter(space: str, up: str | None) -> None:
    truth, contact = walk()
    plain = plant_feet(sequence(slid(truth), contact), heights=np.full(17, 0.09)).positions
    turn = np.diag([1.0, -1, -1]) if space == "camera" else np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turned = sequence(slid(truth) @ turn.T, contact, space=space, up=up)
    np.testing.assert_allclose(plant_feet(turned, heights=np.full(17, 0.09)).positions, plain @ turn.T, atol=1e-9)


def test_a_foot_that_stands_already_stays() -> None:
    truth, contact = walk()
    found = plant_feet(sequence(truth, contact))
    for side in SIDES:
        assert slides(found, BODY.index(f"{side}_ankle")) < 1e-3
    assert np.abs(found.positions[0] - truth).max() < 0.01


def test_what_cannot_be_planted_is_said() -> None:
    truth, contact = walk(seconds=1.0)
    idle = plant_feet(sequence(truth, np.zeros_like(contact)))
    assert idle.notes[-1] == NOT_PLANTED + "no foot is found on the ground"
    np.testing.assert_array_equal(idle.positions[0], truth)
    hand = Skeleton(name="hand", joints=("wrist", "thumb"), parents=(-1, 0))
    waving = sequence(np.zeros((9, 2, 3)), np.ones((9, 2), dtype=bool), skeleton=hand)
    assert plant_feet(waving).notes[-1].startswith(NOT_PLANTED + "hand has no leg")
    for wrong, message in (
        (sequence(truth, contact).replace(contact=None), "does not say which feet are on the ground"),
        (
            sequence(truth[..., :2], contact, space="image", up=None, unit="px"),
            "found 2D in px; feet are planted in 3D",
        ),
    ):
        with pytest.raises(DataError, match=message):
            plant_feet(wrong)
    with pytest.raises(DataError, match=r"heights of shape \(3,\); expected finite numbers, \(1, 17\) or \(17,\)"):
        plant_feet(sequence(truth, contact), heights=[0.1, 0.1, 0.1])
