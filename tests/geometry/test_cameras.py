"""Cameras against formulas written out by hand, round trips and rigid motions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from kinegraph.errors import ConfigError, DataError, FormatError
from kinegraph.geometry.cameras import (
    Camera,
    CameraSampling,
    load_h36m_cameras,
    look_at,
    project,
    sample_cameras,
)

seeds = st.integers(0, 2**32 - 1)
coordinates = hnp.arrays(np.float64, (5, 3), elements=st.floats(-3, 3))
K = np.array([1150.0, 1140.0, 510.0, 495.0])


def camera(seed: int) -> Camera:
    return sample_cameras(np.random.default_rng(seed), [0.3, -0.2, 1.0])[0]


@given(coordinates)
def test_projection_is_the_pinhole_formula(points):
    points = points + np.array([0, 0, 4])
    uv = project(points, K)
    for (x, y, z), (u, v) in zip(points, uv, strict=True):
        assert u == pytest.approx(K[0] * x / z + K[2], abs=1e-9)
        assert v == pytest.approx(K[1] * y / z + K[3], abs=1e-9)


@given(coordinates, seeds)
def test_a_rigid_motion_of_world_and_camera_together_leaves_the_image_alone(points, seed):
    rng = np.random.default_rng(seed)
    eye = camera(seed)
    turn, shift = Rotation.random(random_state=rng).as_matrix(), rng.normal(size=3)
    moved = Camera(
        intrinsics=eye.intrinsics,
        rotation=eye.rotation @ turn.T,
        translation=eye.translation - eye.rotation @ turn.T @ shift,
        image_size=eye.image_size,
    )
    points = points * 0.3
    np.testing.assert_allclose(moved.project(points @ turn.T + shift), eye.project(points), atol=1e-6)
    np.testing.assert_allclose(moved.position, turn @ eye.position + shift, atol=1e-9)


@given(coordinates, seeds)
def test_world_and_camera_are_inverse_and_keep_distances(points, seed):
    eye = camera(seed)
    there = eye.to_camera(points)
    np.testing.assert_allclose(eye.to_world(there), points, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(there[0] - there[1]), np.linalg.norm(points[0] - points[1]), atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(eye.to_camera(eye.position)), 0, atol=1e-9)


@pytest.mark.parametrize("up", ["y", "z"])
@given(seed=seeds)
@settings(max_examples=30)
def test_sampled_cameras_keep_to_their_ranges_and_face_the_target(up, seed):
    axis = {"y": 1, "z": 2}[up]
    target = np.array([0.5, 0.9, 1.1])
    cameras = sample_cameras(np.random.default_rng(seed), target, up=up)
    assert len(cameras) == 4
    bearings = []
    for eye in cameras:
        np.testing.assert_allclose(eye.project(target), eye.intrinsics[2:], atol=1e-6)  # dead centre
        offset = eye.position - target
        assert 1.0 <= eye.position[axis] <= 2.0
        flat = np.delete(offset, axis)
        assert 4.0 <= np.linalg.norm(flat) <= 6.0
        assert (np.abs(eye.intrinsics[:2] - 1150) <= 52).all()
        bearings.append(np.arctan2(flat[1], flat[0]))
        above = target + 0.5 * np.eye(3)[axis]
        u, v = eye.project(above) - eye.project(target)
        assert v < 0
        assert abs(u) < 1e-6  # up in the world is up in the image: level, and not mirrored
        side = eye.to_world(eye.to_camera(target) + np.array([0.5, 0, 0]))
        assert eye.project(side)[0] > eye.project(target)[0]
    gaps = np.diff(np.sort(np.mod(bearings, 2 * np.pi)))
    assert (gaps > np.deg2rad(90 - 31)).all()
    assert (gaps < np.deg2rad(90 + 31)).all()


def test_sampling_is_deterministic():
    def draw(seed):
        cameras = sample_cameras(np.random.default_rng(seed), [0, 0, 1])
        return [c.rotation.tobytes() + c.intrinsics.tobytes() for c in cameras]

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_points_behind_the_camera_are_never_projected():
    points = np.array([[0.0, 0.0, 2.0], [0.1, 0.0, -2.0], [0.0, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    with pytest.raises(DataError, match="2 of 4 points are at or behind"):
        project(points, K)
    uv = project(points, K, behind="nan")
    assert np.isfinite(uv[0]).all()
    assert np.isnan(uv[1:]).all()
    assert np.isnan(project(points[[0, 3]], K)[1]).all()  # a missing joint alone is not an error
    with pytest.raises(ConfigError, match="behind"):
        project(points, K, behind="ignore")


def test_intrinsics_may_differ_from_frame_to_frame():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3, 7, 3)) + np.array([0, 0, 8])
    many = K + rng.normal(size=(3, 4))
    together = project(points, many)
    for frame in range(3):
        np.testing.assert_array_equal(together[frame], project(points[frame], many[frame]))
    with pytest.raises(DataError, match="intrinsics"):
        project(points, np.ones((3, 7, 1, 4)))


def test_distortion_is_brown_conrady():
    k1, k2, k3, p1, p2 = lens = np.array([-0.2, 0.24, -0.003, -0.001, -0.0014])
    point = np.array([[0.5, -0.7, 4.0]])
    x, y = point[0, :2] / 4
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    expected = [
        K[0] * (x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)) + K[2],
        K[1] * (y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y) + K[3],
    ]
    np.testing.assert_allclose(project(point, K, distortion=lens)[0], expected, atol=1e-9)
    np.testing.assert_array_equal(project(point, K, distortion=np.zeros(5)), project(point, K))


def test_bad_cameras_are_refused():
    good = {"intrinsics": K, "rotation": np.eye(3), "translation": np.zeros(3), "image_size": (10, 10)}
    for change, message in [
        ({"intrinsics": K[:3]}, "intrinsics"),
        ({"intrinsics": -K}, "focal"),
        ({"rotation": np.diag([1, 1, -1])}, "rotation"),
        ({"rotation": 2 * np.eye(3)}, "rotation"),
        ({"translation": [0, np.nan, 0]}, "translation"),
    ]:
        with pytest.raises(DataError, match=message):
            Camera(**{**good, **change})
    with pytest.raises(DataError, match="level horizon"):
        look_at([0, 0, 3], [0, 0, 0])
    with pytest.raises(ConfigError, match="up"):
        look_at([0, 0, 3], [0, 1, 0], up="x")
    with pytest.raises(ConfigError, match="distance"):
        CameraSampling(distance=(6, 4))


def write_calibration(path, **changes):
    lens = {"center": [512.5, 515.4], "focal_length": [1145.0, 1143.8], "radial_distortion": [-0.2, 0.2, 0.0],
            "tangential_distortion": [0.0, 0.0], "res_w": 1000, "res_h": 1002}  # fmt: skip
    half = np.sqrt(0.5)
    # A camera at (1, -4, 1.5) m looking along world +y: -90 degrees about x, z = world y, y = world -z.
    table = {"intrinsics": {"54": lens}, "extrinsics": {"S1": [{"orientation": [half, -half, 0, 0],
             "translation": [1000.0, -4000.0, 1500.0]}], "S2": [{}]}}  # fmt: skip
    table.update(changes)
    path.write_text(json.dumps(table))
    return path


def test_human36m_calibration_by_hand(tmp_path):
    cameras = load_h36m_cameras(write_calibration(tmp_path / "cameras.json"))
    assert list(cameras) == ["S1"]
    (eye,) = cameras["S1"]
    assert eye.name == "54"
    assert eye.image_size == (1000, 1002)
    np.testing.assert_allclose(eye.position, [1, -4, 1.5], atol=1e-12)
    np.testing.assert_allclose(eye.to_camera([1.2, 1.0, 1.6]), [0.2, -0.1, 5.0], atol=1e-12)
    np.testing.assert_allclose(eye.distortion, [-0.2, 0.2, 0, 0, 0])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"intrinsics": {"1": {}}, "extrinsics": {}}', '{"intrinsics": 3}'])
def test_human36m_calibration_errors_name_the_file(tmp_path, text):
    path = tmp_path / "cameras.json"
    path.write_text(text)
    with pytest.raises(FormatError, match="cameras.json"):
        load_h36m_cameras(path)
    with pytest.raises(FormatError, match="absent.json"):
        load_h36m_cameras(tmp_path / "absent.json")
    with pytest.raises(FormatError, match="S1 has 2 cameras"):
        load_h36m_cameras(write_calibration(path, extrinsics={"S1": [{"a": 1}, {}]}))


def test_human36m_cameras_look_at_the_studio(shared_data):
    cameras = load_h36m_cameras(shared_data / "h36m_cameras.json")
    assert list(cameras) == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]
    for four in cameras.values():
        assert [c.name for c in four] == ["54138969", "55011271", "58860488", "60457274"]
        for eye in four:
            assert 1.2 < eye.position[2] < 1.8
            assert 3.5 < np.linalg.norm(eye.position[:2]) < 6.5
            # A person at the studio's middle is upright and inside the picture.
            feet, head = eye.project([[0, 0, 0.0], [0, 0, 1.7]])
            middle = eye.project([[0.0, 0.0, 1.0]])[0]
            assert (middle >= 0).all()
            assert (middle < eye.image_size).all()
            assert feet[1] > head[1] + 200
