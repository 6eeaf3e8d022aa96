"""What is remembered of one person, against loops that keep everything and filters written out."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.inference.live.person import PersonState
from kinegraph.inference.placement import FURTHEST_M, NEAREST_M, bone_lengths
from kinegraph.skeleton import get_skeleton

BODY = get_skeleton("h36m17")


def state(fps: float = 30.0) -> PersonState:
    return PersonState(BODY, fps)


def poses(count: int, dims: int = 3, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(1, 17, dims)) + 0.05 * rng.normal(size=(count, 17, dims)).cumsum(axis=0)


def test_a_lost_joint_keeps_its_last_offset_from_its_neighbour() -> None:
    person, points = state(), 100 * poses(2, 2)
    everyone = np.ones(17, dtype=bool)
    np.testing.assert_array_equal(person.complete(points[0], everyone), points[0])
    elbow, wrist, shoulder = (BODY.index(f"left_{name}") for name in ("elbow", "wrist", "shoulder"))
    lost = everyone.copy()
    lost[[elbow, wrist]] = False
    found = person.complete(np.where(lost[:, None], points[1], np.nan), lost)
    expected = points[1].copy()
    expected[elbow] = points[1, shoulder] + points[0, elbow] - points[0, shoulder]
    expected[wrist] = expected[elbow] + points[0, wrist] - points[0, elbow]
    np.testing.assert_allclose(found, expected)
    person, upwards = state(), everyone.copy()  # from a child, where the parent is lost
    upwards[BODY.root] = False
    person.complete(points[0], everyone)
    found = person.complete(np.where(upwards[:, None], points[1], np.nan), upwards)
    held = [points[1, child] - (points[0, child] - points[0, BODY.root]) for p, child in BODY.bones if p == BODY.root]
    assert any(np.allclose(found[BODY.root], place) for place in held)


def test_what_was_never_seen_is_continued_by_half_a_bone_and_nobody_is_zero() -> None:
    person, points = state(), 100 * poses(1, 2)[0]
    wrist, elbow, shoulder = (BODY.index(f"right_{name}") for name in ("wrist", "elbow", "shoulder"))
    seen = np.ones(17, dtype=bool)
    seen[wrist] = False
    found = person.complete(points, seen)
    np.testing.assert_allclose(found[wrist], points[elbow] + 0.5 * (points[elbow] - points[shoulder]))
    assert not state().complete(points, np.zeros(17, dtype=bool)).any()


def test_the_view_follows_the_root_as_a_filter_of_first_order() -> None:
    person, points = state(), 100 * poses(12, 2) + 500
    seen = np.ones(17, dtype=bool)
    times = np.cumsum([0.0, *([1 / 30] * 5), 0.2, *([1 / 30] * 5)])
    expected = points[0, BODY.root]
    for index, (time, pose) in enumerate(zip(times, points, strict=True)):
        if index:
            share = 1 - np.exp(-(time - times[index - 1]) / 0.1)
            expected = (1 - share) * expected + share * pose[BODY.root]
        centre, scale = person.follow(time, pose, seen)
        person.time = time
        np.testing.assert_allclose(centre, expected)
        assert np.isfinite(scale)
        assert scale > 0
    assert state().follow(0.0, points[0], np.zeros(17, dtype=bool))[1] == 1.0  # nothing tells a size


def test_smoothing_is_the_one_euro_filter_at_the_pace_of_the_frames() -> None:
    """Casiez et al. (2012), Algorithm 1, for each number, with the rates of this class."""
    person, values = state(fps=25.0), poses(8)
    times = np.cumsum([0.0, 0.04, 0.04, 0.1, 0.02, 0.04, 0.04, 0.04])
    before = speed = None
    for time, pose in zip(times, values, strict=True):
        found = person.smooth(time, pose)
        if before is None:
            expected, speed = pose, np.zeros_like(pose)
        else:
            step = time - person.time
            raw = (pose - before) / step
            slow = 2 * np.pi * 1.0 * step
            speed = speed + slow / (slow + 1) * (raw - speed)
            rate = 2 * np.pi * (1.5 + 3.0 * np.abs(speed)) * step
            expected = before + rate / (rate + 1) * (pose - before)
        np.testing.assert_allclose(found, expected)
        before, person.time = expected, time


def test_limbs_are_those_of_all_poses_that_were_looked_at() -> None:
    person, rng = state(), np.random.default_rng(1)
    seen, trust = poses(60), rng.uniform(0.2, 1, (60, 17))
    for count in range(1, 61):
        found = person.limbs(seen[count - 1], trust[count - 1])
        if count <= 10 or count == 45:
            looked = count
        np.testing.assert_allclose(found, bone_lengths(seen[:looked], trust[:looked], BODY))


def test_the_depth_follows_slowly_and_stays_where_people_can_stand() -> None:
    rng = np.random.default_rng(2)
    pose, weights = rng.normal(0, 0.3, (17, 3)), np.ones(17)
    pose -= pose[BODY.root]

    def rays(depth: float) -> np.ndarray:
        there = pose + np.array([0.3, 0.1, depth])
        return there[:, :2] / there[:, 2:]

    person = state()
    place = person.place(0.0, pose, rays(4.0), weights)
    np.testing.assert_allclose(place, [0.3, 0.1, 4.0], atol=1e-6)
    depths = [4.0]
    for index in range(1, 60):
        person.time = (index - 1) / 30
        depths.append(6.0)
        found = person.place(index / 30, pose, rays(6.0), weights)[2]
        counts = [np.exp(-(index - then) / 30 / 0.4) for then in range(index + 1)]  # the older, the less
        inverse = sum(count / depth for count, depth in zip(counts, depths, strict=True)) / sum(counts)
        assert found == pytest.approx(1 / inverse)
    assert state().place(0.0, pose, rays(3 * FURTHEST_M), weights)[2] <= FURTHEST_M + 1e-9
    nobody = state().place(0.0, pose, rays(4.0), np.zeros(17))
    assert NEAREST_M <= nobody[2] <= FURTHEST_M
