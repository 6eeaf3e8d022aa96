"""Protocols to tables: lifting errors under named conditions, and the analysis of hard poses."""

from kinegraph.evaluation.hard_poses import HardPoses, analyse, from_results
from kinegraph.evaluation.lifting import (
    LIFTING_PROTOCOLS,
    LiftingResult,
    evaluate_lifting,
    load_lifting_protocol,
    measure_lifting,
)
from kinegraph.evaluation.predict import LiftingMethod, load_lifting_method, predict
from kinegraph.evaluation.tables import lifting_comparison, lifting_report

__all__ = [
    "LIFTING_PROTOCOLS",
    "HardPoses",
    "LiftingResult",
    "LiftingMethod",
    "analyse",
    "lifting_comparison",
    "evaluate_lifting",
    "from_results",
    "load_lifting_method",
    "load_lifting_protocol",
    "measure_lifting",
    "predict",
    "lifting_report",
]
