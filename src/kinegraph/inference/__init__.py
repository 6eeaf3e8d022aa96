"""Trained networks at work: NumPy in, NumPy out."""

from kinegraph.inference.lifter import DEFAULT_WEIGHTS, Lifter
from kinegraph.inference.options import LiftOptions
from kinegraph.inference.placement import upright

__all__ = ["DEFAULT_WEIGHTS", "LiftOptions", "Lifter", "upright"]
