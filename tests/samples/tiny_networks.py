"""Tiny untrained networks of every registered kind, as loaded weights, for the tests of exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from kinegraph.models import REGISTRY, build
from kinegraph.skeleton import Skeleton, get_skeleton
from kinegraph.skeleton.contraction import contract
from kinegraph.transforms.clips import ClipTransform
from kinegraph.transforms.lifting import LiftingTransform
from kinegraph.transforms.motion import MotionTransform
from kinegraph.transforms.prenormalise import PreNormalise
from kinegraph.weights import LoadedWeights

BODY = get_skeleton("h36m17")
_LIMBS = [f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow")]
MOVER = contract(get_skeleton("cmu38"), ["pelvis", "spine", "thorax", "head", *_LIMBS], trajectory=True)
FRAMES, OBSERVED, HORIZON = 12, 10, 4

_SYM = {"width": 0.05, "agim_width": 8, "iterations": 1}
SMALL: dict[str, dict[str, Any]] = {
    "fcn": {"width": 16},
    **{name: {"channels": 8} for name in ("gcn", "pre_agg_gcn", "post_agg_gcn")},
    **{name: {"channels": 8, "blocks": 1} for name in ("semgcn", "lcn", "hcsf")},
    "videopose3d": {"channels": 16},
    "symgnn": {**_SYM, "classes": 3, "gamma": 2, "differences": (0, 1)},
    "ridge": {},
    "simlpe": {"blocks": 2},
    "hcsf_recognizer": {"width": 0.125},
    "khop": {"width": 0.05, "hops": (2,)},
    "mixhop": {"width": 0.05, "hops": (1, 2)},
    "mshop": {"width": 0.05, "hops": (1, 2)},
    **{name: {"width": 0.05} for name in ("stgcn", "agcn")},
    "stgcnpp": {"width": 0.1},
    "ctrgcn": {"width": 0.125},
    "symgnn_recognizer": {**_SYM, "frames": FRAMES, "differences": (0,), "backbone": "light"},
    "linear": {"frames": FRAMES},
}
"""Options that make a model small."""


def loaded(name: str, *, transform: dict[str, Any] | None = None, seed: int = 0, **options: Any) -> LoadedWeights:
    """A registered model with values of its own in every parameter and statistic, as `load_weights` gives it.

    Args:
        name: in the registry.
        transform: fields that differ from the usual ones.
        seed: of its values.
        options: of the model, beside those that make it small.
    """
    torch.manual_seed(seed)
    task = REGISTRY[name].task
    chosen = {**SMALL.get(name, {}), **options}
    skeleton: Skeleton = BODY
    how: Any
    if task == "lift":
        how = LiftingTransform(**{"normalise": "box", "confidence": True, **(transform or {})})
        model = build(name, skeleton, {"in_channels": how.channels, **chosen})
    elif task == "motion":
        skeleton = MOVER
        scale = np.full((skeleton.num_joints, 3), 0.3)
        scale[3] = 0.0  # a joint that never moves
        settings = {
            "root": "heading",
            "fps": 25.0,
            "observed": OBSERVED,
            "horizon": HORIZON,
            "mean": tuple(map(tuple, np.full(scale.shape, 0.05).tolist())),
            "scale": tuple(map(tuple, scale.tolist())),
            "actions": tuple("abc"[: chosen.get("classes", 0)]),
        }
        how = MotionTransform(**{**settings, **(transform or {})})
        model = build(name, skeleton, {"observed": how.observed, "horizon": how.horizon, **chosen})
    else:
        how = ClipTransform(**{"people": 2, "frames": FRAMES, "actions": ("a", "b", "c"), **(transform or {})})
        model = build(name, skeleton, {"classes": 3, "people": how.people, "channels": how.channels, **chosen})
    _give_values(model)
    return LoadedWeights(
        model=model.eval(),
        model_name=name,
        skeleton=skeleton,
        transform=how,
        metadata={},
        task=task,
        folder=Path("tiny"),
    )


def _give_values(model: Any) -> None:
    generator = torch.Generator().manual_seed(7)
    if model.__class__.__name__ == "Ridge":
        model.weight.normal_(std=0.05, generator=generator)
        model.strengths.fill_(1.0)
        return
    if model.__class__.__name__ == "LinearRecognizer":
        model.weight.normal_(std=0.05, generator=generator)
        model.bias.zero_()
        return
    with torch.no_grad():
        for _, value in model.named_parameters():
            value.add_(0.05 * torch.randn(value.shape, generator=generator))
        for key, value in model.named_buffers():
            if key.endswith("running_var"):
                value.uniform_(0.5, 1.5, generator=generator)
            elif key.endswith("running_mean"):
                value.normal_(std=0.1, generator=generator)


PLACES = [PreNormalise(convention=name) for name in ("none", "ctr-gcn", "pyskl", "2s-agcn", "upright")]
