"""Poses of one window: the right instants, the truth's own positions, and errors that can be worked out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from motion_files import write_recordings

from kinegraph.datasets import cmu_actions
from kinegraph.evaluation.forecast_poses import pose_strip, strip_report
from kinegraph.evaluation.forecasting import load_forecast_method
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("cmu"))


@pytest.mark.parametrize(
    ("name", "representation", "observed"),
    [("cmu-euler-64", None, 50), ("cmu-mpjpe", "expmap", 10), ("cmu-mpjpe", "positions", 10)],
)
def test_truth_and_errors(recordings, name, representation, observed):
    protocol = load_forecast_protocol(name, recordings, representation=representation)
    zero = load_forecast_method("zero-velocity")
    windows = protocol.actions["walking"]
    futures = {  # what a method that knows the future would answer
        "expmap": None if name == "cmu-mpjpe" else windows.truth[2:3, 50:, 3:].reshape(1, 25, 38, 3),
        "positions": windows.truth[2:3, 10:] if name == "cmu-mpjpe" else None,
    }[protocol.representation]
    methods = [zero]
    if futures is not None:
        joints = [cmu_actions.get_skeleton("cmu38").index(joint) for joint in protocol.skeleton.joints]
        methods.append(dataclasses.replace(zero, label="knows", forecast=lambda _f, h: futures[:, :h, joints]))
    strip = pose_strip(methods, protocol, "walking", window=2)
    assert strip.labels_ms == tuple(range(80, 961, 80))
    assert strip.elapsed_ms[0] == pytest.approx(1000 * 2 / 60)
    rows = cmu_actions.read_clip(cmu_actions.survey(recordings).test["walking/walking_1"])[::2]
    start = cmu_actions.protocol_starts(len(rows))[2] if observed == 50 else 2
    whole = cmu_actions.positions_of(rows[start : start + observed + 25])
    if representation == "positions":
        whole = whole[:, [cmu_actions.get_skeleton("cmu38").index(joint) for joint in protocol.skeleton.joints]]
    future = whole[observed + 1 :: 2]
    np.testing.assert_allclose(strip.truth, future, atol=1e-8)
    np.testing.assert_allclose(strip.observed, whole[observed - 1], atol=1e-8)
    expected = 1000 * np.linalg.norm(whole[observed - 1] - future, axis=-1).mean(axis=-1)
    np.testing.assert_allclose(strip.errors_mm("zero-velocity"), expected, atol=1e-4)
    if futures is not None:
        np.testing.assert_allclose(strip.errors_mm("knows"), 0, atol=1e-6)
    assert "truly 33, 67" in strip_report(strip)
    if representation is None:  # a protocol at its true rate, with instants rounded to milliseconds
        true = dataclasses.replace(protocol, fps=30.0, frames=(0, 1, 2, 24), times_ms=(33, 67, 100, 833))
        labels = pose_strip([zero], true, "walking", window=2, every_ms=100 / 3).labels_ms
        assert labels[:6] == (33, 67, 100, 133, 167, 200)
