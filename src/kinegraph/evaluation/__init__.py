"""Protocols to tables: lifting errors under named conditions, and the analysis of hard poses."""

from kinegraph.evaluation.hard_poses import HardPoses, analyse, from_results
from kinegraph.evaluation.lifting import PROTOCOLS, LiftingResult, evaluate, load_protocol, measure
from kinegraph.evaluation.predict import Method, load_method, predict
from kinegraph.evaluation.tables import comparison, report

__all__ = [
    "PROTOCOLS",
    "HardPoses",
    "LiftingResult",
    "Method",
    "analyse",
    "comparison",
    "evaluate",
    "from_results",
    "load_method",
    "load_protocol",
    "measure",
    "predict",
    "report",
]
