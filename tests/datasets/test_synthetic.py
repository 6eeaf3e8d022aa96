"""Synthetic motion: it is reproducible, it is anthropometric, and it moves as a body can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kinegraph.datasets import synthetic
from kinegraph.datasets.synthetic import ACTIONS, Body, SyntheticLifting, SyntheticMotion
from kinegraph.datasets.synthetic.body import FRACTIONS, JOINT_INSET, sample_subject
from kinegraph.datasets.synthetic.channels import SIDES, Motion, channel_names
from kinegraph.datasets.synthetic.generator import generate, generate_points
from kinegraph.datasets.synthetic.rig import CONTACT_RADII, pose, two_bones
from kinegraph.datasets.synthetic.stage import Stage
from kinegraph.errors import ConfigError
from kinegraph.skeleton import get_skeleton

SKELETON = get_skeleton("h36m17")
FPS = 50.0
actions = pytest.mark.parametrize("action", sorted(ACTIONS))
# Nothing at all is meant to slide in these: whatever is on the floor stays where it is.
PLANTED = (
    "standing",
    "waving",
    "clapping",
    "punching",
    "reaching",
    "squatting",
    "sitting_down",
    "sitting",
    "picking_up",
)


@pytest.fixture(scope="module")
def clips():
    """Action -> named points of two people, one leading with each hand, and their bodies."""
    found = {}
    for action in ACTIONS:
        people = [sample_subject(index, np.random.default_rng([3, index])) for index in (0, 1)]
        found[action] = [
            (person, generate_points(person, action, np.random.default_rng([5, index]), 240, FPS))
            for index, person in enumerate(people)
        ]
    return found


def flexion(a, b, c):
    """Angle by which a limb is bent at b, degrees: 0 is straight."""
    u, v = b - a, c - b
    cosine = np.sum(u * v, -1) / np.linalg.norm(u, axis=-1) / np.linalg.norm(v, axis=-1)
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


# ---- reproducibility ------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_whatever_else_is_made():
    config = SyntheticMotion(subjects=3, takes=2, seconds=1.0, seed=11, actions=("walking", "waving", "lying_down"))
    all_of_them = {clip.source: clip.positions.tobytes() for clip in config}
    assert len(all_of_them) == len(config) == 18
    alone = replace(config, subjects=9, actions=("lying_down",)).clip(2, "lying_down", 1)
    assert alone.positions.tobytes() == all_of_them[alone.source]
    assert len(set(all_of_them.values())) == 18  # every subject, action and take is another motion


def test_a_seed_subject_or_take_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="seed is -1; give a whole number from 0 to 2147483647"):
        SyntheticMotion(seed=-1)
    for subject, take, what in ((-1, 0, "subject -1"), (0, -2, "take -2")):
        with pytest.raises(ConfigError, match=f"{what}; give 0 or more"):
            SyntheticMotion(seconds=0.5).clip(subject, "walking", take)


def test_another_seed_is_other_people_and_other_motion():
    first, second = SyntheticMotion(seed=0), SyntheticMotion(seed=1)
    assert first.subject(0).body != second.subject(0).body
    a, b = (replace(c, seconds=1.0).clip(0, "walking", 0).positions for c in (first, second))
    assert not np.allclose(a, b)


@actions
def test_a_clip_is_a_complete_world_sequence(action):
    clip = SyntheticMotion(seconds=0.5, fps=60.0).clip(0, action, 0)
    assert clip.positions.shape == (1, 30, 17, 3)
    assert (clip.fps, clip.unit, clip.space, clip.up, clip.label) == (60.0, "m", "world", "z", action)
    assert clip.skeleton.joints == SKELETON.joints
    assert np.isfinite(clip.positions).all()
    assert (clip.confidence == 1).all()


@pytest.mark.parametrize("seconds", [0.02, 0.04, 0.1])
def test_clips_of_a_few_frames_work(seconds):
    for action in ACTIONS:
        assert np.isfinite(SyntheticMotion(seconds=seconds).clip(0, action, 0).positions).all()


def test_the_frame_rate_only_samples_the_motion():
    # The random numbers a clip consumes do not depend on the rate: 100 fps is the 50 fps clip with frames between.
    slow, fast = (SyntheticMotion(seconds=3.0, fps=f).clip(0, "squatting", 0).positions[0] for f in (50.0, 100.0))
    assert np.abs(fast[::2][: len(slow)] - slow[: len(fast[::2])]).max() < 0.03


# ---- bodies ---------------------------------------------------------------------------------------------------------


def test_average_body_has_the_cited_fractions():
    lengths = Body(stature=2.0).lengths()
    cited = {"ankle_height": 0.039, "shank": 0.246, "thigh": 0.245, "trunk": 0.288, "neck": 0.052, "head": 0.130,
             "upper_arm": 0.186, "forearm": 0.146, "hand": 0.108, "foot": 0.152}  # fmt: skip
    for name, fraction in cited.items():
        assert lengths[name] == pytest.approx(2.0 * fraction), name
    assert lengths["shoulder_width"] == pytest.approx(2.0 * 0.259 * 0.72)
    assert lengths["hip_width"] == pytest.approx(2.0 * 0.191 * 0.72)
    assert JOINT_INSET == 0.14
    assert set(lengths) == set(FRACTIONS)


def test_people_differ_and_stand_as_tall_as_they_are():
    people = [sample_subject(index, np.random.default_rng([0, index])) for index in range(60)]
    statures = np.array([p.body.stature for p in people])
    assert 1.45 <= statures.min() < 1.6 < 1.75 < statures.max() <= 2.0
    assert {p.handedness for p in people} == {"left", "right"}
    assert 0.25 < np.mean([p.handedness == "left" for p in people]) < 0.4
    for person in people:
        lengths = person.body.lengths()
        column = sum(lengths[k] for k in ("ankle_height", "shank", "thigh", "trunk", "neck", "head"))
        assert column == pytest.approx(person.body.stature)
        for name, fraction in FRACTIONS.items():
            assert lengths[name] == pytest.approx(person.body.stature * fraction, rel=0.2)


@actions
def test_bones_keep_the_lengths_of_the_body(clips, action):
    for person, points in clips[action]:
        expected = person.body.lengths()
        bones = {("pelvis", "spine"): expected["trunk"] / 2, ("spine", "thorax"): expected["trunk"] / 2,
                 ("thorax", "nose"): expected["neck"], ("nose", "head"): expected["head"]}  # fmt: skip
        for side in SIDES:
            bones |= {("pelvis", f"{side}_hip"): expected["hip_width"] / 2,
                      (f"{side}_hip", f"{side}_knee"): expected["thigh"],
                      (f"{side}_knee", f"{side}_ankle"): expected["shank"],
                      ("thorax", f"{side}_shoulder"): expected["shoulder_width"] / 2,
                      (f"{side}_shoulder", f"{side}_elbow"): expected["upper_arm"],
                      (f"{side}_elbow", f"{side}_wrist"): expected["forearm"],
                      (f"{side}_wrist", f"{side}_hand"): expected["hand"]}  # fmt: skip
        for (start, end), length in bones.items():
            measured = np.linalg.norm(points[end] - points[start], axis=-1)
            np.testing.assert_allclose(measured, length, rtol=1e-4, err_msg=f"{start}-{end}")


# ---- motion ---------------------------------------------------------------------------------------------------------


@actions
def test_nothing_is_below_the_floor_and_something_is_near_it(clips, action):
    for person, points in clips[action]:
        radii = person.body.stature / 1.75 * np.array(list(CONTACT_RADII.values()))
        gap = np.stack([points[name][:, 2] for name in CONTACT_RADII]) - radii[:, None]
        assert gap.min() > -1e-6
        if action not in ("jumping", "running", "cartwheel"):
            assert np.percentile(gap.min(axis=0), 95) < 0.04


@actions
def test_knees_and_elbows_bend_one_way_only(clips, action):
    for _, points in clips[action]:
        right = points["right_hip"] - points["left_hip"]
        right /= np.linalg.norm(right, axis=-1, keepdims=True)
        for side in SIDES:
            hip, knee, ankle = (points[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
            assert flexion(hip, knee, ankle).min() > 1
            assert flexion(hip, knee, ankle).max() < 158
            elbow = flexion(*(points[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")))
            assert elbow.min() > 1
            assert elbow.max() < 158
            if action in ("walking", "running", "squatting", "sitting_down", "jumping", "picking_up"):
                # The knee is on the toes' side of the line from hip to ankle.
                along = ankle - hip
                front = points[f"{side}_toe"] - points[f"{side}_heel"]
                bulge = knee - (hip + ankle) / 2
                bulge -= along * (np.sum(bulge * along, -1) / np.sum(along * along, -1))[:, None]
                bent = flexion(hip, knee, ankle) > 15
                assert (np.sum(bulge * front, -1)[bent] > 0).all()


@pytest.mark.parametrize("action", PLANTED)
def test_planted_feet_do_not_slide(clips, action):
    for _, points in clips[action]:
        speeds = []
        for side in SIDES:
            toe, heel = points[f"{side}_toe"], points[f"{side}_heel"]
            low = (np.maximum(toe[:, 2], heel[:, 2]) < 0.01)[1:]
            speeds += [(np.linalg.norm(np.diff(toe[:, :2], axis=0), axis=-1) * FPS)[low]] if low.any() else []
        assert speeds  # one foot may be on its toes or off the floor throughout, not both
        assert all(np.percentile(speed, 95) < 0.03 for speed in speeds)


@pytest.mark.parametrize("action", ["walking", "running"])
def test_stance_feet_stay_put_and_the_body_moves_on(clips, action):
    for person, points in clips[action]:
        pelvis = np.linalg.norm(np.diff(points["pelvis"][:, :2], axis=0), axis=-1) * FPS
        assert (0.5 if action == "walking" else 1.2) < pelvis.mean() < 3.5
        ball = {}
        for side in SIDES:
            # The ball of the foot, between toe and heel as the rig has them.
            toe, heel = points[f"{side}_toe"], points[f"{side}_heel"]
            flat = np.maximum(toe[:, 2], heel[:, 2]) < 0.008
            speed = np.linalg.norm(np.diff(toe[:, :2], axis=0), axis=-1) * FPS
            still = speed[flat[1:] & flat[:-1]]
            assert len(still) > 10
            assert np.median(still) < 0.05
            ball[side] = flat
        both = (ball["left"] & ball["right"]).mean()
        assert both < 0.3
        assert person.body.stature * 0.42 < points["pelvis"][:, 2].min()


def test_arms_swing_opposite_to_legs_in_walking(clips):
    for _, points in clips["walking"]:
        right = points["right_hip"] - points["left_hip"]
        front = np.stack([-right[:, 1], right[:, 0]], -1)
        front /= np.linalg.norm(front, axis=-1, keepdims=True)

        def ahead(name, points=points, front=front):
            return np.sum((points[name] - points["pelvis"])[:, :2] * front, -1)

        for side, other in (("right", "left"), ("left", "right")):
            wrist, same, opposite = ahead(f"{side}_wrist"), ahead(f"{side}_ankle"), ahead(f"{other}_ankle")
            assert np.corrcoef(wrist, same)[0, 1] < -0.5
            assert np.corrcoef(wrist, opposite)[0, 1] > 0.5


@actions
def test_motion_is_smooth(clips, action):
    # 30 g is more than the fastest throw's elbow; a jump between frames would be hundreds.
    for _, points in clips[action]:
        for name in SKELETON.joints:
            acceleration = np.linalg.norm(np.diff(points[name], 2, axis=0), axis=-1) * FPS**2
            assert acceleration.max() < 300, name


def test_actions_are_what_they_are_called(clips):
    for person, points in clips["handstand"]:
        upside_down = points["pelvis"][:, 2] > points["head"][:, 2] + 0.2 * person.body.stature
        assert upside_down.mean() > 0.1
    for person, points in clips["lying_down"]:
        assert points["head"][:, 2].min() < 0.25
        assert points["head"][:, 2].max() > 0.9 * person.body.stature
    for _, points in clips["jumping"]:
        assert min(points[f"{s}_heel"][:, 2].max() for s in SIDES) > 0.12
    for _, points in clips["crawling"]:
        assert points["head"][:, 2].max() < 1.0
    for person, points in clips["standing"]:
        assert points["head"][:, 2].min() > 0.93 * person.body.stature
    for _, points in clips["sitting"]:
        assert (points["pelvis"][:, 2] < 0.7).all()


# ---- handedness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["throwing", "waving", "walking", "kicking", "standing"])
def test_a_left_hander_is_the_mirror_image(action):
    person = sample_subject(0, np.random.default_rng(0))
    right, left = (
        generate(replace(person, handedness=hand), action, np.random.default_rng(2), 60, FPS)
        for hand in ("right", "left")
    )
    mirrored = right[:, list(SKELETON.mirror)]
    # Equal up to a turn about the vertical: mirror the sideways axis, then compare all distances and heights.
    np.testing.assert_allclose(left[..., 2], mirrored[..., 2], atol=1e-9)

    def distances(p):
        return np.linalg.norm(p[:, :, None] - p[:, None, :], axis=-1)

    np.testing.assert_allclose(distances(left), distances(mirrored), atol=1e-9)

    # A turn alone does not do it: the handedness of three directions is opposite.
    def volume(p):
        a, b, c = (p[:, SKELETON.index(j)] - p[:, 0] for j in ("right_shoulder", "right_knee", "head"))
        return np.sum(np.cross(a, b) * c, -1)

    np.testing.assert_allclose(volume(left), -volume(right[:, list(SKELETON.mirror)]), atol=1e-9)


def test_the_leading_hand_leads():
    # Over many takes the hand that rises in waving is mostly, and not always, the leading one.
    counts = {}
    for hand in ("right", "left"):
        person = replace(sample_subject(0, np.random.default_rng(0)), handedness=hand)
        used = 0
        for take in range(30):
            p = generate(person, "waving", np.random.default_rng([1, take]), 200, 25.0)
            heights = {s: p[:, SKELETON.index(f"{s}_wrist"), 2].max() for s in SIDES}
            used += max(heights, key=heights.get) == hand
        counts[hand] = used
    assert counts["right"] == counts["left"]
    assert 22 <= counts["right"] < 30


# ---- rig ------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1))
@example(3115543)  # nearer than a limb of two bones alike folds
@settings(max_examples=50, deadline=None)
def test_two_bones_keep_lengths_and_reach_what_is_in_reach(seed):
    rng = np.random.default_rng(seed)
    start, target, hinge = rng.normal(size=(3, 1, 3))
    first, second = rng.uniform(0.2, 0.5, 2)
    middle, end = two_bones(start, target, hinge, first, second, FPS, knee=bool(rng.integers(2)))
    assert np.linalg.norm(middle - start) == pytest.approx(first, abs=1e-9)
    assert np.linalg.norm(end - middle) == pytest.approx(second, abs=1e-9)
    distance = np.linalg.norm(target - start)
    nearest = np.sqrt(first**2 + second**2 + 2 * first * second * np.cos(np.deg2rad(155)))  # folded to the limit
    if nearest < distance < 0.97 * (first + second):
        assert np.linalg.norm(end - target) < 2e-3
    np.testing.assert_allclose(np.cross(end - start, target - start), 0, atol=1e-9)  # always in the target's direction


def test_angles_are_kept_within_their_range_of_motion():
    motion = Motion(3, FPS)
    motion.angles["right_elbow"][:] = np.deg2rad([-40, 60, 300])
    np.testing.assert_allclose(np.rad2deg(motion.limited("right_elbow")), [2, 60, 150])


def test_a_body_at_rest_stands_on_straight_legs_with_arms_down():
    person = sample_subject(0, np.random.default_rng(0))
    stage = Stage(person, np.random.default_rng(0), 5, FPS)
    points = pose(person.body, stage.motion)
    assert points["head"][0, 2] > 0.97 * person.body.stature
    for side, out in zip(SIDES, (1, -1), strict=True):
        assert flexion(*(points[f"{side}_{n}"][0] for n in ("hip", "knee", "ankle"))) < 15
        assert points[f"{side}_wrist"][0, 2] < points["spine"][0, 2]
        assert out * points[f"{side}_hip"][0, 0] > 0
        assert points[f"{side}_toe"][0, 1] > points[f"{side}_heel"][0, 1]


def test_every_channel_moves_something():
    person = sample_subject(0, np.random.default_rng(0))
    for name in channel_names():
        moved = []
        for degrees in (5.0, 20.0):
            stage = Stage(person, np.random.default_rng(0), 2, FPS)
            stage.on_the_floor()
            stage.motion.angles[name] += np.deg2rad(degrees)
            moved.append(np.stack(list(pose(person.body, stage.motion).values())))
        assert np.abs(moved[0] - moved[1]).max() > 1e-3, name


# ---- benchmark ------------------------------------------------------------------------------------------------------


def test_lifting_splits_hold_out_people():
    motion = SyntheticMotion(subjects=4, takes=1, seconds=0.4, actions=("walking", "squatting"))
    config = SyntheticLifting(motion=motion, validation=1, test=1)
    splits = {name: synthetic.synthetic_lifting(name, config) for name in ("train", "val", "test")}
    people = [set(data.subject_names) for data in splits.values()]
    assert [len(p) for p in people] == [2, 1, 1]
    assert not people[0] & people[1]
    assert not people[0] & people[2]
    assert not people[1] & people[2]
    for data in splits.values():
        assert len(data) == len(data.subject_names) * 2 * 20 * 4  # actions, frames, cameras
        assert data.action_names == ("walking", "squatting")
        assert (data.camera_m[..., 2] > 1.5).all()
    again = synthetic.synthetic_lifting("test", config)
    assert again.fingerprint == splits["test"].fingerprint
    other = replace(config, motion=replace(motion, seed=1))
    assert synthetic.synthetic_lifting("test", other).fingerprint != again.fingerprint


def test_the_benchmark_stays_what_it_is():
    # Results are quoted for these numbers: a change to the generator that moves them is a new benchmark.
    config = SyntheticLifting()
    assert [list(config.subjects(s)) for s in ("train", "val", "test")] == [[0, 1, 2, 3, 4, 5], [6], [7, 8]]
    assert {config.motion.subject(i).handedness for i in config.subjects("test")} == {"left", "right"}
    assert config.motion.frames == 300


def test_bad_settings_are_refused():
    for bad, message in [
        ({"subjects": 0}, "subjects"),
        ({"seconds": 0.0}, "frame"),
        ({"fps": 0.0}, "frame"),
        ({"actions": ("walkin",)}, "did you mean 'walking'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            SyntheticMotion(**bad)
    with pytest.raises(ConfigError, match="did you mean 'running'"):
        SyntheticMotion().clip(0, "runing", 0)
    with pytest.raises(ConfigError, match="left to train on"):
        SyntheticLifting(motion=SyntheticMotion(subjects=3), validation=1, test=2)
    with pytest.raises(ConfigError, match="no split 'tests'"):
        synthetic.synthetic_lifting("tests")
