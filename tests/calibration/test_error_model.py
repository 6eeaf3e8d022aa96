"""Stated errors against errors whose distribution is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lifting_people import BODY, keypoints, motion

import kinegraph as kg
from kinegraph.calibration.lifting import MeasuredErrors, another_body, coverage
from kinegraph.errors import DataError, FormatError
from kinegraph.inference.error_model import QUANTILES, Calibration, ErrorTable, read_calibration
from kinegraph.inference.forecast_features import (
    FORECAST_FEATURES,
    FURTHEST_S,
    canonical_joints,
    forecast_features,
)
from kinegraph.inference.lift_features import LIFT_FEATURES, lift_features
from kinegraph.shipped import FOLDER

NAMES = ("constant", "a", "b")
JOINTS = ("hip", "knee")


def world(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, log-normal errors whose scale follows them, and subjects of unequal size but like laws."""
    rng = np.random.default_rng(seed)
    x = np.concatenate([np.ones((count, 2, 1)), rng.normal(size=(count, 2, 2))], axis=-1)
    log_scale = np.array([-3.0, -2.0]) + 0.5 * x[..., 1] - 0.3 * x[..., 2]
    errors = np.exp(log_scale + 0.4 * rng.normal(size=(count, 2)))
    return x, errors, np.repeat([0, 1, 1, 1], count // 4)


def test_the_known_law_is_found() -> None:
    x, errors, who = world(0)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    np.testing.assert_allclose(table.weights[0, 0], [-3.0, 0.5, -0.3], atol=0.05)
    np.testing.assert_allclose(table.weights[0, 1], [-2.0, 0.5, -0.3], atol=0.05)
    np.testing.assert_allclose(table.weights[1, 0, 0], -3.0 + 0.4 * 1.2816, atol=0.08)
    fresh, truth, _ = world(1)
    stated = table.quantiles(fresh, table.rows(JOINTS))
    for index, quantile in enumerate(QUANTILES):
        assert (truth <= stated[..., index]).mean() == pytest.approx(quantile, abs=0.02)


def test_everybody_weighs_alike() -> None:
    x, errors, who = world(0)
    errors = np.where((who == 1)[:, None], errors * 4, errors)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    below = errors <= table.quantiles(x, table.rows(JOINTS))[..., 0]
    assert (below[who == 0].mean() + below[who == 1].mean()) / 2 == pytest.approx(0.5, abs=0.02)


def test_quantiles_are_in_order_and_the_range_is_kept() -> None:
    x, errors, who = world(2)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    far = x.copy()
    far[..., 1:] *= 1000
    stated = table.quantiles(far, table.rows(JOINTS))
    assert (stated[..., 0] <= stated[..., 1]).all()
    assert stated.max() < 20 * table.quantiles(x, table.rows(JOINTS)).max()


def test_a_joint_of_another_name_takes_what_holds_for_all() -> None:
    x, errors, who = world(0)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    assert table.rows(("knee", "tail", "hip")).tolist() == [1, 2, 0]
    stated = table.quantiles(x, table.rows(("tail", "tail")))
    assert (errors <= stated[..., 0]).mean() == pytest.approx(0.5, abs=0.02)


def people(seed: int, count: int, apart: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of some people, whose own levels differ by a standard deviation of `apart` in the logarithm."""
    x, _, _ = world(seed, 300 * count)
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(count), 300)
    level = apart * rng.normal(size=(count, 1))
    errors = np.exp(-3.0 + 0.5 * x[..., 1] + level[who] + 0.4 * rng.normal(size=(len(who), 2)))
    return x, errors, who


def test_enough_is_stated_for_three_strangers_of_four() -> None:
    x, errors, who = people(0, 40, apart=0.7)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    wider, factors = table.for_strangers(x, errors, who)
    np.testing.assert_allclose(
        wider.weights[..., 0] - table.weights[..., 0], np.log(factors)[:, None].repeat(3, axis=1)
    )
    np.testing.assert_array_equal(wider.weights[..., 1:], table.weights[..., 1:])
    fresh, truth, strangers = people(1, 200, apart=0.7)
    for index, quantile in enumerate(QUANTILES):
        below = truth <= wider.quantiles(fresh, wider.rows(JOINTS))[..., index]
        enough = [below[strangers == one].mean() >= quantile for one in range(200)]
        assert np.mean(enough) == pytest.approx(0.75, abs=0.1)


def test_people_alike_need_no_more() -> None:
    x, errors, who = people(2, 10, apart=0.0)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    np.testing.assert_allclose(table.for_strangers(x, errors, who)[1], 1.0, atol=0.06)
    with pytest.raises(DataError, match="at least two"):
        table.for_strangers(x, errors, np.zeros_like(who))


def test_too_few_errors_are_refused() -> None:
    x, errors, who = world(0, 40)
    with pytest.raises(DataError, match="give more recordings"):
        ErrorTable.fit(JOINTS, NAMES, x, errors, who)


def calibration(sha: str = "s") -> Calibration:
    x, errors, who = world(0)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    return Calibration(task="lift", sha256=sha, tables={"t": table}, about={"fitted_on": "x"})


def test_a_calibration_is_stored_and_read(tmp_path: Path) -> None:
    given = calibration()
    given.save(tmp_path)
    got, why = read_calibration(tmp_path, "s", "lift", ("t",), NAMES)
    assert got is not None
    assert why == ""
    np.testing.assert_allclose(got.tables["t"].weights, given.tables["t"].weights, atol=1e-5)
    assert got.about == {"fitted_on": "x"}


@pytest.mark.parametrize(
    ("sha", "task", "said"), [("other", "lift", "of other weights"), ("s", "forecast", "is of lift")]
)
def test_a_calibration_of_something_else_is_not_used(sha: str, task: str, said: str, tmp_path: Path) -> None:
    calibration().save(tmp_path)
    got, why = read_calibration(tmp_path, sha, task, ("t",), NAMES)
    assert got is None
    assert said in why


def test_weights_without_one_say_so(tmp_path: Path) -> None:
    got, why = read_calibration(tmp_path, "s", "lift", ("t",), NAMES)
    assert got is None
    assert "kinegraph calibrate" in why


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(format=9),
        lambda d: d.update(quantiles=[0.1]),
        lambda d: d.pop("tables"),
        lambda d: d["tables"]["t"].update(weights=[[1, 2]]),
        lambda d: d["tables"]["t"].update(low="x"),
        lambda d: d["tables"]["t"]["features"].reverse(),
        lambda d: d["tables"].update(u=d["tables"].pop("t")),
        lambda d: d.update(about=3),
    ],
)
def test_damaged_calibrations_are_refused(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = calibration().save(tmp_path)
    data = json.loads(path.read_text())
    damage(data)
    path.write_text(json.dumps(data))
    with pytest.raises(FormatError, match=r"calibrat"):
        read_calibration(tmp_path, "s", "lift", ("t",), NAMES)
    path.write_text("[")
    with pytest.raises(FormatError, match="not a calibration"):
        read_calibration(tmp_path, "s", "lift", ("t",), NAMES)


def test_coverage_counts() -> None:
    x, errors, who = world(0)
    table = ErrorTable.fit(JOINTS, NAMES, x, errors, who)
    errors[0, 0] = np.nan
    got = coverage(table, MeasuredErrors(features=x, errors=errors, subject=who.astype(str), joints=JOINTS))
    stated = table.quantiles(x, table.rows(JOINTS))
    want = np.nanmean(np.where(np.isnan(errors), np.nan, errors <= stated[..., 0]))
    assert got["below"][0] == pytest.approx(want)
    assert set(got["by_subject"]) == {"0", "1"}
    assert 0.3 < got["rank_correlation"] < 1


def test_another_body_keeps_the_root_and_the_mirror() -> None:
    poses = motion(20)
    other = another_body(poses, BODY, np.random.default_rng(0))
    np.testing.assert_allclose(other[:, BODY.root], poses[:, BODY.root], atol=1e-12)
    for side in ("left", "right"):
        a, b = BODY.index(f"{side}_elbow"), BODY.index(f"{side}_wrist")
        assert np.linalg.norm(other[:, b] - other[:, a], axis=-1).std() < 0.05
    assert 0.01 < np.abs(other - poses).mean() < 0.2


# ---- features --------------------------------------------------------------------------------------------------------


def test_lifting_features_tell_what_is_missing() -> None:
    points = keypoints(motion(6)).positions[0]
    confidence = np.ones((6, 17))
    confidence[2, BODY.index("left_knee")] = 0
    confidence[3] = 0.6
    spread = np.full((6, 17), 0.05)
    got = dict(zip(LIFT_FEATURES, np.moveaxis(lift_features(spread, confidence, points, BODY), -1, 0), strict=True))
    assert got["missing"].sum() == 1
    assert got["missing_share"][2] == pytest.approx(1 / 17)
    assert got["neighbour_missing"][2, BODY.index("left_ankle")] == 1
    assert got["neighbour_missing"][2, BODY.index("left_hip")] == pytest.approx(1 / 2)
    np.testing.assert_allclose(got["doubt"][3], 0.4)
    np.testing.assert_allclose(got["log_disagreement"], np.log(0.054))
    assert (got["tilt"] < 0.1).all()  # they stand


def test_forecasting_features_follow_time_and_speed() -> None:
    fps = 30.0
    history = np.zeros((20, 3, 3))
    history[:, 1, 0] = np.arange(20) / fps * 2.0  # 2 m/s
    future = np.repeat(history[-1:], 75, axis=0)
    future[:, 2, 1] = np.arange(1, 76) / fps
    x = forecast_features(history, future, fps)
    names = dict(zip(FORECAST_FEATURES, np.moveaxis(x, -1, 0), strict=True))
    np.testing.assert_allclose(names["log_speed"][0], np.log([0.05, 2.05, 0.05]))
    assert names["500_ms"][14, 0] == pytest.approx(1)
    assert names["1000_ms"][29, 0] == pytest.approx(1)
    np.testing.assert_allclose(names["log_moved"][29, 2], np.log(1.01))
    assert np.isfinite(x[: round(FURTHEST_S * fps)]).all()
    assert np.isnan(x[round(FURTHEST_S * fps) :]).all()
    hats = x[..., 1 : len(FORECAST_FEATURES) - 3]
    assert (hats.sum(axis=-1)[~np.isnan(hats).any(axis=-1)] <= 1 + 1e-9).all()


def test_joints_are_named_as_the_network_names_them() -> None:
    names = canonical_joints(kg.get_skeleton("h36m17"), kg.get_skeleton("coco17"))
    assert "left_knee" in names
    assert len(set(names)) == 17


# ---- the networks of the package -------------------------------------------------------------------------------------


def calibrated(name: str) -> pytest.MarkDecorator:
    path = FOLDER / name / "calibration.json"
    return pytest.mark.skipif(
        not path.is_file(), reason=f"not calibrated: kinegraph calibrate src/kinegraph/weights_data/{name}"
    )


@calibrated("lift")
def test_the_shipped_lifter_states_its_error() -> None:
    lifted = kg.lift(keypoints(motion()))
    assert lifted.uncertainty is not None
    stated = lifted.uncertainty[lifted.seen]
    assert np.isfinite(stated).all()
    assert 0.01 < np.median(stated[:, 0]) < 0.12
    assert np.median(stated[:, 1]) > 1.5 * np.median(stated[:, 0])
    assert any(note.startswith("uncertainty:") for note in lifted.notes)


@calibrated("forecast")
def test_the_shipped_forecaster_states_its_error() -> None:
    future = kg.forecast(kg.lift(keypoints(motion())), 2.5)
    assert future.uncertainty is not None
    middle = np.nanmedian(future.uncertainty[0, :60, :, 0], axis=1)  # 2 s: none is stated beyond
    assert middle[30] > 2 * middle[2]
    assert np.isnan(future.uncertainty[0, 60:]).all()
    assert any("none is stated beyond 2 s" in note for note in future.notes)


@calibrated("lift")
def test_more_missing_is_more_uncertain() -> None:
    whole = keypoints(motion())
    confidence = np.asarray(whole.confidence).copy()
    confidence[:, :, [BODY.index(n) for n in ("left_knee", "left_ankle", "right_wrist")]] = 0
    a, b = (kg.lift(s, fill_s=0.0).uncertainty for s in (whole, whole.replace(confidence=confidence)))
    assert a is not None
    assert b is not None
    there = np.isfinite(b) & np.isfinite(a)
    assert b[there].mean() > a[there].mean()


def test_weights_without_calibration_say_so(tmp_path: Path) -> None:
    folder = kg.Lifter.from_pretrained().save_pretrained(tmp_path / "x")
    (folder / "calibration.json").unlink(missing_ok=True)
    got = kg.lift(keypoints(motion()), model=folder)
    assert got.uncertainty is None
    assert any("not calibrated" in note for note in got.notes)
    assert any("a baseline has none" in n for n in kg.forecast(got, 0.2, model="constant-velocity").notes)


@pytest.mark.parametrize("name", [pytest.param(name, marks=calibrated(name)) for name in ("lift", "forecast")])
def test_what_was_checked_is_stored_with_the_weights(name: str) -> None:
    about = json.loads((FOLDER / name / "calibration.json").read_text())["about"]
    assert about["checked"]
    for label, figures in about["checked"].items():
        half, most = figures["below"]
        assert 0.38 < half < 0.62, label
        assert 0.84 < most < 0.96, label
        assert not set(figures["by_subject"]) & set(about["subjects"])
