"""The forecasting protocols: zero velocity's known figures, and methods whose errors can be worked out by hand."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from kinegraph.cli import main
from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError, DataError, FormatError, SkeletonError
from kinegraph.evaluation.forecasting import (
    ActionWindows,
    ForecastMethod,
    ForecastProtocol,
    evaluate_forecast,
    load_forecast_method,
)
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
from kinegraph.evaluation.motion_tables import forecast_comparison, forecast_report
from kinegraph.evaluation.published import CMU_ACTIONS, published, published_average
from kinegraph.skeleton import Skeleton, get_skeleton

# SPEC, measured on these files: 80, 160, 320, 400, 1000 "ms"
ZERO_VELOCITY = {
    "cmu-euler-64": {
        "basketball": (0.46, 0.77, 1.32, 1.53, 2.54),
        "jumping": (0.36, 0.60, 1.46, 1.65, 1.99),
        "running": (0.53, 0.94, 1.34, 1.43, 1.51),
        "soccer": (0.27, 0.47, 0.91, 1.07, 1.81),
        "walking": (0.40, 0.60, 0.82, 0.94, 1.32),
        "washwindow": (0.34, 0.56, 0.89, 1.08, 1.45),
    },
    "cmu-euler-std": {
        "basketball": (0.49, 0.82, 1.40, 1.64, 2.83),
        "jumping": (0.36, 0.62, 1.48, 1.68, 2.03),
        "running": (0.56, 1.00, 1.38, 1.46, 1.54),
        "soccer": (0.27, 0.48, 0.92, 1.10, 1.84),
        "walking": (0.41, 0.60, 0.83, 0.95, 1.34),
        "washwindow": (0.34, 0.57, 0.90, 1.09, 1.47),
    },
}


def last_frame(features, horizon):
    return np.repeat(features[:, -1:], horizon, axis=1)


ZERO = ForecastMethod(label="zero", forecast=last_frame)


@pytest.mark.parametrize("name", sorted(ZERO_VELOCITY))
def test_zero_velocity_gives_every_figure(name, shared_data):
    protocol = load_forecast_protocol(name, shared_data)
    result = evaluate_forecast(load_forecast_method("zero-velocity"), protocol)
    assert set(result.per_action) == set(ZERO_VELOCITY[name])
    columns = [result.times_ms.index(time) for time in (80, 160, 320, 400, 1000)]
    for action, expected in ZERO_VELOCITY[name].items():
        np.testing.assert_allclose(np.array(result.per_action[action])[columns], expected, atol=0.01)
    five = np.mean([result.per_action[action] for action in cmu_actions.COMPLETE], axis=0)
    np.testing.assert_allclose(result.average, five)
    assert result.average_over == cmu_actions.COMPLETE
    assert result.missing == ("basketball_signal", "directing_traffic")
    assert set(result.windows.values()) == {8}
    np.testing.assert_allclose(result.elapsed_ms, [100 / 3, 200 / 3, 400 / 3, 500 / 3, 700 / 3, 1250 / 3])
    wrapped = np.array(result.further["wrapped"]["average"])
    assert (wrapped <= np.array(result.average) + 1e-12).all()


def test_truth_itself_has_no_error_and_a_known_fault_its_size(shared_data):
    """Over all windows of cmu-mpjpe, and by angles as by positions."""
    protocol = load_forecast_protocol("cmu-mpjpe", shared_data)
    walking = protocol.actions["walking"]
    clip = cmu_actions.load(shared_data, "test", "positions").choose(lambda clip: clip.name == "walking/walking_1")
    features = clip.clips[0].features
    assert len(walking.inputs) == len(features) - 34
    one = dataclasses.replace(protocol, actions={"walking": walking}, average_over=("walking",))

    def knows(inputs, horizon):
        return np.stack([features[at + 10 : at + 35] for at in range(len(inputs))])

    exact = evaluate_forecast(ForecastMethod(label="knows", forecast=knows), one)
    np.testing.assert_allclose(exact.average, 0, atol=1e-9)

    def errs(inputs, horizon):
        answer = knows(inputs, horizon).copy()
        answer[:, :, protocol.skeleton.index("thorax"), 0] += 0.038  # 38 mm: neck base and both clavicles lie on it
        answer[:, :, protocol.skeleton.index("left_elbow"), 2] -= 0.038
        answer[:, :, protocol.skeleton.root] += 9.0  # not predicted: taken from the truth
        return answer

    wrong = evaluate_forecast(ForecastMethod(label="errs", forecast=errs), one)
    np.testing.assert_allclose(wrong.average, 5.0, atol=1e-9)  # five of 38 joints are 38 mm off
    np.testing.assert_allclose(wrong.further["unit_70mm"]["average"], 5.0 * 70 / 56.4444444, rtol=1e-6)

    angles = load_forecast_protocol("cmu-mpjpe", shared_data, representation="expmap")
    by_angles, by_positions = evaluate_forecast(ZERO, angles), evaluate_forecast(ZERO, protocol)
    np.testing.assert_allclose(by_angles.average, by_positions.average, atol=1e-3)


def test_validation_clips_are_another_split(shared_data):
    test, val = (load_forecast_protocol("cmu-euler-64", shared_data, split=split) for split in ("test", "val"))
    assert test.data["fingerprint"] != val.data["fingerprint"]
    assert set(val.actions) == set(CMU_ACTIONS) - {"washwindow"}
    report = forecast_report(evaluate_forecast(ZERO, val))
    assert "not the test set" in report
    assert "published" not in report


# ---------------------------------------------------------------------------------------------------- made-up data

PAIR = Skeleton(name="pair", joints=("root", "arm"), parents=(-1, 0))


@pytest.fixture
def protocol():
    rng = np.random.default_rng(0)
    rows = {action: rng.normal(size=(windows, 8, 2, 3)) for action, windows in (("a", 3), ("b", 5))}

    def measure(predicted, windows):
        return {"main": np.abs(predicted - windows.truth[:, 5:]).sum(axis=(2, 3))}

    return ForecastProtocol(
        name="made",
        metric="sum",
        unit="rad",
        representation="expmap",
        skeleton=PAIR,
        fps=50.0,
        observed=5,
        horizon=3,
        frames=(0, 2),
        times_ms=(20, 60),
        actions={name: ActionWindows(inputs=all_[:, :5], truth=all_) for name, all_ in rows.items()},
        measure=measure,
        average_over=("a", "b", "c"),
        missing=("c",),
        data={"split": "test", "fingerprint": "f"},
    )


def test_average_is_over_actions_and_json_holds_the_table(protocol):
    result = evaluate_forecast(ZERO, protocol)
    for action, windows in protocol.actions.items():
        gap = np.abs(windows.truth[:, 5:] - windows.inputs[:, -1:]).sum(axis=(2, 3)).mean(axis=0)
        np.testing.assert_allclose(result.per_action[action], gap[[0, 2]])
        np.testing.assert_allclose(result.curves[action], gap)
    content = json.loads(json.dumps(result.to_json()))
    assert {"protocol", "model", "metric", "unit", "times_ms", "per_action", "average"} <= set(content)
    np.testing.assert_allclose(content["average"], np.mean(list(content["per_action"].values()), axis=0))
    assert content["average_over"] == ["a", "b"]
    assert content["missing"] == ["c"]


@pytest.mark.parametrize("name", ["cmu-euler-64", "cmu-euler-std", "cmu-mpjpe"])
@pytest.mark.parametrize("models", [["zero-velocity"], ["zero-velocity", "constant-velocity"]])
def test_data_of_no_complete_action_is_averaged_over_what_is_there(name, models, tmp_path, capsys):
    place = tmp_path / "test" / "washwindow"
    place.mkdir(parents=True)
    rows = np.zeros((170, 117))
    rows[:, list(cmu_actions.COLUMNS)] = 0.2 * np.sin(0.1 * np.arange(170)[:, None] + np.arange(64))
    np.savetxt(place / "washwindow_1.txt", rows, delimiter=",")
    told = ["--data", str(tmp_path), "--json", str(tmp_path / "out.json")]
    assert main(["evaluate", *models, "--protocol", name, *told]) == 0
    content = json.loads((tmp_path / "out.json").read_text())
    printed = capsys.readouterr().out
    assert "note: average over the actions here: of the complete ones" in printed
    for one in content.get("results", [content]):
        assert one["average_over"] == ["washwindow"]
        assert one["average"] == one["per_action"]["washwindow"]
        assert all(len(table["average"]) == 6 for table in one["further"].values())
        decimals = 1 if name == "cmu-mpjpe" else 2
        assert f"{one['average'][0]:.{decimals}f}" in printed


def test_mirror_test_averages_with_the_mirrored_forecast(protocol):
    """A method whose fault points one way: its mirror image points the other, and the mean has none."""
    sign = np.array([-1.0, 1.0, 1.0])
    lopsided = ForecastMethod(label="lopsided", forecast=lambda x, h: last_frame(x, h) + np.array([0.1, 0.0, 0.0]))
    with pytest.raises(ConfigError, match="mirror-test"):
        evaluate_forecast(lopsided, protocol, mirror_test=True)
    mirrored = dataclasses.replace(protocol, mirror=lambda features: features * sign)
    plain = evaluate_forecast(lopsided, mirrored)
    both = evaluate_forecast(lopsided, mirrored, mirror_test=True)
    assert both.average == pytest.approx(evaluate_forecast(ZERO, mirrored).average)
    assert plain.average != pytest.approx(both.average)
    assert both.to_json()["mirror_test"] is True
    assert "mirror image" in forecast_report(both)


@pytest.mark.parametrize("name", ["cmu-euler-64", "cmu-mpjpe"])
def test_mirrored_cmu_windows_are_mirrored_motion(name, shared_data):
    protocol = load_forecast_protocol(name, shared_data)
    assert protocol.mirror is not None
    inputs = protocol.actions["walking"].inputs
    np.testing.assert_array_equal(protocol.mirror(protocol.mirror(inputs)), inputs)
    zero = load_forecast_method("zero-velocity")
    averaged = evaluate_forecast(zero, protocol, mirror_test=True)
    assert averaged.average == pytest.approx(evaluate_forecast(zero, protocol).average)  # fair to both sides


def test_a_joint_the_method_does_not_know_keeps_its_last_value(protocol):
    only = Skeleton(name="one", joints=("arm",), parents=(-1,))
    seen = {}

    def forecast(features, horizon):
        seen["shape"] = features.shape
        return np.zeros((len(features), horizon, 1, 3))

    result = evaluate_forecast(ForecastMethod(label="arm", forecast=forecast, skeleton=only), protocol)
    assert seen["shape"] == (5, 5, 1, 3)
    for action, windows in protocol.actions.items():
        predicted = np.repeat(windows.inputs[:, -1:], 3, axis=1)
        predicted[:, :, 1] = 0
        gap = np.abs(predicted - windows.truth[:, 5:]).sum(axis=(2, 3)).mean(axis=0)
        np.testing.assert_allclose(result.per_action[action], gap[[0, 2]])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"representation": "positions"}, ConfigError, "works on positions, made gives expmap"),
        ({"fps": 60.0}, ConfigError, "trained at 60 fps, made is at 50"),
        ({"observed": 6}, ConfigError, "looks at 6 frames, made gives 5"),
        ({"horizon": 2}, ConfigError, "forecasts 2 frames, made asks for 3"),
        ({"skeleton": get_skeleton("h36m17")}, SkeletonError, "needs joint 'pelvis' of 'h36m17'"),
        ({"forecast": lambda x, h: x[:, -1:]}, DataError, "expected \\(3, 3, 2, 3\\)"),
        ({"forecast": lambda x, h: last_frame(x, h) * np.nan}, DataError, "NaN"),
    ],
)
def test_what_does_not_fit_is_refused(protocol, changes, error, message):
    with pytest.raises(error, match=message):
        evaluate_forecast(dataclasses.replace(ZERO, **changes), protocol)


def test_tables_refuse_to_mix(protocol):
    first = evaluate_forecast(ZERO, protocol)
    other = dataclasses.replace(first, label="other", info={"train_seconds": 7200})
    both = forecast_comparison([first, other], markdown=True)
    assert "| other |" in both
    assert "2.0 h |" in both
    for change in ({"protocol": "else"}, {"data": {"fingerprint": "g"}}, {"average_over": ("a",)}):
        with pytest.raises(DataError):
            forecast_comparison([first, dataclasses.replace(first, **change)])


def test_protocol_choices(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'cmu-euler-64'"):
        load_forecast_protocol("cmu-euler-46", tmp_path)
    with pytest.raises(ConfigError, match="--data DIR"):
        load_forecast_protocol("cmu-mpjpe", None)
    with pytest.raises(ConfigError, match="split test or val"):
        load_forecast_protocol("cmu-mpjpe", tmp_path, split="train")
    with pytest.raises(ConfigError, match="that is ntu-pck's"):
        load_forecast_protocol("cmu-mpjpe", tmp_path, normaliser="torso")
    with pytest.raises(FormatError, match="no such weights folder.*; baselines: .*zero-velocity"):
        load_forecast_method("flat")


# ------------------------------------------------------------------------------------------------------- published


def test_published_rows_are_those_of_the_issue():
    rows = {row.method: row for row in published("cmu-euler-64")}
    average, over = published_average(rows["Sym-GNN"], cmu_actions.COMPLETE)
    np.testing.assert_allclose(average, (0.26, 0.40, 0.77, 0.88, 1.16), atol=0.005)
    assert over == "5 actions"
    assert rows["Sym-GNN"].per_action["running"] == (0.21, 0.33, 0.53, 0.56, 0.65)
    assert rows["BiHMP-GAN"].per_action["washwindow"] == (0.31, 0.46, 0.77, 0.92, 1.31)
    assert all(len(row.per_action) == 8 for row in rows.values())
    mpjpe = {row.method: published_average(row, cmu_actions.COMPLETE) for row in published("cmu-mpjpe")}
    assert mpjpe["PGBIG"] == ((8.2, 15.4, 30.1, 37.3, 76.7), "all 8 actions")
    for protocol in ("cmu-mpjpe", "h36m-euler", "ntu-pck"):
        assert all(len(row.average) == len(row.times_ms) for row in published(protocol))
    assert published("nothing") == ()
