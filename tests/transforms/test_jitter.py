"""Jitter is measured whatever the motion, and what is smoothed is what trembles."""

from __future__ import annotations

import numpy as np
import pytest
from moving_people import bone_lengths, network, walker

from kinegraph.errors import ConfigError
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import expmap_to_quaternion, quaternion_multiply
from kinegraph.inference.forecaster import Forecaster
from kinegraph.sequence import SkeletonSequence
from kinegraph.transforms.jitter import check_smooth, jitter, smoothing_s, with_less_jitter


def trembling(metres: float, fps: float = 30.0) -> SkeletonSequence:
    walk = walker(3.0, fps).replace(rotations=None, offsets=None)
    noise = np.random.default_rng(0).normal(scale=metres, size=walk.positions.shape)
    return walk.replace(positions=walk.positions + noise)


@pytest.mark.parametrize("fps", [30.0, 120.0])
@pytest.mark.parametrize("metres", [0.002, 0.005, 0.02])
def test_jitter_is_what_was_put_in(metres: float, fps: float) -> None:
    points = trembling(metres, fps).positions[0].copy()
    assert jitter(points) == pytest.approx(metres, rel=0.1)
    points[::9] = np.nan
    assert jitter(points) == pytest.approx(metres, rel=0.2)
    assert jitter(points[:5]) == 0
    assert jitter(walker(3.0, fps).positions[0]) < 5e-4


def test_how_much_is_smoothed() -> None:
    assert smoothing_s(0.001, 30.0) == 0  # what optical recordings have
    assert smoothing_s(0.010, 20.0) == 0  # fast motion would look like jitter
    widths = [smoothing_s(metres, 30.0) for metres in (0.002, 0.003, 0.01, 1.0)]
    assert widths == sorted(widths)
    assert widths[0] == pytest.approx(1.45 * 2**0.5 / 30)
    assert widths[-1] == 0.2
    assert 0 < smoothing_s(0.005, 120.0) < smoothing_s(0.005, 30.0)  # more frames to average over


@pytest.mark.parametrize("metres", [0.003, 0.01])
def test_what_trembles_comes_nearer_to_the_motion(metres: float) -> None:
    slow = walker(0.75, 120.0).replace(rotations=None, offsets=None, fps=30.0)  # the walker swings every joint fast
    truth = slow.positions[0]
    noise = np.random.default_rng(0).normal(scale=metres, size=slow.positions.shape)
    given = slow.replace(positions=slow.positions + noise)
    calm, notes = with_less_jitter(given, "auto")
    off = [np.linalg.norm(one.positions[0, -1] - truth[-1], axis=-1).mean() for one in (calm, given)]
    assert off[0] < off[1]  # in the last frame, where there is only a past
    errors = [one.positions[0, -2:] - truth[-2:] for one in (calm, given)]
    paces = [np.linalg.norm(np.diff(error, axis=0), axis=-1).mean() for error in errors]
    assert paces[0] < 0.7 * paces[1]
    assert len(notes) == 1
    assert notes[0].startswith(f"jitter of {1000 * jitter(given.positions[0]):.1f} mm measured: smoothed over")
    clean = walker(3.0, 30.0).replace(rotations=None, offsets=None)
    for unchanged, choice in ((clean, "auto"), (given, 0.0)):
        same, said = with_less_jitter(unchanged, choice)  # type: ignore[arg-type]
        assert same is unchanged
        assert said == ()


def test_rotations_are_smoothed_as_rotations() -> None:
    walk = walker(3.0, 30.0)
    assert walk.rotations is not None
    turn = expmap_to_quaternion(np.random.default_rng(1).normal(scale=0.03, size=(*walk.rotations.shape[:3], 3)))
    rotations = quaternion_multiply(walk.rotations, turn)
    offsets = np.tile(walk.offsets, (walk.frames, 1, 1))
    offsets[:, walk.skeleton.root] = walk.positions[0, :, walk.skeleton.root]
    placed = forward_kinematics(walk.skeleton.parents, rotations[0], offsets)[0]
    given = walk.replace(rotations=rotations, positions=placed[None])
    calm, notes = with_less_jitter(given, "auto")
    assert notes
    assert calm.rotations is not None
    assert calm.is_posed(0)
    np.testing.assert_allclose(bone_lengths(calm)[0], np.tile(bone_lengths(walk)[0, :1], (walk.frames, 1)), atol=1e-9)
    off = [np.linalg.norm(one.positions - walk.positions, axis=-1)[0, -1].mean() for one in (calm, given)]
    assert off[0] < 0.8 * off[1]


@pytest.mark.parametrize("refit_s", [0.0, 10.0])
def test_forecasts_of_recordings_and_streams_say_so(refit_s: float) -> None:
    given = trembling(0.01)
    forecaster = Forecaster(network())
    auto, none = forecaster.forecast(given, 0.2), forecaster.forecast(given, 0.2, smooth=0)
    assert any("jitter of 1" in note and "mm measured: smoothed over" in note for note in auto.notes)
    assert not any("smoothed" in note for note in none.notes)
    assert np.abs(auto.positions - none.positions).max() > 1e-3
    for expected, settings in ((auto, {}), (none, {"smooth": 0.0})):
        stream = forecaster.stream("cmu38", fps=30.0, refit_s=refit_s, **settings)
        for frame in range(given.frames):
            stream.push(given.positions[:, frame])
        live = stream.forecast(0.2).future
        assert live is not None
        assert any("smoothed over" in note for note in live.notes) == (not settings)
        if not refit_s:
            assert np.abs(live.positions - expected.positions).max() < 1e-5


@pytest.mark.parametrize("value", ["yes", -0.1, 1.5, float("nan"), None, True])
def test_a_smoothing_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match=r"smooth is .*; expected 'auto', 0 for none, or seconds up to 1"):
        check_smooth(value)
    with pytest.raises(ConfigError, match="smooth is"):
        Forecaster(network()).forecast(walker(), 0.1, smooth=value)  # type: ignore[arg-type]
