"""Trained networks at work: NumPy in, NumPy out."""

from kinegraph.inference.forecaster import Forecast, Forecaster
from kinegraph.inference.lifter import Lifter
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import upright
from kinegraph.inference.recognizer import Recognition, Recognizer

__all__ = [
    "Forecast",
    "Forecaster",
    "LiftOptions",
    "Lifter",
    "Recognition",
    "Recognizer",
    "upright",
]
