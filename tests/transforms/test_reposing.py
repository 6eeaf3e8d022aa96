"""A known rig posed anew, against rotations that are known and against the fit of a whole recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from moving_people import body, walker

from kinegraph.geometry.rotations import quaternion_rotate
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.motion_features import RotationFeatures
from kinegraph.transforms.posed_body import PosedBody, posed_body
from kinegraph.transforms.reposing import KnownRig, global_rotations

FPS = 60.0


@pytest.fixture(scope="module", params=["cmu38", "h36m17"])
def fitted(request: pytest.FixtureRequest) -> PosedBody:
    """A walk as it is fitted from its positions alone; only h36m17's root has bones of its own."""
    positions = walker(2.0).replace(rotations=None, offsets=None)
    if request.param == "cmu38":
        return posed_body(positions)
    # pelvis and thorax where the rig branches: in line with two hips or shoulders they leave turns to small bones
    branching = replace(positions.skeleton, landmarks={"nose": {"neck": 1.0}})
    return posed_body(positions.replace(skeleton=branching).to_skeleton(get_skeleton(request.param)))


def rig_of(fitted: PosedBody) -> KnownRig:
    skeleton = body(trajectory=True)
    return KnownRig(fitted, skeleton, np.zeros((skeleton.num_joints, 3)))


def test_global_rotations_are_products_down_the_tree(fitted: PosedBody) -> None:
    turned = global_rotations(fitted.rotations, fitted.rig)
    vector = np.array([0.3, -0.2, 0.9])
    for joint in range(fitted.rig.num_joints):
        expected, at = np.tile(vector, (len(turned), 1)), joint
        while at >= 0:  # from the joint up to the root
            expected = quaternion_rotate(fitted.rotations[:, at], expected)
            at = fitted.rig.parents[at]
        np.testing.assert_allclose(quaternion_rotate(turned[:, joint], vector), expected, atol=1e-9)


def test_bones_point_where_the_positions_are(fitted: PosedBody) -> None:
    """Also those of another motion, on the same limbs."""
    rig = rig_of(fitted)
    other = fitted.positions(fitted.rotations[::-1])
    for points in (fitted.positions(), other):
        turns = rig.turns(points, FPS)
        for joint, parent in enumerate(fitted.rig.parents):
            length = np.linalg.norm(fitted.offsets[joint])
            if parent < 0 or length < 1e-9:
                continue
            bone = points[:, joint] - points[:, parent]
            made = quaternion_rotate(turns[:, parent], fitted.offsets[joint])
            assert np.abs(made - bone).max() < 0.02, fitted.rig.joints[joint]


def test_posed_anew_it_turns_as_in_the_fit(fitted: PosedBody) -> None:
    turns, fit = rig_of(fitted).turns(fitted.positions(), FPS), global_rotations(fitted.rotations, fitted.rig)
    np.testing.assert_allclose(np.abs((turns * fit).sum(axis=-1)), 1.0, atol=1e-5)  # 0.5 degrees, either sign


def test_features_are_those_of_the_rotations(fitted: PosedBody) -> None:
    rig, points = rig_of(fitted), fitted.positions()
    found = rig.features(points[:, fitted.shown], FPS, 0.0)
    expected = RotationFeatures(fitted, rig.network, rig.mean)
    np.testing.assert_allclose(found.encode(), expected.encode(), atol=1e-3)
    np.testing.assert_allclose(found.body.positions(), points, atol=1e-3)
