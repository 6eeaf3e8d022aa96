"""Two-bone inverse kinematics against a limb that is bent and swung by rotations, one at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinegraph.geometry.two_bone import bend_direction, two_bone

NUMBER = st.floats(-1.0, 1.0, allow_nan=False)
PLACE = st.tuples(NUMBER, NUMBER, NUMBER).map(np.array)


def turn(start: np.ndarray, end: np.ndarray) -> Rotation:
    """The shortest rotation from one direction to another."""
    axis = np.cross(start, end)
    angle = math.atan2(float(np.linalg.norm(axis)), float(start @ end))
    return Rotation.from_rotvec(axis / max(float(np.linalg.norm(axis)), 1e-300) * angle)


def reference(hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, ...]:
    """Bend the knee about its own hinge until hip and ankle are as far apart as wanted, then swing the whole limb."""
    thigh, shank = knee - hip, ankle - knee
    a, b = float(np.linalg.norm(thigh)), float(np.linalg.norm(shank))
    reach = min(max(float(np.linalg.norm(target - hip)), abs(a - b)), a + b)
    hinge = np.cross(thigh, shank)
    hinge = hinge / np.linalg.norm(hinge)
    now = math.atan2(float(np.linalg.norm(np.cross(thigh, shank))), float(thigh @ shank))
    wanted = math.acos(min(max((reach**2 - a**2 - b**2) / (2 * a * b), -1.0), 1.0))
    new = thigh + Rotation.from_rotvec(hinge * (wanted - now)).apply(shank)
    # bent, the line from hip to ankle has turned in the plane of the limb: the line that was there is swung instead
    level = turn(new, ankle - hip)
    swing = turn(ankle - hip, target - hip)
    return hip + swing.apply(level.apply(thigh)), hip + swing.apply(level.apply(new))


def bent(hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray) -> float:
    """How far a knee is off the line from hip to ankle, as a share of the thigh."""
    line = ankle - hip
    return float(np.linalg.norm(np.cross(knee - hip, line)) / np.linalg.norm(line) / np.linalg.norm(knee - hip))


@given(hip=PLACE, thigh=PLACE, shank=PLACE, away=PLACE)
def test_bends_and_swings_as_the_reference(
    hip: np.ndarray, thigh: np.ndarray, shank: np.ndarray, away: np.ndarray
) -> None:
    knee, ankle = hip + thigh, hip + thigh + shank
    line = ankle - hip
    assume(min(np.linalg.norm(v) for v in (thigh, shank, line, away)) > 0.05)
    assume(bent(hip, knee, ankle) > 0.06)  # nearer to straight the limb around it has a say
    assume(float(away @ line) > -0.9 * np.linalg.norm(away) * np.linalg.norm(line))  # which half turn is the shortest?
    target = hip + away
    expected = reference(hip, knee, ankle, target)
    found = two_bone(hip[None], knee[None], ankle[None], target[None])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one[0], other, atol=1e-6)


@given(hip=PLACE, thigh=PLACE, shank=PLACE, target=PLACE, side=PLACE)
def test_lengths_stay_and_targets_within_reach_are_reached(
    hip: np.ndarray, thigh: np.ndarray, shank: np.ndarray, target: np.ndarray, side: np.ndarray
) -> None:
    a, b = float(np.linalg.norm(thigh)), float(np.linalg.norm(shank))
    assume(min(a, b) > 1e-3)
    knee, ankle = hip + thigh, hip + thigh + shank
    new_knee, new_ankle = (v[0] for v in two_bone(hip[None], knee[None], ankle[None], target[None], side[None]))
    assert np.linalg.norm(new_knee - hip) == pytest.approx(a, abs=1e-9)
    assert np.linalg.norm(new_ankle - new_knee) == pytest.approx(b, abs=1e-7)
    far = float(np.linalg.norm(target - hip))
    short = max(far - (a + b), abs(a - b) - far, 0.0)
    assert np.linalg.norm(new_ankle - target) == pytest.approx(short, abs=1e-7)


@given(thigh=PLACE, shank=PLACE, side=PLACE)
def test_where_nothing_is_asked_nothing_moves(thigh: np.ndarray, shank: np.ndarray, side: np.ndarray) -> None:
    hip = np.array([0.1, -0.3, 2.0])
    knee, ankle = hip + thigh, hip + thigh + shank
    assume(min(np.linalg.norm(v) for v in (thigh, shank, ankle - hip)) > 1e-2)
    assume(bent(hip, knee, ankle) > 0.06)
    new_knee, new_ankle = two_bone(hip[None], knee[None], ankle[None], ankle[None], side[None])
    np.testing.assert_allclose(new_knee[0], knee, atol=1e-7)
    np.testing.assert_allclose(new_ankle[0], ankle, atol=1e-9)


def test_a_straight_leg_bends_to_the_side_that_is_named() -> None:
    hip, knee, ankle = (np.array([[0.0, y, 0.0]]) for y in (0.9, 0.45, 0.0))
    forward = np.array([[0.0, 0.3, 2.0]])  # of any length, and not quite across
    bend = bend_direction(hip, knee, ankle, forward)
    np.testing.assert_allclose(bend, [[0.0, 0.0, 1.0]], atol=1e-12)
    new_knee, new_ankle = two_bone(hip, knee, ankle, np.array([[0.0, 0.1, 0.0]]), forward)
    np.testing.assert_allclose(new_ankle, [[0.0, 0.1, 0.0]], atol=1e-12)
    np.testing.assert_allclose(new_knee, [[0.0, 0.5, math.sqrt(0.45**2 - 0.4**2)]], atol=1e-12)
    # without a word it bends somewhere, and keeps its lengths
    new_knee, _ = two_bone(hip, knee, ankle, np.array([[0.0, 0.1, 0.0]]))
    assert np.linalg.norm(new_knee - hip) == pytest.approx(0.45)


def test_from_a_straight_leg_to_a_bent_one_the_side_turns_without_a_jump() -> None:
    """A knee that passes through straight: what says the side changes over gradually."""
    hip, ankle = np.array([0.0, 0.9, 0.0]), np.zeros(3)
    off = np.linspace(0.0, 0.05, 200)
    knee = np.stack([np.full(200, 0.0), np.full(200, 0.45), off], axis=-1)
    side = np.tile([1.0, 0.0, 0.0], (200, 1))
    bend = bend_direction(np.tile(hip, (200, 1)), knee, np.tile(ankle, (200, 1)), side)
    turned = np.degrees(np.arccos(np.clip((bend[1:] * bend[:-1]).sum(axis=-1), -1, 1)))
    np.testing.assert_allclose(bend[0], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(bend[-1], [0, 0, 1], atol=1e-12)
    assert turned.max() < 2
