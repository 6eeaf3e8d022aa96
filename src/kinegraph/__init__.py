"""Kinegraph: skeletal graph neural networks for human motion.

Public names are loaded on first use (PEP 562), so ``import kinegraph`` costs milliseconds and no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> (module, attribute)
_PUBLIC = {
    "Skeleton": ("kinegraph.skeleton", "Skeleton"),
    "get_skeleton": ("kinegraph.skeleton", "get_skeleton"),
    "skeleton_names": ("kinegraph.skeleton", "skeleton_names"),
    "map_joints": ("kinegraph.skeleton", "map_joints"),
    "SkeletonSequence": ("kinegraph.sequence", "SkeletonSequence"),
    "load": ("kinegraph.formats.arrays", "load"),
    "save": ("kinegraph.formats.arrays", "save"),
    "lift": ("kinegraph.inference.quick", "lift"),
    "recognize": ("kinegraph.inference.quick", "recognize"),
    "forecast": ("kinegraph.inference.quick", "forecast"),
    "live": ("kinegraph.inference.live", "live"),
    "lift_files": ("kinegraph.inference.many", "lift_files"),
    "recognize_files": ("kinegraph.inference.many", "recognize_files"),
    "forecast_files": ("kinegraph.inference.many", "forecast_files"),
    "Lifter": ("kinegraph.inference.lifter", "Lifter"),
    "Forecaster": ("kinegraph.inference.forecaster", "Forecaster"),
    "Recognizer": ("kinegraph.inference.recognizer", "Recognizer"),
    "KinegraphError": ("kinegraph.errors", "KinegraphError"),
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from kinegraph.errors import KinegraphError
    from kinegraph.formats.arrays import load, save
    from kinegraph.inference.forecaster import Forecaster
    from kinegraph.inference.lifter import Lifter
    from kinegraph.inference.live import live
    from kinegraph.inference.many import forecast_files, lift_files, recognize_files
    from kinegraph.inference.quick import forecast, lift, recognize
    from kinegraph.inference.recognizer import Recognizer
    from kinegraph.sequence import SkeletonSequence
    from kinegraph.skeleton import Skeleton, get_skeleton, map_joints, skeleton_names


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kinegraph' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
