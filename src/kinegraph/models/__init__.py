"""The published networks, one file each, and the registry that names them.

>>> from kinegraph import models
>>> lifter = models.build("hcsf", "h36m17")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
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
from kinegraph.models.installed import GROUP, installed_names, load_installed
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
from kinegraph.skeleton import Skeleton, get_skeleton


@dataclass(frozen=True)
class ModelEntry:
    """A registered model: its configuration (a frozen dataclass), its class and what it does.

    Raises:
        ConfigError: a task or a class of model that there is not.
    """

    config: type[Any]
    model: type[LiftingModel] | type[MotionModel] | type[RecognitionModel]
    task: Literal["lift", "motion", "recognition"] = "lift"

    def __post_init__(self) -> None:
        bases = {"lift": LiftingModel, "motion": MotionModel, "recognition": RecognitionModel}
        base = bases.get(self.task)
        if base is None:
            raise ConfigError(f"a model's task is {self.task!r}, expected {' or '.join(map(repr, bases))}")
        if not (isinstance(self.model, type) and issubclass(self.model, base)):
            raise ConfigError(f"a model of the task {self.task!r} is a {base.__name__}; found {self.model!r:.80}")
        if not is_dataclass(self.config):
            raise ConfigError(f"a model's configuration is a dataclass; found {self.config!r:.80}")


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
    """The registry's entry of that name, or that of an installed package, which then is registered.

    Raises:
        ConfigError: there is none, and the nearest is named; or the package's cannot be used.
    """
    if name not in REGISTRY:
        entry = load_installed(name, ModelEntry)
        if entry is None:
            known = [*REGISTRY, *installed_names()]
            raise ConfigError(
                f"no model is called '{name}'{nearest_name(name, known)} (known: {', '.join(known)}; one of your own "
                f"is found where an installed package has an entry point '{name}' of the group {GROUP})"
            )
        REGISTRY[name] = entry
    return REGISTRY[name]


def build(
    name: str, skeleton: Skeleton | str | Path, config: Any | Mapping[str, Any] | None = None
) -> LiftingModel | MotionModel | RecognitionModel:
    """Build a registered model with fresh weights.

    Args:
        name: one of :data:`REGISTRY`, or of an installed package's (entry points of the group ``kinegraph.models``).
        skeleton: whose joints it lifts, recognises or forecasts; a layout's name or file will do.
        config: an instance of the entry's configuration, its fields as a mapping, or ``None`` for the defaults.

    Raises:
        ConfigError: unknown name, configuration of another model, or unknown or wrong fields.
        SkeletonError: no such layout.
    """
    entry = model_entry(name)
    if config is None:
        config = entry.config()
    elif isinstance(config, Mapping):
        config = from_dict(entry.config, config, name)
    if type(config) is not entry.config:
        raise ConfigError(f"model '{name}' takes a {entry.config.__name__}; found a {type(config).__name__}")
    return entry.model(get_skeleton(skeleton), config)


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
