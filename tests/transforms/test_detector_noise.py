"""Detector noise: every strength measured on many draws, and nothing happens that was not asked for."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.errors import ConfigError, DataError
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.detector_noise import DetectorNoise

SKELETON = get_skeleton("h36m17")
QUIET = DetectorNoise(sigma_px=0, drop=0)
VIDEO = DetectorNoise(sigma_px=4.0, drop=0.03, outlier=0.02, outlier_px=30.0, swap=0.01, correlation=0.8, fading=0.1)


def clean(frames=4000, seed=0):
    """A person's joints spread over 200 x 400 px, steady in time."""
    points = np.random.default_rng(seed).uniform([400, 300], [600, 700], size=(17, 2))
    return np.broadcast_to(points, (frames, 17, 2)), np.ones((frames, 17))


def apply(noise, points, score, seed=1):
    return noise.apply(points, score, np.random.default_rng(seed), skeleton=SKELETON)


def test_default_is_gaussian_of_stated_sigma_with_stated_drops():
    points, score = clean()
    noisy, seen = apply(DetectorNoise(sigma_px=7.0, drop=0.1), points, score)
    error = noisy - points
    assert np.nanstd(error) == pytest.approx(7.0, rel=0.02)
    assert np.nanmean(error) == pytest.approx(0, abs=0.1)
    kurtosis = np.nanmean((error / 7.0) ** 4)
    assert kurtosis == pytest.approx(3.0, abs=0.1)
    assert (seen == 0).mean() == pytest.approx(0.1, abs=0.005)
    per_joint = (seen == 0).mean(axis=0)
    assert per_joint.min() > 0.08
    assert per_joint.max() < 0.12
    assert set(np.unique(seen)) == {0.0, 1.0}


@pytest.mark.parametrize("noise", [DetectorNoise(), VIDEO, DetectorNoise(cut=0.5, correlation=0.5)])
def test_dropped_means_nan_and_nothing_else_does(noise):
    points, score = (np.array(a) for a in clean(300))
    score[5, 3], score[6] = 0, 0
    points[score == 0] = np.nan
    before = points.copy()
    noisy, seen = apply(noise, points, score)
    np.testing.assert_array_equal(np.isnan(noisy).any(-1), seen == 0)
    np.testing.assert_array_equal(np.isnan(noisy).all(-1), seen == 0)
    assert (seen[6] == 0).all()
    np.testing.assert_array_equal(points, before)  # the input is left alone
    if not noise.swap:
        assert seen[5, 3] == 0


@pytest.mark.parametrize("noise", [DetectorNoise(), VIDEO, DetectorNoise(cut=0.3)])
def test_the_same_seed_gives_the_same_bytes(noise):
    points, score = clean(200)
    first, second, other = (apply(noise, points, score, seed)[0].tobytes() for seed in (4, 4, 5))
    assert first == second
    assert first != other


def test_no_strength_no_change():
    points, score = clean(10)
    noisy, seen = apply(QUIET, points, score)
    np.testing.assert_array_equal(noisy, points)
    np.testing.assert_array_equal(seen, score)
    off = apply(VIDEO.scaled(0), points, score)
    np.testing.assert_array_equal(off[0], points)


def test_outliers_are_rare_and_large():
    points, score = clean()
    noisy, _ = apply(DetectorNoise(sigma_px=2, drop=0, outlier=0.05, outlier_px=100), points, score)
    error = np.linalg.norm(noisy - points, axis=-1)
    # A 2D normal of sigma s exceeds r with probability exp(-r^2 / 2 s^2).
    expected = 0.05 * np.exp(-(20**2) / (2 * (100**2 + 2**2)))
    assert (error > 20).mean() == pytest.approx(expected, rel=0.05)


def test_swaps_exchange_whole_limbs_of_both_sides():
    points, score = (np.array(a) for a in clean(5000))
    score[:, SKELETON.index("left_knee")] = 0.5
    noisy, seen = apply(DetectorNoise(sigma_px=0, drop=0, swap=0.2), points, score)
    left, right = SKELETON.index("left_ankle"), SKELETON.index("right_ankle")
    swapped = (noisy[:, left] == points[:, right]).all(-1)
    assert swapped.mean() == pytest.approx(0.2, abs=0.02)
    knee = SKELETON.index("right_knee")
    np.testing.assert_array_equal(seen[:, knee], np.where(swapped, 0.5, 1.0))  # the confidence goes with its joint
    np.testing.assert_array_equal((noisy[:, knee] == points[:, SKELETON.index("left_knee")]).all(-1), swapped)
    arms = (noisy[:, SKELETON.index("left_wrist")] == points[:, SKELETON.index("right_wrist")]).all(-1)
    assert arms.mean() == pytest.approx(0.2, abs=0.02)
    assert (arms & swapped).mean() == pytest.approx(0.04, abs=0.01)  # arms and legs go independently
    for name in ("pelvis", "spine", "thorax", "nose", "head"):
        np.testing.assert_array_equal(noisy[:, SKELETON.index(name)], points[:, SKELETON.index(name)])
    with pytest.raises(DataError, match="skeleton"):
        DetectorNoise(swap=0.1).apply(points, score, np.random.default_rng(0))


@pytest.mark.parametrize("name", ["mediapipe33", "cmu31", "h36m32"])
def test_no_joint_of_a_limb_stays_behind(name):
    layout = get_skeleton(name)
    points = np.random.default_rng(0).uniform(0, 100, (4000, layout.num_joints, 2))
    score = np.ones(points.shape[:2])
    noise = DetectorNoise(sigma_px=0, drop=0, swap=0.3)
    noisy, _ = noise.apply(points, score, np.random.default_rng(1), skeleton=layout)
    moved = (noisy != points).all(-1)  # (frames, joints)
    for limb in ("arm", "forearm"), ("thigh", "crus"):
        members = [layout.index(joint) for part in layout.parts if part.endswith(limb) for joint in layout.parts[part]]
        assert moved[:, members].mean() == pytest.approx(0.3, abs=0.03)
        np.testing.assert_array_equal(moved[:, members].all(-1), moved[:, members].any(-1))


def test_correlation_makes_errors_last_and_changes_no_rate():
    points, score = clean(20000)
    noisy, seen = apply(DetectorNoise(sigma_px=5, drop=0.1, correlation=0.9), points, score)
    error = noisy - points
    assert np.nanstd(error) == pytest.approx(5, rel=0.03)
    both = np.isfinite(error[1:]) & np.isfinite(error[:-1])
    assert np.corrcoef(error[1:][both], error[:-1][both])[0, 1] == pytest.approx(0.9, abs=0.02)
    lost = seen == 0
    assert lost.mean() == pytest.approx(0.1, abs=0.01)
    assert lost[1:][lost[:-1]].mean() > 0.5  # a lost joint mostly stays lost in the next frame
    alone, gone = apply(DetectorNoise(sigma_px=5, drop=0.1), points, score)
    assert (gone == 0)[1:][(gone == 0)[:-1]].mean() == pytest.approx(0.1, abs=0.02)
    assert np.isfinite(alone[gone > 0]).all()


def test_clips_on_a_leading_axis_are_independent_of_each_other():
    points, score = clean(2000)
    noisy, _ = apply(DetectorNoise(drop=0, correlation=0.9), np.stack([points] * 2), np.stack([score] * 2))
    error = noisy - points
    assert abs(np.corrcoef(error[0].ravel(), error[1].ravel())[0, 1]) < 0.05


def test_cut_hides_one_side_of_a_straight_border():
    points, score = clean(3000)
    noisy, seen = apply(DetectorNoise(sigma_px=0, drop=0, cut=0.4), points, score)
    # A border that happens to hide nothing does not show: the rate seen is a little below the one asked for.
    hit = (seen == 0).any(-1)
    assert hit.mean() == pytest.approx(0.4 * 16 / 17, abs=0.05)
    for frame in np.flatnonzero(hit)[:200]:
        there, lost = points[frame][seen[frame] > 0], points[frame][seen[frame] == 0]
        assert len(there) >= 1
        separated = [there[:, a].max() < lost[:, a].min() or lost[:, a].max() < there[:, a].min() for a in (0, 1)]
        assert any(separated)
    assert np.isfinite(noisy[seen > 0]).all()


def test_confidence_fades_with_the_error():
    points, score = clean()
    noisy, seen = apply(DetectorNoise(sigma_px=5, drop=0, fading=0.5), points, score)
    error = np.linalg.norm(noisy - points, axis=-1)
    np.testing.assert_allclose(seen, np.maximum(np.exp(-0.5 * error / 5), 0.05))


@pytest.mark.parametrize("filler", [np.nan, 0.0, 1e6])
def test_a_joint_that_swaps_into_a_missing_ones_place_is_a_joint(filler):
    """Its error is the one it came with, whatever stands where nothing was seen; other joints' stays that of a swap."""
    points, score = (np.array(a) for a in clean(3000))
    wrist, other, lone = (SKELETON.index(name) for name in ("left_wrist", "right_wrist", "nose"))
    points[:, [wrist, lone]], score[:, [wrist, lone]] = filler, 0
    noise = DetectorNoise(sigma_px=5, drop=0, swap=0.2, fading=0.5)
    noisy, seen = apply(noise, points, score)
    assert np.isfinite(seen).all()
    assert ((seen >= 0) & (seen <= 1)).all()
    np.testing.assert_array_equal(np.isnan(noisy).any(-1), seen == 0)
    assert (seen[:, lone] == 0).all()
    swapped = seen[:, wrist] > 0
    assert swapped.mean() == pytest.approx(0.2, abs=0.03)
    np.testing.assert_array_equal(seen[:, other] == 0, swapped)
    error = np.linalg.norm(noisy[swapped, wrist] - points[swapped, other], axis=-1)
    np.testing.assert_allclose(seen[swapped, wrist], np.maximum(np.exp(-0.5 * error / 5), 0.05))
    elbow = SKELETON.index("left_elbow")
    error = np.linalg.norm(noisy[:, elbow] - points[:, elbow], axis=-1)
    np.testing.assert_allclose(seen[:, elbow], np.maximum(np.exp(-0.5 * error / 5), 0.05))


def test_scaled_multiplies_strengths():
    double = VIDEO.scaled(2)
    assert double.sigma_px == 2 * VIDEO.sigma_px
    assert double.drop == 2 * VIDEO.drop
    assert double.correlation == VIDEO.correlation
    assert DetectorNoise(drop=0.5).scaled(3).drop == 0.95


def test_one_frame_alone_keeps_its_shape():
    points, score = clean(1)
    noisy, seen = apply(DetectorNoise(), points[0], score[0])
    assert noisy.shape == (17, 2)
    assert seen.shape == (17,)


def test_bad_settings_and_shapes_are_refused():
    for bad in ({"drop": 1.0}, {"sigma_px": -1}, {"correlation": 1}, {"swap": -0.1}, {"outlier_px": float("inf")}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            DetectorNoise(**bad)
    with pytest.raises(ConfigError, match="fading"):
        DetectorNoise(sigma_px=0, fading=1)
    points, score = clean(3)
    with pytest.raises(DataError, match="expected"):
        apply(DetectorNoise(), points, score[:2])
    with pytest.raises(DataError, match="17 joints"):
        DetectorNoise(swap=0.1).apply(points, score, np.random.default_rng(0), skeleton=get_skeleton("ntu25"))
