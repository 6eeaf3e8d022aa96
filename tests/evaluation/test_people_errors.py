"""Errors by person: offsets that are known, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kinegraph.datasets import synthetic
from kinegraph.evaluation import people_errors as module
from kinegraph.evaluation.lifting import evaluate_lifting
from kinegraph.evaluation.people_errors import people_errors, people_report
from kinegraph.evaluation.predict import load_lifting_method


@pytest.fixture(scope="module")
def data() -> Any:
    return synthetic.load("test").subset(np.arange(0, 6000, 10))


def test_mpjpe_is_what_evaluate_says_of_each_person(data: Any) -> None:
    method = load_lifting_method("flat")
    found = people_errors(method, data, "synthetic-lifting", flip_test=False)
    plain = evaluate_lifting(method, data, "synthetic-lifting", flip_test=False)
    assert {one.person: one.mpjpe_mm for one in found} == pytest.approx(plain.per_subject)
    assert sum(one.poses for one in found) == len(data)
    assert all(one.without_offsets_mm < one.mpjpe_mm for one in found)


def test_a_joint_that_lies_elsewhere_in_the_body_is_an_offset_and_nothing_else(
    data: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    skeleton, truth = data.skeleton, data.camera_m.astype(np.float64)
    moved = truth.copy()
    for pose in range(len(truth)):  # 30 mm to the left and 10 mm forward, by hand
        hips = truth[pose, skeleton.index("left_hip")] - truth[pose, skeleton.index("right_hip")]
        left = hips / np.linalg.norm(hips)
        up = truth[pose, skeleton.index("thorax")] - truth[pose, skeleton.root]
        up = up - (up @ left) * left
        forward = np.cross(left, up / np.linalg.norm(up))
        moved[pose, skeleton.index("head")] += 0.03 * left + 0.01 * forward
    monkeypatch.setattr(module, "answers", lambda *_, **__: (moved, truth))
    for one in people_errors(load_lifting_method("flat"), data, "synthetic-lifting"):
        assert one.without_offsets_mm == pytest.approx(0, abs=1e-6)
        assert one.offsets_mm["head"] == pytest.approx((30, 0, 10), abs=1e-6)
        assert one.offsets_mm["left_knee"] == pytest.approx((0, 0, 0), abs=1e-9)
        assert one.mpjpe_mm == pytest.approx(np.hypot(30, 10) / skeleton.num_joints)


def test_tables_have_a_column_for_each_person(data: Any) -> None:
    found = people_errors(load_lifting_method("flat"), data, "synthetic-lifting", flip_test=False)
    table = people_report([found], markdown=True).splitlines()
    assert table[0].count("|") == 2 + len(found)
    assert table[-1].startswith("note: mean over the poses of each person (")
