"""Filming recordings: the projection, determinism per clip, cutting of long walks, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.datasets.assemble import Clip, assemble
from kinegraph.datasets.noisy import BENCHMARK_NOISE, with_detector_noise
from kinegraph.errors import DataError, SkeletonError
from kinegraph.geometry.cameras import CameraSampling
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.transforms.detector_noise import DetectorNoise

H36M = get_skeleton("h36m17")


def walk(frames=12, speed=0.0, up="z", fps=120.0, seed=0, **changes):
    """A body of random joints about 1 m above the floor, moving along x."""
    rng = np.random.default_rng(seed)
    positions = np.tile(rng.uniform(-0.4, 0.4, size=(17, 3)), (frames, 1, 1))
    axis = {"y": 1, "z": 2}[up]
    positions[..., axis] += 1.0
    positions[..., 0] += speed * np.arange(frames)[:, None] / fps
    return SkeletonSequence(positions=positions, skeleton=H36M, fps=fps, up=up, **changes)


def clip(name="a", **changes):
    return Clip(sequence=walk(**changes), name=name, action="walk", subject="s1")


def test_projection_is_the_pinhole_formula():
    data = assemble([clip(speed=1.0)], name="d")
    fx, fy, cx, cy = (data.intrinsics[:, i, None].astype(float) for i in range(4))
    x, y, z = np.moveaxis(data.camera_m.astype(float), -1, 0)
    np.testing.assert_allclose(data.keypoints_px[..., 0], fx * x / z + cx, atol=2e-3)
    np.testing.assert_allclose(data.keypoints_px[..., 1], fy * y / z + cy, atol=2e-3)


@pytest.mark.parametrize("up", ["y", "z"])
def test_cameras_are_rigid_and_as_specified(up):
    sequence = walk(up=up)
    data = assemble([Clip(sequence=sequence, name="a", action="walk", subject="s")], name="d")
    assert data.clip_names == tuple(f"a/0/camera{i}" for i in range(4))
    for view in range(4):
        points = data.camera_m[data.clip == view].astype(float)
        world = sequence.positions[0]
        # distances between joints are those of the recording
        np.testing.assert_allclose(
            np.linalg.norm(points[:, 1:] - points[:, :1], axis=-1),
            np.linalg.norm(world[:, 1:] - world[:, :1], axis=-1),
            atol=1e-5,
        )
        # the joint higher in the world is higher in the image (y down), as cameras are near level
        axis = {"y": 1, "z": 2}[up]
        order = np.argsort(world[0, :, axis])[[0, -1]]
        assert points[0, order[1], 1] < points[0, order[0], 1]
        assert 3.0 < points[..., 2].mean() < 7.0
    fx = data.intrinsics[:, 0]
    assert ((fx > 1090) & (fx < 1210)).all()


def test_a_clip_does_not_depend_on_its_neighbours():
    alone = assemble([clip("b", seed=1)], name="d")
    both = assemble([clip("a"), clip("b", seed=1)], name="d")
    np.testing.assert_array_equal(both.camera_m[both.clip >= 4], alone.camera_m)
    other_seed = assemble([clip("b", seed=1)], name="d", seed=5)
    assert np.abs(other_seed.camera_m - alone.camera_m).max() > 0.01
    assert assemble([clip("b", seed=1)], name="d").fingerprint == alone.fingerprint


def test_a_whole_ratio_drops_frames_and_any_other_resamples():
    sequence = walk(frames=12, speed=2.0)
    half = assemble([clip(frames=12, speed=2.0)], name="d", fps=60.0, cameras=CameraSampling(count=1))
    assert (len(half), half.fps) == (6, 60.0)
    step = np.linalg.norm(half.camera_m[1, 0] - half.camera_m[0, 0])
    want = np.linalg.norm(sequence.positions[0, 2, 0] - sequence.positions[0, 0, 0])
    assert step == pytest.approx(want, rel=1e-4)
    other = assemble([clip(frames=12, speed=2.0)], name="d", fps=50.0, cameras=CameraSampling(count=1))
    assert len(other) == 5
    assert np.linalg.norm(other.camera_m[1, 0] - other.camera_m[0, 0]) == pytest.approx(2.0 / 50, rel=1e-4)


def test_a_long_walk_is_cut_and_stays_before_its_cameras():
    data = assemble([clip(frames=480, speed=3.0)], name="d")  # 12 m
    assert len(data.clip_names) == 16  # four equal parts, four cameras each
    assert [name.split("/")[1] for name in data.clip_names[::4]] == ["0", "1", "2", "3"]
    assert data.camera_m[..., 2].min() > 1.0
    assert len(data) == 4 * 480


def test_several_people_are_several_clips():
    one = walk()
    pair = one.replace(positions=np.concatenate([one.positions, one.positions + 0.2]), confidence=None)
    data = assemble([Clip(sequence=pair, name="p", action="walk", subject="s")], name="d")
    assert {name.split("/")[0] for name in data.clip_names} == {"p#0", "p#1"}


def test_refusals():
    with pytest.raises(DataError, match="no clips"):
        assemble([], name="d")
    with pytest.raises(DataError, match="frame rate is unknown"):
        assemble([Clip(sequence=walk().replace(fps=None), name="a", action="w", subject="s")], name="d")
    flat = SkeletonSequence(positions=np.ones((1, 17, 2)), skeleton=H36M, fps=30.0, unit="px", space="image")
    with pytest.raises(DataError, match="filming needs 3D world metres"):
        assemble([Clip(sequence=flat, name="a", action="w", subject="s")], name="d")
    confidence = np.ones((1, 12, 17))
    confidence[0, 3, 2] = 0
    gap = walk().replace(confidence=confidence)
    with pytest.raises(DataError, match="no position for right_knee"):
        assemble([Clip(sequence=gap, name="a", action="w", subject="s")], name="d")
    with pytest.raises(DataError, match="recording is damaged"):
        assemble([clip(frames=4, speed=1000.0)], name="d")
    stick = Skeleton(name="stick", joints=("pelvis", "head"), parents=(-1, 0))
    poor = SkeletonSequence(positions=np.ones((2, 2, 3)), skeleton=stick, fps=30.0, up="z")
    with pytest.raises(SkeletonError, match="can be had"):
        assemble([Clip(sequence=poor, name="a", action="w", subject="s")], name="d")


def test_noise_has_its_stated_size_and_leaves_the_truth():
    data = assemble([clip(f"c{i}", frames=120) for i in range(8)], name="d")
    noisy = with_detector_noise(data)
    gone = noisy.confidence == 0
    assert abs(gone.mean() - BENCHMARK_NOISE.drop) < 0.005
    assert np.isnan(noisy.keypoints_px[gone]).all()
    error = (noisy.keypoints_px - data.keypoints_px)[~gone]
    assert abs(error.std() - BENCHMARK_NOISE.sigma_px) < 0.1
    assert abs(error.mean()) < 0.1
    np.testing.assert_array_equal(noisy.camera_m, data.camera_m)
    assert noisy.name == "d (noise sigma 5 px, drop 0.05)"
    assert noisy.fingerprint != data.fingerprint


def test_noise_of_a_clip_does_not_depend_on_its_neighbours():
    data = assemble([clip("a"), clip("b", seed=1)], name="d")
    late = data.clips(np.arange(8) >= 4)
    noise = DetectorNoise(sigma_px=3.0, drop=0.1)
    whole = with_detector_noise(data, noise).keypoints_px[data.clip >= 4]
    np.testing.assert_array_equal(with_detector_noise(late, noise).keypoints_px, whole)
    assert not np.array_equal(with_detector_noise(late, noise, seed=8).keypoints_px, whole, equal_nan=True)
