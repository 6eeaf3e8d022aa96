"""The world with y up and the ground under a person, against loops over people, frames and joints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kinegraph.axes import ground, turned_y_up, y_up
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

SKELETON = get_skeleton("h36m17")
SPACES: list[dict[str, Any]] = [
    {"space": "world", "up": "y"},
    {"space": "world", "up": "z"},
    {"space": "world", "up": None},
    {"space": "camera"},
]


def _upright(point: np.ndarray, space: str, up: str | None) -> list[float]:
    x, y, z = (float(value) for value in point)
    if space == "camera":  # y down, z away from the camera
        return [x, -y, -z]
    return [x, z, -y] if up == "z" else [x, y, z]


def _sequence(frames: int = 250, **fields: Any) -> SkeletonSequence:
    positions = np.random.default_rng(0).normal(size=(3, frames, 17, 3))
    positions[0, ::7, 4] = np.nan
    positions[1, : frames // 2] = np.nan
    positions[2] = np.nan
    return SkeletonSequence(positions, SKELETON, fps=30.0, **fields)


@pytest.mark.parametrize("fields", SPACES)
def test_turned_y_up_turns_every_point(fields: dict[str, Any]) -> None:
    given = _sequence(frames=4, **fields)
    turned = turned_y_up(given)
    assert (turned.space, turned.up, turned.rotations) == ("world", "y", None)
    for index in np.ndindex(given.positions.shape[:3]):
        expected = _upright(given.positions[index], given.space, given.up)
        np.testing.assert_allclose(turned.positions[index], expected)
    assert np.linalg.det(y_up(given)) == pytest.approx(1)  # nobody is seen in a mirror


@pytest.mark.parametrize("fields", SPACES)
def test_the_ground_is_the_lowest_joint_but_for_a_hundredth_of_frames(fields: dict[str, Any]) -> None:
    given = _sequence(**fields)
    for person, found in enumerate(ground(given)):
        lowest = []
        for pose in given.positions[person]:
            heights = [_upright(point, given.space, given.up)[1] for point in pose if np.isfinite(point).all()]
            if heights:
                lowest.append(min(heights))
        if not lowest:
            assert found == 0
            continue
        lowest.sort()
        at = 0.01 * (len(lowest) - 1)
        below = math.floor(at)
        assert found == pytest.approx(lowest[below] + (at - below) * (lowest[below + 1] - lowest[below]))
