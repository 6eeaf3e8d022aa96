"""Errors of forecasts to calibrate by: recordings at any rate that the network can look at."""

from __future__ import annotations

import pytest
from moving_people import network, walker

from kinegraph.errors import DataError
from kinegraph.inference import Forecaster
from kinegraph.inference.forecast_calibration import forecast_errors


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
