"""What a lifter sees: scaling, confidence, missing joints, and the way back. The pixel formulas themselves are
compared with an independent reference in tests/evaluation/test_protocol_reference.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinegraph.errors import ConfigError, DataError
from kinegraph.transforms.lifting import LiftingTransform

RNG = np.random.default_rng(0)
SIZE = np.array([1000.0, 800.0])
INTRINSICS = np.array([1150.0, 1140.0, 505.0, 396.0])


def person(count: int = 4) -> np.ndarray:
    """Camera-space joints of people 4-6 m away, metres."""
    centre = RNG.uniform([-0.5, -0.5, 4], [0.5, 0.5, 6], size=(count, 1, 3))
    return centre + RNG.normal(scale=0.3, size=(count, 17, 3))


def project(camera: np.ndarray) -> np.ndarray:
    return camera[..., :2] / camera[..., 2:] * INTRINSICS[:2] + INTRINSICS[2:]


def test_screen_maps_the_image_to_the_papers_range() -> None:
    corners = np.zeros((17, 2))
    corners[1] = SIZE
    corners[2] = SIZE / 2
    x = LiftingTransform(target="pixel").encode_inputs(corners, np.ones(17), SIZE)
    np.testing.assert_allclose(x[:3], [[-1, -0.8], [1, 0.8], [0, 0]], atol=1e-7)


@given(st.floats(0.05, 20), st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_box_forgets_where_and_how_large_the_person_is(scale: float, dx: float, dy: float) -> None:
    transform = LiftingTransform(normalise="box")
    keypoints = project(person(1))[0]
    moved = keypoints * scale + [dx, dy]
    a = transform.encode_inputs(keypoints, np.ones(17), SIZE)
    b = transform.encode_inputs(moved, np.ones(17), SIZE * 7)
    np.testing.assert_allclose(a, b, atol=1e-4)
    assert np.abs(a).max() == pytest.approx(1, abs=1e-5)


def test_box_ignores_missing_joints_and_survives_having_none() -> None:
    transform = LiftingTransform(normalise="box", confidence=True)
    keypoints = project(person(3))
    confidence = np.ones((3, 17))
    confidence[0, 4] = 0
    keypoints[0, 4] = np.nan
    confidence[1] = 0
    confidence[2, 1:] = 0
    x = transform.encode_inputs(keypoints, confidence, np.broadcast_to(SIZE, (3, 2)))
    assert np.isfinite(x).all()
    assert x.shape == (3, 17, 3)
    np.testing.assert_array_equal(x[0, 4], 0)
    np.testing.assert_array_equal(x[1], 0)
    rest = np.delete(keypoints[0], 4, axis=0)
    np.testing.assert_allclose(
        np.delete(x[0], 4, axis=0)[:, :2],
        (rest - (rest.min(0) + rest.max(0)) / 2) / ((rest.max(0) - rest.min(0)).max() / 2),
        atol=1e-5,
    )


def test_confidence_is_the_third_channel() -> None:
    confidence = RNG.uniform(0.1, 1, size=17)
    transform = LiftingTransform(confidence=True)
    assert transform.channels == 3
    x = transform.encode_inputs(project(person(1))[0], confidence, SIZE)
    np.testing.assert_allclose(x[:, 2], confidence, rtol=1e-6)


@pytest.mark.parametrize("target", ["pixel", "metric"])
def test_decoding_undoes_encoding(target: Any) -> None:
    transform = LiftingTransform(target=target)
    camera = person(6)
    intrinsics, size = np.broadcast_to(INTRINSICS, (6, 4)), np.broadcast_to(SIZE, (6, 2))
    encoded = transform.encode_targets(camera, intrinsics, size)
    decoded = transform.decode(encoded, intrinsics, size, camera[:, 0, 2])
    expected = camera if target == "pixel" else camera - camera[:, :1]
    np.testing.assert_allclose(decoded, expected, atol=1e-5)


def test_pixel_targets_begin_with_the_input() -> None:
    # So the network's xy can be a correction, as LCN has it: with exact 2D the correction is nothing.
    transform = LiftingTransform(target="pixel")
    camera = person(1)[0]
    target = transform.encode_targets(camera, INTRINSICS, SIZE)
    np.testing.assert_allclose(target[:, :2], transform.encode_inputs(project(camera), np.ones(17), SIZE), atol=1e-6)
    assert target[0, 2] == 0
    assert transform.residual
    assert not LiftingTransform(target="metric").residual


def test_mistakes_are_refused() -> None:
    keypoints = np.zeros((17, 2))
    keypoints[3, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        LiftingTransform().encode_inputs(keypoints, np.ones(17), SIZE)
    with pytest.raises(DataError, match="needs intrinsics, image size and the true root depth"):
        LiftingTransform(target="pixel").decode(np.zeros((17, 3)))
    for options in ({"target": "px"}, {"normalise": "boxes"}, {"target": "pixel", "normalise": "box"}, {"scale": 0.0}):
        with pytest.raises(ConfigError, match="transform\\."):
            LiftingTransform(**options)  # type: ignore[arg-type]
