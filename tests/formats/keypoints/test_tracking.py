"""The tracker against a brute force search over all assignments, and on scenes with a known answer."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from kinegraph.formats.keypoints.tracking import GATE, MAX_GAP, ORDINARY_FPS, Tracker, is_one_person, track

_BODY = np.stack([np.linspace(-20, 20, 12), np.linspace(0, 170, 12)], axis=1)  # a box of 40 x 170


def _at(x: float, y: float = 0.0, scale: float = 1.0) -> NDArray[np.float64]:
    return _BODY * scale + [x, y]


def _apart(first: NDArray[np.float64], second: NDArray[np.float64], diagonals: float) -> bool:
    """Whether two poses are as far from each other as stated: the same person just above that gate, not just below."""
    below, above = (track([[first], [second]], gate=diagonals * by)[1] for by in (1 - 1e-9, 1 + 1e-9))
    return (below, above) == ([1], [0])


def test_distance_is_in_box_diagonals() -> None:
    diagonal = float(np.hypot(40, 170))
    assert _apart(_at(0), _at(10), 10 / diagonal)
    assert _apart(_at(0, scale=3), _at(30, scale=3), 10 / diagonal)
    assert track([[_at(0)], [np.full((12, 2), np.nan)]], gate=1e9) == [[0], [1]]


def test_only_common_joints_count() -> None:
    half = _at(10)
    half[5:] = np.nan
    assert _apart(_at(0), half, 10 / np.hypot(40, 170))


def test_without_common_joints_the_boxes_are_compared() -> None:
    top, bottom = _at(0), _at(-15, -50)
    top[6:] = np.nan
    bottom[:6] = np.nan
    gap = np.abs((top[:6].min(0) + top[:6].max(0)) / 2 - (bottom[6:].min(0) + bottom[6:].max(0)) / 2)
    assert _apart(top, bottom, np.hypot(*gap) / np.hypot(*np.ptp(top[:6], axis=0)))


def test_two_people_walk_past_each_other_in_view() -> None:
    frames = []
    for t in range(21):
        left, right = _at(-100 + 10 * t), _at(100 - 10 * t, 60)
        frames.append([left, right] if t % 3 else [right, left])
    numbers = track(frames)
    assert numbers[0] == [0, 1]
    for t, ids in enumerate(numbers):
        assert ids == ([1, 0] if t % 3 else [0, 1])


def test_a_gap_is_bridged_up_to_the_limit_and_not_beyond() -> None:
    for gap, expected in ((0, 0), (5, 0), (MAX_GAP, 0), (MAX_GAP + 1, 1)):
        frames = [[_at(0)], *[[] for _ in range(gap)], [_at(5)]]
        assert track(frames)[-1] == [expected], gap


def test_times_of_ordinary_video_are_its_frames() -> None:
    rng = np.random.default_rng(5)
    frames = [[_at(x) for x in rng.uniform(0, 200, int(rng.integers(0, 4)))] for _ in range(60)]
    timed = Tracker()
    assert [timed.step(frame, 7 + k / ORDINARY_FPS) for k, frame in enumerate(frames)] == track(frames)


def test_what_is_known_and_how_far_it_may_have_moved_goes_by_time() -> None:
    """Half a second hidden, 0.6 diagonals on: known at any rate; an eighth is too short for that."""
    diagonal = float(np.hypot(40, 170))
    for fps in (8, 30, 120, 240):
        for hidden, away, expected in ((0.5, 1.0, 0), (0.125, 1.0, 1), (0.5, 0.4, 1)):
            tracker = Tracker(away=away * ORDINARY_FPS)
            for k in range(fps):
                assert tracker.step([_at(0)], k / fps) == [0]
            last = (fps - 1) / fps
            for k in range(1, int(hidden * fps)):
                tracker.step([], last + k / fps)
            assert tracker.step([_at(0.6 * diagonal)], last + hidden) == [expected], (fps, hidden, away)
    neighbours = Tracker()
    assert neighbours.step([_at(0)], 0.0) == neighbours.step([_at(GATE * diagonal * 0.99)], 1 / 240) == [0]


def test_somebody_far_away_is_somebody_new() -> None:
    diagonal = float(np.hypot(40, 170))
    assert track([[_at(0)], [_at(GATE * diagonal * 0.99)]]) == [[0], [0]]
    assert track([[_at(0)], [_at(GATE * diagonal * 1.01)]]) == [[0], [1]]


def test_the_cheapest_assignment_is_found() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        people = int(rng.integers(2, 5))
        before, after = rng.uniform(0, 60, (2, people))
        numbers = track([[_at(x) for x in before], [_at(x) for x in after]])[1]
        costs = [np.abs(before[list(order)] - after).sum() for order in itertools.permutations(range(people))]
        assert sorted(numbers) == list(range(people))
        np.testing.assert_allclose(np.abs(before[numbers] - after).sum(), min(costs))


def test_no_number_twice_in_a_frame() -> None:
    rng = np.random.default_rng(0)
    frames = [[_at(x) for x in rng.uniform(0, 300, int(rng.integers(0, 6)))] for _ in range(40)]
    for poses, ids in zip(frames, track(frames), strict=True):
        assert len(ids) == len(poses) == len(set(ids))


def test_poses_listed_one_by_one_are_one_person_only_where_they_lie_on_each_other() -> None:
    pose = np.stack([np.arange(10.0) % 2, np.arange(10.0)], axis=1)
    walk = [np.add(pose, (0.2 * n, 0)) for n in range(10)]
    assert is_one_person(walk)
    assert is_one_person([*walk[:5], walk[0] + 50, *walk[5:]])  # a glitch in between
    assert not is_one_person([np.add(pose, (3.0 * n, 0)) for n in range(10)])  # side by side
    assert not is_one_person(walk[:2])  # two may be one seen twice
    assert not is_one_person([np.full((10, 2), np.nan)] * 5)
    assert not is_one_person([])
