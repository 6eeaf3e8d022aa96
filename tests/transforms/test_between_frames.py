"""Between the frames of a forecast motion is smooth, and at them nothing changes."""

from __future__ import annotations

import numpy as np
import pytest
from moving_people import bone_lengths, walker

from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.transforms.between_frames import resample_smoothly


def test_places_and_rotations_between_frames_are_those_of_the_motion() -> None:
    """A walk of 120 Hz, of which every fourth frame is told: cubic splines find the others, straight lines do not."""
    whole = walker(1.0, 120.0)
    assert whole.rotations is not None
    told = whole.slice_frames(None, None, 4).replace(fps=30.0)
    assert told.rotations is not None
    finer = resample_smoothly(told.slice_frames(4, None), 120.0, told.positions[0, :4], told.rotations[0, :4])
    assert finer.rotations is not None
    assert finer.fps == 120.0
    truth, straight = whole.slice_frames(16, None), told.slice_frames(4, None).resample(120.0)
    assert finer.frames == truth.frames == straight.frames
    np.testing.assert_allclose(finer.positions[:, ::4], truth.positions[:, ::4], atol=1e-12)
    inside = slice(0, -8)  # what follows the last frame is not known
    off = np.abs(finer.positions - truth.positions)[:, inside].max()
    assert off < 0.25 * np.abs(straight.positions - truth.positions)[:, inside].max()
    np.testing.assert_allclose(np.linalg.norm(finer.rotations, axis=-1), 1.0)
    angles = np.abs((finer.rotations * whole.rotations[:, 16:]).sum(axis=-1))[:, inside]
    assert angles.min() > 1 - 1e-6
    posed = forward_kinematics(whole.skeleton.parents, finer.rotations[0], np.array([whole.offsets] * finer.frames))[0]
    np.testing.assert_allclose(
        bone_lengths(whole.replace(positions=posed[None], confidence=None, rotations=None, offsets=None))[0, 0],
        bone_lengths(whole)[0, 0],
        atol=1e-9,
    )


def test_acceleration_is_continuous_where_it_begins() -> None:
    told = walker(1.0, 30.0).replace(rotations=None, offsets=None)
    finer = resample_smoothly(told.slice_frames(10, None), 240.0, told.positions[0, 7:10])
    second = np.linalg.norm(np.diff(finer.positions[0], 2, axis=0), axis=-1).mean(axis=-1)
    jumps = np.abs(np.diff(second[:80]))
    assert jumps.max() < 0.3 * second[:80].max()  # straight lines: all of it, every eighth frame


@pytest.mark.parametrize("frames", [2, 5])
def test_missing_joints_stay_missing_and_few_frames_are_joined_straight(frames: int) -> None:
    told = walker(1.0, 30.0).replace(rotations=None, offsets=None)
    positions = told.positions.copy()
    positions[:, :, 3] = np.nan
    told = told.replace(positions=positions, confidence=None)
    finer = resample_smoothly(told.slice_frames(0, frames), 60.0, told.positions[0, :0])
    assert np.isnan(finer.positions[:, :, 3]).all()
    assert np.isfinite(np.delete(finer.positions, 3, axis=2)).all()
    assert finer.frames == 2 * frames - 1
    if frames == 2:
        np.testing.assert_allclose(finer.positions[:, 1], told.positions[:, :2].mean(axis=1))
    assert resample_smoothly(told, 30.0, told.positions[0, :0]) is told
