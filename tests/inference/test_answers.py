"""Values that are not finite: every predictor refuses them in the same words, with the same class of error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from clip_people import probe, recording, waver
from lifting_people import keypoints, lifter, motion, project
from moving_people import network, walker

from kinegraph.errors import KinegraphError
from kinegraph.inference import Forecaster
from kinegraph.inference.answers import finite
from kinegraph.inference.motion_window import MotionNetwork
from kinegraph.inference.recognizer import Recognizer


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_value_is_enough(bad: float) -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert finite(values, "run") is values
    values[2, 1] = bad
    with pytest.raises(KinegraphError, match="the network in run gave values that are not finite"):
        finite(values, "run")


def _damaged(made: MotionNetwork) -> MotionNetwork:
    for parameter in made.model.parameters():
        parameter.data.fill_(float("nan"))
    return made


def _lift() -> object:
    return lifter(_nothing).lift(keypoints(motion(10)))


def _lift_live() -> object:
    return lifter(_nothing).stream("h36m17", image_size=(1000, 1000)).push(project(motion(1))[0])


def _nothing(x: torch.Tensor) -> torch.Tensor:
    return torch.full((len(x), 17, 3), torch.nan)


def _forecast() -> object:
    return Forecaster(_damaged(network())).forecast(walker(), 0.2)


def _recognize() -> object:
    return Recognizer(_damaged(network(actions=("a", "b")))).recognize(walker())


def _recognize_clips() -> object:
    return Recognizer(probe(sharpness=float("nan"))).recognize(recording(waver(("still", 3.0))))


@pytest.mark.parametrize("predict", [_lift, _lift_live, _forecast, _recognize, _recognize_clips])
def test_damaged_weights_are_named_as_such(predict: Callable[[], object]) -> None:
    with pytest.raises(KinegraphError, match="not finite; its weights are damaged") as found:
        predict()
    assert found.type is KinegraphError  # not a configuration's fault
