"""Errors of forecasts to calibrate by: recordings at any rate that the network can look at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from moving_people import network, walker

import kinegraph as kg
from kinegraph.calibration.forecasting import forecast_errors
from kinegraph.errors import DataError
from kinegraph.inference import Forecaster


@pytest.mark.parametrize("fps", [15.0, 30.0, 36.0, 44.0, 100.0])
def test_the_history_is_long_enough_at_any_rate(fps: float) -> None:
    """Up to one and a half times the network's rate, recordings stay as they are."""
    forecaster = Forecaster(network(observed=40))
    found = forecast_errors(forecaster, [("a", walker(3.0, fps).replace(source="a"))], windows=2)
    assert set(found.subject) == {"a"}
    # as much of the past is needed at every rate: 41 thirtieths of a second
    short = walker(41 / 30 + 0.4, fps)
    with pytest.raises(DataError, match="too short to look back and ahead"):
        forecast_errors(forecaster, [("a", short)], windows=2)


def test_what_cannot_be_compared_is_left_out_and_told(tmp_path: Path) -> None:
    walk = walker(3.0, 30.0).replace(rotations=None, offsets=None, source="")
    for name, recording in (("good", walk), ("norate", walk.replace(fps=None)), ("short", walk.slice_frames(0, 20))):
        kg.save(recording, tmp_path / f"{name}.npz")
    (tmp_path / "broken.bvh").write_text("HIERARCHY\nnonsense\n")
    names = ("norate.npz", "broken.bvh", "good.npz", "short.npz")
    found = forecast_errors(Forecaster(network()), [(name, tmp_path / name) for name in names], windows=8)
    assert set(found.subject) == {"good.npz"}
    assert [one.file for one in found.left_out] == ["norate.npz", "broken.bvh", "short.npz"]
    assert found.without() == {
        "recordings": 3,
        "first": "norate.npz: no frame rate; convert it with --fps, and calibrate on the result",
    }
    with pytest.raises(DataError, match=r"none of 2 recordings could be forecast and compared; norate.npz: no frame"):
        forecast_errors(Forecaster(network()), [(name, tmp_path / name) for name in names[:2]])


def test_moments_at_which_nobody_is_there_do_not_take_the_others_along() -> None:
    """Nor does a person of whom nothing was compared count."""
    walk = walker(8.0, 30.0, people=2).replace(rotations=None, offsets=None)
    confidence = np.array(walk.confidence)
    confidence[0, 100:150] = 0
    confidence[1, 1:] = 0
    given = walk.replace(confidence=confidence)
    found = forecast_errors(Forecaster(network()), [("a", given)], windows=12)
    alone = forecast_errors(Forecaster(network()), [("a", given.select_people([0]))], windows=12)
    np.testing.assert_array_equal(found.errors, alone.errors)
    assert np.isfinite(found.errors).any(axis=1).any()
    assert not found.left_out
    with pytest.raises(DataError, match="nobody is seen"):
        forecast_errors(Forecaster(network()), [("a", given.select_people([1]))], windows=12)
