"""The virtual camera: scale, centre, and turning back."""

from __future__ import annotations

import numpy as np
import pytest
from lifting_people import BODY, INTRINSICS, motion, project

from kinegraph.inference import framing as framing_module
from kinegraph.inference.framing import PX_PER_M, SIDE_PX, frame_person, look_along, scale_of_pose


def test_look_along_is_the_shortest_rotation() -> None:
    rays = np.random.default_rng(0).normal(size=(20, 3)) * [1, 1, 0] + [0, 0, 1]
    turns = look_along(rays)
    for turn, ray in zip(turns, rays, strict=True):
        unit = ray / np.linalg.norm(ray)
        np.testing.assert_allclose(turn @ [0, 0, 1], unit, atol=1e-12)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
        # The axis is perpendicular to both directions: the angle is no larger than it must be.
        angle = np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))
        assert angle == pytest.approx(np.arccos(unit[2]), abs=1e-6)


@pytest.mark.parametrize("depth", [2.5, 5.0, 12.0])
def test_scale_follows_distance(depth: float) -> None:
    truth = motion(30, depth=depth)
    got = scale_of_pose(project(truth), np.ones((30, 17), dtype=bool), BODY)
    np.testing.assert_allclose(got, 1145 / depth, rtol=0.12)


def test_people_are_shown_as_in_training_wherever_they_stand() -> None:
    near, far = motion(60, depth=3.0), motion(60, depth=9.0) + np.array([1.5, 0.4, 0])
    shown = []
    for truth in (near, far):
        seen = np.ones((60, 17), dtype=bool)
        framing = frame_person(project(truth), seen, seen[:, 0], BODY, 30.0)
        shown.append(framing.apply(project(truth)))
        np.testing.assert_allclose(shown[-1][:, BODY.root], SIDE_PX / 2, atol=2)
        height = np.ptp(shown[-1][..., 1], axis=1)
        np.testing.assert_allclose(height, 1.56 * PX_PER_M, rtol=0.12)


def test_the_view_survives_absence() -> None:
    truth = motion(60)
    present = np.ones(60, dtype=bool)
    present[20:30] = False
    seen = np.repeat(present[:, None], 17, axis=1)
    points = project(truth)
    points[~present] = 1e5
    framing = frame_person(points, seen, present, BODY, 30.0)
    assert np.isfinite(framing.centre).all()
    np.testing.assert_allclose(framing.centre[present], points[present][:, BODY.root], atol=30)
    nobody = frame_person(points, np.zeros((60, 17), dtype=bool), np.zeros(60, dtype=bool), BODY, None)
    assert np.isfinite(nobody.apply(points)).all()


def test_absent_frames_take_the_nearest() -> None:
    rng = np.random.default_rng(1)
    for share in (0.0, 0.2, 0.9, 1.0):
        values = rng.normal(size=(50, 2))
        values[rng.random(50) < share] = np.nan
        good = [frame for frame in range(50) if np.isfinite(values[frame]).all()]
        expected = [values[min(good, key=lambda g, f=frame: (abs(g - f), g))] for frame in range(50) if good]
        np.testing.assert_array_equal(framing_module._held(values), expected if good else np.zeros((50, 2)))


def test_long_recordings_are_looked_at_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = motion(60)
    seen = np.random.default_rng(0).random((60, 17)) > 0.3
    whole = frame_person(project(truth), seen, seen.any(axis=1), BODY, 30.0)
    monkeypatch.setattr(framing_module, "_PIECE", 7)
    pieces = frame_person(project(truth), seen, seen.any(axis=1), BODY, 30.0)
    np.testing.assert_array_equal(pieces.px_per_m, whole.px_per_m)
    np.testing.assert_array_equal(pieces.centre, whole.centre)


def test_turning_back_restores_the_camera() -> None:
    """A pose seen from its own ray, turned back, is the pose in the camera's axes."""
    truth = motion(10) + np.array([1.2, -0.5, 0])
    seen = np.ones((10, 17), dtype=bool)
    framing = frame_person(project(truth), seen, seen[:, 0], BODY, 30.0)
    ray = truth[:, 0] / np.linalg.norm(truth[:, :1], axis=-1)
    relative = truth - truth[:, :1]
    own_axes = np.einsum("fji,fkj->fki", look_along(ray), relative)  # inverse rotation
    np.testing.assert_allclose(framing.turn_back(own_axes, INTRINSICS), relative, atol=1e-3)
