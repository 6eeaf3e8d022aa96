"""Which way is up and where the floor is, learnt from people in camera space while they are seen."""

from __future__ import annotations

import numpy as np
import pytest
from lifting_people import BODY, motion

from kinegraph.inference.live.world import LiveWorld

ANKLES = [BODY.index("left_ankle"), BODY.index("right_ankle")]


def lowest_ankles(camera: np.ndarray, fps: float) -> np.ndarray:
    """Their heights (frames,) in the world, of one person (frames, joints, 3) in camera space."""
    world = LiveWorld(BODY)
    placed = [world.push(frame / fps, positions[None])[0] for frame, positions in enumerate(camera)]
    heights: np.ndarray = np.stack(placed)[:, ANKLES, 1].min(axis=1)
    return heights


@pytest.mark.parametrize("pitch", [0.0, 12.0])
def test_up_is_learnt_from_people_who_stand(pitch: float) -> None:
    truth = motion(30, pitch_deg=pitch)
    world = LiveWorld(BODY)
    for frame, positions in enumerate(truth):
        placed = world.push(frame / 30, positions[None])[0]
    assert abs(np.rad2deg(world.pitch) + pitch) < 4
    assert 1.4 < placed[BODY.index("head"), 1] < 1.75
    assert placed[BODY.index("left_ankle"), 1] == pytest.approx(0.08, abs=0.06)
    stated = LiveWorld(BODY, pitch_deg=pitch, camera_height_m=0.9)
    height = stated.push(0.0, truth[:1])[0, BODY.index("pelvis"), 1]
    assert height == pytest.approx(0.9, abs=0.02)  # the camera looks from the pelvis's height


def test_what_is_learnt_of_up_turns_the_past_as_well() -> None:
    """Somebody leans at first: once the pitch is known, floor and start are those of a world that knew it all along."""
    truth = motion(90, pitch_deg=15.0, walk_m=1.0)
    bent = truth.copy()
    bent[:30, BODY.index("thorax")] += [0.0, 0.0, 0.8]  # too far to tell up
    world = LiveWorld(BODY)
    for frame, positions in enumerate(bent):
        placed = world.push(frame / 30, positions[None])[0]
    assert abs(np.rad2deg(world.pitch)) > 8
    known = LiveWorld(BODY, pitch_deg=float(-np.rad2deg(world.pitch)))
    for frame, positions in enumerate(bent):
        expected = known.push(frame / 30, positions[None])[0]
    np.testing.assert_allclose(placed, expected, atol=1e-4)


@pytest.mark.parametrize("drift_m_s", [-0.05, 0.05])
def test_feet_stay_on_the_floor_while_the_depth_drifts(drift_m_s: float) -> None:
    truth = motion(450, walk_m=0.0)
    truth[..., 1] -= (drift_m_s * np.arange(450) / 30)[:, None]
    heights = lowest_ankles(truth, 30)[60:]
    assert heights.min() >= 0.08 - 1e-6
    assert np.percentile(heights, 95) < 0.08 + 0.12


def test_a_stream_four_times_as_fast_has_the_same_floor() -> None:
    slow = motion(240, pitch_deg=10.0)
    moments = np.arange(4 * 239 + 1) / 4
    before = np.minimum(moments.astype(int), 238)
    share = (moments - before)[:, None, None]
    fast = slow[before] * (1 - share) + slow[before + 1] * share
    heights = lowest_ankles(fast, 120)[::4]
    assert np.abs(heights - lowest_ankles(slow, 30))[30:].max() < 0.02


@pytest.mark.parametrize("fps", [30, 1000])
def test_the_floor_takes_bounded_memory(fps: int) -> None:
    world, body = LiveWorld(BODY), motion(1)
    for frame in range(4 * fps):
        world.push(frame / fps, body)
    assert len(world._lowest) <= 102
    world.push(1e6, body)
    assert len(world._lowest) == 1
