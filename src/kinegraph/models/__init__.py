"""The published networks, one file each, and the registry that names them.

>>> from kinegraph import models, skeleton
>>> lifter = models.build("hcsf", skeleton.get_skeleton("h36m17"))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kinegraph.config import from_dict
from kinegraph.errors import ConfigError
from kinegraph.errors import nearest as nearest_name  # `nearest` is a model here
from kinegraph.models.agcn import AGCN, AGCNConfig
from kinegraph.models.ctrgcn import CTRGCN, CTRGCNConfig
from kinegraph.models.fcn import FCN, FCNConfig
from kinegraph.models.gcn import GCN, GCNConfig, PostAggGCNConfig, PreAggGCNConfig
from kinegraph.models.hcsf_lifter import HCSFLifter, HCSFLifterConfig
from kinegraph.models.hcsf_recognizer import HCSFRecognizer, HCSFRecognizerConfig
from kinegraph.models.lcn import LCN, LCNConfig
from kinegraph.models.lifting_model import LiftingModel
from kinegraph.models.linear_recognizer import LinearRecognizer, LinearRecognizerConfig
from kinegraph.models.mixhop import HopNet, KHopConfig, MixHopConfig, MSHopConfig
from kinegraph.models.motion_model import MotionModel, MotionOutput
from kinegraph.models.nearest import Nearest, NearestConfig
from kinegraph.models.recognition_model import RecognitionModel
from kinegraph.models.ridge import Ridge, RidgeConfig
from kinegraph.models.semgcn import SemGCN, SemGCNConfig
from kinegraph.models.simlpe import SiMLPe, SiMLPeConfig
from kinegraph.models.stgcn import STGCN, STGCNConfig
from kinegraph.models.stgcnpp import STGCNpp, STGCNppConfig
from kinegraph.models.symgnn import SymGNN
from kinegraph.models.symgnn_config import SymGNNConfig
from kinegraph.models.symgnn_recognizer import SymGNNRecognizer, SymGNNRecognizerConfig
from kinegraph.models.velocity import ConstantVelocity, ConstantVelocityConfig, ZeroVelocity, ZeroVelocityConfig
from kinegraph.models.videopose3d import VideoPose3D, VideoPose3DConfig
from kinegraph.skeleton import Skeleton


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: its configuration, its class and what it does."""

    config: type[Any]
    model: type[LiftingModel] | type[MotionModel] | type[RecognitionModel]
    task: Literal["lift", "motion", "recognition"] = "lift"


REGISTRY: dict[str, ModelEntry] = {
    "fcn": ModelEntry(FCNConfig, FCN),
    "gcn": ModelEntry(GCNConfig, GCN),
    "pre_agg_gcn": ModelEntry(PreAggGCNConfig, GCN),
    "post_agg_gcn": ModelEntry(PostAggGCNConfig, GCN),
    "semgcn": ModelEntry(SemGCNConfig, SemGCN),
    "lcn": ModelEntry(LCNConfig, LCN),
    "hcsf": ModelEntry(HCSFLifterConfig, HCSFLifter),
    "videopose3d": ModelEntry(VideoPose3DConfig, VideoPose3D),
    "symgnn": ModelEntry(SymGNNConfig, SymGNN, "motion"),
    "zero_velocity": ModelEntry(ZeroVelocityConfig, ZeroVelocity, "motion"),
    "constant_velocity": ModelEntry(ConstantVelocityConfig, ConstantVelocity, "motion"),
    "ridge": ModelEntry(RidgeConfig, Ridge, "motion"),
    "simlpe": ModelEntry(SiMLPeConfig, SiMLPe, "motion"),
    "hcsf_recognizer": ModelEntry(HCSFRecognizerConfig, HCSFRecognizer, "recognition"),
    "khop": ModelEntry(KHopConfig, HopNet, "recognition"),
    "mixhop": ModelEntry(MixHopConfig, HopNet, "recognition"),
    "mshop": ModelEntry(MSHopConfig, HopNet, "recognition"),
    "stgcn": ModelEntry(STGCNConfig, STGCN, "recognition"),
    "agcn": ModelEntry(AGCNConfig, AGCN, "recognition"),
    "stgcnpp": ModelEntry(STGCNppConfig, STGCNpp, "recognition"),
    "ctrgcn": ModelEntry(CTRGCNConfig, CTRGCN, "recognition"),
    "symgnn_recognizer": ModelEntry(SymGNNRecognizerConfig, SymGNNRecognizer, "recognition"),
    "nearest": ModelEntry(NearestConfig, Nearest, "recognition"),
    "linear": ModelEntry(LinearRecognizerConfig, LinearRecognizer, "recognition"),
}


def baselines() -> dict[str, str]:
    """Forecasters that need no weights, as they are named in place of a folder -> their registered names."""
    motion = {name: entry.model for name, entry in REGISTRY.items() if issubclass(entry.model, MotionModel)}
    return {name.replace("_", "-"): name for name, model in motion.items() if model.trains == "nothing"}


def model_entry(name: str) -> ModelEntry:
    """The registry's entry of that name.

    Raises:
        ConfigError: there is none; the nearest is named.
    """
    if name not in REGISTRY:
        raise ConfigError(f"no model is called '{name}'{nearest_name(name, REGISTRY)} (known: {', '.join(REGISTRY)})")
    return REGISTRY[name]


def build(
    name: str, skeleton: Skeleton, config: Any | Mapping[str, Any] | None = None
) -> LiftingModel | MotionModel | RecognitionModel:
    """Build a registered model with fresh weights.

    Args:
        name: one of :data:`REGISTRY`.
        skeleton: whose joints it lifts, recognises or forecasts.
        config: an instance of the entry's configuration, its fields as a mapping, or ``None`` for the defaults.

    Raises:
        ConfigError: unknown name, configuration of another model, or unknown or wrong fields.
    """
    entry = model_entry(name)
    if config is None:
        config = entry.config()
    elif isinstance(config, Mapping):
        config = from_dict(entry.config, config, name)
    if type(config) is not entry.config:
        raise ConfigError(f"model '{name}' takes a {entry.config.__name__}; found a {type(config).__name__}")
    return entry.model(skeleton, config)


__all__ = [
    "LinearRecognizer",
    "LinearRecognizerConfig",
    "Nearest",
    "NearestConfig",
    "SymGNNRecognizer",
    "SymGNNRecognizerConfig",
    "AGCN",
    "AGCNConfig",
    "CTRGCN",
    "CTRGCNConfig",
    "HopNet",
    "KHopConfig",
    "MixHopConfig",
    "MSHopConfig",
    "STGCNpp",
    "STGCNppConfig",
    "FCN",
    "GCN",
    "LCN",
    "REGISTRY",
    "STGCN",
    "ConstantVelocity",
    "ConstantVelocityConfig",
    "FCNConfig",
    "GCNConfig",
    "HCSFLifter",
    "HCSFLifterConfig",
    "HCSFRecognizer",
    "HCSFRecognizerConfig",
    "LCNConfig",
    "LiftingModel",
    "ModelEntry",
    "MotionModel",
    "MotionOutput",
    "PostAggGCNConfig",
    "PreAggGCNConfig",
    "RecognitionModel",
    "Ridge",
    "RidgeConfig",
    "STGCNConfig",
    "SemGCN",
    "SemGCNConfig",
    "SiMLPe",
    "SiMLPeConfig",
    "SymGNN",
    "SymGNNConfig",
    "VideoPose3D",
    "VideoPose3DConfig",
    "ZeroVelocity",
    "ZeroVelocityConfig",
    "baselines",
    "build",
    "model_entry",
]
