"""The four streams against loops over frames and joints, for several skeletons."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.errors import ConfigError, SkeletonError
from kinegraph.skeleton import get_skeleton
from kinegraph.transforms.streams import STREAMS, stream, stream_confidence


def slow(x, name, skeleton):
    people, frames = x.shape[:2]
    bones = np.zeros_like(x)
    for m in range(people):
        for t in range(frames):
            for j, parent in enumerate(skeleton.parents):
                if name.startswith("joint"):
                    bones[m, t, j] = x[m, t, j]
                elif parent >= 0:
                    bones[m, t, j] = x[m, t, j] - x[m, t, parent]
                else:
                    bones[m, t, j] = x[m, t, j] * 0
    if not name.endswith("motion"):
        return bones
    moved = np.zeros_like(x)
    for t in range(frames - 1):
        moved[:, t] = bones[:, t + 1] - bones[:, t]
    moved[:, -1] = bones[:, -1] * 0
    return moved


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(("layout", "dims"), [("ntu25", 3), ("coco17", 2), ("hdm05_31", 3)])
def test_against_loops(name, layout, dims) -> None:
    skeleton = get_skeleton(layout)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, skeleton.num_joints, dims))
    x[0, 2, 3] = np.nan
    x[1, 4] = np.nan
    before = x.copy()
    np.testing.assert_array_equal(stream(x, name, skeleton), slow(x, name, skeleton))
    np.testing.assert_array_equal(x, before)


def test_ntu_bones_are_those_of_the_paper() -> None:
    pairs = [(1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11),
             (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19), (22, 23), (23, 8), (24, 25),
             (25, 12)]  # fmt: skip
    x = np.random.default_rng(0).normal(size=(1, 1, 25, 3))
    expected = np.zeros((25, 3))
    for child, parent in pairs:
        expected[child - 1] = x[0, 0, child - 1] - x[0, 0, parent - 1]
    np.testing.assert_array_equal(stream(x, "bone", get_skeleton("ntu25"))[0, 0], expected)


def test_confidence_is_the_mean_of_what_a_value_is_made_from() -> None:
    skeleton = get_skeleton("coco17")
    c = np.random.default_rng(0).random((1, 3, 17))
    joint = next(j for j, parent in enumerate(skeleton.parents) if parent >= 0)
    parent = skeleton.parents[joint]
    assert stream_confidence(c, "joint", skeleton) is c
    assert stream_confidence(c, "bone", skeleton)[0, 1, joint] == (c[0, 1, joint] + c[0, 1, parent]) / 2
    assert stream_confidence(c, "bone", skeleton)[0, 1, skeleton.root] == c[0, 1, skeleton.root]
    moved = stream_confidence(c, "joint-motion", skeleton)
    assert moved[0, 0, joint] == (c[0, 0, joint] + c[0, 1, joint]) / 2
    assert moved[0, 2, joint] == c[0, 2, joint]


def test_what_is_refused() -> None:
    x = np.zeros((1, 2, 25, 3))
    with pytest.raises(ConfigError, match="did you mean 'joint-motion'"):
        stream(x, "joint_motion", get_skeleton("ntu25"))
    with pytest.raises(SkeletonError, match="25 joints; 'coco17' has 17"):
        stream(x, "joint", get_skeleton("coco17"))
