"""Noise goes where it is said to go, the same for all, and the truth stays clean."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from motion_files import write_recordings, write_weights

from kinegraph.datasets import cmu_actions
from kinegraph.errors import ConfigError
from kinegraph.evaluation.analysis_pictures import draw_robustness
from kinegraph.evaluation.forecasting import evaluate_forecast, load_forecast_method
from kinegraph.evaluation.forecasting_protocols import load_forecast_protocol
from kinegraph.evaluation.recognition import evaluate_recognition, load_recognition_method
from kinegraph.evaluation.robustness import forecasting_robustness, recognition_robustness, robustness_report


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("cmu"))


def test_noise_on_moving_channels_alone_and_the_same_for_all(recordings):
    protocol = load_forecast_protocol("cmu-euler-64", recordings)
    seen = []
    zero = load_forecast_method("zero-velocity")

    def forecast(features, horizon):
        seen.append(features)
        return zero.forecast(features, horizon)

    watching = dataclasses.replace(zero, forecast=forecast)
    result = forecasting_robustness(watching, protocol, sigmas=(0.1, 0.2), draws=2, seed=3)
    actions = len(protocol.actions)
    clean = seen[:actions]
    flat = np.concatenate([one.reshape(-1, *one.shape[2:]) for one in clean])
    moves = flat.std(axis=0) > 1e-4
    assert 0 < moves.sum() < moves.size
    noise = [[seen[actions * (1 + k) + a] - clean[a] for a in range(actions)] for k in range(4)]
    for draw in noise:
        assert not np.concatenate(draw)[..., ~moves].any()
    pooled = np.concatenate(noise[0])[..., moves]
    assert pooled.std() == pytest.approx(0.1, rel=0.02)
    assert abs(pooled.mean()) < 0.003
    np.testing.assert_allclose(noise[2][0], 2 * noise[0][0], atol=1e-12)  # one draw, scaled
    assert not np.allclose(noise[0][0], noise[1][0])
    assert result.rows[0.0] == evaluate_forecast(zero, protocol).average
    assert result.rows[0.2][0] > result.rows[0.1][0] > result.rows[0.0][0]
    again = forecasting_robustness(zero, protocol, sigmas=(0.1, 0.2), draws=2, seed=3)
    assert again.rows == result.rows


def test_recognition_and_report(recordings, tmp_path):
    weights = write_weights(tmp_path, recordings)
    method = load_recognition_method(weights)
    result = recognition_robustness(method, "cmu-8", recordings, sigmas=(0.5,), stride=7, seed=1)
    clean = evaluate_recognition(method, "cmu-8", recordings, stride=7)
    assert result.rows[0.0] == (clean.top1, clean.top5)
    assert clean.counts == {"running": 6, "walking": 6}  # 36 windows, every 7th
    assert any("every 7th window" in note for note in result.notes)
    seen = []

    def logits(features):
        seen.append(features)
        return method.logits(features)

    recognition_robustness(
        dataclasses.replace(method, logits=logits), "cmu-8", recordings, sigmas=(0.5,), stride=7, seed=1
    )
    noise = seen[2] - seen[0]
    assert noise[..., 0, :].any() == 0  # the root never moves
    assert noise[noise != 0].std() == pytest.approx(0.5, rel=0.05)
    forecasts = forecasting_robustness(
        load_forecast_method(weights), load_forecast_protocol("cmu-euler-64", recordings), sigmas=(0.02,), draws=1
    )
    printed = robustness_report([forecasts, result], markdown=True)
    assert "sigma (rad)" in printed
    assert "| 0.5 " in printed
    assert json.loads(json.dumps(result.to_json()))["rows"][0]["sigma"] == 0
    [picture] = draw_robustness([forecasts, result], tmp_path)
    assert picture.stat().st_size > 10_000


def test_recognisers_of_other_frames_and_joints_get_the_same_noise(recordings, tmp_path):
    whole = load_recognition_method(write_weights(tmp_path, recordings))
    last, some = 10, [20, 3, 11]
    joints = tuple(whole.joints[j] for j in some)
    part = dataclasses.replace(whole, observed=last, joints=joints)
    noise = []
    for method in (whole, part):
        seen = []

        def logits(features, seen=seen):
            seen.append(features)
            return np.zeros((len(features), len(whole.actions)))

        watching = dataclasses.replace(method, logits=logits)
        recognition_robustness(watching, "cmu-8", recordings, sigmas=(0.5,), stride=7, seed=1)
        clips = len(seen) // 2
        assert clips
        noise.append([noisy - clean for clean, noisy in zip(seen[:clips], seen[clips:], strict=True)])
    for all_of_it, some_of_it in zip(*noise, strict=True):
        assert some_of_it.std() > 0.1
        np.testing.assert_array_equal(some_of_it, all_of_it[:, -last:, some])


def test_wrong_noise_is_refused(recordings: Path, tmp_path: Path):
    watcher = load_recognition_method(write_weights(tmp_path, recordings))
    protocol = load_forecast_protocol("cmu-euler-64", recordings)
    zero = load_forecast_method("zero-velocity")
    for bad in ({"sigmas": ()}, {"sigmas": (-1.0,)}, {"sigmas": (float("nan"),)}, {"draws": 0}):
        with pytest.raises(ConfigError, match="positive numbers"):
            forecasting_robustness(zero, protocol, **bad)
    with pytest.raises(ConfigError, match="seed is -1"):
        forecasting_robustness(zero, protocol, seed=-1)
    with pytest.raises(ConfigError, match="seed is -1"):
        recognition_robustness(watcher, "cmu-8", recordings, seed=-1)


def test_early_windows_are_the_beginnings(recordings, tmp_path):
    short = load_recognition_method(write_weights(tmp_path, recordings, "short", observed=10))
    seen = []

    def logits(features):
        seen.append(features)
        return short.logits(features)

    watching = dataclasses.replace(short, logits=logits)
    late = evaluate_recognition(watching, "cmu-8", recordings)
    early = evaluate_recognition(watching, "cmu-8", recordings, early=True)
    clips = {len(one): one for one in seen}  # the clips are equally long: both evaluations see 36 windows of each
    assert clips[36].shape == (36, 10, 27, 3)
    data = cmu_actions.load(recordings, "test", actions=cmu_actions.COMPLETE)
    for index, clip in enumerate(data.clips):
        np.testing.assert_array_equal(seen[index][3], clip.features[43:53])
        np.testing.assert_array_equal(seen[len(data.clips) + index][3], clip.features[3:13])
    assert any("first 10 of 50" in note for note in early.notes)
    assert any("last 10 of 50" in note for note in late.notes)
