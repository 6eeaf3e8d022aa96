"""The numbers in the configurations of all registered models: nonsense is refused, the rest makes a network."""

from __future__ import annotations

import math
import typing
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kinegraph import models
from kinegraph.config import from_dict
from kinegraph.errors import ConfigError
from kinegraph.models import REGISTRY
from kinegraph.skeleton import get_skeleton

BODY = get_skeleton("h36m17")
_MOTION = {"observed": 6, "horizon": 3}
_GRAPH = {"channels": 8, "blocks": 1}
_HOPS = {"classes": 2, "width": 0.125, "dynamic": "m+o"}
_CLIPS = {"classes": 2, "width": 0.125}
_FITTED = {"classes": 2, "frames": 8}
SMALL: dict[str, dict[str, Any]] = {
    "fcn": {"width": 8},
    "hcsf": {"channels": 8, "frames": 9, "dynamic": "m+o"},
    "videopose3d": {"channels": 8},
    "symgnn": {**_MOTION, "width": 0.1, "agim_width": 8, "classes": 2},
    "simlpe": {**_MOTION, "blocks": 2},
    **dict.fromkeys(("gcn", "pre_agg_gcn", "post_agg_gcn", "semgcn", "lcn"), _GRAPH),
    **dict.fromkeys(("ridge", "zero_velocity", "constant_velocity"), _MOTION),
    **dict.fromkeys(("hcsf_recognizer", "khop", "mixhop", "mshop"), _HOPS),
    **dict.fromkeys(("stgcn", "agcn", "stgcnpp", "ctrgcn"), _CLIPS),
    "symgnn_recognizer": {"classes": 2, "width": 0.1, "agim_width": 8, "frames": 8, "backbone": "light"},
    **dict.fromkeys(("nearest", "linear"), _FITTED),
}
NONSENSE = (-1, 0, 1, 1.5, math.inf)


def numbers(name: str) -> list[str]:
    """Fields of a model's configuration that hold a number, or several."""
    hints = typing.get_type_hints(REGISTRY[name].config)
    kinds = {
        field.name: {hints[field.name], *typing.get_args(hints[field.name])} for field in fields(REGISTRY[name].config)
    }
    return [field for field, kind in kinds.items() if kind & {int, float, tuple[int, ...]}]


def answers(name: str, model: nn.Module) -> list[Tensor]:
    """What a model says in training."""
    torch.manual_seed(0)
    model.train()
    fits = getattr(model, "trains", "gradient") == "fit"
    if REGISTRY[name].task == "lift":
        window = (model.frames,) if model.frames > 1 else ()
        return [model(torch.randn(4, *window, 17, model.in_channels))]  # type: ignore[arg-type]
    if REGISTRY[name].task == "motion":
        x, y = (torch.randn(4, n, 17, model.channels) for n in (model.observed, model.horizon))  # type: ignore[arg-type]
        if fits:
            model.fit(x, y, (x, y))  # type: ignore[operator]
        return [part for part in model(x) if part is not None]
    x = torch.randn(4, model.people, model.frames or 8, 17, model.channels)  # type: ignore[arg-type]
    if fits:
        model.fit(x, torch.arange(4) % model.classes)  # type: ignore[operator]
    return [model(x)]


def built(name: str, options: dict[str, Any]) -> nn.Module | str:
    """The model, or why there is none."""
    try:
        return models.build(name, BODY, from_dict(REGISTRY[name].config, options, "model"))
    except ConfigError as error:
        return str(error)


@pytest.mark.parametrize("name", REGISTRY)
def test_numbers_are_refused_or_make_a_network(name: str) -> None:
    checked = numbers(name)
    assert len(checked) > 2
    hints = typing.get_type_hints(REGISTRY[name].config)
    for field in checked:
        for value in NONSENSE:
            model = built(name, {**SMALL[name], field: [value, value] if "tuple" in str(hints[field]) else value})
            if isinstance(model, str):
                assert field in model, (field, value)
                assert "\n" not in model
                continue
            assert value >= 0, f"{field} {value} is accepted"
            assert all(bool(answer.isfinite().all()) for answer in answers(name, model)), (field, value)


@pytest.mark.parametrize("name", [name for name, entry in REGISTRY.items() if entry.task == "lift"])
def test_a_lifter_says_what_is_wrong_before_it_is_built(name: str) -> None:
    """So that nobody waits for the data first."""
    width = "width" if name == "fcn" else "channels"
    for field, value in (
        (width, 0),
        (width, -1),
        ("dropout", 1.5),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("blocks", -1),
    ):
        if field == "blocks" and name == "videopose3d":
            continue  # its kernels tell
        with pytest.raises(ConfigError, match=rf"^model\.{field}: found {value}, expected "):
            from_dict(REGISTRY[name].config, {field: value}, "model")
