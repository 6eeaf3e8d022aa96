"""Maps between layouts: by name, with derived joints, missing ones and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph import Skeleton, get_skeleton, map_joints, skeleton_names
from kinegraph.errors import DataError, SkeletonError


@pytest.mark.parametrize("name", skeleton_names())
def test_every_layout_maps_to_h36m(name: str) -> None:
    mapping = map_joints(get_skeleton(name), get_skeleton("h36m17"))
    assert "missing" not in mapping.status
    np.testing.assert_allclose(mapping.weights.sum(axis=1), 1.0)
    # A map commutes with the body's mirror: left stays left.
    source, target = np.array(get_skeleton(name).mirror), np.array(get_skeleton("h36m17").mirror)
    np.testing.assert_allclose(mapping.weights[target][:, source], mapping.weights)


def test_coco_to_h36m_by_hand() -> None:
    coco = get_skeleton("coco17")
    x = np.random.default_rng(0).normal(size=(5, 17, 2))
    y, confidence = map_joints(coco, get_skeleton("h36m17")).apply(x)
    h36m = get_skeleton("h36m17").index
    np.testing.assert_allclose(y[:, h36m("pelvis")], (x[:, 11] + x[:, 12]) / 2)
    np.testing.assert_allclose(y[:, h36m("thorax")], (x[:, 5] + x[:, 6]) / 2)
    np.testing.assert_allclose(y[:, h36m("spine")], (x[:, 5] + x[:, 6] + x[:, 11] + x[:, 12]) / 4)
    np.testing.assert_allclose(y[:, h36m("right_ankle")], x[:, 16])
    assert (confidence == 1).all()


def test_missing_sources_stay_missing() -> None:
    coco = get_skeleton("coco17")
    x = np.zeros((1, 17, 2))
    confidence = np.ones((1, 17))
    confidence[0, coco.index("left_hip")] = 0
    x[0, coco.index("left_hip")] = np.nan
    confidence[0, coco.index("left_shoulder")] = 0.3
    mapping = map_joints(coco, get_skeleton("h36m17"))
    y, c = mapping.apply(x, confidence)
    h36m = get_skeleton("h36m17").index
    for joint in ("pelvis", "left_hip", "spine"):
        assert c[0, h36m(joint)] == 0
        assert np.isnan(y[0, h36m(joint)]).all()
    assert c[0, h36m("thorax")] == pytest.approx(0.3)
    assert np.isfinite(y[0, h36m("thorax")]).all()


def test_report_says_what_is_what() -> None:
    report = map_joints(get_skeleton("ntu25"), get_skeleton("coco17")).report()
    assert "missing (left_eye" in report.splitlines()[0].replace("missing (nose, ", "missing (")
    assert "left_knee        exact    left_knee" in report


def test_native_names_are_found_through_landmarks() -> None:
    mapping = map_joints(get_skeleton("h36m17"), get_skeleton("cmu31"))
    cmu = get_skeleton("cmu31")
    row = mapping.weights[cmu.index("lfemur")]
    assert row[get_skeleton("h36m17").index("left_knee")] == 1


def test_too_little_is_refused() -> None:
    hand = Skeleton.from_dict({"name": "hand", "joints": {"left_wrist": "", "left_thumb": "left_wrist"}})
    with pytest.raises(SkeletonError, match="only 6% of the joints of 'h36m17' can be had from 'hand'") as caught:
        map_joints(hand, get_skeleton("h36m17"))
    assert "your own joints (left_wrist, left_thumb), say what they stand for in a TOML file with [land" in str(
        caught.value
    )
    many = Skeleton.from_dict({"name": "rope", "joints": {f"j{i}": f"j{i - 1}" if i else "" for i in range(100)}})
    with pytest.raises(SkeletonError, match=r"j28, j29, \.\.\.\)"):
        map_joints(many, get_skeleton("h36m17"))


def test_wrong_joint_count_is_refused() -> None:
    with pytest.raises(DataError, match="have 18 joints, but skeleton 'coco17' has 17"):
        map_joints(get_skeleton("coco17"), get_skeleton("h36m17")).apply(np.zeros((1, 18, 2)))
