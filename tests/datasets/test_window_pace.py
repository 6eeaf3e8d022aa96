"""The windows of temporal lifters at any pace, against loops over poses and moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinegraph.datasets.window_pace import blended, frames_apart, paced_windows, training_rate
from kinegraph.errors import DataError

CLIPS = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def _clip(lengths: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(lengths)) * 3, lengths)


def _slow_rows(clip: list[int], frames: int, step: int, target: int) -> list[list[int]]:
    rows = []
    for i, label in enumerate(clip):
        members = [k for k, other in enumerate(clip) if other == label]
        offsets = range(-target, frames - target)
        rows.append([min(max(i + offset * step, members[0]), members[-1]) for offset in offsets])
    return rows


@settings(max_examples=60, deadline=None)
@given(CLIPS, st.sampled_from([1, 3, 9]), st.integers(1, 3))
def test_whole_paces_are_rows_of_the_data(lengths: list[int], frames: int, step: int) -> None:
    clip = _clip(lengths)
    for target in (None, 0, frames - 1):
        found = paced_windows(clip, frames, step, target)
        expected = _slow_rows(clip.tolist(), frames, step, frames // 2 if target is None else target)
        assert found.before.tolist() == found.after.tolist() == expected
        assert not found.share.any()
        assert (clip[found.before] == clip[:, None]).all()
    assert (paced_windows(clip, frames, step, frames - 1).before <= np.arange(len(clip))[:, None]).all()


def _slow_blend(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    found = np.zeros_like(first)
    for joint in range(len(first)):
        if first[joint].any() and second[joint].any():
            found[joint] = (1 - share) * first[joint] + share * second[joint]
        else:
            found[joint] = first[joint] if share < 0.5 else second[joint]
    return found


def _poses(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    poses = rng.normal(size=(count, 5, 2)).astype(np.float32)
    poses[rng.random((count, 5)) < 0.3] = 0  # joints that were not seen
    return poses


@settings(max_examples=60, deadline=None)
@given(CLIPS, st.sampled_from([3, 5]), st.sampled_from([0.5, 0.6, 1.25, 2.5]), st.booleans())
def test_other_paces_blend_the_poses_around_a_moment(
    lengths: list[int], frames: int, pace: float, causal: bool
) -> None:
    clip = _clip(lengths)
    poses = _poses(len(clip))
    target = frames - 1 if causal else frames // 2
    found = paced_windows(clip, frames, pace, target).of(poses, slice(0, len(clip)))
    assert found.dtype == np.float32
    for pose, label in enumerate(clip):
        members = np.flatnonzero(clip == label)
        for frame in range(frames):
            moment = pose + (frame - target) * pace
            low = math.floor(moment + 1e-9)
            first, second = (poses[np.clip(row, members[0], members[-1])] for row in (low, math.ceil(moment - 1e-9)))
            np.testing.assert_allclose(found[pose, frame], _slow_blend(first, second, moment - low), atol=1e-6)


def test_a_part_of_the_windows_is_that_part_of_all() -> None:
    clip, poses = _clip([6, 9]), _poses(15)
    for pace in (1.0, 1.25):
        windows = paced_windows(clip, 3, pace)
        np.testing.assert_array_equal(windows.of(poses, slice(4, 9)), windows.of(poses, slice(0, 15))[4:9])


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_joint_that_one_pose_lacks_is_the_nearer_ones(share: float) -> None:
    first, second = _poses(40)[:20], _poses(40)[20:]
    found = blended(first, second, np.full(20, share, dtype=np.float32))
    for row in range(20):
        np.testing.assert_allclose(found[row], _slow_blend(first[row], second[row], share), atol=1e-6)


def test_an_even_window_has_no_middle_and_needs_a_target() -> None:
    with pytest.raises(DataError, match="odd"):
        paced_windows(np.zeros(4), 8, 1)
    assert paced_windows(np.zeros(3), 2, 1, 1).before.tolist() == [[0, 0], [0, 1], [1, 2]]


@pytest.mark.parametrize(
    ("fps", "rate", "apart"),
    [
        (50, 50, 1),
        (50, 25, 2),
        (30, 25, 1.2),
        (25, 50, 0.5),
        (51, 25, 2),
        (48.5, 50, 1),
        (30, None, 1),
        (47, 25, 2),
        (35, 25, 1.4),
    ],
)
def test_frames_apart_are_whole_where_that_is_near(fps: float, rate: float | None, apart: float) -> None:
    assert frames_apart(fps, rate) == pytest.approx(apart, abs=1e-12)


def test_the_rate_of_training_is_the_datas_by_its_step() -> None:
    data = {"train": {"fps": 50.0}}
    assert training_rate({"data": data, "recipe": {"data": {"step": 2}}}) == 25
    assert training_rate({"data": data}) == 50
    assert training_rate({"fps": 30}) == 30
    assert training_rate({"data": data, "recipe": {"data": {"step": 0}}}) is None
    assert training_rate({}) is None
