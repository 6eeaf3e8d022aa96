"""Rigid limbs, the root from the keypoints, and which way is up, against known truths."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from lifting_people import BODY, INTRINSICS, keypoints, motion, project

from kinegraph.errors import DataError
from kinegraph.inference.placement import ANKLE_M, bone_lengths, make_rigid, place_root, upright
from kinegraph.sequence import SkeletonSequence


def test_lengths_are_symmetric_quartiles() -> None:
    rng = np.random.default_rng(0)
    poses = motion(41) + 0.02 * rng.normal(size=(41, 17, 3))
    weights = np.ones((41, 17))
    weights[5:9, BODY.index("left_knee")] = 0
    poses[5:9, BODY.index("left_knee")] += 10  # untrusted frames do not count
    lengths = bone_lengths(poses, weights, BODY)

    def quartile(parent: str, child: str) -> float:
        a, b = BODY.index(parent), BODY.index(child)
        good = [np.linalg.norm(poses[t, b] - poses[t, a]) for t in range(41) if weights[t, a] and weights[t, b]]
        return sorted(good)[0] if len(good) == 1 else float(np.quantile(good, 0.75))

    want = (quartile("left_hip", "left_knee") + quartile("right_hip", "right_knee")) / 2
    assert lengths[BODY.index("left_knee")] == pytest.approx(want)
    assert lengths[BODY.index("right_knee")] == pytest.approx(want)
    assert lengths[BODY.index("spine")] == pytest.approx(quartile("pelvis", "spine"))
    assert lengths[BODY.root] == 0


def test_rigid_keeps_directions_and_fixes_lengths() -> None:
    poses = motion(20) + 0.05 * np.random.default_rng(1).normal(size=(20, 17, 3))
    lengths = bone_lengths(poses, np.ones((20, 17)), BODY)
    rigid = make_rigid(poses, lengths, BODY)
    for parent, child in BODY.bones:
        before, after = poses[:, child] - poses[:, parent], rigid[:, child] - rigid[:, parent]
        np.testing.assert_allclose(np.linalg.norm(after, axis=-1), lengths[child], atol=1e-12)
        cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
        np.testing.assert_allclose(cosine, 1, atol=1e-9)
    np.testing.assert_array_equal(rigid[:, 0], poses[:, 0])


def test_in_a_video_a_bone_far_too_short_points_where_it_does_around() -> None:
    poses = motion(40)
    lengths = bone_lengths(poses, np.ones((40, 17)), BODY)
    elbow, wrist = BODY.index("left_elbow"), BODY.index("left_wrist")
    arm = (poses[:, wrist] - poses[:, elbow]).copy()
    poses[20, wrist] = poses[20, elbow] - 0.05 * arm[20]  # one frame points the other way, and hardly at all
    plain, steady = make_rigid(poses, lengths, BODY), make_rigid(poses, lengths, BODY, fps=30.0)

    def turn(result: np.ndarray) -> float:
        got = result[20, wrist] - result[20, elbow]
        return float(np.degrees(np.arccos(got @ arm[20] / np.linalg.norm(got) / np.linalg.norm(arm[20]))))

    assert turn(plain) == pytest.approx(180, abs=1e-3)
    assert turn(steady) < 25
    for parent, child in BODY.bones:
        size = np.linalg.norm(steady[:, child] - steady[:, parent], axis=-1)
        np.testing.assert_allclose(size, lengths[child], atol=1e-12)


def test_bones_of_nearly_their_length_keep_their_directions_in_a_video() -> None:
    poses = motion(30)
    lengths = bone_lengths(poses, np.ones((30, 17)), BODY)
    np.testing.assert_allclose(make_rigid(poses, lengths, BODY, fps=30.0), make_rigid(poses, lengths, BODY), atol=1e-12)
    # Every frame doubtful alike: the weights cancel, and a bone that stands still stays.
    still = np.repeat(poses[:1], 30, axis=0)
    shrunk = still[:, :1] + 0.3 * (still - still[:, :1])
    np.testing.assert_allclose(
        make_rigid(shrunk, lengths, BODY, fps=30.0), make_rigid(shrunk, lengths, BODY), atol=1e-9
    )


def test_a_bone_without_length_still_gets_one() -> None:
    poses = np.zeros((2, 17, 3))
    lengths = np.full(17, 0.2)
    assert np.isfinite(make_rigid(poses, lengths, BODY)).all()
    assert np.isfinite(make_rigid(poses, lengths, BODY, fps=30.0)).all()


@pytest.mark.parametrize("walk", [0.0, 2.0])
def test_the_root_is_found_exactly_from_exact_keypoints(walk: float) -> None:
    truth = motion(60, depth=5.0, walk_m=walk)
    root = truth[:, :1]
    got = place_root(truth - root, project(truth), np.ones((60, 17)), INTRINSICS, 30.0)
    # The smoothing of 1/z is not exact for somebody who walks; it is for who stands.
    np.testing.assert_allclose(got, root[:, 0], atol=1e-6 if walk == 0 else 0.06)


def test_noise_and_missing_joints_move_the_root_little() -> None:
    truth = motion(60)
    rng = np.random.default_rng(0)
    weights = (rng.random((60, 17)) > 0.2).astype(float)
    seen = project(truth) + 3 * rng.normal(size=(60, 17, 2))
    seen[weights == 0] = 1e6
    got = place_root(truth - truth[:, :1], seen, weights, INTRINSICS, 30.0)
    error = np.linalg.norm(got - truth[:, 0], axis=-1)
    assert error.max() < 0.2
    # The depth does not tremble.
    assert np.abs(np.diff(got[:, 2])).max() < 0.02


def test_no_keypoint_at_all_leaves_the_root_somewhere_sensible() -> None:
    got = place_root(np.zeros((3, 17, 3)), np.full((3, 17, 2), np.nan), np.zeros((3, 17)), INTRINSICS, None)
    np.testing.assert_array_equal(got, np.tile([0, 0, 5.0], (3, 1)))


def sequence(points: np.ndarray) -> SkeletonSequence:
    return SkeletonSequence(points, BODY, fps=30, unit="m", space="camera")


@pytest.mark.parametrize("pitch", [0.0, 12.0, -8.0])
def test_up_is_found_whatever_the_camera_looks_at(pitch: float) -> None:
    got = upright(sequence(motion(60, pitch_deg=pitch)))
    assert (got.space, got.up) == ("world", "y")
    pose = got.positions[0]
    spine = pose[:, BODY.index("thorax")] - pose[:, BODY.index("pelvis")]
    lean = np.degrees(np.arccos(spine[:, 1] / np.linalg.norm(spine, axis=-1)))
    assert lean.max() < 3
    # Feet on the floor, the start at x = z = 0, and still facing the camera, which looks along -z.
    ankles = pose[:, [BODY.index("left_ankle"), BODY.index("right_ankle")], 1]
    np.testing.assert_allclose(ankles, ANKLE_M, atol=0.02)
    np.testing.assert_allclose(pose[0, BODY.root, [0, 2]], 0, atol=1e-9)
    assert (pose[:, BODY.index("nose"), 2] > pose[:, BODY.index("thorax"), 2]).all()
    assert pose[0, BODY.index("left_hip"), 0] > pose[0, BODY.index("right_hip"), 0]
    assert "stand straight" in got.notes[-1]


@pytest.mark.parametrize("lean_deg", [-15.0, 15.0])
def test_a_walk_in_depth_levels_the_floor_even_for_who_leans(lean_deg: float) -> None:
    points = motion(120, depth=6.0, walk_m=4.0)
    a = np.radians(lean_deg)
    hips = points[:, :1]
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    feet = [BODY.index(n) for n in ("left_ankle", "right_ankle")]
    leaning = (points - hips) @ turn.T + hips
    leaning[:, feet] = points[:, feet]
    got = upright(sequence(leaning), level_ground=False)
    ankles = got.positions[0][:, feet, 1]
    assert np.ptp(ankles) < 0.05
    assert "level" in got.notes[-1]


def test_shapes_are_kept() -> None:
    given = motion(30, pitch_deg=10)
    got = upright(sequence(given), level_ground=False).positions[0]
    for joint in range(17):
        np.testing.assert_allclose(
            np.linalg.norm(got - got[:, joint, None], axis=-1),
            np.linalg.norm(given - given[:, joint, None], axis=-1),
            atol=1e-9,
        )
    # A rotation, no mirror.
    a, b = given[0] - given[0, 0], got[0] - got[0, 0]
    assert np.sign(np.linalg.det(a[[2, 8, 16]])) == np.sign(np.linalg.det(b[[2, 8, 16]]))


def test_somebody_lying_is_not_stood_up() -> None:
    points = motion(30)
    centre = points[:, :1]
    x, y, z = np.moveaxis(points - centre, -1, 0)
    got = upright(sequence(np.stack([y, x, z], -1) * [1, 1, -1] + centre))
    assert "nobody stands straight" in got.notes[-1]
    assert np.ptp(got.positions[0, 0, :, 1]) < 0.8


def test_a_jump_leaves_the_floor_and_a_slope_does_not() -> None:
    jump = motion(90)
    height = np.zeros(90)
    height[40:52] = 0.4 * np.sin(np.linspace(0, np.pi, 12))
    jump[..., 1] -= height[:, None]
    got = upright(sequence(jump)).positions[0, :, BODY.root, 1]
    assert got[46] - got[20] > 0.35
    # A foot is never far under the floor, however fast the estimated height falls.
    fall = motion(90)
    fall[60:, :, 1] += np.linspace(0, 0.5, 30)[:, None]
    lowest = upright(sequence(fall)).positions[0, :, BODY.index("left_ankle"), 1]
    assert lowest.min() > ANKLE_M - 0.02
    slope = motion(300)
    slope[..., 1] += np.linspace(0, 0.6, 300)[:, None]
    flat = upright(sequence(slope)).positions[0, :, BODY.root, 1]
    assert np.ptp(flat) < 0.12
    assert np.ptp(upright(sequence(slope), level_ground=False).positions[0, :, BODY.root, 1]) > 0.5


def test_a_long_recordings_floor_is_that_of_its_parts_and_takes_little_memory() -> None:
    """Two seconds around each frame tell its floor: a fast, long recording is not held that many times over."""
    long = motion(6000)
    long[..., 1] += np.linspace(0, 3, 6000)[:, None]
    fast = sequence(long).replace(fps=500.0)
    tracemalloc.start()
    try:
        whole = upright(fast).positions[0, :, BODY.root, 1]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6  # one float a frame of every window is 48 MB
    # pieces begin elsewhere in a part of it
    part = upright(fast.slice_frames(700, 3900)).positions[0, :, BODY.root, 1]
    np.testing.assert_allclose(part[1200:2000], whole[1900:2700], rtol=0, atol=1e-9)


def test_only_camera_space_is_turned() -> None:
    with pytest.raises(DataError, match="camera space"):
        upright(sequence(motion(3)).replace(space="world", up="y"))
    with pytest.raises(DataError, match="2D"):
        upright(keypoints(motion(3)))
