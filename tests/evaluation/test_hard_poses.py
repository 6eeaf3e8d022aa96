"""Hard poses: a case worked out by hand, a slow reference, and the pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from kinegraph.errors import DataError
from kinegraph.evaluation import analyse, evaluate_lifting, from_results
from kinegraph.evaluation.hard_pose_pictures import draw
from kinegraph.evaluation.hard_poses import HISTOGRAM_MM, hardest, report


def test_by_hand():
    a = np.array([10.0, 50.0, 70.0, 30.0, 41.0, 40.0, 20.0, 15.0, 5.0, 60.0])
    b = np.array([90.0, 10.0, 20.0, 30.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0])
    hard = analyse({"a": a, "b": b}, shares=(50, 20, 10, 5))
    # strictly above 40: 50 70 41 60; strictly above 60: 70
    assert hard.above[0].tolist() == [40.0, 10.0]
    assert hard.above[1].tolist() == [10.0, 10.0]
    # a's own hardest half: 70 60 50 41 40; b on those same poses: 20 10 10 10 10
    assert hard.cross_mm[0, 0, 0] == pytest.approx((70 + 60 + 50 + 41 + 40) / 5)
    assert hard.cross_mm[0, 0, 1] == pytest.approx((20 + 10 + 10 + 10 + 10) / 5)
    # a on b's hardest two (90, 30): 10 and 30
    assert hard.cross_mm[1, 1, 0] == pytest.approx(20.0)
    assert hard.hardest_5_mm.tolist() == [70.0, 90.0]  # at least one pose
    assert hard.overlap.tolist() == [[100.0, 0.0], [0.0, 100.0]]


def test_against_sorting():
    rng = np.random.default_rng(0)
    errors = {name: rng.gamma(4.0, 12.0, size=400) for name in ("fcn", "lcn", "hcsf")}
    hard = analyse(errors)
    assert hard.shares == (50.0, 35.0, 20.0, 10.0, 5.0)
    for s, share in enumerate(hard.shares):
        count = round(400 * share / 100)
        for i, own in enumerate(errors):
            order = sorted(range(400), key=lambda k: -errors[own][k])[:count]
            for j, other in enumerate(errors):
                assert hard.cross_mm[s, i, j] == pytest.approx(sum(errors[other][k] for k in order) / count)
    np.testing.assert_allclose(hard.hardest_5_mm, [hard.cross_mm[4, i, i] for i in range(3)])
    for i in range(3):
        # a method's own hardest poses are worse for it than any other set of that size
        assert (np.diagonal(hard.cross_mm, axis1=1, axis2=2)[:, i] >= hard.cross_mm[:, :, i].max(axis=1) - 1e-9).all()


def test_the_histogram_loses_no_pose():
    errors = np.array([0.0, 4.9, 5.0, 199.0, 200.0, 5000.0])
    hard = analyse({"m": errors})
    assert hard.histogram.shape == (1, len(HISTOGRAM_MM))
    np.testing.assert_allclose(hard.histogram.sum(), 100.0)
    counts = hard.histogram[0] / 100 * 6
    assert counts[[0, 1, 39, 40]].round().tolist() == [2, 1, 1, 2]


def test_hardest_is_ordered_and_stable():
    assert hardest(np.array([1.0, 3.0, 3.0, 2.0]), 75).tolist() == [1, 2, 3]
    with pytest.raises(DataError, match="share of 0"):
        hardest(np.ones(3), 0)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ({}, "no methods"),
        ({"a": np.ones(3), "b": np.ones(4)}, "different numbers"),
        ({"a": np.array([1.0, np.nan])}, "not finite"),
        ({"a": np.ones(0)}, "different numbers"),
    ],
)
def test_refusals(errors, message):
    with pytest.raises(DataError, match=message):
        analyse(errors)


def test_results_must_belong_together(data, remembering):
    first = evaluate_lifting(remembering("pixel", 0.01, label="a"), data, "mocap-lifting")
    second = evaluate_lifting(remembering("pixel", 0.02, label="b"), data, "mocap-lifting")
    hard = from_results([first, second])
    assert hard.methods == ("a", "b")
    with pytest.raises(DataError, match="called the same"):
        from_results([first, first])
    with pytest.raises(DataError, match="one table"):
        from_results([first, evaluate_lifting(remembering("metric", 0.01, label="c"), data, "mocap-lifting")])


def test_report_and_json_have_the_same_numbers():
    hard = analyse({"a": np.linspace(1, 100, 40), "b": np.linspace(60, 2, 40)})
    content = hard.to_json()
    json.dumps(content)
    text = report(hard)
    assert f"{content['hardest_5_percent_mm']['a']:.1f}" in text
    assert f"{content['cross_mm']['20']['b']['a']:.1f}" in text
    assert f"{content['percent_above']['40mm']['b']:.1f} %" in text
    assert report(hard, markdown=True).count("\n|") > 8


def test_pictures(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    hard = analyse({name: rng.gamma(4.0, 12.0, size=300) for name in ("fcn", "lcn", "hcsf", "hcsf_a")})
    paths = draw(hard, tmp_path, title="test")
    assert [path.name for path in paths] == ["error_histogram.png", "hardest_poses.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)  # no temporary files left
    for path in paths:
        pixels = np.asarray(Image.open(path).convert("L"), dtype=float)
        assert pixels.shape[1] > 600
        assert pixels.std() > 5  # something is drawn
