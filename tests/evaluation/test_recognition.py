"""Recognition on windows: counted by hand on made-up recordings; fusion; what is refused."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError, DataError, KinegraphError, SkeletonError
from kinegraph.evaluation.motion_tables import recognition_report
from kinegraph.evaluation.recognition import (
    RecognitionMethod,
    evaluate_recognition,
    fuse,
    load_recognition_method,
)

JOINTS = cmu_actions.network_skeleton("expmap").joints
CLASSES = ("walking", *(action for action in cmu_actions.ACTIONS if action != "walking"))


@pytest.fixture
def made(tmp_path):
    """Two test clips whose first moving angle counts the frames: 60 and 53 decimated frames, so 11 and 4 windows."""
    for action, frames in (("walking", 120), ("soccer", 106), ("washwindow", 200)):
        place = tmp_path / "test" / action
        place.mkdir(parents=True)
        rows = np.zeros((frames, 117))
        rows[:, 9] = np.arange(frames) // 2
        np.savetxt(place / f"{action}_1.txt", rows, delimiter=",", fmt="%.9g")
    return tmp_path


def method(logits, **changes):
    settings = {
        "label": "made",
        "logits": logits,
        "joints": JOINTS,
        "representation": "expmap",
        "observed": 50,
        "fps": 60.0,
        "actions": CLASSES,
    }
    return RecognitionMethod(**(settings | changes))


def by_start(features):
    """Says walking for windows from frame 0 and 1, soccer from 2 and 3, washwindow after; walking always second."""
    start = features[:, 0, JOINTS.index("left_hip"), 0].round().astype(int)
    scores = np.zeros((len(features), 8))
    scores[:, CLASSES.index("walking")] = 1.0
    scores[start >= 2, CLASSES.index("soccer")] = 2.0
    scores[start >= 4, CLASSES.index("soccer")] = 0.5
    scores[start >= 4, CLASSES.index("washwindow")] = 2.0
    return scores


def test_windows_are_counted_by_action(made):
    result = evaluate_recognition(method(by_start), "cmu-8", made)
    assert result.counts == {"soccer": 4, "walking": 11}
    assert result.per_class == pytest.approx({"soccer": 50.0, "walking": 100 * 2 / 11})
    assert result.top1 == pytest.approx((50 + 100 * 2 / 11) / 2)
    assert result.pooled_top1 == pytest.approx(100 * 4 / 15)
    assert result.per_class_top5["walking"] == 100.0
    soccer, walking = (result.confusion[CLASSES.index(action)] for action in ("soccer", "walking"))
    assert [soccer[CLASSES.index(a)] for a in ("walking", "soccer", "washwindow")] == [2, 2, 0]
    assert [walking[CLASSES.index(a)] for a in ("walking", "soccer", "washwindow")] == [2, 2, 7]
    assert set(result.missing) == set(cmu_actions.ACTIONS) - {"soccer", "walking"}
    content = json.loads(json.dumps(result.to_json()))
    assert {"top1", "top5", "per_class", "confusion", "protocol", "model"} <= set(content)
    report = recognition_report([result])
    assert "50.0" in report
    assert "98.8" in report  # the printed row


def test_a_shorter_look_sees_the_end_of_the_window(made):
    seen = []

    def logits(features):
        seen.append(features[:, :, JOINTS.index("left_hip"), 0])
        return np.zeros((len(features), 8))

    result = evaluate_recognition(method(logits, observed=20), "cmu-8", made)
    np.testing.assert_allclose(seen[0], np.arange(4)[:, None] + np.arange(30, 50))
    assert result.top1 == 0  # equal scores are no answer


def test_fusion_is_the_weighted_sum_of_logits(made):
    def always(action, height):
        scores = np.zeros(8)
        scores[CLASSES.index(action)] = height
        return lambda features: np.tile(scores, (len(features), 1))

    results = [
        evaluate_recognition(method(always(action, height), label=action), "cmu-8", made)
        for action, height in (("walking", 1.0), ("soccer", 3.0))
    ]
    for weights, winner in (((0.5, 0.5), "soccer"), ((0.8, 0.2), "walking"), ((1.0, 0.0), "walking")):
        fused = fuse(results, weights)
        assert fused.per_class[winner] == 100.0
        assert fused.top1 == 50.0
    assert "0.8 x walking + 0.2 x soccer" in fuse(results, (0.8, 0.2)).label
    for weights in ((1.0,), (1.0, -1.0), (0.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(ConfigError):
            fuse(results, weights)
    other = dataclasses.replace(results[1], classes=tuple(reversed(CLASSES)))
    with pytest.raises(DataError, match="do not fuse"):
        fuse([results[0], other], (0.5, 0.5))


@pytest.mark.parametrize(
    ("changes", "arguments", "error", "message"),
    [
        ({}, {"protocol": "cmu-9"}, ConfigError, "did you mean 'cmu-8'"),
        ({}, {"source": None}, ConfigError, "--data DIR"),
        ({}, {"split": "train"}, ConfigError, "split test or val"),
        ({"observed": 51}, {}, ConfigError, "looks at 51 frames, cmu-8 gives 50"),
        ({"fps": 30.0}, {}, ConfigError, "30 fps"),
        ({"joints": ("pelvis", "tail")}, {}, SkeletonError, "needs joint 'tail'"),
        ({"actions": ("walking",)}, {}, DataError, "has no class 'soccer'"),
        ({"logits": lambda x: np.zeros((len(x), 3))}, {}, DataError, "answered"),
    ],
)
def test_what_does_not_fit_is_refused(made, changes, arguments, error, message):
    settings = {"protocol": "cmu-8", "source": made} | arguments
    with pytest.raises(error, match=message):
        evaluate_recognition(method(**({"logits": by_start} | changes)), **settings)


def test_no_folder_is_no_method(tmp_path):
    with pytest.raises(KinegraphError, match="no weights folder"):
        load_recognition_method("zero-velocity")
    with pytest.raises(KinegraphError, match="not a weights folder"):
        load_recognition_method(tmp_path)
