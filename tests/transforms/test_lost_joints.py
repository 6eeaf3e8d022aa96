"""Joints lost at the end go on with the body."""

from __future__ import annotations

import numpy as np
import pytest
from moving_people import LAYOUT, bone_lengths, walker

from kinegraph.skeleton import Skeleton
from kinegraph.transforms.lost_joints import carry_on, lost_at_the_end

WRIST, ELBOW = LAYOUT.index("left_wrist"), LAYOUT.index("left_elbow")
ARM = [ELBOW]
for _joint in range(ELBOW + 1, LAYOUT.num_joints):
    ARM += [_joint] if LAYOUT.parents[_joint] in ARM else []


@pytest.mark.parametrize(("lost", "share"), [(1, 0.6), (4, 0.6), (20, 0.8)])
def test_a_lost_limb_goes_on_with_the_body(lost: int, share: float) -> None:
    walk = walker(2.0, 30.0, speed=2.0).replace(rotations=None, offsets=None)
    truth = walk.positions[0]
    given = truth.copy()
    given[-lost:, ARM] = np.nan
    found = carry_on(given, LAYOUT, 30.0)
    np.testing.assert_array_equal(found[:-lost], truth[:-lost])
    held = np.linalg.norm(truth[-1, WRIST] - truth[-1 - lost, WRIST])
    assert np.linalg.norm(found[-1, WRIST] - truth[-1, WRIST]) < share * held
    lengths = bone_lengths(walk.replace(positions=found[None], confidence=None))[0]
    np.testing.assert_allclose(lengths[-1], lengths[0], atol=1e-9)


def test_gaps_and_strangers_stay() -> None:
    points = walker(1.0, 30.0).positions[0].copy()
    points[10:13, ELBOW] = np.nan
    points[:, 5] = np.nan
    assert carry_on(points, LAYOUT, 30.0) is points
    points[-2:, WRIST] = np.nan
    found = carry_on(points, LAYOUT, 30.0)
    assert np.isnan(found[10:13, ELBOW]).all()
    assert np.isnan(found[:, 5]).all()
    assert np.isfinite(found[-2:, WRIST]).all()
    since = lost_at_the_end(points)
    assert (since[WRIST], since[ELBOW], since[5]) == (2, 0, len(points))


def test_loose_points_hang_on_each_other() -> None:
    """A tree that has the root above every point says nothing of limbs."""
    walk = walker(1.0, 30.0)
    loose = Skeleton(name="points", joints=LAYOUT.joints, parents=(-1, *(0 for _ in LAYOUT.joints[1:])))
    given = walk.positions[0].copy()
    given[-3:, WRIST] = np.nan
    found = carry_on(given, loose, 30.0)
    length = np.linalg.norm(found[:, WRIST] - found[:, ELBOW], axis=-1)
    np.testing.assert_allclose(length, length[0], atol=1e-6)
